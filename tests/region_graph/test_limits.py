"""Budgets, restarts and executors: partial results are honest, and nothing changes the cells."""

from __future__ import annotations

import itertools
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import splinescope
from splinescope.errors import InvalidInputError, StoreError, WorkerError
from splinescope.tessellation.region_graph import RegionGraph, engine, region_graph
from splinescope.tessellation.region_graph.search import frontier
from splinescope.tessellation.region_graph.search.explore import Explorer
from tests.region_graph.nets import assert_same, box, random_net

NETWORK, DOMAIN = random_net((3, 14, 14, 1), seed=7), box(3)


@pytest.fixture(scope="module")
def whole() -> RegionGraph:
    graph = region_graph(NETWORK, DOMAIN, verify="proof")
    assert graph.complete
    assert len(graph) > 500
    return graph


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that a level has several."""
    monkeypatch.setattr("splinescope.tessellation.region_graph.search.explore.BLOCK", 16)


def test_part_of_a_graph(whole: RegionGraph) -> None:
    part = region_graph(NETWORK, DOMAIN, max_cells=200, verify="proof")
    assert len(part) == part.lower_bound == 200
    assert not part.complete
    assert part.truncated
    assert part.lower_bound <= len(whole) <= part.upper_bound
    np.testing.assert_array_equal(part.keys, whole.keys[:200])
    np.testing.assert_array_equal(part.interior_points, whole.interior_points[:200])
    np.testing.assert_array_equal(part.degrees, whole.degrees[:200])
    unexplored = part.facet_neighbours == -2
    assert unexplored.any()
    facets = slice(0, len(part.facet_op))
    assert (whole.facet_neighbours[facets][unexplored] >= 200).all()
    np.testing.assert_array_equal(part.facet_neighbours[~unexplored], whole.facet_neighbours[facets][~unexplored])
    assert part.certificate is not None
    assert part.certificate.components == 1
    assert "200 of at most" in repr(part)


def test_progress_of_a_tessellation_in_many_dimensions() -> None:
    seen: list[tuple[float, int]] = []
    cells = splinescope.tessellate(
        random_net((5, 10, 1)), box(5), progress=lambda share, found: seen.append((share, found))
    )
    assert isinstance(cells, RegionGraph)
    shares = [share for share, _ in seen]
    assert len(set(shares)) > 3
    assert min(shares) < 0.5
    assert seen[-1] == (1.0, len(cells))


@pytest.mark.parametrize("threads", [1, 4])
def test_a_memory_budget_bounds_the_cells_in_work(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, domain = random_net((5, 10, 1)), box(5)
    free = Explorer.of(network, domain, engine.Tolerance())
    assert free.blocks_within(8) == 8
    budget = 40 * free._bytes
    tight = Explorer.of(network, domain, engine.Tolerance(), budget)
    assert (tight.block, tight.checked, tight.blocks_within(8)) == (40, 40, 1)
    assert Explorer.of(network, domain, engine.Tolerance(), 1).block == 1
    assert Explorer.of(network, domain, engine.Tolerance(), 3 * 256 * free._bytes).blocks_within(8) == 3

    sizes, explore = [], Explorer.explore
    monkeypatch.setattr(Explorer, "explore", lambda self, seeds: sizes.append(len(seeds)) or explore(self, seeds))
    monkeypatch.setattr("splinescope.tessellation.region_graph.search.frontier.number_of_threads", lambda: threads)
    small = splinescope.tessellate(network, domain, memory_budget=budget)
    assert max(sizes) == 40
    whole = splinescope.tessellate(network, domain)
    np.testing.assert_array_equal(small.keys, whole.keys)
    np.testing.assert_allclose(small.facet_halfspaces, whole.facet_halfspaces, atol=1e-13)
    with pytest.raises(InvalidInputError, match="`memory_budget`: got 0; expected a positive number or None"):
        region_graph(network, domain, memory_budget=0)


def test_points_outside_a_part_are_not_located(whole: RegionGraph) -> None:
    part = region_graph(NETWORK, DOMAIN, max_cells=50)
    found = part.locate(whole.interior_points)
    np.testing.assert_array_equal(found[:50], np.arange(50))
    assert (found[50:] == -1).all()


@pytest.mark.usefixtures("small_blocks")
def test_time_limit_gives_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second whenever it is looked at: a search that looks often enough ends in time."""
    clock = SimpleNamespace(monotonic=itertools.count().__next__)
    for module in (engine, frontier):
        monkeypatch.setattr(module, "time", clock)
    network = random_net((6, 40, 40, 1), seed=1)
    parts = [region_graph(network, box(6), time_limit=limit) for limit in (1e-9, 20.0)]
    assert 1 <= len(parts[0]) < len(parts[1]) < 400
    assert all(len(part) < part.upper_bound and not part.complete for part in parts)


def test_max_cells_equal_to_all(whole: RegionGraph) -> None:
    """A budget that is just enough leaves nothing to explore."""
    assert_same(region_graph(NETWORK, DOMAIN, max_cells=len(whole)), whole)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("stops", [[1], [40, 41, 200], [7, 150, 151, 152]])
def test_a_resumed_search_ends_as_if_it_had_not_stopped(stops: list[int], tmp_path: Path) -> None:
    expected = region_graph(NETWORK, DOMAIN)
    file = tmp_path / "search.npz"
    region_graph(NETWORK, DOMAIN, max_cells=stops[0], checkpoint=file)
    for stop in stops[1:]:
        part = region_graph(NETWORK, DOMAIN, max_cells=stop, resume=file, checkpoint=file)
        assert len(part) == stop
    assert_same(region_graph(NETWORK, DOMAIN, resume=file), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["search.npz"]


def test_a_finished_search_resumes_to_itself(whole: RegionGraph, tmp_path: Path) -> None:
    file = tmp_path / "search.npz"
    assert_same(region_graph(NETWORK, DOMAIN, checkpoint=file), whole)
    assert_same(region_graph(NETWORK, DOMAIN, resume=file), whole)


class Interrupted(Executor):
    """Runs everything at once, and is interrupted at the third block, or breaks there."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.count, self.error = 0, error or KeyboardInterrupt()

    def submit(self, function, /, *arguments, **options):  # type: ignore[no-untyped-def]
        self.count += 1
        future: Future = Future()
        if self.count == 3:
            future.set_exception(self.error)
        else:
            future.set_result(function(*arguments, **options))
        return future


@pytest.mark.usefixtures("small_blocks")
def test_interrupting_gives_a_part_that_can_be_resumed(tmp_path: Path) -> None:
    file = tmp_path / "search.npz"
    part = region_graph(NETWORK, DOMAIN, executor=Interrupted(), checkpoint=file)
    assert 1 <= len(part) < 100
    assert not part.complete
    assert_same(region_graph(NETWORK, DOMAIN, resume=file), region_graph(NETWORK, DOMAIN))


@pytest.mark.usefixtures("small_blocks")
def test_an_executor_that_breaks_loses_no_work(tmp_path: Path) -> None:
    file = tmp_path / "search.npz"
    with pytest.raises(WorkerError, match="`executor`: one of its workers died"):
        region_graph(NETWORK, DOMAIN, executor=Interrupted(BrokenExecutor()), checkpoint=file)
    assert_same(region_graph(NETWORK, DOMAIN, resume=file), region_graph(NETWORK, DOMAIN))


@pytest.mark.usefixtures("small_blocks")
def test_threads_of_others(tmp_path: Path) -> None:
    expected = region_graph(NETWORK, DOMAIN)
    with ThreadPoolExecutor(3) as executor:
        assert_same(region_graph(NETWORK, DOMAIN, executor=executor), expected)
        region_graph(NETWORK, DOMAIN, executor=executor, max_cells=100, checkpoint=tmp_path / "search.npz")
        assert_same(region_graph(NETWORK, DOMAIN, executor=executor, resume=tmp_path / "search.npz"), expected)


def test_processes(whole: RegionGraph) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert_same(region_graph(NETWORK, DOMAIN, executor=executor), whole)


def test_a_search_is_saved_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_BETWEEN", 0.0)
    monkeypatch.setattr(engine, "_SHARE", 0.0)
    saved = []
    save = engine.save_search
    monkeypatch.setattr(engine, "save_search", lambda search, path: saved.append(search.explored) or save(search, path))
    graph = region_graph(NETWORK, DOMAIN, max_cells=300, checkpoint=tmp_path / "search.npz")
    assert len(saved) > 3
    assert saved == sorted(saved)
    assert saved[-1] == len(graph)


def test_starts_lead_to_the_same_cells(whole: RegionGraph) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    graph = region_graph(NETWORK, DOMAIN, starts=points, generator=np.random.default_rng(3))
    assert set(map(bytes, graph.keys)) == set(map(bytes, whole.keys))
    assert len(set(graph.locate(points).tolist())) > 5
    assert graph.locate(points).max() < 20  # the starts' cells come first
    part = region_graph(NETWORK, DOMAIN, starts=points, max_cells=5)
    assert (part.locate(points) >= 0).sum() >= 5


def test_starts_on_the_boundary(whole: RegionGraph) -> None:
    graph = region_graph(NETWORK, DOMAIN, starts=DOMAIN.corners)
    assert len(graph) == len(whole)


BAD = {
    "`starts`: got the shape \\(3,\\)": {"starts": np.zeros(3)},
    "`starts`: input 1 is outside": {"starts": np.array([[0.0, 0, 0], [0, 2, 0]])},
    "`starts`: some numbers are NaN": {"starts": np.array([[0.0, np.nan, 0]])},
    "`time_limit`: got 0.0": {"time_limit": 0.0},
    "`max_cells`: got 0": {"max_cells": 0},
    "`verify`: got 'all'": {"verify": "all"},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_arguments(message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        region_graph(NETWORK, DOMAIN, **BAD[message])  # type: ignore[arg-type]


def test_bad_files(tmp_path: Path) -> None:
    file = tmp_path / "search.npz"
    region_graph(NETWORK, DOMAIN, max_cells=20, checkpoint=file)
    with pytest.raises(StoreError, match="for another network, domain or tolerance"):
        region_graph(NETWORK, box(3, 0.5), resume=file)
    with pytest.raises(StoreError, match="for another network, domain or tolerance"):
        region_graph(random_net((3, 14, 14, 1), seed=8), DOMAIN, resume=file)
    with pytest.raises(StoreError, match="there is no file"):
        region_graph(NETWORK, DOMAIN, resume=tmp_path / "none.npz")
    with pytest.raises(InvalidInputError, match="there is no folder"):
        region_graph(NETWORK, DOMAIN, max_cells=20, checkpoint=tmp_path / "none" / "search.npz")
    with pytest.raises(InvalidInputError, match="both were given"):
        region_graph(NETWORK, DOMAIN, resume=file, starts=np.zeros((1, 3)))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(StoreError, match="not a complete file of a search"):
        region_graph(NETWORK, DOMAIN, resume=file)


def test_blocks_are_smaller_where_cells_are_dear() -> None:
    assert Explorer.of(NETWORK, DOMAIN, engine.Tolerance()).block == 256
    assert Explorer.of(random_net((60, 60, 1)), box(60), engine.Tolerance()).block < 64
