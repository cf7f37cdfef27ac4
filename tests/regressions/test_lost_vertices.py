"""Cells of six dimensions of which Qhull lost vertices, so that they had no volume or too little."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope.tessellation.region_graph import region_graph
from splinescope.tessellation.region_graph.volumes import _volume
from tests.preimage.nets import cube, formula, network


@pytest.mark.slow
def test_cells_of_six_dimensions_fill_the_cube() -> None:
    graph = region_graph(network(formula([6, 5, 5, 3], 4)), cube(6))
    assert len(graph) == 164
    assert graph.measures.min() > 0
    assert graph.measures.sum() == pytest.approx(64.0, rel=1e-12)


def test_the_point_inside_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    sides = np.vstack([np.column_stack([sign * np.eye(5), -np.ones(5)]) for sign in (1, -1)])
    for _ in range(20):
        inside = rng.uniform(-0.999999, 0.999999, 5)
        assert _volume(sides, inside) == pytest.approx(32.0, rel=1e-9)
