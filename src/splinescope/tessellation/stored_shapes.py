"""Which arrays of stored cells fit together: their shapes, and what their numbers may refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from splinescope.geometry.bits import words_for
from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.storage import are_offsets, check_shapes, within
from splinescope.tessellation.codes import NodeCodes

_VERTICES = {
    "interior_points": "f cells d",
    "vertices": "f vertices d",
    "vertex_outputs": "f vertices outputs",
    "cell_vertices": "i corners",
    "cell_offsets": "i cells+1",
    "measures": "f cells",
}
_FLIPS = {"flip_offsets": "i vertices+1", "flip_op": "i flips", "flip_unit": "i flips"}
_SHAPES = {
    "PlanarComplex": {
        **_VERTICES,
        "edges": "i edges 2",
        "edge_cells": "i edges 2",
        "edge_op": "i edges",
        "edge_unit": "i edges",
    },
    "SegmentComplex": _VERTICES | _FLIPS,
    "SpatialComplex": {
        **_VERTICES,
        "edges": "i edges 2",
        "facet_cells": "i facets 2",
        "facet_op": "i facets",
        "facet_unit": "i facets",
    },
    "SegmentBatch": {
        "offsets": "i segments+1",
        "t": "f vertices",
        "vertex_outputs": "f vertices outputs",
        "truncated": "b segments",
        **_FLIPS,
    },
    "RegionGraph": {
        "keys": "u cells width",
        "interior_points": "f cells d",
        "chebyshev_radii": "f cells",
        "facet_offsets": "i cells+1",
        "facet_op": "i facets",
        "facet_unit": "i facets",
        "facet_neighbours": "i facets",
        "facet_halfspaces": "f facets d+1",
        "facet_points": "f facets d",
        "facet_uncertainties": "f facets",
        "further_facets": "i further",
        "further_op": "i further",
        "further_unit": "i further",
    },
}
_REFERENCES = {
    "cell_vertices": (0, "vertices"),
    "edges": (0, "vertices"),
    "edge_cells": (-1, "cells"),
    "facet_cells": (-1, "cells"),
    "facet_neighbours": (-2, "cells"),
    "further_facets": (0, "facets"),
    **{f"{name}_op": (-1, "nodes") for name in ("edge", "facet", "flip", "further")},
}
"""Least number and what is counted, for arrays that hold numbers of other things."""

_FINITE = {"interior_points", "vertices", "t", "facet_points", "facet_halfspaces"}

_OFFSETS = {
    "cell_offsets": "corners",
    "flip_offsets": "flips",
    "facet_offsets": "facets",
    "offsets": "vertices",
}


def check_cells(kind: str, values: Mapping[str, Any], network: Network) -> None:
    """Refuse arrays that do not fit together, before anything is made of them.

    Args:
        kind: What the cells are.
        values: Their attributes by name.
        network: Their network.

    Raises:
        ValueError: If an array is missing or of another shape, or refers to what is not there.
    """
    if not isinstance(values["tolerance"], Tolerance) or not hasattr(values["domain"], "corners"):
        raise ValueError("its domain or its tolerance is none")
    sizes = {"nodes": len(network.nodes)}
    if kind != "SegmentBatch":
        sizes["d"] = values["domain"].dimension
    shapes = _SHAPES[kind]
    check_shapes(values, shapes, sizes)
    if not all(np.isfinite(values[name]).all() for name in _FINITE & shapes.keys()):
        raise ValueError("coordinates are not finite")
    if "measures" in shapes and sizes["cells"] and not (np.ptp(values["vertices"], axis=0) > 0).all():
        raise ValueError("its vertices lie in one plane")
    for name in shapes:
        if name in _REFERENCES and not within(values[name], _REFERENCES[name][0], sizes[_REFERENCES[name][1]]):
            raise ValueError(f"`{name}` refers to {_REFERENCES[name][1]} that are not there")
        if name in _OFFSETS and not are_offsets(values[name], sizes[_OFFSETS[name]]):
            raise ValueError(f"`{name}` are no starts of lists")
    cells = len(values["interior_points"]) if "interior_points" in values else sizes["vertices"] - sizes["segments"]
    for codes in values.get("codes", ()):
        _check_codes(codes, cells, sizes["nodes"])


def _check_codes(codes: Any, cells: int, nodes: int) -> None:
    if not (isinstance(codes.node, int) and 0 <= codes.node < nodes):
        raise ValueError("`codes` are of a node that is not there")
    sizes = {"cells": cells}
    if isinstance(codes, NodeCodes):
        check_shapes(vars(codes), {"base": "u bits", "columns": "i stored", "words": "u cells words"}, sizes)
        fits = within(codes.columns, 0, sizes["bits"]) and sizes["words"] >= words_for(sizes["stored"])
    else:
        shapes = {"base": "u bits", "first": "u segments words", "starts": "i segments+1", "flip_offsets": "i cells+1"}
        check_shapes(vars(codes), shapes | {"flips": "i flips"}, sizes)
        fits = within(codes.flips, 0, sizes["bits"]) and sizes["words"] >= words_for(sizes["bits"])
        fits = fits and are_offsets(codes.starts, cells) and are_offsets(codes.flip_offsets, sizes["flips"])
    if not fits:
        raise ValueError("`codes` do not fit together")
