"""The spatial engine's options, errors and answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull

import splinescope
from splinescope.errors import CertificateError, InvalidInputError
from splinescope.models import mlp
from splinescope.tessellation.spatial import tessellate_polytope

CUBE = splinescope.Box([-1.0] * 3, [1.0] * 3)


def network(seed: int = 0, *hidden: int) -> splinescope.Network:
    widths = [3, *(hidden or (12, 12)), 2]
    return splinescope.load(mlp(widths, generator=torch.Generator().manual_seed(seed)), input_shape=(3,))


def test_volumes_are_those_of_convex_hulls() -> None:
    cells = splinescope.tessellate(network(), CUBE)
    hulls = [ConvexHull(cells.cell(i)).volume for i in range(len(cells))]
    np.testing.assert_allclose(cells.measures, hulls, rtol=1e-9, atol=1e-15)


def test_polygons_are_loops_of_their_edges() -> None:
    cells = splinescope.tessellate(network(1), CUBE)
    loops, polygons = cells.face_loops(), cells.faces[2]
    for i in range(len(polygons.offsets) - 1):
        part = slice(polygons.offsets[i], polygons.offsets[i + 1])
        around = loops.items[part]
        sides = {frozenset(side) for side in zip(around.tolist(), np.roll(around, -1).tolist(), strict=True)}
        assert sides == {frozenset(side) for side in cells.edges[polygons.items[part]].tolist()}


def test_facets_lie_on_the_fold_of_their_unit() -> None:
    cells = splinescope.tessellate(network(2, 10), CUBE)
    weight, bias = (
        p.detach().numpy() for p in mlp([3, 10, 2], generator=torch.Generator().manual_seed(2))[1].parameters()
    )
    offsets, items = cells.polygons()
    for i in np.flatnonzero(cells.facet_op >= 0):
        corners = cells.vertices[items[offsets[i] : offsets[i + 1]]]
        assert np.abs(corners @ weight[cells.facet_unit[i]] + bias[cells.facet_unit[i]]).max() < 1e-14
        below, above = cells.patterns[cells.facet_cells[i], cells.facet_unit[i]]
        assert (below, above) == (0, 1)


def test_slice_that_is_a_tetrahedron() -> None:
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.2, 0.2]])
    domain = splinescope.Slice(np.zeros(3), np.eye(3), corners)
    cells = splinescope.tessellate(network(3), domain, verify="proof")
    assert len(domain.polygon) == 4
    assert cells.measures.sum() == pytest.approx(1 / 6, rel=1e-13)
    assert (cells.locate(np.array([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9]])) >= 0).tolist() == [True, False]


def test_rotated_boxes_have_the_same_cells() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    plain = splinescope.tessellate(network(4), splinescope.Slice(np.zeros(3), np.eye(3), CUBE.corners))
    turned = splinescope.tessellate(network(4), splinescope.Slice(np.zeros(3), turn, CUBE.corners @ turn.T))
    assert len(plain) == len(turned)
    order, other = (np.lexsort(cells.patterns.T) for cells in (plain, turned))
    np.testing.assert_array_equal(plain.patterns[order], turned.patterns[other])
    np.testing.assert_allclose(plain.measures[order], turned.measures[other], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("options", [{"max_cells": 40}, {"max_cells": 10**6, "memory_budget": 400_000}])
def test_budgets_leave_exact_cells_around_the_centre(options: dict[str, int]) -> None:
    whole = splinescope.tessellate(network(5, 16, 16), CUBE)
    part = splinescope.tessellate(network(5, 16, 16), CUBE, verify="proof", **options)
    assert part.truncated
    assert 10 < len(part) < len(whole)
    assert "max_cells" not in options or len(part) <= options["max_cells"]
    known = {pattern.tobytes(): volume for pattern, volume in zip(whole.patterns, whole.measures, strict=True)}
    volumes = [known[pattern.tobytes()] for pattern in part.patterns]
    np.testing.assert_allclose(part.measures, volumes, rtol=1e-9, atol=1e-14)
    assert 0 < part.certificate.measure_error < 1
    assert (part.locate(np.zeros((1, 3))) >= 0).all()


def test_keep_drops_cells_after_each_activation() -> None:
    model = network(6)
    whole = splinescope.tessellate(model, CUBE)
    asked: list[int] = []

    def keep(node: int, rows: dict[int, np.ndarray], vertices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        asked.append(node)
        assert all(len(row) > vertices.max() for row in rows.values())
        return np.arange(len(offsets) - 1) % 2 == 0

    part = tessellate_polytope(model, CUBE, keep=keep)
    assert asked == [i for i, node in enumerate(model.nodes) if node.units]
    assert part.truncated
    known = {pattern.tobytes() for pattern in whole.patterns}
    assert all(pattern.tobytes() in known for pattern in part.patterns)


def test_results_do_not_depend_on_threads() -> None:
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(splinescope.tessellate(network(7), CUBE))
    finally:
        torch.set_num_threads(threads)
    one, two = found
    np.testing.assert_array_equal(one.vertices, two.vertices)
    np.testing.assert_array_equal(one.facet_cells, two.facet_cells)


def test_boxes_of_lower_dimension_are_planes() -> None:
    flat = splinescope.tessellate(network(8), splinescope.Box([-1.0, -1.0, 0.3], [1.0, 1.0, 0.3]))
    assert flat.dimension == 2
    plane = splinescope.Slice(np.array([0.0, 0, 0.3]), np.eye(3)[:2], np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))
    assert len(flat) == len(splinescope.tessellate(network(8), plane))


def test_affine_maps_in_the_input_space() -> None:
    cells = splinescope.tessellate(network(9), CUBE)
    maps = cells.affine_maps("input")
    values = np.einsum("fki,fi->fk", maps.A, cells.interior_points) + maps.c
    np.testing.assert_allclose(values, cells.interior_outputs(), atol=1e-12)


def test_vertices_on_folds_belong_to_one_of_their_cells() -> None:
    cells = splinescope.tessellate(network(10), CUBE)
    owner = cells.locate(cells.vertices)
    for vertex, cell in enumerate(owner):
        assert vertex in cells.cell_vertices[cells.cell_offsets[cell] : cells.cell_offsets[cell + 1]]


@pytest.mark.parametrize("what", ["facets", "closed", "volumes", "patterns", "labels"])
def test_certificate_finds_what_is_wrong(what: str) -> None:
    cells = splinescope.tessellate(network(11), CUBE)
    if what == "facets":
        wrong = cells.facet_cells.copy()
        wrong[:, 0] = np.roll(wrong[:, 0], 1)
        broken = replace(cells, facet_cells=wrong)
    elif what == "closed":
        items = cells.faces[3].items.copy()
        items[0], items[-1] = items[-1], items[0]
        broken = replace(cells, faces={**cells.faces, 3: cells.faces[3]._replace(items=items)})
    elif what == "volumes":
        broken = replace(cells, measures=cells.measures * (1 + 1e-9))
    elif what == "patterns":
        codes = cells.codes[0]
        broken = replace(cells, codes=(replace(codes, words=codes.words[::-1].copy()), *cells.codes[1:]))
    else:
        broken = replace(cells, facet_unit=np.roll(cells.facet_unit, 1))
    with pytest.raises(CertificateError):
        splinescope.tessellation.certify(broken, "values")


@pytest.mark.parametrize(
    ("domain", "options", "text"),
    [
        (splinescope.Box([0.0] * 4, [1.0] * 4), {}, "the network's input has shape"),
        (CUBE, {"verify": "all"}, "`verify`"),
        (CUBE, {"max_cells": 0}, "`max_cells`"),
    ],
)
def test_refusals(domain: splinescope.Box, options: dict[str, object], text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        splinescope.tessellate(network(), domain, **options)
    with pytest.raises(InvalidInputError, match="three or more"):
        tessellate_polytope(network(), splinescope.Box([0.0, 0, 0], [0.0, 1, 1]))
