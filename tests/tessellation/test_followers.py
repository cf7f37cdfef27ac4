"""Rows of dense layers at new vertices that follow from old ones, against products and against exact rationals."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.tessellation.planar import piece as pieces
from splinescope.tessellation.planar.followers import MOST, ROUNDINGS, anchors_of
from tests.tessellation.followed_rows import bound, exact_rows, layers_met

SQUARE = splinescope.Slice.box([-1, -1], [1, 1])


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Weights and biases of any size."""
    return rng.normal(size=shape)


def coarse(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Small whole numbers, many of them zero: folds coincide, three meet in one place, and sums vanish."""
    return rng.integers(-1, 2, shape).astype(np.float64)


def mlp(
    widths: tuple[int, ...], numbers: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
) -> nn.Sequential:
    """A ReLU network of linear layers."""
    rng = np.random.default_rng(3)
    layers: list[nn.Module] = []
    for n, m in itertools.pairwise(widths):
        linear = nn.Linear(n, m).double()
        linear.load_state_dict({"weight": torch.tensor(numbers(rng, (m, n))), "bias": torch.tensor(numbers(rng, (m,)))})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The layers whose rows follow."""
    return layers_met(monkeypatch)


@pytest.mark.parametrize("numbers", [drawn, coarse])
def test_rows_are_those_of_products(met: list[tuple[Any, ...]], numbers: Any) -> None:
    """Up to roundings, which are counted, with the same signs where these are beyond doubt."""
    network = splinescope.load(mlp((2, 56, 50, 50, 3), numbers), input_shape=(2,))
    splinescope.tessellate(network, SQUARE, verify="topology")
    assert len(met) == 3
    for op, grown, rows, products in met:
        assert len(products.values) > grown.old
        allowed = bound(op, grown, ROUNDINGS + 2 * op.addends)
        assert np.all(np.abs(rows.values - products.values) <= allowed)
        assert not np.any((rows.values == 0.0) & (products.values != 0.0) & (np.abs(products.values) != UNPROVED))
        if rows.signed is not None:
            mixed = (rows.signed.positive & products.signed.negative) | (
                rows.signed.negative & products.signed.positive
            )
            assert not mixed.any()


def test_rows_are_those_of_rational_arithmetic(met: list[tuple[Any, ...]]) -> None:
    """A product with clamped interpolations in rationals, at vertices that follow from others."""
    network = splinescope.load(mlp((2, 50, 48, 2), drawn), input_shape=(2,))
    splinescope.tessellate(network, splinescope.Slice.box([-0.4, -0.4], [0.4, 0.4]), verify="topology")
    for op, grown, rows, _ in met:
        weight = [[Fraction(x) for x in row] for row in op.weight.tolist()]
        offset, exact = [Fraction(x) for x in op.bias.tolist()], exact_rows(grown)
        allowed = bound(op, grown, ROUNDINGS + op.addends + 3)
        chosen = list(exact)[:: max(1, len(exact) // 40)]
        assert len(chosen) >= 30
        for at in chosen:
            clamped = [max(x, Fraction(0)) for x in exact[at]]
            found = rows.values[grown.old + at].tolist()
            for unit in range(len(offset)):
                value = sum((w * x for w, x in zip(weight[unit], clamped, strict=True)), offset[unit])
                assert abs(Fraction(found[unit]) - value) <= allowed[unit]


def test_long_ways_have_anchors(met: list[tuple[Any, ...]]) -> None:
    """Where many units fold along a chord some of its vertices are products, and these to the last bit."""
    network = splinescope.load(mlp((2, 64, 48, 2), drawn), input_shape=(2,))
    splinescope.tessellate(network, SQUARE, verify="topology")
    _, grown, rows, products = met[0]
    anchors = grown.old + anchors_of(grown)
    assert 0 < len(anchors) < (len(rows.values) - grown.old) // 2
    assert np.diff(grown.chords.offsets).max() > 2 * MOST
    assert np.allclose(rows.values[anchors], products.values[anchors], rtol=1e-13, atol=1e-13)


def test_zeros_that_are_proved_stay(met: list[tuple[Any, ...]]) -> None:
    """A unit that reads nothing is 0.0 at all vertices, and no zero elsewhere is taken for proved."""
    module = mlp((2, 48, 48, 2), drawn)
    with torch.no_grad():
        module[2].weight[5] = 0.0
        module[2].bias[5] = 0.0
    splinescope.tessellate(splinescope.load(module, input_shape=(2,)), SQUARE, verify="topology")
    _, _, rows, _ = met[0]
    assert np.all(rows.values[:, 5] == 0.0)
    assert np.all(np.delete(rows.values, 5, axis=1) != 0.0)


@pytest.mark.parametrize(("numbers", "widths"), [(drawn, (2, 48, 50, 48, 2)), (coarse, (2, 48, 50, 2))])
def test_cells_are_the_same(
    met: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, numbers: Any, widths: tuple[int, ...]
) -> None:
    """The same cells as with products alone, proved."""
    network = splinescope.load(mlp(widths, numbers), input_shape=(2,))
    found = splinescope.tessellate(network, SQUARE, verify="proof")
    assert met
    assert found.certificate is not None
    assert found.certificate.level == "proof"
    monkeypatch.setattr(pieces, "MANY", 1 << 60)
    other = splinescope.tessellate(network, SQUARE, verify="topology")
    assert len(found) == len(other)
    assert np.array_equal(found.edges, other.edges)
    for one, two in zip(found.codes, other.codes, strict=True):
        assert np.array_equal(one.words, two.words)
    assert np.allclose(found.vertex_outputs, other.vertex_outputs, rtol=1e-9, atol=1e-9)
