"""The small simplex method against HiGHS, and the facets of cells against HiGHS and Qhull."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

import splinescope
from splinescope.network import Network
from splinescope.network.ops import Activation
from splinescope.tessellation.region_graph import region_graph
from splinescope.tessellation.region_graph.programs import simplex
from splinescope.tessellation.region_graph.search.explore import Explorer
from splinescope.tessellation.region_graph.search.found import Explored, Seeds
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.region_graph.nets import box, random_net
from tests.seeds import large


def polytope(d: int, rows: int, seed: int, quantised: bool) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals and offsets of a polytope around the origin, with a box around it; quantised ones are degenerate."""
    rng = np.random.default_rng(seed)
    normals = rng.integers(-2, 3, size=(rows, d)).astype(float) if quantised else rng.normal(size=(rows, d))
    normals = normals[np.abs(normals).sum(axis=1) > 0]
    lengths = np.linalg.norm(normals, axis=1)
    offsets = (rng.integers(1, 4, size=len(normals)) if quantised else rng.uniform(0.5, 2, len(normals))) / lengths
    sides = np.concatenate([np.eye(d), -np.eye(d)])
    return np.concatenate([normals / lengths[:, None], sides]), np.concatenate([offsets, np.full(2 * d, 3.0)])


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3, 5, 9])
def test_simplex_agrees_with_highs(d: int, quantised: bool) -> None:
    """From a state that goes on from objective to objective, as the engine uses it."""
    A, offsets = polytope(d, 8 * d, d, quantised)
    rows = len(A)
    columns = np.ascontiguousarray(A.T)
    x, slack, rates, w = np.zeros(d), offsets.copy(), np.empty(rows), np.empty(d)
    active, inverse, tight = np.empty(d, np.int64), np.empty((d, d)), np.empty(rows, bool)
    simplex.reset(d, active, inverse, tight, rows)
    far = np.full(d, 10.0)
    for c in np.random.default_rng(0).normal(size=(20, d)):
        c /= np.linalg.norm(c)
        status = simplex.maximise(
            columns, d, rows, c, -1, -1, np.full(rows, 1e-14), slack, x, active, inverse, tight, rates, w, 1000, 10.0
        )
        expected = -linprog(-c, A_ub=A, b_ub=offsets, bounds=(None, None), method="highs").fun
        assert status == simplex.OPTIMAL
        assert c @ x == pytest.approx(expected, abs=1e-9)
        assert (A @ x <= offsets + 1e-9).all()
        bound = simplex.upper_bound(columns, d, c, offsets, -far, far, active, inverse, w)
        assert c @ x - 1e-12 <= bound <= c @ x + 1e-9


def test_simplex_says_what_is_unbounded() -> None:
    A = np.array([[1.0], [0.0]])
    x, slack, rates, w = np.zeros(2), np.ones(1), np.empty(1), np.empty(2)
    active, inverse, tight = np.empty(2, np.int64), np.empty((2, 2)), np.empty(1, bool)
    simplex.reset(2, active, inverse, tight, 1)
    c = np.array([0.6, 0.8])
    status = simplex.maximise(A, 2, 1, c, -1, -1, np.zeros(1), slack, x, active, inverse, tight, rates, w, 100, 5.0)
    assert status == simplex.UNBOUNDED


NETS: dict[str, tuple[Network, splinescope.Box]] = {
    "plane": (random_net((2, 8, 8, 2)), box(2)),
    "space": (random_net((3, 10, 10, 1), seed=1), box(3)),
    "five": (random_net((5, 9, 6, 2), seed=2), box(5)),
    "nine": (random_net((9, 8, 4, 1), seed=3), box(9, 0.3)),
    "sixteen": (random_net((16, 9, 1), seed=4), box(16, 0.1)),
    "no biases": (random_net((3, 8, 8, 1), seed=5, bias=0.0), box(3)),
    "quantised": (to_network(random_case(3, n_inputs=3).recipe), box(3)),
    "maxima": (to_network(random_case(11, n_inputs=3).recipe), box(3)),
}


def seeds_of(graph_points: np.ndarray, keys: np.ndarray, cell: int) -> Seeds:
    normal = np.zeros((1, graph_points.shape[1]))
    normal[0, 0] = 1.0
    return Seeds(keys[cell : cell + 1], graph_points[cell : cell + 1], normal)


def assert_equal(one: Explored, other: Explored) -> None:
    order, other_order = (np.lexsort(e.facet_planes.round(6).T) for e in (one, other))
    np.testing.assert_array_equal(one.facet_columns[order], other.facet_columns[other_order])
    np.testing.assert_array_equal(one.facet_keys[order], other.facet_keys[other_order])
    np.testing.assert_allclose(one.facet_planes[order], other.facet_planes[other_order], atol=1e-9)
    np.testing.assert_allclose(one.radii, other.radii, atol=1e-9)
    # What HiGHS takes to be touched, within its tolerances, is decided exactly otherwise.
    names = (
        ("thin", "undecided", "facet_counts") if one.exact.any() else ("touching", "thin", "undecided", "facet_counts")
    )
    for name in names:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize(("name", "count"), [*((name, 3) for name in NETS), *(large(name, 12) for name in NETS)])
def test_facets_agree_with_highs(name: str, count: int) -> None:
    """The whole decision twice: by small programs, and by HiGHS."""
    network, domain = NETS[name]
    graph = region_graph(network, domain, max_cells=400, verify="topology")
    for cell in range(0, len(graph), max(1, len(graph) // count)):
        seeds = seeds_of(graph.interior_points, graph.keys, cell)
        assert_equal(graph.explorer.explore(seeds), graph.explorer.explore(seeds, sure=True))


@pytest.mark.parametrize("name", ["plane", "space", "five"])
def test_facets_agree_with_qhull(name: str) -> None:
    """Rows that are not redundant are the vertices of the polar dual around an interior point."""
    network, domain = NETS[name]
    graph = region_graph(network, domain, max_cells=300, verify="topology")
    sides = domain.halfspaces
    for cell in range(0, len(graph), max(1, len(graph) // 20)):
        rows = rows_of(graph.explorer, graph.keys, graph.interior_points, cell)
        normals = np.concatenate([sides[:, :-1], rows[:, :-1]])
        slack = -np.concatenate([sides[:, :-1] @ graph.interior_points[cell] + sides[:, -1], rows[:, -1]])
        dual = ConvexHull(normals / slack[:, None])
        facets = graph.halfspaces(cell)
        expected = normals[dual.vertices] / np.linalg.norm(normals[dual.vertices], axis=1)[:, None]
        assert len(facets) == len(expected)
        nearest = np.abs(facets[:, None, :-1] - expected[None]).sum(axis=2).min(axis=1)
        np.testing.assert_allclose(nearest, 0, atol=1e-9)


def rows_of(explorer: Explorer, keys: np.ndarray, points: np.ndarray, cell: int) -> np.ndarray:
    """Signed pre-activations of every unit on a cell: gradient, and value at the interior point."""
    from splinescope.tessellation.branches.halfspaces import half_spaces

    patterns = explorer.keys.unpack(keys[cell : cell + 1])
    rows = half_spaces(
        explorer.network, explorer.layout, explorer.domain, patterns, points[cell : cell + 1], 0, explorer.errors
    )
    return np.column_stack([rows.gradients[0].T, rows.values[0]])


@pytest.mark.parametrize("name", ["space", "five"])
def test_rows_agree_with_autograd(name: str) -> None:
    """The rows of a cell are the signed pre-activations, with their derivatives."""
    import torch

    network, domain = NETS[name]
    graph = region_graph(network, domain, max_cells=30, verify="topology")
    explorer = graph.explorer
    for cell in range(0, len(graph), 5):
        x = torch.from_numpy(graph.interior_points[cell : cell + 1]).requires_grad_(True)
        values = []
        h = x
        for node in network.nodes[1:]:
            if isinstance(node.op, Activation):
                values.append(h[0])
            h = node.op.evaluate(h)
        value = torch.cat(values)
        gradient = torch.stack([torch.autograd.grad(v, x, retain_graph=True)[0][0] for v in value])
        sign = 1.0 - 2.0 * graph.patterns[cell]
        rows = rows_of(explorer, graph.keys, graph.interior_points, cell)
        np.testing.assert_allclose(rows[:, -1], sign * value.detach().numpy(), atol=1e-12)
        np.testing.assert_allclose(rows[:, :-1], sign[:, None] * gradient.numpy(), atol=1e-12)


def test_undecided_cells_go_to_highs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rational arithmetic is too dear, cells that the small programs give up on are decided by HiGHS."""
    from splinescope.tessellation.region_graph.search import explore

    network, domain = NETS["plane"]
    expected = region_graph(network, domain, verify="proof")
    decide, asked = explore.decide_cells, []

    def gives_up(*arguments: object) -> tuple[int, int]:
        done = decide(*arguments)
        counts = arguments[7]
        assert isinstance(counts, np.ndarray)
        counts[::2, 4] = 1
        asked.append(len(counts[::2]))
        return done

    monkeypatch.setattr(explore, "decide_cells", gives_up)
    monkeypatch.setattr(explore.RationalNetwork, "affordable", False)
    graph = region_graph(network, domain, verify="proof")
    assert graph.doubts.unsettled == sum(asked)
    assert sum(asked) > len(graph) / 3
    assert set(map(bytes, graph.keys)) == set(map(bytes, expected.keys))
    assert graph.mean_degree == expected.mean_degree
    assert graph.doubts.undecided == 0
