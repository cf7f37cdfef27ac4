"""The log of a run: one line of JSON for each recorded step, which a crash can only cut at its end."""

from __future__ import annotations

import itertools
import os
import shutil
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError, StoreError
from splinescope.storage import LineFile, from_json, json_text, read_arrays, write_arrays

FORMAT = 1
"""Version of the log's layout."""

Row = dict[str, Any]


def read_log(path: str | os.PathLike[str]) -> list[Row]:
    """Read the rows of a log, also of a run that is going on or was killed.

    Args:
        path: The log.

    Returns:
        One dictionary for each recorded step, by ascending step; numbers that were not finite are NaN. For a table:
        `pandas.DataFrame(read_log(path))`.

    Raises:
        StoreError: If the file is missing, is no log, or is damaged before its end.

    Cost: reading the file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> from splinescope.observers import Accuracy, Recorder
        >>> accuracy = Accuracy(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]))
        >>> with TemporaryDirectory() as folder:
        ...     recorder = Recorder({"test": accuracy}, range(100), f"{folder}/log.jsonl")
        ...     _ = recorder.record(torch.nn.Identity(), 10)
        ...     recorder.close()
        ...     [row["test/accuracy"] for row in read_log(f"{folder}/log.jsonl")]
        [0.5]
    """
    return _checked(LineFile(path))[1]


class RunLog:
    """A log that is open for appending.

    Attributes:
        path: The file.
        rows: What is in it.
    """

    def __init__(self, path: str | os.PathLike[str], measures: Mapping[str, Any], *, resume: bool) -> None:
        """Begin a log, or open one and cut off a line that was not finished.

        Args:
            path: The file.
            measures: Description of what is measured, by name.
            resume: Whether to go on with a log that is there; else a new one takes its place.

        Raises:
            InvalidInputError: If the log has other measures, or its folder does not exist.
            StoreError: If it is damaged.
        """
        self.path = Path(path)
        self.rows: list[Row] = []
        self._header = {"log": "splinescope", "format": FORMAT, "measures": from_json(json_text(measures))}
        self._file = LineFile(path, "log")
        if resume and self._file.begun:
            header, self.rows = _checked(self._file)
            if header["measures"] != self._header["measures"]:
                there, here = header["measures"], self._header["measures"]
                raise InvalidInputError(
                    f"`log`: {str(self.path)!r} is of other measures: {_difference(there, here)}; give another file, "
                    f"or `resume=False` to replace it"
                )
            self._file.trim()
        else:
            shutil.rmtree(self._memory, ignore_errors=True)
            self._rewrite()

    def __contains__(self, step: int) -> bool:
        rank = self._rank(step)
        return rank > 0 and self.rows[rank - 1]["step"] == step

    @property
    def last(self) -> int | None:
        """The last recorded step; None if there is none."""
        return self.rows[-1]["step"] if self.rows else None

    def append(self, row: Row, memory: Mapping[str, np.ndarray]) -> None:
        """Add a row, on disk when this returns; after a crash it is there whole or not at all.

        Args:
            row: Its `step` lies after all others.
            memory: Arrays to keep for the comparison with the next row.

        Raises:
            StoreError: If it cannot be written; the log is then as before.
        """
        if memory:  # before the row, so that a row that is there always has its memory
            try:
                self._memory.mkdir(exist_ok=True)
            except OSError as error:
                raise StoreError(f"`log`: cannot write to {str(self.path)!r}: {error.strerror or error}") from error
            write_arrays(self._arrays(row["step"]), memory, argument="log", compress=True, durable=True)
        self.rows += self._file.append([row])

    def memory(self) -> dict[str, np.ndarray] | None:
        """The arrays kept for the last row; None before the first one.

        Raises:
            StoreError: If they are missing.
        """
        if self.last is None:
            return None
        path = self._arrays(self.last)
        try:
            return read_arrays(path, argument="log").arrays
        except StoreError as error:
            raise StoreError(
                f"`log`: {str(path)!r} is missing or damaged, which belongs to the last row; rewind further"
            ) from error

    def rewind(self, step: int) -> None:
        """Forget all rows after a step.

        Args:
            step: The last step to keep.
        """
        kept = self._rank(step)
        if kept < len(self.rows):
            del self.rows[kept:]
            self._rewrite()
        for path in self._memory.glob("*.npz"):
            if int(path.stem) > step:
                path.unlink()

    @property
    def _memory(self) -> Path:
        return self.path.with_name(self.path.name + ".memory")

    def _arrays(self, step: int) -> Path:
        return self._memory / f"{step:012d}.npz"

    def _rank(self, step: int) -> int:
        return bisect_right(self.rows, step, key=lambda row: row["step"])

    def _rewrite(self) -> None:
        """Put header and rows in the place of the file, at once."""
        self._file.begin(self._header, self.rows)


def _checked(file: LineFile) -> tuple[dict[str, Any], list[Row]]:
    """Header and rows of a log."""
    header, rows = file.read()
    path = str(file.path)
    if not isinstance(header, dict) or header.get("log") != "splinescope" or header.get("format") != FORMAT:
        raise StoreError(f"`path`: {path!r} is no log of this version; expected one that a Recorder wrote")
    steps: list[Any] = [row.get("step") if isinstance(row, dict) else None for row in rows]
    if not all(isinstance(step, int) for step in steps) or any(a >= b for a, b in itertools.pairwise(steps)):
        raise StoreError(f"`path`: the steps of {path!r} are not in order; it is damaged")
    return header, rows


def _difference(there: Any, here: Any, where: str = "") -> str:
    """The first place at which two descriptions differ, in words."""
    if isinstance(there, dict) and isinstance(here, dict):
        key = next(key for key in {**there, **here} if there.get(key, ...) != here.get(key, ...))
        where = f"{where}.{key}" if where else key
        if key not in there or key not in here:
            return f"`{where}` is only {'here' if key in here else 'there'}"
        return _difference(there[key], here[key], where)
    return f"`{where}` is {there!r} there and {here!r} here"
