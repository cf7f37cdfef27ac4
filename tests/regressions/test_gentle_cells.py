"""Affine maps of gentle cells beside steep ones: vertices carry what the steep side makes of their roundings."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import splinescope
from splinescope import Segment, Slice
from splinescope.tessellation.complex import PolyhedralComplex
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import mlp


def awake(cells: PolyhedralComplex, cell: int) -> np.ndarray:
    """Units that are on in a cell."""
    return np.flatnonzero(cells.patterns_of(np.array([cell]))[0])


@pytest.mark.parametrize("kind", ["plane", "segment"])
@pytest.mark.parametrize("exponent", [0, 6, 10, 14])
@pytest.mark.parametrize("seed", [1, 7, 20, 76])
def test_gradients_are_known_relative_to_themselves(seed: int, exponent: int, kind: str) -> None:
    """They were known relative to the mean of all cells: off by a fifth where one weight is 1e14."""
    rng = np.random.default_rng(seed)
    first, bias, last = rng.normal(size=(5, 2)), rng.normal(size=5) * 0.5, rng.normal(size=(3, 5))
    last[rng.integers(3), rng.integers(5)] *= 10.0**exponent
    network = to_network(mlp([first, last], [bias, np.zeros(3)]))
    start, end = np.array([-1.0, -0.75]), np.array([1.0, 0.5])
    domain = Slice.box([-1, -1], [1, 1]) if kind == "plane" else Segment(start, end)
    cells = splinescope.tessellate(network, domain)
    basis = np.eye(2) if kind == "plane" else np.asarray(domain.basis)
    columns = [[Fraction(float(x)) for x in row] for row in basis.T]
    for cell, found in enumerate(cells.affine_maps().A):
        units = awake(cells, cell)
        for gradient, row in zip(found.tolist(), last, strict=True):
            for k, slope in enumerate(gradient):
                terms = [
                    Fraction(float(row[unit])) * Fraction(float(first[unit, i])) * columns[i][k]
                    for unit in units
                    for i in range(2)
                ]
                size = max(np.abs(gradient).max(), 1e-6 * float(sum(map(abs, terms))))
                assert abs(Fraction(slope) - sum(terms)) <= 2e-9 * size


@pytest.mark.parametrize("seed", [23, 363, 567])
def test_slender_simplices_of_four_dimensions(seed: int) -> None:
    """Their volumes are sums of terms that are thousands of times larger."""
    corners = np.random.default_rng(seed).normal(size=(5, 4))
    network = to_network(mlp([[[1, 0, 0, 0]], [[1]]], [[100.0], [0.0]]))
    cells = splinescope.tessellate(network, Slice(np.zeros(4), np.eye(4), corners), verify="proof")
    assert len(cells) == 1
