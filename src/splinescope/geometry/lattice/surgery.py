"""Surgery on a face lattice: insert the folds of one layer, one column after another.

A face that has vertices on both sides of a fold is cut in two. Faces are cut from edges upwards, since everything that
a face needs to know is what became of its facets:

        b---w---c        w   section of the edge (b, c): a new vertex
        | + /   |        e   section of the face: an edge from w to v
        |  e    |        -   keeps the number of the face that is cut
        a-v---- d        +   has a new number, the child

The boundary of a face's section is made of the sections of its facets, and of the ridges that lie on the fold
between a facet on one side and a facet on the other. A vertex on the fold has neither sign.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.lattice.edge_cuts import fill_vertices, place_vertices, split_edges
from splinescope.geometry.lattice.faces import (
    LENGTH,
    NEW,
    START,
    Edges,
    Faces,
    LatticeLayer,
    Vertices,
    has_sign,
    unite_face,
    unite_polygon,
)
from splinescope.geometry.lattice.polygon_cuts import cut_polygons, store_list
from splinescope.geometry.planar.crossings import cells_across, edges_across, facets_across

DONE, NO_ROOM, TANGLED, FULL, UNPLACED, DOUBTFUL = 0, 1, 2, 3, 4, 5
"""What `insert_columns` returns: all columns are in; the arrays have to grow first; signs contradict convexity; there
are more cells than allowed; new vertices have to be placed, or their doubtful signs to be decided, by somebody else."""
COLUMN, FACE, STAGE, SERIAL = 0, 1, 2, 3
"""Places in `progress`: the next column to insert, a face whose signs are tangled, what is done of the column, and the
mark of faces that it cuts."""
_FOUND, _PLACED, _FILLED = 0, 1, 2
"""Stages of a column: nothing is done; new vertices are placed; they have values and signs."""


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
        if facets.marks[facet] == serial or not has_sign(facets.positive, facet, word, mask):
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
                if facets.marks[other] == serial or not has_sign(facets.negative, other, word, mask):
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
def _closed_polygon(edges: np.ndarray, number: int, ends: np.ndarray) -> bool:
    """Whether each vertex of some edges is on two of them."""
    for i in range(number):
        for side in range(2):
            vertex, seen = ends[edges[i], side], 0
            for j in range(number):
                seen += (ends[edges[j], 0] == vertex) + (ends[edges[j], 1] == vertex)
            if seen != 2:
                return False
    return number > 2


@njit(cache=True, nogil=True)
def _closed_face(facets: np.ndarray, number: int, lists: np.ndarray, pool: np.ndarray) -> bool:
    """Whether each ridge of some facets is on two of them."""
    for i in range(number):
        for at in range(lists[facets[i], START], lists[facets[i], START] + lists[facets[i], LENGTH]):
            seen = 0
            for j in range(number):
                for k in range(lists[facets[j], START], lists[facets[j], START] + lists[facets[j], LENGTH]):
                    seen += pool[k] == pool[at]
            if seen != 2:
                return False
    return number > 3


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
    ends, positive, negative = edges.ends, vertices.positive, vertices.negative
    ridge_lists, ridge_pool, ridge_positive, ridge_negative = (
        ridges.lists,
        ridges.pool,
        ridges.positive,
        ridges.negative,
    )
    facet_lists, facet_pool, facet_positive, facet_negative, marks = facets[:5]
    facet_section, facet_child, facet_tags = facets.section, facets.child, facets.tags
    lists, pool, face_positive, face_negative, _, face_section, face_child, cells, labels, tags = faces
    minus, plus, between = scratch[0], scratch[1], scratch[2]
    used, facet_used = counts[1, dimension], counts[1, dimension - 1]
    for i in range(found):
        face, child, section = cut[i], counts[0, dimension] + i, counts[0, dimension - 1] + i
        below, above, inside = 0, 0, np.int64(0)
        for at in range(lists[face, START], lists[face, START] + lists[face, LENGTH]):
            facet = pool[at]
            if marks[facet] == serial:
                minus[below], plus[above], between[inside] = facet, facet_child[facet], facet_section[facet]
                below += 1
                above += 1
                inside += 1
            elif has_sign(facet_positive, facet, word, mask):
                plus[above] = facet
                above += 1
            else:
                minus[below] = facet
                below += 1
        if on_fold:
            inside = _ridges_on_fold(
                face, faces, facets, dimension, ridges, ends, vertices, serial, word, mask, between, inside
            )
        if dimension == 3:
            if inside < 0 or not _closed_polygon(between, inside, ends):
                return face
        elif inside < 0 or not _closed_face(between, inside, ridge_lists, ridge_pool):
            return face
        facet_used = store_list(facet_lists, facet_pool, facet_used, section, between, inside)
        minus[below], plus[above] = section, section
        used = store_list(lists, pool, used, face, minus, below + 1)
        used = store_list(lists, pool, used, child, plus, above + 1)
        face_section[face], face_child[face] = section, child
        tags[child] = facet_tags[section] = tags[face]
        for k in range(2):
            cells[child, k], labels[child, k] = cells[face, k], labels[face, k]
        new = (section, facet_lists, facet_pool, facet_positive, facet_negative)
        if dimension == 3:
            unite_polygon(*new, ends, positive, negative)
        else:
            unite_face(*new, ridge_positive, ridge_negative)
        unite_face(face, lists, pool, face_positive, face_negative, facet_positive, facet_negative)
        unite_face(child, lists, pool, face_positive, face_negative, facet_positive, facet_negative)
    counts[0, dimension - 1] += found
    counts[0, dimension] += found
    counts[1, dimension - 1], counts[1, dimension] = facet_used, used
    return -1


@njit(cache=True, nogil=True)
def _move_to_children(
    cut: np.ndarray, found: int, cells: Faces, facets: Faces, column: int, parents: np.ndarray
) -> None:
    """Tell the facets of the new cells whose they are now, and label the sections."""
    lists, pool, children, sections = cells.lists, cells.pool, cells.child, cells.section
    sides, labels = facets.cells, facets.labels
    for i in range(found):
        cell = cut[i]
        child, section = children[cell], sections[cell]
        parents[child] = parents[cell]
        for at in range(lists[child, START], lists[child, START] + lists[child, LENGTH]):
            facet = pool[at]
            for k in range(2):
                if sides[facet, k] == cell:
                    sides[facet, k] = child
        sides[section, 0], sides[section, 1] = cell, child
        labels[section, 0], labels[section, 1] = NEW, column


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
def _find_crossed(
    dimension: int,
    serial: int,
    word: int,
    mask: np.uint64,
    vertices: Vertices,
    edges: Edges,
    levels: tuple[Faces, ...],
    counts: np.ndarray,
    work: np.ndarray,
    found: np.ndarray,
    longest: np.ndarray,
) -> None:
    """Faces of all dimensions that a fold crosses, to `work`, and lengths of their lists."""
    cells, polygons = levels[dimension - 2], levels[0]
    found[dimension] = cells_across(cells.positive, cells.negative, counts[0, dimension], word, mask, work[dimension])
    for k in range(dimension - 1, 1, -1):
        upper, lower = levels[k - 1], levels[k - 2]
        found[k] = facets_across(
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
    found[1] = edges_across(
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


@njit(cache=True, nogil=True)
def _cut_all(
    dimension: int,
    serial: int,
    word: int,
    mask: np.uint64,
    on_fold: bool,
    vertices: Vertices,
    edges: Edges,
    levels: tuple[Faces, ...],
    counts: np.ndarray,
    work: np.ndarray,
    found: np.ndarray,
    scratch: np.ndarray,
) -> int:
    """Cut polygons, and then faces of ever higher dimension; -1, or a face whose signs are tangled."""
    tangled = cut_polygons(work[2], found[2], serial, word, mask, vertices, edges, levels[0], counts, scratch)
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
    return tangled


@njit(cache=True, nogil=True)
def insert_columns(
    dimension: int,
    layer: LatticeLayer,
    vertices: Vertices,
    edges: Edges,
    levels: tuple[Faces, ...],
    parents: np.ndarray,
    zeros: np.ndarray,
    counts: np.ndarray,
    capacity: np.ndarray,
    work: np.ndarray,
    found: np.ndarray,
    scratch: np.ndarray,
    progress: np.ndarray,
    limit: int,
) -> int:
    """Insert the columns of a layer from where `progress` says, as long as there is room and nothing to decide.

    Args:
        dimension: Dimension d of the cells.
        layer: The folds.
        vertices: Vertices.
        edges: Edges.
        levels: Faces of dimension 2, ..., d.
        parents: For each cell, the cell that it was part of before the layer.
        zeros: [words] columns in which some vertex has no sign.
        counts: [2, d + 1] number of faces of each dimension, and length of their pools.
        capacity: The same for the arrays.
        work: [d + 1, N] the numbers of the faces that are cut.
        found: [d + 2] how many there are.
        scratch: [3, N] room for the longest list.
        progress: See `COLUMN`, `FACE`, `STAGE` and `SERIAL`.
        limit: Number of cells from which no more columns are inserted.

    Returns:
        DONE, NO_ROOM, TANGLED, FULL, UNPLACED or DOUBTFUL. In the last two cases new vertices are the last
        `found[1]` ones.
    """
    longest = np.zeros(dimension + 2, np.int64)
    for index in range(progress[COLUMN], layer.columns.size):
        progress[COLUMN] = index
        column = layer.columns[index]
        word, mask = column >> 6, np.uint64(1) << np.uint64(column & 63)
        if progress[STAGE] == _FOUND:
            if counts[0, dimension] >= limit:
                return FULL
            progress[SERIAL] += 1
            serial = progress[SERIAL]
            _find_crossed(dimension, serial, word, mask, vertices, edges, levels, counts, work, found, longest)
            if not found[dimension]:
                continue
            if not _room(dimension, found, longest, counts, capacity):
                return NO_ROOM
            first, first_edge = counts[0, 0], counts[0, 1]
            unknown = place_vertices(work[1], found[1], column, layer, vertices, edges, first)
            split_edges(work[1], found[1], vertices, edges, first, first_edge)
            counts[0, 0] += found[1]
            counts[0, 1] += found[1]
            progress[STAGE] = _PLACED
            if unknown:
                return UNPLACED
        if progress[STAGE] == _PLACED:
            progress[STAGE] = _FILLED
            if fill_vertices(found[1], column, layer, vertices, counts[0, 0] - found[1], zeros):
                return DOUBTFUL
        on_fold = (zeros[word] & mask) != np.uint64(0)
        serial = progress[SERIAL]
        tangled = _cut_all(
            dimension, serial, word, mask, on_fold, vertices, edges, levels, counts, work, found, scratch
        )
        if tangled >= 0:
            progress[FACE] = tangled
            return TANGLED
        _move_to_children(work[dimension], found[dimension], levels[-1], levels[-2], column, parents)
        progress[STAGE] = _FOUND
    progress[COLUMN] = layer.columns.size
    return DONE
