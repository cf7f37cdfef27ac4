"""What a segment answers: closed forms, dense samples, autograd, and the exact twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.tessellation.segments import (
    SegmentBatch,
    affine_maps,
    breakpoints,
    class_intervals,
    cross_entropy,
    extrema,
    image_lengths,
    integrated_gradients,
    margins,
    misclassified,
    tessellate_segments,
)

WIDTHS = (6, 24, 24, 5)


def network(seed: int = 0, widths: tuple[int, ...] = WIDTHS) -> splinescope.Network:
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        linear = nn.Linear(fan_in, fan_out, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
            linear.bias.normal_(0, 0.3, generator=generator)
        layers += [linear, nn.ReLU()]
    return splinescope.from_torch(nn.Sequential(*layers[:-1]), input_shape=(widths[0],))


def batch(seed: int = 0, segments: int = 12, widths: tuple[int, ...] = WIDTHS) -> SegmentBatch:
    ends = np.random.default_rng(seed).normal(size=(2, segments, widths[0]))
    return tessellate_segments(network(seed, widths), *ends)


def samples(cells: SegmentBatch, count: int = 4001) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and outputs [S, count, n_out] on a dense grid."""
    t = np.linspace(0, 1, count)
    pairs = np.column_stack([np.repeat(np.arange(len(cells)), count), np.tile(t, len(cells))])
    return t, cells.network(cells.domain.embed(pairs)).reshape(len(cells), count, -1)


def test_margins_are_never_above_dense_samples_and_attained() -> None:
    cells = batch()
    targets = np.arange(len(cells)) % 5
    found = margins(cells, targets)
    _, values = samples(cells)
    chosen = np.take_along_axis(values, targets[:, None, None], axis=2)[:, :, 0]
    others = values.copy()
    np.put_along_axis(others, targets[:, None, None], -np.inf, axis=2)
    sampled = (chosen - others.max(axis=2)).min(axis=1)
    assert (found.minimum <= sampled + 1e-12).all()
    np.testing.assert_allclose(found.minimum, sampled, atol=1e-2)
    at = cells.network(cells.domain.embed(np.column_stack([np.arange(len(cells)), found.t])))
    rows = np.arange(len(cells))
    np.testing.assert_allclose(at[rows, targets] - at[rows, found.rivals], found.minimum, atol=1e-12)
    assert (np.minimum.reduceat(found.on_cells, cells.offsets[:-1] - rows) == found.minimum).all()
    np.testing.assert_array_equal(found.keeps, found.minimum > 0)


def test_cross_entropy_is_never_below_dense_samples() -> None:
    cells = batch(1)
    found = cross_entropy(cells, 2)
    _, values = samples(cells)
    sampled = -log_softmax(values, axis=2)[:, :, 2].min(axis=1)
    assert (found.maximum >= sampled - 1e-12).all()
    np.testing.assert_allclose(found.maximum, sampled, rtol=1e-3)


def test_class_intervals_agree_with_dense_samples() -> None:
    cells = batch(2)
    found = class_intervals(cells)
    t, values = samples(cells)
    for number in range(len(cells)):
        rows = slice(found.offsets[number], found.offsets[number + 1])
        assert found.start[rows][0] == 0.0
        assert found.stop[rows][-1] == 1.0
        np.testing.assert_array_equal(found.start[rows][1:], found.stop[rows][:-1])
        assert (np.diff(found.classes[rows]) != 0).all()
        where = np.searchsorted(found.start[rows], t, side="right") - 1
        near = np.abs(t[:, None] - found.start[rows]).min(axis=1) < 1e-9
        agree = found.classes[rows][where] == values[number].argmax(axis=1)
        assert (agree | near).all()


def test_changes_of_class_are_ties() -> None:
    cells = batch(3, segments=40)
    found = class_intervals(cells)
    later = np.flatnonzero(found.start > 0)
    assert len(later) > 10
    at = cells.network(cells.domain.embed(np.column_stack([found.segments[later], found.start[later]])))
    rows = np.arange(len(later))
    np.testing.assert_allclose(at[rows, found.classes[later]], at[rows, found.classes[later - 1]], atol=1e-12)
    np.testing.assert_allclose(at[rows, found.classes[later]], at.max(axis=1), atol=1e-12)


def test_misclassified_intervals_are_those_of_other_classes() -> None:
    cells = batch(3)
    found, wrong = class_intervals(cells), misclassified(cells, 1)
    assert (wrong.classes != 1).all()
    right = found.lengths[found.classes == 1].sum()
    assert wrong.lengths.sum() + right == pytest.approx(len(cells), abs=1e-12)
    none = np.diff(wrong.offsets) == 0
    np.testing.assert_array_equal(none, margins(cells, 1).keeps)


def test_one_output_has_two_classes() -> None:
    affine = splinescope.from_torch(nn.Linear(1, 1).double(), input_shape=(1,))
    weight, bias = (float(p) for p in (affine.nodes[-1].op.weight, affine.nodes[-1].op.bias))
    zero = -bias / weight
    cells = splinescope.tessellate(affine, splinescope.Segment([zero - 1.0], [zero + 3.0]))
    found = class_intervals(cells)
    np.testing.assert_allclose(found.start, [0.0, 0.25], atol=1e-15)
    assert found.classes.tolist() == ([0, 1] if weight > 0 else [1, 0])
    assert margins(cells, 1).minimum[0] == pytest.approx(min(-weight, 3 * weight), abs=1e-12)


def test_ties_on_whole_cells_go_to_the_first_class() -> None:
    doubled = nn.Linear(1, 4, bias=False).double()
    with torch.no_grad():
        doubled.weight.copy_(torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]))
    cells = splinescope.tessellate(
        splinescope.from_torch(doubled, input_shape=(1,)), splinescope.Segment([-1.0], [1.0])
    )
    assert class_intervals(cells).classes.tolist() == [1, 0]
    assert class_intervals(cells).start.tolist() == [0.0, 0.5]
    assert margins(cells, 0).minimum[0] == -2.0


def test_extrema_of_outputs_and_of_functionals() -> None:
    cells = batch(4)
    _, values = samples(cells)
    found = extrema(cells)
    assert (found.minimum <= values.min(axis=1) + 1e-12).all()
    assert (found.maximum >= values.max(axis=1) - 1e-12).all()
    for number in range(len(cells)):
        at = cells.network(cells.domain.embed(np.column_stack([np.full(5, number), found.maximizers[number]])))
        np.testing.assert_allclose(np.diag(at), found.maximum[number], atol=1e-12)
    weights = np.array([[1.0, -1.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.2, 0.2, 0.2]])
    linear = extrema(cells, weights)
    assert (linear.minimum <= (values @ weights.T).min(axis=1) + 1e-12).all()
    np.testing.assert_allclose(linear.minimum, (values @ weights.T).min(axis=1), atol=1e-2)


def test_integrated_gradients_are_complete_and_those_of_fine_quadrature() -> None:
    cells = batch(5, segments=4)
    outputs = np.array([0, 1, 2, 3])
    found = integrated_gradients(cells, outputs)
    assert found.completeness_error.max() < 1e-12
    middle = (np.arange(20_000) + 0.5) / 20_000
    for number in range(4):
        x = torch.from_numpy(cells.domain.embed(np.column_stack([np.full(len(middle), number), middle])))
        x.requires_grad_(True)
        (gradient,) = torch.autograd.grad(cells.network(x)[:, outputs[number]].sum(), x)
        across = cells.domain.ends[number] - cells.domain.starts[number]
        np.testing.assert_allclose(found.attributions[number], gradient.mean(dim=0).numpy() * across, atol=1e-3)


def test_integrated_gradients_of_an_affine_network_are_its_weights() -> None:
    linear = nn.Linear(3, 2).double()
    cells = splinescope.tessellate(
        splinescope.from_torch(linear, input_shape=(3,)), splinescope.Segment([0.0, 1.0, 2.0], [1.0, 3.0, 1.0])
    )
    expected = linear.weight[1].detach().numpy() * np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(integrated_gradients(cells, 1).attributions[0], expected, atol=1e-15)


def test_lengths_of_images() -> None:
    cells = batch(6)
    _, values = samples(cells, 20_001)
    found = image_lengths(cells)
    steps = np.diff(values, axis=1)
    np.testing.assert_allclose(found.images, np.linalg.norm(steps, axis=2).sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(found.total_variation, np.abs(steps).sum(axis=1), rtol=1e-3)
    np.testing.assert_allclose(found.chords, np.linalg.norm(values[:, -1] - values[:, 0], axis=1), rtol=1e-12)
    assert (found.images >= found.chords - 1e-12).all()
    np.testing.assert_allclose(found.stretch * found.segments, found.images)


def test_affine_maps_are_jacobians() -> None:
    cells = batch(7, segments=2)[1]
    maps = affine_maps(cells)
    at = np.einsum("foi,fi->fo", maps.A, cells.interior_points) + maps.c
    np.testing.assert_allclose(at, cells.network(cells.domain.embed(cells.interior_points)), atol=1e-11)
    x = torch.from_numpy(cells.domain.embed(cells.interior_points)).requires_grad_(True)
    inputs = affine_maps(cells, "input", np.arange(3))
    for k in range(5):
        (gradient,) = torch.autograd.grad(cells.network(x)[:, k].sum(), x)
        np.testing.assert_allclose(inputs.A[:, k], gradient[:3].numpy(), atol=1e-12)
        np.testing.assert_allclose(maps.A[:, k, 0], gradient.numpy() @ cells.domain.basis[0], atol=1e-7)


def test_slopes_of_short_cells_come_from_their_branch() -> None:
    close = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    with torch.no_grad():
        for parameter, value in zip(
            close.parameters(), ([[1.0], [1.0]], [0.0, -1e-11], [[1.0, 1.0]], [0.5]), strict=True
        ):
            parameter.copy_(torch.tensor(value))
    cells = splinescope.tessellate(splinescope.from_torch(close, input_shape=(1,)), splinescope.Segment([-1.0], [1.0]))
    assert len(cells) == 3
    np.testing.assert_allclose(affine_maps(cells).A[:, 0, 0], [0.0, 2.0, 4.0], rtol=1e-12)


def test_breakpoints_name_layers_and_units() -> None:
    cells = batch(8, segments=3)
    table = breakpoints(cells)
    assert len(table) == len(cells.flip_op)
    assert set(table.layers.tolist()) == {0, 1}
    row = len(table) // 2
    values = {}
    x = torch.from_numpy(cells.domain.embed(np.array([[table.segments[row], table.t[row]]])))
    for index, value in splinescope.network.evaluate.walk(cells.network, x):
        values[index] = value
    before = values[cells.network.nodes[table.ops[row]].inputs[0]].flatten()[table.units[row]]
    assert abs(float(before)) < 1e-12
    assert table.labels()[row] == f"{table.names[table.layers[row]]}[{table.units[row]}]"


@pytest.mark.parametrize("query", [margins, cross_entropy, misclassified])
def test_targets_are_checked(query: object) -> None:
    cells = batch(9, segments=3)
    for bad, text in ((5, "expected classes from 0 to 4"), ([0, 1], "or 3 of them"), (np.full(3, 0.5), "or 3 of them")):
        with pytest.raises(InvalidInputError, match=text):
            query(cells, bad)  # type: ignore[operator]


def test_outputs_and_functionals_are_checked() -> None:
    cells = batch(9, segments=3)
    with pytest.raises(InvalidInputError, match="expected outputs from 0 to 4"):
        integrated_gradients(cells, -1)
    with pytest.raises(InvalidInputError, match="`functionals`"):
        extrema(cells, np.ones((2, 3)))
    with pytest.raises(InvalidInputError, match="`space`"):
        affine_maps(cells[0], "output")
