"""The surface between classes of cells: facets with different classes on their two sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splinescope.errors import CertificateError
from splinescope.geometry.lattice.polytopes import taken_lists
from splinescope.geometry.surface.collapse import fans
from splinescope.geometry.surface.sections import Section, consistent, facing
from splinescope.network.graph import Network
from splinescope.tessellation.affine import branch_maps
from splinescope.tessellation.certificate.contests import checked_winners, off_contest
from splinescope.tessellation.spatial import SpatialComplex
from splinescope.tessellation.surface.cells import FoundCells
from splinescope.tessellation.surface.counts import check_twins
from splinescope.tessellation.surface.mesh import SurfaceCertificate, SurfaceMesh


def between_classes(
    found: FoundCells, network: Network, winners: np.ndarray, labels: np.ndarray, check: bool
) -> SurfaceMesh:
    """The facets between cells of different classes, as a mesh.

    Args:
        found: Cells of the network followed by the maximum of the competing outputs.
        network: The network itself.
        winners: [F] class of each cell.
        labels: The classes that compete.
        check: Whether to compare outputs, in cells and at vertices and centres of the surface, by forward passes.

    Returns:
        The surface; polygons face the class with the larger number.

    Raises:
        CertificateError: If a check fails.
    """
    cells = found.cells
    own = _without_winner(cells, network)
    beside = cells.facet_cells
    facets = np.flatnonzero((beside >= 0).all(axis=1) & (winners[beside[:, 0]] != winners[beside[:, 1]]))
    pairs = beside[facets]
    swap = winners[pairs[:, 0]] > winners[pairs[:, 1]]
    pairs[swap] = pairs[swap][:, ::-1]
    section = _section(cells, facets, pairs, winners[pairs])
    towards = cells.interior_points[pairs[:, 1]] - cells.interior_points[pairs[:, 0]]
    section = facing(section, cells.vertices[section.below], towards)
    corners = fans(section.following, section.twins)
    _, first = np.unique(corners, return_index=True)
    sources = section.below[first]
    surface = SurfaceMesh(
        domain=cells.domain,
        vertices=cells.vertices[sources],
        offsets=section.offsets,
        corners=corners,
        twins=section.twins,
        normals=_normals(own, pairs[:, 1], winners[pairs]),
        cells=pairs[:, 1],
        patterns=own.patterns_of(pairs[:, 1]),
        sources=np.column_stack([sources, sources]),
        classes=winners[pairs],
        truncated=found.truncated,
    )
    holes = _holes(cells, section.below, section.below[section.following])
    check_twins(surface.offsets, surface.sources[surface.corners, 0], surface.twins, surface.cells)
    if holes and not found.truncated:
        raise CertificateError(f"certificate check `holes` failed: the surface ends inside the domain at {holes} edges")
    _check_count(cells, winners, len(surface))
    undecided = checked_winners(own, winners, labels) if check else 0
    level = cells.certificate.level if cells.certificate else "none"
    certificate = SurfaceCertificate("topology", level, holes, undecided=undecided)
    if check and len(surface):
        certificate = _checked(surface, own, labels, certificate)
    return replace(surface, certificate=certificate)


def _check_count(cells: SpatialComplex, winners: np.ndarray, polygons: int) -> None:
    """There is a polygon wherever the class changes."""
    beside = cells.facet_cells[(cells.facet_cells >= 0).all(axis=1)]
    expected = int(np.count_nonzero(winners[beside[:, 0]] != winners[beside[:, 1]]))
    if polygons != expected:
        raise CertificateError(
            f"certificate check `polygons` failed: {polygons} polygons, but the class changes at {expected} faces"
        )


def _section(cells: SpatialComplex, facets: np.ndarray, pairs: np.ndarray, classes: np.ndarray) -> Section:
    """The facets as polygons, joined along edges where just two of the same classes meet."""
    loops = cells.face_loops()
    offsets, start = taken_lists(loops.offsets, loops.items.astype(np.int64), facets)
    owners = np.repeat(facets, np.diff(offsets))
    section = Section(offsets, pairs[:, 1], start, start, owners, np.full(len(start), -1, np.int64))
    end = start[section.following]
    kind = (classes[:, 0] * (classes.max(initial=0) + 1) + classes[:, 1])[section.polygons]
    order = np.lexsort((np.maximum(start, end), np.minimum(start, end), kind))
    keys = np.column_stack([kind, np.minimum(start, end), np.maximum(start, end)])[order]
    same = np.append((keys[1:] == keys[:-1]).all(axis=1), False) if len(keys) else np.zeros(0, bool)
    alone = ~np.concatenate([[False], same[:-1]]) & ~np.append(same[1:], False) if len(keys) else same
    first = np.flatnonzero(same & alone)
    twins = section.twins
    twins[order[first]], twins[order[first + 1]] = order[first + 1], order[first]
    return consistent(section, (start > end).astype(np.int64))


def _without_winner(cells: SpatialComplex, network: Network) -> SpatialComplex:
    """The same cells as those of the network itself, its outputs in place of their maximum."""
    outputs = network(cells.domain.embed(cells.vertices)).reshape(len(cells.vertices), -1)
    return replace(cells, network=network, codes=cells.codes[:-1], vertex_outputs=outputs)


def _normals(cells: SpatialComplex, which: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Unit gradients of the difference of the two outputs."""
    if not len(which):
        return np.zeros((0, 3))
    distinct, inverse = np.unique(which, return_inverse=True)
    slopes = branch_maps(cells, "domain", distinct).A[inverse]
    rows = np.arange(len(which))
    gradients = slopes[rows, classes[:, 1]] - slopes[rows, classes[:, 0]]
    length = np.linalg.norm(gradients, axis=1, keepdims=True)
    return np.divide(gradients, length, out=np.zeros_like(gradients), where=length > 0)


def _holes(cells: SpatialComplex, start: np.ndarray, end: np.ndarray) -> int:
    """Edges inside the domain with a single polygon: around an edge, the class cannot change just once."""
    loops = cells.face_loops()
    outside = np.repeat(cells.facet_op < 0, np.diff(loops.offsets))
    following = np.arange(1, len(loops.items) + 1)
    following[loops.offsets[1:] - 1] = loops.offsets[:-1]
    number = np.int64(len(cells.vertices))

    def key(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.minimum(a, b).astype(np.int64) * number + np.maximum(a, b)

    border = key(loops.items[outside], loops.items[following[outside]])
    edges, counts = np.unique(key(start, end), return_counts=True)
    return int(np.count_nonzero((counts == 1) & ~np.isin(edges, border)))


def _checked(
    surface: SurfaceMesh, cells: SpatialComplex, labels: np.ndarray, certificate: SurfaceCertificate
) -> SurfaceCertificate:
    """At all corners and centres the two classes are equal and no other is larger, by a forward pass."""
    assert surface.classes is not None
    sides, polygons = np.repeat(surface.classes, np.diff(surface.offsets), axis=0), np.arange(len(surface))
    at_corners, corners_allowed = off_contest(cells, surface.vertices, surface.corners, sides, labels)
    at_centres, centres_allowed = off_contest(cells, surface.centres, polygons, surface.classes, labels)
    wrong = ~(at_centres <= centres_allowed)
    wrong |= np.maximum.reduceat(~(at_corners <= corners_allowed), surface.offsets[:-1])
    if wrong.any():
        raise CertificateError(
            f"classes differ by up to {max(at_corners.max(), at_centres.max()):.1e} on the surface between them",
            cells=np.unique(surface.cells[wrong]),
        )
    return replace(
        certificate,
        level="topology" if certificate.undecided else "values",
        value_error=float(at_corners.max()),
        centre_error=float(at_centres.max()),
        value_tolerance=float(max(corners_allowed.max(), centres_allowed.max())),
    )
