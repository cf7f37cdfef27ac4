"""The parts of the engine on their own: kinks, stencils, anchors, lists, leads, signs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splinescope.network.ops import Activation, Convolution, PiecewiseAffine
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.segments.kernels.anchors import anchored
from splinescope.tessellation.segments.kernels.crossings import Placed, Raw, cut_by_activation, grouped
from splinescope.tessellation.segments.kernels.envelopes import leads, maxima
from splinescope.tessellation.segments.kernels.kinks import with_dense_kinks, with_stencil_kinks
from splinescope.tessellation.segments.kernels.lists import chosen_entries, chosen_offsets
from splinescope.tessellation.segments.kernels.signs import routed_signs
from splinescope.tessellation.segments.kernels.stencils import Stencil
from splinescope.tessellation.segments.values import CutActivation
from splinescope.tessellation.thresholds import activation_folds

CLIP = ([-0.5, 0.5], [0.25, 1.0, 0.0], [-0.375, 0.0, 0.5])
RELU = ([0.0], [0.0, 1.0], [0.0, 0.0])


def activation(tables: tuple[list[float], list[float], list[float]]) -> Activation:
    return PiecewiseAffine(*(torch.tensor(table, dtype=torch.float64) for table in tables))


def folded(
    units: int, points: int, tables: tuple[list[float], list[float], list[float]], seed: int = 0
) -> CutActivation:
    """Random values at some points of one segment, cut and ready to be read."""
    values = np.random.default_rng(seed).normal(size=(points, units))
    t, inner, sure = np.linspace(0, 1, points), np.arange(points) < points - 1, np.zeros(points)
    op = activation(tables)
    bounds = Bounds(np.abs(values).max(axis=0), np.full(units, 1e-16))
    folds = activation_folds(op, bounds, 1)
    slopes = np.repeat(np.array(tables[1])[:, None], units, axis=1)
    routed = routed_signs(values, t, inner, sure, folds)
    assert not len(routed.points)
    raw = cut_by_activation(values, t, inner, sure, folds, slopes, routed.signs)
    return CutActivation(values, op, folds, grouped(raw, t, lambda here, columns: None, 1.0))


@pytest.mark.parametrize("tables", [RELU, CLIP])
def test_kinks_of_a_dense_layer_are_the_layer_at_all_points(
    tables: tuple[list[float], list[float], list[float]],
) -> None:
    fold = folded(70, 6, tables)
    assert len(fold.cuts) > 100
    weight = np.random.default_rng(1).normal(size=(9, 70))
    anchors = fold.op.evaluate(torch.from_numpy(fold.before)).numpy() @ weight.T
    found = with_dense_kinks(anchors, np.ascontiguousarray(weight.T), 70, fold.cuts)
    np.testing.assert_allclose(found, fold.rows @ weight.T, atol=1e-12)


CONVOLUTIONS = {
    "strided": ((4, 6, 3, 3), (4, 7, 8), 2, ((1, 1), (1, 1)), (1, 1), 1),
    "grouped": ((6, 2, 3, 3), (4, 6, 6), 1, ((0, 1), (1, 0)), (1, 1), 2),
    "dilated": ((3, 2, 3, 2), (2, 9, 7), 1, ((2, 2), (0, 0)), (2, 3), 1),
    "line": ((5, 3, 4), (3, 11), 3, ((1, 0),), (1,), 1),
    "volume": ((2, 2, 2, 2, 2), (2, 4, 3, 4), 1, ((0, 0), (1, 1), (0, 0)), (1, 1, 1), 1),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_kinks_of_a_convolution_are_the_convolution_at_all_points(name: str) -> None:
    weights, shape, stride, padding, dilation, groups = CONVOLUTIONS[name]
    rng = np.random.default_rng(2)
    weights = (weights[0], shape[0] // groups, *weights[2:])
    op = Convolution(
        torch.from_numpy(rng.normal(size=weights)), torch.from_numpy(rng.normal(size=weights[0])),
        (stride,) * (len(shape) - 1), padding, dilation, groups,
    )  # fmt: skip
    units = int(np.prod(shape))
    fold = folded(units, 3, RELU)
    anchors = op.evaluate(torch.from_numpy(fold.before).clamp(min=0).reshape(-1, *shape))
    stencil = Stencil.of(op, shape[1:], tuple(anchors.shape[2:]))
    found = with_stencil_kinks(anchors.numpy().reshape(len(anchors), -1), stencil, units, fold.cuts)
    expected = op.evaluate(torch.from_numpy(fold.rows).reshape(-1, *shape)).numpy().reshape(len(found), -1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.integers(0, 10_000), st.data())
def test_parts_of_a_fold_have_the_rows_of_the_whole(seed: int, data: st.DataObject) -> None:
    fold = folded(5, 3, CLIP, seed)
    total = len(fold.before) + len(fold.cuts)
    start = data.draw(st.integers(0, total - 2))
    stop = data.draw(st.integers(start + 2, total))
    part = fold.part(slice(start, stop))
    np.testing.assert_allclose(part.rows, fold.rows[start:stop], atol=1e-11)
    weight = np.random.default_rng(seed).normal(size=(5, 4))
    anchors = fold.op.evaluate(torch.from_numpy(part.before)).numpy() @ weight
    np.testing.assert_allclose(
        with_dense_kinks(anchors, weight, 5, part.cuts), fold.rows[start:stop] @ weight, atol=1e-11
    )
    assert len(anchored(fold.before, fold.folds, fold.cuts, start, stop).cuts) == len(part.cuts)


def raw_cuts() -> Raw:
    """A cut in the middle that is hardly known, and two that are."""
    return Raw(
        np.array([0, 3, 3]), np.array([7, 8, 9], np.int32), np.ones(3),
        np.array([0.5, 0.8, 0.2]), np.array([0.4, 1e-14, 1e-14]),
    )  # fmt: skip


def test_cuts_that_float64_does_not_tell_apart_are_asked_for() -> None:
    asked = []

    def place(here: int, columns: np.ndarray) -> Placed:
        asked.append((here, columns.tolist()))
        return Placed(np.array([0, 2, 1]), np.array([True, True, False]), np.array([0.2, 0.8, 0.8]), np.full(3, 1e-16))

    cuts = grouped(raw_cuts(), np.array([0.0, 1.0]), place, 1.0)
    assert asked == [(0, [9, 7, 8])]
    assert cuts.fractions.tolist() == [0.2, 0.8]
    assert cuts.columns.tolist() == [9, 8, 7]
    assert cuts.cut_offsets.tolist() == [0, 1, 3]
    assert cuts.group_offsets.tolist() == [0, 2, 2]


def test_cuts_that_cost_too_much_to_tell_apart_are_one() -> None:
    cuts = grouped(raw_cuts(), np.array([0.0, 1.0]), lambda here, columns: None, 1.0)
    assert cuts.cut_offsets.tolist() == [0, 3]
    assert cuts.fractions.tolist() == [0.2]


def test_signs_near_uncertain_points_are_routed() -> None:
    values = np.array([[1.0, 1.0], [1e-9, 1e-9], [-1.0, 1e-9]])
    t, inner = np.array([0.0, 0.5, 1.0]), np.array([True, True, False])
    bounds = Bounds(np.ones(2), np.full(2, 1e-16))
    folds = activation_folds(activation(RELU), bounds, 1)
    sure = routed_signs(values, t, inner, np.zeros(3), folds)
    assert sure.signs.positive[1, 0] == 3
    assert not len(sure.points)
    unsure = routed_signs(values, t, inner, np.array([0.0, 1e-9, 0.0]), folds)
    assert unsure.signs.positive[1, 0] == unsure.signs.negative[1, 0] == 0
    assert unsure.points.tolist() == [1, 1]
    assert unsure.columns.tolist() == [0, 1]
    unsure.signs.set(unsure.points, unsure.columns, np.array([-1, 1]))
    assert unsure.signs.positive[1, 0] == 2
    assert unsure.signs.negative[1, 0] == 1


def test_signs_beside_an_unresolved_interval_are_routed() -> None:
    t, inner = np.array([0.0, 0.5, 0.5, 1.0]), np.array([True, True, True, False])
    bounds = Bounds(np.ones(1), np.full(1, 1e-16))
    folds = activation_folds(activation(RELU), bounds, 1)
    routed = routed_signs(np.ones((4, 1)), t, inner, np.array([0.0, 1e-16, 1e-16, 0.0]), folds)
    assert routed.points.tolist() == [1, 2]


@given(st.integers(0, 10_000))
def test_leads_follow_the_maximum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-3, 4, size=(3, 7)).astype(float)
    members = np.array([[0, 1, 2, 3, -1], [-1, 4, 5, 6, 0]])
    t, inner, zero = np.array([0.0, 0.5, 1.0]), np.array([True, True, False]), np.zeros(3)
    found = leads(inner, t, zero, np.ones(3), values, members, np.full(7, 1e-15))
    cuts = grouped(found.raw, t, lambda here, columns: None, 1.0)
    rows = maxima(values, inner, members, found.first, cuts, rng.uniform(size=7))
    fractions = cuts.fractions
    places = [0.0, *fractions[: cuts.group_offsets[1]], 1.0, *(1 + fractions[cuts.group_offsets[1] :]), 2.0]
    padded = np.concatenate([values, np.full((3, 1), -np.inf)], axis=1)[:, members]
    for place, row in zip(places, rows, strict=True):
        low = min(int(place), 1)
        with np.errstate(invalid="ignore"):
            between = padded[low] + (place - low) * (padded[low + 1] - padded[low])
        np.testing.assert_allclose(row, np.nanmax(between, axis=1), atol=1e-12)
    for point in (0, 1):
        middle = 0.5 * (places[cuts.group_offsets[point] + point] + places[cuts.group_offsets[point] + point + 1])
        with np.errstate(invalid="ignore"):
            between = padded[point] + (middle - point) * (padded[point + 1] - padded[point])
        leading = between[np.arange(2), found.first[point]]
        np.testing.assert_allclose(leading, np.nanmax(between, axis=1), atol=1e-12)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.data())
def test_lists_are_chosen_one_by_one(counts: list[int], data: st.DataObject) -> None:
    offsets = np.concatenate([[0], np.cumsum(counts)])
    which = np.array(data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=8)), np.int64)
    expected = [np.arange(offsets[i], offsets[i + 1]) for i in which]
    found = chosen_entries(offsets, which)
    assert found.tolist() == [int(x) for part in expected for x in part]
    assert chosen_offsets(offsets, which).tolist() == [0, *np.cumsum([len(part) for part in expected]).tolist()]
