"""Shortest paths over slivers and far from the origin, where rounding decides the shapes of cells."""

from __future__ import annotations

import importlib
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.errors import CertificateWarning
from splinescope.riemannian import distances, geodesic
from splinescope.riemannian.traces import agrees, traced
from splinescope.tessellation.planar.complex import PlanarComplex
from tests.generative.nets import cells_of, formula_net
from tests.seeds import large


def chain(sizes: list[int], rng: np.random.Generator, whole: bool = False) -> nn.Sequential:
    """Layers with random numbers, or with small whole ones and halves."""
    shapes = [(out, n_in) for n_in, out in pairwise(sizes)]
    if whole:
        weights = [rng.integers(-2, 3, shape).astype(float) for shape in shapes]
        biases = [rng.integers(-2, 3, shape[0]) / 2.0 for shape in shapes]
    else:
        weights = [rng.normal(size=shape) * np.sqrt(2 / shape[1]) for shape in shapes]
        biases = [rng.uniform(-1, 1, shape[0]) for shape in shapes]
    layers: list[nn.Module] = []
    for weight, bias in zip(weights, biases, strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).requires_grad_(False)


def sizes_of(rng: np.random.Generator, outputs: int) -> list[int]:
    hidden = int(rng.integers(1, 3))
    return [2, *(int(rng.integers(3, 10)) for _ in range(hidden)), outputs]


def parallel(seed: int) -> PlanarComplex:
    """Every other unit is a multiple of the one before: folds that coincide up to rounding leave slivers."""
    rng = np.random.default_rng([seed, 3, sum(map(ord, "dup"))])
    outputs = int(rng.choice([1, 2, 3, 3, 6]))
    chain(sizes_of(rng, outputs), rng, whole=True)
    net = chain(sizes_of(rng, outputs), rng)
    for layer in net[:-1]:
        if isinstance(layer, nn.Linear):
            for j in range(1, layer.weight.shape[0], 2):
                times = rng.choice([-1, -0.3, 0.7, 1])
                layer.weight.data[j] = times * layer.weight.data[j - 1]
                if rng.random() < 0.5:
                    layer.bias.data[j] = times * layer.bias.data[j - 1]
    return cells_of(net, 2)


class Far(nn.Module):
    """A network of inputs that are far from zero."""

    def __init__(self, net: nn.Module, offset: np.ndarray) -> None:
        super().__init__()
        self.net, self.shift = net, nn.Linear(2, 2, dtype=torch.float64)
        self.shift.weight.data, self.shift.bias.data = torch.eye(2, dtype=torch.float64), torch.tensor(-offset)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(self.shift(x))
        return out


def far(seed: int, *, more: bool) -> PlanarComplex:
    """Coordinates of a million have a resolution of 1e-10."""
    rng = np.random.default_rng([seed, 3, sum(map(ord, "off"))])
    if more:  # numbers that another network took before
        chain(sizes_of(rng, int(rng.choice([1, 2, 3, 3, 6]))), rng, whole=True)
    offset = rng.choice([1e3, 1e6]) * rng.choice([-1, 1], 2)
    net = Far(chain(sizes_of(rng, 3), rng), offset)
    return splinescope.tessellate(net, splinescope.Slice.box(offset - 1, offset + 1))


PARALLEL = [
    (37, [1.0, -0.8434396617525126], [-0.6515683963696536, 0.7147020002319291], 1.4536868277762574),
    (26, [0.7409752288860528, 1.0], [-0.6630116373206502, 0.25070609726332516], 0.06863985644201143),
    large(20, [-1.0, -1.0], [0.08798551703423658, 0.026228521677921897], 0.9217452998014877),
    (2, [0.5012082893642017, 0.6180075908269531], [-0.8370138788705366, -0.5025502777099708], 1.258164503423503),
    large(36, [-0.49007177169374416, -0.6633572572312479], [1.0, -1.0], 0.7136761735232973),
]
"""Seed, two points, and how long a path is that a graph of points on edges and a convex program found."""


@pytest.mark.parametrize(("seed", "a", "b", "upper"), PARALLEL)
def test_folds_that_coincide(seed: int, a: list[float], b: list[float], upper: float) -> None:
    check(parallel(seed), a, b, upper, 1e-12)


FAR = [
    (3, False, [1000001.0, 1000000.2625135997], [999999.1567927012, 999999.0], 3.4506275649984275),
    (2, False, [1000001.0, 999999.627417946], [1000001.0, 999999.6152562922], 0.03027099658698248),
    (9, False, [-999999.647011875, 999999.7133680942], [-999999.8950682962, 999999.6704486541], 0.08960219546105336),
    large(4, True, [1000000.6177319767, -999999.2701119493], [1000000.9810880737, -999999.8546452767], 0.334906853),
    large(4, True, [999999.0, -999999.4498943496], [999999.0, -999999.0], 0.4551891278008919),
    large(15, True, [-999999.0474922899, 999999.266476324], [-999999.9522290761, 1000000.5961340419], 3.825170732),
    (5, True, [-999999.1667055545, -999999.7272134789], [-1000000.8895672008, -1000000.6207626627], 0.6077451243516967),
    large(11, True, [-999999.3784627637, 999999.0], [-999999.0, 999999.974428681], 2.9103505014389777),
]


@pytest.mark.parametrize(("seed", "more", "a", "b", "upper"), FAR)
def test_far_from_the_origin(seed: int, more: bool, a: list[float], b: list[float], upper: float) -> None:
    check(far(seed, more=more), a, b, upper, 1e-8)


def check(cells: PlanarComplex, a: list[float], b: list[float], upper: float, give: float) -> None:
    """No false proof: the network confirms the length, pieces lie in their cells, and no path is below the bound."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", CertificateWarning)
        path = geodesic(cells, a, b)
    assert path.exact
    assert path.length <= upper + give
    assert path.lower_bound <= min(path.length, upper + give)
    assert path.lower_bound >= 0.95 * path.length
    assert path.network_length == pytest.approx(path.length, rel=1e-9, abs=give)
    bent = path.refraction[~np.isnan(path.refraction)]
    assert np.abs(bent).max(initial=0.0) <= 1e-7
    assert path.points[[0, -1]].tolist() == [a, b]
    scale = float(np.abs(cells.vertices).max())
    middles = (path.points[1:] + path.points[:-1]) / 2
    for middle, cell in zip(middles, path.cells.tolist(), strict=True):
        corners = cells.cell(cell)
        sides = np.roll(corners, -1, axis=0) - corners
        sizes = np.hypot(*sides.T)
        depth = (sides[:, 0] * (middle - corners)[:, 1] - sides[:, 1] * (middle - corners)[:, 0]) / (sizes + 1e-300)
        assert depth[sizes > 1e-14 * scale].min(initial=0.0) >= -1e-9 - 1e-14 * scale
    assert geodesic(cells, b, a).length == pytest.approx(path.length, rel=1e-9, abs=give)


def test_distances_at_points_of_slivers() -> None:
    cells, a, b = parallel(37), *PARALLEL[0][1:3]
    assert distances(cells, a).at([b])[0] == pytest.approx(geodesic(cells, a, b).length, rel=1e-12)


@pytest.mark.parametrize("seed", [0, *(large(seed) for seed in range(1, 40))])
def test_random_slivers(seed: int) -> None:
    """Folds that coincide, at random: lengths of both directions agree, and the bound is near from below."""
    cells = parallel(seed)
    rng = np.random.default_rng(seed)
    one, two = cells.vertices[rng.integers(len(cells.vertices), size=2)]
    check(cells, one.tolist(), two.tolist(), geodesic(cells, one, two).straight_length, 1e-12)


def test_what_the_network_does_not_confirm_is_no_shortest_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, its true length and the distance of the outputs are left, with a warning."""
    cells = cells_of(formula_net([2, 8, 3], 0), 2)
    best = geodesic(cells, [-0.5, -0.5], [0.5, 0.5])
    monkeypatch.setattr(importlib.import_module("splinescope.riemannian.geodesic"), "agrees", lambda *_: False)
    with pytest.warns(CertificateWarning, match="nobody knows whether"):
        path = geodesic(cells, [-0.5, -0.5], [0.5, 0.5])
    assert not path.exact
    assert path.length == pytest.approx(best.length, rel=1e-12)
    assert path.network_length == pytest.approx(path.length, rel=1e-12)
    assert path.lower_bound == pytest.approx(best.chord, rel=1e-12)
    assert (path.cells >= 0).all()


def test_lengths_are_compared_with_the_network() -> None:
    cells = cells_of(formula_net([2, 8, 3], 0), 2)
    path = geodesic(cells, [-0.5, -0.5], [0.5, 0.5])
    assert agrees(cells, path.points, path.lengths, path.straight_length, 0.0)
    longer = path.lengths.copy()
    longer[1] += 1e-6
    assert not agrees(cells, path.points, longer, path.straight_length, 0.0)
    ends = path.points[[0, -1]]
    assert not agrees(cells, ends, np.array([path.chord]), path.straight_length, 0.0)
    assert traced(cells, ends)[2].sum() == pytest.approx(path.straight_length, rel=1e-12)
