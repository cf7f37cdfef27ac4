"""Naive twin of evaluation: the values of all nodes of a network in rational numbers, one input at a time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from splinescope.network import Network
from splinescope.network.ops import Activation, Affine, Concatenate, Maximum, Op, Reshape, Sum


def exact_values(network: Network, x: Sequence[Fraction]) -> list[list[Fraction]]:
    """Values of each node, flat, at one flat input; every weight is taken at its exact value."""
    values = [list(x)]
    for node in network.nodes[1:]:
        shapes = [network.nodes[source].shape for source in node.inputs]
        values.append(_value(node.op, [values[source] for source in node.inputs], shapes))
    return values


def _value(op: Op, inputs: list[list[Fraction]], shapes: list[tuple[int, ...]]) -> list[Fraction]:
    first = inputs[0]
    if isinstance(op, Affine):
        return [sum((w * first[place] for place, w in row), offset) for offset, row in _rows(op, shapes[0])]
    if isinstance(op, Sum):
        return [
            sum((Fraction(c) * z for c, z in zip(op.coefficients, terms, strict=True)), Fraction(0))
            for terms in zip(*inputs, strict=True)
        ]
    if isinstance(op, Concatenate):
        arrays = [np.array(z, object).reshape(shape) for z, shape in zip(inputs, shapes, strict=True)]
        return np.concatenate(arrays, axis=op.axis).ravel().tolist()
    if isinstance(op, Activation):
        tables = (np.asarray(table, np.float64) for table in (op.breakpoints, op.slopes, op.intercepts))
        breaks, slopes, intercepts = (np.broadcast_to(t.reshape(len(t), -1), (len(t), len(first))) for t in tables)
        pieces = [sum(z > Fraction(float(b)) for b in breaks[:, unit]) for unit, z in enumerate(first)]
        return [
            Fraction(float(slopes[piece, unit])) * first[unit] + Fraction(float(intercepts[piece, unit]))
            for unit, piece in enumerate(pieces)
        ]
    if isinstance(op, Maximum):
        return [max(first[place] for place in group if place >= 0) for group in op.index.tolist()]
    assert isinstance(op, Reshape)
    return first


@lru_cache(maxsize=64)
def _rows(op: Affine, shape: tuple[int, ...]) -> list[tuple[Fraction, list[tuple[int, Fraction]]]]:
    """Offset of each output, and the places and factors of the inputs that it reads."""
    offsets = op.offsets(shape)
    matrix = op.rows(np.arange(len(offsets)), shape)
    out = []
    for row, offset in enumerate(offsets.tolist()):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        factors = [Fraction(factor) for factor in matrix.data[part].tolist()]
        out.append((Fraction(offset), list(zip(matrix.indices[part].tolist(), factors, strict=True))))
    return out
