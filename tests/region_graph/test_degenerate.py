"""Degenerate and quantised networks, cell by cell as exact rational arithmetic has them, with a proof."""

from __future__ import annotations

import json

import pytest

import splinescope
from splinescope.tessellation.region_graph import RegionGraph, region_graph
from tests.fixtures.cases import Case
from tests.fixtures.degenerate import CASES
from tests.fixtures.engine_networks import to_network
from tests.fixtures.freeze import GOLD
from tests.fixtures.random_nets import random_case
from tests.reference.rational_space import SpaceTessellation, tessellate_space
from tests.region_graph.nets import box
from tests.seeds import every, seeds, thorough
from tests.tessellation.agreement import slice_of


@pytest.mark.parametrize("case", every(3, CASES), ids=lambda case: case.name)
def test_planes(case: Case) -> None:
    """The count, with a proof; the planar engine's cells are compared with the rational twin one by one elsewhere."""
    network = splinescope.load(case.module(), input_shape=case.input_shape)
    graph = region_graph(network, slice_of(case), verify="proof")
    assert len(graph) == json.loads(GOLD.read_text())[case.name]["cells"]
    assert graph.complete
    assert graph.doubts.undecided == graph.doubts.slivers == graph.doubts.one_sided == 0


def assert_agrees(graph: RegionGraph, exact: SpaceTessellation) -> None:
    """Each cell is one exact cell with its pattern, and there are as many facets."""
    assert len(graph) == len(exact)
    assert graph.complete
    owners = exact.owners(graph.interior_points)
    assert len(set(owners.tolist())) == len(exact)
    for pattern, owner in zip(graph.patterns, owners, strict=True):
        choices = exact.cells[owner].pattern
        assert len(pattern) == len(choices)
        assert all(int(piece) in allowed for piece, allowed in zip(pattern, choices, strict=True))
    assert graph.certificate is not None
    assert graph.certificate.facets == sum(len(cells) == 2 for cells in exact.faces[-2].values())


def check(seed: int, dimension: int, **size: int) -> None:
    recipe = random_case(seed, n_inputs=dimension, **size).recipe
    graph = region_graph(to_network(recipe), box(dimension), verify="proof")
    assert_agrees(graph, tessellate_space(recipe, [-1] * dimension, [1] * dimension))
    assert graph.doubts.undecided == graph.doubts.slivers == graph.doubts.one_sided == 0


@pytest.mark.parametrize("seed", seeds(range(0, 40, 4), range(40)))
def test_random_quantised_nets_in_space(seed: int) -> None:
    check(seed, 3, max_width=5, max_depth=3)


@pytest.mark.parametrize("seed", seeds([100, 104, 106], range(100, 108)))
def test_random_quantised_nets_in_four_dimensions(seed: int) -> None:
    check(seed, 4, max_width=4, max_depth=2)


@thorough
def test_sweep(sweep: int) -> None:
    failures = []
    for seed in range(30_000, 30_000 + sweep):
        try:
            check(seed, 3, max_width=6, max_depth=3)
        except (AssertionError, splinescope.SplinescopeError) as error:
            failures.append((seed, type(error).__name__, str(error)[:200]))
    assert not failures
