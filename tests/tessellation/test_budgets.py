"""Budgets, streaming and interruption: the same complex in little memory, or an honest part of it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

import splinescope
from splinescope.errors import CertificateWarning
from splinescope.tessellation.certificate import certified
from splinescope.tessellation.planar import work
from tests.fixtures.cases import HEXAGON, Case
from tests.fixtures.degenerate import BY_NAME
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.seeds import seeds
from tests.tessellation.agreement import assert_agrees, cached_exact, slice_of
from tests.tessellation.test_grids import gaussian

CASE = Case("budget", gaussian(11, (2, 40, 40, 40, 3)), HEXAGON)
SMALL = 100_000


def complex_of(case: Case = CASE, **options: object) -> splinescope.PolyhedralComplex:
    """The engine's answer, proved."""
    return splinescope.tessellate(to_network(case.recipe), slice_of(case), verify="proof", **options)


def by_pattern(cells: splinescope.PolyhedralComplex) -> tuple[np.ndarray, np.ndarray]:
    """Patterns in lexicographic order, and areas in that order."""
    order = np.lexsort(cells.patterns.T)
    return cells.patterns[order], cells.measures[order]


def assert_same(one: splinescope.PolyhedralComplex, other: splinescope.PolyhedralComplex) -> None:
    """The same cells, patterns, areas, vertices and edges in any order."""
    assert len(one) == len(other)
    assert one.vertices.shape == other.vertices.shape
    assert one.edges.shape == other.edges.shape
    patterns, areas = zip(by_pattern(one), by_pattern(other), strict=True)
    np.testing.assert_array_equal(*patterns)
    np.testing.assert_allclose(*areas, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("budget", [20_000, SMALL, 1_000_000])
def test_memory_budget_gives_the_same_complex(budget: int) -> None:
    assert_same(complex_of(memory_budget=budget), complex_of())


@pytest.mark.parametrize(
    "name", ["quantised_4", "zero_bias_integer", "folding_3", "concurrent_in_thirds", "residual_clip"]
)
def test_memory_budget_on_degenerate_networks(name: str) -> None:
    assert_agrees(complex_of(BY_NAME[name], memory_budget=5_000), cached_exact(BY_NAME[name]))


@pytest.mark.parametrize("seed", seeds([*range(0, 40, 4), 40_049, 40_134, 40_563], range(40)))
def test_memory_budget_on_random_quantised_networks(seed: int) -> None:
    case = random_case(seed)
    assert_agrees(complex_of(case, memory_budget=2_000), cached_exact(case))


def test_store_gives_the_same_complex(tmp_path: Path) -> None:
    streamed = complex_of(memory_budget=SMALL, store=tmp_path / "parts")
    assert_same(streamed, complex_of())
    assert not list((tmp_path / "parts").glob("**/*.np*"))


def test_memory_stays_bounded() -> None:
    case = Case("wide", gaussian(12, (2, 60, 60, 1)), HEXAGON)
    complex_of()  # compiles
    peaks = []
    for budget in (100_000, None):
        tracemalloc.start()
        splinescope.tessellate(to_network(case.recipe), slice_of(case), verify="topology", memory_budget=budget)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 0.75 * peaks[1]


@pytest.mark.parametrize("max_cells", [1, 50, 500])
def test_cell_budget_is_an_exact_part(max_cells: int) -> None:
    full, part = complex_of(), complex_of(max_cells=max_cells)
    assert len(full) > 2 * max_cells
    assert part.truncated
    assert not full.truncated
    assert 1 <= len(part) <= max_cells
    found = full.locate(part.interior_points)
    assert len(set(found.tolist())) == len(part)
    np.testing.assert_array_equal(part.patterns, full.patterns[found])
    np.testing.assert_allclose(part.measures, full.measures[found], rtol=1e-7, atol=1e-12)


def test_cell_budget_that_is_large_enough_changes_nothing() -> None:
    full = complex_of()
    enough = complex_of(max_cells=len(full))
    assert not enough.truncated
    assert_same(enough, full)


def test_interruption_keeps_finished_parts() -> None:
    calls = []

    def interrupt(share: float, found: int) -> None:
        calls.append((share, found))
        if share > 0.9:  # also counts layers passed by parts that are not finished
            raise KeyboardInterrupt

    try:
        part = complex_of(memory_budget=SMALL, progress=interrupt)
    except KeyboardInterrupt:
        pytest.fail(f"the interruption threw away finished parts; progress was {calls[-3:]}")
    full = complex_of()
    assert part.truncated
    assert 0.3 * full.domain.area <= part.measures.sum() < full.domain.area
    found = full.locate(part.interior_points)
    assert len(set(found.tolist())) == len(part)
    np.testing.assert_array_equal(part.patterns, full.patterns[found])
    np.testing.assert_allclose(part.measures, full.measures[found], rtol=1e-7, atol=1e-12)


def test_interruption_before_anything_is_finished() -> None:
    def interrupt(share: float, found: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        complex_of(progress=interrupt)


def test_progress_grows_to_one() -> None:
    calls: list[tuple[float, int]] = []
    cells = complex_of(memory_budget=SMALL, progress=lambda share, found: calls.append((share, found)))
    shares = [share for share, _ in calls]
    assert shares == sorted(shares)
    assert len(set(shares)) > 5
    assert calls[-1] == (pytest.approx(1.0), len(cells))


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"verify": "certainly"}, "verify"),
        ({"max_cells": 0}, "max_cells"),
        ({"memory_budget": 0}, "memory_budget"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], argument: str) -> None:
    network = to_network(CASE.recipe)
    with pytest.raises(splinescope.errors.InvalidInputError, match=f"`{argument}`"):
        splinescope.tessellate(network, slice_of(CASE), **options)


def test_progress_of_one_piece_moves() -> None:
    shares: list[float] = []
    complex_of(progress=lambda share, found: shares.append(share))
    assert shares == sorted(shares)
    assert len(set(shares)) > 3
    assert shares[-1] == 1.0


def test_long_ways_are_cut_into_parts_that_are_finished_early(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, seen = complex_of(), []
    monkeypatch.setattr(work, "_PRODUCTS", 1e5)
    parted = complex_of(progress=lambda share, found: seen.append((share, found)))
    assert_same(parted, whole)
    shares, counts = zip(*seen, strict=True)
    assert list(shares) == sorted(shares)
    assert list(counts) == sorted(counts)
    assert sum(1 for share in shares if 0.02 < share < 0.98) > 5
    assert shares[-1] == pytest.approx(1.0)
    assert counts[-1] == len(whole)


def test_interruption_of_a_long_way_keeps_what_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_PRODUCTS", 1e5)

    def interrupt(share: float, found: int) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    part = complex_of(progress=interrupt)
    assert part.truncated
    assert 0.1 < part.measures.sum() / part.domain.area < 0.6
    assert part.certificate.level == "proof"


def test_an_interruption_of_the_comparisons_keeps_all_cells() -> None:
    with pytest.warns(CertificateWarning, match=r"cut short; level 'topology' reached instead of 'proof'"):
        cells = certified(complex_of(), "proof", patience=0.0)
    assert (cells.certificate.level, cells.certificate.requested) == ("topology", "proof")
    assert not cells.truncated


def test_results_do_not_depend_on_threads() -> None:
    """Of a complex whose arrays are long enough to be shared; products of torch may differ in the last digit."""
    case = Case("threads", gaussian(5, (2, 120, 100, 3)), HEXAGON)
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(splinescope.tessellate(to_network(case.recipe), slice_of(case)))
    finally:
        torch.set_num_threads(threads)
    one, two = found
    assert len(one.edges) > 2 * 8192
    for name in ("cell_vertices", "edges", "edge_cells", "edge_op", "edge_unit", "patterns"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for name in ("vertices", "vertex_outputs", "measures"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-13)
