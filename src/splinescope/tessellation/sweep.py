"""One sweep through a network for planes and spaces: set, evaluate, activate, maximise, release, node by node.

A node with more folds than there is room for is inserted in portions, of units or of groups in any order: between them
cells may be split from others or left out, as between nodes. Those that are left are cells of the portions before,
whole ones; of a max node that is so between groups only, since within one hidden folds separate what will be merged.

What is cut, and how, is the state's business: polygons around half-edges in the plane, a face lattice in space. Both
keep the rows of values of the nodes that are still needed at their vertices, and patterns of their cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from splinescope.geometry.bits import WORD, words_for
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum, Op
from splinescope.numerics import in_blocks
from splinescope.profiling import spent
from splinescope.tessellation.codes import NodeCodes, compress, select_columns
from splinescope.tessellation.leaders import leaders_of
from splinescope.tessellation.maxima import Tournament, agreed, position_codes, tournament_of
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.thresholds import LayerFolds
from splinescope.tessellation.zeros import mark_unproved

_NONE = np.empty(0, np.int64)

CANDIDATES, DIFFERENCES = -1, -2
"""Keys of the rows of a running tournament among those of nodes: its candidates, and their differences by pairs."""


@dataclass(frozen=True)
class Begun:
    """A node of which some folds are in.

    Attributes:
        places: [k] numbers of these units or groups.
        patterns: [F, words] bits of all columns of the node, or [F, k] winners of these groups, in each cell.
    """

    places: np.ndarray
    patterns: np.ndarray

    def taken(self, cells: np.ndarray) -> Begun:
        """The same of some cells (repeats allowed)."""
        return Begun(self.places, self.patterns[cells])


def without(places: np.ndarray, count: int) -> np.ndarray:
    """The numbers below `count` but some, ascending."""
    left = np.ones(count, bool)
    left[places] = False
    return np.flatnonzero(left)


@runtime_checkable
class State(Protocol):
    """Cells between two nodes, with the values of nodes at their vertices.

    Attributes:
        position: The next node.
        codes: Patterns of the cells at the nodes so far.
        tournament: The running round of a max node; the state takes it along when cells are cut or left out.
        begun: What is in of the next node, if anything is; taken along likewise.
    """

    position: int
    codes: list[NodeCodes]
    tournament: Tournament | None
    begun: Begun | None

    @property
    def num_cells(self) -> int:
        """Number of cells."""

    @property
    def uncertainty(self) -> np.ndarray:
        """[V] how well the positions of the vertices are known."""

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

    def activation_folds(self, index: int, op: Activation) -> LayerFolds:
        """The folds of an activation."""

    def fitting(self, key: int, folds: LayerFolds, left: np.ndarray) -> np.ndarray:
        """Of the units or groups that are not in, those for whose folds, decided by rows, there is room."""

    def cut(self, key: int, folds: LayerFolds) -> np.ndarray:
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
    """Take a state through its next node, or through a portion of it, in place.

    Args:
        state: The cells so far.
        network: The network.
        last_use: For each node the last node that reads it.
    """
    index = state.position
    node = network.nodes[index]
    with spent("cutting", node.name):
        if isinstance(node.op, Activation):
            _activate(state, index, node.op, node.inputs[0])
        elif isinstance(node.op, Maximum):
            _maximise(state, index, node.op, node.inputs[0])
        else:
            state.evaluate(index)
    if state.begun is not None:
        return
    for source in set(node.inputs):
        if last_use[source] == index:
            state.release(source)
    state.position += 1


def _activate(state: State, index: int, op: Activation, source: int) -> None:
    """An elementwise activation: cut at its breakpoints, then apply it to the rows."""
    folds = state.activation_folds(index, op)
    before = _NONE if state.begun is None else state.begun.places
    left = without(before, folds.size)
    portion = state.fitting(source, folds, left)
    bits = state.cut(source, folds.among(portion))
    if state.begun is not None:
        bits = bits | state.begun.patterns
    if len(portion) < len(left):
        state.begun = Begun(np.concatenate([before, portion]), bits)
        return
    state.begun = None
    levels, units = folds.shifts.shape
    if units % WORD and levels > 1:  # columns that stand for nothing come in between
        columns = np.arange(levels)[:, None] * words_for(units) * WORD + np.arange(units)
        bits = select_columns(bits, columns.ravel().astype(np.int32))
    state.codes.append(compress(index, bits, levels * units))
    state.activate(index, op)


def _maximise(state: State, index: int, op: Maximum, source: int) -> None:
    """Maxima over groups, by a tournament of pairs in those that no member leads everywhere."""
    members, bounds = op.index.numpy(), state.bounds(source)
    leaders = leaders_of(state.values(source), members, bounds, state.uncertainty)
    left = without(_NONE if state.begun is None else state.begun.places, len(members))
    left = left[leaders[left] < 0]
    if len(left) and len(_compete(state, index, members, bounds, left, source)) < len(left):
        return
    values = np.take(state.values(source), members[np.arange(len(members)), np.maximum(leaders, 0)], axis=1)
    positions = np.tile(leaders.astype(np.uint8), (state.num_cells, 1))
    if state.begun is not None:
        values[:, state.begun.places] = state.values(index)
        positions[:, state.begun.places] = state.begun.patterns
    state.put(index, values)
    state.begun = None
    state.codes.append(position_codes(index, positions, members.shape[1]))


def _compete(
    state: State, index: int, members: np.ndarray, bounds: Bounds, groups: np.ndarray, source: int
) -> np.ndarray:
    """Hold the tournament in those of some groups for which there is room, and note the winners; these groups.

    Cells that a hidden fold separates are merged at the end.
    """
    units = _enter(state, *tournament_of(index, members, bounds, groups), source)
    assert state.tournament is not None
    fitting = state.fitting(DIFFERENCES, state.tournament.folds(), np.arange(len(groups)))
    if len(fitting) < len(groups):
        groups = groups[fitting]
        units = _enter(state, *tournament_of(index, members, bounds, groups), source)
    _decide(state, units)
    positions = state.tournament.positions(state.num_cells)
    cells = state.merge_hidden(index, positions)
    positions, values = positions[cells], state.values(CANDIDATES)
    state.tournament = None
    state.release(CANDIDATES)
    before = state.begun
    if before is not None:
        positions = np.hstack([before.patterns, positions])
        values = np.hstack([state.values(index), values])
    state.put(index, values)
    state.begun = Begun(groups if before is None else np.concatenate([before.places, groups]), positions)
    return groups


def _enter(state: State, tournament: Tournament, units: np.ndarray, source: int) -> np.ndarray:
    """Begin a tournament of units; these."""
    state.tournament = tournament
    state.put(CANDIDATES, np.ascontiguousarray(state.values(source)[:, units]))
    state.put(DIFFERENCES, tournament.differences(state.values(CANDIDATES)))
    return units


def _decide(state: State, units: np.ndarray) -> None:
    """All rounds of a tournament."""
    assert state.tournament is not None
    first = True
    while state.tournament.pairs:
        bits = state.cut(DIFFERENCES, state.tournament.folds())
        candidates, differences = state.values(CANDIDATES), state.values(DIFFERENCES)
        if first:
            columns = state.tournament.sides(np.arange(len(units)))
            agreed(candidates, differences, *columns, units, state.tournament.bounds.error)
            first = False
        state.put(CANDIDATES, state.tournament.larger_at(candidates, differences))
        state.tournament = state.tournament.following(bits)
        state.put(DIFFERENCES, state.tournament.differences(state.values(CANDIDATES)))
    state.release(DIFFERENCES)


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
        op.write(target, *block)
        mark_unproved(op, block, out[start:stop])
