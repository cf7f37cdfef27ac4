"""Layers of a chain: dense ones, and convolutions as matrices between places of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from splinescope.network.masked_products import multiply
from splinescope.network.placed_products import multiply_at_places
from splinescope.network.placed_reads import PlaceReads
from splinescope.numerics import in_ranges

Elementwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """A matrix, an offset, and what is done to each number after them.

    Attributes:
        weight: [m, n] matrix.
        bias: [m] offset, or None.
        shape: Shape of the output, of m numbers.
        function: Of each number; None for none.
        image: Shape of the images, channels first, as which its numbers are read: they are kept place by place then.
        reads: The order in which the numbers that it reads are kept; None for that of its columns.
    """

    weight: Tensor
    bias: Tensor | None
    shape: tuple[int, ...]
    function: Elementwise | None = None
    image: tuple[int, ...] | None = None
    reads: Tensor | None = None

    @property
    def units(self) -> int:
        """Numbers of one output."""
        return int(self.weight.shape[0])

    @cached_property
    def order(self) -> Tensor | None:
        """The order in which its numbers are kept; None for their own."""
        return None if self.image is None else place_order(self.image)

    @cached_property
    def kept(self) -> Tensor:
        """The matrix in the orders in which numbers are kept."""
        weight = self.weight if self.order is None else self.weight[self.order]
        return (weight if self.reads is None else weight[:, self.reads]).contiguous()

    def values(self, z: Tensor) -> Tensor:
        """[rows, *shape] outputs before the function."""
        return torch.nn.functional.linear(z.flatten(1), self.weight, self.bias).reshape(-1, *self.shape)

    def through(self, before: Tensor, J: Tensor, after: Tensor) -> Tensor:
        """See `product`."""
        return product(self.kept, before, J, after)


@dataclass(frozen=True, eq=False)
class PlacedLayer:
    """A convolution or a transposed one, as matrices between places; its numbers are kept place by place.

    Attributes:
        weight: [taps, out, in] matrices.
        where: What each place of the output reads.
        image: Shape of the images that it reads, channels first.
        call: From [rows, *image] inputs to outputs before the function.
        shape: Shape of the output, channels first.
        function: Of each number; None for none.
    """

    weight: Tensor
    where: PlaceReads
    image: tuple[int, ...]
    call: Elementwise
    shape: tuple[int, ...]
    function: Elementwise | None = None

    @property
    def units(self) -> int:
        """Numbers of one output."""
        return math.prod(self.shape)

    @cached_property
    def order(self) -> Tensor | None:
        """The order in which its numbers are kept."""
        return place_order(self.shape)

    def values(self, z: Tensor) -> Tensor:
        """[rows, *shape] outputs before the function."""
        return self.call(z.reshape(-1, *self.image))

    def through(self, before: Tensor, J: Tensor, after: Tensor) -> Tensor:
        """See `product`, of Jacobians whose rows are kept place by place."""
        out = room(after, J.shape[2])
        weight, where = self.weight.numpy(), self.where
        sizes = weight.shape[1:]
        arrays = (before.contiguous(), J.contiguous(), after.contiguous())
        read, given, kept = (array.numpy() for array in arrays)
        read, kept = read.reshape(len(J), -1, sizes[1]), kept.reshape(len(J), -1, sizes[0])
        in_ranges(
            multiply_at_places, len(J), weight, where.offsets, where.taps, where.places,
            read, given, kept, out.numpy(), grain=1,
        )  # fmt: skip
        return out


def place_order(shape: tuple[int, ...]) -> Tensor:
    """Where in a flat image, channels first, the numbers are that are kept place by place."""
    return torch.arange(math.prod(shape)).reshape(shape[0], -1).T.reshape(-1)


def product(weight: Tensor, before: Tensor, J: Tensor, after: Tensor, *, upper: bool = False) -> Tensor:
    """See `multiply`."""
    out = room(after, J.shape[2])
    arrays = (weight.contiguous(), before.contiguous(), J.contiguous(), after.contiguous())
    matrix, read, given, kept = (array.numpy() for array in arrays)
    in_ranges(multiply, len(J), matrix, read, given, kept, upper, out.numpy(), grain=1)
    return out


def room(after: Tensor, columns: int) -> Tensor:
    """Room for rows of Jacobians, those of units with slope: a multiple of four, of which those left over become 0."""
    most = int((after != 0).sum(dim=1).max()) if len(after) else 0
    return after.new_empty(len(after), most + -most % 4, columns)
