"""What a page knows of a planar complex: cells along a Hilbert curve, rings, folds, colours, and what a cell says."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from splinescope.plotting.thumbnails import anchor_images
from splinescope.tessellation.affine import norms
from splinescope.tessellation.boundary import class_regions, decision_boundary
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.viewer.packing import Packer, hilbert_order
from splinescope.viewer.page_record import Patterns, add_measure, class_record, facts_of, layer_record, layers_of, mixed
from splinescope.viewer.weights import chain_of

COORDINATE_BYTES = 6
"""Bytes of a coordinate: 48 bits of its share of the domain's extent, which browsers draw as two exact float32."""

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

    def shares(self, points: np.ndarray, width: int = COORDINATE_BYTES) -> np.ndarray:
        """[n, d] positions as whole numbers of `width` bytes."""
        most = float((1 << 8 * width) - 1)
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
    packer, frame = Packer(), ViewFrame.around(cells.domain.corners)
    order = hilbert_order(cells.interior_points)
    numbers = _add_rings(packer, frame, cells, order)
    counts = {"cells": len(cells), "edges": len(cells.edges), "vertices": len(cells.vertices)}
    record: dict[str, Any] = {
        "kind": "planar",
        "frame": {"low": frame.low.tolist(), "extent": frame.extent.tolist()},
        "counts": counts,
        "axes": list(cells.domain.names or ("t1", "t2")),
        "facts": facts_of(cells, ", ".join(f"{count:,} {what}" for what, count in counts.items())),
        "network": {"inputs": list(cells.network.input_shape), "outputs": int(cells.vertex_outputs.shape[1])},
    }
    packer.add("numbers", order, 4)
    layers = layers_of(cells)
    patterns = Patterns.of(len(cells), layers, cells.patterns_of)
    record["layers"] = _add_patterns(packer, cells, patterns, order, numbers)
    packer.add("pattern", patterns.colors[order], 1)
    measures = {"norm": (norms(cells), "spectral norm of A"), "area": (np.asarray(cells.measures), "area of the cell")}
    measures |= {name: (np.asarray(found, float), name) for name, found in values.items()}
    record["measures"] = [
        add_measure(packer, key, number[order], label, cells.measures[order], stored=key != "area")
        for key, (number, label) in measures.items()
    ]
    record["classes"] = _add_classes(packer, frame, cells, order)
    record["anchors"] = _anchors(cells)
    record["maps"], record["weights"] = _add_maps(packer, cells, order, record["layers"]["flips"])
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


def _add_patterns(
    packer: Packer, cells: PlanarComplex, patterns: Patterns, order: np.ndarray, numbers: np.ndarray
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
    found = _edge_order(cells, order, numbers)
    first = _firsts_of_folds(cells, found)
    follows = (first < np.arange(len(found))) & (unit[found[first]] == unit[found])
    packer.add("edge_units", np.where(follows, 0, unit[found] + 1), 4)
    pairs, hashes = cells.edge_cells[inner], patterns.hashes
    flips = bool(
        len(cells)
        and connected_components(cells.adjacency, directed=False)[0] == 1
        and (hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]] == mixed(unit[inner] - 1)).all()
    )
    if flips:
        packer.add("root", cells.patterns_of(order[:1])[0], 1)
    else:
        patterns.add(packer, order)
    root_hash = int(hashes[order[0]]) if len(cells) else 0
    return layer_record(layers_of(cells), flips=flips, root_hash=root_hash)


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


def _firsts_of_folds(cells: PlanarComplex, found: np.ndarray) -> np.ndarray:
    """[E] place in the order `found` of the first edge of each edge's fold, as far as it goes on beyond crossings.

    Four edges meet in a crossing; two that share no cell go on from one another.
    """
    ends, count = cells.edges[found].ravel(), len(found)
    degrees = np.bincount(ends, minlength=len(cells.vertices))
    meeting = (np.argsort(ends, kind="stable")[degrees[np.sort(ends)] == 4] // 2).reshape(-1, 4)
    one, two = (meeting[:, list(places)].ravel() for places in zip(*itertools.combinations(range(4), 2), strict=True))
    sides = cells.edge_cells[found]
    shared = (sides[one, :, None] == sides[two][:, None, :]) & (sides[one, :, None] >= 0)
    apart = ~shared.any(axis=(1, 2))
    graph = coo_array((np.ones(int(apart.sum()), bool), (one[apart], two[apart])), shape=(count, count))
    folds = connected_components(graph, directed=False)[1]
    return np.unique(folds, return_index=True)[1][folds] if count else np.zeros(0, np.int64)


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
    return class_record(cells.network, np.union1d(classes, regions.classes))


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
    packer: Packer, cells: PlanarComplex, order: np.ndarray, flips: bool
) -> tuple[str | None, list[dict[str, Any]] | None]:
    """Append the affine maps of all cells, or the weights of which the page makes them, where a page can hold either.

    Returns:
        Which of both, and the stages of weights.
    """
    numbers = 3 * int(cells.vertex_outputs.shape[1]) * len(cells)
    if numbers > FEW_MAP_NUMBERS and flips:
        stages = chain_of(cells.network, cells.domain)
        if stages is not None and (numbers > MAP_NUMBERS or sum(stage.matrix.size for stage in stages) < numbers):
            return "weights", [stage.add(packer, number) for number, stage in enumerate(stages)]
    if numbers > MAP_NUMBERS:
        return None, None
    maps = cells.affine_maps()
    packer.add_floats("maps.A", maps.A[order].ravel())
    packer.add_floats("maps.c", maps.c[order].ravel())
    return "stored", None
