"""Parts of some segments on their way through a network: points, values at them, and the patterns so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from splinescope.tessellation.segments.values import Value


class Numbers:
    """Numbers for points, each given once."""

    def __init__(self, start: int = 0) -> None:
        self._next = start

    def take(self, amount: int) -> np.ndarray:
        """So many new numbers."""
        self._next += amount
        return np.arange(self._next - amount, self._next)


@dataclass(frozen=True)
class Flips:
    """Patterns of the cells of a part at one folding node.

    Attributes:
        node: Index of the node.
        columns: Number of bits of a pattern.
        first: [s, words] pattern of the first cell of each segment, packed.
        points: [N] numbers of the points at which a bit changes.
        flipped: [N] the bits that change there; one that is listed twice at a point does not change.
    """

    node: int
    columns: int
    first: np.ndarray
    points: np.ndarray
    flipped: np.ndarray


@dataclass
class SegmentsPart:
    """Points of some segments, with the values of the live nodes at them.

    The points of each segment are in ascending order and include its ends, which need not be those of the domain.

    Attributes:
        segments: [s] numbers of the segments, ascending.
        offsets: [s + 1] points of each segment.
        t: [P] parameters of the points.
        numbers: [P] number of each point, which stays when others come between them; two parts share a border.
        uncertainty: [P] how well the parameters are known.
        ops: [P] node whose fold each point lies on; -1 for the ends of the domain.
        columns: [P] which of its folds, on a cell beside the point; 0 and 1 for the ends of the domain.
        values: Values of each node that is still needed.
        flips: Patterns at the nodes passed.
        position: Next node to evaluate.
    """

    segments: np.ndarray
    offsets: np.ndarray
    t: np.ndarray
    numbers: np.ndarray
    uncertainty: np.ndarray
    ops: np.ndarray
    columns: np.ndarray
    values: dict[int, Value]
    flips: list[Flips] = field(default_factory=list)
    position: int = 1

    @property
    def inner(self) -> np.ndarray:
        """[P] whether an interval starts at each point; not at the last one of a segment."""
        inner = np.ones(len(self.t), np.bool_)
        inner[self.offsets[1:] - 1] = False
        return inner

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return sum(value.nbytes for value in self.values.values())

    @property
    def cells(self) -> int:
        """Number of intervals."""
        return len(self.t) - len(self.segments)


def halves_of(part: SegmentsPart) -> list[SegmentsPart]:
    """Split a part in two: its segments if there are several, else its points at the middle one, which both keep."""
    if len(part.segments) > 1:
        middle = len(part.segments) // 2
        border = int(part.offsets[middle])
        return [
            _points(part, part.segments[:middle], part.offsets[: middle + 1], 0, border, _first(part, 0, middle)),
            _points(
                part,
                part.segments[middle:],
                part.offsets[middle:] - border,
                border,
                len(part.t),
                _first(part, middle, len(part.segments)),
            ),
        ]
    middle = len(part.t) // 2
    left = _points(part, part.segments, np.array([0, middle + 1]), 0, middle + 1, _first(part, 0, 1))
    right_first = [_after(flips, part.numbers[: middle + 1]) for flips in part.flips]
    right = _points(part, part.segments, np.array([0, len(part.t) - middle]), middle, len(part.t), right_first)
    return [left, right]


def start_of(part: SegmentsPart, intervals: int) -> SegmentsPart:
    """The part with at most so many intervals of each segment, from its start."""
    if len(part.segments) == 1:
        return _points(part, part.segments, np.array([0, intervals + 1]), 0, intervals + 1, _first(part, 0, 1))
    counts = np.minimum(np.diff(part.offsets), intervals + 1)
    keep = np.concatenate(
        [np.arange(start, start + count) for start, count in zip(part.offsets[:-1], counts, strict=True)]
    )
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return _taken(part, part.segments, offsets, keep, [flips.first for flips in part.flips])


def _points(
    part: SegmentsPart, segments: np.ndarray, offsets: np.ndarray, start: int, stop: int, first: list[np.ndarray]
) -> SegmentsPart:
    return _taken(part, segments, offsets, slice(start, stop), first)


def _taken(
    part: SegmentsPart, segments: np.ndarray, offsets: np.ndarray, keep: np.ndarray | slice, first: list[np.ndarray]
) -> SegmentsPart:
    """The part with some of the points; bits that change at its own ends are left out."""
    numbers = part.numbers[keep]
    inside = np.setdiff1d(numbers, numbers[np.concatenate([offsets[:-1], offsets[1:] - 1])])
    flips = []
    for old, beginning in zip(part.flips, first, strict=True):
        here = np.isin(old.points, inside)
        flips.append(Flips(old.node, old.columns, beginning, old.points[here], old.flipped[here]))
    return SegmentsPart(
        segments,
        offsets,
        part.t[keep],
        numbers,
        part.uncertainty[keep],
        part.ops[keep],
        part.columns[keep],
        {node: value.part(keep) for node, value in part.values.items()},
        flips,
        part.position,
    )


def _first(part: SegmentsPart, start: int, stop: int) -> list[np.ndarray]:
    return [flips.first[start:stop] for flips in part.flips]


def _after(flips: Flips, passed: np.ndarray) -> np.ndarray:
    """[1, words] the pattern behind some points, the first ones of the one segment."""
    return flipped(flips.first, flips.flipped[np.isin(flips.points, passed)])


def flipped(words: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """[1, words] a pattern with some bits changed; one that is listed twice stays."""
    out = words.copy()
    np.bitwise_xor.at(out[0], columns >> 6, np.uint64(1) << (columns & 63).astype(np.uint64))
    return out
