"""The exact tessellation of a fixed domain: its number of cells, its class areas, its picture."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from splinescope.errors import InvalidInputError
from splinescope.observers.snapshot import Snapshot
from splinescope.tessellation.boundary import class_areas
from splinescope.tessellation.domains import Domain


@dataclass(frozen=True, eq=False)
class CellCount:
    """Exact number of cells in a domain of any dimension: `cells`.

    Attributes:
        domain: A segment, a slice or a box.
    """

    domain: Domain

    def __call__(self, snapshot: Snapshot) -> dict[str, int]:
        """Measure."""
        return {"cells": len(snapshot.cells(self.domain))}


@dataclass(frozen=True, eq=False)
class ClassAreas:
    """Exact area of each class in a slice, in its coordinates: `0`, `1`, ...

    Attributes:
        domain: A slice or a box of two dimensions.
    """

    domain: Domain

    def __post_init__(self) -> None:
        _check_plane(self.domain)

    def __call__(self, snapshot: Snapshot) -> dict[str, float]:
        """Measure."""
        return {str(label): float(area) for label, area in enumerate(class_areas(snapshot.cells(self.domain)))}


@dataclass(frozen=True, eq=False)
class SliceFrames:
    """Saves the complex of a slice at each recorded step, for an animation; it gives no numbers.

    Each file holds the network, too, and is read by `splinescope.open`.

    Attributes:
        domain: A slice or a box of two dimensions.
        folder: Where to put the frames; it is made if needed.
    """

    domain: Domain
    folder: str | os.PathLike[str] = field(compare=False)

    def __post_init__(self) -> None:
        _check_plane(self.domain)

    def __call__(self, snapshot: Snapshot) -> dict[str, float]:
        """Save a frame."""
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        snapshot.cells(self.domain).save(folder / f"{_PREFIX}{snapshot.step:012d}.npz")
        return {}

    def forget(self, step: int) -> None:
        """Delete the frames after a step.

        Args:
            step: The last step whose frame stays.
        """
        for later, path in saved_frames(self.folder).items():
            if later > step:
                path.unlink()


_PREFIX = "step-"


def saved_frames(folder: str | os.PathLike[str]) -> dict[int, Path]:
    """Frames that `SliceFrames` saved: `splinescope.plotting.animate(saved_frames("frames"), "training.gif")`.

    Args:
        folder: The folder.

    Returns:
        A file for each step, by ascending step; nothing if there is no such folder.

    Cost: listing the folder; no file is opened.

    Example:
        >>> import splinescope, tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     frames = SliceFrames(splinescope.Slice.box([-1, -1], [1, 1]), folder)
        ...     for step in (0, 100):
        ...         _ = frames(Snapshot(torch.nn.ReLU(), step))
        ...     list(saved_frames(folder))
        [0, 100]
    """
    return {int(path.stem.removeprefix(_PREFIX)): path for path in sorted(Path(folder).glob(f"{_PREFIX}*.npz"))}


def _check_plane(domain: Domain) -> None:
    if domain.dimension != 2:
        raise InvalidInputError(f"`domain`: got {domain.dimension} dimensions; expected a slice of two")
