"""Counts and degrees that are known in closed form, or from several independent programs."""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from splinescope.tessellation.region_graph import region_graph
from tests.fixtures.reference_nets import path_of
from tests.region_graph.nets import box, random_net, zaslavsky


@pytest.mark.parametrize(
    ("d", "n", "cells", "degree"),
    [
        (4, 4, 16, 4.00),
        (4, 8, 163, 6.28),
        (4, 16, 2517, 7.32),
        (5, 4, 16, 4.00),
        (5, 8, 219, 7.23),
        (5, 16, 6885, 9.02),
    ],
)
def test_table_of_gaines_and_bi(d: int, n: int, cells: int, degree: float) -> None:
    """One hidden layer in general position: Gaines & Bi (ICLR 2026), table 1. The box is larger than every vertex."""
    graph = region_graph(random_net((d, n, 1), bias=0.01), box(d, 1e6))
    assert len(graph) == cells == zaslavsky(n, d)
    assert graph.complete
    assert graph.lower_bound == graph.upper_bound == cells
    assert round(graph.mean_degree, 2) == degree
    assert graph.mean_degree == pytest.approx(2 * n * zaslavsky(n - 1, d - 1) / cells, rel=1e-12)
    assert graph.mean_degree <= 2 * d


@pytest.mark.parametrize(("d", "n"), [(1, 7), (2, 9), (3, 8), (6, 7), (7, 9)])
def test_general_position(d: int, n: int) -> None:
    graph = region_graph(random_net((d, n, 1), seed=d, bias=0.01), box(d, 1e6), verify="proof" if d < 6 else "values")
    assert len(graph) == zaslavsky(n, d)


@pytest.mark.parametrize("d", [2, 3, 4])
def test_central_arrangement(d: int) -> None:
    """Zero biases: all folds pass through the origin, which is also where the search starts."""
    n = 7
    graph = region_graph(random_net((d, n, 1), bias=0.0), box(d), verify="proof")
    assert len(graph) == 2 * sum(int(np.prod(range(n - j, n))) // int(np.prod(range(1, j + 1))) for j in range(d))
    assert graph.doubts.undecided == graph.doubts.slivers == 0


@pytest.mark.parametrize(
    ("name", "d", "cells"),
    [("N0", 2, 86), ("Z0", 2, 66), ("DUP", 2, 63), ("AX", 2, 39), ("N5s", 3, 1373)],
)
def test_reference_nets(name: str, d: int, cells: int) -> None:
    graph = region_graph(splinescope.load(path_of(f"{name}.npz")), box(d), verify="proof")
    assert len(graph) == cells
    assert graph.complete
    assert graph.certificate is not None
    assert graph.certificate.level == "proof"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "d", "cells"), [("N1", 2, 6668), ("N5", 3, 20724)])
def test_large_reference_nets(name: str, d: int, cells: int) -> None:
    assert len(region_graph(splinescope.load(path_of(f"{name}.npz")), box(d))) == cells


def test_one_verb_for_every_dimension() -> None:
    """More than four dimensions have no vertices: the verb gives a region graph."""
    graph = splinescope.tessellate(random_net((6, 5, 1)), box(6))
    assert graph.dimension == 6
    assert graph.truncated is False
