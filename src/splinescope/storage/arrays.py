"""Arrays with plain values beside them, in one file that NumPy alone reads; never pickle."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from splinescope.errors import InvalidInputError, StoreError
from splinescope.storage.archives import load_archive
from splinescope.storage.replacement import replacing
from splinescope.storage.texts import from_json, json_text

RECORD = "record"
"""Name of the text among the arrays of a file that holds its record."""


@dataclass(frozen=True, eq=False)
class Stored:
    """What a file of arrays holds.

    Attributes:
        arrays: The arrays by name.
        record: The plain values; None if the file has none.
    """

    arrays: dict[str, np.ndarray]
    record: Any = None


def write_arrays(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    record: Any = None,
    *,
    argument: str = "path",
    compress: bool = False,
    durable: bool = False,
) -> Path:
    """Write arrays, and plain values beside them, to one `.npz` file, whole or not at all.

    NumPy alone reads the file: the values are JSON in the text `record`.

    Args:
        path: The file.
        arrays: Arrays by name, of any shapes and any type but objects.
        record: Plain values (see `json_text`), or None.
        argument: What the caller calls `path`, for errors.
        compress: Whether to make it small, which takes time.
        durable: Whether to be sure that it survives a crash of the machine.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the folder does not exist or cannot be written to.
        StoreError: If the file cannot be written; what was there before stays.

    Cost: the size of the arrays; `compress` takes more time, and less room.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_arrays(f"{folder}/some.npz", {"t": np.array([0.25, 0.5])}, {"units": "s"})
        ...     stored = read_arrays(path)
        >>> stored.arrays["t"].tolist(), stored.record
        ([0.25, 0.5], {'units': 's'})
    """
    named: dict[str, Any] = dict(arrays)
    if record is not None:
        assert RECORD not in named
        named = {RECORD: np.array(json_text(record, indent=None))} | named
    try:
        with replacing(path, argument) as temporary, open(temporary, "wb") as file:
            _save(file, named, zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
            if durable:
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(f"`{argument}`: cannot write {str(path)!r}: {reason}") from error
    return Path(path)


def read_arrays(path: str | os.PathLike[str], what: str = "file of arrays", *, argument: str = "path") -> Stored:
    """Read what `write_arrays` wrote. Nothing in the file is run.

    Args:
        path: The file.
        what: What it should be, for errors.
        argument: What the caller calls `path`, for errors.

    Returns:
        Arrays and record.

    Raises:
        StoreError: If the file is missing, is not of this kind, or is damaged.
        InvalidInputError: If its content is larger than the limit.

    Cost: reading the file; all of its arrays are held in memory.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     read_arrays(write_arrays(f"{folder}/some.npz", {"t": np.array([0.25, 0.5])})).arrays["t"].tolist()
        [0.25, 0.5]
    """
    name = str(os.fspath(path))
    try:
        arrays = load_archive(path)
        record = arrays.pop(RECORD) if RECORD in arrays and not arrays[RECORD].ndim else None
        return Stored(arrays, None if record is None else from_json(str(record)))
    except FileNotFoundError as error:
        raise StoreError(f"`{argument}`: there is no file {name!r}") from error
    except InvalidInputError:
        raise
    except (StoreError, ValueError, RecursionError) as error:
        raise StoreError(
            f"`{argument}`: {name!r} is not a complete {what}, and expected is one that was saved whole: {error}"
        ) from error


def _save(file: BinaryIO, arrays: Mapping[str, Any], method: int) -> None:
    """What `numpy.savez` does, for which some names (`file`) are none of arrays; nothing is pickled."""
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                npy.write_array(stream, np.asanyarray(array), allow_pickle=False)
