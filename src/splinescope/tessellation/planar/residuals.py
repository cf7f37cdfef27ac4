"""How far vertices are seen off the folds that meet there, by a forward pass at their coordinates."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import torch

from splinescope.geometry.planar.halfedges import FACE, ORIGIN, OUTSIDE, PRECEDING
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.ops import Walls
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.stepping import without_gradients


def residuals(network: Network, subdivision: Subdivision, inputs: np.ndarray) -> np.ndarray:
    """About how far each vertex is off the folds through it, as a share of its edges.

    Along the other edge at a corner of a cell, the number that vanishes on a fold is affine: what is left of it at the
    vertex, over what it is at the edge's other end, is how far the vertex is off, as a share of the edge. What is left
    may be small by chance: it counts as no less than a rounding of the terms, and than the largest one of its node,
    relative to the sizes of the numbers.

    Args:
        network: The network.
        subdivision: Cells that have passed the network.
        inputs: [V, *input_shape] the vertices.

    Returns:
        [V] shares; infinite where a number vanishes along an edge.
    """
    corner, other, edge = _corners(subdivision)
    readers: dict[int, list[int]] = {}
    for index in np.unique(subdivision.edge_op[edge]).tolist():
        readers.setdefault(network.nodes[index].inputs[0], []).append(index)
    out = np.zeros(subdivision.num_vertices)
    with np.errstate(all="ignore"):
        for source, value, rounding in _evaluated(network, inputs, readers):
            for index in readers[source]:
                mine = np.flatnonzero(subdivision.edge_op[edge] == index)
                columns = subdivision.edge_column[edge[mine]].astype(np.int64)
                walls = network.folds[index].walls(columns, network.nodes[index].size)
                np.maximum.at(out, corner[mine], _shares(walls, value, rounding, corner[mine], other[mine]))
    return out


@without_gradients
def _evaluated(
    network: Network, inputs: np.ndarray, wanted: Collection[int]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Some nodes with their values at some inputs, and about by how much these are rounded there: [V, n] each."""
    last, needed = last_uses(network), set(wanted)
    for index in range(max(wanted, default=-1), -1, -1):
        if index in needed and not network.nodes[index].op.rounds:
            needed.update(network.nodes[index].inputs)
    values: dict[int, torch.Tensor] = {}
    rounding: dict[int, torch.Tensor] = {}
    for index, node in enumerate(network.nodes[: max(wanted, default=-1) + 1]):
        before = [values[source] for source in node.inputs]
        if not node.inputs:
            value = torch.from_numpy(np.ascontiguousarray(inputs))
            values[index], rounding[index] = value, UNIT_ROUNDOFF * value.abs()
        else:
            values[index] = value = node.op.evaluate(*before)
            if index in needed and node.op.rounds:
                rounding[index] = UNIT_ROUNDOFF * node.op.terms(before, value)
            elif index in needed:
                rounding[index] = node.op.carried(*(rounding[source] for source in node.inputs))
        if index in wanted:
            found, rounded = (part[index].reshape(len(inputs), -1).numpy() for part in (values, rounding))
            yield index, found, rounded
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del values[source]
                rounding.pop(source, None)


def _corners(subdivision: Subdivision) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners of cells with the fold of one edge there, and the other end of the other edge: vertex, end, fold's edge.

    A corner between two parts of one fold says nothing.
    """
    halves = subdivision.halves
    half = np.flatnonzero(halves[:, FACE] != OUTSIDE)
    before = halves[half, PRECEDING]
    one, two = half >> 1, before >> 1
    labels = subdivision.edge_op, subdivision.edge_column
    bent = ~((labels[0][one] == labels[0][two]) & (labels[1][one] == labels[1][two]))
    half, before, one, two = half[bent], before[bent], one[bent], two[bent]
    vertex = np.tile(halves[half, ORIGIN], 2)
    other = np.concatenate([halves[half ^ 1, ORIGIN], halves[before, ORIGIN]])
    edge = np.concatenate([two, one])
    folds = labels[0][edge] >= 0
    return vertex[folds], other[folds], edge[folds]


def _shares(
    walls: Walls, values: np.ndarray, rounding: np.ndarray, corner: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """How far corners are off walls of a node, as shares of the way to other vertices."""
    second, pair = np.maximum(walls.minus, 0), walls.minus >= 0

    def at(vertices: np.ndarray) -> np.ndarray:
        return values[vertices, walls.plus] - np.where(pair, values[vertices, second], walls.shift)

    tops = np.maximum(values.max(axis=0), -values.min(axis=0))
    size = np.maximum(tops[walls.plus], np.where(pair, tops[second], np.abs(walls.shift)))
    left = np.abs(at(corner))
    typical = np.nan_to_num(left / size).max(initial=0.0)
    rounded = rounding[corner, walls.plus] + np.where(pair, rounding[corner, second], 0.0)
    left = np.maximum(left, np.maximum(typical * size, rounded))
    return np.asarray(np.nan_to_num(left / np.abs(at(other)), nan=np.inf))
