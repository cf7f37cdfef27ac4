"""Segments in a plane: they meet the cells that the planar engine finds there."""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from splinescope.tessellation.segments import class_intervals, tessellate_segments
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import RELU, Builder
from tests.seeds import seeds


def generic() -> splinescope.Network:
    rng = np.random.default_rng(0)
    builder = Builder()
    builder.layer(rng.normal(size=(24, 2)), rng.normal(size=24), RELU)
    builder.layer(rng.normal(size=(24, 24)), rng.normal(size=24), RELU)
    builder.dense(rng.normal(size=(12, 24)))
    builder.maximum(np.arange(12).reshape(4, 3))
    builder.dense(rng.normal(size=(3, 4)))
    return to_network(builder.build())


def test_segments_meet_the_cells_of_the_plane() -> None:
    network = generic()
    plane = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
    starts, ends = np.random.default_rng(1).uniform(-1, 1, size=(2, 50, 2))
    batch = tessellate_segments(network, starts, ends, verify="proof")
    for number, cells in enumerate(batch):
        points = starts[number] + cells.interior_points * (ends[number] - starts[number])
        met = plane.locate(points)
        assert (met >= 0).all()
        assert len(set(met.tolist())) == len(cells)
        np.testing.assert_array_equal(cells.patterns, plane.patterns[met])
        # The planar cells that a fine sample meets are among them: none is left out.
        fine = plane.locate(starts[number] + np.linspace(0, 1, 2000)[:, None] * (ends[number] - starts[number]))
        assert set(fine.tolist()) <= set(met.tolist()) | set(plane.locate(starts[number : number + 1]).tolist())


def test_breakpoints_lie_on_the_edges_of_the_plane() -> None:
    network = generic()
    plane = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
    start, end = np.array([-0.9, -0.7]), np.array([0.8, 0.95])
    cells = splinescope.tessellate(network, splinescope.Segment(start, end))
    points = start + cells.breakpoints[:, None] * (end - start)
    tails, heads = plane.vertices[plane.edges[:, 0]], plane.vertices[plane.edges[:, 1]]
    for number, point in enumerate(points, start=1):
        along = heads - tails
        share = np.clip(((point - tails) * along).sum(1) / (along * along).sum(1), 0, 1)
        nearest = np.linalg.norm(tails + share[:, None] * along - point, axis=1).argmin()
        assert np.linalg.norm(tails[nearest] + share[nearest] * along[nearest] - point) < 1e-12
        here = slice(cells.flip_offsets[number], cells.flip_offsets[number + 1])
        made = (int(plane.edge_op[nearest]), int(plane.edge_unit[nearest]))
        assert made in set(zip(cells.flip_op[here].tolist(), cells.flip_unit[here].tolist(), strict=True))


@pytest.mark.parametrize("seed", seeds(range(0, 20, 3), range(20)))
def test_class_changes_lie_on_the_decision_boundary(seed: int) -> None:
    network = to_network(random_case(seed).recipe)
    plane = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
    boundary = splinescope.decision_boundary(plane)
    start, end = np.random.default_rng(seed).uniform(-1, 1, size=(2, 2))
    found = class_intervals(splinescope.tessellate(network, splinescope.Segment(start, end)))
    for place in found.start[1:]:
        point = start + place * (end - start)
        tails, along = boundary.segments[:, 0], boundary.segments[:, 1] - boundary.segments[:, 0]
        share = np.clip(((point - tails) * along).sum(1) / np.maximum((along * along).sum(1), 1e-300), 0, 1)
        assert np.linalg.norm(tails + share[:, None] * along - point, axis=1).min() < 1e-9
