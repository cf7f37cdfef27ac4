"""Enclosures hold for exact rational values on every kind of domain; they become exact; boxes are pruned by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import splinescope
from splinescope.network import Network
from splinescope.network.ops import Maximum
from splinescope.tessellation.affine import extrema
from splinescope.tessellation.enclosure import (
    AffineBounds,
    Enclosure,
    halves,
    over_boxes,
    over_polytopes,
    over_segments,
)
from tests.fixtures.engine_networks import to_network
from tests.fixtures.lazily import Lazily
from tests.fixtures.random_nets import random_case
from tests.paths.nets import NETWORKS, Residual, convnet, perceptron, seeded
from tests.reference.exact_network import exact_values
from tests.seeds import seeds

SMALL = Lazily(
    {
        "perceptron": lambda: NETWORKS["perceptron"],
        "dense": lambda: NETWORKS["dense"],
        "tiny": lambda: NETWORKS["tiny"],
        "clip": lambda: splinescope.load(seeded(perceptron(4, 7, 7, 2, activation=torch.nn.Hardtanh)), (4,)),
        "convnet": lambda: splinescope.load(seeded(convnet()), (2, 6, 6)),
        "residual": lambda: splinescope.load(seeded(Residual()), (2, 6, 6)),
    }
)
"""Convolutions, max-pools, skips, concatenations and clips, with weights whose products float64 rounds."""
FLAT = ("perceptron", "dense", "tiny", "clip")


def inputs_of(kind: str, network: Network, width: float, seed: int) -> AffineBounds:
    """Three domains of a kind."""
    rng, size = np.random.default_rng(seed), network.nodes[0].size
    middle, half = rng.normal(size=(3, size)), width * rng.random((3, size))
    if kind == "boxes":
        return over_boxes(middle - half, middle + half)
    if kind == "segments":
        return over_segments(middle - half, middle + half)
    if kind == "slices":
        corners = rng.normal(size=(3, size)) * 0.7
        plane = splinescope.Slice(corners[0], corners[1:], np.array([[-1.0, -1], [1, -1], [0, 1]]))
        return over_boxes(middle[:, :2] - half[:, :2], middle[:, :2] + half[:, :2], plane)
    counts = [3, 5, 4]
    corners = np.repeat(middle, counts, axis=0) + width * rng.normal(size=(12, size))
    return over_polytopes(corners, np.cumsum([0, *counts]))


def points_of(inputs: AffineBounds, seed: int, count: int = 4) -> Iterator[tuple[int, list[Fraction], list[Fraction]]]:
    """Exact points of each domain: its number, weights of the rows, and shares of the directions."""
    rng = np.random.default_rng(seed)
    offsets = np.arange(len(inputs.centre) + 1) if inputs.offsets is None else inputs.offsets
    for domain in range(len(offsets) - 1):
        rows = offsets[domain + 1] - offsets[domain]
        for number in range(count):
            parts = [Fraction(int(part)) for part in 1 + rng.integers(0, 1 + 20 * number, rows)]
            shares = rng.uniform(-1, 1, inputs.slopes.shape[1]) if number else np.ones(inputs.slopes.shape[1])
            yield domain, [part / sum(parts) for part in parts], [Fraction(float(share)) for share in shares]


def at(bounds: AffineBounds, domain: int, weights: list[Fraction], shares: list[Fraction]) -> tuple[list, list]:
    """The exact values of centre and radius at a point of a domain."""
    start = domain if bounds.offsets is None else bounds.offsets[domain]
    centre, radius = [Fraction(0)] * bounds.centre.shape[1], [Fraction(0)] * bounds.centre.shape[1]
    for row, weight in enumerate(weights, start):
        for unit in range(len(centre)):
            along = zip(bounds.slopes[row, :, unit].tolist(), shares, strict=True)
            value = Fraction(bounds.centre[row, unit].item()) + sum((Fraction(s) * t for s, t in along), Fraction(0))
            centre[unit] += weight * value
            radius[unit] += weight * Fraction(bounds.radius[row, unit].item())
    return centre, radius


def outside(network: Network, inputs: AffineBounds, seed: int) -> int:
    """How many exact values of all nodes at some points leave their enclosures, or their ends."""
    enclosed = dict(Enclosure(network).walk({0: inputs}))
    ends = {index: [side.tolist() for side in bounds.ends()] for index, bounds in enclosed.items()}
    count = 0
    for domain, weights, shares in points_of(inputs, seed):
        x, _ = at(inputs, domain, weights, shares)
        values = exact_values(network, x)
        for index, bounds in enclosed.items():
            centre, radius = at(bounds, domain, weights, shares)
            for unit, value in enumerate(values[index]):
                low, high = (Fraction(side[domain][unit]) for side in ends[index])
                count += not (abs(value - centre[unit]) <= radius[unit] and low <= value <= high)
    return count


@pytest.mark.parametrize("kind", ["boxes", "segments", "slices", "polytopes"])
@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("width", [2.0, 0.1, 1e-9])
def test_exact_values_lie_in_their_enclosures(kind: str, name: str, width: float) -> None:
    network = SMALL[name]
    assert outside(network, inputs_of(kind, network, width, 0), 1) == 0


@pytest.mark.parametrize("kind", ["segments", "polytopes"])
@pytest.mark.parametrize("name", ["convnet", "residual"])
def test_exact_values_of_images_lie_in_their_enclosures(kind: str, name: str) -> None:
    network = SMALL[name]
    assert outside(network, inputs_of(kind, network, 0.3, 0), 1) == 0


@pytest.mark.parametrize("kind", ["boxes", "slices", "polytopes"])
@pytest.mark.parametrize("seed", seeds(range(0, 40, 5), range(200)))
def test_exact_values_of_random_networks_lie_in_their_enclosures(kind: str, seed: int) -> None:
    network = to_network(random_case(seed, n_inputs=3, max_width=6, max_depth=3).recipe)
    assert outside(network, inputs_of(kind, network, 10.0 ** -(seed % 3), seed), seed) == 0


@pytest.mark.parametrize("kind", ["boxes", "polytopes"])
def test_points_are_enclosed_by_rounding_errors_alone(kind: str) -> None:
    """Where a domain is a point, only outward rounding holds the exact values; without it they fall outside."""
    network = SMALL["perceptron"]
    inputs = inputs_of(kind, network, 0.0, 3)
    assert outside(network, inputs, 0) == 0
    assert float(Enclosure(network)(inputs).radius.max()) < 1e-12
    assert outside(network, replace(inputs, roundoff=0.0), 0) > 0


@pytest.mark.parametrize("name", SMALL)
def test_dense_samples_lie_in_their_enclosures(name: str) -> None:
    network, rng = SMALL[name], np.random.default_rng(5)
    size = network.nodes[0].size
    low = rng.normal(size=(6, size))
    high = low + 10.0 ** rng.uniform(-4, 0.3, size=(6, 1)) * rng.random((6, size))
    least, most = (side.numpy()[:, None] for side in Enclosure(network)(over_boxes(low, high)).ends())
    share = np.concatenate([rng.random((300, size)), rng.integers(0, 2, (300, size)).astype(float)])
    points = low[:, None] + share * (high - low)[:, None]
    values = network(points.reshape(-1, *network.input_shape)).reshape(6, len(share), -1)
    assert (values >= least - 1e-12).all()
    assert (values <= most + 1e-12).all()


@given(st.integers(0, 10**6))
def test_maxima_are_enclosed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = torch.tensor([[0, 1, 2], [3, 4, -1], [1, -1, -1], [5, 5, 0]])
    first = to_network(random_case(seed % 50, n_inputs=2).recipe).nodes[0]
    node = splinescope.network.Node("max", Maximum(groups), (0,), (4,))
    network = Network(nodes=(replace(first, shape=(6,)), node), output=1)
    slopes, beside = rng.normal(size=(5, 2, 6)), np.abs(rng.normal(size=(5, 6))) * rng.choice([0, 0.1])
    source = AffineBounds(*map(torch.from_numpy, (rng.normal(size=(5, 6)), slopes, beside)))
    found = Enclosure(network)(source)
    share, other = rng.uniform(-1, 1, (5, 50, 2)), rng.uniform(-1, 1, (5, 50, 6))
    z = source.centre.numpy()[:, None] + share @ slopes + other * beside[:, None]
    values = np.stack([z[..., [0, 1, 2]].max(-1), z[..., [3, 4]].max(-1), z[..., 1], z[..., [5, 0]].max(-1)], -1)
    middle = found.centre.numpy()[:, None] + share @ found.slopes.numpy()
    assert (np.abs(values - middle) <= found.radius.numpy()[:, None] + 1e-12).all()
    np.testing.assert_array_equal(found.radius[:, 2], source.radius[:, 1])


@pytest.mark.parametrize("name", ["perceptron", "dense"])
def test_radii_shrink_with_the_square_and_vanish_inside_cells(name: str) -> None:
    network = SMALL[name]
    centre = np.random.default_rng(2).normal(size=(200, network.nodes[0].size))
    radii = [Enclosure(network)(over_boxes(centre - h, centre + h)).radius.numpy().mean() for h in (0.1, 0.01, 1e-9)]
    assert radii[1] < 0.02 * radii[0]
    assert radii[2] < 1e-11


def test_combinations_are_tighter_than_their_outputs() -> None:
    network = SMALL["perceptron"]
    weights, offsets = np.array([[1.0, -1.0, 0.0], [0.3, 0.3, 0.3]]), np.array([0.5, 0.0])
    inputs = inputs_of("boxes", network, 0.5, 1)
    together = Enclosure(network).combined(inputs, weights, offsets)
    low, high = (side.numpy() for side in Enclosure(network)(inputs).ends())
    loose = np.maximum(weights, 0) @ high.T + np.minimum(weights, 0) @ low.T + offsets[:, None]
    least, most = (side.numpy() for side in together.ends())
    assert (loose > most.T).all()
    for domain, rows, shares in points_of(inputs, 7):
        x, _ = at(inputs, domain, rows, shares)
        y = exact_values(network, x)[network.output]
        for k in range(2):
            exact = sum((Fraction(w) * z for w, z in zip(weights[k].tolist(), y, strict=True)), Fraction(offsets[k]))
            centre, radius = at(together, domain, rows, shares)
            assert abs(exact - centre[k]) <= radius[k]
            assert Fraction(float(least[domain, k])) <= exact <= Fraction(float(most[domain, k]))


def test_combinations_behind_other_layers() -> None:
    """Where the last node is no dense layer, combinations are taken of its enclosures."""
    layers = [torch.nn.Linear(2, 3, bias=False), torch.nn.ReLU()]
    network = splinescope.load(seeded(torch.nn.Sequential(*layers)), input_shape=(2,))
    inputs = over_boxes(np.full((1, 2), -1.0), np.ones((1, 2)))
    both = Enclosure(network).combined(inputs, np.eye(3), np.zeros(3))
    np.testing.assert_allclose(both.ends()[1], Enclosure(network)(inputs).ends()[1], rtol=1e-12)


@pytest.mark.parametrize("seed", [1, 3])
def test_branch_and_bound_finds_the_minimum(seed: int) -> None:
    """Boxes whose bound exceeds the least value seen are dropped, the others halved: the minimum stays enclosed."""
    network = to_network(random_case(seed, n_inputs=3, max_width=6, max_depth=3).recipe)
    domain, first = splinescope.Box([-1.0] * 3, [1.0] * 3), np.eye(np.prod(network.output_shape, dtype=int))[:1]
    exact = extrema(splinescope.tessellate(network, domain))
    least, span = exact.minimum[0], exact.maximum[0] - exact.minimum[0]
    low, high = domain.bounds[0][None], domain.bounds[1][None]
    best, bound, passes = np.inf, -np.inf, 0
    while best - bound > 0.02 * span and passes < 5000:
        bounds = Enclosure(network).combined(over_boxes(low, high), first, np.zeros(1))
        below = bounds.ends()[0].numpy()[:, 0]
        best, bound = min(best, network((low + high) / 2)[:, 0].min()), below.min()
        assert bound <= least <= best + 1e-12
        kept, passes = below < best, passes + len(low)
        bounds = AffineBounds(bounds.centre[kept], bounds.slopes[kept], bounds.radius[kept])
        low, high = halves(low[kept], high[kept], bounds)
    assert passes < 5000


def test_halves_cover_their_boxes_and_cut_where_it_matters() -> None:
    low, high = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[4.0, 1.0], [2.0, 2.0]])
    bounds = AffineBounds(torch.zeros(2, 1), torch.tensor([[[0.1], [5.0]], [[0.1], [5.0]]]), torch.ones(2, 1))
    lows, highs = halves(low, high, bounds)
    assert lows.tolist() == [[0.0, 0.0], [1.0, 2.0], [0.0, 0.5], [1.5, 2.0]]
    assert highs.tolist() == [[4.0, 0.5], [1.5, 2.0], [4.0, 1.0], [2.0, 2.0]]
    level = replace(bounds, slopes=torch.zeros(2, 2, 1))
    assert halves(low, high, level)[1][0].tolist() == [2.0, 1.0]


def test_overflow_proves_nothing() -> None:
    network = SMALL["perceptron"]
    for kind in ("boxes", "polytopes"):
        inputs = inputs_of(kind, network, 1.0, 0)
        huge = replace(inputs, radius=torch.full_like(inputs.radius, 1e308))
        low, high = Enclosure(network)(huge).ends()
        assert (low == -torch.inf).all()
        assert (high == torch.inf).all()
