r"""A forward pass in as many digits as are asked for, with proved errors, at the speed of matrix products.

A number is a sum $\sum_j d_j B^j$ of integer digits to the base $B = 2^{18}$, kept as float64 tensors. Weights are
split into such digits without error, products of digits are exact in float64 however a product of matrices sums them,
and what is cut off at the end of a number is added to the bound of its error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, AffineOp, Maximum, Op
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.forward import Passed
from splinescope.tessellation.certificate.stepping import without_gradients

BITS = 18
BASE = 2.0**BITS
_ROUND_UP = 1.0 + 1e-9
_KEPT = 1 << 18
"""Weights of an op up to which their digits are kept for the next chunk of points: they take four times as much."""


@dataclass(frozen=True)
class Digits:
    """Numbers of one shape.

    Attributes:
        parts: Digits by position.
        error: [1, *shape] bound of the error.
    """

    parts: dict[int, Tensor]
    error: Tensor

    @property
    def value(self) -> Tensor:
        """The numbers in float64, to a few roundings."""
        total: Any = 0.0
        for position in sorted(self.parts):
            total = total + scaled(self.parts[position], BITS * position)
        return total

    def mapped(self, function: Any) -> Digits:
        """A rearrangement of the numbers."""
        return Digits({p: function(part) for p, part in self.parts.items()}, function(self.error))


def scaled(numbers: Tensor, bits: int) -> Tensor:
    """Numbers times a power of two, which itself may be beyond float64."""
    half = min(max(bits, -2200), 2040) // 2
    return numbers * 2.0**half * 2.0 ** (min(max(bits, -2200), 2040) - half)


def split(tensor: Tensor) -> dict[int, Tensor]:
    """Float64 numbers as digits, without error."""
    return dict(_digits_of(tensor)) or {0: torch.zeros_like(tensor)}


def _digits_of(tensor: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The digits one by one, by position; none of zeros."""
    rest = tensor.clone()
    while bool((size := rest.abs().amax() if rest.numel() else torch.zeros(())) > 0):
        position = int(np.floor(np.log2(float(size)) / BITS))
        digit = torch.round(scaled(rest, -BITS * position))
        rest -= scaled(digit, BITS * position)
        yield position, digit


def added(sums: dict[int, Tensor], position: int, value: Tensor) -> None:
    """Add a tensor at a position."""
    sums[position] = sums[position] + value if position in sums else value


def carried(sums: dict[int, Tensor], error: Tensor, keep: int | None) -> Digits:
    """Digits of at most half the base each, of which the leading ones are kept.

    Args:
        sums: Integers below 2^53 by position.
        error: Bound of the error so far.
        keep: How many digits are kept; all if None.

    Returns:
        The numbers.
    """
    parts: dict[int, Tensor] = {}
    position, carry = min(sums), None
    top = max(sums)
    while position <= top or carry is not None:
        total = sums.get(position)
        total = carry if total is None else total if carry is None else total + carry
        if total is not None:
            carry = torch.round(total / BASE)
            parts[position] = total - carry * BASE
            if not bool(carry.any()):
                carry = None
        position += 1
    while len(parts) > 1 and not bool(parts[max(parts)].any()):
        del parts[max(parts)]
    if keep is not None:
        lowest = max(parts) - keep + 1
        for place in [p for p in parts if p < lowest]:
            dropped = parts.pop(place).ne(0).any(dim=0, keepdim=True)
            error = error + scaled(dropped.to(torch.float64), BITS * (place + 1)) * 0.51
    return Digits(parts, error)


def _sign(number: Digits) -> Tensor:
    """Signs of the numbers: those of their leading digits."""
    sign: Any = torch.zeros(1)
    for position in sorted(number.parts, reverse=True):
        part = number.parts[position]
        sign = torch.where(sign == 0, torch.sign(part), sign)
    return sign


def _plus(number: Digits, other: dict[int, Tensor], factor: float = 1.0) -> dict[int, Tensor]:
    sums = dict(number.parts)
    for position, part in other.items():
        added(sums, position, factor * part)
    return sums


@dataclass(frozen=True)
class _Linear:
    """An affine op in digits.

    Attributes:
        slices: The op without offset for each digit of its weights; of a large one made as they are asked for, once.
        offset: Digits of its offset.
        whole: The op without offset.
    """

    slices: Iterable[tuple[int, AffineOp]]
    offset: dict[int, Tensor]
    whole: AffineOp


@lru_cache(maxsize=512)
def _small(op: AffineOp) -> tuple[_Linear, ...]:
    """The stages of an op, kept for a while: every chunk of points needs them."""
    stages = map(_linear, op.stages)
    return tuple(_Linear(tuple(stage.slices), stage.offset, stage.whole) for stage in stages)


def _linear(stage: AffineOp) -> _Linear:
    """A stage with its weights split."""
    parts = iter([(0, None)]) if stage.weights is None else _digits_of(stage.weights)
    slices = ((position, stage.reweighted(part)) for position, part in parts)
    return _Linear(slices, {} if stage.offset is None else split(stage.offset), stage.linear)


def _affine(op: AffineOp, x: list[Digits], keep: int) -> Digits:
    kept = sum(0 if stage.weights is None else stage.weights.numel() for stage in op.stages) <= _KEPT
    for stage in _small(op) if kept else map(_linear, op.stages):
        x = [_staged(stage, x, keep)]
    return x[0]


def _staged(stage: _Linear, x: list[Digits], keep: int) -> Digits:
    """One stage of an affine op."""
    sums: dict[int, Tensor] = {}
    nothing = [torch.zeros_like(next(iter(number.parts.values()))) for number in x]
    positions = {position for number in x for position in number.parts}
    for place, piece in stage.slices:
        for position in positions:
            parts = [number.parts.get(position, zero) for number, zero in zip(x, nothing, strict=True)]
            added(sums, position + place, piece.evaluate(*parts))
    if not sums:  # all weights are zero
        sums[0] = stage.whole.evaluate(*nothing)
    for place, offset in stage.offset.items():
        added(sums, place, offset.expand_as(next(iter(sums.values()))))
    return carried(sums, stage.whole.magnitude(*(number.error for number in x)) * _ROUND_UP, keep)


def _activation(op: Activation, x: Digits, keep: int) -> Digits:
    if op.is_relu:
        alive = (_sign(x) > 0).to(torch.float64)
        off = x.value.amax(dim=0, keepdim=True) * (1 - 64 * UNIT_ROUNDOFF) < -x.error * _ROUND_UP
        return Digits({p: part * alive for p, part in x.parts.items()}, torch.where(off, 0.0, x.error))
    shape = next(iter(x.parts.values())).shape
    flat = x.mapped(lambda part: part.reshape(len(part), -1))
    breakpoints, slopes, intercepts = (p.reshape(len(p), -1) for p in (op.breakpoints, op.slopes, op.intercepts))
    piece = torch.zeros((shape[0], flat.error.shape[1]), dtype=torch.int64)
    for row in breakpoints:
        piece += _sign(carried(_plus(flat, split(row[None]), -1.0), flat.error, None)) > 0

    def chosen(table: Tensor) -> Tensor:
        wide = table.expand(len(table), piece.shape[1])
        return wide.gather(0, piece)

    sums: dict[int, Tensor] = {}
    for place, table in split(slopes).items():
        factor = chosen(table)
        for position, part in flat.parts.items():
            added(sums, position + place, part * factor)
    for place, table in split(intercepts).items():
        added(sums, place, chosen(table))
    gaps = ((slopes[1:] - slopes[:-1]) * breakpoints + (intercepts[1:] - intercepts[:-1])).abs().amax(dim=0)
    error = slopes.abs().amax(dim=0) * flat.error * _ROUND_UP + gaps * _ROUND_UP
    return carried(sums, error, keep).mapped(lambda part: part.reshape(len(part), *shape[1:]))


def _maximum(op: Maximum, x: Digits, keep: int) -> Digits:
    flat = x.mapped(lambda part: part.reshape(len(part), -1))
    members = op.members
    best = flat.mapped(lambda part: part[:, members[:, 0]])
    for column in range(1, members.shape[1]):
        other = flat.mapped(lambda part, c=column: part[:, members[:, c]])
        larger = _sign(carried(_plus(other, best.parts, -1.0), best.error, None)) > 0
        parts = {p: torch.where(larger, other.parts[p], best.parts[p]) for p in best.parts}
        best = Digits(parts, torch.maximum(best.error, other.error))
    shape = op.shape or (len(members),)
    return best.mapped(lambda part: part.reshape(len(part), *shape))


def _applied(op: Op, x: list[Digits], keep: int) -> Digits:
    if isinstance(op, Activation):
        return _activation(op, x[0], keep)
    if isinstance(op, Maximum):
        return _maximum(op, x[0], keep)
    assert isinstance(op, AffineOp)
    return _affine(op, x, keep)


Terms = list[tuple[np.ndarray, np.ndarray]]
"""Pairs of factors, [N, 1] and [1 or N, n], whose products sum to inputs."""


@without_gradients
def precise(network: Network, terms: Terms, keep: int) -> Iterator[Passed]:
    """Values before every folding node, then the outputs, in so many digits.

    Args:
        network: The network.
        terms: The inputs, exactly.
        keep: Digits of 18 bits.

    Yields:
        Folding nodes in order, and last the output; values are rounded to float64, which keeps their signs.
    """
    points = len(terms[0][0])
    values: dict[int, Digits] = {}
    last = last_uses(network)
    for index, node in enumerate(network.nodes):
        if node.inputs:
            values[index] = _applied(node.op, [values[source] for source in node.inputs], keep)
        else:
            values[index] = _input(terms, points, network.input_shape)
        if node.fold is not None:
            yield _passed(index, values[node.inputs[0]], points)
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del values[source]
    yield _passed(-1, values[network.output], points)


def _input(terms: Terms, points: int, shape: tuple[int, ...]) -> Digits:
    sums: dict[int, Tensor] = {}
    for factor, direction in terms:
        directions = split(torch.from_numpy(np.ascontiguousarray(direction)))
        for place, part in split(torch.from_numpy(np.ascontiguousarray(factor))).items():
            for position, other in directions.items():
                added(sums, place + position, part * other)
    width = int(np.prod(shape, dtype=np.int64))
    number = carried(sums, torch.zeros((1, width), dtype=torch.float64), None)
    return number.mapped(lambda part: part.expand(len(part), width).reshape(len(part), *shape))


def _passed(index: int, number: Digits, points: int) -> Passed:
    flat = number.value.reshape(points, -1).numpy()
    lowest, highest = flat.min(axis=0), flat.max(axis=0)
    rounding = 8 * UNIT_ROUNDOFF * np.maximum(highest, -lowest)
    used = torch.stack([part.ne(0).any(dim=0) for part in number.parts.values()]).any(dim=0).reshape(-1).numpy()
    rounding += np.where(used, 8 * np.finfo(float).smallest_subnormal, 0.0)  # what underflows has no digits left
    errors = number.error.reshape(1, -1).numpy() * _ROUND_UP
    return Passed(index, flat, np.nan_to_num(errors + rounding, nan=np.inf, posinf=np.inf), lowest, highest)
