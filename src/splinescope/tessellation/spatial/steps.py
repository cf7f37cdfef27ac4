"""Each node of the network takes the tessellation one step further."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum, Op
from splinescope.numerics import Tolerance, in_blocks
from splinescope.tessellation.breakpoints import activation_folds
from splinescope.tessellation.codes import compress, select_columns
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.maxima import Round, filled, position_codes, winning_positions
from splinescope.tessellation.rounding import largest, propagate
from splinescope.tessellation.spatial.complex import cell_means
from splinescope.tessellation.spatial.state import State


def advance(state: State, network: Network, last_use: tuple[int, ...], domain: Domain, tolerance: Tolerance) -> None:
    """Take a tessellation through its next node, in place.

    Args:
        state: The tessellation.
        network: The network.
        last_use: For each node the last node that reads it.
        domain: The domain.
        tolerance: What counts as zero.
    """
    index = state.position
    node = network.nodes[index]
    if isinstance(node.op, Activation):
        _activate(state, network, index, node.op, last_use, domain, tolerance)
    elif isinstance(node.op, Maximum):
        _maximise(state, network, index, node.op, domain, tolerance)
    else:
        count = state.lattice.num_vertices
        inputs = [_tensor(state.rows[source], network.nodes[source].shape) for source in node.inputs]
        _set(state, network, index, _evaluated(node.op, inputs, count, node.size))
    for source in set(node.inputs):
        if last_use[source] == index:
            state.rows.pop(source, None)
            state.bounds.pop(source, None)
    state.position += 1
    if state.max_cells is not None:
        state.restrict_to(state.max_cells)


def _set(state: State, network: Network, index: int, rows: np.ndarray) -> None:
    """Store the rows of a node with their bounds."""
    node = network.nodes[index]
    bounds = [state.bounds[source] for source in node.inputs]
    shapes = [network.nodes[source].shape for source in node.inputs]
    state.rows[index] = rows
    state.bounds[index] = propagate(node.op, bounds, shapes, largest(rows))


def _tensor(rows: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(rows).reshape(len(rows), *shape)


def _evaluated(op: Op, inputs: list[torch.Tensor], count: int, columns: int) -> np.ndarray:
    """Value of an op at all vertices."""
    out = np.empty((count, columns))
    in_blocks(partial(_evaluate_block, op, inputs, out), count, grain=256)
    return out


def _evaluate_block(op: Op, inputs: list[torch.Tensor], out: np.ndarray, start: int, stop: int) -> None:
    with torch.no_grad():
        value = op.evaluate(*(x[start:stop] for x in inputs))
        torch.from_numpy(out[start:stop]).copy_(value.reshape(stop - start, -1))


def _activate(
    state: State,
    network: Network,
    index: int,
    op: Activation,
    last_use: tuple[int, ...],
    domain: Domain,
    tolerance: Tolerance,
) -> None:
    """An elementwise activation: cut at its breakpoints, then apply it to the rows."""
    node = network.nodes[index]
    source = node.inputs[0]
    folds = activation_folds(op, state.bounds[source], index, domain.size, tolerance)
    values = state.rows.pop(source)
    values = state.cut(values, folds, tolerance)
    if last_use[source] != index:
        state.rows[source] = values
    units, padded = values.shape[1], 64 * folds.words // len(folds.shifts)
    columns = (np.arange(len(folds.shifts))[:, None] * padded + np.arange(units)).ravel()
    bits = state.lattice.cells.positive[: state.lattice.num_cells]
    state.codes.append(compress(index, select_columns(bits, columns.astype(np.int32)), len(columns)))
    rows = _evaluated(op, [_tensor(values, node.shape)], len(values), node.size)
    _set(state, network, index, rows)


_CANDIDATES = -1
"""Key of the rows of a running tournament among the live rows."""


def _maximise(state: State, network: Network, index: int, op: Maximum, domain: Domain, tolerance: Tolerance) -> None:
    """Maxima over groups, by a tournament of pairs; cells that a hidden fold separates are merged at the end."""
    source = network.nodes[index].inputs[0]
    groups = np.asarray(op.index)
    bounds = state.bounds[source]
    order = filled(groups).T.reshape(-1)
    state.rows[_CANDIDATES] = np.ascontiguousarray(state.rows[source][:, order])
    tournament = Round(len(groups), groups.shape[1], bounds.error[order], bounds.magnitude[order])
    while tournament.pairs:
        left, right = tournament.sides(state.rows[_CANDIDATES])
        state.cut(np.ascontiguousarray(right - left), tournament.folds(index, domain.size, tolerance), tolerance)
        state.rows[_CANDIDATES] = tournament.larger(state.rows[_CANDIDATES])
        tournament = tournament.following()
    offsets, items = state.cell_vertices()
    positions = winning_positions(cell_means(state.rows[source], items, offsets), bounds.error, groups, tolerance)
    cells = state.merge_hidden(index, positions)
    _set(state, network, index, state.rows.pop(_CANDIDATES))
    state.codes.append(position_codes(index, positions[cells], groups.shape[1]))
