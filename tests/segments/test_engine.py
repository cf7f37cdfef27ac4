"""The engine: reference counts, budgets, borders, batches, and what it refuses."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import CertificateError, InvalidInputError
from splinescope.tessellation.segments import SegmentBatch, SegmentComplex, tessellate_segments
from tests.fixtures.engine_networks import to_network
from tests.fixtures.reference_nets import load_mlp, path_of
from tests.seeds import large

CONV = nn.Sequential(
    nn.Conv2d(2, 4, 3, padding=1),
    nn.ReLU6(),
    nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=2),
    nn.ReLU(),
    nn.MaxPool2d(2, stride=1),
    nn.Flatten(),
    nn.Linear(16, 8),
    nn.LeakyReLU(0.1),
    nn.Linear(8, 3),
)


@functools.cache
def conv() -> splinescope.Network:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in CONV.parameters():
            parameter.normal_(0, 0.6 if parameter.ndim > 1 else 0.2, generator=generator)
    return splinescope.from_torch(CONV.double().eval(), input_shape=(2, 6, 6))


def ends(count: int, shape: tuple[int, ...] = (2, 6, 6), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, count, *shape))


def assert_same(one: SegmentBatch, other: SegmentBatch, tolerance: float = 1e-12) -> None:
    np.testing.assert_array_equal(one.offsets, other.offsets)
    np.testing.assert_allclose(one.t, other.t, rtol=0, atol=tolerance)
    np.testing.assert_allclose(one.vertex_outputs, other.vertex_outputs, atol=1e-11)
    np.testing.assert_array_equal(one.flip_offsets, other.flip_offsets)
    np.testing.assert_array_equal(one.flip_op, other.flip_op)
    np.testing.assert_array_equal(one.flip_unit, other.flip_unit)
    for left, right in zip(one.codes, other.codes, strict=True):
        np.testing.assert_array_equal(left.words, right.words)


def test_reference_count_of_an_mlp() -> None:
    network = to_network(load_mlp("N3full"))
    with np.load(path_of("N3full.npz")) as arrays:
        points = arrays["P"]
    cells = splinescope.tessellate(network, splinescope.Segment(points[0], points[1]), verify="proof")
    assert len(cells) == 87
    assert cells.certificate is not None
    assert cells.certificate.level == "proof"


def test_reference_count_of_a_convolutional_network() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    module.load_state_dict(torch.load(path_of("N4_conv.pt"), weights_only=True))
    with np.load(path_of("N4_plane.npz")) as arrays:
        points = arrays["P"].reshape(-1, 3, 32, 32)
    network = splinescope.from_torch(module.double().eval(), input_shape=(3, 32, 32))
    cells = splinescope.tessellate(network, splinescope.Segment(points[0], points[1]))
    assert len(cells) == 1275


def test_all_kinds_of_ops_with_a_proof() -> None:
    cells = tessellate_segments(conv(), *ends(5), verify="proof")
    assert cells.certificate is not None
    assert cells.certificate.vertex_checks == 2 * cells.cells_per_segment.sum() > 200
    assert len(set(cells.flip_op.tolist())) == 4


@pytest.mark.parametrize(("budget", "count"), [(1, 1), (20_000, 1), large(1, 2), large(20_000, 2), large(100_000, 2)])
def test_memory_budgets_change_nothing(budget: int, count: int) -> None:
    network, points = conv(), ends(count)
    assert_same(tessellate_segments(network, *points, memory_budget=budget), tessellate_segments(network, *points))


@pytest.mark.parametrize(("budget", "count"), [(2_000, 1), large(20_000, 3), large(2_000, 3)])
def test_one_segment_under_a_budget_is_that_of_the_batch(budget: int, count: int) -> None:
    network, points = conv(), ends(count)
    whole = tessellate_segments(network, *points)
    for number in range(count):
        segment = splinescope.Segment(points[0, number], points[1, number])
        cells = splinescope.tessellate(network, segment, memory_budget=budget, verify="proof")
        assert isinstance(cells, SegmentComplex)
        assert_same(cells.batch, whole.select([number]))


def test_selected_segments_are_those_of_the_batch() -> None:
    cells = tessellate_segments(conv(), *ends(4))
    chosen = cells.select([2, 0])
    assert len(chosen) == 2
    for place, number in enumerate((2, 0)):
        assert_same(chosen.select([place]), cells[number].batch)
        np.testing.assert_array_equal(chosen[place].patterns, cells[number].patterns)
    assert [len(segment) for segment in cells] == cells.cells_per_segment.tolist()
    assert [len(segment) for segment in cells[1:3]] == cells.cells_per_segment.tolist()[1:3]


def test_segments_of_all_sizes_in_one_batch() -> None:
    network, points = conv(), ends(4)
    points *= 10.0 ** np.array([0, -4, 3, -8])[:, None, None, None]
    cells = tessellate_segments(network, *points, verify="proof")
    for number in range(4):
        segment = splinescope.Segment(points[0, number], points[1, number])
        assert_same(splinescope.tessellate(network, segment).batch, cells.select([number]))


@pytest.mark.parametrize("budget", [None, 20_000])
def test_a_budget_of_cells_keeps_the_start(budget: int | None) -> None:
    network, points = conv(), ends(3)
    whole = tessellate_segments(network, *points)
    part = tessellate_segments(network, *points, max_cells=10, memory_budget=budget, verify="proof")
    assert part.truncated.all()
    assert part.certificate is not None
    assert part.certificate.truncated
    assert part.cells_per_segment.tolist() == [10, 10, 10]
    for number in range(3):
        np.testing.assert_allclose(part[number].t, whole[number].t[:11], atol=1e-12)
        assert part[number].covered == (0.0, part[number].t[-1])
        assert part[number].locate([[0.0], [1.0]]).tolist() == [0, -1]
    alone = splinescope.tessellate(network, splinescope.Segment(points[0, 0], points[1, 0]), max_cells=10)
    np.testing.assert_allclose(alone.t, whole[0].t[:11], atol=1e-12)
    assert "truncated" in repr(alone)
    assert "3 truncated" in repr(part)


def test_units_that_tie_at_an_upper_bound() -> None:
    """Maxima over units that are clamped to the same value: the lead is decided exactly, and is nobody's fold."""
    conv()  # gives the weights
    network = splinescope.from_torch(nn.Sequential(*CONV[:3], nn.ReLU6(), *CONV[4:]), input_shape=(2, 6, 6))
    points = 3 * ends(1)
    cells = splinescope.tessellate(network, splinescope.Segment(points[0, 0], points[1, 0]), verify="proof")
    assert cells.certificate is not None
    assert cells.certificate.level == "proof"


def test_a_large_budget_of_cells_is_none() -> None:
    network, points = conv(), ends(3)
    assert_same(tessellate_segments(network, *points, max_cells=10_000), tessellate_segments(network, *points))


def test_interrupted_work_keeps_its_start() -> None:
    network, points = conv(), ends(1)
    segment = splinescope.Segment(points[0, 0], points[1, 0])
    calls = 0

    def interrupt(share: float, cells: int) -> None:
        nonlocal calls
        calls += 1
        if share > 0.7:
            raise KeyboardInterrupt

    cells = splinescope.tessellate(network, segment, memory_budget=20_000, progress=interrupt)
    assert calls > 10
    assert cells.truncated
    whole = splinescope.tessellate(network, segment)
    np.testing.assert_allclose(cells.t, whole.t[: len(cells.t)], atol=1e-12)
    with pytest.raises(KeyboardInterrupt):
        splinescope.tessellate(network, segment, progress=lambda share, found: interrupt(1.0, found))


@pytest.mark.parametrize("budget", [None, 20_000])
def test_progress_of_a_segment_grows_to_one(budget: int | None) -> None:
    points, seen = ends(1), list[tuple[float, int]]()
    segment = splinescope.Segment(points[0, 0], points[1, 0])
    cells = splinescope.tessellate(
        conv(), segment, memory_budget=budget, progress=lambda share, found: seen.append((share, found))
    )
    shares = [share for share, _ in seen]
    assert shares == pytest.approx(sorted(shares), abs=1e-12)
    assert len(set(shares)) >= len(conv().nodes) - 1
    assert seen[-1] == (1.0, len(cells))


def test_progress_of_a_batch_ends_at_one() -> None:
    seen: list[tuple[float, int]] = []
    cells = tessellate_segments(conv(), *ends(7), progress=lambda share, found: seen.append((share, found)))
    assert max(seen) == (1.0, int(cells.cells_per_segment.sum()))


def test_a_network_without_folds_has_one_cell() -> None:
    network = splinescope.from_torch(nn.Linear(3, 2).double(), input_shape=(3,))
    cells = splinescope.tessellate(network, splinescope.Segment(np.zeros(3), np.ones(3)), verify="proof")
    assert len(cells) == 1
    assert cells.patterns.shape == (1, 0)
    assert cells.adjacency.shape == (1, 1)


def test_cells_are_found_and_are_neighbours_of_the_next() -> None:
    cells = tessellate_segments(conv(), *ends(2))[1]
    np.testing.assert_array_equal(cells.locate(cells.interior_points), np.arange(len(cells)))
    np.testing.assert_array_equal(cells.locate([-0.1, 0.0, 1.0, 1.1]), [-1, 0, len(cells) - 1, -1])
    np.testing.assert_array_equal(cells.locate(cells.breakpoints), np.arange(1, len(cells)))
    dense = cells.adjacency.toarray()
    assert (dense == dense.T).all()
    assert dense.sum() == 2 * (len(cells) - 1)
    with pytest.raises(InvalidInputError, match="`points`"):
        cells.locate(np.zeros((2, 2)))


def test_packed_patterns_tell_cells_apart() -> None:
    cells = tessellate_segments(conv(), *ends(2))[0]
    assert len(np.unique(cells.packed_patterns, axis=0)) == len(np.unique(cells.patterns, axis=0))
    differing = (np.diff(cells.patterns.astype(int), axis=0) != 0).sum(axis=1)
    np.testing.assert_array_equal(differing, np.diff(cells.flip_offsets)[1:-1])


@pytest.mark.parametrize(
    ("starts", "stops", "text"),
    [
        (np.zeros((2, 3)), np.ones((2, 3)), "expected \\[S, 2, 6, 6\\]"),
        (np.zeros((0, 2, 6, 6)), np.ones((0, 2, 6, 6)), "S at least 1"),
        (np.zeros((2, 2, 6, 6)), np.ones((3, 2, 6, 6)), "got 2 and 3 points"),
        (np.zeros((2, 2, 6, 6)), np.zeros((2, 2, 6, 6)), "segment 0 are the same point"),
        (np.full((1, 2, 6, 6), np.nan), np.zeros((1, 2, 6, 6)), "NaN or infinite"),
    ],
)
def test_bad_ends_are_refused(starts: np.ndarray, stops: np.ndarray, text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        tessellate_segments(conv(), starts, stops)


def test_bad_options_are_refused() -> None:
    network, points = conv(), ends(1)
    with pytest.raises(InvalidInputError, match="`verify`"):
        tessellate_segments(network, *points, verify="maybe")
    with pytest.raises(InvalidInputError, match="`max_cells`"):
        tessellate_segments(network, *points, max_cells=0)
    with pytest.raises(InvalidInputError, match="`store`"):
        splinescope.tessellate(network, splinescope.Segment(*points[:, 0]), store="somewhere")


def test_certificates_catch_a_moved_breakpoint_and_a_lost_one() -> None:
    from dataclasses import replace

    from splinescope.tessellation.segments import certify_segments

    cells = tessellate_segments(conv(), *ends(2))
    moved = cells.t.copy()
    moved[10] = 0.5 * (moved[10] + moved[11])
    with pytest.raises(CertificateError, match=r"check `(patterns|values)` failed"):
        certify_segments(replace(cells, t=moved), "proof")
    backward = cells.t.copy()
    backward[[3, 4]] = backward[[4, 3]]
    with pytest.raises(CertificateError, match="run backwards"):
        certify_segments(replace(cells, t=backward))
    short = cells.t.copy()
    short[cells.offsets[1] - 1] = 1.0 - 1e-9
    with pytest.raises(CertificateError, match="don't add up"):
        certify_segments(replace(cells, t=short))
    lost = replace(cells, codes=tuple(replace(codes, flips=codes.flips[::-1].copy()) for codes in cells.codes))
    with pytest.raises(CertificateError, match="`neighbours`"):
        certify_segments(lost)
