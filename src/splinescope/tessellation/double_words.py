r"""Arithmetic of balls whose centres are double words: unevaluated sums of two float64 numbers.

A row of weights multiplies by error-free products, which are fused, and sums (Ogita, Rump and Oishi, Accurate sum and
dot product, 2005). Their errors are summed apart, again with errors that are summed apart: where those of the first
kind have sizes that sum to T, about $u = 2^{-53}$ times the terms, what is left is off by a little more than $3 u T$,
and by the radii that were there before, times the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from splinescope.network.ops import Reads
from splinescope.numerics import in_ranges

_BLOCK = 8
"""Coefficients that go through a row of weights side by side."""
_UNIT, _TINY = 2.0**-53, 2.0**-1060
"""Rounding of a sum, and what underflow may leave of a product."""


class Balls(NamedTuple):
    """Forms of some units of a node in some cells.

    Attributes:
        units: Their numbers, ascending.
        high: [units, cells, d + 1] centres are `high + low`.
        low: What is below.
        radius: How far each coefficient may be off.
    """

    units: np.ndarray
    high: np.ndarray
    low: np.ndarray
    radius: np.ndarray


def joined(parts: Sequence[Balls | None], sizes: Sequence[int], cells: int, width: int) -> Balls:
    """Forms of several nodes as those of one whose units follow one another."""
    starts = np.cumsum([0, *sizes])
    there = [(start, part) for start, part in zip(starts.tolist(), parts, strict=False) if part is not None]
    if not there:
        return Balls(np.zeros(0, np.int64), *(np.zeros((0, cells, width)) for _ in range(3)))
    if len(there) == 1 and there[0][0] == 0:
        return there[0][1]
    units = np.concatenate([part.units + start for start, part in there])
    return Balls(units, *(np.concatenate([part[i] for _, part in there]) for i in range(1, 4)))


def folded(units: np.ndarray, reads: Reads, before: Balls) -> Balls:
    """Units on their pieces; `reads` are [units, cells]."""
    cells, width = before.high.shape[1:]
    used = reads.slopes != 0
    places = (np.searchsorted(before.units, reads.places) * cells + np.arange(cells))[used]
    flat = Balls(before.units, *(part.reshape(-1, 1, width) for part in before[1:]))
    if (reads.slopes[used] == 1).all() and not reads.intercepts.any():
        parts = [np.zeros((*used.shape, width)) for _ in range(3)]
        for part, old in zip(parts, flat[1:], strict=True):
            part[used] = old[places, 0]
        return Balls(units, *parts)
    starts = np.concatenate([[0], np.cumsum(used.ravel())])
    found = applied(units, starts, places, reads.slopes[used], reads.intercepts.ravel(), flat)
    return Balls(units, *(part.reshape(len(units), cells, width) for part in found[1:]))


def applied(
    units: np.ndarray, starts: np.ndarray, places: np.ndarray, weights: np.ndarray, offsets: np.ndarray, before: Balls
) -> Balls:
    """Rows of weights times forms, plus offsets.

    Args:
        units: Numbers of the units that the rows make.
        starts: [k + 1] where the weights of each row start.
        places: Which form each weight multiplies.
        weights: The weights.
        offsets: [k] what is added to the constants.
        before: The forms that are read.
    """
    _, cells, width = before.high.shape
    rows = (starts.astype(np.int64), places.astype(np.int64), *map(np.ascontiguousarray, (weights, offsets)))
    packed = _packed(before)
    outer = [np.empty((len(starts) - 1, cells, width)) for _ in range(3)]
    in_ranges(_multiply, len(starts) - 1, *rows, cells, width, packed, *(part.reshape(-1) for part in outer), grain=64)
    return Balls(units, *outer)


def _packed(balls: Balls) -> np.ndarray:
    """[blocks, units, 3 * BLOCK] centres, what is below, and radii, a block of coefficients after the other."""
    count, cells, width = balls.high.shape
    across = cells * width
    blocks = -(-across // _BLOCK)
    out = np.zeros((blocks, count, 3, _BLOCK))
    for at, part in enumerate(balls[1:]):
        flat = part.reshape(count, across)
        for block in range(blocks):
            some = flat[:, block * _BLOCK : (block + 1) * _BLOCK]
            out[block, :, at, : some.shape[1]] = some
    return out.reshape(blocks, count, 3 * _BLOCK)


@intrinsic
def _accumulate(typing_context: Any, weight: Any, packed: Any, first: Any, sums: Any) -> Any:
    """Add a block of balls times a weight to sums, the errors of these, errors of those, their sizes, and radii.

    All coefficients of the block go side by side, which compilers do not find out: arrays might overlap.

    Args:
        typing_context: Numba's.
        weight: The weight.
        packed: Blocks of balls, in a row.
        first: Where the block starts.
        sums: [5 * BLOCK] the sums.
    """
    vector = ir.VectorType(ir.DoubleType(), _BLOCK)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        add, less, times = builder.fadd, builder.fsub, builder.fmul

        def parts(kind: Any, array: Any, start: Any, count: int) -> list[Any]:
            data = context.make_array(kind)(context, builder, array).data
            block = builder.bitcast(builder.gep(data, [start]), vector.as_pointer())
            return [builder.gep(block, [ir.Constant(ir.IntType(64), k)]) for k in range(count)]

        def sum_of(a: Any, b: Any) -> tuple[Any, Any]:  # with its error
            total = add(a, b)
            shadow = less(total, a)
            return total, add(less(a, less(total, shadow)), less(b, shadow))

        def call(name: str, *numbers: Any) -> Any:
            kind = ir.FunctionType(vector, [vector] * len(numbers))
            return builder.call(get_or_insert_function(builder.module, kind, f"llvm.{name}.v{_BLOCK}f64"), numbers)

        empty = ir.Constant(vector, ir.Undefined)
        lone = builder.insert_element(empty, arguments[0], ir.Constant(ir.IntType(32), 0))
        every = builder.shuffle_vector(lone, empty, ir.Constant(ir.VectorType(ir.IntType(32), _BLOCK), None))
        balls = parts(signature.args[1], arguments[1], arguments[2], 3)
        places = parts(signature.args[3], arguments[3], ir.Constant(ir.IntType(64), 0), 5)
        number, low, radius = (builder.load(place, align=8) for place in balls)
        high, rest, third, apart, spread = (builder.load(place, align=8) for place in places)

        product, below = times(every, number), times(every, low)
        error = call("fma", every, number, builder.fneg(product))
        total, lost = sum_of(high, product)
        after, left = sum_of(rest, add(add(lost, error), below))
        sizes = add(add(call("fabs", lost), call("fabs", error)), call("fabs", below))
        spreads = times(call("fabs", every), radius)
        found = total, after, add(third, left), add(apart, sizes), add(spread, spreads)
        for value, place in zip(found, places, strict=True):
            builder.store(value, place, align=8)
        return context.get_dummy_value()

    return types.void(types.float64, packed, types.int64, sums), generate


@njit(cache=True, nogil=True, error_model="numpy")
def _multiply(
    start: int,
    stop: int,
    starts: np.ndarray,
    places: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    cells: int,
    width: int,
    packed: np.ndarray,
    out_high: np.ndarray,
    out_low: np.ndarray,
    out_radius: np.ndarray,
) -> None:
    """Sums of products of weights and balls; errors of products and sums are exact, and summed apart."""
    across, sums, numbers = cells * width, np.empty(5 * _BLOCK), packed.ravel()
    for row in range(start, stop):
        terms = starts[row + 1] - starts[row] + 4.0
        for block in range(len(packed)):
            first = block * _BLOCK
            count = min(_BLOCK, across - first)
            sums[:] = 0.0
            for j in range(count):
                if (first + j) % width == width - 1:
                    sums[j] = offsets[row]
            for at in range(starts[row], starts[row + 1]):
                _accumulate(weights[at], numbers, (block * len(packed[0]) + places[at]) * 3 * _BLOCK, sums)
            for j in range(count):
                high, rest, out = sums[j], sums[_BLOCK + j], row * across + first + j
                total = high + rest
                shadow = total - high
                left = ((high - (total - shadow)) + (rest - shadow)) + sums[2 * _BLOCK + j]
                upper = total + left
                doubt = (4.0 + terms * terms * 2.0**-50) * _UNIT * sums[3 * _BLOCK + j] + 2.0 * _UNIT * abs(left)
                out_high[out] = upper
                out_low[out] = left - (upper - total)
                out_radius[out] = (sums[4 * _BLOCK + j] + doubt) * (1.0 + terms * 2.0**-50) + terms * _TINY
