"""Planar complexes of one network, laid side by side as the engine lays them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splinescope.tessellation.codes import merged
from splinescope.tessellation.planar.batch import PlanarBatch
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.slices import Slices


def side_by_side(complexes: Sequence[PlanarComplex]) -> PlanarBatch:
    """The batch whose slices are these complexes, right or wrong."""
    cells, vertices, edges, corners = (
        np.concatenate([[0], np.cumsum([len(getattr(one, name)) for one in complexes])])
        for name in ("measures", "vertices", "edges", "cell_vertices")
    )

    def joined(name: str, shifts: np.ndarray | None = None) -> np.ndarray:
        parts = [np.asarray(getattr(one, name)) for one in complexes]
        if shifts is None:
            return np.concatenate(parts)
        moved = [np.where(part >= 0, part + shift, part) for part, shift in zip(parts, shifts, strict=False)]
        return np.concatenate(moved)

    first = complexes[0]
    plain = ("vertices", "vertex_outputs", "edge_op", "edge_unit", "interior_points", "measures")
    offsets = [np.asarray(one.cell_offsets)[:-1] + shift for one, shift in zip(complexes, corners, strict=False)]
    return PlanarBatch(
        network=first.network,
        slices=Slices(tuple(one.domain for one in complexes)),
        cell_starts=cells,
        vertex_starts=vertices,
        edge_starts=edges,
        cell_vertices=joined("cell_vertices", vertices),
        cell_offsets=np.concatenate([*offsets, corners[-1:]]),
        edges=joined("edges", vertices),
        edge_cells=joined("edge_cells", cells),
        codes=tuple(merged([one.codes[i] for one in complexes]) for i in range(len(first.codes))),
        tolerance=first.tolerance,
        truncated=np.array([one.truncated for one in complexes]),
        **{name: joined(name) for name in plain},
    )
