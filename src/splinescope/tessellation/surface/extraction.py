"""A surface out of a complex: a combination of outputs at a level, polygon by polygon, and its certificate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splinescope.errors import CertificateError, InvalidInputError
from splinescope.geometry.surface.collapse import PolygonMesh, collapsed
from splinescope.geometry.surface.sections import facing, trace_section
from splinescope.tessellation.affine import branch_maps
from splinescope.tessellation.certificate.heights import checked_signs, off_level
from splinescope.tessellation.spatial import SpatialComplex
from splinescope.tessellation.surface.cells import FoundCells
from splinescope.tessellation.surface.counts import (
    check_crossings,
    check_holes,
    check_places,
    check_polygons,
    check_twins,
)
from splinescope.tessellation.surface.heights import Heights, heights_of
from splinescope.tessellation.surface.mesh import SurfaceCertificate, SurfaceMesh


def extracted(found: FoundCells, weights: np.ndarray, level: float, check: bool) -> SurfaceMesh:
    """The boundary of the set where a combination of outputs is larger than a level.

    Args:
        found: Cells of three dimensions.
        weights: [n_out] coefficients of the outputs.
        level: The level.
        check: Whether to check values by forward passes.

    Returns:
        The surface.

    Raises:
        CertificateError: If a check fails.
    """
    cells = found.cells
    if cells.dimension != 3:
        raise InvalidInputError(f"`source`: a complex of dimension {cells.dimension}; expected three dimensions")
    heights = heights_of(cells, weights, level)
    mesh = _mesh(cells, heights)
    surface = SurfaceMesh(
        domain=cells.domain,
        vertices=_positions(cells, heights, mesh.sources),
        offsets=mesh.offsets,
        corners=mesh.corners,
        twins=mesh.twins,
        normals=_normals(cells, weights, mesh.cells),
        cells=mesh.cells,
        patterns=cells.patterns_of(mesh.cells),
        sources=mesh.sources,
        truncated=found.truncated,
    )
    return replace(surface, certificate=_certified(surface, cells, heights, mesh, check))


def _mesh(cells: SpatialComplex, heights: Heights) -> PolygonMesh:
    """Trace the level through the cells that it meets."""
    loops = cells.face_loops()
    try:
        section = trace_section(loops.offsets, loops.items, cells.facet_cells, heights.above)
    except ValueError as error:
        raise CertificateError(f"the level cannot be traced: {error}") from error
    keys = np.column_stack([section.below, section.above])
    keys[heights.zero[section.below], 1] = section.below[heights.zero[section.below]]
    if not len(section.cells):
        return collapsed(section, heights.zero)
    upwards = cells.vertices[section.above] - cells.vertices[section.below]
    towards = np.add.reduceat(upwards, section.offsets[:-1], axis=0)
    return collapsed(facing(section, _positions(cells, heights, keys), towards), heights.zero)


def _positions(cells: SpatialComplex, heights: Heights, sources: np.ndarray) -> np.ndarray:
    """Where the level crosses edges, by linear interpolation, which is exact; vertices of cells stay where they are."""
    below, above = sources.T
    low, high = heights.values[below], heights.values[above]
    share = np.divide(-low, high - low, out=np.zeros(len(low)), where=below != above)
    return cells.vertices[below] + share[:, None] * (cells.vertices[above] - cells.vertices[below])


def _normals(cells: SpatialComplex, weights: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Unit gradients on some cells, from the affine branches of their patterns."""
    if not len(which):
        return np.zeros((0, 3))
    distinct, inverse = np.unique(which, return_inverse=True)
    gradients = np.einsum("k,fki->fi", weights, branch_maps(cells, "domain", distinct).A)
    length = np.linalg.norm(gradients, axis=1, keepdims=True)
    return np.divide(gradients, length, out=np.zeros_like(gradients), where=length > 0)[inverse]


def _certified(
    surface: SurfaceMesh, cells: SpatialComplex, heights: Heights, mesh: PolygonMesh, check: bool
) -> SurfaceCertificate:
    """Check a surface: no holes inside the domain, and the level at all vertices and centres by forward passes."""
    check_twins(surface.offsets, surface.corners, surface.twins, surface.cells)
    signs, undecided = checked_signs(cells, heights.function, heights.signs) if check else (heights.signs, 0)
    crossings = check_crossings(cells, signs, surface.sources)
    check_polygons(cells, signs, surface.cells)
    check_places(cells, surface.vertices, surface.sources)
    border = np.flatnonzero(surface.twins < 0)
    polygon = np.searchsorted(surface.offsets, border, side="right") - 1
    holes = check_holes(cells, mesh.faces[border], surface.cells[polygon], surface.truncated)
    flat = np.minimum.reduceat(signs[cells.cell_vertices] == 0, cells.cell_offsets[:-1])
    certificate = SurfaceCertificate(
        "topology",
        cells.certificate.level if cells.certificate else "none",
        holes,
        crossings,
        covered_faces=mesh.covered,
        flat_cells=int(np.count_nonzero(flat)),
        undecided=undecided,
    )
    if not check:
        return certificate
    at_vertices, vertices_allowed = off_level(cells, surface.vertices, heights.function)
    at_centres, centres_allowed = off_level(cells, surface.centres, heights.function)
    wrong = np.flatnonzero(at_centres > centres_allowed)
    if len(wrong) or (at_vertices > vertices_allowed).any():
        raise CertificateError(
            f"the output differs from the level by up to {max(at_vertices.max(), at_centres.max()):.1e} on the surface",
            cells=np.unique(surface.cells[wrong]),
        )
    return replace(
        certificate,
        level="topology" if undecided else "values",
        value_error=float(at_vertices.max(initial=0.0)),
        centre_error=float(at_centres.max(initial=0.0)),
        value_tolerance=float(max(vertices_allowed.max(initial=0.0), centres_allowed.max(initial=0.0))),
    )
