"""What a surface must consist of, counted from signs at the vertices of the cells and not from how it was traced."""

from __future__ import annotations

import numpy as np

from splinescope.errors import CertificateError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.spatial import SpatialComplex


def check_crossings(cells: SpatialComplex, signs: np.ndarray, sources: np.ndarray) -> int:
    """Every edge of the cells on which the sign changes has a vertex of the surface, and no other edge has one.

    Args:
        cells: The cells.
        signs: [V] signs of heights at their vertices.
        sources: [N, 2] ends of the edge that each vertex of the surface is on; twice the same where it is a vertex.

    Returns:
        Number of these edges.

    Raises:
        CertificateError: If an edge is missing, or there is one too many.
    """
    edges, number = np.sort(cells.edges.astype(np.int64), axis=1), np.int64(len(signs))
    high = signs > 0
    crossed = edges[high[edges[:, 0]] != high[edges[:, 1]]]
    low = np.where(high[crossed[:, 0]], crossed[:, 1], crossed[:, 0])
    # Where the lower end is on the level, the surface passes through it and not through the edge.
    expected = crossed[signs[low] != 0]
    expected_keys = np.unique(expected[:, 0] * number + expected[:, 1])
    found = np.sort(sources[sources[:, 0] != sources[:, 1]].astype(np.int64), axis=1)
    keys = np.unique(found[:, 0] * number + found[:, 1])
    if not np.array_equal(keys, expected_keys):
        missing, more = len(np.setdiff1d(expected_keys, keys)), len(np.setdiff1d(keys, expected_keys))
        raise CertificateError(
            f"certificate check `crossings` failed: of {len(expected_keys)} edges on which the sign changes, {missing} "
            f"have no vertex of the surface, and {more} others have one"
        )
    at = np.unique(sources[sources[:, 0] == sources[:, 1], 0])
    if (signs[at] != 0).any():
        raise CertificateError("certificate check `crossings` failed: the surface has a vertex where there is no zero")
    return len(expected_keys)


def check_polygons(cells: SpatialComplex, signs: np.ndarray, polygons: np.ndarray) -> None:
    """Every cell with larger and smaller values has one polygon.

    Args:
        cells: The cells.
        signs: [V] signs of heights at their vertices.
        polygons: [P] cell of each polygon.

    Raises:
        CertificateError: If a cell has none, or several.
    """
    starts = cells.cell_offsets[:-1]
    corners = cells.cell_vertices
    high = np.maximum.reduceat(signs[corners] > 0, starts)
    low = np.maximum.reduceat(signs[corners] < 0, starts)
    counts = np.bincount(polygons, minlength=len(cells))
    wrong = np.flatnonzero((high & low & (counts != 1)) | (~high & (counts > 0)))
    if len(wrong):
        raise CertificateError(
            f"certificate check `polygons` failed at {len(wrong)} cells: those with larger and smaller values have one "
            f"polygon each, those without larger ones none; got {counts[wrong[:5]].tolist()}",
            cells=wrong,
        )


def check_twins(offsets: np.ndarray, corners: np.ndarray, twins: np.ndarray, cells: np.ndarray) -> None:
    """Sides of neighbouring polygons are the same edge, passed both ways.

    Args:
        offsets: [P + 1] start of each polygon among the sides.
        corners: [H] vertices.
        twins: [H] the other side, -1 on the border.
        cells: [P] cell of each polygon.

    Raises:
        CertificateError: If they are not.
    """
    following = np.arange(1, len(corners) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    inner = np.flatnonzero(twins >= 0)
    other = twins[inner]
    wrong = (twins[other] != inner) | (corners[other] != corners[following[inner]])
    wrong |= corners[following[other]] != corners[inner]
    if wrong.any():
        polygon = np.searchsorted(offsets, inner[wrong], side="right") - 1
        raise CertificateError(
            "certificate check `twins` failed: sides of neighbouring polygons are not the same edge",
            cells=np.unique(cells[polygon]),
        )


def check_places(cells: SpatialComplex, vertices: np.ndarray, sources: np.ndarray) -> None:
    """Every vertex of the surface is on its edge of the cells, but for rounding.

    Args:
        cells: The cells.
        vertices: [N, 3] positions.
        sources: [N, 2] ends of the edge that each is on.

    Raises:
        CertificateError: If one is elsewhere.
    """
    low, high = cells.vertices[sources[:, 0]], cells.vertices[sources[:, 1]]
    along = high - low
    square = np.einsum("nj,nj->n", along, along)
    share = np.einsum("nj,nj->n", vertices - low, along) / np.where(square > 0, square, 1.0)
    nearest = low + np.clip(share, 0.0, 1.0)[:, None] * along
    away = np.abs(vertices - nearest).max(axis=1, initial=0.0)
    allowed = 16 * UNIT_ROUNDOFF * (np.abs(low).max(axis=1, initial=0.0) + np.abs(high).max(axis=1, initial=0.0))
    if (away > allowed).any():
        raise CertificateError(
            f"certificate check `places` failed: {int((away > allowed).sum())} vertices of the surface are not on "
            f"their edges, by up to {away.max():.1e}"
        )


def check_holes(cells: SpatialComplex, faces: np.ndarray, where: np.ndarray, truncated: bool) -> int:
    """Sides on the border are on sides of the domain, or where cells are missing that could not all be found.

    Args:
        cells: The cells.
        faces: [B] face of the cells in which each border side lies.
        where: [B] cell of its polygon.
        truncated: Whether such cells are missing.

    Returns:
        Number of those where cells are missing.

    Raises:
        CertificateError: If there is another one.
    """
    inside = cells.facet_op[faces] >= 0
    known = (cells.facet_cells[faces] >= 0).all(axis=1) | (not truncated)
    wrong = inside & known
    if wrong.any():
        raise CertificateError(
            f"certificate check `holes` failed: the surface ends inside the domain at {int(wrong.sum())} edges",
            cells=np.unique(where[wrong]),
        )
    return int(np.count_nonzero(inside))
