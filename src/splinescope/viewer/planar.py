"""What a page knows of a planar complex: cells along a Hilbert curve, rings, folds, colours, and what a cell says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from splinescope.plotting.colors import ColorScale, class_colors, color_numbers, pattern_palette, scale_of
from splinescope.plotting.thumbnails import anchor_images
from splinescope.tessellation.affine import norms
from splinescope.tessellation.boundary import class_regions, decision_boundary
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.viewer.packing import Packer, hilbert_order

COORDINATE_BYTES = 6
"""Bytes of a coordinate: 48 bits of its share of the domain's extent, which browsers draw as two exact float32."""

MAP_NUMBERS = 600_000
"""Numbers of affine maps up to which a page holds those of all cells."""

MOST_CLASSES = 1000
"""Outputs up to which they are taken for classes."""

_PALETTES = {"viridis": "viridis", "cividis": "cividis", "magma": "magma", "grey": "Greys"}


@dataclass(frozen=True)
class ViewFrame:
    """The rectangle around a domain, in which coordinates are shares.

    Attributes:
        low: [2] its lower left corner.
        extent: [2] its sides.
    """

    low: np.ndarray
    extent: np.ndarray

    @classmethod
    def around(cls, points: np.ndarray) -> ViewFrame:
        """The rectangle of some points."""
        low = points.min(axis=0)
        return cls(low, np.maximum(points.max(axis=0) - low, np.finfo(float).tiny))

    def shares(self, points: np.ndarray) -> np.ndarray:
        """[n, 2] positions as whole numbers of 48 bits."""
        most = float((1 << 8 * COORDINATE_BYTES) - 1)
        return np.rint(np.clip((points - self.low) / self.extent, 0, 1) * most).astype(np.uint64)

    def add(self, packer: Packer, name: str, points: np.ndarray) -> None:
        """Append positions, as differences from one to the next."""
        for axis, letter in enumerate("xy"):
            packer.add(f"{name}.{letter}", self.shares(points)[:, axis], COORDINATE_BYTES, differences=True)


def planar_page(cells: PlanarComplex, values: dict[str, np.ndarray]) -> tuple[dict[str, Any], Packer]:
    """What the page shows: a record for JSON, and arrays.

    Args:
        cells: A planar complex.
        values: Further numbers, one for each cell, by their label.

    Returns:
        The record and the arrays.
    """
    packer, frame = Packer(), ViewFrame.around(cells.vertices)
    order = hilbert_order(cells.interior_points)
    numbers = _add_rings(packer, frame, cells, order)
    record: dict[str, Any] = {
        "kind": "planar",
        "frame": {"low": frame.low.tolist(), "extent": frame.extent.tolist()},
        "counts": {"cells": len(cells), "edges": len(cells.edges), "vertices": len(cells.vertices)},
        "axes": list(cells.domain.names or ("t1", "t2")),
        "certificate": cells.certificate.level if cells.certificate else "none",
        "truncated": cells.truncated,
        "network": {"inputs": list(cells.network.input_shape), "outputs": int(cells.vertex_outputs.shape[1])},
    }
    packer.add("numbers", order, 4)
    patterns = _Patterns.of(cells)
    record["layers"] = _add_patterns(packer, cells, patterns, order, numbers)
    record["palettes"] = _palettes()
    packer.add("pattern", patterns.colors[order], 1)
    record["pattern_palette"] = _bytes(pattern_palette())
    measures = {"norm": (norms(cells), "spectral norm of A"), "area": (np.asarray(cells.measures), "area of the cell")}
    measures |= {name: (np.asarray(found, float), name) for name, found in values.items()}
    record["measures"] = [
        _add_measure(packer, key, number[order], label, cells.measures[order])
        for key, (number, label) in measures.items()
    ]
    record["classes"] = _add_classes(packer, frame, cells, order)
    record["anchors"] = _anchors(cells)
    record["maps"] = _add_maps(packer, cells, order)
    return record, packer


def _add_rings(packer: Packer, frame: ViewFrame, cells: PlanarComplex, order: np.ndarray) -> np.ndarray:
    """Append the cells' corners; vertices are numbered as they come. Returns the new number of each vertex."""
    sizes = np.diff(cells.cell_offsets)[order]
    starts = np.asarray(cells.cell_offsets[:-1])[order]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    corners = cells.cell_vertices[np.repeat(starts, sizes) + within]
    found, first = np.unique(corners, return_index=True)
    by_appearance = np.argsort(first)
    numbers = np.full(len(cells.vertices), -1, np.int64)
    numbers[found[by_appearance]] = np.arange(len(found))
    renumbered = numbers[corners]
    new = np.zeros(len(corners), np.int64)
    new[first] = 1
    before = np.cumsum(new) - new
    packer.add("sizes", sizes, 4)
    packer.add("corners", before - renumbered, 4)
    frame.add(packer, "vertices", cells.vertices[found[by_appearance]])
    return numbers


def mixed(units: np.ndarray) -> np.ndarray:
    """32 pseudo-random bits of each number: the finaliser of MurmurHash3, which the page computes as well."""
    bits = (np.asarray(units, np.uint64) + np.uint64(1)).astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    return bits ^ (bits >> np.uint32(16))


def _add_patterns(
    packer: Packer, cells: PlanarComplex, patterns: _Patterns, order: np.ndarray, numbers: np.ndarray
) -> dict[str, Any]:
    """Append the unit of each edge, and what tells the patterns of all cells: the first one's where units flip."""
    layout = cells.pattern_nodes
    nodes, starts = np.array([node for node, _, _ in layout], np.int64), np.array([at for _, at, _ in layout], np.int64)
    units = int(layout[-1][2]) if layout else 0
    layer = np.searchsorted(nodes, cells.edge_op)
    inner = (cells.edge_cells >= 0).all(axis=1)
    unit = (
        np.where(inner & (cells.edge_op >= 0), starts[np.minimum(layer, len(nodes) - 1)] + cells.edge_unit + 1, 0)
        if units
        else np.zeros(len(cells.edges), np.int64)
    )
    packer.add("edge_units", unit[_edge_order(cells, order, numbers)], 4)
    pairs, hashes = cells.edge_cells[inner], patterns.hashes
    flips = bool(
        len(cells)
        and connected_components(cells.adjacency, directed=False)[0] == 1
        and (hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]] == mixed(unit[inner] - 1)).all()
    )
    if flips:
        packer.add("root", cells.patterns_of(order[:1])[0], 1)
    else:
        packer.add("hashes", hashes[order], 4)
        for number in range(len(layout)):
            packer.add(f"counts.{number}", patterns.counts[order, number], 4, differences=True)
    names = [cells.network.nodes[node].name for node in nodes]
    return {
        "flips": flips,
        "nodes": [
            {"name": name, "start": start, "stop": stop} for name, (_, start, stop) in zip(names, layout, strict=True)
        ],
        "root_hash": int(hashes[order[0]]) if len(cells) else 0,
    }


def _edge_order(cells: PlanarComplex, order: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The edges as the page finds them: as their sides come up along the rings."""
    sizes = np.diff(cells.cell_offsets)[order]
    starts = np.asarray(cells.cell_offsets[:-1])[order]
    firsts = np.cumsum(sizes) - sizes
    within = np.arange(sizes.sum()) - np.repeat(firsts, sizes)
    here = numbers[cells.cell_vertices[np.repeat(starts, sizes) + within]]
    following = here[
        np.where(within + 1 == np.repeat(sizes, sizes), np.repeat(firsts, sizes), np.arange(len(here)) + 1)
    ]
    count = len(cells.vertices)
    sides = np.minimum(here, following) * count + np.maximum(here, following)
    keys, first = np.unique(sides, return_index=True)
    ends = np.sort(numbers[cells.edges], axis=1)
    known = ends[:, 0] * count + ends[:, 1]
    by_key = np.argsort(known)
    found = by_key[np.searchsorted(known, keys, sorter=by_key)]
    return found[np.argsort(first)]


@dataclass(frozen=True)
class _Patterns:
    """What a page tells of all activation patterns.

    Attributes:
        hashes: [F] 32 bits of each.
        counts: [F, layers] units of each layer that are not on their first piece.
        colors: [F] places in the palette of patterns.
    """

    hashes: np.ndarray
    counts: np.ndarray
    colors: np.ndarray

    @classmethod
    def of(cls, cells: PlanarComplex) -> _Patterns:
        """Read the patterns of all cells once, in parts."""
        layout = cells.pattern_nodes
        units = int(layout[-1][2]) if layout else 0
        found = cls(
            np.zeros(len(cells), np.uint32),
            np.zeros((len(cells), len(layout)), np.int64),
            np.zeros(len(cells), np.int64),
        )
        step, weights = max(1, (1 << 22) // max(1, units)), mixed(np.arange(units))
        for start in range(0, len(cells) if units else 0, step):
            rows = slice(start, start + step)
            pieces = cells.patterns_of(np.arange(start, min(start + step, len(cells))))
            found.hashes[rows] = np.bitwise_xor.reduce(weights * pieces, axis=1)
            found.colors[rows] = color_numbers(pieces)
            for number, (_, low, high) in enumerate(layout):
                found.counts[rows, number] = np.count_nonzero(pieces[:, low:high], axis=1)
        return found


def _add_measure(packer: Packer, key: str, values: np.ndarray, label: str, weights: np.ndarray) -> dict[str, Any]:
    """Append numbers of all cells in 16 bits, of their logarithms where these spread better."""
    finite = np.isfinite(values)
    positive = finite & (values > 0)
    scale: ColorScale = scale_of(values, label, weights=weights)
    logarithmic = bool(scale.logarithmic and positive.any() and (positive == finite).all())  # zero has no logarithm
    usable = positive if logarithmic else finite
    kept = np.log(values[usable]) if logarithmic else values[usable]
    low, high = (float(kept.min()), float(kept.max())) if len(kept) else (0.0, 1.0)
    shares = np.full(len(values), 65535, np.uint64)
    shares[usable] = np.rint((kept - low) / max(high - low, np.finfo(float).tiny) * 65534).astype(np.uint64)
    if key != "area":  # the page has the corners
        packer.add(f"measure.{key}", shares, 2)
    return {
        "key": key,
        "label": label,
        "stored_as_logarithms": logarithmic,
        "least": low,
        "most": high,
        "low": scale.low,
        "high": scale.high,
        "positive": bool((positive == finite).all()),
    }


def _add_classes(packer: Packer, frame: ViewFrame, cells: PlanarComplex, order: np.ndarray) -> dict[str, Any] | None:
    """Append each cell's class, the pieces of cells of several classes, and the decision boundary."""
    if not 1 <= cells.network.num_classes <= MOST_CLASSES:
        return None
    regions, boundary, classes = class_regions(cells), decision_boundary(cells), np.asarray(cells.classes)
    cut = np.bincount(regions.cells, minlength=len(cells))[regions.cells] > 1
    sizes = np.diff(regions.offsets)
    packer.add("classes", classes[order], 2)
    packer.add("pieces.sizes", sizes[cut], 4)
    packer.add("pieces.classes", regions.classes[cut], 2)
    frame.add(packer, "pieces", regions.points[np.repeat(cut, sizes)])
    frame.add(packer, "boundary", boundary.segments.reshape(-1, 2))
    count = int(max(classes.max(initial=0), regions.classes.max(initial=0))) + 1
    present = np.union1d(classes, regions.classes).tolist()
    return {
        "present": present,
        "names": [cells.network.class_name(label) for label in range(count)],
        "colors": _bytes(class_colors(count)),
    }


def _anchors(cells: PlanarComplex) -> list[dict[str, Any]]:
    """Places, names and pictures of the points that the slice goes through."""
    if cells.domain.anchors is None:
        return []
    pictures = anchor_images(cells)
    found = []
    for number, place in enumerate(np.asarray(cells.domain.anchors)):
        anchor: dict[str, Any] = {"name": chr(ord("A") + number % 26), "place": [float(part) for part in place]}
        if pictures:
            anchor["picture"] = _png(pictures[number])
        found.append(anchor)
    return found


def _png(pixels: np.ndarray) -> str:
    """A picture as a data address."""
    import base64
    from io import BytesIO

    from matplotlib.image import imsave

    buffer = BytesIO()
    imsave(buffer, np.clip(pixels, 0, 1), format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _add_maps(packer: Packer, cells: PlanarComplex, order: np.ndarray) -> bool:
    """Append the affine maps of all cells in the domain's coordinates, where a page can hold them."""
    outputs = int(cells.vertex_outputs.shape[1])
    if 3 * outputs * len(cells) > MAP_NUMBERS:
        return False
    maps = cells.affine_maps()
    packer.add_floats("maps.A", maps.A[order].ravel())
    packer.add_floats("maps.c", maps.c[order].ravel())
    return True


def _bytes(colors: np.ndarray) -> list[list[int]]:
    """Colours as [n, 3] whole numbers from 0 to 255."""
    table: list[list[int]] = np.rint(np.asarray(colors)[:, :3] * 255).astype(int).tolist()
    return table


def _palettes() -> dict[str, list[list[int]]]:
    """Colour maps by name, in 64 steps, which the page blends."""
    from matplotlib import colormaps

    steps = np.linspace(0, 1, 64)
    return {name: _bytes(colormaps[source](steps)) for name, source in _PALETTES.items()}
