"""What is plainly a chain of layers: modules and networks, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.network.chain_layers import DenseLayer, Elementwise, PlacedLayer
from splinescope.network.graph import Network, Node
from splinescope.network.ops import Convolution, Scale, Select, TransposedConvolution
from splinescope.network.placed_reads import KernelAxis, PlaceReads, behind_copies

Layer = DenseLayer | PlacedLayer

LARGEST = 1 << 25
"""Numbers of the matrix that a first convolution may become."""

_FUNCTIONS = (
    nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.Softplus, nn.ReLU6,
    nn.Hardtanh, nn.Mish, nn.Softsign,
)  # fmt: skip
_NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMALISED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class NoChainError(Exception):
    """Something that no layer of a chain is."""


class Copies(NamedTuple):
    """A step that makes copies of places, which waits for the convolution that reads them.

    Attributes:
        step: From images to larger ones.
        shape: Shape of an image before.
        places: Of which place each place is a copy.
    """

    step: Elementwise
    shape: tuple[int, ...]
    places: np.ndarray


@dataclass
class Reader:
    """Layers as they are read.

    Attributes:
        shape: Shape of what comes next; None if nobody has said it.
        layers: The layers so far.
        pending: Copies of places that the next convolution reads.
    """

    shape: tuple[int, ...] | None
    layers: list[Layer] = field(default_factory=list)
    pending: Copies | None = None

    def dense(self, weight: Tensor, bias: Tensor | None) -> None:
        """A matrix and an offset."""
        self._settled()
        if self.shape is not None and self.shape != (weight.shape[1],):
            raise NoChainError
        last = self.layers[-1] if self.layers else None
        reads = last.order if isinstance(last, PlacedLayer) else None
        self.layers.append(DenseLayer(weight, bias, (len(weight),), reads=reads))
        self.shape = (len(weight),)

    def elementwise(self, function: Elementwise) -> None:
        """A function of each number."""
        self._settled()
        if not self.layers:
            raise NoChainError
        last = self.layers[-1]
        if self.shape is not None and self.shape != last.shape:  # flattened or the like: as it was
            raise NoChainError
        self.layers[-1] = replace(last, function=_composed(last.function, function))

    def reshaped(self, shape: tuple[int, ...]) -> None:
        """The same numbers in another shape."""
        self._settled()
        if self.shape is not None and math.prod(shape) != math.prod(self.shape):
            raise NoChainError
        self.shape = shape
        last = self.layers[-1] if self.layers else None
        if isinstance(last, DenseLayer) and last.function is None:
            self.layers[-1] = replace(last, shape=shape)

    def chosen(self, step: Elementwise, index: Tensor) -> None:
        """Each number is one of those before it, by flat positions in the shape of what comes next."""
        self._settled()
        if self.shape is None or bool((index < 0).any()):
            raise NoChainError
        last = self.layers[-1] if self.layers else None
        flat = index.reshape(-1)
        if isinstance(last, DenseLayer) and last.function is None:
            bias = None if last.bias is None else last.bias[flat]
            self.layers[-1] = replace(last, weight=last.weight[flat], bias=bias, shape=tuple(index.shape))
        else:
            places, channels = math.prod(self.shape[1:]), self.shape[0]
            by_channel = flat.reshape(index.shape[0], -1)
            copies = by_channel[0]
            if index.shape[0] != channels or not torch.equal(
                by_channel, copies + places * torch.arange(channels)[:, None]
            ):
                raise NoChainError
            self.pending = Copies(step, self.shape, copies.numpy())
        self.shape = tuple(index.shape)

    def convolution(
        self, weight: Tensor, call: Elementwise, axes: Callable[[tuple[int, ...], tuple[int, ...]], list[KernelAxis]]
    ) -> None:
        """A convolution with [taps, out, in] matrices, called so, with axes for sizes of the input and the output."""
        copied, self.pending = self.pending, None
        if self.shape is None or self.shape[0] != weight.shape[2]:
            raise NoChainError
        inside = self.shape
        shape = tuple(call(weight.new_zeros(1, *inside)).shape[1:])
        if self.layers:
            read = inside if copied is None else copied.shape
            self._kept_by_place(read)
            reads = PlaceReads.of(axes(inside[1:], shape[1:]))
            if copied is not None:
                reads, weight = behind_copies(reads, weight, copied.places)
            step = None if copied is None else copied.step
            self.layers.append(PlacedLayer(weight.contiguous(), reads, read, _composed(step, call), shape))
        else:
            self.layers.append(_matrix(call, inside, shape, weight))
        self.shape = shape

    def _kept_by_place(self, image: tuple[int, ...]) -> None:
        """See that the numbers of the last layer are kept as those of images of a shape."""
        last = self.layers[-1]
        if isinstance(last, DenseLayer):
            self.layers[-1] = replace(last, image=image)
        elif last.shape != image:
            raise NoChainError

    def _settled(self) -> None:
        if self.pending is not None:
            raise NoChainError


def _matrix(call: Elementwise, shape: tuple[int, ...], shape_out: tuple[int, ...], like: Tensor) -> DenseLayer:
    """A first convolution as the matrix that it is."""
    size = math.prod(shape)
    if size * math.prod(shape_out) > LARGEST:
        raise NoChainError
    bias = call(like.new_zeros(1, *shape)).flatten()
    columns = call(torch.eye(size, dtype=like.dtype).reshape(size, *shape)).flatten(1) - bias
    return DenseLayer(columns.T.contiguous(), bias, shape_out)


def read_module(module: nn.Module, reader: Reader) -> None:
    """Read a module.

    Args:
        module: The module, as it is in eval mode.
        reader: Where layers are put.

    Raises:
        NoChainError: If it is not plainly a chain.
    """
    if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):
        raise NoChainError
    kind: Any = type(module)
    if isinstance(module, nn.Sequential) and kind is nn.Sequential:
        for part in module:  # one that stands twice is run twice, which `children` does not say
            read_module(part, reader)
    elif isinstance(module, nn.Linear) and kind is nn.Linear:
        reader.dense(module.weight.detach(), None if module.bias is None else module.bias.detach())
    elif kind in _FUNCTIONS:
        reader.elementwise(_not_in_place(module))
    elif kind in _CONVOLUTIONS + _TRANSPOSED:
        _read_convolution(module, reader, transposed=kind in _TRANSPOSED)
    elif kind in _NORMALISED:
        _read_normalisation(module, reader)
    else:
        _read_arrangement(module, reader)


def _not_in_place(module: nn.Module) -> Elementwise:
    """An elementwise module that leaves what it is given as it is."""
    if not getattr(module, "inplace", False):
        return module
    twin: Any = copy(module)
    twin.inplace = False
    return twin


def _read_arrangement(module: Any, reader: Reader) -> None:
    """What only moves numbers."""
    kind = type(module)
    if kind in _NOTHING:
        return
    if kind is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
        if reader.shape is not None:
            reader.reshaped((math.prod(reader.shape),))
    elif kind is nn.Unflatten and module.dim == 1 and reader.shape is not None and len(reader.shape) == 1:
        sizes = tuple(module.unflattened_size)
        known = math.prod(size for size in sizes if size != -1)
        reader.reshaped(tuple(math.prod(reader.shape) // known if size == -1 else size for size in sizes))
    elif kind is nn.Upsample and module.mode == "nearest" and reader.shape is not None:
        places = torch.arange(math.prod(reader.shape), dtype=torch.float64).reshape(1, *reader.shape)
        reader.chosen(module, module(places)[0].long())
    else:
        raise NoChainError


def _read_convolution(module: Any, reader: Reader, *, transposed: bool) -> None:
    fits = reader.shape is not None and len(reader.shape) == module.weight.ndim - 1
    if not fits or module.groups != 1 or module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise NoChainError
    weight = module.weight.detach().flatten(2)
    weight = weight.permute(2, 1, 0) if transposed else weight.permute(2, 0, 1)

    def axes(sizes: tuple[int, ...], sizes_out: tuple[int, ...]) -> list[KernelAxis]:
        settings = zip(module.kernel_size, module.stride, module.padding, module.dilation, strict=True)
        return [
            KernelAxis(size, out, taps, stride, before, dilation, transposed)
            for size, out, (taps, stride, before, dilation) in zip(sizes, sizes_out, settings, strict=True)
        ]

    reader.convolution(weight, _without_gradients(module), axes)


def _without_gradients(module: nn.Module) -> Elementwise:
    def call(z: Tensor) -> Tensor:
        with torch.no_grad():
            out: Tensor = module(z)
            return out

    return call


def _read_normalisation(module: Any, reader: Reader) -> None:
    """Batch normalisation as it is in eval mode, by numbers that were kept."""
    if module.running_mean is None or module.running_var is None:
        raise NoChainError
    weight = None if module.weight is None else module.weight.detach()
    bias = None if module.bias is None else module.bias.detach()

    def normalised(z: Tensor) -> Tensor:
        return torch.nn.functional.batch_norm(
            z, module.running_mean, module.running_var, weight, bias, False, 0.0, module.eps
        )

    reader.elementwise(normalised)


def read_network(network: Network, reader: Reader) -> None:
    """Read a network whose nodes each read the one before.

    Args:
        network: The network.
        reader: Where layers are put.

    Raises:
        NoChainError: If it is not plainly a chain.
    """
    head = network.head
    if network.output != len(network.nodes) - 1 or (head is not None and head.axis is not None):
        raise NoChainError
    reader.shape = network.input_shape
    for position, node in enumerate(network.nodes[1:], 1):
        if node.inputs != (position - 1,):
            raise NoChainError
        _read_node(node, reader)
    if head is not None:
        reader.elementwise(head)


def _read_node(node: Node, reader: Reader) -> None:
    op = node.op
    if node.fold is not None and node.fold.elementwise:
        reader.elementwise(node.fold.evaluate)
    elif node.affine is not None and node.affine.keeps_order:
        reader.reshaped(node.shape)
    elif node.affine is not None and node.affine.matrix is not None:
        offset = node.affine.offset
        if reader.shape is not None:
            reader.reshaped((math.prod(reader.shape),))
        reader.dense(node.affine.matrix, None if offset is None else offset.flatten())
        reader.reshaped(node.shape)
    elif isinstance(op, Scale):
        reader.elementwise(op.evaluate)
    elif isinstance(op, Select) and op.constant is None:
        reader.chosen(op.evaluate, op.index)
    elif isinstance(op, Convolution | TransposedConvolution) and op.groups == 1:
        transposed = isinstance(op, TransposedConvolution)
        if len(node.shape) != op.weight.ndim - 1 or reader.shape is None or len(reader.shape) != len(node.shape):
            raise NoChainError
        weight = op.weight.flatten(2)
        weight = weight.permute(2, 1, 0) if transposed else weight.permute(2, 0, 1)
        reader.convolution(weight, op.evaluate, lambda sizes, out: _axes(op, sizes, out))
    else:
        raise NoChainError


def _axes(
    op: Convolution | TransposedConvolution, sizes: tuple[int, ...], sizes_out: tuple[int, ...]
) -> list[KernelAxis]:
    transposed = isinstance(op, TransposedConvolution)
    ends = op.crop if isinstance(op, TransposedConvolution) else op.padding
    settings = zip(op.weight.shape[2:], op.stride, ends, op.dilation, strict=True)
    return [
        KernelAxis(size, out, int(taps), stride, before, dilation, transposed)
        for size, out, (taps, stride, (before, _), dilation) in zip(sizes, sizes_out, settings, strict=True)
    ]


def _composed(first: Elementwise | None, second: Elementwise) -> Elementwise:
    return second if first is None else lambda x: second(first(x))
