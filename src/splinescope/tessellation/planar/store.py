"""Finished pieces, in memory or streamed to a folder."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from splinescope.errors import StoreError
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.storage import decode, encode, own_folder, read_arrays, write_arrays
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.planar.assembly import FinishedPiece


class PieceStore:
    """A list of finished pieces; with a folder, each is written there at once and read back at the end."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._kept: list[FinishedPiece | Path] = []
        self._parent = None if folder is None else Path(folder)
        self._folder: Path | None = None
        self._place = ExitStack()
        self.cells = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __enter__(self) -> PieceStore:
        if self._parent is not None:
            try:
                self._parent.mkdir(parents=True, exist_ok=True)
                self._folder = self._place.enter_context(own_folder(self._parent))
            except OSError as error:
                raise StoreError(f"`store`: cannot write to {self._parent}: {error.strerror}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        self._place.close()

    def add(self, piece: FinishedPiece) -> None:
        """Keep a piece."""
        self.cells += piece.subdivision.num_faces
        if self._folder is None:
            self._kept.append(piece)
            return
        arrays: dict[str, np.ndarray] = {}
        record = encode(piece, arrays, "piece")
        path = self._folder / f"{len(self._kept):06d}.npz"
        self._kept.append(write_arrays(path, arrays, record, argument="store"))

    def pieces(self) -> list[FinishedPiece]:
        """All pieces in memory."""
        return [_read(piece) if isinstance(piece, Path) else piece for piece in self._kept]


def _read(path: Path) -> FinishedPiece:
    """A piece from its file."""
    stored = read_arrays(path, "part", argument="store")
    classes = {part.__name__: part for part in (FinishedPiece, Subdivision, NodeCodes)}
    piece: FinishedPiece = decode(stored.record, stored.arrays, classes)
    return piece
