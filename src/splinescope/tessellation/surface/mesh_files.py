"""Mesh files: PLY, OBJ and STL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.storage import replacing
from splinescope.tessellation.surface.mesh import SurfaceMesh


def write_mesh(mesh: SurfaceMesh, path: str | os.PathLike[str]) -> None:
    """Write a surface to a file, whole or not at all. The format is that of the path's ending.

    * `.ply`: binary, little-endian; float64 vertices with normals; polygons with normals and the numbers of their cells
      (and classes).
    * `.obj`: text; polygons with normals of vertices.
    * `.stl`: binary; triangles in float32, each with its normal. The format has no shared vertices.

    For programs that read no polygons in the first two, write `mesh.triangulated()`.

    Args:
        mesh: The surface.
        path: The file; an existing one is replaced.

    Raises:
        InvalidInputError: If the ending is another one, or the folder cannot be written to.
    """
    ending = Path(path).suffix.lower()
    if ending not in WRITERS:
        raise InvalidInputError(f"`path`: got the ending {ending!r}; expected one of {', '.join(WRITERS)}")
    with replacing(path) as temporary, temporary.open("wb") as file:
        WRITERS[ending](mesh, file)


def _write_ply(mesh: SurfaceMesh, file: BinaryIO) -> None:
    vertices = np.zeros(len(mesh.vertices), [(name, "<f8") for name in ("x", "y", "z", "nx", "ny", "nz")])
    for name, column in zip(vertices.dtype.names or (), (*mesh.vertices.T, *mesh.vertex_normals.T), strict=True):
        vertices[name] = column
    extra = [("nx", "<f8"), ("ny", "<f8"), ("nz", "<f8"), ("cell", "<i4")]
    columns = [*mesh.normals.T, mesh.cells]
    if mesh.classes is not None:
        extra += [("class_behind", "<i4"), ("class_in_front", "<i4")]
        columns += [*mesh.classes.T]
    kinds = {"<f8": "double", "<i4": "int"}
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        "comment polygons are counter-clockwise seen from larger values",
        f"element vertex {len(vertices)}",
        *(f"property double {name}" for name in vertices.dtype.names or ()),
        f"element face {len(mesh)}",
        f"property list {_count_kind(mesh)[0]} int vertex_indices",
        *(f"property {kinds[kind]} {name}" for name, kind in extra),
        "end_header",
    ]
    file.write(("\n".join(lines) + "\n").encode("ascii"))
    file.write(vertices.tobytes())
    file.write(_ply_faces(mesh, extra, columns))


def _count_kind(mesh: SurfaceMesh) -> tuple[str, str]:
    """Type of a polygon's number of corners in words of PLY and of numpy: one byte, as all readers know, if it fits."""
    return ("uchar", "u1") if np.diff(mesh.offsets).max(initial=0) < 256 else ("uint", "<u4")


def _ply_faces(mesh: SurfaceMesh, extra: list[tuple[str, str]], columns: list[np.ndarray]) -> bytes:
    """The rows of all faces: polygons of one size at a time fill their places."""
    sizes, count = np.diff(mesh.offsets), np.dtype(_count_kind(mesh)[1])
    tail = np.dtype(extra).itemsize
    starts = np.concatenate([[0], np.cumsum(count.itemsize + 4 * sizes + tail)])
    out = np.zeros(starts[-1], np.uint8)
    for size in np.unique(sizes):
        which = np.flatnonzero(sizes == size)
        rows = np.zeros(len(which), [("count", count), ("corners", "<i4", (int(size),)), *extra])
        rows["count"] = size
        rows["corners"] = mesh.corners[mesh.offsets[which][:, None] + np.arange(size)]
        for (name, _), column in zip(extra, columns, strict=True):
            rows[name] = column[which]
        places = starts[which][:, None] + np.arange(rows.dtype.itemsize)
        out[places.ravel()] = np.frombuffer(rows.tobytes(), np.uint8)
    return out.tobytes()


def _write_obj(mesh: SurfaceMesh, file: BinaryIO) -> None:
    file.write(b"# polygons are counter-clockwise seen from larger values\n")
    file.write(_lines("v", mesh.vertices))
    file.write(_lines("vn", mesh.vertex_normals))
    numbers = [f"{corner + 1}//{corner + 1}" for corner in mesh.corners.tolist()]
    faces = (" ".join(numbers[start:stop]) for start, stop in pairwise(mesh.offsets.tolist()))
    file.write("".join(f"f {face}\n" for face in faces).encode("ascii"))


def _lines(name: str, rows: Iterable[np.ndarray]) -> bytes:
    return "".join(f"{name} {x!r} {y!r} {z!r}\n" for x, y, z in np.asarray(rows).tolist()).encode("ascii")


def _write_stl(mesh: SurfaceMesh, file: BinaryIO) -> None:
    triangles = mesh.triangles()
    kind = [("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]
    rows = np.zeros(len(triangles), kind)
    rows["normal"] = mesh.normals[mesh.triangle_polygons()]
    rows["corners"] = mesh.vertices[triangles]
    file.write(b"splinescope".ljust(80, b" "))
    file.write(np.uint32(len(rows)).astype("<u4").tobytes())
    file.write(rows.tobytes())


WRITERS: dict[str, Callable[[SurfaceMesh, BinaryIO], None]] = {
    ".ply": _write_ply,
    ".obj": _write_obj,
    ".stl": _write_stl,
}
"""The writer of each format, by its ending."""
