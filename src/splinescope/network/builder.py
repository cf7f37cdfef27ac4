"""Build a network's graph from the vocabulary that importers meet.

Importers see a model as a function of one sample: every tensor has its full shape, with a batch dimension of one where
the model has one. Since that leaves the row-major order unchanged, any rearrangement (permute, slice, pad, ...) is what
the model's own op does to the tensor of positions, and any linear pooling what it does to unit vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.graph import Head, Network, Node
from splinescope.network.ops import (
    Activation,
    Concatenate,
    Convolution,
    Dense,
    Input,
    Maximum,
    Op,
    Scale,
    Select,
    SparseMap,
    Sum,
    TransposedConvolution,
)

SUPPORTED = (
    "dense, convolution and transposed convolution, batch-norm (eval), average and max pooling, ReLU, LeakyReLU, PReLU, RReLU "
    "(eval), abs, clip/ReLU6/hardtanh, hardsigmoid, softshrink, continuous threshold, maximum/minimum, add/subtract, "
    "multiply/divide by constants, concatenate, slice/gather/pad/permute/reshape, upsampling, sum/mean; "
    "softmax/log_softmax/sigmoid/tanh at the output"
)
"""What an unsupported op is told."""


@dataclass(frozen=True)
class Variable:
    """A tensor that depends on the input: a node, seen with a full shape."""

    node: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Smooth:
    """A smooth function of a variable, which may only be the output.

    Attributes:
        base: What it is a function of.
        name: Its name, or names.
        function: From [batch, *base shape without batch] to the values.
        shape: Full shape.
        label: Node and op, for errors.
    """

    base: Variable
    name: str
    function: Callable[[Tensor], Tensor]
    shape: tuple[int, ...]
    label: str


def unsupported(name: str, op: str, reason: str) -> UnsupportedOpError:
    """The error for a node that is not continuous piecewise affine."""
    return UnsupportedOpError(f"node `{name}` ({op}): {reason}; supported are {SUPPORTED}")


def _sample_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """A full shape without its batch dimension of one."""
    return tuple(shape[1:]) if len(shape) > 1 and shape[0] == 1 else tuple(shape)


class Builder:
    """A graph under construction; methods add a node and return the new variable."""

    def __init__(self, input_shape: Sequence[int], name: str = "input") -> None:
        self.nodes: list[Node] = [Node(name, Input(), (), _sample_shape(input_shape))]
        self.input = Variable(0, tuple(input_shape))

    def _add(self, name: str, op: Op, inputs: Sequence[Variable], shape: Sequence[int]) -> Variable:
        for field, value in vars(op).items():
            if isinstance(value, Tensor) and value.is_floating_point() and not _finite(value):
                raise InvalidInputError(f"node `{name}`: its {field} has NaN or infinite values; expected finite weights")
        self.nodes.append(Node(name, op, tuple(v.node for v in inputs), _sample_shape(shape)))
        return Variable(len(self.nodes) - 1, tuple(int(n) for n in shape))

    def dense(self, name: str, x: Variable, weight: Tensor, bias: Tensor | None) -> Variable:
        """W x + b along the last axis."""
        weight = _copy(weight)
        bias = torch.zeros(len(weight), dtype=torch.float64) if bias is None else _copy(bias).reshape(-1)
        shape = (*x.shape[:-1], len(weight))
        return self._add(name, Dense(weight, bias, _sample_shape(shape)), [x], shape)

    def convolution(
        self,
        name: str,
        x: Variable,
        weight: Tensor,
        bias: Tensor | None,
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int,
    ) -> Variable:
        """Convolution of [1, channels, *extent] (or without the one)."""
        bias = torch.zeros(len(weight), dtype=torch.float64) if bias is None else _copy(bias)
        extent = x.shape[1 - weight.dim() :]
        op = Convolution(
            _copy(weight), bias, tuple(stride), tuple(map(tuple, padding)), tuple(dilation), groups, extent
        )
        probe = op.evaluate(torch.zeros(1, *extent, dtype=torch.float64))
        return self._add(name, op, [x], (*x.shape[: len(x.shape) - len(extent)], *probe.shape[1:]))

    def transposed_convolution(
        self,
        name: str,
        x: Variable,
        weight: Tensor,
        bias: Tensor | None,
        stride: Sequence[int],
        padding: Sequence[int],
        output_padding: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> Variable:
        """Transposed convolution of [1, channels, *extent] (or without the one)."""
        outputs = weight.shape[1] * groups
        bias = torch.zeros(outputs, dtype=torch.float64) if bias is None else _copy(bias)
        extent = x.shape[1 - weight.dim() :]
        op = TransposedConvolution(
            _copy(weight),
            bias,
            tuple(stride),
            tuple(padding),
            tuple(output_padding),
            tuple(dilation),
            groups,
            extent,
        )
        probe = op.evaluate(torch.zeros(1, *extent, dtype=torch.float64))
        return self._add(name, op, [x], (*x.shape[: len(x.shape) - len(extent)], *probe.shape[1:]))

    def scale(self, name: str, x: Variable, scale: Tensor | float, shift: Tensor | float) -> Variable:
        """scale * x + shift with broadcasting; folded into a dense or convolution node before it."""
        scale, shift = _copy(scale), _copy(shift)
        shape = torch.broadcast_shapes(x.shape, scale.shape, shift.shape)
        if tuple(shape) != x.shape:
            x = self.rearrange(name, x, lambda positions: positions.expand(shape))
        sample = _sample_shape(shape)
        scale, shift = _trimmed(scale, len(sample)), _trimmed(shift, len(sample))
        fused = _fused(self.nodes[x.node], scale, shift, sample)
        if fused is not None:
            inputs = [Variable(source, ()) for source in self.nodes[x.node].inputs]
            return self._add(name, fused, inputs, shape)
        return self._add(name, Scale(scale, shift, sample), [x], shape)

    def rearrange(self, name: str, x: Variable, function: Callable[[Tensor], Tensor], fill: float = 0.0) -> Variable:
        """What `function` does to x, given that it only moves, repeats or drops elements.

        Args:
            name: Name of the node.
            x: The variable.
            function: Maps a float64 tensor of the variable's shape; where it puts new elements (padding) it must put -1.
            fill: Value of those new elements.
        """
        positions = torch.arange(x.size, dtype=torch.float64).reshape(x.shape)
        moved = function(positions).to(torch.int64)
        index = moved.reshape(-1)
        if len(index) == x.size and bool((index == torch.arange(x.size)).all()):
            return Variable(x.node, tuple(moved.shape))
        constant = torch.where(index < 0, fill, 0.0).to(torch.float64)
        return self._add(name, Select(index, constant, _sample_shape(moved.shape)), [x], tuple(moved.shape))

    def linear(self, name: str, x: Variable, function: Callable[[Tensor], Tensor], chunk: int = 256) -> Variable:
        """A sparse linear function of x, found from its images of unit vectors."""
        rows, columns, values = [], [], []
        shape = tuple(function(torch.zeros(x.shape, dtype=torch.float64)).shape)
        for start in range(0, x.size, chunk):
            stop = min(start + chunk, x.size)
            basis = torch.zeros(stop - start, x.size, dtype=torch.float64)
            basis[torch.arange(stop - start), torch.arange(start, stop)] = 1.0
            images = torch.func.vmap(function)(basis.reshape(-1, *x.shape)).reshape(stop - start, -1)
            at = images.nonzero()
            rows.append(at[:, 1])
            columns.append(at[:, 0] + start)
            values.append(images[at[:, 0], at[:, 1]])
        size = (int(np.prod(shape, dtype=np.int64)), x.size)
        index = torch.stack([torch.cat(rows), torch.cat(columns)])
        matrix = torch.sparse_coo_tensor(index, torch.cat(values), size, check_invariants=False).coalesce()
        return self._add(name, SparseMap(_to_csr(matrix), _sample_shape(shape)), [x], shape)

    def add(self, name: str, terms: Sequence[tuple[float, Variable]]) -> Variable:
        """Weighted sum of variables, with broadcasting."""
        shape = torch.broadcast_shapes(*(x.shape for _, x in terms))
        expanded = [
            x if x.shape == tuple(shape) else self.rearrange(name, x, lambda positions: positions.expand(shape))
            for _, x in terms
        ]
        if len(expanded) == 2 and expanded[0].node == expanded[1].node:
            return self.scale(name, expanded[0], terms[0][0] + terms[1][0], 0.0)
        coefficients = tuple(float(c) for c, _ in terms)
        return self._add(name, Sum(coefficients, _sample_shape(shape)), expanded, tuple(shape))

    def concatenate(self, name: str, parts: Sequence[Variable], axis: int) -> Variable:
        """Variables one after the other along an axis of their full shapes."""
        axis %= len(parts[0].shape)
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        op = Concatenate(axis, tuple(part.shape for part in parts))
        joined = self._add(name, op, parts, shape)
        node = self.nodes[joined.node]
        self.nodes[joined.node] = replace(node, shape=_sample_shape(shape))
        return joined

    def activation(
        self, name: str, x: Variable, breakpoints: object, slopes: object, intercepts: object
    ) -> Variable:
        """Elementwise function by pieces; pieces of one slope are joined, and no fold is left of a straight line."""
        tables = [_copy(np.asarray(t, np.float64) if not isinstance(t, Tensor) else t) for t in (breakpoints, slopes, intercepts)]
        points, slope, intercept = (t.reshape(len(t), -1) for t in tables)
        bends = (slope[1:] != slope[:-1]).any(dim=1)
        keep = torch.cat([torch.tensor([True]), bends])
        slope, intercept, points = slope[keep], intercept[keep], points[bends]
        if len(points) == 0:
            return self.scale(name, x, slope[0].reshape(_or_scalar(slope[0], x.shape)), intercept[0].reshape(_or_scalar(intercept[0], x.shape)))
        if slope.shape[1] == 1 and points.shape[1] == 1 and intercept.shape[1] == 1:
            points, slope, intercept = points[:, 0], slope[:, 0], intercept[:, 0]
        return self._add(name, Activation(points, slope, intercept), [x], x.shape)

    def maximum(self, name: str, x: Variable, groups: Tensor, shape: Sequence[int]) -> Variable:
        """Largest of x at the flat positions `groups` [n_out, r] (-1: absent), with the given full shape."""
        return self._add(name, Maximum(groups.to(torch.int64), _sample_shape(shape)), [x], shape)

    def finish(self, output: Variable | Smooth, source: str) -> Network:
        """The network, without nodes that the output does not need."""
        head = None
        if isinstance(output, Smooth):
            head = Head(output.name, output.function)
            output = output.base
        if output.node == 0:
            output = self._add("output", Scale(_copy(1.0), _copy(0.0), _sample_shape(output.shape)), [output], output.shape)
        node = self.nodes[output.node]
        self.nodes[output.node] = replace(node, shape=_sample_shape(output.shape))
        return _pruned(self.nodes, output.node, head, source)


def _or_scalar(table: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    return () if table.numel() == 1 else shape


def _finite(tensor: Tensor) -> bool:
    values = tensor.values() if tensor.layout == torch.sparse_csr else tensor
    return bool(torch.isfinite(values).all())


def _copy(value: object) -> Tensor:
    """A float64 copy on the CPU, apart from the original."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", torch.float64, copy=True).contiguous()
    return torch.tensor(np.array(value, np.float64))


def _to_csr(matrix: Tensor) -> Tensor:
    """CSR without torch's notice that the layout is in beta."""
    indices = matrix.indices()
    counts = torch.bincount(indices[0], minlength=matrix.shape[0])
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return torch.sparse_csr_tensor(starts, indices[1], matrix.values(), matrix.shape, check_invariants=False)


def _trimmed(tensor: Tensor, dimensions: int) -> Tensor:
    """Without leading dimensions of one beyond `dimensions`."""
    while tensor.dim() > dimensions and tensor.shape[0] == 1:
        tensor = tensor[0]
    return tensor


def _fused(node: Node, scale: Tensor, shift: Tensor, shape: tuple[int, ...]) -> Op | None:
    """The op of a dense or convolution node followed by a scale, where that is one op of the same kind."""
    if isinstance(node.op, Dense) and len(shape) == 1:
        factor = scale.expand(len(node.op.weight)) if scale.dim() <= 1 else scale.reshape(-1)
        return replace(node.op, weight=node.op.weight * factor[:, None], bias=node.op.bias * factor + shift)
    if isinstance(node.op, Convolution) and len(shape) == node.op.weight.dim() - 1:
        tables = [_per_channel(table, len(node.op.weight), len(shape)) for table in (scale, shift)]
        if tables[0] is None or tables[1] is None:
            return None
        weight = node.op.weight * tables[0].reshape(-1, *(1,) * (node.op.weight.dim() - 1))
        return replace(node.op, weight=weight, bias=node.op.bias * tables[0] + tables[1])
    return None


def _per_channel(table: Tensor, channels: int, dimensions: int) -> Tensor | None:
    """[channels] if the table is the same within every channel."""
    if table.numel() == 1:
        return table.reshape(1).expand(channels)
    if table.dim() == dimensions and table.shape[0] == channels == table.numel():
        return table.reshape(channels)
    return None


def _pruned(nodes: list[Node], output: int, head: Head | None, source: str) -> Network:
    """Only the input and what the output depends on, renumbered."""
    needed = {output}
    for index in range(output, -1, -1):
        if index in needed:
            needed.update(nodes[index].inputs)
    kept = sorted(needed | {0})
    number = {old: new for new, old in enumerate(kept)}
    renumbered = tuple(replace(nodes[old], inputs=tuple(number[i] for i in nodes[old].inputs)) for old in kept)
    return Network(renumbered, number[output], head, None, source)
