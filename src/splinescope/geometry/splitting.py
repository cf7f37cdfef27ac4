"""Surgery on a face lattice: insert the folds of one layer, one column after another.

A face that has vertices on both sides of a fold is cut in two. Faces are cut from edges upwards, since everything that
a face needs to know is what became of its facets:

        b---w---c        w   section of the edge (b, c): a new vertex
        | + /   |        e   section of the face: an edge from w to v
        |  e    |        -   keeps the number of the face that is cut
        a-v---- d        +   has a new number, the child

The boundary of a face's section is made of the sections of its facets, and of the ridges that lie on the fold
between a facet on one side and a facet on the other. A vertex on the fold within its rounding error has neither sign.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

DONE, NO_ROOM, TANGLED = 0, 1, 2
"""What `insert_columns` returns: all columns are in; the arrays have to grow first; signs contradict convexity."""
START, LENGTH, CAPACITY = 0, 1, 2
"""Columns of `Faces.lists`."""
COLUMN, FACE = 0, 1
"""Places in `progress`: the next column to insert, and a face whose signs are tangled."""
_POOL = 0
"""Row of `counts`' second row that is not used; see `FaceLattice.counts`."""


class Vertices(NamedTuple):
    """Vertices with the pre-activations of one layer.

    Attributes:
        points: [V, d] coordinates.
        values: [V, n] pre-activations.
        amplification: [V] conditioning.
        positive: [V, words] bits of decided positive signs.
        negative: [V, words] bits of decided negative signs.
        parents: [V, 2] ends of the edge that a new vertex was made on.
        fractions: [V] its position between them.
    """

    points: np.ndarray
    values: np.ndarray
    amplification: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    parents: np.ndarray
    fractions: np.ndarray


class Edges(NamedTuple):
    """Edges, and what the current column does to them.

    Attributes:
        ends: [E, 2] vertices.
        marks: [E] last column that cut the edge.
        section: [E] the vertex where it did.
        child: [E] the edge on the positive side.
    """

    ends: np.ndarray
    marks: np.ndarray
    section: np.ndarray
    child: np.ndarray


class Faces(NamedTuple):
    """Faces of one dimension, from polygons upwards.

    Attributes:
        lists: [N, 3] start, length and capacity of the list of each face's facets in the pool.
        pool: The lists.
        positive: [N, words] bits of the columns that are positive at some vertex.
        negative: [N, words] bits of the columns that are negative at some vertex.
        marks: [N] last column that cut the face.
        section: [N] its section, one dimension lower.
        child: [N] the face on the positive side.
        cells: [N, 2] for facets of cells, the cells on the negative and on the positive side, -1 outside.
        labels: [N, 2] for facets of cells, the node and the unit whose fold made them, -1 for the domain's boundary.
    """

    lists: np.ndarray
    pool: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    marks: np.ndarray
    section: np.ndarray
    child: np.ndarray
    cells: np.ndarray
    labels: np.ndarray


class Layer(NamedTuple):
    """The folds of a layer.

    Attributes:
        columns: [C] columns to insert: `level * padded + unit`, where `padded` is a multiple of 64.
        units: [C] the unit of the node that each of them stands for.
        shifts: [B, n] breakpoints.
        thresholds: [B, n] distance within which a value is on its breakpoint.
        slopes: [n] typical slope of each unit over the domain.
        node: Index of the node.
        cap: Largest amplification.
        padded: Columns of one level.
    """

    columns: np.ndarray
    units: np.ndarray
    shifts: np.ndarray
    thresholds: np.ndarray
    slopes: np.ndarray
    node: int
    cap: float
    padded: int


@njit(cache=True, nogil=True, forceinline=True)
def _has(words: np.ndarray, row: int, word: int, mask: np.uint64) -> bool:
    return (words[row, word] & mask) != np.uint64(0)


@njit(cache=True, nogil=True)
def _cells_across(
    positive: np.ndarray, negative: np.ndarray, count: int, word: int, mask: np.uint64, out: np.ndarray
) -> int:
    """Cells with both signs."""
    found = 0
    for cell in range(count):
        if positive[cell, word] & negative[cell, word] & mask:
            out[found] = cell
            found += 1
    return found


@njit(cache=True, nogil=True)
def _facets_across(
    faces: np.ndarray,
    found: int,
    lists: np.ndarray,
    pool: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    marks: np.ndarray,
    serial: int,
    word: int,
    mask: np.uint64,
    out: np.ndarray,
) -> int:
    """Facets with both signs of some faces, each once."""
    number = 0
    for i in range(found):
        start = lists[faces[i], START]
        for at in range(start, start + lists[faces[i], LENGTH]):
            facet = pool[at]
            if marks[facet] != serial and positive[facet, word] & negative[facet, word] & mask:
                marks[facet] = serial
                out[number] = facet
                number += 1
    return number


@njit(cache=True, nogil=True)
def _edges_across(
    polygons: np.ndarray,
    found: int,
    lists: np.ndarray,
    pool: np.ndarray,
    ends: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    marks: np.ndarray,
    serial: int,
    word: int,
    mask: np.uint64,
    out: np.ndarray,
) -> int:
    """Edges with both signs of some polygons, each once."""
    number = 0
    for i in range(found):
        start = lists[polygons[i], START]
        for at in range(start, start + lists[polygons[i], LENGTH]):
            edge = pool[at]
            if marks[edge] == serial:
                continue
            a, b = ends[edge, 0], ends[edge, 1]
            if ((positive[a, word] & negative[b, word]) | (negative[a, word] & positive[b, word])) & mask:
                marks[edge] = serial
                out[number] = edge
                number += 1
    return number


@njit(cache=True, nogil=True, error_model="numpy")
def _cut_edges(
    cut: np.ndarray,
    found: int,
    column: int,
    layer: Layer,
    vertices: Vertices,
    edges: Edges,
    first_vertex: int,
    first_edge: int,
    zeros: np.ndarray,
) -> None:
    """Put a vertex on each edge; the edge keeps its negative part, and its positive part is a new edge."""
    points, values, amplification, positive, negative, parents, fractions = vertices
    ends, _, section, child = edges
    _, _, shifts, thresholds, slopes, _, cap, padded = layer
    level = column // padded
    unit = column - level * padded
    words = padded // 64
    word, mask = column >> 6, np.uint64(1) << np.uint64(column & 63)
    for i in range(found):
        edge, vertex = cut[i], first_vertex + i
        a, b = ends[edge, 0], ends[edge, 1]
        if _has(positive, a, word, mask):
            a, b = b, a
        below, above = values[a, unit] - shifts[level, unit], values[b, unit] - shifts[level, unit]
        fraction = below / (below - above)
        parents[vertex, 0], parents[vertex, 1], fractions[vertex] = a, b, fraction
        length = 0.0
        for k in range(points.shape[1]):
            step = points[b, k] - points[a, k]
            length += step * step
            points[vertex, k] = points[a, k] + fraction * step
        steepness = slopes[unit] * np.sqrt(length) / (above - below)
        conditioning = min(cap, max(amplification[a], amplification[b], steepness))
        amplification[vertex] = conditioning
        for u in range(values.shape[1]):
            values[vertex, u] = values[a, u] + fraction * (values[b, u] - values[a, u])
        values[vertex, unit] = shifts[level, unit]
        for b_level in range(len(shifts)):
            for w in range(words):
                plus, minus = np.uint64(0), np.uint64(0)
                for bit in range(min(64, values.shape[1] - 64 * w)):
                    u = 64 * w + bit
                    difference = values[vertex, u] - shifts[b_level, u]
                    reach = thresholds[b_level, u] * conditioning
                    plus |= np.uint64(difference > reach) << np.uint64(bit)
                    minus |= np.uint64(difference < -reach) << np.uint64(bit)
                positive[vertex, b_level * words + w] = plus
                negative[vertex, b_level * words + w] = minus
                zeros[b_level * words + w] |= ~(plus | minus)
        ends[edge, 0], ends[edge, 1] = a, vertex
        ends[first_edge + i, 0], ends[first_edge + i, 1] = vertex, b
        section[edge], child[edge] = vertex, first_edge + i


@njit(cache=True, nogil=True, forceinline=True)
def _store(faces_lists: np.ndarray, pool: np.ndarray, used: int, face: int, items: np.ndarray, length: int) -> int:
    """Write the list of a face, in place if it fits; how much of the pool is used then."""
    if length > faces_lists[face, CAPACITY]:
        faces_lists[face, START] = used
        faces_lists[face, CAPACITY] = length + 2
        used += length + 2
    faces_lists[face, LENGTH] = length
    start = faces_lists[face, START]
    for i in range(length):
        pool[start + i] = items[i]
    return used


@njit(cache=True, nogil=True)
def _ends_of_section(
    face: int,
    faces: Faces,
    edges: Edges,
    positive: np.ndarray,
    negative: np.ndarray,
    serial: int,
    word: int,
    mask: np.uint64,
    out: np.ndarray,
) -> int:
    """Vertices at which a fold crosses the boundary of a polygon; -1 if an edge of it lies on the fold."""
    ends, marks, section, _ = edges
    start, length = faces.lists[face, START], faces.lists[face, LENGTH]
    number = 0
    for at in range(start, start + length):
        edge = faces.pool[at]
        a, b = ends[edge, 0], ends[edge, 1]
        if marks[edge] == serial:
            if number < out.size:
                out[number] = section[edge]
            number += 1
            continue
        a_signed = _has(positive, a, word, mask) or _has(negative, a, word, mask)
        b_signed = _has(positive, b, word, mask) or _has(negative, b, word, mask)
        if a_signed and b_signed:
            continue
        if not a_signed and not b_signed:
            return -1
        on, off = (b, a) if a_signed else (a, b)
        if not _has(positive, off, word, mask):
            continue
        for other_at in range(start, start + length):  # a positive edge ends on the fold; does a negative one, too?
            other = faces.pool[other_at]
            there = ends[other, 0] if ends[other, 1] == on else ends[other, 1]
            if (ends[other, 0] == on or ends[other, 1] == on) and _has(negative, there, word, mask):
                if number < out.size:
                    out[number] = on
                number += 1
    return number


@njit(cache=True, nogil=True)
def _cut_polygons(
    cut: np.ndarray,
    found: int,
    serial: int,
    word: int,
    mask: np.uint64,
    vertices: Vertices,
    edges: Edges,
    faces: Faces,
    counts: np.ndarray,
    scratch: np.ndarray,
) -> int:
    """Cut polygons in two along a new edge each; -1, or a polygon that is not cut at two points."""
    ends, marks, _, edge_child = edges
    positive = vertices.positive
    lists, pool = faces.lists, faces.pool
    minus, plus, two = scratch[0], scratch[1], np.empty(2, np.int32)
    for i in range(found):
        face, child, section = cut[i], counts[0, 2] + i, counts[0, 1] + i
        if _ends_of_section(face, faces, edges, positive, vertices.negative, serial, word, mask, two) != 2:
            return face
        ends[section, 0], ends[section, 1] = two[0], two[1]
        below = above = 0
        start = lists[face, START]
        for at in range(start, start + lists[face, LENGTH]):
            edge = pool[at]
            if marks[edge] == serial:
                minus[below], plus[above] = edge, edge_child[edge]
                below += 1
                above += 1
            elif _has(positive, ends[edge, 0], word, mask) or _has(positive, ends[edge, 1], word, mask):
                plus[above] = edge
                above += 1
            else:
                minus[below] = edge
                below += 1
        minus[below], plus[above] = section, section
        counts[1, 2] = _store(lists, pool, counts[1, 2], face, minus, below + 1)
        counts[1, 2] = _store(lists, pool, counts[1, 2], child, plus, above + 1)
        faces.section[face], faces.child[face] = section, child
        for k in range(2):
            faces.cells[child, k], faces.labels[child, k] = faces.cells[face, k], faces.labels[face, k]
    counts[0, 1] += found
    counts[0, 2] += found
    for i in range(found):
        _unite_polygon(cut[i], faces, ends, positive, vertices.negative)
        _unite_polygon(faces.child[cut[i]], faces, ends, positive, vertices.negative)
    return -1


@njit(cache=True, nogil=True)
def _unite_polygon(face: int, faces: Faces, ends: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> None:
    """Signs of a polygon from those of its vertices."""
    start, length = faces.lists[face, START], faces.lists[face, LENGTH]
    for word in range(positive.shape[1]):
        plus, minus = np.uint64(0), np.uint64(0)
        for at in range(start, start + length):
            for k in range(2):
                vertex = ends[faces.pool[at], k]
                plus |= positive[vertex, word]
                minus |= negative[vertex, word]
        faces.positive[face, word], faces.negative[face, word] = plus, minus


@njit(cache=True, nogil=True)
def _unite_face(face: int, faces: Faces, facets: Faces) -> None:
    """Signs of a face from those of its facets."""
    start, length = faces.lists[face, START], faces.lists[face, LENGTH]
    for word in range(faces.positive.shape[1]):
        plus, minus = np.uint64(0), np.uint64(0)
        for at in range(start, start + length):
            plus |= facets.positive[faces.pool[at], word]
            minus |= facets.negative[faces.pool[at], word]
        faces.positive[face, word], faces.negative[face, word] = plus, minus


@njit(cache=True, nogil=True)
def _ridges_on_fold(
    face: int,
    faces: Faces,
    facets: Faces,
    dimension: int,
    ridges: Faces,
    ends: np.ndarray,
    vertices: Vertices,
    serial: int,
    word: int,
    mask: np.uint64,
    out: np.ndarray,
    number: int,
) -> int:
    """Append the ridges of a face that lie on the fold, between a positive and a negative facet."""
    first = number
    start, stop = faces.lists[face, START], faces.lists[face, START] + faces.lists[face, LENGTH]
    for at in range(start, stop):
        facet = faces.pool[at]
        if facets.marks[facet] == serial or not _has(facets.positive, facet, word, mask):
            continue
        for ridge_at in range(facets.lists[facet, START], facets.lists[facet, START] + facets.lists[facet, LENGTH]):
            ridge = facets.pool[ridge_at]
            if dimension == 3:
                a, b = ends[ridge, 0], ends[ridge, 1]
                signs = vertices.positive[a, word] | vertices.positive[b, word]
                signs |= vertices.negative[a, word] | vertices.negative[b, word]
            else:
                signs = ridges.positive[ridge, word] | ridges.negative[ridge, word]
            if signs & mask:
                continue
            for other_at in range(start, stop):
                other = faces.pool[other_at]
                if facets.marks[other] == serial or not _has(facets.negative, other, word, mask):
                    continue
                low = facets.lists[other, START]
                for k in range(low, low + facets.lists[other, LENGTH]):
                    if facets.pool[k] == ridge:
                        out[number] = ridge
                        number += 1
    for i in range(first, number):
        for j in range(first, i):
            if out[i] == out[j]:
                return -1
    return number


@njit(cache=True, nogil=True)
def _closed(face: int, faces: Faces, facets: Faces, dimension: int, ends: np.ndarray) -> bool:
    """Whether each ridge of a face is on two of its facets (for a polygon: each vertex on two edges)."""
    start, stop = faces.lists[face, START], faces.lists[face, START] + faces.lists[face, LENGTH]
    for at in range(start, stop):
        facet = faces.pool[at]
        count = 2 if dimension == 2 else facets.lists[facet, LENGTH]
        for i in range(count):
            ridge = ends[facet, i] if dimension == 2 else facets.pool[facets.lists[facet, START] + i]
            seen = 0
            for other_at in range(start, stop):
                other = faces.pool[other_at]
                if dimension == 2:
                    seen += (ends[other, 0] == ridge) + (ends[other, 1] == ridge)
                else:
                    low = facets.lists[other, START]
                    for k in range(low, low + facets.lists[other, LENGTH]):
                        seen += facets.pool[k] == ridge
            if seen != 2:
                return False
    return stop - start > dimension


@njit(cache=True, nogil=True)
def _cut_faces(
    cut: np.ndarray,
    found: int,
    dimension: int,
    serial: int,
    word: int,
    mask: np.uint64,
    on_fold: bool,
    vertices: Vertices,
    edges: Edges,
    ridges: Faces,
    facets: Faces,
    faces: Faces,
    counts: np.ndarray,
    scratch: np.ndarray,
) -> int:
    """Cut faces of three or more dimensions in two along a new face each; -1, or a face without a proper section."""
    minus, plus, between = scratch[0], scratch[1], scratch[2]
    ends = edges.ends
    for i in range(found):
        face, child, section = cut[i], counts[0, dimension] + i, counts[0, dimension - 1] + i
        below = above = inside = 0
        start = faces.lists[face, START]
        for at in range(start, start + faces.lists[face, LENGTH]):
            facet = faces.pool[at]
            if facets.marks[facet] == serial:
                minus[below], plus[above], between[inside] = facet, facets.child[facet], facets.section[facet]
                below += 1
                above += 1
                inside += 1
            elif _has(facets.positive, facet, word, mask):
                plus[above] = facet
                above += 1
            else:
                minus[below] = facet
                below += 1
        if on_fold:
            inside = _ridges_on_fold(
                face, faces, facets, dimension, ridges, ends, vertices, serial, word, mask, between, inside
            )
            if inside < 0:
                return face
        counts[1, dimension - 1] = _store(facets.lists, facets.pool, counts[1, dimension - 1], section, between, inside)
        if not _closed(section, facets, ridges, dimension - 1, ends):
            return face
        minus[below], plus[above] = section, section
        counts[1, dimension] = _store(faces.lists, faces.pool, counts[1, dimension], face, minus, below + 1)
        counts[1, dimension] = _store(faces.lists, faces.pool, counts[1, dimension], child, plus, above + 1)
        faces.section[face], faces.child[face] = section, child
        for k in range(2):
            faces.cells[child, k], faces.labels[child, k] = faces.cells[face, k], faces.labels[face, k]
        if dimension == 3:
            _unite_polygon(section, facets, ends, vertices.positive, vertices.negative)
        else:
            _unite_face(section, facets, ridges)
    counts[0, dimension - 1] += found
    counts[0, dimension] += found
    for i in range(found):
        _unite_face(cut[i], faces, facets)
        _unite_face(faces.child[cut[i]], faces, facets)
    return -1


@njit(cache=True, nogil=True)
def _move_to_children(
    cut: np.ndarray, found: int, cells: Faces, facets: Faces, node: int, unit: int, parents: np.ndarray
) -> None:
    """Tell the facets of the new cells whose they are now, and label the sections."""
    for i in range(found):
        cell = cut[i]
        child, section = cells.child[cell], cells.section[cell]
        parents[child] = parents[cell]
        start = cells.lists[child, START]
        for at in range(start, start + cells.lists[child, LENGTH]):
            facet = cells.pool[at]
            for k in range(2):
                if facets.cells[facet, k] == cell:
                    facets.cells[facet, k] = child
        facets.cells[section, 0], facets.cells[section, 1] = cell, child
        facets.labels[section, 0], facets.labels[section, 1] = node, unit


@njit(cache=True, nogil=True)
def _room(dimension: int, found: np.ndarray, longest: np.ndarray, counts: np.ndarray, capacity: np.ndarray) -> bool:
    """Whether the arrays have room for what a column makes."""
    enough = counts[0, 0] + found[1] <= capacity[0, 0] and counts[0, 1] + found[1] + found[2] <= capacity[0, 1]
    for k in range(2, dimension + 1):
        more = found[k] + (found[k + 1] if k < dimension else 0)
        enough = enough and counts[0, k] + more <= capacity[0, k]
        pool = 2 * (longest[k] + 3 * found[k]) + (longest[k + 1] + 3 * found[k + 1] if k < dimension else 0)
        enough = enough and counts[1, k] + pool <= capacity[1, k]
    return enough


@njit(cache=True, nogil=True)
def _untie(
    cut: np.ndarray,
    found: int,
    serial: int,
    word: int,
    mask: np.uint64,
    layer: Layer,
    column: int,
    vertices: Vertices,
    edges: Edges,
    polygons: Faces,
) -> int:
    """A vertex without a sign to which convexity gives one (and gets it here), or -1.

    Two vertices within their rounding errors of a fold may be the ends of one edge of a polygon that the fold crosses.
    The fold goes through one of them; the other, the farther one, is on a side.
    """
    ends, positive, negative = edges.ends, vertices.positive, vertices.negative
    level = column // layer.padded
    unit = column - level * layer.padded
    for i in range(found):
        face = cut[i]
        start = polygons.lists[face, START]
        for at in range(start, start + polygons.lists[face, LENGTH]):
            a, b = ends[polygons.pool[at], 0], ends[polygons.pool[at], 1]
            signs = positive[a, word] | negative[a, word] | positive[b, word] | negative[b, word]
            if signs & mask:
                continue
            at_a = vertices.values[a, unit] - layer.shifts[level, unit]
            at_b = vertices.values[b, unit] - layer.shifts[level, unit]
            vertex, value = (a, at_a) if abs(at_a) >= abs(at_b) else (b, at_b)
            if value >= 0.0:
                positive[vertex, word] |= mask
            else:
                negative[vertex, word] |= mask
            return vertex
    return -1


@njit(cache=True, nogil=True)
def unite_all(dimension: int, counts: np.ndarray, vertices: Vertices, edges: Edges, levels: tuple[Faces, ...]) -> None:
    """Signs of all faces from those of the vertices."""
    for face in range(counts[0, 2]):
        _unite_polygon(face, levels[0], edges.ends, vertices.positive, vertices.negative)
    for k in range(3, dimension + 1):
        for face in range(counts[0, k]):
            _unite_face(face, levels[k - 2], levels[k - 3])


@njit(cache=True, nogil=True)
def insert_columns(
    dimension: int,
    serial: int,
    layer: Layer,
    vertices: Vertices,
    edges: Edges,
    levels: tuple[Faces, ...],
    parents: np.ndarray,
    zeros: np.ndarray,
    counts: np.ndarray,
    capacity: np.ndarray,
    work: np.ndarray,
    scratch: np.ndarray,
    progress: np.ndarray,
) -> int:
    """Insert the columns of a layer from `progress[COLUMN]` on, as long as there is room.

    Args:
        dimension: Dimension d of the cells.
        serial: A number larger than all marks.
        layer: The folds.
        vertices: Vertices.
        edges: Edges.
        levels: Faces of dimension 2, ..., d.
        parents: For each cell, the cell that it was part of before the layer.
        zeros: [words] columns in which some vertex has no sign.
        counts: [2, d + 1] number of faces of each dimension, and length of their pools.
        capacity: The same for the arrays.
        work: [d + 1, N] room for the numbers of the faces that are cut.
        scratch: [3, N] room for the longest list.
        progress: The next column, and a face whose signs are tangled.

    Returns:
        DONE, NO_ROOM or TANGLED.
    """
    cells, polygons = levels[dimension - 2], levels[0]
    found, longest = np.zeros(dimension + 2, np.int64), np.zeros(dimension + 2, np.int64)
    for index in range(progress[COLUMN], layer.columns.size):
        column = layer.columns[index]
        word, mask = column >> 6, np.uint64(1) << np.uint64(column & 63)
        on_fold = (zeros[word] & mask) != np.uint64(0)
        while True:
            serial += 1
            found[dimension] = _cells_across(
                cells.positive, cells.negative, counts[0, dimension], word, mask, work[dimension]
            )
            for k in range(dimension - 1, 1, -1):
                upper, lower = levels[k - 1], levels[k - 2]
                found[k] = _facets_across(
                    work[k + 1],
                    found[k + 1],
                    upper.lists,
                    upper.pool,
                    lower.positive,
                    lower.negative,
                    lower.marks,
                    serial,
                    word,
                    mask,
                    work[k],
                )
            if (
                not on_fold
                or _untie(work[2], found[2], serial, word, mask, layer, column, vertices, edges, polygons) < 0
            ):
                break
            unite_all(dimension, counts, vertices, edges, levels)
        if not found[dimension]:
            continue
        found[1] = _edges_across(
            work[2],
            found[2],
            polygons.lists,
            polygons.pool,
            edges.ends,
            vertices.positive,
            vertices.negative,
            edges.marks,
            serial,
            word,
            mask,
            work[1],
        )
        for k in range(2, dimension + 1):
            longest[k] = 0
            for i in range(found[k]):
                longest[k] += levels[k - 2].lists[work[k, i], LENGTH]
        if not _room(dimension, found, longest, counts, capacity):
            progress[COLUMN] = index
            return NO_ROOM
        _cut_edges(work[1], found[1], column, layer, vertices, edges, counts[0, 0], counts[0, 1], zeros)
        counts[0, 0] += found[1]
        counts[0, 1] += found[1]
        tangled = _cut_polygons(work[2], found[2], serial, word, mask, vertices, edges, polygons, counts, scratch)
        for k in range(3, dimension + 1):
            if tangled >= 0:
                break
            tangled = _cut_faces(
                work[k],
                found[k],
                k,
                serial,
                word,
                mask,
                on_fold,
                vertices,
                edges,
                levels[max(0, k - 4)],
                levels[k - 3],
                levels[k - 2],
                counts,
                scratch,
            )
        if tangled >= 0:
            progress[COLUMN], progress[FACE] = index, tangled
            return TANGLED
        _move_to_children(
            work[dimension], found[dimension], cells, levels[dimension - 3], layer.node, layer.units[index], parents
        )
    progress[COLUMN] = layer.columns.size
    return DONE
