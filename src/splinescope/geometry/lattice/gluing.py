"""Join finished parts of a lattice along their borders: faces with the same tag are one (see `tags`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.lattice.arrays import FaceLattice
from splinescope.geometry.lattice.polytopes import Lists
from splinescope.numerics import give_back_memory


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
        parts: The parts; emptied, and their arrays freed one after the other.
        partial: Whether some may be missing, so that a facet of a border may have one side only.

    Returns:
        Their union, without tags, and the numbers of its vertices among those of all parts, one after the other.

    Raises:
        DegenerateArrangementError: If two parts have cut their common border in different ways.
    """
    d = len(parts[0].lists) + 1
    starts = np.cumsum([[0] * (d + 1)] + [part.counts for part in parts], axis=0)
    counts = starts[-1].tolist()
    borders = [_Border.of(parts, starts, k) for k in range(d)]
    points, edges, sides, labels = ([getattr(part, name) for part in parts] for name in _NAMES)
    lists = [[part.lists[k] for part in parts] for k in range(d - 1)]
    parts.clear()
    give_back_memory()
    kept, number = borders[0].numbered(counts[0])
    vertices = np.flatnonzero(kept)
    places = _concatenated(points)[vertices]
    ends = _moved(edges, starts[:, 0], number)
    borders[1].compare(ends.ravel())
    kept, number = borders[1].numbered(counts[1])
    ends, found = ends[kept], []
    for k in range(2, d + 1):
        offsets = _offsets([own for own, _ in lists[k - 2]])
        items = [own for _, own in lists[k - 2]]
        lists[k - 2].clear()
        whole = _moved(items, starts[:, k - 1], number)
        if k < d:
            borders[k].compare(whole, offsets)
            kept, number = borders[k].numbered(counts[k])
            offsets, whole = _chosen(offsets, whole, kept)
        found.append((offsets, whole))
    beside = borders[-1].joined(_moved(sides, starts[:, -1], None), kept, number, partial)
    return FinishedLattice(places, ends, found, beside, _concatenated(labels)[kept], [], []), vertices


_NAMES = ("points", "edges", "sides", "labels")


@dataclass(frozen=True)
class _Border:
    """The faces of one dimension that are on borders.

    Attributes:
        faces: Their numbers among those of all parts, one after the other.
        same: For each the first one with its tag.
    """

    faces: np.ndarray
    same: np.ndarray

    @classmethod
    def of(cls, parts: list[FinishedLattice], starts: np.ndarray, k: int) -> _Border:
        """Those of dimension k."""
        faces = np.concatenate([part.tagged[k] + first for part, first in zip(parts, starts[:, k], strict=False)])
        _, first, inverse = np.unique(
            np.concatenate([part.tags[k] for part in parts]), return_index=True, return_inverse=True
        )
        return cls(faces, faces[first[inverse]])

    def numbered(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Which of so many faces to keep, the first one of those that are one, and a new number for each."""
        kept = np.ones(count, bool)
        kept[self.faces[self.same != self.faces]] = False
        number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        number[self.faces] = number[self.same]
        return kept, number

    def compare(self, items: np.ndarray, offsets: np.ndarray | None = None) -> None:
        """Faces that are taken for one have the same facets, two each where no offsets say how many."""
        lists = []
        for faces in (self.faces, self.same):
            start, stop = (2 * faces, 2 * faces + 2) if offsets is None else (offsets[faces], offsets[faces + 1])
            lengths = stop - start
            own = items[np.repeat(stop - np.cumsum(lengths), lengths) + np.arange(lengths.sum())]
            lists.append((lengths, own[np.lexsort((own, np.repeat(np.arange(len(faces)), lengths)))]))
        if not all(np.array_equal(one, other) for one, other in zip(*lists, strict=True)):
            raise _disagreement()

    def joined(self, sides: np.ndarray, kept: np.ndarray, number: np.ndarray, partial: bool) -> np.ndarray:
        """Cells on both sides of the facets that are kept; those on a border get the cell that another part has."""
        others = self.faces[self.same != self.faces]
        out, twins = sides[kept], number[others]
        if len(np.unique(twins)) < len(twins) or ((out[twins] >= 0) & (sides[others] >= 0)).any():
            raise _disagreement()
        out[twins] = np.maximum(out[twins], sides[others])
        if not partial and (out[number[self.faces]] < 0).any():
            raise _disagreement()
        return out


def _concatenated(arrays: list[np.ndarray]) -> np.ndarray:
    """All arrays, one after the other; the list is empty then."""
    whole = np.concatenate(arrays)
    arrays.clear()
    give_back_memory()
    return whole


def _offsets(parts: list[np.ndarray]) -> np.ndarray:
    """Offsets of lists of several parts, one part after the other, from those within the parts."""
    out = np.zeros(sum(len(own) - 1 for own in parts) + 1, np.int64)
    at = 0
    for own in parts:
        out[at + 1 : at + len(own)] = own[1:] + out[at]
        at += len(own) - 1
    return out


def _moved(arrays: list[np.ndarray], starts: np.ndarray, number: np.ndarray | None) -> np.ndarray:
    """Numbers within parts, one part after the other, as new ones, or as those among all parts; -1 stays."""
    out = np.empty((sum(len(array) for array in arrays), *arrays[0].shape[1:]), np.int32)
    at = 0
    for start in starts[: len(arrays)]:
        own = arrays.pop(0)
        there = out[at : at + len(own)]
        moved = own + start
        there[:] = np.where(own < 0, -1, moved) if number is None else number[moved]
        at += len(own)
    give_back_memory()
    return out


def _chosen(offsets: np.ndarray, items: np.ndarray, kept: np.ndarray) -> Lists:
    """The lists of some faces, nearly all of them: the items are moved together in their array."""
    out = np.zeros(int(kept.sum()) + 1, np.int64)
    _move_together(offsets, items, kept, out)
    return out, items[: out[-1]]


@njit(cache=True, nogil=True)
def _move_together(offsets: np.ndarray, items: np.ndarray, kept: np.ndarray, out: np.ndarray) -> None:
    """Move the lists that are kept to the beginning, one after the other, and write down where they end."""
    number, used = 0, 0
    for face in range(kept.size):
        if kept[face]:
            for at in range(offsets[face], offsets[face + 1]):
                items[used] = items[at]
                used += 1
            number += 1
            out[number] = used


def _disagreement() -> DegenerateArrangementError:
    return DegenerateArrangementError(
        "parts of the domain disagree about the folds on their border; pass a `tolerance` with a larger `safety` or a "
        "larger `memory_budget`"
    )
