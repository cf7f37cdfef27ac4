"""Complexes in files: everything in `.npz`, cells as a table, as GeoJSON and as well-known binary."""

from __future__ import annotations

import csv
import json
import os
import struct
import zipfile
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from splinescope.errors import StoreError
from splinescope.network import graph, heads, ops
from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.tessellation.affine import affine_maps, norms
from splinescope.tessellation.boundary import cell_classes
from splinescope.tessellation.certificate import Certificate
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.files import replacing
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.records import decode, encode
from splinescope.tessellation.statistics import cell_statistics

FORMAT = 1
"""Version of the `.npz` layout."""

_POLYGON, _COLLECTION = 3, 7
"""Geometry types of well-known binary (OGC 06-103r4)."""


def save_complex(cells: PlanarComplex, path: str | os.PathLike[str]) -> Path:
    """Write a complex to one `.npz` file: arrays, patterns, domain, certificate and the network itself.

    The arrays bear the names of the attributes of `PlanarComplex`, so that NumPy alone reads them; the rest is in
    the text `record`. There is no pickle in the file, and it appears whole or not at all.

    Args:
        cells: A planar complex.
        path: File to write.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the folder does not exist.
        StoreError: If the file cannot be written.
    """
    arrays: dict[str, Any] = {}
    record = encode(cells, arrays, "complex")
    named: dict[str, Any] = {key.removeprefix("complex."): value for key, value in arrays.items()}
    text = np.array(json.dumps({"format": FORMAT, "complex": record}))
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, record=text, **named)
    except OSError as error:
        raise StoreError(f"`path`: cannot write {str(path)!r}: {error.strerror}") from error
    return Path(path)


def load_complex(path: str | os.PathLike[str], network: Network | None = None) -> PlanarComplex:
    """Read a complex that `save_complex` wrote.

    Args:
        path: The file.
        network: The network to attach; the stored one if None.

    Returns:
        The complex, equal to the saved one in every array.

    Raises:
        StoreError: If the file is missing, is not of this kind, is damaged, or comes from a newer version.
    """
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(str(file["record"]))
            arrays = {f"complex.{name}": file[name] for name in file.files if name != "record"}
    except FileNotFoundError as error:
        raise StoreError(f"`path`: there is no file {str(path)!r}") from error
    except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise StoreError(f"`path`: {str(path)!r} is not a complete complex; write it again with `save`") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise StoreError(f"`path`: {str(path)!r} has another format than {FORMAT}; expected a file of this version")
    cells = decode(header["complex"], arrays, _classes())
    if not isinstance(cells, PlanarComplex):
        raise StoreError(f"`path`: {str(path)!r} holds no complex")
    return cells if network is None else replace(cells, network=network)


def to_table(cells: PlanarComplex, *, maps: bool = True) -> dict[str, Shaped[np.ndarray, " cells"]]:
    """The cells as columns: `pandas.DataFrame(to_table(cells))` is a table with one row per cell.

    Args:
        cells: A planar complex.
        maps: Whether to add the affine map of each cell, `f_k = A_k_1 t_1 + A_k_2 t_2 + c_k` for each output `k`.

    Returns:
        Columns: statistics of `cell_statistics`, number of neighbours, spectral norm of the affine map along the slice,
        class with the largest area in the cell, and the activation pattern as a hexadecimal text; also the name of the
        class, where the network's classes have names.
    """
    statistics, classes = cell_statistics(cells), cell_classes(cells)
    table: dict[str, np.ndarray] = {
        "cell": np.arange(len(cells)),
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
        "norm": norms(cells),
        "class": classes,
        "pattern": _pattern_texts(cells),
    }
    if cells.network.classes is not None:
        table["class_name"] = np.array(cells.network.classes)[classes]
    if maps:
        affine = affine_maps(cells)
        for k in range(affine.c.shape[1]):
            table |= {f"A_{k}_1": affine.A[:, k, 0], f"A_{k}_2": affine.A[:, k, 1], f"c_{k}": affine.c[:, k]}
    return table


def write_csv(cells: PlanarComplex, path: str | os.PathLike[str], *, maps: bool = True) -> Path:
    """Write `to_table` as comma-separated values with a last column `geometry` of well-known text.

    QGIS opens it as delimited text. Numbers have all their digits.

    Args:
        cells: A planar complex.
        path: File to write.
        maps: As in `to_table`.

    Returns:
        The path.
    """
    table = {name: column.tolist() for name, column in to_table(cells, maps=maps).items()}
    rings = (", ".join(f"{x!r} {y!r}" for x, y in ring) for ring in _rings(cells))
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*table, "geometry"])
        writer.writerows((*row, f"POLYGON (({ring}))") for *row, ring in zip(*table.values(), rings, strict=True))
    return Path(path)


def write_geojson(cells: PlanarComplex, path: str | os.PathLike[str], *, maps: bool = False) -> Path:
    """Write the cells as a GeoJSON FeatureCollection of polygons in slice coordinates, with `to_table` as properties.

    Args:
        cells: A planar complex.
        path: File to write.
        maps: As in `to_table`.

    Returns:
        The path. Numbers that are not finite become null, for JSON has none.
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
                "properties": {name: _finite(value) for name, value in zip(table, row, strict=True)},
            }
            file.write(separator + json.dumps(feature, allow_nan=False))
            separator = ",\n"
        file.write("\n]}\n")
    return Path(path)


def to_wkb(cells: PlanarComplex) -> list[bytes]:
    """Each cell as a polygon in well-known binary, little-endian, in slice coordinates.

    Args:
        cells: A planar complex.

    Returns:
        One value per cell: what `shapely.from_wkb` and the geometry columns of GeoPandas and PostGIS read.
    """
    closed, starts = _closed_rings(cells)
    data = closed.astype("<f8").tobytes()
    return [
        struct.pack("<BIII", 1, _POLYGON, 1, stop - start) + data[16 * start : 16 * stop]
        for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    ]


def write_wkb(cells: PlanarComplex, path: str | os.PathLike[str]) -> Path:
    """Write the cells as one GeometryCollection in well-known binary.

    Args:
        cells: A planar complex.
        path: File to write.

    Returns:
        The path; `shapely.from_wkb(path.read_bytes()).geoms` are the cells in order.
    """
    polygons = to_wkb(cells)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<BII", 1, _COLLECTION, len(polygons)))
        file.writelines(polygons)
    return Path(path)


def _classes() -> dict[str, type]:
    """The classes that a stored complex may be made of."""
    parts = [part for module in (ops, graph, heads) for part in vars(module).values() if isinstance(part, type)]
    parts += [PlanarComplex, Slice, Tolerance, Certificate, Decisions, NodeCodes]
    return {part.__name__: part for part in parts if is_dataclass(part)}


def _pattern_texts(cells: PlanarComplex) -> np.ndarray:
    """Packed patterns as hexadecimal texts; they differ between any two cells."""
    words = np.ascontiguousarray(cells.packed_patterns.astype(">u8"))
    width = 16 * words.shape[1]
    text = words.tobytes().hex()
    return np.array([text[i * width : (i + 1) * width] for i in range(len(cells))], dtype=f"<U{max(1, width)}")


def _closed_rings(cells: PlanarComplex) -> tuple[np.ndarray, np.ndarray]:
    """Corners of all cells with the first repeated at the end, and where each cell starts."""
    sizes = np.diff(cells.cell_offsets)
    starts = np.concatenate([[0], np.cumsum(sizes + 1)])
    index = np.arange(starts[-1]) - np.repeat(np.arange(len(sizes)), sizes + 1)
    index[starts[1:] - 1] = cells.cell_offsets[:-1]
    return cells.vertices[cells.cell_vertices[index]], starts


def _rings(cells: PlanarComplex) -> list[list[list[float]]]:
    closed, starts = _closed_rings(cells)
    points = closed.tolist()
    return [points[start:stop] for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
