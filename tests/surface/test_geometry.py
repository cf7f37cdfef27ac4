"""The geometric parts by themselves: measures of meshes, tracing, and enclosures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splinescope.geometry.enclosures import enclose_maxima, enclose_pieces
from splinescope.geometry.surface.collapse import collapsed, fans
from splinescope.geometry.surface.meshes import (
    area_vectors,
    cone_volumes,
    fan_triangles,
    parts,
    polygon_centres,
    vertex_normals,
)
from splinescope.geometry.surface.sections import reversed_where, trace_section

TETRAHEDRON = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]])
OFFSETS = np.arange(0, 13, 3)


def test_tetrahedron() -> None:
    corners = FACES.ravel()
    vectors = area_vectors(TETRAHEDRON, OFFSETS, corners)
    np.testing.assert_allclose(vectors, [[0.5, 0.5, 0.5], [-0.5, 0, 0], [0, -0.5, 0], [0, 0, -0.5]])
    assert cone_volumes(TETRAHEDRON, OFFSETS, corners).sum() == pytest.approx(1 / 6)
    assert cone_volumes(TETRAHEDRON + 100.0, OFFSETS, corners).sum() == pytest.approx(1 / 6, rel=1e-12)
    np.testing.assert_allclose(polygon_centres(TETRAHEDRON, OFFSETS, corners)[3], [1 / 3, 1 / 3, 0])
    normals = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    outward = vertex_normals(TETRAHEDRON, OFFSETS, corners, normals)
    assert (np.einsum("vi,vi->v", outward, TETRAHEDRON - 0.25) > 0).all()


def test_no_polygons() -> None:
    nothing, start = np.zeros((0, 3)), np.array([0])
    none = np.zeros(0, np.int64)
    assert area_vectors(nothing, start, none).shape == (0, 3)
    assert cone_volumes(nothing, start, none).shape == (0,)
    assert polygon_centres(nothing, start, none).shape == (0, 3)
    assert parts(start, none).shape == (0,)
    assert fan_triangles(start).shape == (0, 3)


def test_triangles_of_polygons() -> None:
    assert fan_triangles(np.array([0, 3, 8])).tolist() == [[0, 1, 2], [3, 4, 5], [3, 5, 6], [3, 6, 7]]


@pytest.mark.parametrize("above", [[3], [0, 1], [0, 2, 3], [2]])
def test_section_of_a_tetrahedron(above: list[int]) -> None:
    high = np.isin(np.arange(4), above)
    section = trace_section(OFFSETS, FACES.ravel(), np.column_stack([np.zeros(4, int), np.full(4, -1)]), high)
    assert section.cells.tolist() == [0]
    assert len(section.below) == (3 if len(above) in (1, 3) else 4)
    assert not high[section.below].any()
    assert high[section.above].all()
    assert (section.twins == -1).all()
    turned = reversed_where(section, np.array([True]))
    np.testing.assert_array_equal(turned.below[turned.following], np.roll(turned.below, -1))
    assert {(a, b) for a, b in zip(turned.below, turned.below[turned.following], strict=True)} == {
        (b, a) for a, b in zip(section.below, section.below[section.following], strict=True)
    }
    np.testing.assert_array_equal(np.sort(turned.faces), np.sort(section.faces))
    again = reversed_where(turned, np.array([True]))
    np.testing.assert_array_equal(again.below, section.below)


def test_faces_that_do_not_close_up() -> None:
    beside = np.column_stack([np.zeros(3, int), np.full(3, -1)])
    with pytest.raises(ValueError, match="do not close up"):
        trace_section(OFFSETS[:4], FACES[:3].ravel(), beside, np.array([True, False, False, False]))


def test_collapse_to_a_face() -> None:
    """One vertex above, the opposite face on the level: the section is that face."""
    beside = np.column_stack([np.zeros(4, int), np.full(4, -1)])
    section = trace_section(OFFSETS, FACES.ravel(), beside, np.array([False, False, False, True]))
    mesh = collapsed(section, np.array([True, True, True, False]))
    assert sorted(mesh.sources.tolist()) == [[0, 0], [1, 1], [2, 2]]
    assert (len(mesh.cells), mesh.covered) == (1, 0)
    to_an_edge = collapsed(
        trace_section(OFFSETS, FACES.ravel(), beside, np.array([False, False, True, True])),
        np.array([True, True, False, False]),
    )
    assert (len(to_an_edge.cells), len(to_an_edge.sources)) == (0, 0)


def test_fans_of_two_triangles() -> None:
    following, twins = np.array([1, 2, 0, 4, 5, 3]), np.array([3, -1, -1, 0, -1, -1])
    numbers = fans(following, twins)
    assert numbers[0] == numbers[4]
    assert numbers[1] == numbers[3]
    assert len(set(numbers.tolist())) == 4


def cells_of(draw: np.random.Generator, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three cells with corners in the plane, and affine bands of units on them: offsets, centre, radius."""
    sizes = draw.integers(3, 7, size=3)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    corners = draw.normal(size=(offsets[-1], 2))
    slopes = draw.normal(size=(3, 2, units))
    centre = np.einsum("ci,cik->ck", corners, np.repeat(slopes, sizes, axis=0)) + draw.normal(size=units)
    tilt = np.einsum("ci,cik->ck", corners, np.repeat(draw.normal(size=(3, 2, units)), sizes, axis=0))
    lowest = np.minimum.reduceat(tilt, offsets[:-1], axis=0)
    radius = (tilt - np.repeat(lowest, sizes, axis=0)) * draw.random() * 0.5
    return offsets, centre, radius


@given(st.integers(0, 10**6), st.sampled_from([0, 1, 2, 3]))
def test_pieces_are_enclosed(seed: int, breakpoints: int) -> None:
    draw = np.random.default_rng(seed)
    units = 4
    offsets, centre, radius = cells_of(draw, units)
    places = np.sort(draw.normal(size=(breakpoints, units)), axis=0)
    slopes = draw.normal(size=(breakpoints + 1, units))
    intercepts = np.zeros_like(slopes)
    for i in range(breakpoints):
        intercepts[i + 1] = intercepts[i] + (slopes[i] - slopes[i + 1]) * places[i]
    after, spread = centre.copy(), radius.copy()
    enclose_pieces(0, 3, offsets, places, slopes, intercepts, 0.0, after, spread)
    assert (spread >= 0).all()
    for cell in range(3):
        rows = slice(offsets[cell], offsets[cell + 1])
        for _ in range(20):
            weights = draw.dirichlet(np.full(offsets[cell + 1] - offsets[cell], 0.3))
            share = draw.uniform(-1, 1, size=units)
            x = weights @ centre[rows] + share * (weights @ radius[rows])
            piece = (x > places).sum(axis=0)
            y = slopes[piece, np.arange(units)] * x + intercepts[piece, np.arange(units)]
            assert (np.abs(y - weights @ after[rows]) <= weights @ spread[rows] + 1e-9).all()


@given(st.integers(0, 10**6))
def test_maxima_are_enclosed(seed: int) -> None:
    draw = np.random.default_rng(seed)
    offsets, centre, radius = cells_of(draw, 5)
    groups = np.array([[0, 1, 2], [3, 4, -1], [2, -1, -1]])
    out, spread = np.empty((len(centre), 3)), np.empty((len(centre), 3))
    enclose_maxima(0, 3, offsets, groups, centre, radius, 0.0, out, spread)
    np.testing.assert_allclose(out[:, 2], centre[:, 2])
    np.testing.assert_allclose(spread[:, 2], radius[:, 2])
    for cell in range(3):
        rows = slice(offsets[cell], offsets[cell + 1])
        for _ in range(20):
            weights = draw.dirichlet(np.full(offsets[cell + 1] - offsets[cell], 0.3))
            x = weights @ centre[rows] + draw.uniform(-1, 1, size=5) * (weights @ radius[rows])
            y = np.array([max(x[k] for k in group if k >= 0) for group in groups])
            assert (np.abs(y - weights @ out[rows]) <= weights @ spread[rows] + 1e-9).all()


def test_relu_that_is_certain_is_exact() -> None:
    table = np.zeros((1, 2)), np.array([[0.0, 0.0], [1.0, 1.0]]), np.zeros((2, 2))
    centre, radius = np.array([[1.0, -3.0], [2.0, -1.0]]), np.array([[0.5, 0.0], [0.0, 1.0]])
    enclose_pieces(0, 1, np.array([0, 2]), *table, 0.0, centre, radius)
    np.testing.assert_array_equal(centre, [[1.0, 0.0], [2.0, 0.0]])
    np.testing.assert_array_equal(radius, [[0.5, 0.0], [0.0, 0.0]])
