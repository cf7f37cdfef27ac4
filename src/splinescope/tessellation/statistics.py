"""Sizes and shapes of the cells of a planar complex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.geometry.planar.polygons import measure_polygons
from splinescope.shown import Shown
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.metric import isometry, plane_of, positions
from splinescope.tessellation.regions import interior_edges
from splinescope.tessellation.segments.batch import SegmentBatch


@dataclass(frozen=True)
class CellStatistics(Shown):
    """Sizes and shapes, one entry per cell.

    Attributes:
        areas: Areas.
        perimeters: Perimeters.
        diameters: Largest distances between two corners.
        eccentricities: Largest divided by smallest distance of a corner from the centroid; 1 for a regular
            polygon.
        corners: Numbers of corners. Straight vertices, where only a neighbour has a corner, do not count.
        centroids: Centres of mass, in slice coordinates.
        mean_distances: Mean distances of the corners from the centroid.
        std_distances: Standard deviations (of the population) of these distances.
        space: "domain" if lengths are in slice coordinates, "input" if in units of the input space.
    """

    areas: Float[np.ndarray, " cells"]
    perimeters: Float[np.ndarray, " cells"]
    diameters: Float[np.ndarray, " cells"]
    eccentricities: Float[np.ndarray, " cells"]
    corners: Int[np.ndarray, " cells"]
    centroids: Float[np.ndarray, "cells 2"]
    mean_distances: Float[np.ndarray, " cells"]
    std_distances: Float[np.ndarray, " cells"]
    space: str


def areas(cells: PolyhedralComplex) -> Float[np.ndarray, " cells"]:
    """Areas of the cells of a plane, in slice coordinates.

    Args:
        cells: A planar complex.

    Returns:
        One area per cell; `measures` by their name in a plane.

    Raises:
        InvalidInputError: If the complex is not of a plane.

    Cost: nothing; they are stored.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> areas(cells).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    return plane_of(cells, "areas", "lengths and volumes are `measures`").measures


def cell_statistics(cells: PolyhedralComplex | SegmentBatch, space: str = "domain") -> CellStatistics:
    r"""Area, perimeter, eccentricity, corners and distances from the centroid of every cell.

    With $v_1, \dots, v_n$ the corners of a cell and $c$ its centre of mass, the eccentricity is
    $\max_i |v_i - c| / \min_i |v_i - c|$. These are the statistics of SplineCam (Humayun et al. 2023).

    Args:
        cells: A planar complex.
        space: "domain" measures in slice coordinates, "input" in the Euclidean metric of the input space.
            The two agree where the slice's basis is orthonormal.

    Returns:
        Arrays with one entry per cell. Cost: linear in the number of edges.

    Raises:
        InvalidInputError: If the cells are no polygons, or `space` is another word.

    Example:
        >>> cell_statistics(cells).areas.sum() == cells.domain.area  # doctest: +SKIP
        True
    """
    plane = plane_of(cells, "statistics of polygons", "lengths and volumes are `measures`")
    measures = measure_polygons(positions(plane, space), plane.cell_vertices, plane.cell_offsets)
    centroids = measures.centroids if space == "domain" else measures.centroids @ np.linalg.inv(isometry(plane))
    with np.errstate(divide="ignore", invalid="ignore"):
        eccentricities = measures.largest_distances / measures.smallest_distances
    return CellStatistics(
        measures.areas,
        measures.perimeters,
        measures.diameters,
        eccentricities,
        measures.corners,
        centroids,
        measures.mean_distances,
        measures.std_distances,
        space,
    )


def summary(cells: PolyhedralComplex | SegmentBatch) -> dict[str, object]:
    """What is worth knowing of a complex at a glance, as plain numbers that `json` writes.

    Args:
        cells: A planar complex.

    Returns:
        Numbers of cells, edges and vertices, the area, and mean, standard deviation, least, median and
        largest value of each cell statistic.

    Cost: that of `cell_statistics`.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> glance = summary(cells)
        >>> glance["cells"], glance["edges"], glance["vertices"]
        (4, 12, 9)
    """
    plane = plane_of(cells, "summaries", "see `to_table` for other dimensions")
    statistics, inner = cell_statistics(plane), len(interior_edges(plane.edge_cells))
    names = ("areas", "perimeters", "diameters", "eccentricities", "corners", "mean_distances", "std_distances")
    return {
        "cells": len(plane),
        "vertices": len(plane.vertices),
        "edges": len(plane.edges),
        "interior_edges": inner,
        "mean_neighbours": 2 * inner / max(1, len(cells)),
        "area": float(statistics.areas.sum()),
        "truncated": bool(plane.truncated),
        "statistics": {name: _spread(getattr(statistics, name)) for name in names},
    }


def _spread(values: np.ndarray) -> dict[str, float | None]:
    """Mean, standard deviation, least, median, largest of the finite values; None where there is none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return dict.fromkeys(("mean", "std", "min", "median", "max"))
    return {
        "mean": float(finite.mean()),
        "std": float(finite.std()),
        "min": float(finite.min()),
        "median": float(np.median(finite)),
        "max": float(finite.max()),
    }
