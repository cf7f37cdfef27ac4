"""Chains of layers and elementwise functions: Jacobians and Gram matrices in which dead units cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from splinescope.network.chain_layers import DenseLayer, product, room
from splinescope.network.chain_readers import Layer, NoChainError, Reader, read_module, read_network
from splinescope.network.graph import Network
from splinescope.network.masked_products import scale
from splinescope.numerics import in_ranges

NUMBERS = 1 << 21
"""Numbers of Jacobians that are held at once."""

COLUMNS = 64
"""Columns of Jacobians that are held at once, where not all of them fit."""

STRIP = 128
"""Rows of a Gram matrix that are made at once."""

FEW = 8
"""Whole Jacobians that fit together at least, so that threads have something to share."""


class Grams(NamedTuple):
    """Gram matrices of Jacobians.

    Attributes:
        matrices: [rows, d, d] matrices.
        sizes: [rows] how large the numbers are that they are sums of: rounding errors are relative to these.
    """

    matrices: Tensor
    sizes: Tensor


@dataclass(frozen=True, eq=False)
class Chain:
    """Dense layers and convolutions one after the other, each followed by elementwise functions.

    Attributes:
        layers: The layers; the first one is dense.
    """

    layers: tuple[Layer, ...]

    @staticmethod
    def of(model: nn.Module | Network, shape: tuple[int, ...] | None = None) -> Chain | None:
        """A model as a chain.

        Args:
            model: A module, as it is in eval mode, whose tensors are used as they are; or a network.
            shape: Shape of one input; that of a network, and what the first matrix takes, if None.

        Returns:
            The chain; None if it is none, or not plainly so, or not on the processor. Cost: a forward pass, and
            tables of what places of convolutions read.

        Example:
            >>> len(Chain.of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))).layers)
            2
        """
        reader = Reader(shape)
        try:
            if isinstance(model, Network):
                read_network(model, reader)
            else:
                read_module(model, reader)
        except (NoChainError, RuntimeError):  # torch's, of shapes that do not fit
            return None
        layers = tuple(reader.layers)
        kinds = {(layer.weight.dtype, layer.weight.device.type) for layer in layers}
        if reader.pending or len(kinds) != 1 or kinds.pop() not in ((torch.float64, "cpu"), (torch.float32, "cpu")):
            return None
        return Chain(layers)

    @property
    def dimension(self) -> int:
        """Numbers of one input."""
        return int(self._first.weight.shape[1])

    @property
    def outputs(self) -> int:
        """Numbers of one output."""
        return self.layers[-1].units

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights, and so of what is computed."""
        return self._first.weight.dtype

    @property
    def last_inputs(self) -> int:
        """Numbers that the last layer reads, if that is dense; else those that it makes."""
        last = self.layers[-1]
        return int(last.weight.shape[1]) if isinstance(last, DenseLayer) else last.units

    @property
    def _first(self) -> DenseLayer:
        first = self.layers[0]
        assert isinstance(first, DenseLayer)
        return first

    @cached_property
    def shortened(self) -> Chain:
        """A chain whose Jacobians have the same Gram matrices, and no more rows than the last layer has columns."""
        last = self.layers[-1]
        if not isinstance(last, DenseLayer) or last.function is not None or len(last.weight) <= last.weight.shape[1]:
            return self
        upper = torch.linalg.qr(last.weight.double(), mode="r")[1].to(last.weight)
        return replace(self, layers=(*self.layers[:-1], DenseLayer(upper, None, (len(upper),), reads=last.reads)))

    def jacobians(self, z: Tensor) -> Iterator[Tensor]:
        """[rows, outputs, d] Jacobians in parts of bounded memory.

        Args:
            z: [n, d] inputs.

        Yields:
            The Jacobians of some inputs.
        """
        for part in z.split(self._rows):
            slopes = self._slopes(part)
            yield assembled((self._columns(slopes, start) for start in self._starts), self.dimension)

    def blocks(self, z: Tensor) -> Iterator[Iterator[Tensor]]:
        """The same, some columns at a time.

        Args:
            z: [n, d] inputs.

        Yields:
            For some inputs their [rows, outputs, columns] Jacobians, column by column.
        """
        for part in z.split(self._rows):
            slopes = self._slopes(part)
            yield (self._columns(slopes, start) for start in self._starts)

    def grams(self, z: Tensor) -> Iterator[Grams]:
        r"""$J^TJ$ of the Jacobians, which for a dense last layer without function needs no row of its outputs.

        Args:
            z: [n, d] inputs.

        Yields:
            The matrices of some inputs.
        """
        last = self.layers[-1]
        direct = not isinstance(last, DenseLayer) or last.function is not None or len(self.layers) == 1
        if not direct:
            m, n = last.weight.shape
            # a Gram matrix of the last layer pays if there are more columns of Jacobians than it has
            direct = len(z) * self.dimension < 2 * n or 2 * m < n
        if direct:
            for part in z.split(self._rows):
                slopes = self._slopes(part)
                J = assembled((self._columns(slopes, start, False) for start in self._starts), self.dimension)
                gram = J.mT @ J
                yield Grams(gram, gram.diagonal(dim1=1, dim2=2).amax(dim=1))
            return
        assert isinstance(last, DenseLayer)
        upper = _half_gram(last.kept)
        norm = _norm(last.kept)
        for part in z.split(self._rows):
            slopes = self._slopes(part)
            behind = (self._behind(slopes, len(self.layers) - 1, start) for start in self._starts)
            J = assembled(behind, self.dimension)
            half = J.mT @ product(upper, slopes[-2], J, (slopes[-2] != 0).to(J), upper=True)
            yield Grams(half + half.mT, norm * J.square().sum(dim=1).amax(dim=1))

    @property
    def _widest(self) -> int:
        return max(layer.units for layer in self.layers)

    @property
    def _together(self) -> int:
        """Columns of one block; all where a few whole Jacobians fit, since longer rows are summed more quickly."""
        few = min(self.dimension, COLUMNS)
        return self.dimension if FEW * self._widest * self.dimension <= NUMBERS else few

    @property
    def _starts(self) -> range:
        """Where blocks of columns begin."""
        return range(0, self.dimension, self._together)

    @property
    def _rows(self) -> int:
        return max(1, NUMBERS // (self._widest * self._together))

    def _slopes(self, z: Tensor) -> list[Tensor]:
        """[rows, units] slopes of the functions of all layers, in the order in which numbers are kept."""
        slopes: list[Tensor] = []
        for layer in self.layers:
            if layer is self.layers[-1] and layer.function is None:
                slopes.append(z.new_ones(len(z), layer.units))
                break
            z = layer.values(z)
            if layer.function is None:
                slopes.append(z.new_ones(len(z), layer.units))
                continue
            pulled: Any = torch.func.vjp(layer.function, z)  # forward mode keeps its levels for all threads
            slope = pulled[1](torch.ones_like(z))[0].detach().flatten(1)
            z = pulled[0].detach()
            slopes.append(slope if layer.order is None else slope[:, layer.order])
        return slopes

    def _columns(self, slopes: list[Tensor], start: int, ordered: bool = True) -> Tensor:
        """[rows, outputs, columns] of Jacobians from a column on, outputs in their own order or as they are kept."""
        J = self._behind(slopes, len(self.layers) - 1, start)
        last, after = self.layers[-1], slopes[-1]
        if len(self.layers) > 1:
            J = last.through(slopes[-2], J, torch.ones_like(after))[:, : last.units]
        if last.function is not None:
            J = J * after[:, :, None]
        return J[:, last.order.argsort()] if ordered and last.order is not None else J

    def _behind(self, slopes: list[Tensor], count: int, start: int) -> Tensor:
        """Columns of Jacobians behind so many layers; rows of units without slope are left out.

        Behind none they are columns of the first matrix.
        """
        first = self._first.kept[:, start : start + self._together].contiguous()
        if not count:
            return first.expand(len(slopes[0]), *first.shape)
        J = room(slopes[0], first.shape[1])
        in_ranges(scale, len(J), first.numpy(), slopes[0].contiguous().numpy(), J.numpy(), grain=1)
        for number in range(1, count):
            J = self.layers[number].through(slopes[number - 1], J, slopes[number])
        return J


def assembled(blocks: Iterator[Tensor], columns: int) -> Tensor:
    """Matrices of so many columns from blocks of these, one after the other.

    Args:
        blocks: [rows, m, some] columns.
        columns: How many there are in all.

    Returns:
        [rows, m, columns] matrices.
    """
    first = next(blocks)
    if first.shape[2] == columns:
        return first
    whole = first.new_empty(*first.shape[:2], columns)
    whole[:, :, : first.shape[2]] = first
    start = first.shape[2]
    for block in blocks:
        whole[:, :, start : start + block.shape[2]] = block
        start += block.shape[2]
    return whole


def _half_gram(matrix: Tensor) -> Tensor:
    """An upper triangular matrix whose sum with its transpose is the Gram matrix of a matrix."""
    half = matrix.new_zeros(matrix.shape[1], matrix.shape[1])
    for start in range(0, len(half), STRIP):
        half[start : start + STRIP, start:] = matrix[:, start : start + STRIP].T @ matrix[:, start:]
    half.diagonal().mul_(0.5)
    return half.triu_()


def _norm(matrix: Tensor) -> float:
    """About the largest eigenvalue of the Gram matrix of a matrix, rather too large."""
    vector = torch.ones(matrix.shape[1], dtype=matrix.dtype)
    size = 0.0
    for _ in range(10):
        vector = matrix.T @ (matrix @ vector)
        size = float(vector.norm())
        if not 0 < size < float("inf"):
            return size
        vector = vector / size
    return 2 * size
