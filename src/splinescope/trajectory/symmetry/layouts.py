"""Which channels of a network may be permuted together: groups of channels, tied across skips, found from the graph."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from splinescope.network.graph import Network, Node
from splinescope.network.ops import (
    Activation,
    AxisMap,
    Concatenate,
    Convolution,
    Dense,
    Maximum,
    Reshape,
    Scale,
    Select,
    Sum,
    TransposedConvolution,
)


@dataclass(frozen=True)
class Run:
    """A part of a flat value that is made of the channels of one group.

    Attributes:
        group: Number of the group, -1 where nothing may be permuted.
        channels: Number of channels.
        block: Numbers of one channel, which follow each other.
    """

    group: int
    channels: int
    block: int

    @property
    def size(self) -> int:
        """Number of numbers."""
        return self.channels * self.block


@dataclass(frozen=True, eq=False)
class Layouts:
    """The groups of a network, and how the value of each node is made of them.

    Attributes:
        sizes: Number of channels of each group, in the order in which the network makes them.
        runs: For each node the runs that make its flat value.
    """

    sizes: tuple[int, ...]
    runs: tuple[tuple[Run, ...], ...]

    def order(self, node: int, permutations: tuple[Int[np.ndarray, " _"], ...]) -> Int[np.ndarray, " size"]:
        """Where each number of a node's permuted value comes from.

        Args:
            node: Index of the node.
            permutations: For each group the old channel at each new place.

        Returns:
            Flat indices into the old value.
        """
        parts, start = [np.empty(0, np.int64)], 0
        for run in self.runs[node]:
            channels = np.arange(run.channels) if run.group < 0 else permutations[run.group]
            parts.append((start + channels[:, None] * run.block + np.arange(run.block)).ravel())
            start += run.size
        return np.concatenate(parts)


def layouts(network: Network) -> Layouts:
    """Find the groups of channels that can be permuted without changing what a network computes.

    Every dense layer and convolution makes a new group. Sums tie the groups of what they add; the input, the output and
    all that is not known to treat channels alike tie theirs to what stays as it is.

    Args:
        network: The network.

    Returns:
        The groups.
    """
    finder = _Finder()
    for node in network.nodes:
        finder.add(network, node)
    finder.fix(finder.runs[network.output])
    return finder.result()


class _Finder:
    """Union and find over groups; group 0 is the one of what stays."""

    def __init__(self) -> None:
        self.parents = [0]
        self.channels = [0]
        self.runs: list[tuple[Run, ...]] = []

    def root(self, group: int) -> int:
        while self.parents[group] != group:
            group = self.parents[group]
        return group

    def tie(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self.parents[high] = low

    def fix(self, runs: tuple[Run, ...]) -> None:
        for run in runs:
            self.tie(0, run.group)

    def new(self, channels: int, block: int) -> tuple[Run, ...]:
        self.parents.append(len(self.parents))
        self.channels.append(channels)
        return (Run(len(self.parents) - 1, channels, block),)

    def fixed(self, node: Node, *inputs: tuple[Run, ...]) -> tuple[Run, ...]:
        for runs in inputs:
            self.fix(runs)
        return (Run(0, node.size, 1),)

    def scaled(self, runs: tuple[Run, ...], node: Node) -> tuple[Run, ...]:
        """The same channels, with as many numbers each as make up the value of a node."""
        before = sum(run.size for run in runs)
        if any(run.block * node.size % before for run in runs):
            return self.fixed(node, runs)
        return tuple(Run(run.group, run.channels, run.block * node.size // before) for run in runs)

    def add(self, network: Network, node: Node) -> None:
        inputs = [self.runs[source] for source in node.inputs]
        self.runs.append(self._of(network, node, inputs))

    def _of(self, network: Network, node: Node, inputs: list[tuple[Run, ...]]) -> tuple[Run, ...]:
        op = node.op
        shapes = [network.nodes[source].shape for source in node.inputs]
        if isinstance(op, Dense):
            return self.new(node.size, 1)
        if isinstance(op, Convolution | TransposedConvolution):
            return self._convolution(op, node, inputs[0], shapes[0])
        if isinstance(op, Scale | Activation | Reshape):
            return inputs[0]
        if isinstance(op, Sum):
            return self._sum(node, inputs)
        if isinstance(op, Concatenate) and op.axis == 0:
            return tuple(run for runs in inputs for run in runs)
        if isinstance(op, AxisMap) and 0 not in op.axes and _along_channels(inputs[0], shapes[0]):
            return self.scaled(inputs[0], node)
        if isinstance(op, Maximum) and _alike(op.index.numpy(), inputs[0], node):
            return self.scaled(inputs[0], node)
        if isinstance(op, Select) and op.constant is None and _alike(op.index.reshape(-1, 1).numpy(), inputs[0], node):
            return self.scaled(inputs[0], node)
        return self.fixed(node, *inputs)

    def _convolution(
        self, op: Convolution | TransposedConvolution, node: Node, runs: tuple[Run, ...], shape: tuple[int, ...]
    ) -> tuple[Run, ...]:
        spatial = op.weight.ndim - 2
        plain = len(shape) == spatial + 1 and _along_channels(runs, shape)
        if plain and op.groups == 1:
            return self.new(node.shape[0], math.prod(node.shape[1:]))
        if plain and op.groups == shape[0] == node.shape[0]:  # a filter for each channel
            return self.scaled(runs, node)
        return self.fixed(node, runs)

    def _sum(self, node: Node, inputs: list[tuple[Run, ...]]) -> tuple[Run, ...]:
        first, *others = inputs
        for runs in others:
            if [(run.channels, run.block) for run in runs] != [(run.channels, run.block) for run in first]:
                return self.fixed(node, *inputs)
        for runs in others:
            for one, other in zip(first, runs, strict=True):
                self.tie(one.group, other.group)
        return first

    def result(self) -> Layouts:
        roots = sorted({self.root(group) for group in range(len(self.parents))} - {0})
        number = {0: -1} | {root: place for place, root in enumerate(roots)}
        runs = tuple(
            tuple(Run(number[self.root(run.group)], run.channels, run.block) for run in node) for node in self.runs
        )
        return Layouts(tuple(self.channels[root] for root in roots), runs)


def _along_channels(runs: tuple[Run, ...], shape: tuple[int, ...]) -> bool:
    """Whether the channels of runs are the entries along the first axis; runs that stay are of any kind."""
    block = math.prod(shape[1:])
    return all(run.block == block or (run.group == 0 and run.size % block == 0) for run in runs)


def _alike(index: np.ndarray, runs: tuple[Run, ...], node: Node) -> bool:
    """Whether an op that picks numbers does the same to each channel."""
    channels, block = sum(run.channels for run in runs), runs[0].block
    if node.size % channels or any(run.block != block for run in runs):
        return False
    own = index.reshape(channels, -1)
    shifted = np.where(own >= 0, own - block * np.arange(channels)[:, None], -1)
    within = (shifted < block) & ((own < 0) | (shifted >= 0))
    return bool((shifted == shifted[0]).all() and within.all() and ((own < 0) == (own[0] < 0)).all())
