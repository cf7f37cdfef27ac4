"""The values that pass through an importer: views of nodes, and what a smooth head returns.

An importer follows one input through the original model, with the batch axis of length 1 still there, so that every
shape is known and all shape arithmetic is constant. A value that depends on the input is then a list of numbers in a
shape, each one a number of some node's value or a constant: transposing, slicing, padding, ... rearrange a list of
indices and cost nothing until an op needs the numbers in that order.
"""

from __future__ import annotations

import math
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
    """What a smooth head returns; it can only be reshaped and returned.

    Attributes:
        name: Which head.
        axis: Its axis in the shape of `source`; None if elementwise.
        source: What it was applied to.
        shape: Shape of the value.
        origin: The node in the original model, for messages.
    """

    name: HeadName
    axis: int | None
    source: Variable
    shape: Shape
    origin: str


@dataclass(frozen=True)
class Byproduct:
    """What an op returns beside its value: positions of maxima, masks, statistics. Nothing may use it.

    Attributes:
        origin: The node in the original model, for messages.
    """

    origin: str


Value: TypeAlias = Variable | Smooth | Tensor
"""A value; those that do not depend on the input are tensors."""


def to_float64(constant: Tensor) -> Tensor:
    """A constant as a contiguous float64 tensor on the CPU, cut off from autograd and from its owner's memory."""
    return constant.detach().to(dtype=torch.float64, device="cpu", copy=True).contiguous()
