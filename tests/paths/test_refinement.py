"""Bounds on pieces of segments are sound and become exact; branch and bound agrees with all breakpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import splinescope
from splinescope.network import Network, split
from splinescope.network.copies import placed
from splinescope.numerics import Tolerance
from splinescope.paths import refine, straight
from splinescope.paths.proof.refinement import folds_between
from splinescope.paths.proof.rounding import margin_rounding
from splinescope.tessellation.enclosure import AffineBounds, Enclosure
from splinescope.tessellation.segments import SegmentComplex, tessellate_segments
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.network.assets import ABSENT, ASSETS, assets, imported
from tests.paths.nets import NETWORKS, perceptron, seeded
from tests.paths.test_straight import notch, pairs
from tests.seeds import large, seeds


def excess(network: Network, width: float, seed: int = 0, count: int = 8) -> tuple[float, float]:
    """By how much samples leave the enclosures of random pieces, and the largest error of these."""
    rng = np.random.default_rng(seed)
    middle = torch.from_numpy(rng.normal(size=(count, int(np.prod(network.input_shape)))))
    half = torch.from_numpy(0.5 * width * rng.normal(size=middle.shape))
    output = Enclosure(network)(around(middle, half))
    tau = torch.linspace(-1, 1, 101, dtype=torch.float64)
    points = middle[:, None] + tau[:, None] * half[:, None]
    actual = network(points.reshape(-1, *network.input_shape)).reshape(count, 101, -1)
    line = output.centre[:, None] + tau[:, None] * output.slopes
    return float(((actual - line).abs() - output.radius[:, None]).max()), float(output.radius.max())


def around(middle: torch.Tensor, half: torch.Tensor) -> AffineBounds:
    """Pieces of segments, without room for rounding."""
    return AffineBounds(middle, half[:, None], torch.zeros_like(middle))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_sample_lies_in_its_enclosure(name: str) -> None:
    errors = []
    for width in (2.0, 0.5, 0.1, 1e-2, 1e-4):
        outside, error = excess(NETWORKS[name], width)
        assert outside < 1e-11
        errors.append(error)
    assert errors[0] > 0.1
    assert errors[-1] < 1e-2 * errors[1]


@pytest.mark.parametrize("seed", seeds(range(0, 20, 3), range(20)))
def test_every_sample_lies_in_its_enclosure_in_random_networks(seed: int) -> None:
    outside, _ = excess(to_network(random_case(seed).recipe), 1.0, seed)
    assert outside < 1e-11


@pytest.mark.parametrize("name", NETWORKS)
def test_pieces_inside_a_cell_are_enclosed_by_their_line(name: str) -> None:
    network = NETWORKS[name]
    x, y, _ = pairs(network, 3)
    cells = tessellate_segments(network, x, y)
    widest = [cell.t[:-1][cell.measures.argmax()] + cell.measures.max() * np.array([0.05, 0.95]) for cell in cells]
    low, high = np.array(widest).T
    start, end = (torch.from_numpy(z.reshape(3, -1)) for z in (x, y))
    middle, half = (torch.from_numpy(part)[:, None] for part in ((low + high) / 2, (high - low) / 2))
    output = Enclosure(network)(around((1 - middle) * start + middle * end, half * (end - start)))
    low_points, high_points = (torch.from_numpy(points(x, y, t)) for t in (low, high))
    folds, ends = folds_between(network, low_points, high_points)
    assert folds.tolist() == [0, 0, 0]
    line = torch.cat([output.centre - output.slopes[:, 0], output.centre + output.slopes[:, 0]])
    assert ((line - ends.reshape(line.shape)).abs() <= output.radius.repeat(2, 1) + 1e-12).all()


def points(x: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
    weight = t.reshape(-1, *(1,) * (x.ndim - 1))
    return (1 - weight) * x + weight * y


def test_folds_between_two_points_are_counted() -> None:
    network = NETWORKS["tiny"]
    x, y, _ = pairs(network, 4)
    folds, _ = folds_between(network, torch.from_numpy(x), torch.from_numpy(y))
    cells = tessellate_segments(network, x, y)
    flipped = [len(breaks(cell)) for cell in cells]
    assert (folds > 0).all()
    assert (folds.numpy() <= flipped).all()


def breaks(cell: SegmentComplex) -> np.ndarray:
    """Units that flip somewhere."""
    return np.unique(np.column_stack([cell.flip_op, cell.flip_unit]), axis=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_verdicts_are_those_of_all_breakpoints(name: str) -> None:
    network = NETWORKS[name]
    x, y, targets = pairs(network, 40, seed=1)
    expected = straight(network, x, y, targets, method="exact")
    assert 0 < expected.certified.sum() < 40
    rounding = margin_rounding(network, x, y, targets, Tolerance())
    found = refine(network, x, y, targets, rounding=rounding)
    np.testing.assert_array_equal(found.verdicts, expected.verdicts)
    sure = expected.certified
    assert (found.bound[sure] > 0).all()
    assert (found.bound <= expected.minimum_margin + 1e-12)[sure].all()
    assert (found.minimum >= expected.minimum_margin - 1e-12).all()


@pytest.mark.parametrize("seed", seeds(range(0, 30, 3), range(30)))
def test_verdicts_in_random_networks(seed: int) -> None:
    network = to_network(random_case(seed).recipe)
    starts, ends = np.random.default_rng(seed).uniform(-1, 1, size=(2, 6, 2))
    expected = straight(network, starts, ends, 0, method="exact")
    found = straight(network, starts, ends, 0, method="refine", budget=500)
    clear = np.abs(expected.minimum_margin) > 1e-9
    np.testing.assert_array_equal(found.verdicts[clear], expected.verdicts[clear])
    assert (found.verdicts[~clear] != "certified").all()


def test_thousands_of_pairs_agree() -> None:
    network = splinescope.load(seeded(perceptron(6, 24, 24, 5)))
    x, y, targets = pairs(network, 2000, seed=2)
    expected, found = (straight(network, x, y, targets, method=method) for method in ("exact", "refine"))
    np.testing.assert_array_equal(found.verdicts, expected.verdicts)
    assert found.misclassified is None
    assert found.certificate is None


@pytest.mark.parametrize(("depth", "size"), [(30, 1e32), large(110, 1.0), large(150, 1.0)])
def test_boxes_that_overflow_prove_nothing(depth: int, size: float) -> None:
    network = splinescope.load(seeded(perceptron(4, *(8,) * depth, 3)))
    x, y, targets = pairs(network, 2, seed=7)  # deep ones are constant up to rounding: each takes 10^5 exact signs
    x, y = size * x, size * y
    start, end = (torch.from_numpy(z[:1]).float() for z in (x, y))
    radius = Enclosure(placed(network, dtype=torch.float32))(around(start, end - start)).radius
    assert not torch.isfinite(radius).all()
    expected, found = (straight(network, x, y, targets, method=method) for method in ("exact", "refine"))
    np.testing.assert_array_equal(found.verdicts, expected.verdicts)


def test_a_spent_budget_is_undecided_and_proves_nothing() -> None:
    paths = straight(notch(0.3141592653589793, -1e-9), [0.0], [1.0], 1, method="refine", budget=40)
    assert paths.verdicts.tolist() == ["undecided"]
    assert paths.margin_bound.tolist() == [-np.inf]
    assert paths.below_rounding.tolist() == [True]
    assert 40 <= paths.evaluations[0] < 80


@pytest.mark.skipif(not assets(), reason=ABSENT)
@pytest.mark.parametrize("count", [1, large(2)])
def test_a_resnet_from_its_last_blocks_on(count: int) -> None:
    asset = next(asset for asset in assets() if asset.name == "resnet20_cifar10")
    network = imported(asset, asset.paths[0])
    with np.load(ASSETS / "data" / "cifar10_test_subset" / "cifar10_test_subset.npz") as data:
        images, labels = data["images"][:60].transpose(0, 3, 1, 2) / 255, data["labels"][:60].astype(int)
    mean, deviation = (np.reshape(v, (3, 1, 1)) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = (images - mean) / deviation
    frogs = np.flatnonzero(labels == 6)[: 1 + count]
    ends = (x[np.repeat(frogs[0], count)], x[frogs[1:]])
    found = straight(network, *ends, 6, "layer3.1", method="refine")
    expected = straight(network, *ends, 6, "layer3.1", method="exact", verify="topology")
    np.testing.assert_array_equal(found.verdicts, expected.verdicts)
    assert (found.evaluations * 5 < expected.evaluations).all()
    assert split(network, "layer3.1").after.input_shape == (64, 8, 8)
