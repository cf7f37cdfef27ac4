"""Bent paths: certified ones keep their class wherever one looks, traps between pivots are seen, boxes are kept."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.network import Network, split
from splinescope.network.copies import placed
from splinescope.network.evaluate import forward
from splinescope.paths.bending.bent import BentPath, BentPaths
from splinescope.paths.bending.elastic import nudged_elastic_band, string_method
from splinescope.paths.bending.insertion import insert_highest
from splinescope.paths.energy import ClassEnergy
from splinescope.paths.proof.certify import certify_polyline
from tests.paths.nets import perceptron, seeded

SEARCHES = {"band": nudged_elastic_band, "string": string_method, "insertion": insert_highest}
every_search = pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)


def formula(hidden: list[list[float]], biases: list[float], last: list[float], offset: float) -> Network:
    """One hidden layer with given weights; class 1 where the output is positive."""
    net = nn.Sequential(nn.Linear(2, len(hidden)), nn.ReLU(), nn.Linear(len(hidden), 1)).double()
    values = (hidden, biases, [last], [offset])
    for parameter, value in zip(net.parameters(), values, strict=True):
        parameter.data = torch.tensor(value, dtype=torch.float64)
    return splinescope.load(net, input_shape=(2,))


def wall(slope: float) -> Network:
    """|x| + slope relu(y + 1) - slope - 0.05: a thin wall at x = 0, which ends a little above y = 0 if it slopes."""
    return formula([[1, 0], [-1, 0], [0, 1]], [0.0, 0.0, 1.0], [1, 1, slope], -slope - 0.05)


def margins(network: Network, points: np.ndarray, target: int) -> np.ndarray:
    """Margin of a class by a plain forward pass."""
    outputs = network(points).reshape(len(points), -1)
    if outputs.shape[1] == 1:
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=1)
    return outputs[:, target] - np.delete(outputs, target, axis=1).max(axis=1)


def losses(network: Network, points: np.ndarray, target: int) -> np.ndarray:
    """Cross-entropy of torch."""
    outputs = torch.from_numpy(network(points).reshape(len(points), -1))
    if outputs.shape[1] == 1:
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    wanted = torch.full((len(points),), target)
    return nn.functional.cross_entropy(outputs, wanted, reduction="none").numpy()


def dense(path: BentPath, each: int = 400) -> np.ndarray:
    """Points of a polyline."""
    t = np.linspace(0, 1, each).reshape(1, -1, *(1,) * (path.points.ndim - 1))
    points = (1 - t) * path.points[:-1, None] + t * path.points[1:, None]
    return points.reshape(-1, *path.points.shape[1:])


@cache
def digits() -> tuple[Network, np.ndarray, np.ndarray, np.ndarray]:
    """A perceptron that tells even from odd digits, so that lines inside a class often leave it; and pairs."""
    data = splinescope.datasets.digits()
    images, parity = data.inputs.flatten(1), data.labels % 2
    net = seeded(perceptron(64, 48, 48, 2)).float()
    adam = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(60):
        adam.zero_grad()
        nn.functional.cross_entropy(net(images), parity).backward()
        adam.step()
    network = splinescope.load(net.double(), input_shape=(64,))
    right = np.flatnonzero(network(images.double().numpy()).argmax(1) == parity.numpy())
    rng = np.random.default_rng(0)
    classes, first = parity.numpy(), rng.choice(right, 120)
    other = [rng.choice(right[(classes[right] == classes[i]) & (right != i)]) for i in first]
    points = images.double().numpy()
    return network, points[first], points[other], classes[first]


@every_search
def test_certified_paths_keep_their_class_wherever_one_looks(search) -> None:
    network, x, y, labels = digits()
    found = search(network, x, y, labels, box=(0, 1))
    bent = [i for i, path in enumerate(found) if path.method != "straight" and path.certified]
    assert len(bent) >= 4
    assert found.certified.mean() > 0.95
    for i, path in enumerate(found):
        assert np.array_equal(path.points[0], x[i])
        assert np.array_equal(path.points[-1], y[i])
        assert 0 <= path.points.min() <= path.points.max() <= 1
        points = dense(path, 50)
        if path.certified:
            assert margins(network, points, labels[i]).min() > 0
        assert losses(network, points, labels[i]).max() <= path.max_loss + 1e-12
        ends = losses(network, path.points[[0, -1]], labels[i]).max()
        assert path.barrier == pytest.approx(path.max_loss - ends, abs=1e-12)
        assert path.barrier >= -1e-12
    for i in bent:
        fine = dense(found[i], 4000)
        assert losses(network, fine, labels[i]).max() == pytest.approx(found[i].max_loss, rel=1e-2)
        assert margins(network, fine, labels[i]).min() == pytest.approx(found[i].minimum_margin, abs=1e-2)


@every_search
def test_a_pair_is_the_same_alone_and_among_others(search) -> None:
    network, x, y, labels = digits()
    chosen = np.flatnonzero([path.method != "straight" for path in search(network, x, y, labels)])[:2].tolist()
    together = search(network, x, y, labels, dtype=torch.float64)
    for i in chosen:
        alone = search(network, x[i], y[i], int(labels[i]), dtype=torch.float64)
        assert len(alone) == 1
        assert alone[0].verdict == together[i].verdict
        assert alone[0].steps == together[i].steps
        if alone[0].certified:
            np.testing.assert_allclose(alone[0].points, together[i].points, rtol=0, atol=1e-6)


@pytest.mark.parametrize("pivots", [2, 4, 8])
def test_wall_between_pivots_is_seen(pivots: int) -> None:
    """Every pivot has the class, and only samples in the wall have not; no certificate without a bend over it."""
    network = wall(0.3)
    start = nudged_elastic_band(network, [-1.0, 0.0], [1.0, 0.0], 1, pivots=pivots, max_steps=0)
    assert (margins(network, start[0].points, 1) > 0).all()
    assert start[0].verdict == "refuted"
    assert start[0].minimum_margin == pytest.approx(-0.05, abs=1e-9)
    end = nudged_elastic_band(network, [-1.0, 0.0], [1.0, 0.0], 1, pivots=pivots)[0]
    assert end.certified
    points = dense(end, 2000)
    assert margins(network, points, 1).min() > 0
    assert points[np.abs(points[:, 0]).argmin(), 1] > 1 / 6 - 1e-3  # above where the wall ends


@pytest.mark.parametrize("search", [nudged_elastic_band, string_method])
def test_wall_between_samples_is_seen_by_the_check(search) -> None:
    """A wall of width 0.002 off every sample: the path looks good at once, fails its check, and goes on from there."""
    network = formula([[1, 0], [-1, 0], [0, 1]], [-0.013, 0.013, 1.0], [1, 1, 0.3], -0.301)
    x, y = [[-1.0, 0.0], [-1.0, 0.5], [-1.0, -0.2]], [[1.0, 0.0], [1.0, 0.5], [1.0, 0.0]]
    together = search(network, x, y, 1, pivots=4, certify_every=3, dtype=torch.float64)
    assert together.certified.all()
    assert [path.steps for path in together][:2] == [3, 0]
    assert together[2].steps >= 3
    assert together[1].method == "straight"
    for i, path in enumerate(together):
        assert path.certificate is not None
        assert path.certificate.level == "values"
        fine = dense(path, 20_000)
        assert margins(network, fine, 1).min() > 0
        assert losses(network, fine, 1).max() <= path.max_loss + 1e-12
        alone = search(network, x[i], y[i], 1, pivots=4, certify_every=3, dtype=torch.float64)[0]
        assert (alone.steps, alone.evaluations) == (path.steps, path.evaluations)
        np.testing.assert_allclose(alone.points, path.points, rtol=0, atol=1e-9)
    for steps in (0, 1, 2):
        early = search(network, x, y, 1, pivots=4, max_steps=steps, certify_every=3)
        assert [path.steps for path in early] == [steps, 0, steps]
        assert early.verdicts[0] == ("certified" if steps else "refuted")  # the new pivot is over the wall at once


@every_search
def test_wall_without_a_gap_is_never_certified(search) -> None:
    found = search(wall(0.0), [-1.0, 0.0], [1.0, 0.0], 1, max_steps=20)
    assert not found.certified.any()
    assert found[0].verdict == "refuted"
    assert found[0].minimum_margin <= 0


@every_search
def test_box_is_kept_and_can_be_in_the_way(search) -> None:
    network = wall(0.3)
    wide = search(network, [-1.0, 0.0], [1.0, 0.0], 1, box=([-1, 0], [1, 0.5]))[0]
    assert wide.certified
    assert wide.points[:, 1].max() <= 0.5
    narrow = search(network, [-1.0, 0.0], [1.0, 0.0], 1, box=([-1, 0], [1, 0.1]), max_steps=20)[0]
    assert not narrow.certified
    assert narrow.points[:, 1].max() <= 0.1
    with pytest.raises(InvalidInputError, match=r"`y`: point 0 lies outside of `box`"):
        search(network, [-1.0, 0.0], [1.0, 0.0], 1, box=(-2, 0.5))


@every_search
def test_saturated_loss_gives_no_nan(search) -> None:
    """Outputs of 1e4: the loss and its gradient are exactly zero wherever the class leads."""
    network = formula([[1e4, 0], [-1e4, 0], [0, 1e4]], [0.0, 0.0, 1e4], [1, 1, 0.3], -3500.0)
    found = search(network, [-1.0, 0.0], [1.0, 0.0], 1, max_steps=20)[0]
    assert np.isfinite(found.points).all()
    assert np.isfinite([found.max_loss, found.minimum_margin]).all()
    points = torch.tensor([[-1.0, 0.0], [0.0, 0.0]])
    energy = ClassEnergy(placed(network, dtype=torch.float32), torch.tensor([1]))
    values, gradients = energy.values_and_gradients(points, torch.zeros(2, dtype=torch.int64))
    assert float(values[0]) == 0.0
    assert float(gradients[0].abs().max()) == 0.0
    assert float(values[1]) == pytest.approx(500.0)


def test_energy_is_the_cross_entropy_of_torch() -> None:
    network, x, _, labels = digits()
    paths = torch.arange(len(x))
    energy = ClassEnergy(network, torch.from_numpy(labels))
    points = torch.from_numpy(x).requires_grad_(True)
    expected = nn.functional.cross_entropy(forward(network, points), torch.from_numpy(labels), reduction="none")
    (gradient,) = torch.autograd.grad(expected.sum(), points)
    values, gradients = energy.values_and_gradients(torch.from_numpy(x), paths)
    torch.testing.assert_close(values, expected.detach(), rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(gradients, gradient, rtol=1e-9, atol=1e-14)


def test_paths_behind_a_layer_start_at_its_values() -> None:
    network, x, y, labels = digits()
    found = nudged_elastic_band(network, x, y, labels, "1", box=(0, None))
    before, after = (getattr(split(network, "1"), name) for name in ("before", "after"))
    for i, path in enumerate(found):
        np.testing.assert_array_equal(path.points[0], before(x[i : i + 1])[0])
        assert path.points.min() >= 0
        if path.certified:
            assert margins(after, dense(path, 30), labels[i]).min() > 0
    assert found.boundary.name == "1"
    last = nudged_elastic_band(network, x, y, labels, -1)
    assert last.certified.all()  # a class is convex in the space of outputs
    assert not last[0].steps


def test_loss_can_be_driven_lower() -> None:
    network, x, y, labels = digits()
    plain = nudged_elastic_band(network, x, y, labels, box=(0, 1))
    goals = np.maximum(0.5 * plain.max_loss, 1.01 * (plain.max_loss - plain.barriers))
    lower = nudged_elastic_band(network, x, y, labels, box=(0, 1), until=goals)
    reached = lower.max_loss <= goals
    assert reached.mean() > 0.8
    for i in np.flatnonzero(reached)[:10].tolist():
        assert losses(network, dense(lower[i], 100), labels[i]).max() <= goals[i] + 1e-12


def test_ends_of_another_class_are_not_joined() -> None:
    network = wall(0.3)
    found = nudged_elastic_band(network, [[-1.0, 0.0], [-1.0, 0.0]], [[0.0, 0.0], [-2.0, 0.0]], 1)
    assert found.verdicts.tolist() == ["refuted", "certified"]
    assert [path.steps for path in found] == [0, 0]
    assert [path.method for path in found] == ["straight", "straight"]


def test_certificate_of_a_polyline_is_exact() -> None:
    """|x| - 0.05 along a polyline that crosses zero at a third of its second segment; a vertex occurs twice."""
    network = wall(0.0)
    points = np.array([[-2.0, 0.0], [-1.0, 3.0], [-1.0, 3.0], [2.0, 0.0]])
    known = certify_polyline(network, points, 1, keep_cells=True)
    assert (known.verdict, known.segment, known.method) == ("refuted", 2, "exact")
    assert known.t == pytest.approx(1 / 3, abs=1e-12)
    assert known.minimum_margin == pytest.approx(-0.05, abs=1e-12)
    assert known.max_loss == pytest.approx(np.log1p(np.exp(0.05)), abs=1e-12)
    assert known.margins.tolist() == pytest.approx([0.95, np.inf, -0.05])
    assert len(known.cells) == 2
    there = certify_polyline(network, points[:2], 1)
    assert there.certified
    assert certify_polyline(network, points[:2], 1, method="refine").certified
    refined = certify_polyline(network, points, 1, method="refine")
    assert refined.verdict == "refuted"
    assert refined.max_loss <= refined.loss_bound


def test_bounds_of_the_loss_hold_where_cells_are_not_listed() -> None:
    network, x, y, labels = digits()
    for i in range(12):
        exact = certify_polyline(network, np.stack([x[i], 0.5 * (x[i] + y[i]), y[i]]), int(labels[i]))
        bounds = certify_polyline(network, np.stack([x[i], 0.5 * (x[i] + y[i]), y[i]]), int(labels[i]), method="refine")
        assert bounds.max_loss <= exact.max_loss + 1e-12
        if bounds.verdict == exact.verdict == "certified":
            assert exact.max_loss <= bounds.loss_bound
            assert bounds.margin_bound <= exact.minimum_margin


def test_result_says_what_it_is() -> None:
    network, x, y, labels = digits()
    found = nudged_elastic_band(network, x[:5], y[:5], labels[:5], keep_cells=True)
    assert isinstance(found, BentPaths)
    assert repr(found).startswith("BentPaths(5 at `input`:")
    assert found[0].segments is not None
    assert found[0].certificate is not None
    assert found[0].detour >= 1 - 1e-12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pivots": 0}, "`pivots`: got 0"),
        ({"spring": 2.0}, "`spring`: got 2.0"),
        ({"until": "done"}, "`until`: got 'done'"),
        ({"until": -1.0}, "`until`: got -1.0"),
        ({"max_steps": -1}, "`max_steps`: got -1"),
        ({"box": ([0, 0, 0], 1)}, "`box`:"),
        ({"method": "sampled"}, "`method`"),
        ({"y": [-1.0, 0.0]}, "both ends of pair 0 are the same point"),
        ({"target": 2}, "`target`: got 2"),
    ],
)
def test_arguments(change: dict[str, object], message: str) -> None:
    arguments = {"x": [-1.0, 0.0], "y": [1.0, 0.0], "target": 1, **change}
    with pytest.raises(InvalidInputError, match=message):
        nudged_elastic_band(wall(0.3), **arguments)


@every_search
def test_a_keyword_that_no_search_has_is_refused(search) -> None:  # type: ignore[no-untyped-def]
    network = formula([[1.0, 0.0]], [0.0], [1.0], 0.5)
    with pytest.raises(TypeError, match="keep_cell"):
        search(network, np.zeros(2), np.ones(2), 1, keep_cell=True)
