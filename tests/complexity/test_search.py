"""The search for the nearest boundary or fold in any dimension."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.complexity.distances.local_formula import local_distances
from splinescope.complexity.distances.planar import boundary_distances, fold_distances
from splinescope.complexity.distances.search import nearest_boundary, nearest_fold
from splinescope.complexity.distances.targets import class_of
from splinescope.errors import InvalidInputError
from splinescope.network import Network, from_torch
from splinescope.tessellation.domains import Box
from tests.fixtures.cases import Case
from tests.fixtures.degenerate import CASES
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import Builder, clip, leaky, mlp
from tests.network.assets import ABSENT, ASSETS
from tests.queries.scenes import SCENES, complex_of, gaussian, sample, scene
from tests.seeds import every
from tests.tessellation.agreement import slice_of


@pytest.mark.parametrize("name", SCENES)
def test_agrees_with_the_geometry_of_the_plane(name: str) -> None:
    _, cells = scene(name)
    points = sample(cells, 4, seed=1)
    expected = boundary_distances(cells, points)
    for point, distance, local in zip(points, expected.exact, expected.local, strict=True):
        found = nearest_boundary(cells.network, point, domain=cells.domain)
        assert found.exact
        assert found.upper == pytest.approx(distance, rel=1e-9)
        assert found.local == pytest.approx(local, rel=1e-12)
    for node, _, _ in cells.pattern_nodes:
        expected = fold_distances(cells, points, op=node)
        for point, distance in zip(points, expected.exact, strict=True):
            found = nearest_fold(cells.network, point, node, domain=cells.domain)
            assert found.exact
            assert found.upper == pytest.approx(distance, rel=1e-9)


def test_one_unit_of_a_deep_layer() -> None:
    _, cells = scene("plane")
    points = sample(cells, 8, seed=2)
    node = cells.pattern_nodes[1][0]
    expected = fold_distances(cells, points, op=node, unit=4)
    for point, distance in zip(points, expected.exact, strict=True):
        assert nearest_fold(cells.network, point, node, 4, domain=cells.domain).upper == pytest.approx(
            distance, rel=1e-9
        )


def same_class_in_ball(network: Network, x: np.ndarray, radius: float, count: int = 20_000) -> bool:
    """Whether random points on spheres up to a radius have the class of the centre."""
    rng = np.random.default_rng(7)
    directions = rng.normal(size=(count, x.size))
    directions *= radius * rng.choice([1.0, 0.9, 0.5], count)[:, None] / np.linalg.norm(directions, axis=1)[:, None]
    values = network((x.ravel() + directions).reshape(-1, *x.shape)).reshape(count, -1)
    own = network(x[None]).ravel()
    return bool((values.argmax(axis=1) == own.argmax()).all())


@pytest.mark.parametrize(("inputs", "kind"), [(3, None), (4, None), (4, leaky(0.3)), (3, clip(-1.0, 1.0))])
def test_in_more_dimensions(inputs: int, kind: object) -> None:
    """No random point of the open ball has another class, the point found has one, just behind the boundary."""
    network = to_network(gaussian(3, (6, 5), 3, inputs=inputs, **({} if kind is None else {"kind": kind})))  # type: ignore[arg-type]
    x = 0.1 * np.random.default_rng(inputs).normal(size=inputs)
    found = nearest_boundary(network, x, max_cells=3000)
    assert found.exact
    assert found.point is not None
    assert np.linalg.norm(found.point - x) == pytest.approx(found.upper, rel=1e-12)
    assert network(found.point[None]).argmax() == found.label != network(x[None]).argmax()
    values = np.sort(network(found.point[None])[0])
    assert values[-1] - values[-2] < 1e-6
    assert same_class_in_ball(network, x, 0.999999 * found.upper)
    local = local_distances(network, x[None])
    assert local.boundary_lower[0] <= found.upper * (1 + 1e-9)


def test_maxima_and_convolutions() -> None:
    torch.manual_seed(1)
    layers = [nn.Conv2d(1, 1, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 2)]
    with torch.no_grad():
        layers[-1].weight.copy_(torch.tensor([[1.0], [-1.0]]))  # the classes change where the pooled value is 1 / 2
        layers[-1].bias.copy_(torch.tensor([-0.5, 0.5]))
    network = from_torch(nn.Sequential(*layers).double(), input_shape=(1, 3, 3))
    x = torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(5)).numpy().astype(np.float64)
    found = nearest_boundary(network, x, max_cells=5000)
    assert found.exact
    assert found.point is not None
    assert found.point.shape == (1, 3, 3)
    assert same_class_in_ball(network, x, 0.999999 * found.upper)


def test_a_box_is_a_domain() -> None:
    """The nearest point of all has x > 1; in the box it is elsewhere, and in a smaller one there is none."""
    network = to_network(mlp([[[1, 0], [0, 1]], [[1, 0.5]]], [[0, 0], [-1.5]]))  # relu(x) + relu(y) / 2 = 3 / 2
    free = nearest_boundary(network, [0.5, 0.0])
    assert (free.exact, free.label) == (True, 1)
    assert free.upper == pytest.approx(1 / math.sqrt(1.25))
    inside = nearest_boundary(network, [0.5, 0.0], domain=Box([0.0, 0.0], [1.0, 2.0]))
    assert inside.upper == pytest.approx(math.hypot(0.5, 1.0))
    nothing = nearest_boundary(network, [0.5, 0.0], domain=Box([0.0, 0.0], [1.0, 0.5]))
    assert (nothing.exact, nothing.upper, nothing.lower, nothing.point) == (True, math.inf, math.inf, None)


def test_one_output_and_a_point_on_the_boundary() -> None:
    network = to_network(mlp([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [-1]]))
    found = nearest_boundary(network, [2.0, 0.0])
    assert (found.exact, found.label) == (True, 0)
    assert found.upper == pytest.approx(1.0)
    assert nearest_boundary(network, [1.0, -1.0]).upper == pytest.approx(0.0, abs=1e-9)


def test_a_budget_gives_bounds() -> None:
    _, cells = scene("ten classes")
    points = sample(cells, 3, seed=3)
    exact = [nearest_boundary(cells.network, p, domain=cells.domain).upper for p in points]
    for budget in (1, 3):
        part = [nearest_boundary(cells.network, p, domain=cells.domain, max_cells=budget) for p in points]
        assert all(one.cells <= budget for one in part)
        assert all(
            one.lower <= truth * (1 + 1e-9) and truth <= one.upper * (1 + 1e-9)
            for one, truth in zip(part, exact, strict=True)
        )
        assert budget > 1 or not all(one.exact for one in part)
    hurried = nearest_boundary(cells.network, points[0], domain=cells.domain, time_limit=1e-9)
    assert hurried.lower <= exact[0]


@pytest.mark.parametrize(
    "case", every(2, [case for case in CASES if case.make is None][::6]), ids=lambda case: case.name
)
def test_degenerate_networks_keep_the_truth_between_the_bounds(case: Case) -> None:
    """Ties, touching folds, lattices: where the search cannot tell it says so by its lower bound."""
    network = to_network(case.recipe)
    cells = splinescope.tessellate(network, slice_of(case))
    points = sample(cells, 2, seed=4)
    for point, truth in zip(points, boundary_distances(cells, points).exact, strict=True):
        found = nearest_boundary(network, point, domain=cells.domain, max_cells=60)
        assert found.lower <= truth * (1 + 1e-7)
        if math.isfinite(truth) and found.exact:
            assert found.upper <= truth * (1 + 1e-5)
        if found.point is not None:
            assert class_of(network, torch.from_numpy(found.point[None])) == found.label
        if found.point is not None and math.isfinite(truth):  # else the classes are those that roundings make
            assert found.label != class_of(network, torch.from_numpy(point[None]))


def test_the_apex_of_a_wedge() -> None:
    """The nearest boundary point is a corner of the other class that the ray through it misses."""
    # class 1 where relu(x) - relu(-x) / 2 - 3 |y| > 0: the wedge 3 |y| < x
    recipe = mlp([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, -0.5, -3, -3]]], [np.zeros(4), [0]])
    found = nearest_boundary(to_network(recipe), [-1.0, 2.0])
    assert found.exact
    assert found.upper == pytest.approx(math.sqrt(5), rel=1e-6)
    assert found.label == 1


def test_no_boundary_at_all() -> None:
    network = to_network(mlp([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [1]]))
    found = nearest_boundary(network, [0.2, 0.3])
    assert (found.exact, found.upper, found.label) == (True, math.inf, -1)


def test_a_dead_unit_has_no_fold() -> None:
    builder = Builder(2)
    builder.layer([[1, 0], [0, 0]], [0, 1])
    network = to_network(builder.build())
    assert nearest_fold(network, [2.0, 0.0], 2, 1).upper == math.inf
    assert nearest_fold(network, [2.0, 0.0], 2, 0).upper == pytest.approx(2)


def digits(count: int) -> np.ndarray:
    """Images of the MNIST test set, [count, 1, 28, 28] from 0 to 1."""
    path = ASSETS / "data" / "mnist" / "t10k-images-idx3-ubyte.gz"
    if not path.is_file():
        pytest.skip(ABSENT)
    with gzip.open(path) as file:
        return np.frombuffer(file.read(16 + 784 * count), np.uint8, offset=16).reshape(-1, 1, 28, 28) / 255


def test_a_trained_network_on_the_whole_input_space() -> None:
    """784 dimensions: exact distances to the boundary of a small classifier, which the formula gets wrong."""
    images = digits(3)
    network = splinescope.load(ASSETS / "models" / "marabou_mnist2x10" / "mnist2x10.onnx")
    for image in images:
        found = nearest_boundary(network, image)
        assert found.exact
        assert found.point is not None
        assert network(found.point[None]).argmax() == found.label
        assert same_class_in_ball(network, image, 0.9999 * found.upper, 2000)
        assert abs(found.local / found.upper - 1) > 0.1


def test_refusals() -> None:
    network = to_network(gaussian(1, (3,)))
    cells = complex_of(gaussian(1, (3,)))
    with pytest.raises(InvalidInputError, match="`max_cells`: got 0; expected at least 1"):
        nearest_boundary(network, [0.0, 0.0], max_cells=0)
    with pytest.raises(InvalidInputError, match=r"`time_limit`: got -1.0; expected a positive number"):
        nearest_boundary(network, [0.0, 0.0], time_limit=-1.0)
    with pytest.raises(InvalidInputError, match=r"`x`: it is .* outside the domain"):
        nearest_boundary(network, [3.0, 0.0], domain=cells.domain)
    with pytest.raises(InvalidInputError, match=r"`points`: got shape \(1, 3\)"):
        nearest_boundary(network, [0.0, 0.0, 0.0])
    with pytest.raises(InvalidInputError, match="`op`, `unit`: node 2 has no unit 7 that folds"):
        nearest_fold(network, [0.0, 0.0], 2, 7)
