"""Log volumes against determinants of rational numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from torch import nn

from splinescope.generative import log_volume
from tests.generative.nets import formula_net

Matrix = list[list[Fraction]]
CASES = [([1, 6, 2], 0), ([2, 9, 4], 1), ([3, 7, 7, 5], 2), ([3, 5, 3], 3), ([4, 6, 6, 4], 4), ([2, 3, 3, 2], 5)]
"""Sizes and seeds; of the last three Jacobians are rank-deficient at some latents, of the last two at all."""


@pytest.mark.parametrize(("sizes", "seed"), CASES)
@pytest.mark.parametrize("method", ["auto", "svd", "affine"])
def test_log_volumes(sizes: list[int], seed: int, method: str) -> None:
    net = formula_net(sizes, seed)
    latents = np.random.default_rng(seed).uniform(-1, 1, (6, sizes[0]))
    expected = np.array([exactly(net, z) for z in latents])
    np.testing.assert_allclose(log_volume(net, latents, method), expected, rtol=0, atol=1e-11)


def exactly(net: nn.Sequential, latent: np.ndarray) -> float:
    """The logarithm of the volume at a latent: exact up to the last step."""
    d = len(latent)
    J: Matrix = [[Fraction(int(i == j)) for j in range(d)] for i in range(d)]
    x = [Fraction(float(value)) for value in latent]
    for layer in net:
        if isinstance(layer, nn.Linear):
            W = [[Fraction(value) for value in row] for row in layer.weight.tolist()]
            b = [Fraction(value) for value in layer.bias.tolist()]
            x = [sum((w * a for w, a in zip(row, x, strict=True)), start) for row, start in zip(W, b, strict=True)]
            J = [[sum((row[k] * J[k][j] for k in range(len(J))), Fraction(0)) for j in range(d)] for row in W]
        else:
            J = [row if value > 0 else [Fraction(0)] * d for row, value in zip(J, x, strict=True)]
            x = [max(value, Fraction(0)) for value in x]
    found = determinant([[sum((row[i] * row[j] for row in J), Fraction(0)) for j in range(d)] for i in range(d)])
    return 0.5 * (math.log(found.numerator) - math.log(found.denominator)) if found else -math.inf


def determinant(matrix: Matrix) -> Fraction:
    """Of a positive semi-definite matrix, by elimination."""
    found = Fraction(1)
    for i in range(len(matrix)):
        pivot = matrix[i][i]
        if not pivot:
            return Fraction(0)
        found *= pivot
        for row in matrix[i + 1 :]:
            factor = row[i] / pivot
            row[:] = [a - factor * b for a, b in zip(row, matrix[i], strict=True)]
    return found
