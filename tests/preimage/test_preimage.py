"""Preimages through networks: gold volumes, brute force, closed forms, boxes and budgets."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

import splinescope
from splinescope import Box, Segment, Slice
from splinescope.errors import CertificateError, InvalidInputError, StoreError
from splinescope.preimage import (
    BoxTarget,
    Circulant,
    ClassTarget,
    PointTarget,
    PolytopeTarget,
    Preimage,
    UnionTarget,
    branch_and_bound,
    dual_basis,
    nested_pieces,
    open_preimage,
    preimage_of,
)
from tests.preimage.nets import chain, cube, formula, network
from tests.reference.preimages import pieces
from tests.seeds import thorough

GOLD = [0.0, 2.5849366528214786, 0.43962366387687113, 0.0, 4.9754396833016505]
GOLD_5 = [11.644883372, 0.001240423, 20.353876274]


@pytest.mark.parametrize("label", range(5))
def test_gold_volumes_in_three_dimensions(label: int) -> None:
    net = network(formula([3, 8, 8, 5], 0))
    found = preimage_of(net, ClassTarget(label), cube(3))
    assert found.complete
    assert found.volume == pytest.approx(GOLD[label], abs=1e-12)
    low, high = found.volume_bounds
    assert low <= GOLD[label] <= high
    assert high - low < 1e-11
    points = np.random.default_rng(label).uniform(-1, 1, (3000, 3))
    assert (found.contains(points) == (net(points).argmax(axis=1) == label)).all()
    found.certify()


def test_a_gold_volume_in_five_dimensions() -> None:
    net = network(formula([5, 8, 8, 3], 0))
    found = preimage_of(net, ClassTarget(1), cube(5))
    assert found.volume == pytest.approx(GOLD_5[1], abs=1e-7)
    assert found.cells < 1037
    found.certify()


@thorough
def test_gold_volumes_in_five_dimensions() -> None:
    net = network(formula([5, 8, 8, 3], 0))
    found = [preimage_of(net, ClassTarget(label), cube(5)) for label in range(3)]
    assert [one.volume for one in found] == pytest.approx(GOLD_5, abs=1e-7)
    assert sum(one.volume for one in found) == pytest.approx(32.0, abs=1e-12)


@pytest.mark.parametrize(("widths", "seed"), [((2, 4, 3, 2), 0), ((2, 5, 3, 3), 1), ((3, 4, 3, 3), 2), ((3, 7, 2), 3)])
def test_pieces_are_those_of_brute_force(widths: tuple[int, ...], seed: int) -> None:
    layers = formula(widths, seed)
    rng = np.random.default_rng(seed)
    C, d = rng.standard_normal((2, widths[-1])), rng.uniform(0.0, 1.0, 2)
    domain = cube(widths[0])
    found = preimage_of(network(layers), PolytopeTarget(C, d), domain)
    brute = pieces(layers, C, d, domain.halfspaces)
    assert len(brute) > 2
    assert {tuple(row) for row in found.patterns.tolist()} == {one.pattern for one in brute}
    assert len(found) == len(brute)
    assert found.volume == pytest.approx(sum(one.volume for one in brute), abs=1e-9)
    exact = {one.pattern: one.volume for one in brute}
    for piece in found:
        assert piece.measure == pytest.approx(exact[tuple(piece.pattern.tolist())], abs=1e-9)
    found.certify()


def test_a_chain_folds_a_plane_into_the_gold_number_of_patches() -> None:
    plane = PolytopeTarget(np.empty((0, 3)), [], [[1.0, 1.0, 1.0]], [1.0])
    for kernel, count, zeros in (((1, -0.15, -0.05), 37, [1, 9, 27]), ((1, 0.25, 0.1), 10, [1, 9])):
        found = preimage_of(chain(kernel, 3), plane, cube(3, 0.0, 6.0))
        assert len(found) == count
        assert (found.dimensions == 2).all()
        assert np.bincount((found.patterns[:, 6:] == 0).sum(axis=1)).tolist() == zeros
        vertices = np.concatenate([piece.polytope.vertices for piece in found])
        assert np.abs(found.outputs(vertices).sum(axis=1) - 1.0).max() < 1e-9
        assert found.volume == 0.0
        found.certify()
    assert nested_pieces(3, 3) == 37


def test_one_layer_agrees_with_its_closed_form() -> None:
    layer = Circulant.of((1, -0.15, -0.05), 3, -0.3)
    domain = cube(3, 0.0, 6.0)
    for zeros in itertools.product((False, True), repeat=3):
        y = np.where(zeros, 0.0, [0.7, 0.4, 1.1])
        found = preimage_of(chain((1, -0.15, -0.05), 1), PointTarget(y), domain)
        assert len(found) == 1
        assert found[0].dimension == sum(zeros)
        fan = dual_basis(layer.matrix, -0.3).preimage(y)
        points = fan.sample(500, np.random.default_rng(0), scale=0.5)
        inside = ((points >= 0) & (points <= 6)).all(axis=1)
        assert (found.contains(points) == inside).all()
        assert inside.any()


def relu(dimension: int) -> splinescope.Network:
    return network([(np.eye(dimension), np.zeros(dimension))], last=True)


@pytest.mark.parametrize("d", range(1, 7))
def test_a_closed_form_in_every_dimension(d: int) -> None:
    domain = cube(d)
    corner = preimage_of(relu(d), PolytopeTarget(-np.eye(d), np.full(d, -0.5)), domain)
    assert (len(corner), corner.complete) == (1, True)
    assert corner.volume == pytest.approx(0.5**d, abs=1e-9)
    # max(x, 0) adds up to at most 1 / 2
    simplex = preimage_of(relu(d), PolytopeTarget(np.ones((1, d)), [0.5]), domain)
    exact = sum(
        len(list(itertools.combinations(range(d), k))) * 0.5**k / np.prod(np.arange(1, k + 1)) for k in range(d + 1)
    )
    assert len(simplex) == 2**d
    assert simplex.volume == pytest.approx(exact, abs=1e-8)
    assert simplex.volume_bounds[0] <= exact <= simplex.volume_bounds[1]


def test_above_six_dimensions_there_are_bounds() -> None:
    domain = cube(7)
    corner = preimage_of(relu(7), PolytopeTarget(-np.eye(7), np.full(7, -0.5)), domain)
    assert corner.volume_bounds[0] == 0.0
    assert corner.volume_bounds[1] >= 0.5**7
    estimate = corner.estimate(20_000)
    assert estimate.low <= 0.5**7 <= estimate.high
    points = corner.sample(200)
    assert (points >= 0.5 - 1e-9).all()
    everything = preimage_of(relu(7), PolytopeTarget(np.ones((1, 7)), [8.0]), domain)
    assert everything.volume == pytest.approx(128.0, abs=1e-6)


@pytest.mark.parametrize("d", [2, 3, 6])
def test_boxes_that_are_halved_change_nothing(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(formula([d, 6, 4, 3] if d < 6 else [6, 3, 3], 4))
    targets = [ClassTarget(1), BoxTarget([0.2] + [-np.inf] * 2, [np.inf] * 3)]
    whole = [preimage_of(net, target, cube(d)) for target in targets]
    monkeypatch.setattr(branch_and_bound, "MOST", {2: 12, 3: 30})
    monkeypatch.setattr(branch_and_bound, "_MOST", 7)
    for target, one in zip(targets, whole, strict=True):
        found = preimage_of(net, target, cube(d))
        assert found.boxes > one.boxes
        assert {row.tobytes() for row in found.patterns} == {row.tobytes() for row in one.patterns}
        assert len(found) == len(one)
        assert found.volume == pytest.approx(one.volume, abs=1e-8)
        sizes = [{p.pattern.tobytes(): (len(p.halfspaces), round(p.measure, 7)) for p in x} for x in (found, one)]
        assert sizes[0] == sizes[1]
        found.certify(samples=100, random_points=300)


def test_slices_segments_and_flat_boxes() -> None:
    net = network(formula([4, 8, 6, 3], 1))
    domains = [
        Slice.through(np.zeros(4), np.ones(4), [1.0, -1.0, 0.0, 0.0]),
        Slice.through(np.zeros(4), np.ones(4), [1.0, -1.0, 0.0, 0.0], dimension=3),
        Slice(np.zeros(4), np.eye(4)[:2], np.array([[0.0, 0.0], [1.0, 0.0], [1.5, 1.0], [0.0, 1.2]])),
        Segment(np.full(4, -1.0), np.full(4, 1.0)),
        Box([-1.0, 0.5, -1.0, 0.25], [1.0, 0.5, 1.0, 0.25]),
    ]
    for domain in domains:
        found = [preimage_of(net, ClassTarget(label), domain) for label in range(3)]
        assert sum(one.volume for one in found) == pytest.approx(domain.measure, rel=1e-9)
        for one in found:
            one.certify(samples=200, random_points=400)


def test_a_slice_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(formula([4, 7, 5, 3], 1))
    polygon = np.array([[0.0, 0.0], [1.0, 0.0], [1.5, 1.0], [0.0, 1.2]])
    for domain in (
        Slice(np.zeros(4), np.eye(4)[:2], polygon),
        Slice.through(np.zeros(4), np.ones(4), np.arange(4.0), dimension=3, margin=1.0),
    ):
        one = max((preimage_of(net, ClassTarget(label), domain) for label in range(3)), key=len)
        monkeypatch.setattr(branch_and_bound, "MOST", {2: 4, 3: 8})
        found = preimage_of(net, one.target, domain)
        monkeypatch.undo()
        assert found.boxes > 1
        assert len(found) == len(one)
        assert found.volume == pytest.approx(one.volume, rel=1e-9)


def test_flat_inputs_of_a_shape() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(5, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))
    net = splinescope.load(module.double(), input_shape=(1, 1, 5))
    found = preimage_of(net, ClassTarget(0), Box([-1.0, 0.0, -1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0, 1.0]))
    points = np.random.default_rng(0).uniform([-1, -1, 0], 1, (500, 3))
    inputs = found.domain.embed(points)
    assert inputs.shape == (500, 1, 1, 5)
    wanted = net(inputs).argmax(axis=1) == 0
    assert (found.contains(points) == wanted).all()
    assert (found.contains(inputs) == wanted).all()
    assert (found.contains(inputs.reshape(500, 5)) == wanted).all()
    with pytest.raises(InvalidInputError, match=r"`points`: got shape \(2, 7\)"):
        found.contains(np.zeros((2, 7)))


def test_ties_are_won_by_the_first_class() -> None:
    layers = [(np.eye(2), np.zeros(2)), (np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.zeros(3))]
    net = network(layers)
    volumes = [preimage_of(net, ClassTarget(label), cube(2)).volume for label in range(3)]
    # classes 0 and 1 tie everywhere; where no input is positive all three tie
    assert volumes == pytest.approx([2.5, 0.0, 1.5], abs=1e-12)
    points = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
    for label in range(3):
        held = preimage_of(net, ClassTarget(label), cube(2)).contains(points)
        assert (held == (net(points).argmax(axis=1) == label)).all()


def test_margins_and_one_output() -> None:
    net = network(formula([2, 6, 1], 3))
    sides = [preimage_of(net, ClassTarget(label), cube(2)) for label in (0, 1)]
    assert sum(one.volume for one in sides) == pytest.approx(4.0)
    net = network(formula([2, 6, 3], 3))
    sizes = [preimage_of(net, ClassTarget(0, margin=margin), cube(2)).volume for margin in (0.0, 0.1, 0.5)]
    assert sizes[0] > sizes[1] > sizes[2] > 0
    smallest = [preimage_of(net, ClassTarget(label, smallest=True), cube(2)).volume for label in range(3)]
    assert sum(smallest) == pytest.approx(4.0)


def test_unions_count_what_is_in_both_once() -> None:
    net = network(formula([2, 6, 3], 3))
    one, other = PolytopeTarget([[1.0, 0, 0]], [0.5]), PolytopeTarget([[0.0, 1, 0]], [0.2])
    both = PolytopeTarget([[1.0, 0, 0], [0.0, 1, 0]], [0.5, 0.2])
    sizes = [preimage_of(net, target, cube(2)).volume for target in (UnionTarget([one, other]), one, other, both)]
    assert sizes[0] == pytest.approx(sizes[1] + sizes[2] - sizes[3], abs=1e-12)


def test_convolutions_skips_and_pools() -> None:
    class Skip(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 1, 2, padding=1)
            self.norm = torch.nn.BatchNorm2d(1)
            self.head = torch.nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2, stride=1)
            return self.head((y + x).flatten(1))

    torch.manual_seed(0)
    net = splinescope.load(Skip().eval().double(), input_shape=(1, 2, 2))
    low, high = np.full((1, 2, 2), -0.5), np.full((1, 2, 2), 0.5)
    low[0, 0, 1] = high[0, 0, 1] = 0.3
    domain = Box(low, high)
    found = [preimage_of(net, ClassTarget(label), domain) for label in range(3)]
    assert sum(one.volume for one in found) == pytest.approx(1.0, rel=1e-12)
    for one in found:
        one.certify(samples=300, random_points=500)


def whole_and_part(tmp: Path | None = None, **limits: float) -> tuple[Preimage, Preimage]:
    net = network(formula([3, 9, 7, 3], 0))
    whole = preimage_of(net, ClassTarget(1), cube(3))
    return whole, preimage_of(net, ClassTarget(1), cube(3), **limits)  # type: ignore[arg-type]


def test_budgets_leave_honest_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branch_and_bound, "MOST", {3: 40})
    whole, part = whole_and_part(max_cells=90)
    assert whole.complete
    assert not part.complete
    low, high = part.volume_bounds
    assert low <= whole.volume <= high
    assert 0 < low < high
    part.certify(samples=100, random_points=500)
    again = preimage_of(part.network, part.target, part.domain, resume=part)
    assert again.complete
    assert len(again) == len(whole)
    assert again.volume == pytest.approx(whole.volume, abs=1e-12)


def test_what_was_saved_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branch_and_bound, "MOST", {3: 40})
    whole, part = whole_and_part(max_cells=90)
    opened = open_preimage(part.save(tmp_path / "part.npz"))
    for name in ("halfspaces", "patterns", "slopes", "witnesses", "measures", "left_measures"):
        assert (getattr(opened, name) == getattr(part, name)).all()
    assert opened.volume_bounds == part.volume_bounds
    again = preimage_of(opened.network, opened.target, opened.domain, resume=opened)
    assert again.volume == pytest.approx(whole.volume, abs=1e-12)
    with pytest.raises(InvalidInputError, match="another network"):
        preimage_of(network(formula([3, 4, 3], 0)), ClassTarget(1), cube(3), resume=opened)
    splinescope.tessellate(opened.network, opened.domain).save(tmp_path / "cells.npz")
    with pytest.raises(StoreError, match="holds no preimage"):
        open_preimage(tmp_path / "cells.npz")


def test_no_time_at_all() -> None:
    whole, part = whole_and_part(time_limit=1e-9)
    assert not part.complete
    assert len(part) == 0
    assert part.volume_bounds == (0.0, 8.0)
    interval = part.estimate(2000)
    assert interval.low <= whole.volume <= interval.high
    with pytest.raises(InvalidInputError, match="nothing to draw from"):
        part.sample(3)
    with pytest.raises(InvalidInputError, match="`time_limit`"):
        whole_and_part(time_limit=-1.0)


def test_a_box_inside_counts_before_it_is_explored() -> None:
    net = network(formula([3, 6, 4, 3], 0))
    everything = BoxTarget([-1e3] * 3, [1e3] * 3)
    part = preimage_of(net, everything, cube(3), max_cells=1)
    assert not part.complete
    assert part.volume_bounds[0] == pytest.approx(8.0)
    assert part.contains(part.sample(50)).all()


def test_cells_that_cannot_meet_the_target_are_not_cut() -> None:
    net = network(formula([4, 12, 12, 12, 3], 2))
    cells = len(splinescope.tessellate(net, cube(4, -0.4, 0.4)))
    outputs = net(np.random.default_rng(0).uniform(-0.4, 0.4, (20000, 4)))
    rare = BoxTarget([np.quantile(outputs[:, 0], 0.9999), -np.inf, -np.inf], [np.inf] * 3)
    found = preimage_of(net, rare, cube(4, -0.4, 0.4))
    assert len(found) > 0
    assert found.cells < cells / 2
    found.certify(samples=200, random_points=500)


def test_samples_are_uniform_over_the_union() -> None:
    net = network(formula([3, 8, 8, 5], 0))
    found = preimage_of(net, ClassTarget(2), cube(3))
    points = found.sample(4000, np.random.default_rng(1))
    assert (net(points).argmax(axis=1) == 2).mean() > 0.999
    counts = np.bincount(found.locate(points), minlength=len(found))
    expected = 4000 * found.measures / found.volume
    assert (np.abs(counts - expected) <= 6 * np.sqrt(expected + 1)).all()


def test_parts_and_shadows() -> None:
    net = network(formula([3, 8, 8, 5], 0))
    found = preimage_of(net, ClassTarget(1), cube(3))
    halves = [found.slice([[sign, 0.0, 0.0, -0.1 * sign]]) for sign in (1.0, -1.0)]
    assert sum(half.volume for half in halves) == pytest.approx(found.volume, abs=1e-9)
    plane = found.slice([], [[1.0, 0.0, 0.0, -0.1]])
    assert (plane.dimensions == 2).all()
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    points[:, 0] = 0.1
    assert (plane.contains(points) == found.contains(points)).all()
    shadows = found.project([0, 2])
    assert len(shadows) == len(found)
    assert all(shadow.shape[1] == 2 for shadow in shadows)
    simple = found.simplify()
    assert len(simple) < len(found)
    assert sum(shape.measure for shape in simple) == pytest.approx(found.volume, abs=1e-9)
    held = np.any([shape.contains(points) for shape in simple], axis=0)
    assert (held == found.contains(points)).all()
    with pytest.raises(InvalidInputError, match="`axes`"):
        found.project([0, 0])


def test_a_slab_is_one_polytope_again() -> None:
    found = preimage_of(relu(3), PolytopeTarget([[1.0, 0.0, 0.0]], [0.5]), cube(3))
    assert len(found) == 8
    (one,) = found.simplify()
    assert one.measure == pytest.approx(6.0)


def test_pieces_say_what_they_are() -> None:
    net = network(formula([3, 8, 8, 5], 0))
    found = preimage_of(net, ClassTarget(1), cube(3))
    assert "63 pieces in 3 dimensions" in repr(found)
    for piece in found:
        assert piece.polytope.contains(piece.witness[None]).all()
        assert piece.radius > 0
        assert np.allclose(piece.A @ piece.witness + piece.c, found.outputs(piece.witness[None])[0], atol=1e-12)
        assert np.allclose(np.linalg.norm(piece.halfspaces[:, :-1], axis=1), 1.0)
    assert found[-1].number == len(found) - 1
    with pytest.raises(IndexError, match="expected a number from"):
        _ = found[len(found)]


@pytest.mark.parametrize("fault", ["dropped", "twice", "map", "measure", "shifted"])
def test_the_certificate_finds_faults(fault: str) -> None:
    found = preimage_of(network(formula([3, 8, 8, 5], 0)), ClassTarget(4), cube(3))
    largest = int(found.measures.argmax())
    every = np.arange(len(found))
    wrong = {
        "dropped": lambda: found.taken(np.delete(every, largest)),
        "twice": lambda: found.taken(np.append(every, largest)),
        "map": lambda: _with(found, "slopes", largest, 1e-6),
        "measure": lambda: _with(found, "measures", largest, 1e-3),
        "shifted": lambda: _with(found, "halfspaces", found.halfspace_offsets[largest], 0.3),
    }[fault]()
    with pytest.raises(CertificateError):
        wrong.certify()


def _with(found: Preimage, name: str, at: int, by: float) -> Preimage:
    every = found.taken(np.arange(len(found)))
    array = getattr(every, name)
    if name == "halfspaces":
        array[at, -1] -= by
    else:
        array[at] += by
    return every
