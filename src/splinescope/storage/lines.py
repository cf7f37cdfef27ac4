"""Files of lines of JSON that grow while work goes on: a crash can only cut them at their end."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from splinescope.errors import StoreError
from splinescope.storage.replacement import replacing
from splinescope.storage.texts import from_json, json_text


class LineFile:
    """A file whose first line says what it is, and all others are rows.

    Args:
        path: The file.
        argument: What the caller calls `path` when it writes, for errors.
        null: What entries of rows that are null become.
    """

    def __init__(self, path: str | os.PathLike[str], argument: str = "path", null: float | None = math.nan) -> None:
        self.path = Path(path)
        self._argument, self._null, self._length = argument, null, 0

    @property
    def begun(self) -> bool:
        """Whether it is there with its first line at least."""
        if not self.path.exists():
            return False
        with open(self.path, "rb") as file:
            return any(b"\n" in part for part in iter(lambda: file.read(1 << 16), b""))

    def read(self) -> tuple[Any, list[Any]]:
        """The first line and the rows; one that was not finished is left out.

        Returns:
            The value of the first line, None if there is none; those of the others.

        Raises:
            StoreError: If the file is missing, or damaged before its end.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError as error:
            raise StoreError(f"`path`: there is no file {str(self.path)!r}") from error
        self._length = data.rfind(b"\n") + 1
        values: list[Any] = []
        for number, line in enumerate(data[: self._length].splitlines(), 1):
            try:
                values.append(from_json(line, null=self._null if number > 1 else None))
            except ValueError as error:
                raise StoreError(f"`path`: line {number} of {str(self.path)!r} is damaged") from error
        return (values[0], values[1:]) if values else (None, [])

    def trim(self) -> None:
        """Cut off what `read` left out."""
        if self._length < self.path.stat().st_size:
            os.truncate(self.path, self._length)

    def begin(self, first: Any, rows: Iterable[Any] = ()) -> None:
        """Put a first line and rows in the place of the file, at once.

        Args:
            first: The value of the first line.
            rows: Those of the others.
        """
        data = b"".join(map(_line, [first, *rows]))
        with replacing(self.path, self._argument) as temporary, open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._length = len(data)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Add rows, on disk when this returns; after a crash each is there whole or not at all.

        Args:
            rows: The rows.

        Returns:
            The rows as they will be read.

        Raises:
            StoreError: If they cannot be written; the file is then as before.
        """
        lines = [_line(row) for row in rows]
        data = b"".join(lines)
        try:
            with open(self.path, "r+b", buffering=0) as file:
                file.seek(self._length)
                if file.write(data) != len(data):
                    raise OSError("the disk is full")
                os.fsync(file.fileno())
        except OSError as error:
            if self.path.exists():
                os.truncate(self.path, self._length)
            reason = error.strerror or error
            raise StoreError(f"`{self._argument}`: cannot write to {str(self.path)!r}: {reason}") from error
        self._length += len(data)
        return [from_json(line, null=self._null) for line in lines]


def _line(value: Any) -> bytes:
    return json_text(value, indent=None).encode() + b"\n"
