"""Power diagrams agree with the tessellation, layer by layer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.complexity.theory.power_diagrams import check_power_diagram, power_diagram
from splinescope.errors import InvalidInputError
from splinescope.network import from_torch
from tests.fixtures.recipes import ABS, Builder, clip, evaluate, leaky, mlp
from tests.fixtures.reference_nets import path_of
from tests.queries.scenes import SCENES, SKEW, complex_of, gaussian, sample, scene


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("layer", [0, 1])
def test_every_layer_is_a_power_diagram(name: str, layer: int) -> None:
    _, cells = scene(name)
    check = check_power_diagram(cells, cells.pattern_nodes[layer][0])
    assert check.agreement == 1.0
    assert check.largest_excess < 1e-13
    assert check.sites <= len(cells)
    assert (check.parents == 1) == (layer == 0)


@pytest.mark.parametrize(("name", "layers"), [("N0", 2), ("N1", 3), ("AX", 1), ("DUP", 1), ("Z0", 1)])
def test_reference_nets(name: str, layers: int) -> None:
    cells = splinescope.tessellate(splinescope.load(path_of(f"{name}.npz")), splinescope.Slice.box([-1, -1], [1, 1]))
    for node, _, _ in cells.pattern_nodes[:layers]:
        check = check_power_diagram(cells, node)
        assert check.agreement == 1.0
        assert check.largest_excess < 1e-12


@pytest.mark.parametrize("name", SCENES)
def test_nearest_is_the_pattern_at_random_points(name: str) -> None:
    """By the recipe alone: the site's cell has the pieces that the first layer's units have at the point."""
    recipe, cells = scene(name)
    diagram = power_diagram(cells)
    points = sample(cells, 500)
    sites = diagram.nearest(points, np.zeros(len(points), np.int64))
    inputs = cells.domain.origin.ravel() + points @ cells.domain.basis.reshape(2, -1)
    active = evaluate(recipe, inputs)[1] > 0
    _, start, stop = cells.pattern_nodes[0]
    firsts = np.unique(diagram.cell_sites, return_index=True)[1]
    np.testing.assert_array_equal(cells.patterns[firsts][sites, start:stop], active)
    located = cells.locate(points)
    np.testing.assert_array_equal(diagram.cell_sites[located], sites)


def test_closed_form_of_the_first_layer() -> None:
    """mu is the sum of the active weights, and rho is |mu|^2 + 2 (sum of the active biases)."""
    recipe, cells = scene("plane")
    weight, bias = recipe.steps[0].weight, recipe.steps[0].bias  # type: ignore[union-attr]
    diagram = power_diagram(cells)
    active = cells.patterns[np.unique(diagram.cell_sites, return_index=True)[1]][:, : len(weight)].astype(float)
    np.testing.assert_allclose(diagram.centroids, active @ weight, atol=1e-13)
    np.testing.assert_allclose(diagram.radii, ((active @ weight) ** 2).sum(axis=1) + 2 * active @ bias, atol=1e-12)


def test_deep_formula() -> None:
    """Inside a parent: mu = A^T mu_layer, rho = |mu|^2 + 2 <mu_layer, B> + 2 sum of the layer's offsets."""
    recipe, cells = scene("one output")
    (w1, b1), (w2, b2) = ((recipe.steps[i].weight, recipe.steps[i].bias) for i in (0, 2))  # type: ignore[union-attr]
    diagram = power_diagram(cells, cells.pattern_nodes[1][0])
    firsts = np.unique(diagram.cell_sites, return_index=True)[1]
    for site, pattern in enumerate(cells.patterns[firsts].astype(float)):
        one, two = pattern[: len(w1)], pattern[len(w1) :]
        A, B = one[:, None] * w1, one * b1
        layer = two @ w2
        mu = A.T @ layer
        np.testing.assert_allclose(diagram.centroids[site], mu, atol=1e-12)
        assert diagram.radii[site] == pytest.approx(mu @ mu + 2 * layer @ B + 2 * two @ b2, abs=1e-11)


@pytest.mark.parametrize("kind", [ABS, leaky(0.25)])
def test_other_convex_units(kind: object) -> None:
    cells = complex_of(gaussian(4, (7, 6), kind=kind))  # type: ignore[arg-type]
    for node, _, _ in cells.pattern_nodes:
        check = check_power_diagram(cells, node)
        assert check.agreement == 1.0
        assert check.largest_excess < 1e-13


def test_maxima() -> None:
    rng = np.random.default_rng(1)
    builder = Builder(2)
    builder.layer(rng.normal(size=(5, 2)), rng.normal(size=5))
    builder.dense(rng.normal(size=(9, 5)), rng.normal(size=9))
    builder.maximum([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    cells = complex_of(builder.build())
    for node, _, _ in cells.pattern_nodes:
        check = check_power_diagram(cells, node)
        assert check.agreement == 1.0
        assert check.largest_excess < 1e-13


def test_a_slice_of_a_convolutional_network_with_pools() -> None:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 3, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 5),
        nn.ReLU(),
        nn.Linear(5, 2),
    ]
    network = from_torch(nn.Sequential(*layers).double(), input_shape=(1, 6, 6))
    plane = splinescope.Slice.through(*torch.randn(3, 1, 6, 6, generator=torch.Generator().manual_seed(4)).numpy())
    cells = splinescope.tessellate(network, plane)
    assert len(cells.pattern_nodes) == 3
    for node, _, _ in cells.pattern_nodes:
        check = check_power_diagram(cells, node)
        assert check.agreement == 1.0
        assert check.largest_excess < 1e-13


def test_centroids_of_the_input_space_project_to_those_of_the_slice() -> None:
    _, cells = scene("skew")
    inside, outside = power_diagram(cells), power_diagram(cells, space="input")
    np.testing.assert_allclose(outside.centroids @ SKEW.T, inside.centroids, atol=1e-12)
    points = cells.interior_points
    inputs = cells.domain.embed(points).reshape(len(points), -1)
    np.testing.assert_array_equal(outside.nearest(inputs, outside.cell_parents), inside.cell_sites)
    assert len(outside) == len(inside)


def test_refusals() -> None:
    _, cells = scene("plane")
    with pytest.raises(InvalidInputError, match="`op`: got 1; expected a node that folds, one of"):
        power_diagram(cells, 1)
    with pytest.raises(InvalidInputError, match="`space`: got 'moon'"):
        power_diagram(cells, space="moon")
    clipped = complex_of(mlp([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)], clip(-0.5, 0.5)))
    with pytest.raises(InvalidInputError, match="units that are not convex"):
        power_diagram(clipped)


def test_the_check_can_fail() -> None:
    """With one squared radius off by a little, points near that cell's walls go to a wrong site."""
    _, cells = scene("plane")
    diagram = power_diagram(cells)
    points = cells.vertices[cells.cell_vertices]
    sites = np.repeat(diagram.cell_sites, np.diff(cells.cell_offsets))
    assert diagram.excess(points, sites).max() < 1e-12
    radii = diagram.radii.copy()
    radii[diagram.cell_sites[0]] += 1e-6
    assert dataclasses.replace(diagram, radii=radii).excess(points, sites).max() == pytest.approx(1e-6, rel=1e-3)
