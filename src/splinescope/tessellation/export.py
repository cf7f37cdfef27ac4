"""Planar cells for other programs: as a table, as GeoJSON and as well-known binary."""

from __future__ import annotations

import csv
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from splinescope.numerics import require
from splinescope.storage import json_text, replacing
from splinescope.tessellation.affine import norms
from splinescope.tessellation.boundary import cell_classes
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.files import load_complex as load_complex
from splinescope.tessellation.files import save_complex as save_complex
from splinescope.tessellation.metric import plane_of
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.region_graph.volumes import MOST
from splinescope.tessellation.statistics import cell_statistics

_POLYGON, _COLLECTION = 3, 7
"""Geometry types of well-known binary (OGC 06-103r4)."""


def to_table(cells: PolyhedralComplex, *, maps: bool = True) -> dict[str, Shaped[np.ndarray, " cells"]]:
    """The cells as columns: `pandas.DataFrame(to_table(cells))` is a table with one row per cell.

    Args:
        cells: A complex of any dimension, or a region graph.
        maps: Whether to add the affine map of each cell, `f_k = A_k_1 t_1 + A_k_2 t_2 + ... + c_k` for each output `k`.

    Returns:
        Columns: in a plane statistics of `cell_statistics`, else measure (up to six dimensions) and interior point;
        number of neighbours, spectral norm of the affine map along the domain, class (`cell_classes`), the activation
        pattern as a hexadecimal text, and the name of the class, where the network's classes have names.

    Cost: the affine maps of all cells, their singular values, and cells x units for the patterns.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> table = to_table(cells, maps=False)
        >>> table["area"].tolist(), table["norm"].round(12).tolist()
        ([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0])
    """
    table: dict[str, np.ndarray] = {"cell": np.arange(len(cells))}
    table |= _shape_of_polygons(cells) if isinstance(cells, PlanarComplex) else _shape_of_cells(cells)
    classes = cell_classes(cells)
    table |= {"norm": norms(cells), "class": classes, "pattern": _pattern_texts(cells)}
    if cells.network.classes is not None:
        table["class_name"] = np.array(cells.network.classes)[classes]
    if maps:
        affine = cells.affine_maps()
        for k in range(affine.c.shape[1]):
            table |= {f"A_{k}_{i + 1}": affine.A[:, k, i] for i in range(cells.dimension)}
            table[f"c_{k}"] = affine.c[:, k]
    return table


def _shape_of_polygons(cells: PlanarComplex) -> dict[str, np.ndarray]:
    statistics = cell_statistics(cells)
    return {
        "area": statistics.areas,
        "perimeter": statistics.perimeters,
        "diameter": statistics.diameters,
        "eccentricity": statistics.eccentricities,
        "corners": statistics.corners,
        "neighbours": np.diff(cells.adjacency.indptr).astype(np.int64),
        "centroid_1": statistics.centroids[:, 0],
        "centroid_2": statistics.centroids[:, 1],
        "mean_distance": statistics.mean_distances,
        "std_distance": statistics.std_distances,
    }


def _shape_of_cells(cells: PolyhedralComplex) -> dict[str, np.ndarray]:
    shape = {} if cells.dimension > MOST else {"measure": cells.measures}
    points = {f"point_{i + 1}": cells.interior_points[:, i] for i in range(cells.dimension)}
    return {**shape, "neighbours": np.diff(cells.adjacency.indptr).astype(np.int64), **points}


def to_geodataframe(cells: PolyhedralComplex, *, maps: bool = True) -> Any:
    """The cells of a plane as a `geopandas.GeoDataFrame`: the columns of `to_table`, and polygons.

    Args:
        cells: A planar complex.
        maps: As in `to_table`.

    Returns:
        One row per cell, in slice coordinates.

    Raises:
        InvalidInputError: If the complex is not of a plane.
        MissingDependencyError: If geopandas is not installed.

    Cost: that of `to_table`, and one polygon per cell.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> float(to_geodataframe(cells).geometry.area.sum())
        4.0
    """
    polygons = to_wkb(cells)
    geopandas = require("geopandas", "geo", "cells as a geopandas.GeoDataFrame")
    table = to_table(cells, maps=maps)
    return geopandas.GeoDataFrame(table, geometry=geopandas.GeoSeries.from_wkb(polygons))


def write_csv(cells: PolyhedralComplex, path: str | os.PathLike[str], *, maps: bool = True) -> Path:
    """Write `to_table` as comma-separated values with a last column `geometry` of well-known text.

    QGIS opens it as delimited text. Numbers have all their digits.

    Args:
        cells: A planar complex.
        path: File to write.
        maps: As in `to_table`.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the complex is not of a plane.

    Cost: that of `to_table`, and one line of text per cell.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> with TemporaryDirectory() as folder:
        ...     write_csv(cells, f"{folder}/cells.csv", maps=False).read_text().split(",")[:4]
        ['cell', 'area', 'perimeter', 'diameter']
    """
    table = {name: column.tolist() for name, column in to_table(cells, maps=maps).items()}
    rings = (", ".join(f"{x!r} {y!r}" for x, y in ring) for ring in _rings(cells))
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*table, "geometry"])
        writer.writerows((*row, f"POLYGON (({ring}))") for *row, ring in zip(*table.values(), rings, strict=True))
    return Path(path)


def write_geojson(cells: PolyhedralComplex, path: str | os.PathLike[str], *, maps: bool = False) -> Path:
    """Write the cells as a GeoJSON FeatureCollection of polygons in slice coordinates, with `to_table` as properties.

    Args:
        cells: A planar complex.
        path: File to write.
        maps: As in `to_table`.

    Returns:
        The path. Numbers that are not finite become null, for JSON has none.

    Raises:
        InvalidInputError: If the complex is not of a plane.

    Cost: that of `to_table`, and the text, which is held in memory.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> with TemporaryDirectory() as folder:
        ...     write_geojson(cells, f"{folder}/cells.geojson").read_text().count("Polygon")
        4
    """
    table = {name: column.tolist() for name, column in to_table(cells, maps=maps).items()}
    rows = zip(*table.values(), strict=True)
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        separator = "\n"
        for row, ring in zip(rows, _rings(cells), strict=True):
            feature = {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": dict(zip(table, row, strict=True)),
            }
            file.write(separator + json_text(feature, indent=None))
            separator = ",\n"
        file.write("\n]}\n")
    return Path(path)


def to_wkb(cells: PolyhedralComplex) -> list[bytes]:
    """Each cell as a polygon in well-known binary, little-endian, in slice coordinates.

    Args:
        cells: A planar complex.

    Returns:
        One value per cell: what `shapely.from_wkb` and the geometry columns of GeoPandas and PostGIS read.

    Raises:
        InvalidInputError: If the complex is not of a plane.

    Cost: 16 bytes for each corner of each cell.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> [len(polygon) for polygon in to_wkb(cells)]  # 13 bytes, and five corners of 16 bytes
        [93, 93, 93, 93]
    """
    closed, starts = _closed_rings(cells)
    data = closed.astype("<f8").tobytes()
    return [
        struct.pack("<BIII", 1, _POLYGON, 1, stop - start) + data[16 * start : 16 * stop]
        for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    ]


def write_wkb(cells: PolyhedralComplex, path: str | os.PathLike[str]) -> Path:
    """Write the cells as one GeometryCollection in well-known binary.

    Args:
        cells: A planar complex.
        path: File to write.

    Returns:
        The path; `shapely.from_wkb(path.read_bytes()).geoms` are the cells in order.

    Raises:
        InvalidInputError: If the complex is not of a plane.

    Cost: that of `to_wkb`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> with TemporaryDirectory() as folder:
        ...     len(write_wkb(cells, f"{folder}/cells.wkb").read_bytes())  # 9 bytes, and four polygons of 93
        381
    """
    polygons = to_wkb(cells)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<BII", 1, _COLLECTION, len(polygons)))
        file.writelines(polygons)
    return Path(path)


def _pattern_texts(cells: PolyhedralComplex) -> np.ndarray:
    """Packed patterns as hexadecimal texts; they differ between any two cells."""
    words = cells.packed_patterns
    words = np.ascontiguousarray(words.astype(words.dtype.newbyteorder(">")))
    width = 2 * words.itemsize * words.shape[1]
    text = words.tobytes().hex()
    return np.array([text[i * width : (i + 1) * width] for i in range(len(cells))], dtype=f"<U{max(1, width)}")


def _closed_rings(cells: PolyhedralComplex) -> tuple[np.ndarray, np.ndarray]:
    """Corners of all cells with the first repeated at the end, and where each cell starts."""
    plane = plane_of(cells, "polygons", "see `to_table` for other dimensions")
    sizes = np.diff(plane.cell_offsets)
    starts = np.concatenate([[0], np.cumsum(sizes + 1)])
    index = np.arange(starts[-1]) - np.repeat(np.arange(len(sizes)), sizes + 1)
    index[starts[1:] - 1] = plane.cell_offsets[:-1]
    return plane.vertices[plane.cell_vertices[index]], starts


def _rings(cells: PolyhedralComplex) -> list[list[list[float]]]:
    closed, starts = _closed_rings(cells)
    points = closed.tolist()
    return [points[start:stop] for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
