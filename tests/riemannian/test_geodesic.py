"""Shortest paths: published numbers, closed forms, a graph that knows nothing of windows, and degenerate cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from torch import Tensor, nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.riemannian import distances, geodesic
from splinescope.riemannian.geodesic import image_ranks
from splinescope.riemannian.image_surface import image_surface
from tests.generative.nets import Folded, Roof, cells_of, formula_net
from tests.seeds import seeds

GOLD = [
    ([2, 16, 16, 3], 1, 0.9, 1.788820957730, 2.407426167, 1.78545),
    ([2, 8, 3], 0, 0.5, 2.521847655853, 3.486522620, 2.5),
    pytest.param([2, 64, 64, 784], 0, 0.9, 63.243171848108, 63.599675717, 63.0, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("sizes", "seed", "reach", "length", "straight", "bound"), GOLD)
def test_gold(sizes: list[int], seed: int, reach: float, length: float, straight: float, bound: float) -> None:
    path = geodesic(cells_of(formula_net(sizes, seed), 2), [-reach, -reach], [reach, reach])
    assert path.length == pytest.approx(length, rel=1e-12)
    assert path.straight_length == pytest.approx(straight, rel=1e-9)
    assert path.network_length == pytest.approx(path.length, rel=1e-13)
    assert bound < path.lower_bound <= path.length
    check(path)


def check(path) -> None:
    """What holds for every path: pieces lie in their cells, light is refracted, and there is no shorter way."""
    cells = path.cells_of_plane
    middles = (path.points[1:] + path.points[:-1]) / 2
    for middle, cell in zip(middles, path.cells.tolist(), strict=True):
        rows = cells.halfspaces(cell)
        assert (rows[:, :2] @ middle + rows[:, 2]).max() <= 1e-9
    assert path.chord <= path.length * (1 + 1e-12) + 1e-13
    assert path.length <= path.straight_length * (1 + 1e-12) + 1e-13
    short = np.minimum(path.lengths[:-1], path.lengths[1:])
    bent = path.refraction[1:-1]
    fine = ~np.isnan(bent)
    assert (np.abs(bent[fine]) <= 1e-12 + 1e-14 * path.length / short[fine]).all()


@pytest.mark.parametrize("seed", seeds([0, 1, 2], range(3, 20)))
def test_a_graph_comes_near_from_above(seed: int) -> None:
    """Dijkstra on points of all edges, joined within cells: an upper bound that nears the distance."""
    cells = cells_of(formula_net([2, 5, 5, 4], seed), 2)
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-0.9, 0.9, (2, 2))
    path = geodesic(cells, a, b)
    upper = steiner(cells, a, b, 24)
    assert path.length <= upper * (1 + 1e-12)
    assert upper <= path.length * 1.03 + 1e-9
    assert path.lower_bound >= 0.98 * path.length
    assert geodesic(cells, b, a).length == pytest.approx(path.length, rel=1e-12, abs=1e-13)
    check(path)


def steiner(cells, a: np.ndarray, b: np.ndarray, number: int) -> float:
    """Shortest path through points on edges, by outputs alone."""
    shares = np.linspace(0, 1, number + 2)
    one, two = cells.vertices[cells.edges[:, 0]], cells.vertices[cells.edges[:, 1]]
    points = [*(one[:, None] + shares[None, :, None] * (two - one)[:, None]).reshape(-1, 2), a, b]
    members: list[list[int]] = [[] for _ in range(len(cells))]
    for edge, sides in enumerate(cells.edge_cells.tolist()):
        for cell in sides:
            if cell >= 0:
                members[cell] += range(edge * len(shares), (edge + 1) * len(shares))
    for offset, place in enumerate((a, b)):
        members[int(cells.locate(place[None])[0])].append(len(points) - 2 + offset)
    outputs = np.asarray(cells.network(cells.domain.embed(np.array(points))))
    rows, columns = [], []
    for inside in members:
        pairs = np.array([(i, j) for i in inside for j in inside if i < j])
        rows.append(pairs[:, 0]), columns.append(pairs[:, 1])
    # points that several edges have in common are one
    same = np.unique(np.round(np.array(points), 12), axis=0, return_inverse=True)[1].ravel()
    i, j = np.concatenate(rows), np.concatenate(columns)
    weights = np.linalg.norm(outputs[i] - outputs[j], axis=1) + 1e-15
    order = np.lexsort((weights, same[j], same[i]))
    keys = same[i] * len(points) + same[j]
    first = order[np.unique(keys[order], return_index=True)[1]]
    graph = coo_array((weights[first], (same[i][first], same[j][first])), shape=(len(points),) * 2).tocsr()
    return float(dijkstra(graph, directed=False, indices=same[-2])[same[-1]])


@pytest.mark.parametrize(("sizes", "seed"), [([2, 16, 16, 3], 1), ([2, 30, 30, 3], 5)])
def test_an_exact_program_of_others(sizes: list[int], seed: int) -> None:
    """pygeodesic, by Mitchell, Mount and Papadimitriou's algorithm, on the same triangles in space."""
    peer = pytest.importorskip("pygeodesic.geodesic", reason="pygeodesic is not installed")
    cells = cells_of(formula_net(sizes, seed), 2)
    for a, b in np.random.default_rng(seed).uniform(-1, 1, (3, 2, 2)):
        image = image_surface(cells, [a, b])
        program = peer.PyGeodesicAlgorithmExact(
            np.ascontiguousarray(image.outputs), image.surface.corners.astype(np.int32)
        )
        source, goal = image.vertices[list(image.marks)].tolist()
        assert geodesic(cells, a, b).length == pytest.approx(program.geodesicDistance(source, goal)[0], rel=1e-13)


def test_brute_force_over_sequences_of_cells() -> None:
    """The best of all short sequences of edges, each minimised as the convex problem that it is."""
    cells = cells_of(formula_net([2, 4, 3], 3), 2)
    a, b = np.array([-0.7, -0.6]), np.array([0.8, 0.5])
    start, goal = cells.locate(np.array([a, b])).tolist()
    inner = [(edge, *sides) for edge, sides in enumerate(cells.edge_cells.tolist()) if min(sides) >= 0]
    lengths = []

    def walk(cell: int, crossed: list[int], seen: set[int]) -> None:
        if cell == goal:
            lengths.append(best(crossed))
        if len(crossed) < 7:
            for edge, one, two in inner:
                if cell in (one, two) and one + two - cell not in seen:
                    walk(one + two - cell, [*crossed, edge], seen | {one + two - cell})

    def best(crossed: list[int]) -> float:
        low, high = (cells.vertices[cells.edges[crossed, k]] for k in (0, 1))

        def length(shares: np.ndarray) -> float:
            points = np.array([a, *(low + shares[:, None] * (high - low)), b])
            outputs = np.asarray(cells.network(points))
            return float(np.linalg.norm(np.diff(outputs, axis=0), axis=1).sum())

        if not crossed:
            return length(np.empty(0))
        middle = np.full(len(crossed), 0.5)
        return float(minimize(length, middle, bounds=[(0, 1)] * len(crossed), method="L-BFGS-B").fun)

    walk(start, [], {start})
    assert len(lengths) > 3
    found = geodesic(cells, a, b)
    assert found.length <= min(lengths) * (1 + 1e-12)
    assert found.length == pytest.approx(min(lengths), rel=1e-6)


def test_flat_images_have_straight_paths() -> None:
    """An identity with folds in it, and sheets that are bent along lines, are flat."""

    class Creased(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return z + 0.0 * torch.relu(z @ torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=z.dtype))

    rng = np.random.default_rng(0)
    for a, b in rng.uniform(-1, 1, (5, 2, 2)):
        path = geodesic(cells_of(Creased(), 2), a, b)
        assert path.length == pytest.approx(np.linalg.norm(b - a), rel=1e-13)
        assert path.length == pytest.approx(path.lower_bound, rel=1e-6)
        roof = geodesic(cells_of(Roof(), 2), a, b)
        flat = np.array([math.sqrt(2), 1.0])
        assert roof.length == pytest.approx(np.linalg.norm(flat * (b - a)), rel=1e-13)
        assert geodesic(cells_of(Folded(), 2), a, b).length == pytest.approx(np.linalg.norm(b - a), rel=1e-13)


@pytest.mark.parametrize("height", [0.5, 2.0])
def test_a_pyramid(height: float) -> None:
    """(x, y, h max(|x|, |y|)): four faces around an apex, laid flat."""

    class Pyramid(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return torch.cat([z, height * z.abs().max(dim=1, keepdim=True).values], dim=1)

    cells = cells_of(Pyramid(), 2)
    path = geodesic(cells, [-0.8, 0.1], [0.8, 0.1])
    slope = math.hypot(1.0, height)
    half = math.atan(1 / slope)  # half the angle of a face at the apex
    one = math.hypot(0.8 * slope, 0.1)
    turn = math.atan(0.1 / (0.8 * slope))
    # from one face to the opposite one over the face between them, on the side of the points
    apart = 4 * half - 2 * turn
    expected = 2 * one if apart >= math.pi else 2 * one * math.sin(apart / 2)
    assert path.length == pytest.approx(min(expected, 2 * one), rel=1e-12)
    assert path.lower_bound == pytest.approx(path.length, rel=1e-2)
    check(path)


def test_a_saddle_turns_paths_at_its_vertex() -> None:
    """(x, y, |x| - |y|) scaled up: more than a full turn around the middle, through which a bundle of paths goes."""

    class Saddle(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return torch.cat([z, 2 * (z[:, :1].abs() - z[:, 1:].abs())], dim=1)

    cells = cells_of(Saddle(), 2)
    for a, b in (([0.7, 0.3], [-0.7, 0.2]), ([0.5, 0.5], [-0.5, -0.5])):
        path = geodesic(cells, a, b)
        assert steiner(cells, np.array(a), np.array(b), 60) == pytest.approx(path.length, rel=1e-3)
    through = np.abs(path.points).max(axis=1) == 0.0
    assert through.any()
    assert np.isnan(path.refraction[through]).all()


def test_flattened_cells() -> None:
    """A ReLU of the plane: three of four quarters have no area, and directions that vanish cost nothing."""
    cells = cells_of(nn.ReLU(), 2)
    known = [
        ([-0.5, 0.5], [0.5, -0.5], math.sqrt(0.5)),
        ([-0.5, -0.5], [0.5, 0.25], math.hypot(0.5, 0.25)),
        ([-0.5, 0.5], [-0.25, 0.75], 0.25),
        ([-0.5, -0.4], [-0.3, -0.2], 0.0),
        ([-0.5, -0.5], [-0.5, 0.5], 0.5),
        ([0.0, 0.5], [0.5, 0.0], math.sqrt(0.5)),
        ([-1.0, 0.5], [0.25, -1.0], math.hypot(0.5, 0.25)),
    ]
    for a, b, length in known:
        path = geodesic(cells, a, b)
        assert path.length == pytest.approx(length, abs=1e-15)
        assert path.lower_bound == pytest.approx(length, abs=1e-15)
        assert path.network_length == pytest.approx(length, abs=1e-14)
        assert path.points[[0, -1]].tolist() == [a, b]
        check(path)


@pytest.mark.parametrize("seed", seeds([6, 14, 16], range(20)))
def test_flattened_cells_of_networks(seed: int) -> None:
    """A bottleneck of two units makes cells of every rank; the graph of outputs knows nothing of ranks."""
    cells = cells_of(formula_net([2, 4, 2, 3], seed), 2)
    a, b = np.random.default_rng(seed).uniform(-1, 1, (2, 2))
    path = geodesic(cells, a, b)
    assert (image_ranks(path._image) < 2).any() or seed not in (6, 14, 16)
    upper = steiner(cells, a, b, 40)
    assert path.length <= upper * (1 + 1e-12) + 1e-12
    assert upper <= path.length * 1.01 + 1e-2
    assert path.lower_bound >= 0.99 * path.length - 1e-12
    check(path)


def test_flattened_cells_left_out_would_be_unsound() -> None:
    """A shortcut through a flattened strip: the bound respects it."""

    class Strip(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            x, y = z[:, :1], z[:, 1:]
            return torch.cat([x, torch.relu(y - 0.5) - torch.relu(-y - 0.5)], dim=1)

    cells = cells_of(Strip(), 2)
    path = geodesic(cells, [0.2, -0.8], [-0.3, 0.9])
    assert path.length == pytest.approx(math.hypot(0.5, 0.3 + 0.4), rel=1e-13)
    assert path.lower_bound == pytest.approx(path.length, rel=1e-3)


def test_one_output_flattens_all_cells() -> None:
    """The image is a graph of level sets: no path is shorter than the difference of the outputs along it."""
    path = geodesic(cells_of(formula_net([2, 16, 16, 1], 0), 2), [-0.9, -0.9], [0.9, 0.9])
    assert path.length == pytest.approx(path.chord, rel=1e-12)
    assert path.lower_bound == pytest.approx(path.length, rel=1e-12)
    assert path.length < 0.9 * path.straight_length
    other = geodesic(cells_of(formula_net([2, 8, 1], 0), 2), [-0.9, -0.9], [0.9, 0.9])
    assert other.chord < other.length < other.straight_length
    assert other.lower_bound == pytest.approx(other.length, rel=1e-9)
    check(other)


def test_distance_fields() -> None:
    """At vertices and in between as by single paths; the triangle inequality; balls."""
    cells = cells_of(formula_net([2, 16, 16, 3], 1), 2)
    field = distances(cells, [-0.9, -0.9])
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (12, 2))
    for point, distance in zip(points, field.at(points), strict=True):
        assert geodesic(cells, [-0.9, -0.9], point).length == pytest.approx(distance, rel=1e-12)
    for vertex in rng.integers(len(cells.vertices), size=6):
        path = geodesic(cells, [-0.9, -0.9], cells.vertices[vertex])
        assert path.length == pytest.approx(field.at_vertices[vertex], rel=1e-12)
    steps = rng.uniform(-1, 1, (200, 2))
    near = np.clip(steps + rng.normal(scale=1e-4, size=steps.shape), -1, 1)
    lipschitz = cells.lipschitz()
    assert (np.abs(field.at(steps) - field.at(near)) <= lipschitz * np.linalg.norm(steps - near, axis=1) + 1e-12).all()
    assert (field.ball(steps, 1.0) == (field.at(steps) <= 1.0)).all()
    assert np.linalg.norm(field.growth(steps), axis=1) == pytest.approx(1.0)
    assert np.isnan(field.at([[3.0, 0.0]])).all()


def test_growth_is_the_gradient() -> None:
    """Away from the cut locus, the distance changes as the direction of arrival says."""
    cells = cells_of(formula_net([2, 8, 3], 0), 2)
    field = distances(cells, [0.1, -0.2])
    points = np.random.default_rng(1).uniform(-0.95, 0.95, (300, 2))
    step = 1e-6
    ahead, owners = points + np.array([step, 0.0]), cells.locate(points)
    same = cells.locate(ahead) == owners
    image = field._image
    change = (field.at(ahead) - field.at(points)) / step
    said = np.einsum("ni,ni->n", field.growth(points), image.factors[owners][:, :, 0])
    agree = np.abs(change - said)[same] < 1e-4
    assert agree.mean() > 0.99


def test_slices_of_many_dimensions() -> None:
    """A skew slice of a larger input space: lengths are those of outputs, whatever the coordinates."""
    module = formula_net([5, 12, 4], 2)
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(2, 5))
    domain = splinescope.Slice(rng.normal(size=5), basis, np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]))
    path = geodesic(splinescope.tessellate(module, domain), [0.1, 0.2], [0.9, 0.7])
    assert path.network_length == pytest.approx(path.length, rel=1e-12)
    check(path)
    even = path.along(11)
    outputs = np.asarray(path.cells_of_plane.network(domain.embed(even)))
    assert np.linalg.norm(np.diff(outputs, axis=0), axis=1).sum() == pytest.approx(path.length, rel=0.05)


def test_refusals() -> None:
    cells = cells_of(formula_net([2, 8, 3], 0), 2)
    with pytest.raises(InvalidInputError, match="is not in the domain"):
        geodesic(cells, [0, 0], [2, 0])
    with pytest.raises(InvalidInputError, match=r"`a`: got shape \(3,\)"):
        geodesic(cells, [0, 0, 0], [0, 0])
    with pytest.raises(InvalidInputError, match="shortest paths are of planes"):
        geodesic(cells_of(formula_net([1, 3, 2], 0), 1), [0.0], [0.5])
    with pytest.raises(InvalidInputError, match="expected at least 2"):
        geodesic(cells, [0, 0], [0.5, 0]).along(1)
    assert geodesic(cells, [0.1, 0.1], [0.1, 0.1]).length == 0.0


def test_searches_in_slices_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often compiled work comes up for air, the path is the same, and what is reported grows."""
    cells = cells_of(formula_net([2, 16, 16, 3], 1), 2)
    whole = geodesic(cells, [-0.9, -0.9], [0.9, 0.9])
    field = distances(cells, [-0.9, -0.9])
    monkeypatch.setattr("splinescope.geometry.geodesics.spreading._AT_ONCE", 3)
    seen: list[tuple[float, int]] = []
    found = geodesic(cells, [-0.9, -0.9], [0.9, 0.9], progress=lambda share, windows: seen.append((share, windows)))
    np.testing.assert_array_equal(found.points, whole.points)
    assert found.num_windows == whole.num_windows
    assert 0 <= found.num_windows - max(windows for _, windows in seen) <= 3  # the last slice is not reported
    shares = [share for share, _ in seen]
    assert len(seen) > 20
    assert sorted(shares) == pytest.approx(shares, abs=1e-9)
    assert 0 <= shares[0] < shares[-1] <= 1
    np.testing.assert_array_equal(distances(cells, [-0.9, -0.9]).at_vertices, field.at_vertices)


EDGES = [
    ([2, 4, 3], 586795, 1.0, [0.07553420289172341, -1.0], [1.0, 0.6079836421180274]),
    ([2, 6, 6, 2], 316221, 10.0, [10.0, -0.5506595104493925], [2.0023320524617048, -0.7627082607143674]),
]


@pytest.mark.parametrize(("sizes", "seed", "size", "a", "b"), EDGES)
def test_paths_along_edges_that_are_glued(sizes: list[int], seed: int, size: float, a: list, b: list) -> None:
    """Both sides of a flattened cell have one image: a piece along one of them is in a cell that has it."""
    plane = splinescope.Slice.box([-size, -size], [size, size])
    path = geodesic(splinescope.tessellate(formula_net(sizes, seed), plane), a, b)
    assert path.network_length == pytest.approx(path.length, rel=1e-12)
    assert path.chord <= path.length * (1 + 1e-12)
    check(path)


def test_the_bound_is_near_in_thin_domains() -> None:
    """A long strip, cut as often as it takes; and loose edges without length, which rounding leaves between strips."""
    plane = splinescope.Slice.box([0.3, -2.0], [0.31, 5.0])
    cells = splinescope.tessellate(formula_net([2, 8, 8, 3], 5), plane)
    for a, b in [([0.305, -1.9], [0.31, 4.0]), ([0.3, 1.2], [0.309, 4.9])]:
        path = geodesic(cells, a, b)
        assert 0.999 * path.length <= path.lower_bound <= path.length


def test_loose_edges_of_no_length_do_not_spoil_the_bound() -> None:
    net = formula_net([2, 4, 4, 4, 4, 4], 156640)
    steep = nn.Sequential(*[nn.Hardtanh() if isinstance(part, nn.ReLU) else part for part in net])
    cells = splinescope.tessellate(steep, splinescope.Slice.box([-10, -10], [10, 10]))
    path = geodesic(cells, [-0.9721784, -0.5274833442487622], [2.2403413374104524, 10.0])
    assert 0.999 * path.length <= path.lower_bound <= path.length
    assert path.chord < 0.8 * path.length
