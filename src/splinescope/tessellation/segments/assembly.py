"""Join the finished parts of some segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.geometry.bits import unpack
from splinescope.tessellation.segments.part import SegmentsPart, flipped


@dataclass(frozen=True)
class FinishedSegments:
    """Segments, or parts of them, behind the last node of a network.

    Attributes:
        segments: [s] numbers of the segments, ascending.
        offsets: [s + 1] points of each segment.
        t: [P] parameters of the points.
        outputs: [P, n_out] outputs at the points.
        first: For each folding node the patterns of the first cells, [s, words].
        flip_offsets: [P + 1] bits that change at each point.
        flip_nodes: [N] node of each bit, as an index into the folding nodes.
        flip_columns: [N] the bit.
    """

    segments: np.ndarray
    offsets: np.ndarray
    t: np.ndarray
    outputs: np.ndarray
    first: tuple[np.ndarray, ...]
    flip_offsets: np.ndarray
    flip_nodes: np.ndarray
    flip_columns: np.ndarray


def finish(part: SegmentsPart, output: int) -> FinishedSegments:
    """What is kept of a part behind the last node.

    Args:
        part: The part.
        output: The node of the outputs.

    Returns:
        The part with the bits that change in order of the points; bits that change twice at a point are left out.
    """
    order = np.argsort(part.numbers)
    points = [order[np.searchsorted(part.numbers, flips.points, sorter=order)] for flips in part.flips]
    nodes = [np.full(len(flips.points), place, np.int32) for place, flips in enumerate(part.flips)]
    bits = _in_order(
        np.concatenate([np.empty(0, np.int64), *points]),
        np.concatenate([np.empty(0, np.int32), *nodes]),
        np.concatenate([np.empty(0, np.int32), *(flips.flipped for flips in part.flips)]),
    )
    counts = np.bincount(bits[0], minlength=len(part.t))
    return FinishedSegments(
        part.segments,
        part.offsets,
        part.t,
        np.array(part.values[output].rows),
        tuple(flips.first for flips in part.flips),
        np.concatenate([[0], np.cumsum(counts)]),
        bits[1],
        bits[2],
    )


def _in_order(points: np.ndarray, nodes: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits by point, node and column, without those that are listed an even number of times."""
    order = np.lexsort((columns, nodes, points))
    points, nodes, columns = points[order], nodes[order], columns[order]
    if len(points) < 2:
        return points, nodes, columns
    new = np.ones(len(points), bool)
    new[1:] = (np.diff(points) != 0) | (np.diff(nodes) != 0) | (np.diff(columns) != 0)
    if new.all():
        return points, nodes, columns
    starts = np.flatnonzero(new)
    odd = starts[np.diff(np.append(starts, len(points))) % 2 == 1]
    return points[odd], nodes[odd], columns[odd]


def join(parts: list[FinishedSegments]) -> FinishedSegments:
    """All parts as one, in order of the segments and along them; the border of two parts is one point.

    Args:
        parts: Parts in order; parts of one segment follow each other.

    Returns:
        The whole.
    """
    whole = [_chained(chain) for chain in _chains(parts)]
    if len(whole) == 1:
        return whole[0]
    points = np.cumsum([0, *(len(part.t) for part in whole)])
    bits = np.cumsum([0, *(len(part.flip_nodes) for part in whole)])
    return FinishedSegments(
        np.concatenate([part.segments for part in whole]),
        _concatenated([part.offsets for part in whole], points),
        np.concatenate([part.t for part in whole]),
        np.concatenate([part.outputs for part in whole]),
        tuple(np.concatenate(words) for words in zip(*(part.first for part in whole), strict=True)),
        _concatenated([part.flip_offsets for part in whole], bits),
        np.concatenate([part.flip_nodes for part in whole]),
        np.concatenate([part.flip_columns for part in whole]),
    )


def _concatenated(offsets: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
    """Offsets of several lists, one after the other."""
    moved = [part[1:] + start for part, start in zip(offsets, starts[:-1], strict=True)]
    return np.concatenate([[0], *moved])


def _chains(parts: list[FinishedSegments]) -> list[list[FinishedSegments]]:
    """Parts of one and the same segment together."""
    chains: list[list[FinishedSegments]] = []
    for part in parts:
        if chains and chains[-1][-1].segments[-1] == part.segments[0]:
            chains[-1].append(part)
        else:
            chains.append([part])
    return chains


def _chained(chain: list[FinishedSegments]) -> FinishedSegments:
    """The parts of one segment as one; the bits that change at a border are those by which the patterns differ."""
    if len(chain) == 1:
        return chain[0]
    state, total = chain[0].first, 0
    offsets, nodes, columns = [np.zeros(1, np.int64)], [], []
    for number, part in enumerate(chain):
        if number:
            border_nodes, border_columns = _differences(state, part.first)
            nodes.append(border_nodes)
            columns.append(border_columns)
            total += len(border_nodes)
            offsets.append(np.array([total]))
        nodes.append(part.flip_nodes)
        columns.append(part.flip_columns)
        offsets.append(total + part.flip_offsets[2 if number else 1 : -1])
        total += len(part.flip_nodes)
        state = _after(part)
    offsets.append(np.array([total]))
    keep = [slice(None) if not number else slice(1, None) for number in range(len(chain))]
    t = np.concatenate([part.t[rows] for part, rows in zip(chain, keep, strict=True)])
    return FinishedSegments(
        chain[0].segments,
        np.array([0, len(t)]),
        t,
        np.concatenate([part.outputs[rows] for part, rows in zip(chain, keep, strict=True)]),
        chain[0].first,
        np.concatenate(offsets),
        np.concatenate(nodes),
        np.concatenate(columns),
    )


def _differences(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and bits by which two patterns differ."""
    nodes, columns = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for place, (left, right) in enumerate(zip(one, other, strict=True)):
        difference = left ^ right
        if difference.any():
            found = np.flatnonzero(unpack(difference, 64 * difference.shape[1])[0]).astype(np.int32)
            columns.append(found)
            nodes.append(np.full(len(found), place, np.int32))
    return np.concatenate(nodes), np.concatenate(columns)


def _after(part: FinishedSegments) -> tuple[np.ndarray, ...]:
    """Patterns of the last cell of a part of one segment."""
    return tuple(flipped(words, part.flip_columns[part.flip_nodes == place]) for place, words in enumerate(part.first))
