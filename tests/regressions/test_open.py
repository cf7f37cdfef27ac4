"""What still goes wrong, found by the last attack: what is asked of the next change of the engine.

A test that passes here moves to another file of this folder.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Box, Slice
from splinescope.errors import CertificateError, DegenerateArrangementError
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, Builder, Recipe, mlp
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells

OPEN = pytest.mark.xfail(reason="not mended yet", raises=(AssertionError, CertificateError, DegenerateArrangementError))


def polygon(*corners: tuple[float, float]) -> Slice:
    """A slice of the plane with the given corners."""
    return Slice(np.zeros(2), np.eye(2), np.array(corners))


def spike() -> Recipe:
    """A unit that falls from 6e11 to -2 within 1e-9: its slope there is far above its magnitude over the domain."""
    builder = Builder()
    first = builder.layer([[0.0, -36228773846.0], [0.0, 0.0], [0.0, -529225.0]], [0.0, 1.0, 84.0], ABS)
    builder.join((first, 0))
    row = [-2731143561.0, -1613174983.0, 7535003304.0, 0.0, -4766577879.0]
    other = [-5462287122.0, -3226349966.0, 15070006608.000004, 4541560744.0, -9533155758.0]
    second = builder.layer([row, other])
    builder.join((second, 0))
    builder.layer([[0.0, 1e8, 0.0, 0.0], [0.0, 3e8, 0.0, 0.0]], [-190944272.0, -572832815.0])
    return builder.build()


@OPEN
def test_planes() -> None:
    network, domain = to_network(spike()), polygon((1.0, 0.25), (0.0, 1.0), (0.0, 0.0))
    result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)


@OPEN
def test_measures_in_space() -> None:
    """A fold that is what is left of two that cancel: its place is known to 1e-11, and so is a volume."""
    builder = Builder(3)
    builder.dense(np.diag([0.0, 0, 1, 0])[:, :3], [0, 0, 0, 1e-9])
    builder.dense([[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1.0000014, -8e-07], [0, 0, 0, 0]])
    builder.total((1, 2), (1.0, -1.0))
    builder.layer([[0, 1, 0, 0], [0, 0, 1, 0]])
    half = np.array([4.933013080593664e-05, 2.175833562938983e-06, 4.653799897148813e-05])
    network, domain = to_network(builder.build()), Box(-half, half)
    result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)


def one_layer(weight: np.ndarray, bias: list[float]) -> nn.Sequential:
    """One layer and a ReLU."""
    layer = nn.Linear(weight.shape[1], len(weight)).double()
    layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias, dtype=torch.float64)
    return nn.Sequential(layer, nn.ReLU())


@OPEN
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_small_box_of_four_dimensions() -> None:
    """Some vertices have no coordinates where inputs are 1e-6, as they have where inputs are 1; it is refused."""
    weight = np.array([[-2.0, -1, -1, 1], [0, -1, 1, 2], [-2, 2, -1, 1]])
    network = splinescope.from_torch(one_layer(1e6 * weight, [1.0, 0, 0]), input_shape=(4,))
    cells = splinescope.tessellate(network, Box(np.full(4, -1e-6), np.full(4, 1e-6)), verify="proof")
    assert len(cells) == 8


@OPEN
def test_a_polytope_of_four_dimensions() -> None:
    """A unit that is on its breakpoint all over a cell is refused in a polytope; in a box it is not."""
    rng = np.random.default_rng(0)
    corners = 2 * rng.normal(size=(8, 4))
    rng.normal(size=(5, 4))
    first, bias = rng.normal(size=(3, 4)), (rng.integers(-2, 3, (3, 4)), rng.normal(size=3))[1]
    second = one_layer(np.array([[1.0, -1, 0]]), [0.0])
    network = splinescope.from_torch(nn.Sequential(*one_layer(first, bias.tolist()), *second), input_shape=(4,))
    domain = Slice(np.zeros(4), np.eye(4), corners)
    assert splinescope.tessellate(network, domain, verify="proof").certificate.level == "proof"


@OPEN
def test_classes_on_a_segment_beside_a_steep_ramp() -> None:
    """Outputs of a segment are compared within one common error: |x| - 1/2 + 1e15 relu(x - 0.9) is zero at 1/2."""
    network = to_network(mlp([[[1], [-1], [1]], [[1, 1, 1e15]]], [[0, 0, -0.9], [-0.5]]))
    cells = splinescope.tessellate(network, splinescope.Segment([-1.0], [1.0]))
    np.testing.assert_allclose(splinescope.decision_boundary(cells).start, [0.0, 0.25, 0.75])
