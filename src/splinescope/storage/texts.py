"""JSON with one rule for numbers that are not finite, for which it has no word: in JSON they are null."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.storage.replacement import replacing


def json_text(value: Any, indent: int | None = 2) -> str:
    """Plain values as JSON.

    Args:
        value: Dictionaries, sequences, texts, numbers, paths, and numpy's numbers and arrays.
        indent: Spaces for each level; None for one line.

    Returns:
        The text. Numbers that are not finite are null in it.

    Cost: the text, which is held in memory.

    Example:
        >>> json_text({"least": np.float64(0.5), "rest": [math.inf, 1]}, indent=None)
        '{"least": 0.5, "rest": [null, 1]}'
    """
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except (TypeError, ValueError):  # something is not plain, or not finite
        return json.dumps(_plain(value), indent=indent, allow_nan=False)


def from_json(text: str | bytes, null: float | None = None) -> Any:
    """The values of a JSON text.

    Args:
        text: The text.
        null: What entries of objects that are null become: NaN where numbers are expected.

    Returns:
        Plain values.

    Raises:
        ValueError: If it is no JSON.

    Cost: the size of the text.

    Example:
        >>> from_json('{"least": 0.5, "rest": null}', null=math.nan)
        {'least': 0.5, 'rest': nan}
    """
    if null is None:
        return json.loads(text)
    return json.loads(text, object_hook=lambda row: {key: null if v is None else v for key, v in row.items()})


def write_json(path: str | os.PathLike[str], value: Any, indent: int | None = 2) -> Path:
    """Write plain values as a JSON file, whole or not at all.

    Args:
        path: The file.
        value: See `json_text`.
        indent: See `json_text`.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the folder does not exist or cannot be written to.

    Cost: that of `json_text`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_json(f"{folder}/numbers.json", {"cells": 4}, indent=None).read_text().strip()
        '{"cells": 4}'
    """
    with replacing(path) as temporary:
        temporary.write_text(json_text(value, indent) + "\n", encoding="utf-8")
    return Path(path)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, os.PathLike):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
