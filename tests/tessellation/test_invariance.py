"""The tessellation does not depend on how the network or the plane is written down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import splinescope
from tests.fixtures.cases import HEXAGON, Case
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import Dense, Fold, Recipe, Step
from tests.seeds import every
from tests.tessellation.agreement import slice_of
from tests.tessellation.test_grids import gaussian

SEEDS = st.integers(0, 2**32 - 1)


def areas(recipe: Recipe, domain: splinescope.Slice) -> np.ndarray:
    """Sorted areas of all cells."""
    return np.sort(splinescope.tessellate(to_network(recipe), domain).measures)


def domain_of(polygon: tuple[tuple[float, float], ...] = HEXAGON) -> splinescope.Slice:
    """A polygon of the input plane."""
    return splinescope.Slice(np.zeros(2), np.eye(2), np.asarray(polygon))


def rewritten(recipe: Recipe, seed: int, permute: bool, scale: bool) -> Recipe:
    """The same function: hidden units of a ReLU net permuted, and rescaled by powers of two."""
    rng = np.random.default_rng(seed)
    steps: list[Step] = []
    order, factor = np.arange(recipe.n_inputs), np.ones(recipe.n_inputs)
    for index, step in enumerate(recipe.steps):
        if isinstance(step, Dense):
            size, last = len(step.weight), index + 1 == len(recipe.steps)
            new_order = rng.permutation(size) if permute and not last else np.arange(size)
            new_factor = 2.0 ** rng.integers(-6, 7, size) if scale and not last else np.ones(size)
            weight = new_factor[:, None] * step.weight[new_order][:, order] / factor
            steps.append(Dense(step.source, weight, new_factor * step.bias[new_order]))
            order, factor = new_order, new_factor
        else:
            assert isinstance(step, Fold)
            steps.append(step)
    return Recipe(recipe.n_inputs, tuple(steps))


@given(SEEDS)
def test_permutation_of_units(seed: int) -> None:
    recipe = gaussian(seed, (2, 12, 10, 8, 2))
    again = rewritten(recipe, seed, permute=True, scale=False)
    np.testing.assert_allclose(areas(recipe, domain_of()), areas(again, domain_of()), rtol=1e-6, atol=1e-12)


@given(SEEDS)
def test_positive_rescaling_of_units(seed: int) -> None:
    recipe = gaussian(seed, (2, 8, 7, 6, 2))
    again = rewritten(recipe, seed, permute=False, scale=True)
    np.testing.assert_allclose(areas(recipe, domain_of()), areas(again, domain_of()), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("seed", every(3, [s for s in range(60) if random_case(s).name.endswith("plain")]))
def test_rewriting_quantised_nets(seed: int) -> None:
    case = random_case(seed)
    again = rewritten(case.recipe, seed, permute=True, scale=True)
    np.testing.assert_allclose(areas(case.recipe, slice_of(case)), areas(again, slice_of(case)), rtol=1e-6, atol=1e-12)


@given(SEEDS, st.floats(0, 6.28))
def test_rotation_of_the_slice(seed: int, angle: float) -> None:
    rng = np.random.default_rng(seed)
    recipe = gaussian(seed, (5, 12, 10, 1))
    origin, (basis, _) = rng.normal(size=5), np.linalg.qr(rng.normal(size=(5, 2)))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    straight = splinescope.Slice(origin, basis.T, np.asarray(HEXAGON))
    turned = splinescope.Slice(origin, turn @ basis.T, np.asarray(HEXAGON) @ turn.T)
    np.testing.assert_allclose(areas(recipe, straight), areas(recipe, turned), rtol=1e-6, atol=1e-12)


@given(SEEDS)
def test_slice_is_the_composed_plane_network(seed: int) -> None:
    rng = np.random.default_rng(seed)
    recipe = gaussian(seed, (9, 12, 10, 3))
    origin, basis = rng.normal(size=9), rng.normal(size=(2, 9))
    first = recipe.steps[0]
    assert isinstance(first, Dense)
    composed = Dense(0, first.weight @ basis.T, first.weight @ origin + first.bias)
    plane = Recipe(2, (composed, *recipe.steps[1:]))
    sliced = splinescope.tessellate(to_network(recipe), splinescope.Slice(origin, basis, np.asarray(HEXAGON)))
    direct = splinescope.tessellate(to_network(plane), domain_of())
    assert len(sliced) == len(direct)
    found = direct.locate(sliced.interior_points)
    assert sorted(found.tolist()) == list(range(len(direct)))
    np.testing.assert_array_equal(sliced.patterns, direct.patterns[found])
    np.testing.assert_allclose(sliced.measures, direct.measures[found], rtol=1e-6, atol=1e-12)


def test_a_module_is_never_touched() -> None:
    case = Case("conv", gaussian(3, (2, 8, 8, 1)))
    module = case.module().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    splinescope.tessellate(splinescope.load(module, input_shape=(2,)), domain_of())
    assert module.training
    assert all((module.state_dict()[name] == value).all() for name, value in before.items())
    assert all(parameter.grad is None for parameter in module.parameters())
