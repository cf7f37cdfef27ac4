"""One sweep through a network for planes and spaces: set, evaluate, activate, maximise, release, node by node.

What is cut, and how, is the state's business: polygons around half-edges in the plane, a face lattice in space. Both
keep the rows of values of the nodes that are still needed at their vertices, and patterns of their cells.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from splinescope.geometry.bits import WORD, words_for
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Dense, Maximum, Op
from splinescope.numerics import in_blocks
from splinescope.tessellation.codes import NodeCodes, compress, select_columns
from splinescope.tessellation.maxima import Tournament, agreed, position_codes, tournament_of
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.thresholds import Folds
from splinescope.tessellation.zeros import mark_unproved

CANDIDATES, DIFFERENCES = -1, -2
"""Keys of the rows of a running tournament among those of nodes: its candidates, and their differences by pairs."""


@runtime_checkable
class State(Protocol):
    """Cells between two nodes, with the values of nodes at their vertices.

    Attributes:
        position: The next node.
        codes: Patterns of the cells at the nodes so far.
        tournament: The running round of a max node; the state takes it along when cells are cut or left out.
    """

    position: int
    codes: list[NodeCodes]
    tournament: Tournament | None

    @property
    def num_cells(self) -> int:
        """Number of cells."""

    def values(self, key: int) -> np.ndarray:
        """[V, n] rows of a node at the vertices; 0.0 only where that is proved."""

    def put(self, key: int, values: np.ndarray) -> None:
        """Set the rows of a node."""

    def release(self, key: int) -> None:
        """Forget the rows of a node."""

    def evaluate(self, index: int) -> None:
        """Set the rows of a node without folds."""

    def bounds(self, index: int) -> Bounds:
        """Magnitude of a node, and how near to zero its signs are in doubt, at the vertices."""

    def activation_folds(self, index: int, op: Activation) -> Folds:
        """The folds of an activation."""

    def cut(self, key: int, folds: Folds) -> np.ndarray:
        """Cut all cells where rows are at their breakpoints, and extend all rows to the new vertices.

        Args:
            key: The rows that decide; afterwards they are on the sides of their breakpoints that are decided.
            folds: The folds.

        Returns:
            [F, words] which columns are positive in each cell.
        """

    def activate(self, index: int, op: Activation) -> None:
        """Set the rows of an activation whose folds are in."""

    def merge_hidden(self, index: int, positions: np.ndarray) -> np.ndarray:
        """Merge cells that only hidden folds of a max node separate.

        Args:
            index: The max node.
            positions: [F, groups] winners in each cell.

        Returns:
            An old cell of each cell that is left.
        """


def advance(state: State, network: Network, last_use: tuple[int, ...]) -> None:
    """Take a state through its next node, in place.

    Args:
        state: The cells so far.
        network: The network.
        last_use: For each node the last node that reads it.
    """
    index = state.position
    node = network.nodes[index]
    if isinstance(node.op, Activation):
        _activate(state, index, node.op, node.inputs[0])
    elif isinstance(node.op, Maximum):
        _maximise(state, index, node.op, node.inputs[0])
    else:
        state.evaluate(index)
    for source in set(node.inputs):
        if last_use[source] == index:
            state.release(source)
    state.position += 1


def _activate(state: State, index: int, op: Activation, source: int) -> None:
    """An elementwise activation: cut at its breakpoints, then apply it to the rows."""
    folds = state.activation_folds(index, op)
    bits = state.cut(source, folds)
    levels, units = folds.shifts.shape
    if units % WORD and levels > 1:  # columns that stand for nothing come in between
        columns = np.arange(levels)[:, None] * words_for(units) * WORD + np.arange(units)
        bits = select_columns(bits, columns.ravel().astype(np.int32))
    state.codes.append(compress(index, bits, levels * units))
    state.activate(index, op)


def _maximise(state: State, index: int, op: Maximum, source: int) -> None:
    """Maxima over groups, by a tournament of pairs; cells that a hidden fold separates are merged at the end."""
    state.tournament, units = tournament_of(index, op.index.numpy(), state.bounds(source))
    state.put(CANDIDATES, np.ascontiguousarray(state.values(source)[:, units]))
    first = True
    while state.tournament.pairs:
        state.put(DIFFERENCES, state.tournament.differences(state.values(CANDIDATES)))
        bits = state.cut(DIFFERENCES, state.tournament.folds())
        candidates, differences = state.values(CANDIDATES), state.values(DIFFERENCES)
        if first:
            columns = state.tournament.sides(np.arange(len(units)))
            agreed(candidates, differences, *columns, units, state.tournament.bounds.error)
            first = False
        state.put(CANDIDATES, state.tournament.larger_at(candidates, differences))
        state.tournament = state.tournament.following(bits)
    state.release(DIFFERENCES)
    positions = state.tournament.positions(state.num_cells)
    cells = state.merge_hidden(index, positions)
    state.tournament = None
    state.put(index, state.values(CANDIDATES))
    state.release(CANDIDATES)
    state.codes.append(position_codes(index, positions[cells], op.index.shape[1]))


def evaluated(op: Op, inputs: list[torch.Tensor], out: np.ndarray) -> np.ndarray:
    """Value of an op at all vertices; 0.0 only where that is proved.

    Args:
        op: The op.
        inputs: Its inputs, a batch of tensors each.
        out: [V, n] where to write.

    Returns:
        `out`.
    """
    in_blocks(partial(_evaluate_block, op, inputs, out), len(out), grain=256)
    return out


def _evaluate_block(op: Op, inputs: list[torch.Tensor], out: np.ndarray, start: int, stop: int) -> None:
    block, target = [x[start:stop] for x in inputs], torch.from_numpy(out[start:stop])
    with torch.no_grad():
        if isinstance(op, Dense):
            op.evaluate(block[0].reshape(stop - start, -1), out=target)
        else:
            target.copy_(op.evaluate(*block).reshape(target.shape))
        mark_unproved(op, block, out[start:stop])
