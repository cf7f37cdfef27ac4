"""Affine maps against automatic differentiation, norms against linear algebra, and what they bound."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from splinescope.errors import InvalidInputError
from splinescope.geometry.fits import fit_affine
from splinescope.tessellation.affine import affine_maps, extrema, lipschitz, norms
from splinescope.tessellation.metric import isometry
from tests.fixtures.recipes import ABS, RELU, Builder, clip, leaky, mlp
from tests.queries.scenes import SCENES, complex_of, gaussian, outputs_at, sample, scene


def jacobians(cells: object) -> np.ndarray:
    """Jacobians of the network's own forward pass at the interior points, by automatic differentiation."""
    network, domain = cells.network, cells.domain  # type: ignore[attr-defined]
    points = domain.origin.ravel() + cells.interior_points @ domain.basis.reshape(2, -1)  # type: ignore[attr-defined]
    rows = []
    for x in torch.from_numpy(points):
        rows.append(torch.autograd.functional.jacobian(lambda v: network(v[None])[0].flatten(), x).numpy())
    return np.array(rows)


@pytest.mark.parametrize("name", SCENES)
def test_maps_are_the_jacobians_of_the_network(name: str) -> None:
    recipe, cells = scene(name)
    big = cells.measures > 1e-9  # where an interior point is inside beyond doubt
    inputs, domain = affine_maps(cells, "input"), affine_maps(cells)
    np.testing.assert_allclose(inputs.A[big], jacobians(cells)[big], atol=1e-11)
    basis, origin = cells.domain.basis.reshape(2, -1), cells.domain.origin.ravel()
    np.testing.assert_allclose(inputs.A @ basis.T, domain.A, atol=1e-8)
    np.testing.assert_allclose(inputs.A @ origin + inputs.c, domain.c, atol=1e-8)
    values = outputs_at(recipe, cells, cells.interior_points)
    np.testing.assert_allclose(np.einsum("fki,fi->fk", domain.A, cells.interior_points) + domain.c, values, atol=1e-10)
    assert (inputs.space, domain.space) == ("input", "domain")


@pytest.mark.parametrize("kind", [RELU, leaky(0.125), ABS, clip(-0.5, 1.0)], ids=lambda kind: kind.name)
def test_branches_of_every_activation(kind: object) -> None:
    recipe = gaussian(5, (7, 6), 2, inputs=5, kind=kind)  # type: ignore[arg-type]
    cells = complex_of(recipe)
    np.testing.assert_allclose(affine_maps(cells, "input").A, jacobians(cells), atol=1e-11)


def test_branches_of_maxima_and_sums() -> None:
    rng = np.random.default_rng(0)
    builder = Builder(2)
    first = builder.layer(rng.normal(size=(6, 2)), rng.normal(size=6))
    pooled = builder.maximum([[0, 1, 2], [3, -1, 4], [5, 5, 0]])
    skip = builder.dense(rng.normal(size=(3, 6)), rng.normal(size=3), source=first)
    builder.total([pooled, skip], [1.0, -2.0])
    builder.dense(rng.normal(size=(2, 3)), rng.normal(size=2))
    cells = complex_of(builder.build())
    np.testing.assert_allclose(affine_maps(cells, "input").A, jacobians(cells), atol=1e-11)
    np.testing.assert_allclose(affine_maps(cells).A, jacobians(cells), atol=1e-8)


def test_which_chooses_cells() -> None:
    _, cells = scene("skew")
    which = np.array([5, 0, 5, 3])
    for space in ("domain", "input"):
        every, some = affine_maps(cells, space), affine_maps(cells, space, which)
        np.testing.assert_allclose(some.A, every.A[which], atol=1e-13)
        np.testing.assert_allclose(some.c, every.c[which], atol=1e-13)
    np.testing.assert_array_equal(cells.patterns_of(which), cells.patterns[which])


def test_maps_of_slivers_are_exact() -> None:
    """Folds 1e-11 apart: the cell between them is far too thin for its vertices to tell the gradient."""
    gap = 1e-11
    recipe = mlp([[[1.0, 0.5], [1.0, 0.5], [0.25, -1.0]], [[3.0, -7.0, 2.0]]], [[0.0, -gap, 0.1], [0.5]])
    cells = complex_of(recipe)
    patterns = cells.patterns
    thin = patterns[:, 0] != patterns[:, 1]
    assert thin.sum() == 2
    expected = patterns.astype(float) * [3.0, -7.0, 2.0] @ np.array([[1.0, 0.5], [1.0, 0.5], [0.25, -1.0]])
    np.testing.assert_allclose(affine_maps(cells).A[:, 0], expected, rtol=1e-12, atol=1e-12)
    raw = fit_affine(cells.vertices, cells.cell_vertices, cells.cell_offsets, cells.vertex_outputs)
    assert np.abs(raw.gradients[thin, 0] - expected[thin]).max() > 1e-9, (
        "the fit is good enough: the test tests nothing"
    )


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("kind", ["spectral", "frobenius"])
def test_norms(name: str, kind: str) -> None:
    _, cells = scene(name)
    order = 2 if kind == "spectral" else "fro"
    inputs = affine_maps(cells, "input").A
    np.testing.assert_allclose(norms(cells, kind, "input"), np.linalg.norm(inputs, order, axis=(1, 2)), rtol=1e-12)
    basis = cells.domain.basis.reshape(2, -1)
    orthonormal = np.linalg.inv(isometry(cells)) @ basis
    np.testing.assert_allclose(orthonormal @ orthonormal.T, np.eye(2), atol=1e-14)
    expected = np.linalg.norm(inputs @ orthonormal.T, order, axis=(1, 2))
    np.testing.assert_allclose(norms(cells, kind), expected, atol=1e-8)
    assert (norms(cells, kind) <= norms(cells, kind, "input") * (1 + 1e-9)).all()


@pytest.mark.parametrize("name", SCENES)
def test_lipschitz_constant_bounds_and_is_attained(name: str) -> None:
    recipe, cells = scene(name)
    constant = lipschitz(cells)
    points = sample(cells, 3000)
    one, two = points[0::2], points[1::2]
    rise = np.linalg.norm(outputs_at(recipe, cells, one) - outputs_at(recipe, cells, two), axis=1)
    run = np.linalg.norm((one - two) @ cells.domain.basis.reshape(2, -1), axis=1)
    assert (rise <= constant * run * (1 + 1e-9)).all()
    steepest = int(norms(cells).argmax())
    linear = affine_maps(cells).A[steepest] @ np.linalg.inv(isometry(cells)).T
    direction = np.linalg.svd(linear)[2][0] @ np.linalg.inv(isometry(cells))
    step = 1e-3 * np.sqrt(cells.measures[steepest]) * direction
    here = cells.interior_points[steepest]
    change = outputs_at(recipe, cells, (here + step)[None]) - outputs_at(recipe, cells, here[None])
    length = np.linalg.norm(step @ cells.domain.basis.reshape(2, -1))
    assert np.linalg.norm(change) / length == pytest.approx(constant, rel=1e-6)


def test_lipschitz_constant_of_a_known_map() -> None:
    """f(x) = (3 |x|, 4 y): slopes 3 and 4 along orthogonal directions."""
    recipe = mlp([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[3, 3, 0, 0], [0, 0, 4, -4]]], [np.zeros(4), np.zeros(2)])
    cells = complex_of(recipe)
    np.testing.assert_allclose(norms(cells), 4.0)
    np.testing.assert_allclose(norms(cells, "frobenius"), 5.0)
    assert lipschitz(cells) == pytest.approx(4.0, rel=1e-14)


@pytest.mark.parametrize("name", SCENES)
def test_extrema_bound_a_dense_sample_and_are_attained(name: str) -> None:
    recipe, cells = scene(name)
    found = extrema(cells)
    values = outputs_at(recipe, cells, sample(cells, 20_000))
    assert (values >= found.minimum - 1e-12).all()
    assert (values <= found.maximum + 1e-12).all()
    np.testing.assert_allclose(np.diag(outputs_at(recipe, cells, found.minimizers)), found.minimum, atol=1e-12)
    np.testing.assert_allclose(np.diag(outputs_at(recipe, cells, found.maximizers)), found.maximum, atol=1e-12)


def test_a_constant_network_has_gradient_zero() -> None:
    cells = complex_of(mlp([np.zeros((2, 2)), np.zeros((3, 2))], [np.ones(2), np.array([1.0, 2.0, 3.0])]))
    np.testing.assert_allclose(affine_maps(cells).A, 0.0, atol=1e-15)
    np.testing.assert_allclose(affine_maps(cells).c, [[1.0, 2.0, 3.0]])
    assert lipschitz(cells) == pytest.approx(0.0, abs=1e-14)


def test_refuses_what_it_cannot_answer() -> None:
    _, cells = scene("plane")
    with pytest.raises(InvalidInputError, match="`space`: got 'moon'; expected one of 'domain', 'input'"):
        affine_maps(cells, "moon")
    with pytest.raises(InvalidInputError, match="`kind`: got 'max'"):
        norms(cells, "max")
    partial = dataclasses.replace(cells, truncated=True)
    for question in (lipschitz, extrema):
        with pytest.raises(InvalidInputError, match="truncated"):
            question(partial)
