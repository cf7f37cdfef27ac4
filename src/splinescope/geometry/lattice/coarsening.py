"""Coarser face lattices: cells that belong together become one, and faces that no longer bound anything disappear.

Which faces are left is decided by what contains them. The key of a face is the set of facets of the coarse complex that
contain it. A face that is contained in one of higher dimension with the same key lies inside that face; faces of one
dimension with the same key that meet in such faces are parts of one face. Keys are compared by sums of random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from splinescope.geometry.lattice.arrays import FaceLattice, edges_of, faces_of


@dataclass(frozen=True)
class Coarsened:
    """A coarser lattice and where it comes from.

    Attributes:
        lattice: The lattice.
        vertices: [V'] old number of each vertex.
        cells: [F'] an old cell of each new cell.
    """

    lattice: FaceLattice
    vertices: np.ndarray
    cells: np.ndarray


def coarsened(lattice: FaceLattice, group: np.ndarray) -> Coarsened:
    """Merge the cells of each group, whose union must be convex.

    Args:
        lattice: The lattice.
        group: [F] group of each cell, numbered from 0.

    Returns:
        The lattice of the groups. Signs of its faces are not set.
    """
    d, groups = lattice.dimension, int(group.max()) + 1
    count = lattice.counts[0]
    between = _classes_of_facets(lattice, group)
    incidence = {k: _incidence(lattice, k) for k in range(1, d + 1)}
    numbers = {d: group, d - 1: between}
    keys = _keys(incidence, between, d)
    for k in range(d - 2, 0, -1):
        numbers[k] = _joined(incidence[k], keys[k], keys[k - 1], _inside(incidence[k + 1], keys[k + 1], keys[k]))
    inside = _inside(incidence[1], keys[1], keys[0])
    vertices = np.flatnonzero(~inside)
    numbers[0] = np.where(inside, -1, np.cumsum(~inside) - 1)
    levels, new_counts = [], np.zeros_like(lattice.counts)
    new_counts[0] = [len(vertices), *(int(numbers[k].max(initial=-1)) + 1 for k in range(1, d + 1))]
    for k in range(2, d + 1):
        faces = faces_of(*_lists(incidence[k], numbers[k], numbers[k - 1], int(new_counts[0, k])))
        if k == d - 1:
            first = _first(between, int(new_counts[0, k]))
            old = lattice.facets.cells[: count[k]][first]
            faces.cells[:] = np.where(old >= 0, group[old], -1)
            faces.labels[:] = lattice.facets.labels[: count[k]][first]
        new_counts[1, k] = len(faces.pool)
        levels.append(faces)
    offsets, ends = _lists(incidence[1], numbers[1], numbers[0], int(new_counts[0, 1]))
    assert (np.diff(offsets) == 2).all(), "an edge has two ends"
    new = FaceLattice(
        d,
        lattice.points[vertices],
        lattice.uncertainty[vertices],
        np.zeros(len(vertices), np.uint64),
        edges_of(ends.reshape(-1, 2)),
        tuple(levels),
        new_counts,
        lattice.serial,
    )
    return Coarsened(new, vertices, _first(group, groups))


def _classes_of_facets(lattice: FaceLattice, group: np.ndarray) -> np.ndarray:
    """[M] number of the coarse facet that each facet is part of, -1 inside a group.

    Between two groups there is one facet. On the outside, facets of one group with one label are one facet.
    """
    count = int(lattice.counts[0, lattice.dimension - 1])
    cells, labels = lattice.facets.cells[:count], lattice.facets.labels[:count]
    sides = np.sort(np.where(cells >= 0, group[cells], -1), axis=1)
    outside = sides[:, 0] < 0
    named = np.column_stack([sides, np.where(outside[:, None], labels, -2)])
    hidden = sides[:, 0] == sides[:, 1]
    classes = np.full(count, -1, np.int64)
    _, classes[~hidden] = np.unique(named[~hidden], axis=0, return_inverse=True)
    return classes


def _incidence(lattice: FaceLattice, k: int) -> csr_array:
    """[faces of dimension k, their facets] of ones."""
    shape = (int(lattice.counts[0, k]), int(lattice.counts[0, k - 1]))
    if k == 1:
        items = lattice.edges.ends[: shape[0]].ravel()
        offsets = 2 * np.arange(shape[0] + 1)
    else:
        offsets, items = lattice.list_of(k)
    return csr_array((np.ones(len(items), np.uint64), items, offsets), shape=shape)


def _keys(incidence: dict[int, csr_array], between: np.ndarray, d: int) -> dict[int, np.ndarray]:
    """For each dimension a number for each face: the sum of random numbers of the coarse facets that contain it."""
    random = np.random.default_rng(0).integers(1, 2**63, between.max(initial=-1) + 1, dtype=np.uint64)
    kept = np.flatnonzero(between >= 0)
    shape = (len(between), len(random))
    containing = csr_array((np.ones(len(kept), np.uint64), (kept, between[kept])), shape=shape)
    keys = {d - 1: containing @ random}
    for k in range(d - 2, -1, -1):
        containing = csr_array(incidence[k + 1].T) @ containing
        containing.data[:] = 1
        keys[k] = containing @ random
    return keys


def _pairs(incidence: csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Faces and their facets, as two columns."""
    return np.repeat(np.arange(incidence.shape[0]), np.diff(incidence.indptr)), incidence.indices


def _inside(incidence: csr_array, keys: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Which of the lower faces lie inside a face of one dimension more, or bound nothing any more."""
    face, facet = _pairs(incidence)
    inside = lower == 0
    inside[facet[keys[face] == lower[facet]]] = True
    return inside


def _joined(incidence: csr_array, keys: np.ndarray, lower: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Numbers of the coarse faces that faces are parts of, -1 for those inside other faces."""
    face, facet = _pairs(incidence)
    through = (keys[face] == lower[facet]) & ~inside[face]
    size = sum(incidence.shape)
    links = (np.ones(int(through.sum())), (face[through], len(keys) + facet[through]))
    _, parts = connected_components(csr_array(links, shape=(size, size)), directed=False)
    numbers = np.full(len(keys), -1, np.int64)
    _, numbers[~inside] = np.unique(parts[: len(keys)][~inside], return_inverse=True)
    return numbers


def _lists(incidence: csr_array, numbers: np.ndarray, lower: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and items of the facets of the coarse faces."""
    face, facet = _pairs(incidence)
    there = (numbers[face] >= 0) & (lower[facet] >= 0)
    pairs = np.unique(np.column_stack([numbers[face[there]], lower[facet[there]]]), axis=0)
    offsets = np.searchsorted(pairs[:, 0], np.arange(count + 1))
    return offsets, pairs[:, 1].astype(np.int32)


def _first(numbers: np.ndarray, count: int) -> np.ndarray:
    """For each number from 0 the first place that has it."""
    first = np.zeros(count, np.int64)
    there = np.flatnonzero(numbers >= 0)[::-1]
    first[numbers[there]] = there
    return first
