"""The values that pass through an importer: views of nodes, and what a smooth head returns.

An importer follows one input through the original model, with the batch axis of length 1 still there, so that every
shape is known and all shape arithmetic is constant. A value that depends on the input is then a list of numbers in a
shape, each one a number of some node's value or a constant: transposing, slicing, padding, ... rearrange a list of
indices and cost nothing until an op needs the numbers in that order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from splinescope.network.heads import HeadName

Shape: TypeAlias = tuple[int, ...]
Number: TypeAlias = int | float


@dataclass(frozen=True, eq=False)
class Variable:
    """A value that depends on the input, as a rearrangement of one node's value.

    Attributes:
        node: Index of the node.
        shape: Shape in the original model, with its batch axis.
        index: Positions in the node's flat value, in `shape`, -1 where there is none; None for all in order.
        constant: What is added, in `shape`; None for zero.
    """

    node: int
    shape: Shape
    index: np.ndarray | None = None
    constant: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Number of numbers."""
        return math.prod(self.shape)

    def positions(self) -> np.ndarray:
        """The index, also where it is trivial."""
        return np.arange(self.size).reshape(self.shape) if self.index is None else self.index

    def offsets(self) -> np.ndarray:
        """The constant, also where it is zero."""
        return np.zeros(self.shape) if self.constant is None else self.constant


@dataclass(frozen=True, eq=False)
class Smooth:
    """What a smooth head returns, times a constant and plus one; else it can only be rearranged and returned.

    Attributes:
        name: Which head.
        axis: Its axis in the shape of `source`; None if elementwise.
        source: What it was applied to.
        shape: Shape of the value.
        origin: The node in the original model, for messages.
        scale: What multiplies it, in `shape`; None for 1.
        shift: What is added then, in `shape`; None for 0.
    """

    name: HeadName
    axis: int | None
    source: Variable
    shape: Shape
    origin: str
    scale: np.ndarray | None = None
    shift: np.ndarray | None = None


@dataclass(frozen=True)
class Byproduct:
    """What an op returns beside its value: positions of maxima, masks, statistics. Nothing may use it.

    Attributes:
        origin: The node in the original model, for messages.
    """

    origin: str


_ULPS = 64.0
"""Multiple of the round-off of its terms by which two pieces may differ where they meet."""


@dataclass(frozen=True, eq=False)
class Step:
    """An elementwise function that may jump.

    Attributes:
        node: Index of the node whose numbers are the arguments.
        positions: The place in the node of each number's argument, in the shape of the value.
        breaks: [B, *shape] breakpoints in ascending order.
        slopes: [B + 1, *shape] slopes of the pieces.
        offsets: [B + 1, *shape] what is added.
        origin: The node of the original, for messages.
    """

    node: int
    positions: np.ndarray
    breaks: np.ndarray
    slopes: np.ndarray
    offsets: np.ndarray
    origin: str

    @property
    def shape(self) -> Shape:
        """Shape of the value in the original."""
        return tuple(self.positions.shape)

    @property
    def varies(self) -> np.ndarray:
        """Which numbers depend on their arguments at all."""
        same = (self.offsets == self.offsets[:1]).all(axis=0) & (self.slopes == 0).all(axis=0)
        return ~same

    def moved(self, function: Callable[[np.ndarray], np.ndarray]) -> Step:
        """The numbers rearranged by a function that only moves them."""
        tables = [
            np.stack([np.asarray(function(row)) for row in table]) if len(table) else None
            for table in (self.breaks, self.slopes, self.offsets)
        ]
        positions = np.asarray(function(self.positions)).astype(np.int64)
        breaks = np.zeros((0, *positions.shape)) if tables[0] is None else tables[0]
        assert tables[1] is not None
        assert tables[2] is not None
        return Step(self.node, positions, breaks, tables[1], tables[2], self.origin)

    def jump(self) -> str:
        """Where the function jumps, in words; empty if it is continuous."""
        if not len(self.breaks):
            return ""
        left = self.slopes[:-1] * self.breaks + self.offsets[:-1]
        right = self.slopes[1:] * self.breaks + self.offsets[1:]
        terms = sum(np.abs(table[k : k - 1 or None] * self.breaks) for table in (self.slopes,) for k in (0, 1))
        terms = terms + np.abs(self.offsets[:-1]) + np.abs(self.offsets[1:])
        gaps = np.abs(right - left) - _ULPS * np.finfo(np.float64).eps * terms
        if (gaps <= 0).all():
            return ""
        at = np.unravel_index(np.argmax(gaps), gaps.shape)
        return f"it jumps from {left[at]:.4g} to {right[at]:.4g} where {self.origin} is {self.breaks[at]:.4g}"


Value: TypeAlias = Variable | Smooth | Step | Tensor
"""A value; those that do not depend on the input are tensors."""

DEPENDENT = (Variable, Smooth, Step)
"""Values that depend on the input."""


def to_float64(constant: Tensor) -> Tensor:
    """A constant as a contiguous float64 tensor on the CPU, cut off from autograd and from its owner's memory."""
    return constant.detach().to(dtype=torch.float64, device="cpu", copy=True).contiguous()
