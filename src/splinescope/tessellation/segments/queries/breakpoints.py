"""The breakpoints of segments as a table: where, and which units of which layers flip there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.shown import Shown
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.complex import SegmentComplex


@dataclass(frozen=True)
class Breakpoints(Shown):
    """One row for each unit that flips; units that flip at one point have rows of their own.

    Attributes:
        segments: Number of the segment.
        t: Parameter at which the unit flips.
        ops: Node of the unit, an index into `network.nodes`.
        units: Flat index of the unit in that node's output.
        layers: Number of the node among those that fold, from 0 at the input.
        names: Name of the node of each layer.
    """

    segments: Int[np.ndarray, " flips"]
    t: Float[np.ndarray, " flips"]
    ops: Int[np.ndarray, " flips"]
    units: Int[np.ndarray, " flips"]
    layers: Int[np.ndarray, " flips"]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.t)

    def labels(self) -> list[str]:
        """Name and unit of each row, such as "relu_1[17]"."""
        return [f"{self.names[layer]}[{unit}]" for layer, unit in zip(self.layers, self.units, strict=True)]


def breakpoints(cells: SegmentComplex | SegmentBatch) -> Breakpoints:
    """Say where along segments which units flip.

    Args:
        cells: The cells of one segment or of many.

    Returns:
        The table, in order of the segments and along each.

    Cost: linear in the number of flips.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> table = breakpoints(cells)
        >>> table.t.tolist(), table.units.tolist()
        ([0.25, 0.5], [0, 1])
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    counts = np.diff(batch.flip_offsets)
    nodes = np.array([codes.node for codes in batch.codes], np.int64)
    return Breakpoints(
        np.repeat(batch.vertex_segments, counts),
        np.repeat(batch.t, counts),
        batch.flip_op,
        batch.flip_unit,
        np.searchsorted(nodes, batch.flip_op),
        tuple(batch.network.nodes[node].name for node in nodes),
    )
