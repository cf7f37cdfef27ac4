"""The affine forms of a network on one cell, in exact integer arithmetic.

All weights are float64 numbers, hence integers over a power of two, and so are all forms: an activation multiplies by a
slope, a maximum chooses. Nothing here is shared with the engines, which have predicates of their own.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from flint import fmpz_mat

from splinescope.network.graph import Network, Node
from splinescope.network.ops import (
    AffineOp,
    AxisMap,
    Concatenate,
    Convolution,
    Dense,
    Reshape,
    Scale,
    Select,
    SharedDense,
    Sum,
    TransposedConvolution,
)

_CONVERTED = 1 << 18
"""Numbers of a matrix that are Python's integers at once, on the way to FLINT's."""


@dataclass(frozen=True)
class ScaledIntegers:
    """Integers over a power of two.

    Attributes:
        numbers: Python integers, as an array of objects.
        bits: The power: the values are `numbers / 2**bits`.
    """

    numbers: np.ndarray
    bits: int

    def at(self, bits: int) -> np.ndarray:
        """The integers over another power, at least as large."""
        if bits == self.bits:
            return self.numbers
        return np.asarray(self.numbers * (1 << (bits - self.bits)), object)  # numpy makes scalars of single numbers

    def flat(self) -> ScaledIntegers:
        """[n, last axis] the same numbers."""
        return ScaledIntegers(self.numbers.reshape(-1, self.numbers.shape[-1]), self.bits)


def exactly(array: Any) -> ScaledIntegers:
    """Float64 numbers as integers over a common power of two.

    Args:
        array: An array or tensor of finite numbers.

    Returns:
        The same numbers.
    """
    values = np.asarray(array, np.float64)
    mantissa, exponent = np.frexp(values.ravel())
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    used = np.flatnonzero(whole)
    out = np.zeros(values.size, object)
    out[:] = 0
    if not len(used):
        return ScaledIntegers(out.reshape(values.shape), 0)
    zeros = np.log2((whole[used] & -whole[used]).astype(np.float64)).astype(np.int64)
    odd, power = whole[used] >> zeros, exponent[used].astype(np.int64) - 53 + zeros
    lowest = int(power.min())
    out[used] = [int(a) << int(b) for a, b in zip(odd.tolist(), (power - lowest).tolist(), strict=True)]
    return ScaledIntegers(out.reshape(values.shape), -lowest)


def total(parts: list[ScaledIntegers]) -> ScaledIntegers:
    """The sum of arrays of one shape."""
    bits = max(part.bits for part in parts)
    numbers = parts[0].at(bits)
    for part in parts[1:]:
        numbers = numbers + part.at(bits)
    return ScaledIntegers(numbers, bits)


class Parameters:
    """Parameters of a network's ops as integers, each converted once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, ScaledIntegers]] = {}
        self._matrices: dict[int, tuple[Any, list[tuple[fmpz_mat, int]]]] = {}

    def __call__(self, tensor: Any) -> ScaledIntegers:
        """A parameter as integers."""
        if id(tensor) not in self._known:
            self._known[id(tensor)] = (tensor, exactly(tensor))
        return self._known[id(tensor)][1]

    def times(self, tensor: Any, forms: np.ndarray) -> ScaledIntegers:
        """A matrix of parameters on integers [n, d + 1]; the result's power is the matrix's.

        A matrix is kept as FLINT's integers, which are much smaller than Python's, and is converted by blocks of rows.
        """
        if id(tensor) not in self._matrices:
            rows, blocks = max(1, _CONVERTED // max(1, tensor.shape[1])), []
            for start in range(0, len(tensor), rows):
                whole = exactly(tensor[start : start + rows])
                blocks.append((fmpz_mat(whole.numbers.tolist()), whole.bits))
            self._matrices[id(tensor)] = (tensor, blocks)
        numbers = fmpz_mat(forms.tolist())
        images = []
        for matrix, bits in self._matrices[id(tensor)][1]:
            image = np.empty((matrix.nrows(), forms.shape[1]), object)
            image[:] = [[int(x) for x in row] for row in (matrix * numbers).tolist()]
            images.append(ScaledIntegers(image, bits))
        bits = max((image.bits for image in images), default=0)
        return ScaledIntegers(np.concatenate([image.at(bits) for image in images]), bits)


Pattern = np.ndarray
"""[columns] bits of the code of a folding node on one cell."""


def work(network: Network) -> int:
    """Products that the affine ops of a network take at one point."""
    return sum(node.size * node.affine.addends for node in network.nodes if node.affine is not None)


def cell_forms(
    network: Network, entry: ScaledIntegers, patterns: dict[int, Pattern], wanted: set[int], parameters: Parameters
) -> dict[int, ScaledIntegers]:
    """Affine forms of the nodes that some folding nodes read, on a cell with a given pattern.

    Args:
        network: The network.
        entry: [*input_shape, d + 1] forms of the input: coefficients of the coordinates, and the constant.
        patterns: Patterns of the folding nodes.
        wanted: Folding nodes; -1 for the output.
        parameters: Where parameters are kept as integers.

    Returns:
        For each wanted node [n, d + 1] forms of its flat input, and of the flat output for -1.
    """
    forms: dict[int, ScaledIntegers] = {0: entry}
    found: dict[int, ScaledIntegers] = {}
    stop = network.output + 1 if -1 in wanted else max(wanted)
    last = {source: i for i, node in enumerate(network.nodes[: stop + 1]) for source in node.inputs}
    last[network.output] = stop
    for index, node in enumerate(network.nodes[: stop + 1]):
        if index in wanted:
            found[index] = forms[node.inputs[0]].flat()
        if index == stop:
            break
        if node.inputs:
            sources = [forms[source] for source in node.inputs]
            forms[index] = _applied(node, sources, patterns.get(index), parameters)
        for source in node.inputs:
            if last[source] == index:
                forms.pop(source, None)
    if -1 in wanted:
        found[-1] = forms[network.output].flat()
    return found


def _with_bias(linear: ScaledIntegers, bias: ScaledIntegers | None) -> ScaledIntegers:
    """Linear images of forms plus a bias, whose shape broadcasts over the forms'."""
    if bias is None:
        return linear
    bits = max(linear.bits, bias.bits)
    numbers = np.array(linear.at(bits))
    numbers[..., -1] += bias.at(bits)
    return ScaledIntegers(numbers, bits)


def _applied(node: Node, x: list[ScaledIntegers], pattern: Pattern | None, keep: Parameters) -> ScaledIntegers:
    """Forms of a node."""
    if node.affine is not None:
        return _affine(node.affine, x, node.shape, keep)
    assert node.fold is not None
    assert pattern is not None
    reads = node.fold.reads(node.fold.named(pattern.reshape(-1, node.size)))
    slope, intercept = exactly(reads.slopes), exactly(reads.intercepts)
    image = ScaledIntegers(x[0].flat().numbers[reads.places] * slope.numbers[:, None], x[0].bits + slope.bits)
    image = _with_bias(image, intercept)
    return ScaledIntegers(image.numbers.reshape(*node.shape, image.numbers.shape[-1]), image.bits)


@singledispatch
def _affine(op: AffineOp, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    """Forms of an affine op: by the rows of its matrix, where its kind has no way of its own below."""
    shapes = [part.numbers.shape[:-1] for part in x]
    rows, offset = op.rows(np.arange(np.prod(shape, dtype=np.int64)), *shapes), exactly(op.offsets(*shapes))
    bits = max(part.bits for part in x)
    before = np.concatenate([part.flat().at(bits) for part in x])
    weights = exactly(rows.data)
    out = np.zeros((len(offset.numbers), before.shape[1]), object)
    np.add.at(
        out, np.repeat(np.arange(len(out)), np.diff(rows.indptr)), weights.numbers[:, None] * before[rows.indices]
    )
    image = _with_bias(ScaledIntegers(out, bits + weights.bits), offset)
    return ScaledIntegers(image.numbers.reshape(*shape, -1), image.bits)


@_affine.register
def _(op: Dense, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    flat = x[0].flat()
    image = keep.times(op.weight, flat.numbers)
    return _with_bias(ScaledIntegers(image.numbers, image.bits + flat.bits), keep(op.bias))


@_affine.register
def _(op: SharedDense, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    one, weight = x[0].numbers, keep(op.weight)
    moved = np.moveaxis(np.tensordot(weight.numbers, one, axes=(1, one.ndim - 2)), 0, -2)
    return _with_bias(ScaledIntegers(moved, weight.bits + x[0].bits), keep(op.bias))


@_affine.register
def _(op: Scale, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    scale = keep(op.scale)
    numbers = x[0].numbers * scale.numbers[..., None]
    return _with_bias(
        ScaledIntegers(np.broadcast_to(numbers, (*shape, numbers.shape[-1])), scale.bits + x[0].bits), keep(op.shift)
    )


@_affine.register
def _(op: Select, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    index, flat = op.index.numpy(), x[0].flat()
    chosen = np.where((index >= 0)[..., None], flat.numbers[np.maximum(index, 0)], 0)
    return _with_bias(ScaledIntegers(chosen, flat.bits), None if op.constant is None else keep(op.constant))


@_affine.register
def _(op: Convolution, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    return _with_bias(_convolved(op, x[0], keep), _channelwise(op, keep))


@_affine.register
def _(op: TransposedConvolution, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    return _with_bias(_scattered(op, x[0], shape, keep), _channelwise(op, keep))


@_affine.register
def _(op: Sum, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    factors = [exactly(float(c)) for c in op.coefficients]
    return total(
        [ScaledIntegers(p.numbers * f.numbers.item(), p.bits + f.bits) for p, f in zip(x, factors, strict=True)]
    )


@_affine.register
def _(op: Concatenate, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    bits = max(part.bits for part in x)
    return ScaledIntegers(np.concatenate([part.at(bits) for part in x], axis=op.axis), bits)


@_affine.register
def _(op: Reshape, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    return ScaledIntegers(x[0].numbers.reshape(*shape, -1), x[0].bits)


@_affine.register
def _(op: AxisMap, x: list[ScaledIntegers], shape: tuple[int, ...], keep: Parameters) -> ScaledIntegers:
    numbers, bits = x[0].numbers, x[0].bits
    for matrix, axis in zip(op.matrices, op.axes, strict=True):
        factor = keep(matrix)
        numbers = np.moveaxis(np.tensordot(factor.numbers, numbers, axes=(1, axis)), 0, axis)
        bits += factor.bits
    return ScaledIntegers(numbers, bits)


def _channelwise(op: Convolution | TransposedConvolution, keep: Parameters) -> ScaledIntegers:
    bias = keep(op.bias)
    return ScaledIntegers(bias.numbers.reshape(-1, *(1,) * len(op.stride)), bias.bits)


def _convolved(op: Convolution, x: ScaledIntegers, keep: Parameters) -> ScaledIntegers:
    """A convolution of forms [..., channels, *sizes, d + 1]: one product for each place in the kernel."""
    weight = keep(op.weight)
    kernel, axes = op.weight.shape[2:], len(op.stride)
    lead = x.numbers.shape[: x.numbers.ndim - axes - 2]
    images = x.numbers.reshape(-1, *x.numbers.shape[len(lead) :])
    padded = _padded(images, [(0, 0), (0, 0), *op.padding, (0, 0)])
    sizes = [(padded.shape[2 + i] - op.dilation[i] * (kernel[i] - 1) - 1) // op.stride[i] + 1 for i in range(axes)]
    result: Any = 0
    for place in itertools.product(*(range(k) for k in kernel)):
        window: Any = tuple(
            slice(
                place[i] * op.dilation[i], place[i] * op.dilation[i] + op.stride[i] * (sizes[i] - 1) + 1, op.stride[i]
            )
            for i in range(axes)
        )
        result = result + _by_groups(
            np.moveaxis(weight.numbers, (0, 1), (-2, -1))[place], padded[(slice(None), slice(None), *window)], op.groups
        )
    return ScaledIntegers(result.reshape(*lead, *result.shape[1:]), x.bits + weight.bits)


def _padded(numbers: np.ndarray, widths: list[tuple[int, int]]) -> np.ndarray:
    """Zeros around an array of Python integers (`np.pad` would put numpy's own there, which overflow)."""
    out = np.zeros([size + before + after for size, (before, after) in zip(numbers.shape, widths, strict=True)], object)
    out[tuple(slice(before, before + size) for size, (before, _) in zip(numbers.shape, widths, strict=True))] = numbers
    return out


def _by_groups(matrix: Any, images: np.ndarray, groups: int) -> np.ndarray:
    """[out, in / groups] matrix on the channels of [N, in, ...], group by group."""
    outputs, inputs = len(matrix) // groups, matrix.shape[1]
    parts = [
        np.moveaxis(
            np.tensordot(
                matrix[g * outputs : (g + 1) * outputs], images[:, g * inputs : (g + 1) * inputs], axes=(1, 1)
            ),
            0,
            1,
        )
        for g in range(groups)
    ]
    return np.concatenate(parts, axis=1)


def _scattered(
    op: TransposedConvolution, x: ScaledIntegers, shape: tuple[int, ...], keep: Parameters
) -> ScaledIntegers:
    """A transposed convolution of forms: every place in the kernel adds to a lattice of outputs."""
    weight = keep(op.weight)
    kernel, axes = op.weight.shape[2:], len(op.stride)
    lead = x.numbers.shape[: x.numbers.ndim - axes - 2]
    images = x.numbers.reshape(-1, *x.numbers.shape[len(lead) :])
    sizes = images.shape[2:-1]
    full = [(sizes[i] - 1) * op.stride[i] + op.dilation[i] * (kernel[i] - 1) + 1 for i in range(axes)]
    channels, inputs = op.weight.shape[1], len(weight.numbers) // op.groups
    out = np.zeros((len(images), channels * op.groups, *full, images.shape[-1]), object)
    for place in itertools.product(*(range(k) for k in kernel)):
        window: Any = tuple(
            slice(
                place[i] * op.dilation[i], place[i] * op.dilation[i] + op.stride[i] * (sizes[i] - 1) + 1, op.stride[i]
            )
            for i in range(axes)
        )
        matrix = np.moveaxis(weight.numbers, (0, 1), (-2, -1))[place]
        turned = np.concatenate([matrix[g * inputs : (g + 1) * inputs].T for g in range(op.groups)])
        out[(slice(None), slice(None), *window)] += _by_groups(turned, images, op.groups)
    for i, (before, after) in enumerate(op.crop):
        grow = [(0, 0)] * out.ndim
        grow[2 + i] = (max(0, -before), max(0, -after))
        out = _padded(out, grow)
        stop = out.shape[2 + i] - max(0, after)
        out = out[(slice(None), slice(None), *[slice(None)] * i, slice(max(0, before), stop))]
    return ScaledIntegers(out.reshape(*lead, *out.shape[1:]), x.bits + weight.bits)
