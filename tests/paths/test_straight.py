"""Straight paths: closed forms, exact rational arithmetic, planted intervals, dense samples, and float32."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.network import Network, split
from splinescope.paths import straight
from splinescope.paths.proof import exact
from splinescope.tessellation.segments import margins, misclassified
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.paths.nets import NETWORKS, perceptron, seeded
from tests.reference.rational_segment import at, intervals
from tests.seeds import seeds

METHODS = pytest.mark.parametrize("method", ["exact", "refine"])


def one_hidden_layer(weights: list[float], biases: list[float], out: list[list[float]], offset: list[float]) -> Network:
    """A network of one input."""
    net = nn.Sequential(nn.Linear(1, len(weights)), nn.ReLU(), nn.Linear(len(weights), len(out))).double()
    values = ([[w] for w in weights], biases, out, offset)
    for parameter, value in zip(net.parameters(), values, strict=True):
        parameter.data = torch.tensor(value, dtype=torch.float64)
    return splinescope.load(net)


def notch(place: float, half_width: float) -> Network:
    """Class 1 leads but for an interval around a place: outputs 0 and |x - place| - half_width."""
    return one_hidden_layer([1.0, -1.0], [-place, place], [[0.0, 0.0], [1.0, 1.0]], [0.0, -half_width])


def pairs(network: Network, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random pairs, and the class in their middle."""
    x, y = np.random.default_rng(seed).normal(size=(2, count, *network.input_shape))
    outputs = network((x + y) / 2)
    return x, y, outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).astype(int)


@METHODS
@pytest.mark.parametrize("half_width", [0.25, 1e-3, 5e-7, 1e-9])
def test_a_planted_interval_is_found_that_sampling_misses(method: str, half_width: float) -> None:
    network = notch(0.3141592653589793, half_width)
    sampled = network(np.linspace(0, 1, 51)[:, None])
    assert half_width > 1e-2 or (sampled[:, 1] > sampled[:, 0]).all()
    paths = straight(network, [0.0], [1.0], 1, method=method)
    assert paths.verdicts.tolist() == ["refuted"]
    t = paths.t[:1, None]
    assert network(t)[0, 1] <= network(t)[0, 0]
    if method == "exact":
        (interval,) = paths[0].misclassified
        assert interval[1] - interval[0] == pytest.approx(2 * half_width, rel=1e-6)
        assert interval[2] == 0
        assert paths.minimum_margin[0] == pytest.approx(-half_width, abs=1e-15)


@METHODS
def test_a_path_that_only_comes_near_is_certified(method: str) -> None:
    paths = straight(notch(0.3141592653589793, -1e-9), [0.0], [1.0], 1, method=method)
    assert paths.verdicts.tolist() == ["certified"]
    assert 0 < paths.margin_bound[0] <= 1e-9 * (1 + 1e-6)
    assert paths.below_rounding.tolist() == [True]


@METHODS
@pytest.mark.parametrize(("offset", "verdict"), [(0.0, "refuted"), (1e-17, "undecided"), (1e-3, "certified")])
def test_ties_and_margins_below_rounding_are_never_certified(method: str, offset: float, verdict: str) -> None:
    paths = straight(notch(0.0, -offset), [-1.0], [1.0], 1, method=method, budget=500)
    assert paths.verdicts.tolist() == [verdict]


@pytest.mark.parametrize("seed", seeds(range(0, 30, 3), range(30)))
def test_minimum_and_intervals_are_those_of_exact_arithmetic(seed: int) -> None:
    case = random_case(seed)
    network = to_network(case.recipe)
    rng = np.random.default_rng(seed)
    starts, ends = rng.integers(-64, 64, size=(2, 4, 2)) / 64 + np.array([0.0, 1 / 128])
    paths = straight(network, starts, ends, 0, method="exact")
    for path, start, end in zip(paths, starts, ends, strict=True):
        least, wrong = rational_margin(intervals(case.recipe, start, end))
        assert path.minimum_margin == pytest.approx(float(least), abs=1e-12)
        assert sum(b - a for a, b, _ in path.misclassified) == pytest.approx(float(wrong), abs=1e-9)
        if least > 1e-9:
            assert path.verdict == "certified"
        elif least < -1e-9:
            assert path.verdict == "refuted"
        else:
            assert path.verdict != "certified"


def rational_margin(cells: list) -> tuple[Fraction, Fraction]:
    """Least margin of class 0, and the length on which another class leads, in exact arithmetic."""
    zero = (Fraction(0), Fraction(0))
    least, wrong = None, Fraction(0)
    for cell in cells:
        outputs = (zero, *cell.output) if len(cell.output) == 1 else cell.output
        slopes = [(outputs[0][0] - line[0], outputs[0][1] - line[1]) for line in outputs[1:]]
        for t in (cell.start, cell.stop):
            margin = min(at(line, t) for line in slopes)
            least = margin if least is None else min(least, margin)
        ties = sorted({-line[1] / line[0] for line in slopes if line[0]})
        inner = [cell.start, *(t for t in ties if cell.start < t < cell.stop), cell.stop]
        for low, high in pairwise(inner):
            if min(at(line, (low + high) / 2) for line in slopes) < 0:
                wrong += high - low
    assert least is not None
    return least, wrong


@METHODS
@pytest.mark.parametrize("name", NETWORKS)
def test_paths_between_activations_are_straight_there(method: str, name: str) -> None:
    network = NETWORKS[name]
    x, y, targets = pairs(network, 6)
    for layer in (None, 2, -2):
        paths = straight(network, x, y, targets, layer, method=method)
        parts = split(network, layer or 0)
        a, b = parts.before(x), parts.before(y)
        t = np.linspace(0, 1, 801).reshape(-1, *(1,) * a.ndim)
        z = (1 - t) * a + t * b
        outputs = parts.after(z.reshape(-1, *a.shape[1:])).reshape(801, 6, -1)
        own = np.take_along_axis(outputs, np.broadcast_to(targets[None, :, None], (801, 6, 1)), 2)[..., 0]
        np.put_along_axis(outputs, np.broadcast_to(targets[None, :, None], (801, 6, 1)), -np.inf, 2)
        sampled = (own - outputs.max(axis=2)).min(axis=0)
        assert (paths.margin_bound <= sampled + 1e-12).all()
        assert (sampled > 0)[paths.certified].all()
        assert (paths.verdicts[sampled < -1e-9] == "refuted").all()
        np.testing.assert_allclose(paths.points(np.array([0.0, 1.0])), np.stack([a, b], axis=1), rtol=0)


def test_groups_of_bounded_memory_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS["perceptron"]
    x, y, targets = pairs(network, 23)
    whole = straight(network, x, y, targets, method="exact", keep_cells=True, verify="proof")
    monkeypatch.setattr(exact, "_UNITS_TOGETHER", 5 * network.num_units)
    parts = straight(network, x, y, targets, method="exact", verify="proof")
    assert parts.batch is None
    for name in ("verdicts", "rivals", "evaluations"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    for name in ("minimum_margin", "t"):  # products of matrices round as their sizes and the threads have it
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12, atol=1e-14)
    for name in ("offsets", "segments", "start", "stop", "classes"):
        found, expected = getattr(parts.misclassified, name), getattr(whole.misclassified, name)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    for name in ("cells", "interior_points", "vertex_checks", "multiple_folds"):
        assert getattr(parts.certificate, name) == getattr(whole.certificate, name)
    np.testing.assert_array_equal(whole.minimum_margin, margins(whole.batch, targets).minimum)
    assert len(whole.misclassified) == len(misclassified(whole.batch, targets))


def test_a_float32_model_stays_within_the_rounding_that_is_reported() -> None:
    module = seeded(perceptron(20, 40, 40, 40, 5))
    network = splinescope.load(module)
    x, y, targets = pairs(network, 30)
    paths = straight(network, x, y, targets, method="exact")
    t = np.linspace(0, 1, 201)
    points = paths.points(t)
    single = module.float()(torch.from_numpy(points).float()).double().detach().numpy()
    double = network(points.reshape(-1, 20)).reshape(single.shape)
    rows = np.arange(30)
    shift = np.abs(single - double)
    error = shift[rows, :, targets] + np.delete(shift, 0, axis=2).max(axis=2)
    assert (error.max(axis=1) < paths.rounding).all()
    assert (error.max(axis=1) > paths.rounding / 1e4).all()
    assert not paths.below_rounding[np.abs(paths.minimum_margin) > 1e-2].any()


def test_one_pair_and_what_is_said_of_it() -> None:
    network = notch(0.5, 0.25)
    paths = straight(network, torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor(1))
    assert repr(paths) == "StraightPaths(1 paths at `input`: 0 certified, 1 refuted, 0 undecided; exact)"
    assert [path.verdict for path in paths] == ["refuted"]
    assert paths[-1].misclassified == ((0.25, 0.75, 0),)
    assert (paths[0].rival, paths[0].t, paths[0].minimum_margin) == (0, 0.5, -0.25)
    assert not paths[0].below_rounding


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [[0.0, 1.0]]}, r"`x`: got shape \(1, 2\); expected \[S, 1\]"),
        ({"y": [[0.0], [1.0]]}, "`x`, `y`: got 1 and 2 points; expected as many"),
        ({"y": [[0.0]]}, "`x`, `y`: both ends of pair 0 are the same point$"),
        ({"x": [[-3.0]], "y": [[-2.0]], "layer": 2}, "both ends of pair 0 are the same point at `1`"),
        ({"target": 2}, "`target`: got 2; expected classes from 0 to 1"),
        ({"target": [0, 1]}, r"`target`: got \[0, 1\]; expected a class, or 1 of them"),
        ({"method": "sample"}, "`method`: got 'sample'; expected one of 'exact', 'refine', 'auto'"),
        ({"method": "refine", "keep_cells": True}, "`keep_cells`: got True; the method 'refine' has no cells"),
        ({"budget": 0}, "`budget`: got 0; expected a positive number"),
    ],
)
def test_bad_arguments(change: dict[str, object], message: str) -> None:
    network = one_hidden_layer([1.0, 1.0], [0.0, -1.0], [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    arguments = {"x": [[0.0]], "y": [[1.0]], "target": 0, **change}
    with pytest.raises(InvalidInputError, match=message):
        straight(network, **arguments)
