"""The surface between classes of cells: facets with different classes on their two sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splinescope.errors import CertificateError
from splinescope.geometry.surface.collapse import fans
from splinescope.geometry.surface.sections import Section, consistent, facing
from splinescope.network.graph import Network
from splinescope.tessellation.affine import branch_maps
from splinescope.tessellation.spatial import SpatialComplex
from splinescope.tessellation.surface.counts import check_twins
from splinescope.tessellation.surface.mesh import SurfaceCertificate, SurfaceMesh


def between_classes(
    cells: SpatialComplex, network: Network, winners: np.ndarray, labels: np.ndarray, margin: float, check: bool
) -> SurfaceMesh:
    """The facets between cells of different classes, as a mesh.

    Args:
        cells: Cells of the network followed by the maximum of the competing outputs.
        network: The network itself.
        winners: [F] class of each cell.
        labels: The classes that compete.
        margin: Difference of outputs that rounding may make.
        check: Whether to compare the outputs at vertices and centres by a forward pass.

    Returns:
        The surface; polygons face the class with the larger number.

    Raises:
        CertificateError: If a check fails.
    """
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
        normals=_normals(cells, network, pairs[:, 1], winners[pairs]),
        cells=pairs[:, 1],
        patterns=_without_winner(cells, network).patterns_of(pairs[:, 1]),
        sources=np.column_stack([sources, sources]),
        classes=winners[pairs],
    )
    holes = _holes(cells, section.below, section.below[section.following])
    check_twins(surface.offsets, surface.sources[surface.corners, 0], surface.twins, surface.cells)
    if holes and not cells.truncated:
        raise CertificateError(f"certificate check `holes` failed: the surface ends inside the domain at {holes} edges")
    _check_winners(cells, network, winners, labels, margin, len(surface))
    certificate = SurfaceCertificate("topology", cells.certificate.level if cells.certificate else "none", holes)
    if check and len(surface):
        certificate = _checked(surface, cells, network, labels, margin, certificate)
    return replace(surface, certificate=certificate)


def _check_winners(
    cells: SpatialComplex, network: Network, winners: np.ndarray, labels: np.ndarray, margin: float, polygons: int
) -> None:
    """Classes of cells are those of forward passes inside of them, and there is a polygon wherever they change."""
    outputs = network(cells.domain.embed(cells.interior_points)).reshape(len(cells), -1)[:, labels]
    place = np.searchsorted(labels, winners)
    behind = np.flatnonzero(outputs.max(axis=1) - outputs[np.arange(len(cells)), place] > 2 * margin)
    if len(behind):
        raise CertificateError("certificate check `classes` failed: cells are given to other classes", cells=behind)
    beside = cells.facet_cells[(cells.facet_cells >= 0).all(axis=1)]
    expected = int(np.count_nonzero(winners[beside[:, 0]] != winners[beside[:, 1]]))
    if polygons != expected:
        raise CertificateError(
            f"certificate check `polygons` failed: {polygons} polygons, but the class changes at {expected} faces"
        )


def _section(cells: SpatialComplex, facets: np.ndarray, pairs: np.ndarray, classes: np.ndarray) -> Section:
    """The facets as polygons, joined along edges where just two of the same classes meet."""
    loops = cells.face_loops()
    sizes = np.diff(loops.offsets)[facets]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    places = np.repeat(loops.offsets[facets] - offsets[:-1], sizes) + np.arange(offsets[-1])
    start = loops.items[places].astype(np.int64)
    section = Section(offsets, pairs[:, 1], start, start, np.repeat(facets, sizes), np.full(len(start), -1, np.int64))
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


def _normals(cells: SpatialComplex, network: Network, which: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Unit gradients of the difference of the two outputs."""
    if not len(which):
        return np.zeros((0, 3))
    distinct, inverse = np.unique(which, return_inverse=True)
    slopes = branch_maps(_without_winner(cells, network), "domain", distinct).A[inverse]
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
    surface: SurfaceMesh,
    cells: SpatialComplex,
    network: Network,
    labels: np.ndarray,
    margin: float,
    certificate: SurfaceCertificate,
) -> SurfaceCertificate:
    """At all corners and centres the two classes are equal and no other is larger, by a forward pass."""
    assert surface.classes is not None
    sizes = np.diff(surface.offsets)
    at_corners = _gap(
        network, surface, surface.vertices, labels, surface.corners, np.repeat(surface.classes, sizes, axis=0)
    )
    at_centres = _gap(network, surface, surface.centres, labels, np.arange(len(surface)), surface.classes)
    wrong = np.flatnonzero(
        (at_centres > 2 * margin) | np.maximum.reduceat(at_corners > 2 * margin, surface.offsets[:-1])
    )
    if len(wrong):
        raise CertificateError(
            f"classes differ by up to {max(at_corners.max(), at_centres.max()):.1e} on the surface between them",
            cells=np.unique(surface.cells[wrong]),
        )
    return replace(
        certificate,
        level="values",
        value_error=float(at_corners.max()),
        centre_error=float(at_centres.max()),
        value_tolerance=2 * margin,
    )


def _gap(
    network: Network,
    surface: SurfaceMesh,
    points: np.ndarray,
    labels: np.ndarray,
    which: np.ndarray,
    classes: np.ndarray,
) -> np.ndarray:
    """How far the largest output is above the smaller of two, at `points[which]`."""
    outputs = network(surface.domain.embed(points)).reshape(len(points), -1)
    largest = outputs[:, labels].max(axis=1)[which]
    return largest - np.minimum(outputs[which, classes[:, 0]], outputs[which, classes[:, 1]])
