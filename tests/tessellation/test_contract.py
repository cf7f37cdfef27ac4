"""One contract for complexes of every kind: segments, planes, space, and region graphs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Box, Network, PolyhedralComplex, Segment, Slice
from splinescope.errors import CertificateError, InvalidInputError
from splinescope.tessellation import certify
from splinescope.tessellation.affine import norms
from splinescope.tessellation.boundary import cell_classes, class_areas, class_regions
from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.export import to_table
from splinescope.tessellation.folds import dihedral_angles, folds, graph_angles
from splinescope.tessellation.metric import isometry
from splinescope.tessellation.region_graph import RegionGraph, region_graph
from splinescope.tessellation.regions import linear_regions
from splinescope.tessellation.statistics import cell_statistics, summary

mpl.use("Agg")

KINDS = ("segment", "plane", "polygon", "space", "four dimensions", "graph", "graph of a plane", "five dimensions")


def network_of(inputs: int, outputs: int = 3) -> Network:
    """Ten units, four of which are members of maxima."""
    torch.manual_seed(inputs)
    module = nn.Sequential(
        nn.Linear(inputs, 6), nn.ReLU(), nn.Linear(6, 4), nn.Unflatten(1, (1, 4)), nn.MaxPool1d(2), nn.Flatten(),
        nn.Linear(2, outputs),
    )  # fmt: skip
    return splinescope.from_torch(module, input_shape=(inputs,))


def domain_of(kind: str) -> Domain:
    rng = np.random.default_rng(0)
    if kind == "segment":
        return Segment(-5 * np.ones(4), 5 * rng.standard_normal(4))
    if kind == "polygon":  # a basis that is not orthonormal
        return Slice(rng.standard_normal(4), rng.standard_normal((2, 4)), np.array([[0.0, 0], [2, 0], [2, 1], [0, 2]]))
    sides = {"plane": 2, "space": 3, "four dimensions": 4, "graph": 3, "graph of a plane": 2, "five dimensions": 5}
    half = np.full(sides[kind], 1.5)
    return Slice.box(-half, half) if kind in ("plane", "graph of a plane") else Box(-half, half)


def build(kind: str) -> PolyhedralComplex:
    domain = domain_of(kind)
    network = network_of(int(np.prod(domain.input_shape)))
    found = region_graph(network, domain) if "graph" in kind else splinescope.tessellate(network, domain)
    assert isinstance(found, PolyhedralComplex)
    return found


COMPLEXES: dict[str, PolyhedralComplex] = {}


@pytest.fixture(params=KINDS)
def cells(request: pytest.FixtureRequest) -> PolyhedralComplex:
    if request.param not in COMPLEXES:
        COMPLEXES[request.param] = build(request.param)
    return COMPLEXES[request.param]


def samples(cells: PolyhedralComplex, count: int = 300) -> np.ndarray:
    corners = cells.domain.corners
    return np.random.default_rng(1).dirichlet(np.ones(len(corners)), count) @ corners


def test_rows(cells: PolyhedralComplex) -> None:
    assert len(cells) == len(cells.interior_points) == len(cells.patterns) == len(cells.packed_patterns) > 3
    assert cells.dimension == cells.domain.dimension == cells.interior_points.shape[1]
    assert not cells.truncated
    assert type(cells).__name__ in repr(cells)
    assert "\n" not in repr(cells)
    np.testing.assert_array_equal(cells.patterns_of(np.array([2, 0])), cells.patterns[[2, 0]])
    np.testing.assert_array_equal(cells.locate(cells.interior_points), np.arange(len(cells)))
    assert (cells.locate(samples(cells)) >= 0).all()


def test_measures_fill_the_domain(cells: PolyhedralComplex) -> None:
    assert cells.measures.shape == (len(cells),)
    assert cells.measures.sum() == pytest.approx(cells.domain.measure, rel=1e-9)


def test_facets_join_cells_that_differ_in_their_unit(cells: PolyhedralComplex) -> None:
    facets, columns = cells.facets, {node: start for node, start, _ in cells.pattern_nodes}
    assert len(facets) <= facets.total or cells.dimension == 1
    assert (facets.cells >= 0).all()
    assert (np.diff(facets.numbers) >= 0).all()
    patterns, one, other = cells.patterns, *facets.cells.T
    column = np.array([columns[op] for op in facets.ops.tolist()]) + facets.units
    assert (patterns[one, column] != patterns[other, column]).all()
    pairs = {tuple(sorted(pair)) for pair in facets.cells.tolist()}
    assert {tuple(sorted(pair)) for pair in np.transpose(cells.adjacency.nonzero()).tolist()} == pairs
    assert len(facets.outer) > 1


def test_halfspaces_hold_their_cell_and_nothing_else(cells: PolyhedralComplex) -> None:
    rows = [cells.halfspaces(cell) for cell in range(len(cells))]
    for cell, part in enumerate(rows):
        np.testing.assert_allclose(np.linalg.norm(part[:, :-1], axis=1), 1.0, rtol=1e-12)
        assert (part[:, :-1] @ cells.interior_points[cell] + part[:, -1] < 0).all()
        if isinstance(cells, VertexComplex):
            assert (part[:, :-1] @ cells.cell(cell).T + part[:, -1:] < 1e-12).all()
    points = samples(cells)
    for point, cell in zip(points, cells.locate(points).tolist(), strict=True):
        inside = [number for number, part in enumerate(rows) if (part[:, :-1] @ point + part[:, -1] <= 1e-12).all()]
        assert cell in inside
        assert len(inside) == 1 or (rows[cell][:, :-1] @ point + rows[cell][:, -1]).max() > -1e-9
    with pytest.raises(InvalidInputError, match="`cell`"):
        cells.halfspaces(len(cells))


def test_one_cell(cells: PolyhedralComplex) -> None:
    cell = cells[1]
    assert cells[-1].number == len(cells) - 1
    assert [one.number for one in cells] == list(range(len(cells)))
    np.testing.assert_array_equal(cell.pattern, cells.patterns[1])
    np.testing.assert_array_equal(cell.interior_point, cells.interior_points[1])
    np.testing.assert_array_equal(cell.halfspaces, cells.halfspaces(1))
    assert cell.measure == cells.measures[1]
    assert sorted(cell.neighbours.tolist()) == np.flatnonzero(cells.adjacency[[1]].toarray()[0]).tolist()
    for space in ("domain", "input"):
        A, c = cell.affine_map(space)
        maps = cells.affine_maps(space)
        np.testing.assert_allclose(A, maps.A[1], atol=1e-12)
        np.testing.assert_allclose(c, maps.c[1], atol=1e-12)
    if isinstance(cells, RegionGraph):
        with pytest.raises(InvalidInputError, match="`vertices`"):
            _ = cell.vertices
    else:
        assert cell.vertices.shape[1] == cells.dimension
    assert "\n" not in repr(cell)
    with pytest.raises(IndexError, match="`cell`"):
        _ = cells[len(cells)]


def test_maps_are_those_of_autograd(cells: PolyhedralComplex) -> None:
    network, domain = cells.network, cells.domain
    inputs = torch.from_numpy(domain.embed(cells.interior_points)).requires_grad_(True)
    outputs = network(inputs)
    basis = domain.basis.reshape(cells.dimension, -1)
    for output in range(3):
        (gradient,) = torch.autograd.grad(outputs[:, output].sum(), inputs, retain_graph=True)
        along = gradient.reshape(len(cells), -1).numpy()
        np.testing.assert_allclose(cells.affine_maps("input").A[:, output], along, atol=1e-11)
        np.testing.assert_allclose(cells.affine_maps().A[:, output], along @ basis.T, atol=1e-9)
    np.testing.assert_allclose(cells.interior_outputs(), outputs.detach().numpy(), atol=1e-10)
    some = np.array([3, 1])
    np.testing.assert_allclose(cells.affine_maps(which=some).A, cells.affine_maps().A[some], atol=1e-10)


def test_norms_and_the_lipschitz_constant(cells: PolyhedralComplex) -> None:
    basis = cells.domain.basis.reshape(cells.dimension, -1)
    orthonormal = np.linalg.qr(basis.T)[0]
    A = cells.affine_maps("input").A
    expected = np.linalg.norm(A @ orthonormal, ord=2, axis=(1, 2))
    np.testing.assert_allclose(cells.norms(), expected, rtol=1e-7)
    np.testing.assert_allclose(norms(cells, "frobenius"), np.linalg.norm(A @ orthonormal, axis=(1, 2)), rtol=1e-7)
    np.testing.assert_allclose(cells.norms(space="input"), np.linalg.norm(A, ord=2, axis=(1, 2)), rtol=1e-9)
    assert cells.lipschitz() == pytest.approx(expected.max(), rel=1e-7)
    gram = basis @ basis.T
    np.testing.assert_allclose(isometry(cells) @ isometry(cells).T, gram, atol=1e-12 * np.abs(gram).max())


def test_extrema_are_attained_and_not_exceeded(cells: PolyhedralComplex) -> None:
    found = cells.extrema()
    values = cells.network(cells.domain.embed(samples(cells, 2000)))
    assert (values <= found.maximum + 1e-9).all()
    assert (values >= found.minimum - 1e-9).all()
    for where, extremum in ((found.minimizers, found.minimum), (found.maximizers, found.maximum)):
        attained = cells.network(cells.domain.embed(where))
        np.testing.assert_allclose(np.diagonal(attained), extremum, atol=1e-8)


def test_extrema_of_a_graph_are_those_of_vertices() -> None:
    graph, cells = build("graph"), build("space")
    for name in ("minimum", "maximum"):
        np.testing.assert_allclose(getattr(graph.extrema(), name), getattr(cells.extrema(), name), atol=1e-9)


def test_linear_regions_are_unions_of_cells(cells: PolyhedralComplex) -> None:
    regions, A = cells.linear_regions(), cells.affine_maps().A
    assert 1 < regions.count <= len(cells)
    assert len(np.unique(regions.labels)) == regions.count
    for one, other in cells.facets.cells:
        same = np.abs(A[one] - A[other]).max() < 1e-6
        assert (regions.labels[one] == regions.labels[other]) or not same
    assert linear_regions(cells, 0.0).count >= regions.count


def test_folds_name_units(cells: PolyhedralComplex) -> None:
    found = cells.folds()
    np.testing.assert_array_equal(found.facets, cells.facets.numbers)
    assert len(found.labels()) == len(cells.facets)
    assert (found.lengths is None) == (not hasattr(cells, "edges") or cells.dimension != 2)
    assert (folds(cells).layers < 2).all()


def test_graph_angles(cells: PolyhedralComplex) -> None:
    angles = graph_angles(cells, 1)
    assert angles.shape == (cells.facets.total,)
    within = np.zeros(cells.facets.total, bool)
    within[cells.facets.numbers] = True
    assert np.isfinite(angles[within]).all()
    assert np.isnan(angles[~within]).all()
    with pytest.raises(InvalidInputError, match="`output`"):
        graph_angles(cells, 3)


def test_classes_are_those_of_the_network(cells: PolyhedralComplex) -> None:
    points = samples(cells)
    classes = cells.network(cells.domain.embed(points)).argmax(axis=1)
    boundary = cells.decision_boundary()
    if cells.dimension == 1:
        found = boundary.classes[np.searchsorted(boundary.start, points[:, 0], side="right") - 1]
        np.testing.assert_array_equal(found, classes)
    elif isinstance(cells, RegionGraph) or cells.dimension > 3:
        np.testing.assert_array_equal(boundary.labels[boundary.graph.locate(points)], classes)
        assert (boundary.classes[:, 0] != boundary.classes[:, 1]).all()
        values = np.sort(cells.network(cells.domain.embed(boundary.points)), axis=1)
        np.testing.assert_allclose(values[:, -1], values[:, -2], atol=1e-9)
        assert boundary.halfspaces.shape == (len(boundary), cells.dimension + 1)
    assert set(np.unique(cells.classes)) <= {0, 1, 2}
    if cells.dimension != 2:
        interior = cells.network(cells.domain.embed(cells.interior_points)).argmax(axis=1)
        np.testing.assert_array_equal(cells.classes, interior)
    assert set(np.unique(cell_classes(cells, [0, 2]))) <= {0, 2}
    with pytest.raises(InvalidInputError, match="`classes`"):
        cells.decision_boundary([0])


def test_decision_boundaries_that_search_anew_report_their_progress(cells: PolyhedralComplex) -> None:
    calls: list[tuple[float, int]] = []
    cells.decision_boundary(progress=lambda share, found: calls.append((share, found)))
    assert bool(calls) == (cells.dimension > 2 or isinstance(cells, RegionGraph))
    if calls:
        assert calls[-1][0] == pytest.approx(1.0)
        assert calls[-1][1] >= 1


def test_what_is_of_planes_is_refused_elsewhere(cells: PolyhedralComplex) -> None:
    questions = (lambda c: c.areas, class_areas, class_regions, cell_statistics, summary, dihedral_angles)
    for ask in questions:
        if cells.dimension == 2 and isinstance(cells, VertexComplex):
            ask(cells)
        else:
            with pytest.raises(InvalidInputError, match=r"^`cells`: got a .* of dimension .* of planes: expected"):
                ask(cells)


def test_pictures(cells: PolyhedralComplex) -> None:
    import matplotlib.pyplot as plt

    options = {"height": 60} if isinstance(cells, VertexComplex) and cells.dimension == 3 else {}
    assert cells.plot(**options).get_title()
    plt.close("all")


def test_tables(cells: PolyhedralComplex) -> None:
    table = cells.to_table()
    assert {len(column) for column in table.values()} == {len(cells)}
    assert len(set(table["pattern"].tolist())) == len(cells)
    assert f"A_2_{cells.dimension}" in table
    assert "A_0_1" not in to_table(cells, maps=False)


def test_a_certificate_is_plain_numbers(cells: PolyhedralComplex) -> None:
    assert cells.certificate.level == "values"
    assert json.loads(json.dumps(cells.certificate.to_dict()))


def test_certificates_are_made_anew_and_refuse_what_is_wrong(cells: PolyhedralComplex) -> None:
    assert certify(cells, "proof").level in ("proof", "calibrated")
    points = cells.interior_points.copy()
    points[[0, 1]] = points[[1, 0]]
    with pytest.raises(CertificateError):
        certify(dataclasses.replace(cells, interior_points=points, certificate=None), "values")


def test_too_many_dimensions_have_no_volumes() -> None:
    module = nn.Sequential(nn.Linear(7, 2), nn.ReLU(), nn.Linear(2, 1))
    graph = region_graph(splinescope.from_torch(module, input_shape=(7,)), Box(-np.ones(7), np.ones(7)))
    with pytest.raises(InvalidInputError, match=r"`measures`.*dimension 7"):
        _ = graph.measures
    assert "measure" not in graph.to_table()


def test_polygons_of_a_geodataframe() -> None:
    cells = build("plane")
    frame = cells.to_geodataframe()
    np.testing.assert_allclose(frame.geometry.area.to_numpy(), cells.measures)


def test_saved_cells_are_opened_again(cells: PolyhedralComplex, tmp_path: Path) -> None:
    again = splinescope.open(cells.save(tmp_path / "cells.npz"))
    assert type(again) is type(cells)
    assert repr(again) == repr(cells)
    np.testing.assert_array_equal(again.patterns, cells.patterns)
    np.testing.assert_array_equal(again.interior_points, cells.interior_points)
    np.testing.assert_array_equal(again.locate(cells.interior_points), np.arange(len(cells)))
    assert again.lipschitz() == pytest.approx(cells.lipschitz(), rel=1e-12)
