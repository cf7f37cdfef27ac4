"""The exact count: folds and cells in a section of the neighbourhood, by the tessellation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from splinescope.network.graph import Network
from splinescope.progress import each
from splinescope.tessellation.codes import units_that_change
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar import tessellate_slices
from splinescope.tessellation.segments import tessellate_segments
from splinescope.tessellation.spatial import tessellate_polytope

SEGMENTS = 4096
"""Segments that are cut at once."""


class SectionCounter:
    """Cuts the network's tessellation in sections of the neighbourhoods of many points.

    Args:
        network: The network.
        frame: [P, *input_shape] orthonormal directions.
        radius: Radius of the neighbourhood.
        dimension: 1 for the P segments along the directions, 2 or 3 for the span of the first ones.
        progress: Whether to show a bar on long work.
    """

    def __init__(
        self, network: Network, frame: Float[np.ndarray, "P ..."], radius: float, dimension: int, progress: bool
    ) -> None:
        self._network, self._frame, self._radius, self._dimension = network, frame, radius, dimension
        self._folding = [i for i, node in enumerate(network.nodes[: network.output + 1]) if node.units]
        self._progress = progress

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the nodes that fold."""
        return tuple(self._network.nodes[index].name for index in self._folding)

    @property
    def points_at_once(self) -> int:
        """Points that are worth taking together."""
        return max(1, SEGMENTS // len(self._frame)) if self._dimension == 1 else SEGMENTS

    def cuts(self, x: Float[np.ndarray, "n ..."]) -> tuple[list[Bool[np.ndarray, "n _"]], Int[np.ndarray, " n"]]:
        """Which units fold in the section around each point, and how many cells there are.

        Args:
            x: Points.

        Returns:
            One matrix for each layer, and the numbers of cells.
        """
        cuts = {i: np.zeros((len(x), self._network.nodes[i].units), dtype=bool) for i in self._folding}
        counted = {1: self._along_segments, 2: self._in_planes}.get(self._dimension, self._in_spaces)(x, cuts)
        return list(cuts.values()), counted

    def _in_spaces(self, x: np.ndarray, cuts: dict[int, np.ndarray]) -> np.ndarray:
        d = self._dimension
        corners = self._radius * np.concatenate([np.eye(d), -np.eye(d)])
        counted = np.zeros(len(x), dtype=np.int64)
        for row in each(range(len(x)), "points", self._progress):
            space = tessellate_polytope(self._network, Slice(x[row], self._frame[:d], corners), verify="topology")
            counted[row] = len(space)
            for codes in space.codes:
                if codes.node in cuts:
                    cuts[codes.node][row] = units_that_change(self._network, codes, np.array([0, len(space)]))[0]
        return counted

    def _in_planes(self, x: np.ndarray, cuts: dict[int, np.ndarray]) -> np.ndarray:
        polygon = self._radius * np.concatenate([np.eye(2), -np.eye(2)])
        domains = [Slice(point, self._frame[:2], polygon) for point in x]
        found = tessellate_slices(self._network, domains, verify="topology", progress=self._progress)
        if len(found) < len(x):
            raise KeyboardInterrupt
        for op in self._folding:
            cuts[op] |= found.folding(op)
        return np.asarray(found.cells_per_slice)

    def _along_segments(self, x: np.ndarray, cuts: dict[int, np.ndarray]) -> np.ndarray:
        """Segments $x - r v_p$ to $x + r v_p$; the cell that has x, which is in all of them, counts once."""
        p = len(self._frame)
        arms = self._radius * self._frame
        ends = ((x[:, None] + sign * arms).reshape(-1, *x.shape[1:]) for sign in (-1, 1))
        found = tessellate_segments(self._network, *ends, verify="topology")
        per_vertex = np.diff(found.flip_offsets)
        vertex = np.repeat(np.arange(len(found.t)), per_vertex)
        point = (np.searchsorted(found.offsets, vertex, side="right") - 1) // p
        for op in np.unique(found.flip_op):
            mine = found.flip_op == op
            cuts[int(op)][point[mine], found.flip_unit[mine]] = True
        counted: np.ndarray = (np.asarray(found.cells_per_segment).reshape(-1, p) - 1).sum(axis=1) + 1
        return counted
