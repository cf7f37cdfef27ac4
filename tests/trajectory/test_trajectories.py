"""Trajectories: against autograd, closed forms and dense sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.trajectory import depth_limit, straightening, trajectories
from tests.trajectory.nets import Residual, formula_module, woken

MODULE = formula_module([3, 6, 5, 2], 0)
X = np.random.default_rng(0).standard_normal((20, 3))


def test_chain_against_autograd() -> None:
    found = trajectories(MODULE, X)
    assert found.names == ("input", "1", "3", "4")
    for n, x in enumerate(torch.from_numpy(X)):
        for level, end in enumerate((2, 4, 5)):
            jacobian = torch.autograd.functional.jacobian(MODULE[:end], x).numpy()
            np.testing.assert_allclose(found.chain()[level][n], jacobian, atol=1e-13)
            value = MODULE[:end](x).detach().numpy()
            np.testing.assert_allclose(found.activations[level + 1][n], value, atol=1e-13)
    for level, (step, offset) in enumerate(zip(found.steps, found.offsets, strict=True)):
        before, after = found.activations[level : level + 2]
        np.testing.assert_allclose(np.einsum("nij,nj->ni", step, before) + offset, after, atol=1e-13)
    values = found.singular_values(of="chain")[-1]
    np.testing.assert_allclose(values[:, 0], np.linalg.norm(found.chain()[-1], 2, axis=(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.singular_values()[0][3], np.linalg.svd(found.steps[0][3])[1], rtol=1e-12)


def test_residual_networks_are_followed_from_block_to_block() -> None:
    module = woken(Residual(), torch.Generator().manual_seed(0))
    x = torch.randn(3, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    found = trajectories(module, x)
    assert found.names == ("input", "relu", "relu_2", "relu_3", "pool", "head")
    twin = module.double()
    for n in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda z: twin(z[None])[0], x[n].double()).reshape(3, 36)
        np.testing.assert_allclose(found.chain()[-1][n], jacobian, atol=1e-10)


def test_lengths_and_angles_of_a_known_road() -> None:
    """Three rotations by a right angle in the plane: a square's corners."""
    turn = nn.Linear(2, 2, bias=False, dtype=torch.float64)
    turn.weight.data = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    network = splinescope.load(nn.Sequential(turn, turn, turn))
    found = trajectories(network, [[1.0, 0.0], [0.0, 2.0]], places=[1, 2])
    np.testing.assert_allclose(found.step_lengths, np.sqrt(2) * np.array([[1.0] * 3, [2.0] * 3]), rtol=1e-15)
    np.testing.assert_allclose(found.path_lengths, 3 * np.sqrt(2) * np.array([1, 2]), rtol=1e-15)
    np.testing.assert_allclose(found.turning_angles, math.pi / 2, rtol=1e-14)
    pictures = found.projection()
    for picture in pictures[1:]:  # a rotation of the plane is undone by the agreement of pictures
        np.testing.assert_allclose(picture, pictures[0], atol=1e-14)


def test_pictures_keep_distances_in_the_plane() -> None:
    found = trajectories(formula_module([2, 2, 2, 2], 1), X[:, :2], places=["0", "2"])
    for values, picture in zip(found.activations, found.projection(), strict=True):
        np.testing.assert_allclose(
            np.linalg.norm(values[:, None] - values, axis=2),
            np.linalg.norm(picture[:, None] - picture, axis=2),
            atol=1e-12,
        )


def test_straightness_against_dense_sampling() -> None:
    starts, ends = X[:5], X[5:10]
    found = straightening(MODULE, starts, ends)
    t = np.linspace(0, 1, 200_001)[:, None]
    for s in range(5):
        value = torch.from_numpy((1 - t) * starts[s] + t * ends[s])
        for level, end in enumerate((0, 2, 4, 5)):
            image = MODULE[:end](value).detach().numpy()
            arc = np.linalg.norm(np.diff(image, axis=0), axis=1).sum()
            assert found.arcs[s, level] == pytest.approx(arc, rel=1e-6)
            assert found.arcs[s, level] >= arc * (1 - 1e-11)
            assert found.chords[s, level] == pytest.approx(np.linalg.norm(image[-1] - image[0]), rel=1e-12)
    np.testing.assert_allclose(found.straightness[:, 0], 1.0, rtol=1e-13)
    assert np.nanmax(found.straightness) <= 1 + 1e-12
    assert np.nanmin(found.straightness) < 0.999


def test_depth_limit_of_a_linear_field_is_the_exponential() -> None:
    matrix = torch.tensor([[0.0, 1.0], [-2.0, -0.5]], dtype=torch.float64)
    inputs = torch.eye(2, dtype=torch.float64)
    found = depth_limit(lambda z, t: z @ matrix.T, inputs)
    np.testing.assert_allclose(found.limit, torch.linalg.matrix_exp(matrix).T, atol=1e-12)
    assert found.order == pytest.approx(1.0, abs=0.03)
    products = found.errors * found.depths  # errors are O(1 / N): N times them settles
    assert products[-1] == pytest.approx(products[-2], rel=0.05)


def test_depth_limit_of_relu_blocks() -> None:
    module = formula_module([3, 16, 3], 2)
    found = depth_limit(lambda z, t: (1 + t) * module(z) / 2, torch.from_numpy(X), (8, 16, 32, 64, 128))
    assert found.order == pytest.approx(1.0, abs=0.1)
    assert (np.diff(found.errors) < 0).all()


def test_refusals() -> None:
    with pytest.raises(InvalidInputError, match=r"`places`: got \[2, 1\]"):
        trajectories(MODULE, X, places=[2, 1])
    with pytest.raises(InvalidInputError, match="`of`: got 'all'"):
        trajectories(MODULE, X).singular_values(of="all")
    with pytest.raises(InvalidInputError, match="`depths`"):
        depth_limit(lambda z, t: z, torch.ones(1, 1), (4, 4))
    wide = nn.Sequential(nn.Linear(600, 600), nn.ReLU())
    with pytest.raises(InvalidInputError, match=r"Jacobians take .* GiB"):
        trajectories(wide, np.zeros((5000, 600)))
