"""Convolutions as dense matrices, tap by tap from their definition."""

from __future__ import annotations

from itertools import product

import numpy as np

from splinescope.network import ops


def convolution_matrix(
    op: ops.Convolution | ops.TransposedConvolution, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> np.ndarray:
    """[out, in] matrix between flat inputs and outputs; each entry is one weight or zero.

    Args:
        op: The convolution; its bias is left out.
        inputs: Shape of its input, channels first.
        outputs: Shape of its output.
    """
    transposed = isinstance(op, ops.TransposedConvolution)
    small, large = (inputs, outputs) if transposed else (outputs, inputs)
    before = [pair[0] for pair in (op.crop if transposed else op.padding)]
    weight, groups = np.asarray(op.weight), op.groups
    matrix = np.zeros((*small, *large))  # a transposed convolution has the transposed matrix of a convolution
    fan = weight.shape[1]
    for place in product(*map(range, small[1:])):
        for tap in product(*map(range, weight.shape[2:])):
            there = [
                p * s - b + t * d for p, s, b, t, d in zip(place, op.stride, before, tap, op.dilation, strict=True)
            ]
            if all(0 <= x < size for x, size in zip(there, large[1:], strict=True)):
                for channel in range(small[0]):
                    start = channel // (small[0] // groups) * fan
                    for k in range(fan):
                        matrix[(channel, *place, start + k, *there)] = weight[(channel, k, *tap)]
    flat = matrix.reshape(int(np.prod(small)), int(np.prod(large)))
    return flat.T.copy() if transposed else flat
