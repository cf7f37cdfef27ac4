"""Upper envelopes of affine functions on convex cells: where each function is the largest.

Function `k` has the value `values[v, k]` at vertex `v` and is affine on each cell. A cell is *whole* if one
function is the largest on all of it, else *mixed*: it is then cut into convex pieces by the lines on which
two functions agree. Where functions agree within what both may be off they are tied, and the one of lowest index wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from splinescope.geometry.planar.contacts import contact_segments, finer


@dataclass(frozen=True)
class Envelope:
    """Where each of several affine functions is the largest.

    Attributes:
        winners: Function that is the largest on all of each cell, -1 for a mixed cell.
        piece_points: Corners of the pieces of the mixed cells, counter-clockwise, one piece after the other.
        piece_offsets: Where each piece starts in `piece_points`.
        piece_winners: Function that is the largest on each piece.
        piece_cells: Cell of each piece.
        segments: Segments on which the largest function changes.
        segment_winners: The largest functions on the left and on the right of each segment.
        segment_cells: A cell whose closure holds the segment.
        segment_ends: For both ends of each segment the pair of vertices `(low, high)` of the edge on which
            it lies, twice the vertex where it is a vertex, and (-1, -1) where it is inside the cell.
    """

    winners: Int[np.ndarray, " cells"]
    piece_points: Float[np.ndarray, "points 2"]
    piece_offsets: Int[np.ndarray, " pieces_plus_one"]
    piece_winners: Int[np.ndarray, " pieces"]
    piece_cells: Int[np.ndarray, " pieces"]
    segments: Float[np.ndarray, "segments 2 2"]
    segment_winners: Int[np.ndarray, "segments 2"]
    segment_cells: Int[np.ndarray, " segments"]
    segment_ends: Int[np.ndarray, "segments 2 2"]


def upper_envelope(
    vertices: Float[np.ndarray, "vertices 2"],
    cell_vertices: Int[np.ndarray, " sides"],
    cell_offsets: Int[np.ndarray, " bounds"],
    edges: Int[np.ndarray, "edges 2"],
    edge_cells: Int[np.ndarray, "edges 2"],
    values: Float[np.ndarray, "vertices functions"],
    errors: Float[np.ndarray, "vertices functions"],
) -> Envelope:
    """Cut the cells where the largest of several functions changes.

    Args:
        vertices: Positions.
        cell_vertices: Vertex indices of all cells, counter-clockwise, one cell after the other.
        cell_offsets: Where each cell starts in `cell_vertices`; the last entry is its length.
        edges: Vertices of each edge of the subdivision.
        edge_cells: Cells on the left and right of each edge, -1 outside.
        values: Values of the functions at the vertices.
        errors: What each may be off there; two values count as equal up to the sum of theirs. Between vertices it is
            interpolated.

    Returns:
        The envelope. Cost: cells x functions, plus for each mixed cell the square of the number of functions
        that can be the largest on it.
    """
    values, errors = np.ascontiguousarray(values), np.ascontiguousarray(errors)
    winners = whole_cells(values, cell_vertices, cell_offsets, errors)
    mixed = np.flatnonzero(winners < 0)
    pieces = _cut_cells(mixed, vertices, cell_vertices, cell_offsets, values, errors)
    contacts = contact_segments(winners, vertices, cell_vertices, cell_offsets, edges, edge_cells, values, errors)
    points, offsets, labels, ends, classes, cells, keys = pieces
    return Envelope(
        winners,
        points,
        offsets,
        labels[:, 0],
        labels[:, 1],
        np.concatenate([ends, contacts.segments]),
        np.concatenate([classes, contacts.winners]),
        np.concatenate([cells, contacts.cells]),
        np.concatenate([keys, contacts.ends]),
    )


@njit(cache=True, nogil=True)
def whole_cells(
    values: np.ndarray, cell_vertices: np.ndarray, cell_offsets: np.ndarray, errors: np.ndarray
) -> np.ndarray:
    """The first function that is the largest, within errors, at all vertices of a cell; -1 if there is none."""
    tops, winners = np.empty(len(values)), np.empty(len(cell_offsets) - 1, np.int64)
    for vertex in range(len(values)):
        tops[vertex] = (values[vertex] - errors[vertex]).max()
    for cell in range(len(winners)):
        ring = cell_vertices[cell_offsets[cell] : cell_offsets[cell + 1]]
        winners[cell] = -1
        for k in range(values.shape[1]):
            wins = True
            for vertex in ring:
                if values[vertex, k] + errors[vertex, k] < tops[vertex]:
                    wins = False
                    break
            if wins:
                winners[cell] = k
                break
    return winners


@njit(cache=True, nogil=True)
def _contenders(values: np.ndarray, ring: np.ndarray, errors: np.ndarray, contenders: np.ndarray) -> int:
    """Functions that can be the largest somewhere: not below the best of the guaranteed values."""
    guaranteed = -np.inf
    for k in range(values.shape[1]):
        lowest = np.inf
        for vertex in ring:
            lowest = min(lowest, values[vertex, k] - errors[vertex, k])
        guaranteed = max(guaranteed, lowest)
    count = 0
    for k in range(values.shape[1]):
        for vertex in ring:
            if values[vertex, k] + errors[vertex, k] >= guaranteed:
                contenders[count] = k
                count += 1
                break
    return count


def _cut_cells(
    mixed: np.ndarray,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    cell_offsets: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Pieces and segments of the mixed cells; the kernel stops where its room ends and goes on with twice the room."""
    room = 64 + 4 * len(mixed)
    buffers = [
        np.empty((4 * room, 2)),
        np.zeros(room + 1, dtype=np.int64),
        np.empty((room, 2), dtype=np.int64),
        np.empty((room, 2, 2)),
        np.empty((room, 2), dtype=np.int64),
        np.empty(room, dtype=np.int64),
        np.empty((room, 2, 2), dtype=np.int64),
    ]
    state = np.zeros(3, dtype=np.int64)  # mixed cells done, pieces, segments
    while True:
        _cut(mixed, vertices, cell_vertices, cell_offsets, values, errors, state, *buffers)
        if state[0] == len(mixed):
            break
        buffers = [np.concatenate([buffer, np.zeros_like(buffer)]) for buffer in buffers]
    points, offsets, labels = buffers[:3]
    pieces, segments = state[1], state[2]
    kept = [points[: offsets[pieces]], offsets[: pieces + 1], labels[:pieces]]
    return tuple(kept + [buffer[:segments] for buffer in buffers[3:]])


@njit(cache=True, nogil=True)
def _cut(
    mixed: np.ndarray,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    cell_offsets: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    state: np.ndarray,
    points: np.ndarray,
    offsets: np.ndarray,
    labels: np.ndarray,
    segments: np.ndarray,
    segment_winners: np.ndarray,
    segment_cells: np.ndarray,
    segment_ends: np.ndarray,
) -> None:
    contenders = np.empty(values.shape[1], dtype=np.int64)
    while state[0] < len(mixed):
        cell = mixed[state[0]]
        ring = cell_vertices[cell_offsets[cell] : cell_offsets[cell + 1]]
        count = _contenders(values, ring, errors, contenders)
        corners = len(ring) + 2 * count
        pieces, ends = state[1], state[2]
        if (
            offsets[pieces] + count * corners > len(points)
            or pieces + count > len(labels)
            or ends + count * corners > len(segments)
        ):
            return
        for which in range(count):
            place, heights, origin, tags = _piece(vertices, ring, values, errors, contenders[:count], which)
            size = len(place)
            if size < 3:
                continue
            points[offsets[pieces] : offsets[pieces] + size] = place
            labels[pieces, 0], labels[pieces, 1] = contenders[which], cell
            pieces += 1
            offsets[pieces] = offsets[pieces - 1] + size
            for i in range(size):
                if tags[i] < 0:
                    continue
                j = (i + 1) % size
                tied = _tied(heights[i], heights[j], which, tags[i])
                other = _beyond(ring, values, errors, contenders[:count], tied, which, tags[i])
                if not _names(ring, errors, contenders, which, other):  # the other piece has it
                    continue
                segments[ends, 0] = place[i]
                segments[ends, 1] = place[j]
                segment_winners[ends, 0] = contenders[which]
                segment_winners[ends, 1] = contenders[other]
                segment_cells[ends] = cell
                _end(ring, origin[i], tags[i - 1], segment_ends[ends, 0])
                _end(ring, origin[j], tags[j], segment_ends[ends, 1])
                ends += 1
        state[0] += 1
        state[1], state[2] = pieces, ends


@njit(cache=True, nogil=True)
def _names(ring: np.ndarray, errors: np.ndarray, contenders: np.ndarray, one: int, two: int) -> bool:
    """Whether the segment between the pieces of two contenders is that of the first one: see `finer`."""
    if two < 0 or one == two:
        return False
    off_one, off_two = 0.0, 0.0
    for vertex in ring:
        off_one = max(off_one, errors[vertex, contenders[one]])
        off_two = max(off_two, errors[vertex, contenders[two]])
    return finer(off_one, off_two) or (one < two and not finer(off_two, off_one))


@njit(cache=True, nogil=True)
def _end(ring: np.ndarray, origin: int, tag: int, key: np.ndarray) -> None:
    """Name of the end of a segment: the vertex or the edge on which it lies, or (-1, -1) inside the cell."""
    if origin >= 0:
        key[:] = origin
    elif tag < 0:
        side = -1 - tag
        a, b = ring[side], ring[(side + 1) % len(ring)]
        key[0], key[1] = min(a, b), max(a, b)
    else:
        key[:] = -1


@njit(cache=True, nogil=True)
def _piece(
    vertices: np.ndarray,
    ring: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    contenders: np.ndarray,
    which: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The part of a cell on which contender `which` is the largest: its corners, values, their vertices, its sides.

    At each corner there are the values of all contenders, followed by what these may be off.

    `tags[i]` says what the side from corner `i` to the next is: `-1 - s` for side `s` of the cell, and `k >=
    0` for the line on which the piece's function and contender `k` agree.
    """
    size, count = len(ring), len(contenders)
    place = np.empty((size, 2))
    heights = np.empty((size, 2 * count))
    origin = np.empty(size, dtype=np.int64)
    tags = np.empty(size, dtype=np.int64)
    for i in range(size):
        place[i] = vertices[ring[i]]
        origin[i] = ring[i]
        tags[i] = -1 - i
        for k in range(count):
            heights[i, k] = values[ring[i], contenders[k]]
            heights[i, count + k] = errors[ring[i], contenders[k]]
    for other in range(count):
        if other != which and len(place) >= 3:
            place, heights, origin, tags = _clip(place, heights, origin, tags, which, other)
    return place, heights, origin, tags


@njit(cache=True, nogil=True)
def _tied(tail: np.ndarray, head: np.ndarray, which: int, tag: int) -> np.ndarray:
    """Contenders that agree with one all along a side of its piece, of which one is known."""
    count = len(tail) // 2
    tied = np.empty(count, dtype=np.bool_)
    for k in range(count):
        apart_tail, apart_head = abs(tail[k] - tail[which]), abs(head[k] - head[which])
        tied[k] = apart_tail <= tail[count + k] + tail[count + which]
        tied[k] &= apart_head <= head[count + k] + head[count + which]
    tied[which] = tied[tag] = True
    return tied


@njit(cache=True, nogil=True)
def _beyond(
    ring: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    contenders: np.ndarray,
    tied: np.ndarray,
    which: int,
    tag: int,
) -> int:
    """Of contenders that agree on a side of the piece of one of them, the one that is the largest beyond.

    That is the largest one at the vertex where the one that the side is named after is most ahead.
    """
    farthest, most = ring[0], -np.inf
    for vertex in ring:
        ahead = values[vertex, contenders[tag]] - values[vertex, contenders[which]]
        if ahead > most:
            farthest, most = vertex, ahead
    top = -np.inf
    for k in range(len(contenders)):
        if tied[k]:
            top = max(top, values[farthest, contenders[k]] - errors[farthest, contenders[k]])
    for k in range(len(contenders)):
        if tied[k] and values[farthest, contenders[k]] + errors[farthest, contenders[k]] >= top:
            return k
    return -1


@njit(cache=True, nogil=True)
def _clip(
    place: np.ndarray,
    heights: np.ndarray,
    origin: np.ndarray,
    tags: np.ndarray,
    which: int,
    other: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Keep the part of a convex piece on which `which` is at least `other`.

    inside --- inside --- X        X: made on the side that leaves; the new side X..Y gets the tag `other`
    inside --- inside --- Y
    """
    size = len(place)
    margin, last = heights[:, which] - heights[:, other], heights.shape[1] // 2
    positive, negative = False, False
    for i in range(size):
        if abs(margin[i]) <= heights[i, last + which] + heights[i, last + other]:
            margin[i] = 0.0
        positive |= margin[i] > 0.0
        negative |= margin[i] < 0.0
    if not negative and (positive or which < other):
        return place, heights, origin, tags
    if not positive:
        return place[:0], heights[:0], origin[:0], tags[:0]
    new_place = np.empty((size + 2, 2))
    new_heights = np.empty((size + 2, heights.shape[1]))
    new_origin = np.empty(size + 2, dtype=np.int64)
    new_tags = np.empty(size + 2, dtype=np.int64)
    count = 0
    for i in range(size):
        j = (i + 1) % size
        if margin[i] >= 0.0 and count < size + 2:
            new_place[count], new_heights[count] = place[i], heights[i]
            new_origin[count] = origin[i]
            new_tags[count] = other if margin[i] == 0.0 and margin[j] < 0.0 else tags[i]
            count += 1
        if min(margin[i], margin[j]) < 0.0 < max(margin[i], margin[j]) and count < size + 2:  # products underflow
            near, far = (i, j) if abs(margin[i]) <= abs(margin[j]) else (j, i)
            s = margin[near] / (margin[near] - margin[far])  # from the nearer end: less from one would lose digits
            new_place[count] = (1.0 - s) * place[near] + s * place[far]
            new_heights[count] = (1.0 - s) * heights[near] + s * heights[far]
            new_origin[count] = -1
            new_tags[count] = other if margin[i] > 0.0 else tags[i]
            count += 1
    return new_place[:count], new_heights[:count], new_origin[:count], new_tags[:count]
