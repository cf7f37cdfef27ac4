"""Each node of the network takes the tessellation one step further."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum, Op
from splinescope.numerics import in_blocks
from splinescope.tessellation.codes import compress, select_columns
from splinescope.tessellation.maxima import agreed, position_codes
from splinescope.tessellation.spatial.folds import activation_folds, measured
from splinescope.tessellation.spatial.state import State
from splinescope.tessellation.spatial.tournament import tournament_of
from splinescope.tessellation.zeros import mark_unproved


def advance(state: State, network: Network, last_use: tuple[int, ...]) -> None:
    """Take a tessellation through its next node, in place.

    Args:
        state: The tessellation.
        network: The network.
        last_use: For each node the last node that reads it.
    """
    index = state.position
    node = network.nodes[index]
    if isinstance(node.op, Activation):
        _activate(state, network, index, node.op, last_use)
    elif isinstance(node.op, Maximum):
        _maximise(state, network, index, node.op)
    else:
        count = state.lattice.num_vertices
        inputs = [_tensor(state.rows[source], network.nodes[source].shape) for source in node.inputs]
        state.rows[index] = _evaluated(node.op, inputs, count, node.size)
    for source in set(node.inputs):
        if last_use[source] == index:
            state.rows.pop(source, None)
    state.position += 1
    if state.max_cells is not None:
        state.restrict_to(state.max_cells)


def _tensor(rows: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(rows).reshape(len(rows), *shape)


def _evaluated(op: Op, inputs: list[torch.Tensor], count: int, columns: int) -> np.ndarray:
    """Value of an op at all vertices; 0.0 only where that is proved."""
    out = np.empty((count, columns))
    in_blocks(partial(_evaluate_block, op, inputs, out), count, grain=256)
    return out


def _evaluate_block(op: Op, inputs: list[torch.Tensor], out: np.ndarray, start: int, stop: int) -> None:
    block = [x[start:stop] for x in inputs]
    with torch.no_grad():
        op.write(torch.from_numpy(out[start:stop]), *block)
        mark_unproved(op, block, out[start:stop])


def _activate(state: State, network: Network, index: int, op: Activation, last_use: tuple[int, ...]) -> None:
    """An elementwise activation: cut at its breakpoints, then apply it to the rows."""
    node = network.nodes[index]
    source = node.inputs[0]
    values = state.rows.pop(source)
    folds = activation_folds(network, index, op, measured(state.bounds(source), values))
    values = state.cut(values, folds).values
    if last_use[source] != index:
        state.rows[source] = values
    units, padded = values.shape[1], folds.columns.padded
    columns = (np.arange(len(folds.shifts))[:, None] * padded + np.arange(units)).ravel()
    bits = state.lattice.cells.positive[: state.lattice.num_cells]
    state.codes.append(compress(index, select_columns(bits, columns.astype(np.int32)), len(columns)))
    state.rows[index] = _evaluated(op, [_tensor(values, node.shape)], len(values), node.size)


_CANDIDATES = -1
"""Key of the rows of a running tournament among the live rows."""


def _maximise(state: State, network: Network, index: int, op: Maximum) -> None:
    """Maxima over groups, by a tournament of pairs; cells that a hidden fold separates are merged at the end."""
    source = network.nodes[index].inputs[0]
    bounds = measured(state.bounds(source), state.rows[source])
    state.tournament, units = tournament_of(index, op.index.numpy(), bounds)
    state.rows[_CANDIDATES] = np.ascontiguousarray(state.rows[source][:, units])
    while state.tournament.pairs:
        folds = state.tournament.folds()
        cut = state.cut(state.tournament.differences(state.rows[_CANDIDATES]), folds)
        if state.tournament.width == len(units) // state.tournament.groups:
            columns = state.tournament.sides(np.arange(len(units)))
            agreed(state.rows[_CANDIDATES], cut.values, *columns, units, state.tournament.bounds.error)
        state.rows[_CANDIDATES] = state.tournament.larger_at(state.rows[_CANDIDATES], cut.positive, cut.values)
        bits = state.lattice.cells.positive[: state.lattice.num_cells]
        state.tournament = state.tournament.following(bits)
    positions = np.broadcast_to(state.tournament.standing, (state.lattice.num_cells, state.tournament.groups))
    cells = state.merge_hidden(index, positions)
    state.rows[index] = state.rows.pop(_CANDIDATES)
    state.codes.append(position_codes(index, positions[cells], op.index.shape[1]))
