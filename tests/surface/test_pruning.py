"""Pruning: no cell that meets the level is dropped, and the surface is the same with and without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import splinescope
from splinescope.network import Network
from splinescope.tessellation.spatial.engine import tessellate_polytope
from splinescope.tessellation.surface import level_set
from splinescope.tessellation.surface.pruning import keeper, may_meet
from splinescope.tessellation.surface.targets import Contest, Level
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, RELU, Kind, clip, leaky
from tests.queries.scenes import gaussian
from tests.seeds import seeds
from tests.spatial.cases import CUBE, dense_skips, random_space_case, residual
from tests.surface import shapes

BOX = splinescope.Box(*CUBE)
KINDS: dict[str, Kind] = {"relu": RELU, "abs": ABS, "leaky": leaky(0.1), "clip": clip(-0.5, 0.75)}


def outputs_from(network: Network, node: int, rows: dict[int, torch.Tensor]) -> np.ndarray:
    """Outputs from the values of the live nodes, by the ops themselves."""
    values = dict(rows)
    count = len(next(iter(rows.values())))
    for index in range(node + 1, network.output + 1):
        op, inputs = network.nodes[index].op, network.nodes[index].inputs
        values[index] = op.evaluate(*(values[i].reshape(count, *network.nodes[i].shape) for i in inputs))
    return values[network.output].reshape(count, -1).numpy()


class Spy:
    """A `keep` that keeps all, and compares what `may_meet` says with values at random points of every cell."""

    def __init__(self, network: Network, target: Level) -> None:
        self.network, self.target = network, target
        self.dropped, self.cells, self.wrong = 0, 0, 0

    def __call__(
        self, node: int, rows: dict[int, np.ndarray], cell_vertices: np.ndarray, cell_offsets: np.ndarray
    ) -> np.ndarray:
        kept = may_meet(self.network, node, rows, cell_vertices, cell_offsets, self.target)
        below, above = np.zeros(len(kept), bool), np.zeros(len(kept), bool)
        rng = np.random.default_rng(node)
        for draw in range(40):
            weights = rng.exponential(size=len(cell_vertices))
            weights **= 1 + draw % 4
            weights /= np.repeat(np.add.reduceat(weights, cell_offsets[:-1]), np.diff(cell_offsets))
            mixed = {
                i: torch.from_numpy(np.add.reduceat(weights[:, None] * row[cell_vertices], cell_offsets[:-1], axis=0))
                for i, row in rows.items()
            }
            values = outputs_from(self.network, node, mixed) @ self.target.weights - self.target.level
            below |= values <= 0
            above |= values >= 0
        self.wrong += int((below & above & ~kept).sum())
        self.dropped += int((~kept).sum())
        self.cells += len(kept)
        return np.ones(len(kept), bool)


def spied(network: Network, level: float) -> Spy:
    outputs = int(np.prod(network.output_shape, dtype=int))
    spy = Spy(network, Level(np.eye(outputs)[0], level, 1e-12))
    tessellate_polytope(network, BOX, verify="topology", keep=spy)
    return spy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quantile", [0.1, 0.6])
def test_no_cell_that_meets_the_level_is_dropped(kind: str, quantile: float) -> None:
    network = to_network(gaussian(4, (8, 8, 6), 1, inputs=3, kind=KINDS[kind]))
    level = float(np.quantile(network(np.random.default_rng(0).uniform(-1, 1, size=(1000, 3))), quantile))
    spy = spied(network, level)
    assert spy.wrong == 0
    assert spy.dropped > 0.2 * spy.cells


@pytest.mark.parametrize("recipe", [shapes.square_torus(), shapes.cube(), residual(), dense_skips()])
def test_other_ops(recipe: Any) -> None:
    assert spied(to_network(recipe), 0.1).wrong == 0


@pytest.mark.parametrize("seed", seeds(range(0, 200, 32), range(0, 200, 8)))
def test_random_networks(seed: int) -> None:
    network = to_network(random_space_case(seed).recipe)
    values = network(np.random.default_rng(seed).uniform(-1, 1, size=(200, 3)))[:, 0]
    assert spied(network, float(np.median(values))).wrong == 0


@pytest.mark.parametrize("seed", seeds(range(0, 100, 16), range(0, 100, 4)))
def test_the_surface_is_the_same(seed: int) -> None:
    case = random_space_case(seed)
    network = to_network(case.recipe)
    for level in shapes.levels_of(case.exact):
        whole = level_set(network, case.domain, level=level, prune=False)
        pruned = level_set(network, case.domain, level=level)
        assert pruned.certificate.holes == 0
        assert (len(pruned), len(pruned.vertices)) == (len(whole), len(whole.vertices))
        assert pruned.euler_characteristic == whole.euler_characteristic
        assert pruned.area == pytest.approx(whole.area, rel=1e-12, abs=1e-13)
        order, other = (np.lexsort(np.round(m.vertices, 9).T) for m in (whole, pruned))
        np.testing.assert_allclose(pruned.vertices[other], whole.vertices[order], atol=1e-9)


@pytest.mark.parametrize("seed", seeds(range(0, 12, 3), range(12)))
def test_the_surface_is_the_same_in_parts(seed: int) -> None:
    """Cells are left out on either side of a border at different times: what is left joins nevertheless."""
    network = to_network(gaussian(seed, (16, 16, 12), 1, inputs=3))
    level = float(np.median(splinescope.tessellate(network, BOX, verify="topology").vertex_outputs))
    whole, parts = (level_set(network, BOX, level=level, memory_budget=budget) for budget in (1 << 30, 1 << 18))
    assert len(whole) > 300
    assert parts.certificate.holes == 0
    assert (len(parts), len(parts.vertices)) == (len(whole), len(whole.vertices))
    assert (parts.euler_characteristic, parts.num_parts) == (whole.euler_characteristic, whole.num_parts)
    assert parts.area == pytest.approx(whole.area, rel=1e-12)
    order, other = (np.lexsort(np.round(m.vertices, 9).T) for m in (whole, parts))
    np.testing.assert_allclose(parts.vertices[other], whole.vertices[order], atol=1e-9)


def test_bounds_are_tight_where_nothing_folds() -> None:
    """On cells on which the rest of the network is affine, only those that meet the level are kept."""
    network = to_network(gaussian(5, (10,), 1, inputs=3))
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(node: int, rows: dict[int, np.ndarray], items: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        answer = may_meet(network, node, rows, items, offsets, Level(np.ones(1), 0.25, 0.0))
        values = outputs_from(network, node, {i: torch.from_numpy(row) for i, row in rows.items()})[:, 0][items] - 0.25
        low, high = np.minimum.reduceat(values, offsets[:-1]), np.maximum.reduceat(values, offsets[:-1])
        kept.append((answer, (low <= 0) & (high >= 0)))
        return answer

    tessellate_polytope(network, BOX, verify="topology", keep=keep)
    np.testing.assert_array_equal(*kept[-1])


def test_one_cell_is_kept_in_any_case() -> None:
    network = shapes.network(shapes.octahedron())
    keep = keeper(network, Level(np.ones(1), 100.0, 1e-9))
    rows = {2: np.abs(np.random.default_rng(1).normal(size=(4, 6)))}
    assert keep(2, rows, np.arange(4), np.array([0, 4])).tolist() == [True]


@pytest.mark.parametrize("seed", seeds(range(0, 20, 4), range(20)))
def test_no_cell_in_which_the_class_changes_is_dropped(seed: int) -> None:
    network = to_network(gaussian(seed, (7, 6), 4, inputs=3))
    target = Contest(np.array([0, 1, 3]), 1e-12)

    def keep(node: int, rows: dict[int, np.ndarray], items: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        answer = may_meet(network, node, rows, items, offsets, target)
        rng = np.random.default_rng(node)
        classes = []
        for _ in range(30):
            weights = rng.exponential(size=len(items)) ** 2
            weights /= np.repeat(np.add.reduceat(weights, offsets[:-1]), np.diff(offsets))
            mixed = {
                i: torch.from_numpy(np.add.reduceat(weights[:, None] * row[items], offsets[:-1], axis=0))
                for i, row in rows.items()
            }
            classes.append(outputs_from(network, node, mixed)[:, [0, 1, 3]].argmax(axis=1))
        changes = np.ptp(classes, axis=0) > 0
        assert not (changes & ~answer).any()
        return np.ones(len(answer), bool)

    tessellate_polytope(network, BOX, verify="topology", keep=keep)
