"""Join finished parts of a lattice along their borders: faces with the same tag are one (see `tags`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.lattice.arrays import FaceLattice
from splinescope.geometry.lattice.polytopes import Lists


@dataclass(frozen=True)
class FinishedLattice:
    """All faces of a lattice without room to grow.

    Attributes:
        points: [V, d] coordinates of the vertices.
        edges: [E, 2] ends of the edges.
        lists: For k = 2, ..., d offsets and items of the facets of the faces of dimension k.
        sides: [M, 2] cells on the negative and on the positive side of each facet of cells, -1 outside.
        labels: [M, 2] see `faces.Faces`.
        tagged: For k = 0, ..., d - 1 the numbers of the faces on borders.
        tags: For each k their tags.
    """

    points: np.ndarray
    edges: np.ndarray
    lists: list[Lists]
    sides: np.ndarray
    labels: np.ndarray
    tagged: list[np.ndarray]
    tags: list[np.ndarray]

    @classmethod
    def of(cls, lattice: FaceLattice) -> FinishedLattice:
        """Those of a lattice."""
        d, count = lattice.dimension, lattice.counts[0]
        by_dimension = [lattice.tags, lattice.edges.tags, *(faces.tags for faces in lattice.levels[:-1])]
        tagged = [np.flatnonzero(tags[: count[k]]) for k, tags in enumerate(by_dimension)]
        return cls(
            points=lattice.points[: count[0]].copy(),
            edges=lattice.edges.ends[: count[1]].copy(),
            lists=[lattice.list_of(k) for k in range(2, d + 1)],
            sides=lattice.facets.cells[: count[d - 1]].copy(),
            labels=lattice.facets.labels[: count[d - 1]].copy(),
            tagged=tagged,
            tags=[tags[faces] for tags, faces in zip(by_dimension, tagged, strict=True)],
        )

    @property
    def counts(self) -> list[int]:
        """Number of faces of each dimension."""
        return [len(self.points), len(self.edges), *(len(offsets) - 1 for offsets, _ in self.lists)]


def glued(parts: list[FinishedLattice], partial: bool) -> tuple[FinishedLattice, np.ndarray]:
    """One lattice from parts.

    Args:
        parts: The parts; emptied, to free their memory.
        partial: Whether some may be missing, so that a facet of a border may have one side only.

    Returns:
        Their union, without tags, and the numbers of its vertices among those of all parts, one after the other.

    Raises:
        DegenerateArrangementError: If two parts have cut their common border in different ways.
    """
    d = len(parts[0].lists) + 1
    starts = np.cumsum([[0] * (d + 1)] + [part.counts for part in parts], axis=0)
    kept, number = _numbered(parts, starts, 0, None)
    points = np.concatenate([part.points for part in parts])[kept]
    vertices = np.flatnonzero(kept)
    ends = number[np.concatenate([part.edges + first for part, first in zip(parts, starts[:, 0], strict=False)])]
    kept, number = _numbered(parts, starts, 1, (2 * np.arange(len(ends) + 1), ends.ravel()))
    edges, lists = ends[kept].astype(np.int32), []
    for k in range(2, d + 1):
        whole = _together(parts, starts, k, number)
        if k == d:
            lists.append(whole)
            break
        kept, number = _numbered(parts, starts, k, whole)
        lists.append(_chosen(*whole, kept))
    sides, labels = _facets(parts, starts, kept, number, partial)
    parts.clear()
    nothing: list[np.ndarray] = []
    return FinishedLattice(points, edges, lists, sides, labels, nothing, nothing), vertices


def _numbered(
    parts: list[FinishedLattice], starts: np.ndarray, k: int, lists: Lists | None
) -> tuple[np.ndarray, np.ndarray]:
    """Which faces of dimension k to keep, the first one of those with the same tag, and a new number for each face."""
    faces = np.concatenate([part.tagged[k] + first for part, first in zip(parts, starts[:, k], strict=False)])
    tags = np.concatenate([part.tags[k] for part in parts])
    _, first, inverse = np.unique(tags, return_index=True, return_inverse=True)
    same = faces[first[inverse]]
    if lists is not None:
        _compare(lists, faces, same)
    kept = np.ones(starts[-1, k], bool)
    kept[faces[same != faces]] = False
    number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
    number[faces] = number[same]
    return kept, number


def _compare(lists: Lists, faces: np.ndarray, same: np.ndarray) -> None:
    """Faces that are taken for one have the same facets."""
    offsets, items = lists
    mixed = (items.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    sums = np.add.reduceat(mixed * np.uint64(0xBF58476D1CE4E5B9), offsets[:-1])
    lengths = np.diff(offsets)
    if (sums[faces] != sums[same]).any() or (lengths[faces] != lengths[same]).any():
        raise _disagreement()


def _together(parts: list[FinishedLattice], starts: np.ndarray, k: int, number: np.ndarray) -> Lists:
    """Lists of the faces of dimension k of all parts, by the new numbers of their facets."""
    offsets = np.zeros(starts[-1, k] + 1, np.int64)
    np.cumsum(np.concatenate([np.diff(part.lists[k - 2][0]) for part in parts]), out=offsets[1:])
    items = np.empty(offsets[-1], np.int32)
    used = 0
    for part, first in zip(parts, starts[:, k - 1], strict=False):
        own = part.lists[k - 2][1]
        items[used : used + len(own)] = number[own + np.int64(first)]
        used += len(own)
        part.lists[k - 2] = (part.lists[k - 2][0], own[:0])
    return offsets, items


def _chosen(offsets: np.ndarray, items: np.ndarray, kept: np.ndarray) -> Lists:
    """The lists of some faces."""
    lengths = np.diff(offsets)
    return np.concatenate([[0], np.cumsum(lengths[kept])]), items[np.repeat(kept, lengths)]


def _facets(
    parts: list[FinishedLattice], starts: np.ndarray, kept: np.ndarray, number: np.ndarray, partial: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Sides and labels of the facets of cells; those of a border get the cell that the other part has."""
    firsts = starts[:, -1].tolist()
    moved = [np.where(part.sides >= 0, part.sides + first, -1) for part, first in zip(parts, firsts, strict=False)]
    all_sides = np.concatenate(moved).astype(np.int32)
    sides, other = all_sides[kept], np.flatnonzero(~kept)
    twin = number[other]
    if len(np.unique(twin)) < len(twin) or ((sides[twin] >= 0) & (all_sides[other] >= 0)).any():
        raise _disagreement()
    sides[twin] = np.maximum(sides[twin], all_sides[other])
    tagged = np.concatenate([part.tagged[-1] + first for part, first in zip(parts, starts[:, -2], strict=False)])
    if not partial and (sides[number[tagged]] < 0).any():
        raise _disagreement()
    return sides, np.concatenate([part.labels for part in parts])[kept]


def _disagreement() -> DegenerateArrangementError:
    return DegenerateArrangementError(
        "parts of the domain disagree about the folds on their border; pass a `tolerance` with a larger `safety` or a "
        "larger `memory_budget`"
    )
