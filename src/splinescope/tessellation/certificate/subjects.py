"""Complexes of every kind as subjects of a certificate."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from splinescope.tessellation.certificate.places import DomainPlace, SegmentsPlace, SlicesPlace
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.subject import RESOLUTION, CornerFacets, Corners, Subject, pair_pieces
from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.planar.batch import PlanarBatch, batch_of_one
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.spatial.complex import SpatialComplex


def subject_of(cells: VertexComplex, vertices: bool) -> Subject:
    """A complex as a subject.

    Args:
        cells: The complex.
        vertices: Whether its vertices will be looked at.

    Returns:
        The subject.

    Raises:
        CertificateError: If corners, facets and sides of the domain don't fit together.
    """
    if isinstance(cells, SegmentComplex):
        return batch_subject(cells.batch, vertices)
    plain = Subject(
        network=cells.network,
        place=DomainPlace(cells.domain),
        vertices=cells.vertices,
        vertex_outputs=cells.vertex_outputs,
        points=cells.interior_points,
        outputs=cells.interior_outputs(),
        measures=cells.measures,
        cell_vertices=cells.cell_vertices,
        cell_offsets=cells.cell_offsets,
        codes=cells.codes,
    )
    if not vertices:
        return plain
    if isinstance(cells, PlanarComplex):
        facets, corners = _planar(plain, batch_of_one(cells))
    else:
        assert isinstance(cells, SpatialComplex)
        facets, corners = _spatial(plain, cells)
    return _with(plain, facets, corners)


def _with(subject: Subject, facets: CornerFacets, corners: Corners) -> Subject:
    known = {name: getattr(subject, name) for name in subject.__dataclass_fields__}
    return Subject(**{**known, "facets": facets, "corners": corners})


def batch_subject(batch: SegmentBatch, vertices: bool) -> Subject:
    """The cells of many segments as a subject."""
    starts, segments = batch.cell_starts, batch.cell_segments
    middles = 0.5 * (batch.t[starts] + batch.t[starts + 1])
    subject = Subject(
        network=batch.network,
        place=SegmentsPlace(batch.domain),
        vertices=np.column_stack([batch.vertex_segments, batch.t]),
        vertex_outputs=batch.vertex_outputs,
        points=np.column_stack([segments, middles]),
        outputs=0.5 * (batch.vertex_outputs[starts] + batch.vertex_outputs[starts + 1]),
        measures=batch.measures,
        cell_vertices=np.column_stack([starts, starts + 1]).ravel(),
        cell_offsets=np.arange(0, 2 * len(starts) + 1, 2),
        codes=batch.codes,
        first=1,
    )
    if not vertices:
        return subject
    flips = np.diff(batch.flip_offsets)
    first = np.minimum(batch.flip_offsets[:-1], max(0, len(batch.flip_op) - 1))
    inside = flips > 0
    after = np.cumsum(np.bincount(starts, minlength=len(batch.t))) - 1  # cell that starts at each vertex or before
    op = np.full(len(batch.t), -1)
    unit = op.copy()
    op[inside], unit[inside] = batch.flip_op[first[inside]], batch.flip_unit[first[inside]]
    beside = np.column_stack([after - 1, after])
    beside[~inside, 0] = -1
    last = batch.offsets[1:] - 1
    beside[last, 1] = -1
    beside[last, 0] = after[last]
    side = np.where(inside, -1, 0)
    side[last] = 1
    corners = len(subject.cell_vertices)
    facets = CornerFacets(beside, op, unit, side, np.arange(corners + 1), subject.cell_vertices)
    return _with(subject, facets, Corners(np.zeros(corners, bool), np.ones(corners)))


def sides_of(
    domain: Domain, points: np.ndarray, offsets: np.ndarray, items: np.ndarray, cells: np.ndarray
) -> np.ndarray:
    """Side of the domain on which each facet of its boundary lies, with all of its vertices.

    Args:
        domain: The domain.
        points: [V, d] vertices.
        offsets: [m + 1] start of each facet in `items`.
        items: Vertices of the facets.
        cells: [m] cell of each facet, for the error.

    Returns:
        [m] numbers of half-spaces; -1 where coordinates don't tell which of several it is.

    Raises:
        CertificateError: If a facet without a neighbour lies on no side.
    """
    if not len(cells):
        return np.empty(0, np.int64)
    rows = np.asarray(domain.halfspaces)
    size = np.abs(np.asarray(domain.corners)).max(axis=0)
    allowed = 4 * RESOLUTION * (np.abs(rows[:, :-1]) @ size + np.abs(rows[:, -1]))
    distance = np.abs(points[items] @ rows[:, :-1].T + rows[:, -1]) / np.maximum(allowed, np.finfo(float).tiny)
    worst = np.maximum.reduceat(distance, offsets[:-1], axis=0)
    if (worst.min(axis=1) > 1).any():
        fail(
            "boundary", np.unique(cells[worst.min(axis=1) > 1]), "a facet without neighbour is on no side of the domain"
        )
    several = (worst <= 1).sum(axis=1) > 1  # at a corner of the domain, shorter than coordinates resolve
    return np.where(several, -1, worst.argmin(axis=1))


def slices_subject(batch: PlanarBatch, vertices: bool) -> Subject:
    """The cells of several slices as a subject."""
    subject = Subject(
        network=batch.network,
        place=SlicesPlace(batch.slices),
        vertices=np.column_stack([batch.of_vertex, batch.vertices]),
        vertex_outputs=batch.vertex_outputs,
        points=np.column_stack([batch.of_cell, batch.interior_points]),
        outputs=batch.interior_outputs(),
        measures=batch.measures,
        cell_vertices=batch.cell_vertices,
        cell_offsets=batch.cell_offsets,
        codes=batch.codes,
        first=1,
        scale=float(batch.output_sizes[batch.of_one_size].min()),
    )
    return _with(subject, *_planar(subject, batch)) if vertices else subject


def _planar(subject: Subject, cells: PlanarBatch) -> tuple[CornerFacets, Corners]:
    """Each corner of a polygon has the edge before it and the one after it."""
    owner, starts = subject.owner, subject.cell_offsets
    rows = np.arange(len(owner))
    following = rows + 1
    following[starts[1:] - 1] = starts[:-1]
    previous = np.empty_like(rows)
    previous[following] = rows
    after = _edges_after(cells, owner)
    # Of a truncated complex, facets without neighbour that a fold made are where the work ended.
    outside = (cells.edge_cells < 0).any(axis=1) & (cells.edge_op < 0)
    side = np.full(len(cells.edges), -1)
    for number, domain in enumerate(cells.slices.domains):
        mine = cells.edge_starts[number] + np.flatnonzero(outside[slice(*cells.edge_starts[number : number + 2])])
        ends = cells.edges[mine]
        offsets = np.arange(0, 2 * len(ends) + 1, 2)
        side[mine] = sides_of(domain, cells.vertices, offsets, ends.ravel(), cells.edge_cells[mine].max(axis=1))
    before = after[previous]
    items = np.column_stack([before, after]).ravel()
    facets = CornerFacets(
        cells.edge_cells, cells.edge_op, cells.edge_unit, side, np.arange(0, 2 * len(rows) + 1, 2), items
    )
    same = (cells.edge_op[before] == cells.edge_op[after]) & (cells.edge_unit[before] == cells.edge_unit[after])
    same &= _same_rivals(subject, cells, before, after, same)
    straight = same & (side[before] == side[after]) & ((cells.edge_op[before] >= 0) | (side[before] >= 0))
    scale = subject.scale_of(owner)
    steps = (cells.vertices[cells.cell_vertices[following]] - cells.vertices[cells.cell_vertices]) / scale
    length = np.hypot(steps[:, 0], steps[:, 1])
    with np.errstate(all="ignore"):  # lengths may be zero, or so small that their inverses overflow
        unit = steps / length[:, None]
        sine = unit[previous, 0] * unit[:, 1] - unit[previous, 1] * unit[:, 0]
        sure = np.abs(sine) - 2 * RESOLUTION * (1 / length + 1 / length[previous])
        gain = np.where(sure > 0, 2.0 / sure, np.inf)
    return facets, Corners(straight, gain)


def _same_rivals(
    subject: Subject, cells: PlanarBatch, before: np.ndarray, after: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """[R] whether, of edges that a maximum made, one member leads beyond both: three members meet in a corner."""
    out = np.ones(len(asked), bool)
    for node, op in subject.network.folds.items():
        mine = np.flatnonzero(asked & (cells.edge_op[before] == node) & (not op.elementwise))
        rivals = np.full((2, len(mine)), -1)
        for rival, edge in zip(rivals, (before[mine], after[mine]), strict=True):
            beyond = cells.edge_cells[edge].sum(axis=1) - subject.owner[mine]
            there = np.flatnonzero(beyond >= 0)
            rival[there] = pair_pieces(subject, node, beyond[there], cells.edge_unit[edge[there]])
        out[mine] = rivals[0] == rivals[1]
    return out


def _edges_after(cells: PlanarBatch, owner: np.ndarray) -> np.ndarray:
    """[R] the edge of its cell that starts at each corner."""
    count = len(cells.vertices)
    number = np.arange(len(cells.edges))
    keys, edges = [], []
    for beside, tail in ((0, 0), (1, 1)):
        there = cells.edge_cells[:, beside] >= 0
        keys.append(cells.edge_cells[there, beside].astype(np.int64) * count + cells.edges[there, tail])
        edges.append(number[there])
    key, edge = np.concatenate(keys), np.concatenate(edges)
    order = np.argsort(key, kind="stable")
    key, edge = key[order], edge[order]
    wanted = owner.astype(np.int64) * count + cells.cell_vertices
    place = np.minimum(np.searchsorted(key, wanted), max(0, len(key) - 1))
    wrong = np.unique(owner[key[place] != wanted])
    if len(wrong) or len(key) != len(wanted):
        fail("facets", wrong, "the edges of these cells are not those between their corners")
    return np.asarray(edge[place])


def _spatial(subject: Subject, cells: SpatialComplex) -> tuple[CornerFacets, Corners]:
    """Each corner of a polytope has those facets of its cell that hold the vertex."""
    d, count = cells.dimension, len(cells.vertices)
    lists = [
        csr_array(
            (np.ones(2 * len(cells.edges), np.int32), cells.edges.ravel(), np.arange(0, 2 * len(cells.edges) + 1, 2)),
            shape=(len(cells.edges), count),
        )
    ]
    for k in range(2, d):
        offsets, items = cells.faces[k]
        ones = csr_array((np.ones(len(items), np.int32), items, offsets), shape=(len(offsets) - 1, lists[-1].shape[0]))
        lists.append(csr_array(ones @ lists[-1]))
    on_facet = lists[-1]
    on_facet.sort_indices()
    offsets, items = cells.faces[d]
    cell = np.repeat(np.arange(len(cells)), np.diff(offsets))
    sizes = np.diff(on_facet.indptr)[items]
    first = on_facet.indptr[:-1][items]
    inner = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    vertex = on_facet.indices[np.repeat(first, sizes) + inner]
    key = np.repeat(cell, sizes).astype(np.int64) * count + vertex
    corner_key = subject.owner.astype(np.int64) * count + cells.cell_vertices
    ranks = np.argsort(corner_key, kind="stable")
    place = np.minimum(np.searchsorted(corner_key[ranks], key), len(ranks) - 1)
    corner = ranks[place]
    if (corner_key[corner] != key).any():
        fail(
            "facets",
            np.unique(np.repeat(cell, sizes)[corner_key[corner] != key]),
            "a facet has a vertex that its cell has not",
        )
    order = np.argsort(corner, kind="stable")
    facet = np.repeat(items, sizes)[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(corner, minlength=len(corner_key)))])
    side = _spatial_sides(cells, on_facet)
    facets = CornerFacets(cells.facet_cells, cells.facet_op, cells.facet_unit, side, starts, facet)
    normals, doubt = _normals(cells.vertices / subject.scale_of(0), on_facet)
    return facets, Corners(np.diff(starts) < d, _gains(facets, normals, doubt, d))


def _spatial_sides(cells: SpatialComplex, on_facet: csr_array) -> np.ndarray:
    outside = np.flatnonzero((cells.facet_cells < 0).any(axis=1) & (cells.facet_op < 0))
    chosen = on_facet[outside]
    side = np.full(len(cells.facet_op), -1)
    owner = cells.facet_cells[outside].max(axis=1)
    side[outside] = sides_of(cells.domain, cells.vertices, chosen.indptr, chosen.indices, owner)
    return side


def _normals(points: np.ndarray, on_facet: csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals of facets, and how far roundings of their vertices may turn them."""
    d, sizes = points.shape[1], np.diff(on_facet.indptr)
    normals, doubt = np.zeros((len(sizes), d)), np.full(len(sizes), np.inf)
    for size in np.unique(sizes[sizes >= d]):
        chosen = np.flatnonzero(sizes == size)
        corners = points[on_facet.indices[on_facet.indptr[chosen][:, None] + np.arange(size)]]
        _, spread, axes = np.linalg.svd(corners - corners.mean(axis=1, keepdims=True), full_matrices=True)
        normals[chosen] = axes[:, -1]
        with np.errstate(divide="ignore"):
            doubt[chosen] = 2 * RESOLUTION * np.sqrt(size) / spread[:, d - 2]
    return normals, doubt


def _gains(facets: CornerFacets, normals: np.ndarray, doubt: np.ndarray, d: int) -> np.ndarray:
    """Largest shift of a corner for shifts of its facets of at most one: over the least singular value of normals."""
    sizes = np.diff(facets.offsets)
    gain = np.full(len(sizes), np.inf)
    for size in np.unique(sizes[sizes >= d]):
        chosen = np.flatnonzero(sizes == size)
        around = facets.items[facets.offsets[:-1][chosen][:, None] + np.arange(size)]
        least = np.linalg.svd(normals[around], compute_uv=False)[:, d - 1]
        sure = least - np.sqrt(size) * doubt[around].max(axis=1)
        gain[chosen] = np.where(sure > 0, np.sqrt(size) / np.where(sure > 0, sure, 1.0), np.inf)
    return gain
