"""Which channels of one network are those of another: by their weights, or by what they do on data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from splinescope.network.evaluate import chunk_rows, walk
from splinescope.network.graph import Network
from splinescope.trajectory.symmetry.symmetries import Symmetries
from splinescope.trajectory.symmetry.weights import Axis, Weight, along, permuted, weights_of

Orders = tuple[Int[np.ndarray, " _"], ...]
_GAIN = 1e-12
"""Share of a sum of products by which another assignment must be better; less is rounding."""


def match_weights(a: Network, b: Network, among: Symmetries, generator: np.random.Generator, sweeps: int) -> Orders:
    r"""Permutations of `b` that bring its weights near those of `a`, by coordinate descent.

    With all groups but one held still the distance of the weights is least for an assignment of that group's channels:
    $\max_P \sum_{ij} P_{ij} S_{ij}$ with the inner products of all weights that go into and out of them. It starts
    twice: as things are, and group by group from the input, which finds an exact permutation at once.

    Source: Ainsworth, Hayase, Srinivasa, "Git Re-Basin" (ICLR 2023), algorithm 1.

    Args:
        a: A network.
        b: A network of the same graph.
        among: The symmetries of both.
        generator: Draws the order of the groups.
        sweeps: Most passes over the groups.

    Returns:
        For each group the channel of `b` at each place.
    """
    starts = among.identity().permutations, _greedy(a, b, among)
    found = [_descent(a, b, among, start, generator, sweeps) for start in starts]
    return min(found, key=lambda orders: distance(a, b, among, orders))


def match_activations(a: Network, b: Network, among: Symmetries, inputs: torch.Tensor) -> Orders:
    r"""Permutations of `b` after which its channels are nearest those of `a` on data, one assignment for each group.

    Least $\sum \lVert z_a - P z_b \rVert^2$ over inputs, positions, and all activations of the group.

    Args:
        a: A network.
        b: A network of the same graph.
        among: The symmetries of both.
        inputs: [N, *input_shape] inputs in float64.

    Returns:
        For each group the channel of `b` at each place.
    """
    similar = [np.zeros((size, size)) for size in among.groups]
    with torch.no_grad():
        for rows in inputs.split(chunk_rows(a)):
            for (index, one), (_, other) in zip(walk(a, rows), walk(b, rows), strict=True):
                if a.nodes[index].fold is not None:
                    _add_products(similar, among, index, one, other)
    return tuple(_assigned(matrix) for matrix in similar)


def distance(a: Network, b: Network, among: Symmetries, orders: Orders) -> float:
    """Euclidean distance of the weights of `a` and of the permuted `b`.

    Args:
        a: A network.
        b: A network of the same graph.
        among: The symmetries of both.
        orders: For each group the channel of `b` at each place.

    Returns:
        The distance.
    """
    square = sum(
        float(np.square(one.value - permuted(b, other, among.layouts, orders).value).sum())
        for _, one, other in _pairs(a, b)
    )
    return float(np.sqrt(square))


def _pairs(a: Network, b: Network) -> Iterator[tuple[int, Weight, Weight]]:
    """Weights of two networks of one graph, side by side."""
    for index in range(len(a.nodes)):
        for one, other in zip(weights_of(a, index), weights_of(b, index), strict=True):
            yield index, one, other


def _greedy(a: Network, b: Network, among: Symmetries) -> Orders:
    """Each group from the weights that make it out of groups before it, in order."""
    orders = list(among.identity().permutations)
    settled = {-1}
    for group in range(len(orders)):
        orders[group] = _assigned(_similarity(a, b, among, tuple(orders), group, settled))
        settled.add(group)
    return tuple(orders)


def _descent(
    a: Network, b: Network, among: Symmetries, start: Orders, generator: np.random.Generator, sweeps: int
) -> Orders:
    orders = list(start)
    for _ in range(sweeps):
        before = list(orders)
        for group in generator.permutation(len(orders)):
            similar = _similarity(a, b, among, tuple(orders), int(group), None)
            found, places = _assigned(similar), np.arange(len(similar))
            gain = similar[places, found].sum() - similar[places, orders[group]].sum()
            if gain > _GAIN * np.abs(similar).sum():
                orders[group] = found
        if all(map(np.array_equal, before, orders)):
            break
    return tuple(orders)


def _similarity(
    a: Network, b: Network, among: Symmetries, orders: Orders, group: int, settled: set[int] | None
) -> Float[np.ndarray, "C C"]:
    """Inner products of the weights of each channel of a group in `a` with those of each channel in `b`.

    Args:
        a: A network.
        b: A network of the same graph.
        among: The symmetries of both.
        orders: The permutations so far.
        group: The group.
        settled: Groups whose permutations are known: only weights between these and the group count; all if None.
    """
    runs = among.layouts.runs
    total = np.zeros((among.groups[group], among.groups[group]))
    for _, one, other in _pairs(a, b):
        for axis in one.axes:
            if all(run.group != group for run in runs[axis.node]):
                continue
            rest = tuple(other_axis for other_axis in one.axes if other_axis is not axis)
            beside = {run.group for other_axis in rest for run in runs[other_axis.node]}
            if settled is not None and not beside <= settled:
                continue
            moved = permuted(b, Weight(other.field, other.value, rest), among.layouts, orders)
            total += _products(among, group, axis, one, moved, a.nodes[axis.node].shape)
    return total


def _products(
    among: Symmetries, group: int, axis: Axis, one: Weight, other: Weight, shape: tuple[int, ...]
) -> np.ndarray:
    """Inner products along one axis of one weight."""
    size = among.groups[group]
    total, start = np.zeros((size, size)), 0
    flat = np.arange(sum(run.size for run in among.layouts.runs[axis.node]))
    each = len(flat) // len(along(one, axis, flat, shape))  # numbers of the node's value to one entry of the axis
    for run in among.layouts.runs[axis.node]:
        count = run.size // each
        if run.group == group:
            parts = [
                np.moveaxis(weight.value, axis.axis, 0)[start : start + count].reshape(size, -1)
                for weight in (one, other)
            ]
            total += parts[0] @ parts[1].T
        start += count
    return total


def _add_products(
    similar: Sequence[np.ndarray], among: Symmetries, index: int, one: torch.Tensor, other: torch.Tensor
) -> None:
    """Inner products of the values of the channels at one node, added to those of their groups."""
    start = 0
    for run in among.layouts.runs[index]:
        if run.group >= 0:
            rows = [
                value.reshape(len(value), -1)[:, start : start + run.size]
                .reshape(len(value), run.channels, run.block)
                .transpose(0, 1)
                .reshape(run.channels, -1)
                for value in (one, other)
            ]
            similar[run.group][:] += (rows[0] @ rows[1].T).numpy()
        start += run.size


def _assigned(similar: Float[np.ndarray, "C C"]) -> Int[np.ndarray, " C"]:
    """The channel of `b` for each of `a`, with the largest sum."""
    return np.asarray(linear_sum_assignment(similar, maximize=True)[1], np.int64)
