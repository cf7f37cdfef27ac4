"""What a page knows of cells in space and of surfaces: polygons with the cells beside them, and what a cell says."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.plotting.colors import class_colors
from splinescope.tessellation.affine import norms
from splinescope.tessellation.boundary import decision_boundary
from splinescope.tessellation.spatial.complex import SpatialComplex
from splinescope.tessellation.surface import SurfaceMesh
from splinescope.viewer.measures import add_measure
from splinescope.viewer.packing import Packer
from splinescope.viewer.page_record import (
    PatternLayer,
    Patterns,
    class_record,
    facts_of,
    layer_record,
    layers_of,
    whole_bytes,
)
from splinescope.viewer.planar import MAP_NUMBERS, MOST_CLASSES, ViewFrame, units_of

COORDINATE_BYTES = 4
"""Bytes of a coordinate: 32 bits of its share of the domain's extent; the picture is drawn in float32."""


def solid_page(cells: SpatialComplex, values: dict[str, np.ndarray]) -> tuple[dict[str, Any], Packer]:
    """What the page of cells in space shows: a record for JSON, and arrays.

    Args:
        cells: A complex of three dimensions.
        values: Further numbers, one for each cell, by their label.

    Returns:
        The record and the arrays.
    """
    packer, frame, loops, layers = (
        Packer(),
        ViewFrame.around(cells.domain.corners),
        cells.face_loops(),
        layers_of(cells),
    )
    _add_polygons(packer, frame, "vertices", cells.vertices, loops.offsets, loops.items)
    for side in range(2):
        packer.add(f"sides.{side}", cells.facet_cells[:, side] + 1, 4)
    starts = {node: start for node, start, _ in cells.pattern_nodes}
    units = [starts[op] + unit + 1 if op in starts else 0 for op, unit in zip(*_made(cells), strict=True)]
    packer.add("units", np.array(units, np.int64), 4)
    patterns = Patterns.of(len(cells), layers, cells.patterns_of)
    patterns.add(packer)
    packer.add("pattern", patterns.colors, 1)
    measures = {
        "norm": (norms(cells), "spectral norm of A"),
        "volume": (np.asarray(cells.measures), "volume of the cell"),
    }
    measures |= {name: (found, name) for name, found in values.items()}
    counts = {"cells": len(cells), "facets": len(cells.facet_op), "vertices": len(cells.vertices)}
    record = _record(frame, cells.domain.names, solid=True, items=len(cells)) | {
        "facts": facts_of(cells, ", ".join(f"{count:,} {what}" for what, count in counts.items())),
        "layers": layer_record(layers),
        "measures": [
            add_measure(packer, key, number, label, cells.measures) for key, (number, label) in measures.items()
        ],
        "outputs": int(cells.vertex_outputs.shape[1]),
    }
    if 1 <= cells.network.num_classes <= MOST_CLASSES:
        packer.add("classes", cells.classes, 2)
        record["classes"] = class_record(cells.network, np.unique(cells.classes))
        surface: Any = None if cells.truncated else decision_boundary(cells)
        if surface is not None and len(surface):
            _add_polygons(packer, frame, "surface", surface.vertices, surface.offsets, surface.corners)
            packer.add("surface.cells", surface.cells, 4)
            record["surface"] = "decision boundary"
    if 4 * record["outputs"] * len(cells) <= MAP_NUMBERS:
        maps = cells.affine_maps()
        packer.add_floats("maps.A", maps.A.ravel())
        packer.add_floats("maps.c", (maps.c + maps.A @ frame.low).ravel())
        record["maps"], record["units"] = True, units_of(cells)
    return record, packer


def _made(cells: SpatialComplex) -> tuple[list[int], list[int]]:
    """Node and unit that made each facet."""
    return np.asarray(cells.facet_op).tolist(), np.asarray(cells.facet_unit).tolist()


def surface_page(mesh: SurfaceMesh, values: dict[str, np.ndarray]) -> tuple[dict[str, Any], Packer]:
    """What the page of a surface shows: a record for JSON, and arrays.

    Args:
        mesh: The surface.
        values: Further numbers, one for each polygon, by their label.

    Returns:
        The record and the arrays.
    """
    packer, frame = Packer(), ViewFrame.around(mesh.domain.corners)
    _add_polygons(packer, frame, "vertices", mesh.vertices, mesh.offsets, mesh.corners)
    packer.add("cells", mesh.cells, 4)
    units = mesh.patterns.shape[1]
    layers = [PatternLayer("all", 0, units)] if units else []
    patterns = Patterns.of(len(mesh), layers, lambda rows: np.asarray(mesh.patterns[rows]))
    patterns.add(packer)
    packer.add("pattern", patterns.colors, 1)
    measures = {"area": (mesh.areas, "area of the polygon"), "part": (mesh.parts.astype(float), "part of the surface")}
    measures |= {name: (found, name) for name, found in values.items()}
    counts = f"{len(mesh):,} polygons, {len(mesh.vertices):,} vertices, {mesh.num_parts:,} parts"
    record = _record(frame, mesh.domain.names, solid=False, items=len(mesh)) | {
        "facts": f"{counts}; certificate: {mesh.certificate.level}",
        "layers": layer_record(layers),
        "measures": [add_measure(packer, key, number, label, mesh.areas) for key, (number, label) in measures.items()],
    }
    if mesh.classes is not None and len(mesh):
        pairs, which = np.unique(mesh.classes, axis=0, return_inverse=True)
        packer.add("classes", which.ravel(), 2)
        names = [" | ".join(_class_name(mesh, int(label)) for label in pair) for pair in pairs]
        colors = whole_bytes(class_colors(len(pairs)))
        record["classes"] = {"present": list(range(len(pairs))), "names": names, "colors": colors}
    return record, packer


def _class_name(mesh: SurfaceMesh, label: int) -> str:
    return str(label) if mesh.class_names is None else mesh.class_names[label]


def _record(frame: ViewFrame, names: Any, *, solid: bool, items: int) -> dict[str, Any]:
    """What pages of space have in common."""
    return {
        "kind": "space",
        "frame": {"low": frame.low.tolist(), "extent": frame.extent.tolist()},
        "solid": solid,
        "item": "cells" if solid else "surface",
        "counts": {"items": items},
        "axes": list(names or ("t1", "t2", "t3")),
        "classes": None,
        "surface": None,
        "maps": False,
        "outputs": 0,
    }


def _add_polygons(
    packer: Packer, frame: ViewFrame, name: str, vertices: np.ndarray, offsets: np.ndarray, corners: np.ndarray
) -> None:
    """Append polygons: places of vertices, and the corners of one polygon after the other."""
    shares = frame.shares(vertices, 8 * COORDINATE_BYTES)
    for axis, letter in enumerate("xyz"):
        packer.add(f"{name}.{letter}", shares[:, axis], COORDINATE_BYTES, differences=True)
    packer.add(f"{name}.sizes", np.diff(offsets), 2)
    packer.add(f"{name}.corners", corners, 4, differences=True)
