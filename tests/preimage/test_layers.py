"""Single layers: the closed form, circulants by FFT, nesting by its definition, contraction."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.preimage import (
    Circulant,
    contraction,
    distance_to_circulant,
    dual_basis,
    flow,
    frequency_blocks,
    layer_preimage,
    nested_cells,
    nested_pieces,
    nesting,
    network_nesting,
)
from tests.preimage.nets import chain, cube, formula, network
from tests.reference.preimages import nested_sets


@pytest.mark.parametrize("d", [2, 3, 5])
def test_points_of_a_fan_have_the_output(d: int) -> None:
    rng = np.random.default_rng(d)
    W, b = rng.standard_normal((d, d)), rng.standard_normal(d)
    basis = dual_basis(W, b)
    assert np.allclose(W @ basis.rays.T, -np.eye(d), atol=1e-12)
    assert np.allclose(W @ basis.apex + b, 0.0, atol=1e-12)
    for zeros in itertools.product((False, True), repeat=d):
        y = np.where(zeros, 0.0, rng.uniform(0.1, 2.0, d))
        fan = basis.preimage(y)
        assert fan.dimension == sum(zeros)
        x = fan.sample(200, rng)
        assert np.abs(np.maximum(x @ W.T + b, 0.0) - y).max() < 1e-11


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_an_input_is_in_the_preimage_of_its_output(seed: int, inputs: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    W, b, x = rng.standard_normal((units, inputs)), rng.standard_normal(units), rng.uniform(0, 1, inputs)
    y = np.maximum(W @ x + b, 0.0)
    found = layer_preimage(W, b, y)
    assert found is not None
    assert found.contains(x[None]).all()
    assert np.allclose(np.maximum(W @ found.witness + b, 0.0), y, atol=1e-7)
    assert found.dimension == inputs - np.linalg.matrix_rank(W[y > 0])


def test_outputs_that_there_are_not() -> None:
    assert layer_preimage([[1.0], [1.0]], 0.0, [1.0, 2.0]) is None
    assert layer_preimage(np.eye(2), [1.0, 1.0], [0.5, 3.0]) is None
    assert layer_preimage(np.eye(2), [1.0, 1.0], [0.5, 3.0], clipped=False) is not None


def test_layers_that_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected a square matrix; `layer_preimage`"):
        dual_basis(np.ones((2, 3)), 0.0)
    with pytest.raises(InvalidInputError, match="expected full rank"):
        dual_basis(np.ones((2, 2)), 0.0)
    with pytest.raises(InvalidInputError, match="not negative"):
        dual_basis(np.eye(2), 0.0).preimage([1.0, -1.0])
    with pytest.raises(InvalidInputError, match=r"got shape \(3,\)"):
        dual_basis(np.eye(2), 0.0).preimage([1.0, 1.0, 1.0])
    with pytest.raises(InvalidInputError, match="square"):
        nesting(np.ones((2, 3)), 0.0)


def test_circulant_layers_agree_with_their_matrices() -> None:
    rng = np.random.default_rng(0)
    layer = Circulant(rng.standard_normal(7), 0.3)
    C, x = layer.matrix, rng.standard_normal((4, 7))
    assert (C[1] == np.roll(C[0], 1)).all()
    assert np.allclose(layer.affine(x), x @ C.T + 0.3, atol=1e-13)
    assert np.allclose(np.sort(layer.singular_values), np.sort(np.linalg.svd(C, compute_uv=False)), atol=1e-12)
    basis = dual_basis(C, 0.3)
    assert np.allclose([layer.ray(k) for k in range(7)], basis.rays, atol=1e-12)
    assert np.allclose(layer.apex, basis.apex, atol=1e-12)
    y = layer(x[0])
    fan, ours = basis.preimage(y), layer.preimage(y)
    assert np.allclose(fan.point, ours.point, atol=1e-12)
    assert np.allclose(fan.rays, ours.rays, atol=1e-12)
    line = np.ones(7) / math.sqrt(7)
    assert math.sin(layer.plane_angle) == pytest.approx(abs(C[0] @ line) / np.linalg.norm(C[0]), abs=1e-12)
    assert math.cos(layer.ray_angle) == pytest.approx(abs(basis.rays[0] @ line) / np.linalg.norm(basis.rays[0]))


def test_a_thousand_units_take_milliseconds() -> None:
    rng = np.random.default_rng(1)
    layer = Circulant(rng.standard_normal(1024), 0.1)
    y = layer(rng.standard_normal(1024))
    started = time.perf_counter()
    found = layer.preimage(y)
    assert time.perf_counter() - started < 0.05
    assert found.residual < 1e-10
    assert found.dimension == (y == 0).sum()


@pytest.mark.parametrize(("kernel", "rank"), [([1, 2, 1, 0], 3), ([1, 1, 1, 0, 0, 0], 4), ([1, -1, 0], 2)])
def test_circulants_of_less_than_full_rank(kernel: list[float], rank: int) -> None:
    layer = Circulant(np.array(kernel, float), 0.25)
    assert layer.rank == np.linalg.matrix_rank(layer.matrix) == rank
    unseen = layer.lineality()
    assert unseen.shape == (len(kernel) - rank, len(kernel))
    assert np.allclose(unseen @ unseen.T, np.eye(len(unseen)), atol=1e-12)
    assert np.allclose(layer.matrix @ unseen.T, 0.0, atol=1e-12)
    x = np.random.default_rng(0).uniform(1, 2, len(kernel))
    y = layer(x)
    if (y > 0).all():
        found = layer_preimage(layer.matrix, 0.25, y, clipped=False)
        assert found is not None
        assert found.dimension == len(unseen)
        assert layer.preimage(y).residual < 1e-12
    with pytest.raises(InvalidInputError, match="expected full rank"):
        layer.ray(0)


def test_cones_without_an_apex() -> None:
    assert np.isinf(Circulant(np.array([1.0, -1.0, 0.0]), 0.5).apex).all()
    with pytest.raises(InvalidInputError, match="all of the identity line"):
        _ = Circulant(np.array([1.0, -1.0, 0.0]), 0.0).apex


def test_blocks_of_a_convolution_have_its_singular_values() -> None:
    rng = np.random.default_rng(3)
    kernel, n = rng.standard_normal((3, 2, 2)), 5
    matrix = np.zeros((3, n, 2, n))
    for at, shift in itertools.product(range(n), range(2)):
        matrix[:, at, :, (at + shift) % n] += kernel[:, :, shift]
    exact = np.linalg.svd(matrix.reshape(3 * n, 2 * n), compute_uv=False)
    blocks = np.linalg.svd(frequency_blocks(kernel, (n,)), compute_uv=False)
    assert np.allclose(np.sort(blocks.ravel()), np.sort(exact), atol=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_nesting_is_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = 2 + seed % 3
    W = np.eye(d) - rng.uniform(-0.1 if seed % 2 else 0.0, 0.6, (d, d)) * (1 - np.eye(d))
    b = -rng.uniform(-0.1 if seed % 5 == 0 else 0.0, 1.0, d)
    brute = nested_sets(W, b)
    found = nesting(W, b)
    assert found.complete == all(brute) == (not found.obstacles)
    assert found.degree == pytest.approx(np.mean(brute), abs=1e-12)
    assert found.sets == 2**d


def test_nesting_seeds_are_of_both_kinds() -> None:
    verdicts = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        W = np.eye(3) - rng.uniform(0.0, 0.7, (3, 3)) * (1 - np.eye(3))
        verdicts.add(nesting(W, -1.0).complete)
    assert verdicts == {True, False}


def test_why_a_layer_is_not_nested() -> None:
    assert [o.reason for o in nesting([[1.0, 0.2], [0.1, 1.0]], -1.0).obstacles] == ["positive off the diagonal"] * 2
    assert nesting([[1.0, 0.2], [0.1, 1.0]], -1.0).obstacles[0].value == 0.2
    assert nesting(np.eye(2), [0.5, -1.0]).obstacles[0].reason == "positive bias"
    assert nesting([[1.0, -1.0], [-1.0, 1.0]], -1.0).obstacles[0].reason == "singular"
    assert nesting([[1.0, -2.0], [-2.0, 1.0]], -1.0).obstacles[0].reason == "negative in the inverse"


def test_nesting_is_decided_exactly() -> None:
    # singular but for the last bit, one way and the other
    for step, complete in ((2.0**-52, True), (0.0, False), (-(2.0**-53), False)):
        assert nesting([[1.0 + step, -1.0], [-1.0, 1.0]], 0.0).complete == complete


def test_large_layers_are_decided_by_the_theorem() -> None:
    d = 64
    W = np.eye(d) - np.full((d, d), 0.9 / d) * (1 - np.eye(d))
    assert nesting(W, -0.1).complete
    W[3, 5] = 0.01
    found = nesting(W, -0.1)
    assert not found.complete
    assert (found.obstacles[0].row, found.obstacles[0].column) == (3, 5)
    assert not found.counted
    assert 0 < found.degree < 1


@pytest.mark.parametrize(
    ("kernel", "layers", "high", "count"),
    [((1, -0.15, -0.05), 1, 6.0, 8), ((1, -0.15, -0.05), 3, 6.0, 64), ((1, 0.25, 0.1), 3, 6.0, 76)],
)
def test_cells_of_chains(kernel: tuple[float, ...], layers: int, high: float, count: int) -> None:
    cells = splinescope.tessellate(chain(kernel, layers), cube(3, 0.0, high))
    assert len(cells) == count
    found = contraction(cells)
    nested = nesting(Circulant.of(kernel, 3).matrix, -0.3).complete
    assert nested == (kernel[1] < 0) == found.monotone() == (count == nested_cells(3, layers))
    assert sum(found.shares().values()) == pytest.approx(1.0)
    assert (np.diff(found.dimensions, axis=0) <= 0).all()


def test_deep_chains_are_polynomial() -> None:
    cells = splinescope.tessellate(chain((1, -0.15, -0.05), 5), cube(3, 0.0, 12.0))
    assert len(cells) == nested_cells(3, 5) == 216
    assert nested_pieces(3, 5) == 216 - 125


def test_flows_end_where_the_network_says() -> None:
    matrix = Circulant.of((1, -0.15, -0.05), 3).matrix
    points = np.random.default_rng(0).uniform(0, 6, (50, 3))
    steps = flow([(matrix, -0.3)] * 3, points)
    assert steps.shape == (4, 50, 3)
    assert np.allclose(steps[-1], chain((1, -0.15, -0.05), 3)(points), atol=1e-12)
    assert ((steps[:-1] > 0) >= (steps[1:] > 0)).all()


def test_layers_of_networks() -> None:
    rows = network_nesting(chain((1, -0.15, -0.05), 2))
    assert [row.nesting is not None and row.nesting.complete for row in rows] == [True, True]
    assert [row.from_circulant for row in rows] == pytest.approx([0.0, 0.0], abs=1e-12)
    first, second = network_nesting(network(formula([3, 4, 4], 0)))
    assert first.nesting is None
    assert first.shape == (4, 3)
    assert second.nesting is not None
    assert second.from_circulant == pytest.approx(distance_to_circulant(formula([3, 4, 4], 0)[1][0]))


@pytest.mark.parametrize("mode", ["circular", "zeros"])
def test_a_convolution_of_channels_beside_one_that_wraps_around(mode: str) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(2, 2, 3, padding=1, padding_mode=mode, bias=False).double()
    (row,) = network_nesting(splinescope.load(layer, input_shape=(2, 4, 5)))
    units = np.eye(40).reshape(40, 2, 4, 5)
    matrix = layer(torch.from_numpy(units)).detach().numpy().reshape(40, 40).T
    wrapped = torch.nn.functional.pad(torch.from_numpy(units), (1, 1, 1, 1), mode="circular")
    around = torch.nn.functional.conv2d(wrapped, layer.weight.detach()).numpy().reshape(40, 40).T
    assert row.shape == (40, 40)
    if mode == "circular":
        assert row.from_circulant == pytest.approx(0.0, abs=1e-12)
    else:
        assert 0.1 < row.from_circulant < np.linalg.norm(matrix - around) / np.linalg.norm(matrix)
    assert row.along_axes == pytest.approx(
        (matrix < 0)[~np.eye(40, dtype=bool)].sum() / (np.count_nonzero(matrix) - 40)
    )
    assert row.held_back == 1.0


def test_singular_values_of_several_channels_by_their_frequencies() -> None:
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((3, 2, 3))
    matrix = np.zeros((3, 6, 2, 6))
    for unit in range(6):
        for step in range(3):
            matrix[:, unit, :, (unit + step) % 6] += kernel[:, :, step]
    by_frequency = np.linalg.svd(frequency_blocks(kernel, (6,)), compute_uv=False).ravel()
    np.testing.assert_allclose(np.sort(by_frequency), np.sort(np.linalg.svd(matrix.reshape(18, 12), compute_uv=False)))


def test_a_layer_is_all_that_is_affine_between_two_folds() -> None:
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(2).eval()
    norm.running_var.uniform_(0.5, 2.0)
    parts = torch.nn.Sequential(torch.nn.Conv2d(2, 2, 3, padding=1), norm, torch.nn.ReLU(), torch.nn.Flatten())
    module = torch.nn.Sequential(parts, torch.nn.Linear(18, 18)).double()
    first, second = network_nesting(splinescope.load(module, input_shape=(2, 3, 3)))
    zero = module[0][:2](torch.zeros(1, 2, 3, 3, dtype=torch.float64)).detach().numpy().ravel()
    assert first.held_back == pytest.approx((zero <= 0).mean())
    assert second.nesting is not None
    assert second.along_axes == pytest.approx(
        float((module[1].weight[~torch.eye(18, dtype=bool)] <= 0).double().mean())
    )
