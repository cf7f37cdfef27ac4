"""Programs over second-order cones: closed forms, linear programs of SciPy, and their own multipliers as a proof."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from splinescope.geometry.geodesics.cones import climb
from splinescope.riemannian import geodesic
from tests.generative.nets import cells_of, formula_net
from tests.seeds import seeds


def test_one_constraint() -> None:
    """Of all vectors of norm one the longest way goes along the load."""
    load = np.array([3.0, 4.0])
    identity = np.eye(2)
    found = climb((csr_array(identity[:1]), csr_array(identity[1:])), load, tolerance=1e-10)
    np.testing.assert_allclose(found.values, load / 5, atol=1e-8)
    np.testing.assert_allclose(found.multipliers.ravel(), load, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_linear_program(scale: float) -> None:
    """With gradients of one component the constraints are pairs of linear ones."""
    rng = np.random.default_rng(0)
    matrix, load = rng.normal(size=(30, 8)), rng.normal(size=8)
    found = climb((csr_array(matrix / scale),), load, tolerance=1e-9)
    exact = linprog(-load, A_ub=np.vstack([matrix, -matrix]), b_ub=np.ones(60), bounds=(None, None))
    assert load @ found.values == pytest.approx(-exact.fun * scale, rel=1e-7)


@pytest.mark.parametrize("seed", seeds([0, 1], range(2, 20)))
def test_multipliers_prove_the_optimum(seed: int) -> None:
    """Whatever is feasible is at most what balanced multipliers weigh together: weak duality."""
    rng = np.random.default_rng(seed)
    dimension, constraints, number = int(rng.integers(2, 4)), 60, 20
    parts = [rng.normal(size=(constraints, number)) * rng.uniform(0.01, 10, (constraints, 1)) for _ in range(dimension)]
    for part in parts:
        part -= part.mean(axis=1, keepdims=True)  # constants have no gradient
    load = rng.normal(size=number)
    load -= load.mean()
    found = climb(tuple(csr_array(part) for part in parts), load, tolerance=1e-7)
    gradients = np.stack([part @ found.values for part in parts])
    assert np.linalg.norm(gradients, axis=0).max() <= 1 + 1e-6
    balance = sum(part.T @ row for part, row in zip(parts, found.multipliers, strict=True))
    np.testing.assert_allclose(balance, load, atol=1e-5)
    above = np.linalg.norm(found.multipliers, axis=0).sum()
    assert load @ found.values == pytest.approx(above, rel=1e-5)


def test_interrupting_leaves_where_it_is() -> None:
    """Ctrl-C arrives while one waits for the solver, which ends after its step."""
    rng = np.random.default_rng(0)
    matrix, load = rng.normal(size=(4000, 200)), rng.normal(size=200)
    shares = []

    def interrupt(share: float) -> None:
        shares.append(share)
        raise KeyboardInterrupt

    found = climb((csr_array(matrix),), load, tolerance=1e-9, watch=interrupt)
    assert shares
    assert not found.finished
    assert np.isfinite(found.values).all()
    assert climb((csr_array(matrix[:9, :3]),), load[:3], watch=shares.append).finished


def test_a_proof_that_is_interrupted_proves_less() -> None:
    path = geodesic(cells_of(formula_net([2, 8, 3], 0), 2), [-0.5, -0.5], [0.5, 0.5])
    other = geodesic(path.cells_of_plane, [-0.5, -0.5], [0.5, 0.5])

    def interrupt(share: float, _: int) -> None:
        if share > 0.1:
            raise KeyboardInterrupt

    short = other.prove(progress=interrupt)
    assert not short.finished
    assert path.chord <= short.bound <= path.lower_bound <= path.length
    assert other.lower_bound == short.bound
    assert path.prove().finished
