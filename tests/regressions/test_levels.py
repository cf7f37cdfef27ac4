"""Level sets where a common bound of rounding errors hides them: each vertex of the cells has one of its own."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import splinescope
from splinescope.errors import CertificateError
from splinescope.tessellation.boundary import class_areas, decision_boundary
from splinescope.tessellation.surface import extraction, level_set
from splinescope.tessellation.surface.heights import Heights, heights_of
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import mlp

CUBE = splinescope.Box([-1.0] * 3, [1.0] * 3)
AXES = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]]


def octahedron(ramp: float) -> splinescope.Network:
    """|x| + |y| + |z| - 1/2 + ramp relu(x - 0.9): the ramp is zero where the octahedron is."""
    return to_network(mlp([[*AXES, [1, 0, 0]], [[1.0] * 6 + [ramp]]], [[0.0] * 6 + [-0.9], [-0.5]]))


def thin_sheets(seed: int) -> tuple[splinescope.Network, np.ndarray]:
    """A hat along a random direction, 1e-14 wide, less half of its height: two planes, where the hat is half as high.

    The offsets of the three folds and of the output come with it.
    """
    rng = np.random.default_rng(seed)
    normal, shift, width = rng.normal(size=3), rng.uniform(-0.3, 0.3), 1e-14
    offsets = [-shift, -shift - width, -shift - 2 * width]
    network = to_network(mlp([[normal.tolist()] * 3, [[1, -2, 1]]], [offsets, [-width / 2]]))
    return network, np.array([*offsets, -width / 2])


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("ramp", [1.0, 1e15, 1e16, 1e20])
def test_a_steep_ramp_elsewhere(ramp: float, prune: bool) -> None:
    """The zero set was one of area 8.7 at a slope of 1e15, and of area 4 beyond."""
    mesh = level_set(octahedron(ramp), CUBE, verify="proof", prune=prune)
    assert mesh.area == pytest.approx(np.sqrt(3), rel=1e-12)
    assert (len(mesh), len(mesh.vertices), mesh.is_watertight) == (8, 6, True)
    assert (mesh.certificate.level, mesh.certificate.undecided) == ("values", 0)
    assert mesh.certificate.value_tolerance < 1e-10


@pytest.mark.parametrize("seed", range(6))
def test_thin_sheets(seed: int) -> None:
    """Sheets whose sides are 5e-15 away from the level were lost."""
    network, offsets = thin_sheets(seed)
    ends = [Fraction(float(-x)) for x in offsets[:3]]
    top = ends[1] - ends[0] + Fraction(float(offsets[3]))
    beyond = (ends[2] - ends[0]) - 2 * (ends[2] - ends[1]) + Fraction(float(offsets[3]))
    mesh = level_set(network, CUBE, verify="proof", prune=False)
    assert top > 0
    assert mesh.num_parts == 1 + (beyond < 0)


def exact_heights(cells: splinescope.SpatialComplex, level: float) -> np.ndarray:
    """Signs at the vertices of the octahedron's cells, which are at 0, 0.9 and 1 along each axis, in rationals."""
    signs = np.empty(len(cells.vertices), np.int8)
    for i, vertex in enumerate(cells.vertices.tolist()):
        x = [Fraction(number) for number in vertex]
        ramp = Fraction(level) * max(x[0] - Fraction(0.9), Fraction(0))
        value = sum(map(abs, x)) - Fraction(1, 2) + ramp
        signs[i] = (value > 0) - (value < 0)
    return signs


@pytest.mark.parametrize("ramp", [1e15, 1e20])
def test_heights_against_rationals(ramp: float) -> None:
    cells = splinescope.tessellate(octahedron(ramp), CUBE)
    np.testing.assert_array_equal(heights_of(cells, np.ones(1), 0.0).signs, exact_heights(cells, ramp))


@pytest.mark.parametrize("ramp", [1.0, 1e15, 1e20])
@pytest.mark.parametrize("to", [-1.0, 0.0, 1.0])
def test_a_wrong_height_is_refused(monkeypatch: pytest.MonkeyPatch, ramp: float, to: float) -> None:
    """Whatever was made of it: the certificate has signs of its own."""
    cells = splinescope.tessellate(octahedron(ramp), CUBE)
    right = heights_of(cells, np.ones(1), 0.0)
    for vertex in np.flatnonzero(right.signs != to).tolist():
        values = right.values.copy()
        values[vertex] = to
        monkeypatch.setattr(extraction, "heights_of", lambda *_, v=values: Heights(v, right.function))
        with pytest.raises(CertificateError, match="heights"):
            level_set(cells)


def square(ramp: float, classes: int) -> splinescope.Network:
    """|x| + |y| - 1/2 + ramp relu(x - 0.9), as one output, or as the second of two beside zero."""
    rows = [[1.0] * 4 + [ramp]] if classes == 1 else [[0.0] * 5, [1.0] * 4 + [ramp]]
    axes = [[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0]]
    return to_network(mlp([axes, rows], [[0.0] * 4 + [-0.9], [0.0] * (classes - 1) + [-0.5]]))


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("ramp", [1.0, 1e15, 1e16, 1e20])
def test_boundaries_in_a_plane(ramp: float, classes: int) -> None:
    """The square's boundary had no segments at a slope of 1e15, and two beyond."""
    cells = splinescope.tessellate(square(ramp, classes), splinescope.Slice.box([-1, -1], [1, 1]))
    assert decision_boundary(cells).lengths.sum() == pytest.approx(2 * np.sqrt(2), rel=1e-12)
    assert class_areas(cells) == pytest.approx([0.5, 3.5], rel=1e-12)


@pytest.mark.parametrize("ramp", [1.0, 1e15, 1e16, 1e20])
def test_classes_on_a_segment(ramp: float) -> None:
    """Outputs were compared within one common error: |x| - 1/2 + ramp relu(x - 0.9) is zero at 1/2 and at -1/2."""
    network = to_network(mlp([[[1], [-1], [1]], [[1, 1, ramp]]], [[0, 0, -0.9], [-0.5]]))
    cells = splinescope.tessellate(network, splinescope.Segment([-1.0], [1.0]))
    np.testing.assert_allclose(decision_boundary(cells).start, [0.0, 0.25, 0.75], rtol=1e-15)
