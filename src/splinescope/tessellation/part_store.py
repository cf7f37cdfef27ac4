"""Finished parts of a complex, in memory or streamed to a folder."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from splinescope.errors import StoreError
from splinescope.storage import decode, encode, own_folder, read_arrays, write_arrays


@runtime_checkable
class StoredPart(Protocol):
    """A part of a complex that has passed the whole network: a dataclass of arrays."""

    @property
    def num_cells(self) -> int:
        """Number of its cells."""


Part = TypeVar("Part", bound=StoredPart)


class PartStore(Generic[Part]):
    """A list of finished parts; with a folder, each is written there at once and read back at the end.

    Args:
        classes: The classes of which parts consist.
        folder: Where to write; None keeps them in memory.

    Attributes:
        cells: Number of cells of all parts.
    """

    def __init__(self, classes: tuple[type, ...], folder: str | os.PathLike[str] | None = None) -> None:
        self._kept: list[Part | Path] = []
        self._classes = {part.__name__: part for part in classes}
        self._parent = None if folder is None else Path(folder)
        self._folder: Path | None = None
        self._place = ExitStack()
        self.cells = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __enter__(self) -> PartStore[Part]:
        if self._parent is not None:
            try:
                self._parent.mkdir(parents=True, exist_ok=True)
                self._folder = self._place.enter_context(own_folder(self._parent))
            except OSError as error:
                raise StoreError(f"`store`: cannot write to {self._parent}: {error.strerror}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        self._place.close()

    def add(self, part: Part) -> None:
        """Keep a part."""
        self.cells += part.num_cells
        if self._folder is None:
            self._kept.append(part)
            return
        arrays: dict[str, np.ndarray] = {}
        record = encode(part, arrays, "piece")
        path = self._folder / f"{len(self._kept):06d}.npz"
        self._kept.append(write_arrays(path, arrays, record, argument="store"))

    def parts(self) -> list[Part]:
        """All parts in memory."""
        return [self._read(part) if isinstance(part, Path) else part for part in self._kept]

    def emptied(self) -> list[Part]:
        """All parts in memory, which the store then no longer holds."""
        parts = self.parts()
        self._kept.clear()
        return parts

    def _read(self, path: Path) -> Part:
        """A part from its file."""
        stored = read_arrays(path, "part", argument="store")
        part: Part = decode(stored.record, stored.arrays, self._classes)
        return part
