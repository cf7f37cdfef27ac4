"""Which cells may still meet a target, asked after every layer, before they are cut further.

On each cell the nodes so far are affine and known at its vertices; from there on bounds hold (`surface.pruning`).
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from jaxtyping import Bool, Int

from splinescope.network.graph import Network, Node
from splinescope.network.ops import Dense
from splinescope.numerics import Tolerance
from splinescope.preimage.targets.marks import Marks
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.surface.pruning import may_meet
from splinescope.tessellation.surface.rounding import doubtful_outputs
from splinescope.tessellation.surface.targets import Cells, Sought

_SEVERAL = 4.0
"""Rounding errors that add up: of bounds, of the network itself, and of its last layer's product with the target."""


class Exceeded(Exception):  # noqa: N818 - no error, and never leaves this package
    """A part of the domain has more cells, or took more time or memory, than it may."""


def give_up() -> None:
    """What an engine calls before it leaves out cells for want of memory.

    Raises:
        Exceeded: Always.
    """
    raise Exceeded


class OutputSet(Sought):
    """A target as bounds see it: the rows of all alternatives, one after the other.

    Args:
        marked: The target.
        margin: [rows] how far beyond counts, too.
    """

    def __init__(self, marked: Marks, margin: np.ndarray) -> None:
        self._parts, start = [], 0
        for one in marked.alternatives:
            stop = start + len(one.halfspaces) + len(one.equalities)
            self._parts.append((slice(start, start + len(one.halfspaces)), slice(start + len(one.halfspaces), stop)))
            start = stop
        self._margin = margin

    def may_meet(self, low: np.ndarray, high: np.ndarray, cells: Cells) -> np.ndarray:
        """Whether no row of some alternative is certainly missed."""
        least, most = cells.least(low) - self._margin, cells.largest(high) + self._margin
        found = np.zeros(len(least), bool)
        for below, beside in self._parts:
            met = (least[:, below] <= 0).all(axis=1)
            found |= met & (least[:, beside] <= 0).all(axis=1) & (most[:, beside] >= 0).all(axis=1)
        return found


class Pruner:
    """What an engine asks after every activation.

    Args:
        network: The network.
        marked: The same with its target.
        domain: The part of the domain that is cut.
        most: Cells that there may be at once.
        deadline: When to stop, by the monotonic clock.

    Attributes:
        dropped: How many cells were dropped so far.
    """

    def __init__(self, network: Network, marked: Marks, domain: Domain, most: float, deadline: float) -> None:
        self._rows = with_rows(network, marked)
        error = doubtful_outputs(self._rows, domain, Tolerance().safety).error
        self._target = OutputSet(marked, _SEVERAL * error)
        self._marked, self._last = marked, network.output
        self._most, self._deadline, self.dropped = most, deadline, 0

    def keep(
        self,
        node: int,
        rows: dict[int, np.ndarray],
        cell_vertices: Int[np.ndarray, " corners"],
        cell_offsets: Int[np.ndarray, " _"],
    ) -> Bool[np.ndarray, " cells"]:
        """Which cells to keep; at least one, since there has to be one.

        Raises:
            Exceeded: If these are too many, or it is too late.
        """
        if node < self._last:
            kept = may_meet(self._rows, node, rows, cell_vertices, cell_offsets, self._target)
        elif node == self._marked.node:
            sides = np.maximum.reduceat(rows[node][cell_vertices], cell_offsets[:-1], axis=0) > 0
            kept = np.logical_or.reduce(self._marked.chosen(sides.astype(np.int64)))
        else:
            kept = np.ones(len(cell_offsets) - 1, bool)
        kept[0] |= not kept.any()
        self.dropped += int((~kept).sum())
        if kept.sum() > self._most or time.monotonic() > self._deadline:
            raise Exceeded
        return kept


def with_rows(network: Network, marked: Marks) -> Network:
    """The network with the target's rows as its outputs; a last dense layer is merged, for tighter bounds."""
    rows = np.vstack([np.vstack([one.halfspaces, one.equalities]) for one in marked.alternatives])
    weight, bias = torch.from_numpy(rows[:, :-1].copy()), torch.from_numpy(rows[:, -1].copy())
    nodes, last = network.nodes[: network.output + 1], network.nodes[network.output]
    op = last.affine
    if op is not None and op.matrix is not None:
        offset = bias if op.offset is None else weight @ op.offset + bias
        merged = Dense(weight @ op.matrix, offset)
        nodes = (*nodes[:-1], Node("rows of the target", merged, last.inputs, (len(rows),)))
    else:
        nodes = (*nodes, Node("rows of the target", Dense(weight, bias), (network.output,), (len(rows),)))
    return Network(nodes=nodes, output=len(nodes) - 1, import_report=network.import_report)


NEVER = math.inf
"""No deadline, and no limit."""
