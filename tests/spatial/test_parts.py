"""A domain that is finished part by part has the same cells, faces and values as one that is taken as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

import splinescope
from splinescope.errors import DegenerateArrangementError, InvalidInputError
from splinescope.geometry.lattice.polytopes import vertices_of_faces
from splinescope.network import Network
from splinescope.tessellation.spatial import run as runs
from splinescope.tessellation.spatial import state as states
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, RELU, Kind, clip, leaky
from tests.queries.scenes import gaussian
from tests.seeds import seeds
from tests.spatial.cases import CASES, SpaceCase, dense_skips, random_space_case, residual

KINDS: dict[str, Kind] = {"relu": RELU, "abs": ABS, "leaky": leaky(0.1), "clip": clip(-0.5, 0.75)}
BOXES = {d: splinescope.Box([-1.0] * d, [1.0] * d) for d in (3, 4)}
SIMPLEX = splinescope.Slice(np.zeros(3), np.eye(3), np.array([[-1.0, -1, -1], [2, -1, 0], [0, 2, -1], [0.5, 0, 2]]))


@pytest.fixture
def parts_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, int]]:
    """Tessellates in parts of so few cells; the complex and how many parts there were."""

    def tessellated(network: Network, domain: Any, cells: int, **options: Any) -> tuple[Any, int]:
        found = []
        joined = runs.SpatialRun.joined

        def counted(run: runs.SpatialRun) -> runs.FinishedPart:
            found.append(len(run.store))
            return joined(run)

        with monkeypatch.context() as patch:
            patch.setattr(states, "_FEWEST", cells)
            patch.setattr(runs.SpatialRun, "joined", counted)
            whole = splinescope.tessellate(network, domain, memory_budget=1, **options)
        return whole, found[0]

    return tessellated


def faces_by_vertices(cells: Any, number: np.ndarray) -> list[set[tuple[int, ...]]]:
    """For each dimension from edges to cells the sets of vertices of all faces, by other numbers of the vertices."""
    levels = [(cells.faces[k].offsets, cells.faces[k].items) for k in range(2, cells.dimension + 1)]
    sets = [{tuple(sorted(pair)) for pair in number[cells.edges].tolist()}]
    for offsets, items in vertices_of_faces(cells.edges, levels):
        lists = np.split(number[items], offsets[1:-1])
        sets.append({tuple(sorted(one.tolist())) for one in lists})
        assert len(sets[-1]) == len(offsets) - 1
    return sets


def assert_same(parted: Any, whole: Any) -> None:
    """The same complex but for the order of its faces."""
    assert not parted.truncated
    assert parted.certificate.level == whole.certificate.level
    assert parted.euler_characteristic == whole.euler_characteristic == 1
    assert len(parted) == len(whole)
    assert len(parted.vertices) == len(whole.vertices)
    order = [np.lexsort([np.zeros(len(c)), *c.patterns.T]) for c in (parted, whole)]
    np.testing.assert_array_equal(parted.patterns[order[0]], whole.patterns[order[1]])
    cell = np.empty(len(whole), np.int64)
    cell[order[0]] = order[1]
    assert len(np.unique(whole.patterns, axis=0)) == len(whole)
    scale = float(np.ptp(whole.vertices, axis=0).max())
    np.testing.assert_allclose(parted.interior_points, whole.interior_points[cell], atol=1e-9 * scale)
    np.testing.assert_allclose(parted.measures, whole.measures[cell], rtol=1e-6, atol=1e-12 * scale**whole.dimension)
    distance, number = cKDTree(whole.vertices).query(parted.vertices)
    assert distance.max() <= 1e-9 * scale
    if len(np.unique(number)) == len(number):  # vertices nearer to each other than they are placed have no other name
        assert faces_by_vertices(parted, number) == faces_by_vertices(whole, np.arange(len(number)))
        size = np.abs(whole.vertex_outputs).max(initial=1.0)
        np.testing.assert_allclose(parted.vertex_outputs, whole.vertex_outputs[number], atol=1e-9 * size)
    assert {k: len(f.offsets) for k, f in parted.faces.items()} == {k: len(f.offsets) for k, f in whole.faces.items()}
    assert facets_of(parted, cell) == facets_of(whole, np.arange(len(whole)))


def facets_of(cells: Any, number: np.ndarray) -> list[tuple[Any, ...]]:
    """Cells on both sides of all facets, and the folds that made them, where it is not one of several in one place."""
    sides, op, unit = np.append(number, -1)[cells.facet_cells], cells.facet_op.copy(), cells.facet_unit.copy()
    inner = (sides >= 0).all(axis=1)
    patterns = cells.patterns[np.where(inner[:, None], cells.facet_cells, 0)]
    several = inner & ((patterns[:, 0] != patterns[:, 1]).sum(axis=1) > 1)
    op[several] = unit[several] = -2
    either = several | ~inner
    sides[either] = np.sort(sides[either], axis=1)
    return sorted(map(tuple, np.column_stack([sides, op, unit]).tolist()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [2, 9, 40])
def test_dense_networks(kind: str, most: int, parts_of: Any) -> None:
    network = to_network(gaussian(3, (7, 6, 5), 2, inputs=3, kind=KINDS[kind]))
    parted, parts = parts_of(network, BOXES[3], most)
    whole = splinescope.tessellate(network, BOXES[3])
    assert parts >= len(whole) / (2 * most)
    assert_same(parted, whole)


@pytest.mark.parametrize("most", [3, 20])
def test_four_dimensions(most: int, parts_of: Any) -> None:
    network = to_network(gaussian(5, (6, 5), 2, inputs=4))
    parted, parts = parts_of(network, BOXES[4], most)
    assert parts > 4
    assert_same(parted, splinescope.tessellate(network, BOXES[4]))


@pytest.mark.parametrize("recipe", [residual(), dense_skips()])
def test_skips(recipe: Any, parts_of: Any) -> None:
    network = to_network(recipe)
    parted, parts = parts_of(network, BOXES[3], 5, verify="proof")
    assert parts > 1
    assert_same(parted, splinescope.tessellate(network, BOXES[3], verify="proof"))


def test_a_simplex(parts_of: Any) -> None:
    network = to_network(gaussian(8, (8, 7), 1, inputs=3))
    parted, parts = parts_of(network, SIMPLEX, 6)
    assert parts > 4
    assert_same(parted, splinescope.tessellate(network, SIMPLEX))


def elementwise(network: Network) -> bool:
    return all(fold.elementwise for fold in network.folds.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_degenerate_arrangements(case: SpaceCase, parts_of: Any) -> None:
    """Planes coincide, share lines and points, and go through corners, edges and faces of the box and of each other."""
    network = to_network(case.recipe)
    parted, parts = parts_of(network, case.domain, 2)
    whole = splinescope.tessellate(network, case.domain)
    if elementwise(network):
        assert parts > 1 or len(whole) < 3
        assert_same(parted, whole)
    else:
        assert parts == 1


@pytest.mark.parametrize("seed", seeds(range(0, 200, 16), range(200)))
def test_random_quantised_networks(seed: int, parts_of: Any) -> None:
    case = random_space_case(seed)
    network = to_network(case.recipe)
    if elementwise(network):
        assert_same(parts_of(network, case.domain, 1 + seed % 7)[0], splinescope.tessellate(network, case.domain))


def test_parts_in_a_folder(parts_of: Any, tmp_path: Path) -> None:
    network = to_network(gaussian(3, (7, 6), 1, inputs=3))
    parted, parts = parts_of(network, BOXES[3], 8, store=tmp_path / "parts")
    assert parts > 4
    assert_same(parted, splinescope.tessellate(network, BOXES[3]))
    assert not list((tmp_path / "parts").rglob("*.npz"))


def test_there_are_no_parts_without_vertices(tmp_path: Path) -> None:
    network = to_network(gaussian(3, (4,), 1, inputs=5))
    with pytest.raises(InvalidInputError, match="`store`: streaming"):
        splinescope.tessellate(network, splinescope.Box([-1.0] * 5, [1.0] * 5), store=tmp_path)


def test_an_interrupted_run_keeps_its_parts(parts_of: Any) -> None:
    network = to_network(gaussian(3, (9, 8, 7), 1, inputs=3))
    calls = []

    def stop(share: float, cells: int) -> None:
        calls.append((share, cells))
        if share > 0.5:
            raise KeyboardInterrupt

    cells, parts = parts_of(network, BOXES[3], 40, progress=stop)
    whole = splinescope.tessellate(network, BOXES[3])
    assert parts > 1
    assert cells.truncated
    assert 0 < len(cells) < len(whole)
    assert 0 < cells.measures.sum() < 8
    assert set(map(bytes, cells.patterns)) < set(map(bytes, whole.patterns))


def test_progress_never_goes_back(parts_of: Any) -> None:
    shares: list[float] = []
    network = to_network(gaussian(3, (9, 8), 1, inputs=3))
    parts_of(network, BOXES[3], 10, progress=lambda share, cells: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_borders_that_were_cut_in_different_ways_are_refused(parts_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that misses a fold does not fit the others."""
    network = to_network(gaussian(3, (7, 6), 1, inputs=3))
    cut = states.SpatialState.cut

    def forgetful(state: states.SpatialState, key: int, folds: Any) -> np.ndarray:
        if folds.columns.node == max(network.folds) and state.share < 0.3 and not hasattr(forgetful, "done"):
            forgetful.done = True  # type: ignore[attr-defined]
            folds = folds.among(np.zeros(folds.size, bool))
        return cut(state, key, folds)

    monkeypatch.setattr(states.SpatialState, "cut", forgetful)
    with pytest.raises(DegenerateArrangementError, match="border"):
        parts_of(network, BOXES[3], 20)
    assert hasattr(forgetful, "done")
