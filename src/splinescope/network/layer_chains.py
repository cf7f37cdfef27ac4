"""Chains of dense layers and elementwise functions: Jacobians and Gram matrices in which dead units cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain as joined
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from splinescope.network.graph import Network
from splinescope.network.masked_products import multiply, scale
from splinescope.numerics import in_ranges

Elementwise = Callable[[Tensor], Tensor]

NUMBERS = 1 << 21
"""Numbers of Jacobians that are held at once."""

_FUNCTIONS = (
    nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.Softplus, nn.ReLU6,
    nn.Hardtanh, nn.Mish, nn.Softsign,
)  # fmt: skip
_NOTHING = (nn.Identity, nn.Flatten, nn.Dropout)


class ChainLayer(NamedTuple):
    """A matrix, an offset, and what is done to each number after them.

    Attributes:
        weight: [m, n] matrix.
        bias: [m] offset, or None.
        function: Of each number; None for none.
    """

    weight: Tensor
    bias: Tensor | None
    function: Elementwise | None


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
    """Dense layers one after the other, each followed by an elementwise function.

    Attributes:
        layers: The layers.
    """

    layers: tuple[ChainLayer, ...]

    @staticmethod
    def of(model: nn.Module | Network) -> Chain | None:
        """A model as a chain.

        Args:
            model: A module, whose tensors are used as they are, or a network.

        Returns:
            The chain; None if it is none, or not plainly so, or not on the processor.

        Example:
            >>> len(Chain.of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))).layers)
            2
        """
        steps = _of_network(model) if isinstance(model, Network) else _of_module(model)
        if steps is None:
            return None
        layers: list[ChainLayer] = []
        for step in steps:
            if isinstance(step, ChainLayer):
                layers.append(step)
            elif not layers:
                return None
            else:
                layers[-1] = layers[-1]._replace(function=_composed(layers[-1].function, step))
        kinds = {(layer.weight.dtype, layer.weight.device.type) for layer in layers}
        if len(kinds) != 1 or kinds.pop() not in ((torch.float64, "cpu"), (torch.float32, "cpu")):
            return None
        return Chain(tuple(layers))

    @property
    def dimension(self) -> int:
        """Numbers of one input."""
        return int(self.layers[0].weight.shape[1])

    @property
    def outputs(self) -> int:
        """Numbers of one output."""
        return int(self.layers[-1].weight.shape[0])

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights, and so of what is computed."""
        return self.layers[0].weight.dtype

    @property
    def last_inputs(self) -> int:
        """Columns of the last matrix."""
        return int(self.layers[-1].weight.shape[1])

    @cached_property
    def shortened(self) -> Chain:
        """A chain whose Jacobians have the same Gram matrices, and no more rows than the last layer has columns."""
        last = self.layers[-1]
        if last.function is not None or last.weight.shape[0] <= last.weight.shape[1]:
            return self
        upper = torch.linalg.qr(last.weight.double(), mode="r")[1].to(last.weight)
        return replace(self, layers=(*self.layers[:-1], ChainLayer(upper, None, None)))

    def jacobians(self, z: Tensor, project: Tensor | None = None) -> Iterator[Tensor]:
        """[rows, outputs, d] Jacobians in parts of bounded memory.

        Args:
            z: [n, d] inputs.
            project: [k, outputs] what outputs are multiplied with first.

        Yields:
            The Jacobians of some inputs.
        """
        for part in z.split(self._rows):
            slopes = self._slopes(part)
            J = self._behind(slopes, len(self.layers) - 1)
            last, after = self.layers[-1].weight, slopes[-1]
            if len(self.layers) > 1:
                J = _product(last, slopes[-2], J, torch.ones_like(after))[:, : len(last)]
            if self.layers[-1].function is not None:
                J = J * after[:, :, None]
            yield J if project is None else project @ J

    def grams(self, z: Tensor) -> Iterator[Grams]:
        r"""$J^TJ$ of the Jacobians, which for a last layer without function needs no row of its outputs.

        Args:
            z: [n, d] inputs.

        Yields:
            The matrices of some inputs.
        """
        weight = self.layers[-1].weight
        direct = self.layers[-1].function is not None or len(self.layers) == 1
        # a Gram matrix of the last layer pays if there are more columns of Jacobians than it has
        direct = direct or len(z) * self.dimension < 2 * weight.shape[1] or 2 * weight.shape[0] < weight.shape[1]
        if direct:
            for J in self.jacobians(z):
                gram = J.mT @ J
                yield Grams(gram, gram.diagonal(dim1=1, dim2=2).amax(dim=1))
            return
        whole = weight.T @ weight
        upper = whole.triu()
        upper.diagonal().mul_(0.5)
        norm = _norm(whole)
        for part in z.split(self._rows):
            slopes = self._slopes(part)
            J = self._behind(slopes, len(self.layers) - 1)
            half = J.mT @ _product(upper, slopes[-2], J, (slopes[-2] != 0).to(J), upper=True)
            yield Grams(half + half.mT, norm * J.square().sum(dim=1).amax(dim=1))

    @property
    def _rows(self) -> int:
        widest = max(layer.weight.shape[0] for layer in self.layers)
        return max(1, NUMBERS // (widest * self.dimension))

    def _slopes(self, z: Tensor) -> list[Tensor]:
        """[rows, units] slopes of the functions of all layers."""
        slopes: list[Tensor] = []
        for layer in self.layers:
            if layer is self.layers[-1] and layer.function is None:
                slopes.append(z.new_ones(len(z), len(layer.weight)))
                break
            z = torch.nn.functional.linear(z, layer.weight, layer.bias)
            if layer.function is None:
                slopes.append(torch.ones_like(z))
            else:
                pulled: Any = torch.func.vjp(layer.function, z)  # forward mode keeps its levels for all threads
                z = pulled[0]
                slopes.append(pulled[1](torch.ones_like(z))[0].detach())
        return slopes

    def _behind(self, slopes: list[Tensor], count: int) -> Tensor:
        """Jacobians behind so many layers; rows of units without slope are left out. Behind none: the first matrix."""
        first = self.layers[0].weight
        if not count:
            return first.expand(len(slopes[0]), *first.shape)
        J = _kept(slopes[0], first.shape[1])
        in_ranges(scale, len(J), first.contiguous().numpy(), slopes[0].contiguous().numpy(), J.numpy(), grain=1)
        for number in range(1, count):
            J = _product(self.layers[number].weight, slopes[number - 1], J, slopes[number])
        return J


def _product(weight: Tensor, before: Tensor, J: Tensor, after: Tensor, *, upper: bool = False) -> Tensor:
    """See `multiply`."""
    out = _kept(after, J.shape[2])
    arrays = (weight.contiguous(), before.contiguous(), J.contiguous(), after.contiguous())
    matrix, read, given, kept = (array.numpy() for array in arrays)
    in_ranges(multiply, len(J), matrix, read, given, kept, upper, out.numpy(), grain=1)
    return out


def _kept(after: Tensor, columns: int) -> Tensor:
    """Room for an even number of rows of Jacobians, those of units with slope; zeros where there are fewer of them."""
    most = int((after != 0).sum(dim=1).max()) if len(after) else 0
    return after.new_zeros(len(after), most + most % 2, columns)


def _norm(gram: Tensor) -> float:
    """About the largest eigenvalue of a Gram matrix, rather too large."""
    vector = torch.ones(len(gram), dtype=gram.dtype)
    size = 0.0
    for _ in range(20):
        vector = gram @ vector
        size = float(vector.norm())
        if not 0 < size < float("inf"):
            return size
        vector = vector / size
    return 2 * size


def _composed(first: Elementwise | None, second: Elementwise) -> Elementwise:
    return second if first is None else lambda x: second(first(x))


def _of_module(module: nn.Module) -> list[ChainLayer | Elementwise] | None:
    """Steps of a module that is plainly a chain."""
    if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):
        return None
    if type(module) is nn.Sequential:
        parts = [_of_module(part) for part in module]
        return None if any(part is None for part in parts) else list(joined.from_iterable(p for p in parts if p))
    if type(module) is nn.Linear:
        return [ChainLayer(module.weight.detach(), None if module.bias is None else module.bias.detach(), None)]
    if type(module) in _FUNCTIONS and not getattr(module, "inplace", False):
        return [module]
    return [] if type(module) in _NOTHING else None


def _of_network(network: Network) -> list[ChainLayer | Elementwise] | None:
    """Steps of a network whose nodes each read the one before."""
    if network.output != len(network.nodes) - 1 or network.head is not None:
        return None
    steps: list[ChainLayer | Elementwise] = []
    for position, node in enumerate(network.nodes[1:], 1):
        if node.inputs != (position - 1,):
            return None
        if node.fold is not None and node.fold.elementwise:
            steps.append(node.fold.evaluate)
        elif node.affine is not None and node.affine.matrix is not None:
            offset = node.affine.offset
            steps.append(ChainLayer(node.affine.matrix, None if offset is None else offset.flatten(), None))
        elif node.affine is None or not node.affine.keeps_order:
            return None
    return steps
