"""What a page knows of a planar complex: cells along a Hilbert curve, rings, folds, colours, and what a cell says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from splinescope.plotting.colors import color_steps
from splinescope.plotting.thumbnails import anchor_images
from splinescope.tessellation.affine import norms
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.metric import isometry
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.viewer.measures import LEVELS, measure_of
from splinescope.viewer.packing import Packer, hilbert_order
from splinescope.viewer.page_record import Patterns, facts_of, layer_record, layers_of, mixed
from splinescope.viewer.pattern_hashes import hashes_of_bits
from splinescope.viewer.pieces import add_pieces
from splinescope.viewer.plane_coding import PageRings, coded_plane, unit_bits
from splinescope.viewer.weights import chain_of

MAP_NUMBERS = 600_000
"""Numbers of affine maps up to which a page holds those of all cells."""

FEW_MAP_NUMBERS = 60_000
"""Numbers of affine maps up to which they are stored, however few the weights are."""

MOST_CLASSES = 1000
"""Outputs up to which they are taken for classes."""


@dataclass(frozen=True)
class ViewFrame:
    """The rectangle or box around a domain, in which coordinates are shares.

    Attributes:
        low: [d] its lower left corner.
        extent: [d] its sides.
    """

    low: np.ndarray
    extent: np.ndarray

    @classmethod
    def around(cls, points: np.ndarray) -> ViewFrame:
        """The rectangle of some points."""
        low = points.min(axis=0)
        return cls(low, np.maximum(points.max(axis=0) - low, np.finfo(float).tiny))

    def shares(self, points: np.ndarray, bits: int) -> np.ndarray:
        """[n, d] positions as whole numbers of so many bits."""
        most = float((1 << bits) - 1)
        return np.rint(np.clip((points - self.low) / self.extent, 0, 1) * most).astype(np.uint64)


@dataclass(frozen=True)
class Detail:
    """How much a page keeps of each cell.

    Attributes:
        bits: Bits of a coordinate.
        levels: The largest whole number of a measure.
        numbers: Whether cells have their numbers.
        maps: Whether they have affine maps.
        note: What the page says of it.
    """

    bits: int = 48
    levels: int = LEVELS
    numbers: bool = True
    maps: bool = True
    note: str = ""

    @property
    def width(self) -> int:
        """Bytes of a coordinate."""
        return -(-self.bits // 8)


WHOLE = Detail()
"""All there is: 48 bits of the domain's extent, which browsers draw as two exact float32."""

SHOWN = Detail(20, 254, numbers=False, maps=False, note="; kept for the eye: 20 bits, no numbers, no maps")
"""What is seen of a frame among many."""


def planar_page(cells: PlanarComplex, values: dict[str, np.ndarray], detail: Detail) -> tuple[dict[str, Any], Packer]:
    """What the page shows: a record for JSON, and arrays.

    Args:
        cells: A planar complex.
        values: Further numbers, one for each cell, by their label.
        detail: How much of each cell is kept.

    Returns:
        The record and the arrays.
    """
    packer, frame = Packer(), ViewFrame.around(cells.domain.corners)
    counts = {"cells": len(cells), "edges": len(cells.edges), "vertices": len(cells.vertices)}
    unit = edge_units(cells)
    measures = {"norm": (norms(cells), "spectral norm of A"), "area": (np.asarray(cells.measures), "area of the cell")}
    measures |= {name: (np.asarray(found, float), name) for name, found in values.items()}
    stored = {
        key: measure_of(key, number, label, cells.measures, detail.levels) for key, (number, label) in measures.items()
    }
    rings, coding = _add_plane(packer, frame, cells, detail, unit, {key: found[0] for key, found in stored.items()})
    order = rings.order
    record: dict[str, Any] = {
        "kind": "planar",
        "frame": {"low": frame.low.tolist(), "extent": frame.extent.tolist()},
        "counts": counts,
        "axes": list(cells.domain.names or ("t1", "t2")),
        "facts": facts_of(cells, ", ".join(f"{count:,} {what}" for what, count in counts.items())) + detail.note,
        "network": {"inputs": list(cells.network.input_shape), "outputs": int(cells.vertex_outputs.shape[1])},
        "coding": coding,
        "classes": None,
    }
    if detail.numbers:
        packer.add("numbers", order, 4)
    record["layers"] = _add_patterns(packer, cells, order, unit)
    record["measures"] = [found for _, found in stored.values()]
    if 1 <= cells.network.num_classes <= MOST_CLASSES:
        shares = partial(frame.shares, bits=detail.bits)
        record["classes"] = add_pieces(packer, cells, shares, detail.width, order, (rings.corners, rings.offsets))
    record["anchors"] = _anchors(cells)
    record["maps"], record["weights"], record["units"] = None, None, units_of(cells)
    if detail.maps:
        flips = record["layers"]["flips"]
        record["maps"], record["weights"] = _add_maps(packer, cells, frame.low, order, flips)
    return record, packer


def units_of(cells: PolyhedralComplex) -> list[list[float]]:
    """[d, d] what makes the slopes of an affine map, by coordinates, those by Euclidean units of the input."""
    found: list[list[float]] = np.linalg.inv(isometry(cells)).T.tolist()
    return found


def edge_units(cells: PlanarComplex) -> np.ndarray:
    """[E] unit of each edge among those of all layers plus one; 0 on the border, and for what made no pattern."""
    layout = cells.pattern_nodes
    nodes, starts = np.array([node for node, _, _ in layout], np.int64), np.array([at for _, at, _ in layout], np.int64)
    if not (layout and layout[-1][2]):
        return np.zeros(len(cells.edges), np.int64)
    layer = np.minimum(np.searchsorted(nodes, cells.edge_op), len(nodes) - 1)
    inner = (cells.edge_cells >= 0).all(axis=1)
    return np.where(inner & (cells.edge_op >= 0), starts[layer] + cells.edge_unit + 1, 0)


def _add_plane(
    packer: Packer,
    frame: ViewFrame,
    cells: PlanarComplex,
    detail: Detail,
    unit: np.ndarray,
    stored: dict[str, np.ndarray],
) -> tuple[PageRings, dict[str, Any]]:
    """Append rings, places, units of edges and measures; how, and the rings in the order of the page."""
    shares, kept = frame.shares(cells.vertices, detail.bits), [key for key in stored if key != "area"]
    stops = [stop for _, _, stop in cells.pattern_nodes]
    coded = coded_plane(cells, shares, detail.bits, unit, stops, [stored[key] for key in kept])
    coding = {"bits": detail.bits, "levels": detail.levels, "measures": kept, "coded": coded is not None}
    if coded is not None:
        packer.add_bytes("plane", coded.data)
        return coded.rings, {**coding, "unit_bits": unit_bits(stops)}
    rings = PageRings.of(cells, hilbert_order(cells.interior_points))
    found, numbers = _add_rings(packer, cells, rings)
    for axis, letter in enumerate("xy"):
        packer.add(f"vertices.{letter}", shares[found][:, axis], detail.width, differences=True)
    edges = _edge_order(cells, rings, numbers)
    packer.add("edge_units", unit[edges], 4)
    for key in kept:
        packer.add(f"measure.{key}", stored[key][rings.order], 2)
    return rings, {**coding, "unit_bits": 0}


def _add_rings(packer: Packer, cells: PlanarComplex, rings: PageRings) -> tuple[np.ndarray, np.ndarray]:
    """Append the cells' corners; vertices are numbered as they come. Returns these, and the number of each vertex."""
    corners = rings.corners
    found, first = np.unique(corners, return_index=True)
    by_appearance = np.argsort(first)
    numbers = np.full(len(cells.vertices), -1, np.int64)
    numbers[found[by_appearance]] = np.arange(len(found))
    new = np.zeros(len(corners), np.int64)
    new[first] = 1
    packer.add("sizes", np.diff(rings.offsets), 4)
    packer.add("corners", np.cumsum(new) - new - numbers[corners], 4)
    return found[by_appearance], numbers


def _add_patterns(packer: Packer, cells: PlanarComplex, order: np.ndarray, unit: np.ndarray) -> dict[str, Any]:
    """Append what tells the patterns of all cells: the first one's where units flip at edges, else what is told."""
    layers, root = layers_of(cells), int(order[0]) if len(order) else 0
    hashes = hashes_of_bits(cells)
    if hashes is not None and _flips(cells, hashes, unit):
        pieces = cells.patterns_of(order[:1])[0]
        packer.add_bytes("root", pieces)
        packer.add_bytes("color_steps", color_steps(len(pieces)))
        return layer_record(layers, flips=True, root_hash=int(hashes[root]))
    patterns = Patterns.of(len(cells), layers, cells.patterns_of)
    patterns.add(packer, order)
    packer.add_bytes("pattern", patterns.colors[order])
    return layer_record(layers)


def _flips(cells: PlanarComplex, hashes: np.ndarray, unit: np.ndarray) -> bool:
    """Whether the patterns beside each edge differ in its unit alone, so that one pattern tells all."""
    inner = (cells.edge_cells >= 0).all(axis=1)
    pairs = cells.edge_cells[inner]
    changed = hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]
    if not len(cells) or (changed != mixed(np.maximum(unit[inner], 1) - 1)).any() or (unit[inner] == 0).any():
        return False
    return int(connected_components(cells.adjacency, directed=False)[0]) == 1


def _edge_order(cells: PlanarComplex, rings: PageRings, numbers: np.ndarray) -> np.ndarray:
    """The edges as the page finds them: as their sides come up along the rings."""
    sizes, firsts = np.diff(rings.offsets), rings.offsets[:-1]
    onward = np.arange(1, len(rings.corners) + 1)
    onward[rings.offsets[1:] - 1] = firsts[sizes > 0]
    here = numbers[rings.corners]
    following = here[onward]
    count = len(cells.vertices)
    sides = np.minimum(here, following) * count + np.maximum(here, following)
    keys, first = np.unique(sides, return_index=True)
    ends = np.sort(numbers[cells.edges], axis=1)
    known = ends[:, 0] * count + ends[:, 1]
    by_key = np.argsort(known)
    found = by_key[np.searchsorted(known, keys, sorter=by_key)]
    return found[np.argsort(first)]


def _anchors(cells: PlanarComplex) -> list[dict[str, Any]]:
    """Places, names and pictures of the points that the slice goes through."""
    if cells.domain.anchors is None:
        return []
    pictures = anchor_images(cells)
    found = []
    for number, place in enumerate(np.asarray(cells.domain.anchors)):
        anchor: dict[str, Any] = {"name": chr(ord("A") + number % 26), "place": [float(part) for part in place]}
        if pictures:
            anchor["picture"] = png_address(pictures[number])
        found.append(anchor)
    return found


def png_address(pixels: np.ndarray) -> str:
    """A picture as a data address."""
    import base64
    from io import BytesIO

    from matplotlib.image import imsave

    buffer = BytesIO()
    imsave(buffer, np.clip(pixels, 0, 1), format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _add_maps(
    packer: Packer, cells: PlanarComplex, low: np.ndarray, order: np.ndarray, flips: bool
) -> tuple[str | None, list[dict[str, Any]] | None]:
    """Append the affine maps of all cells, or the weights of which the page makes them, where a page can hold either.

    Coordinates count from the frame's corner `low`, as far from zero an offset would hold none of the outputs' digits.

    Returns:
        Which of both, and the stages of weights.
    """
    numbers = 3 * int(cells.vertex_outputs.shape[1]) * len(cells)
    if numbers > FEW_MAP_NUMBERS and flips:
        stages = chain_of(cells.network, cells.domain)
        if stages is not None and (numbers > MAP_NUMBERS or sum(stage.matrix.size for stage in stages) < numbers):
            stages[0] = replace(stages[0], offset=stages[0].offset + stages[0].matrix @ low)
            return "weights", [stage.add(packer, number) for number, stage in enumerate(stages)]
    if numbers > MAP_NUMBERS:
        return None, None
    maps = cells.affine_maps()
    packer.add_floats("maps.A", maps.A[order].ravel())
    packer.add_floats("maps.c", (maps.c + maps.A @ low)[order].ravel())
    return "stored", None
