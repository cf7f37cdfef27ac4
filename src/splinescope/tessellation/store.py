"""Finished pieces, in memory or streamed to a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from splinescope.errors import StoreError
from splinescope.geometry.subdivision import Subdivision
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.planar.assembly import Finished


class PieceStore:
    """A list of finished pieces; with a folder, each is written there at once and read back at the end."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._kept: list[Finished | Path] = []
        self._parent = None if folder is None else Path(folder)
        self._folder: Path | None = None
        self.cells = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __enter__(self) -> PieceStore:
        if self._parent is not None:
            try:
                self._parent.mkdir(parents=True, exist_ok=True)
                self._folder = Path(tempfile.mkdtemp(prefix="pieces-", dir=self._parent))
            except OSError as error:
                raise StoreError(f"`store`: cannot write to {self._parent}: {error.strerror}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, piece: Finished) -> None:
        """Keep a piece."""
        self.cells += piece.subdivision.num_faces
        if self._folder is None:
            self._kept.append(piece)
            return
        path = self._folder / f"{len(self._kept):06d}.npz"
        arrays = {f"subdivision_{name}": value for name, value in vars(piece.subdivision).items()}
        for number, codes in enumerate(piece.codes):
            arrays |= {f"codes_{number}_{name}": np.asarray(value) for name, value in vars(codes).items()}
        try:
            np.savez(path, vertex_tags=piece.vertex_tags, outputs=piece.outputs, nodes=len(piece.codes), **arrays)
        except OSError as error:
            raise StoreError(f"`store`: cannot write a piece to {path.parent}: {error.strerror}") from error
        self._kept.append(path)

    def pieces(self) -> list[Finished]:
        """All pieces in memory."""
        return [_read(piece) if isinstance(piece, Path) else piece for piece in self._kept]


def _read(path: Path) -> Finished:
    """A piece from its file."""
    with np.load(path, allow_pickle=False) as arrays:
        names = Subdivision.__dataclass_fields__
        subdivision = Subdivision(**{name: arrays[f"subdivision_{name}"] for name in names})
        codes = []
        for number in range(int(arrays["nodes"])):
            parts = {name: arrays[f"codes_{number}_{name}"] for name in ("base", "columns", "words")}
            codes.append(NodeCodes(int(arrays[f"codes_{number}_node"]), **parts))
        return Finished(subdivision, arrays["vertex_tags"], arrays["outputs"], codes)
