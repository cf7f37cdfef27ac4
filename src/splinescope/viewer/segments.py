"""What a page knows of a segment: outputs, margin and norms along it, and the units that flip."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.plotting.colors import class_colors
from splinescope.plotting.segments import SegmentProfile, segment_profile
from splinescope.tessellation.affine import norms
from splinescope.tessellation.segments import SegmentComplex
from splinescope.viewer.packing import Packer
from splinescope.viewer.page_record import Patterns, class_record, facts_of, layer_record, layers_of, whole_bytes

SHARE_BYTES = 6
"""Bytes of a place along the segment, as of a coordinate of a plane."""

LINE_NUMBERS = 2_000_000
"""Numbers of outputs that a page holds; of more, it has the outputs that lead somewhere."""


def segment_page(cells: SegmentComplex, values: dict[str, np.ndarray]) -> tuple[dict[str, Any], Packer]:
    """What the page shows: a record for JSON, and arrays.

    Args:
        cells: The cells of a segment.
        values: Further numbers, one for each cell, by their label.

    Returns:
        The record and the arrays.
    """
    packer, profile, layers = Packer(), segment_profile(cells), layers_of(cells)
    add_places(packer, "t", cells.t)
    labels = profile.labels if profile.lines.size <= LINE_NUMBERS else profile.colored
    columns = [int(np.flatnonzero(profile.labels == label)[0]) for label in labels]
    packer.add_floats("outputs", profile.lines[:, columns].T.ravel())
    packer.add("flips.sizes", np.diff(cells.flip_offsets), 4)
    packer.add("flips.units", _units(cells), 4)
    Patterns.of(len(cells), layers, cells.patterns_of).add(packer)
    if len(profile.margin):
        add_places(packer, "margin.t", profile.bends)
        packer.add_floats("margin", profile.margin)
    panels = {"norm of A": norms(cells), **values}
    for number, column in enumerate(panels.values()):
        packer.add_doubles(f"panel.{number}", np.asarray(column, float))
    counts = {"cells": len(cells), "flips": len(cells.flip_op)}
    record: dict[str, Any] = {
        "kind": "segment",
        "counts": counts,
        "axes": [cells.domain.names[0] if cells.domain.names else "position t along the segment"],
        "facts": facts_of(cells, ", ".join(f"{count:,} {what}" for what, count in counts.items())),
        "layers": layer_record(layers),
        "labels": _labels(profile, labels),
        "margin": profile.name_of(profile.target or 0) if len(profile.margin) else None,
        "covered": list(profile.covered),
        "panels": list(panels),
        "measures": [],
        "classes": None,
    }
    if profile.intervals is not None:
        add_places(packer, "intervals", profile.intervals.start)
        packer.add("intervals.classes", profile.intervals.classes, 2)
        record["classes"] = class_record(cells.network, np.union1d(profile.colored, profile.intervals.classes))
    return record, packer


def add_places(packer: Packer, name: str, places: np.ndarray) -> None:
    """Append places along the segment, in ascending order."""
    most = float((1 << 8 * SHARE_BYTES) - 1)
    packer.add(name, np.rint(np.clip(places, 0, 1) * most).astype(np.uint64), SHARE_BYTES, differences=True)


def _units(cells: SegmentComplex) -> np.ndarray:
    """Number of each unit that flips among those of all layers."""
    starts = dict.fromkeys(range(len(cells.network.nodes)), 0) | {node: at for node, at, _ in cells.pattern_nodes}
    return np.array([starts[int(node)] for node in cells.flip_op], np.int64) + cells.flip_unit


def _labels(profile: SegmentProfile, labels: np.ndarray) -> list[dict[str, Any]]:
    """Name and colour of each output: that of its class where it leads, one of its own where outputs are no classes."""
    colored = [] if len(labels) == 1 else profile.colored.tolist()
    own = dict(zip(colored, whole_bytes(class_colors(len(colored))), strict=True))
    by_class = profile.intervals is not None
    return [
        {
            "name": profile.name_of(label),
            "class": label if by_class and label in own else None,
            "color": None if by_class else own.get(label),
        }
        for label in map(int, labels)
    ]
