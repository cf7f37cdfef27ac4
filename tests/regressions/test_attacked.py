"""What attacks on exactness, and on certificates by tampered complexes, have found."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import CertificateError
from splinescope.tessellation import certify
from tests.certificate.grouped import in_groups
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import mlp

SQUARE = splinescope.Slice.box([-1, -1], [1, 1])


def pit(depth: float) -> splinescope.Network:
    """A unit that is on around the point where three members of a maximum lead: three cells more, none if negative."""
    first, last = nn.Linear(2, 3), nn.Linear(1, 1)
    net = nn.Sequential(first, nn.Unflatten(1, (1, 3)), nn.MaxPool1d(3), nn.Flatten(), last, nn.ReLU()).double()
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        first.bias.zero_()
        last.weight.fill_(-1.0)
        last.bias.fill_(depth)
    return splinescope.from_torch(net, input_shape=(2,))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("depth", [0.25, 1e-3, 1e-12])
def test_cells_missing_where_three_members_of_a_maximum_meet(depth: float, grouped: bool) -> None:
    """Two edges by one maximum were one side of the cell, and no sign was looked at in the corner between them."""
    right, wrong = splinescope.tessellate(pit(depth), SQUARE, verify="proof"), splinescope.tessellate(pit(-1.0), SQUARE)
    assert (len(right), len(wrong)) == (6, 3)
    lacking = replace(wrong, network=right.network, certificate=None)
    if grouped:
        with in_groups(), pytest.raises(CertificateError, match="another sign"):
            certify(lacking, "proof")
    else:
        with pytest.raises(CertificateError, match="another sign"):
            certify(lacking, "proof")


def test_a_pool_of_which_nothing_is_read() -> None:
    """Outputs that are zero everywhere need no unit of the pool: rows of none of its units were no matrix."""
    net = nn.Sequential(nn.AvgPool1d(2), nn.Flatten(), nn.Linear(2, 1)).double()
    nn.init.zeros_(net[2].weight)
    nn.init.zeros_(net[2].bias)
    domain = splinescope.Slice(np.zeros((1, 4)), np.eye(4)[:2].reshape(2, 1, 4), np.eye(3)[:, :2])
    cells = splinescope.tessellate(splinescope.from_torch(net, input_shape=(1, 4)), domain, verify="proof")
    assert cells.certificate.level == "proof"


def test_a_decision_boundary_for_which_exact_values_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """|x| - 1/2 + 1e15 relu(x - 0.9) is zero at -1/2 and 1/2; a wide network's exact budget is spent by some cells.

    Random networks of three layers of 200 units with such a ramp had fourteen times too long a boundary: bounds of each
    vertex tell, as for surfaces, without exact arithmetic.
    """
    network = to_network(mlp([[[1, 0], [-1, 0], [1, 0], [0, 1]], [[1, 1, 1e15, 0]]], [[0, 0, -0.9, 0], [-0.5]]))
    cells = splinescope.tessellate(network, SQUARE, verify="proof")
    monkeypatch.setattr("splinescope.tessellation.boundary._FEW", -1)
    np.testing.assert_allclose(splinescope.decision_boundary(cells).lengths.sum(), 4.0)


@pytest.mark.parametrize("exact", [True, False])
def test_a_decision_boundary_along_folds_of_a_second_layer(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """1e7 relu(x - 1/3) - 1e7 relu(y - 1/3) is zero at vertices whose places are rounded, beside a ramp of 1e16."""
    third = 1e7 / 3
    first = [[1e7, 0], [0, 1e7], [1, 0]], [-third, -third, -0.9]
    second = [[1, -1, 0], [-1, 1, 0], [0, 0, 1]], [0, 0, 0]
    network = to_network(mlp([first[0], second[0], [[1, -1, 1e16]]], [first[1], second[1], [0]]))
    cells = splinescope.tessellate(network, SQUARE, verify="proof")
    if not exact:
        monkeypatch.setattr("splinescope.tessellation.boundary._FEW", -1)
    length = 4 / 3 + np.sqrt(2) * (0.9 - 1 / 3) + 0.1
    np.testing.assert_allclose(splinescope.decision_boundary(cells).lengths.sum(), length, rtol=1e-6)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize(("far", "seed"), [(1e4, 5), (1e4, 15), (1e6, 9), (1e6, 15), (1e8, 3)])
def test_slices_whose_coordinates_cancel_against_their_origin(far: float, seed: int, dimension: int) -> None:
    """Inputs near zero are an origin at -1e4 plus coordinates at 1e4: cells were made up, lost, and refused."""
    rng = np.random.default_rng(seed)
    basis, centre = rng.normal(size=(dimension, 3)), rng.choice([-1, 1], dimension) * far
    square = [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    corners = centre + np.array(square if dimension == 2 else list(itertools.product([-1, 1], repeat=3)))
    domain = splinescope.Slice(rng.normal(size=3) * 0.3 - centre @ basis, basis, corners)
    sizes = [(6, 3), (6, 6), (1, 6)]
    parts = [(rng.integers(-1, 2, size) * 1.0, rng.integers(-1, 2, size[0]) * 0.5) for size in sizes]
    weights, biases = [part[0] for part in parts], [part[1] for part in parts]
    biases[0] = biases[0] - weights[0] @ domain.embed(centre[None])[0]
    cells = splinescope.tessellate(to_network(mlp(weights, biases)), domain, verify="proof")
    assert cells.certificate.level == "proof"


def tetrahedron(rng: np.random.Generator, inputs: int, origin: np.ndarray, size: float) -> splinescope.Slice:
    """A small space around a point, in random directions."""
    basis = np.ascontiguousarray(np.linalg.qr(rng.normal(size=(inputs, 3)))[0].T)
    return splinescope.Slice(origin, basis, size * np.vstack([-np.ones(3), 3 * np.eye(3) - 1]))


@pytest.mark.parametrize(("size", "seed"), [(1e-10, 0)])
def test_spaces_of_a_unit_that_is_zero_everywhere(size: float, seed: int) -> None:
    """relu(u) - relu(u) is zero at all probes: its bound of errors was replaced by none, and cells had it on."""
    rng = np.random.default_rng(seed)
    origin = rng.normal(size=3)
    row = rng.integers(-1, 2, 3) * 1.0
    row[1] = -1
    weight = np.stack([row, [-1.0, 1.0, 1.0], row]) / size
    bias = -weight @ origin
    bias[2] = bias[0]
    network = to_network(mlp([weight, [[1, 0, -1]], [[1]]], [bias, [0], [0]]))
    domain = tetrahedron(rng, 3, origin, size)
    cells = splinescope.tessellate(network, domain, verify="topology")
    assert not np.asarray(cells.patterns)[:, 3].any()


@pytest.mark.parametrize("size", [1e-5, 1e-6])
def test_small_spaces_around_a_point(size: float) -> None:
    """Networks as steep as the space is small: vertices leave facets uneven, and volumes over these summed to more."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        parts = [(rng.normal(size=shape), rng.normal(size=shape[0]) * 0.4) for shape in ((6, 4), (6, 6), (1, 6))]
        origin = rng.normal(size=4)
        weights, biases = [part[0] for part in parts], [part[1] for part in parts]
        weights[0] = weights[0] / size
        biases[0] = biases[0] - weights[0] @ origin
        splinescope.tessellate(to_network(mlp(weights, biases)), tetrahedron(rng, 4, origin, size))


def test_interior_points_in_the_neighbouring_cell() -> None:
    """Two cells exchange patterns and interior points, and outputs are zero: "values" looked at boxes of cells only."""
    rng = np.random.default_rng(0)
    network = to_network(mlp([rng.normal(size=(7, 2)), np.zeros((1, 7))], [rng.normal(size=7) * 0.4, [0]]))
    cells = splinescope.tessellate(network, SQUARE, verify="proof")
    for pair in cells.facets.cells:
        order = np.arange(len(cells))
        order[pair] = pair[::-1]
        codes = tuple(code.taken(order) for code in cells.codes)
        swapped = replace(cells, codes=codes, interior_points=cells.interior_points[order], certificate=None)
        with pytest.raises(CertificateError):
            certify(swapped, "values")
