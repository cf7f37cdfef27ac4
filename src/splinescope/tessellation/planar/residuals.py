"""How far vertices are seen off the folds that meet there, by a forward pass at their coordinates."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import torch
from numba import njit

from splinescope.geometry.planar.halfedges import FACE, ORIGIN, OUTSIDE, PRECEDING
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.stepping import without_gradients

_LARGEST = float(np.finfo(np.float64).max)


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
                _raise_shares(corner[mine], other[mine], *walls, value, rounding, out)
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


@njit(cache=True, nogil=True, forceinline=True)
def _larger(one: float, other: float) -> float:
    """The larger number; NaN if one of them is NaN."""
    return one if one >= other or one != one else other


@njit(cache=True, nogil=True, error_model="numpy")
def _raise_shares(
    corner: np.ndarray,
    other: np.ndarray,
    plus: np.ndarray,
    minus: np.ndarray,
    shift: np.ndarray,
    values: np.ndarray,
    rounding: np.ndarray,
    out: np.ndarray,
) -> None:
    """Raise what corners are off walls of a node, as shares of the way to other vertices, in `out`.

    Args:
        corner: [k] vertices.
        other: [k] vertices to which the way is.
        plus: [k] place of the number that vanishes on the wall.
        minus: [k] place of what is taken from it, or -1 where that is `shift`.
        shift: [k] the breakpoint.
        values: [V, n] the node at the vertices.
        rounding: [V, n] about by how much it is rounded there.
        out: [V] changed in place; what is not a number counts as infinite.
    """
    tops = np.zeros(values.shape[1])
    for row in range(values.shape[0]):
        for unit in range(tops.size):
            tops[unit] = _larger(tops[unit], abs(values[row, unit]))
    left, sizes, typical = np.empty(corner.size), np.empty(corner.size), 0.0
    for at in range(corner.size):
        pair = minus[at] >= 0
        reference = values[corner[at], minus[at]] if pair else shift[at]
        left[at] = abs(values[corner[at], plus[at]] - reference)
        sizes[at] = _larger(tops[plus[at]], tops[minus[at]] if pair else abs(shift[at]))
        ratio = left[at] / sizes[at]
        if ratio > typical:
            typical = min(ratio, _LARGEST)
    for at in range(corner.size):
        pair = minus[at] >= 0
        rounded = rounding[corner[at], plus[at]] + (rounding[corner[at], minus[at]] if pair else 0.0)
        reference = values[other[at], minus[at]] if pair else shift[at]
        least = _larger(typical * sizes[at], rounded)
        share = _larger(left[at], least) / abs(values[other[at], plus[at]] - reference)
        share = np.inf if share != share else min(share, _LARGEST)
        out[corner[at]] = max(out[corner[at]], share)
