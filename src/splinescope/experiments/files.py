"""Plain values as files that appear whole or not at all."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.tessellation.files import replacing

if TYPE_CHECKING:
    from splinescope.experiments.base import Table


def json_text(value: Any) -> str:
    """Plain values and numpy's numbers as JSON; numbers that are not finite become null.

    Args:
        value: Dictionaries, sequences, strings, numbers, paths.

    Returns:
        The text.
    """
    return json.dumps(_plain(value), indent=1, allow_nan=False)


def write_json(path: Path, value: Any) -> None:
    """Write plain values as JSON.

    Args:
        path: The file.
        value: The values.
    """
    with replacing(path) as temporary:
        temporary.write_text(json_text(value) + "\n", encoding="utf-8")


def write_table(path: Path, table: Table) -> None:
    """Write a table as comma-separated values with a line of names.

    Args:
        path: The file.
        table: The table.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
