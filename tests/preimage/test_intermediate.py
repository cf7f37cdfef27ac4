"""Preimages at the layers of a network: an input is in the first exactly if its values are in all others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import splinescope
from splinescope import Box, Slice
from splinescope.errors import InvalidInputError
from splinescope.network import split
from splinescope.preimage import ClassTarget, PolytopeTarget, intermediate_preimages, nested_pieces
from tests.preimage.nets import chain, cube, formula, network


@pytest.mark.parametrize("domain", [cube(2), Slice.box([-1.0, -1.0], [1.0, 1.0])], ids=["box", "slice"])
def test_values_are_in_the_preimages_of_their_layers(domain: Box | Slice) -> None:
    net, target = network(formula([2, 3, 3, 3], 4)), ClassTarget(1)
    found = intermediate_preimages(net, target, domain)
    assert [stage.boundary.shape for stage in found] == [(2,), (3,), (3,)]
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    expected = target.contains(net(x))
    assert 0 < expected.sum() < len(x)
    np.testing.assert_array_equal(found[0].preimage.contains(x), expected)
    for stage in found[1:]:
        values = split(net, stage.boundary.index).before(x)
        inside = stage.preimage.domain
        assert (values >= inside.low - 1e-12).all()
        assert (values <= inside.high + 1e-12).all()
        assert (inside.low >= 0).all()
        held = [stage.preimage.target.contains(split(net, stage.boundary.index).after(values))]
        np.testing.assert_array_equal(held[0], expected)
        free = inside.low < inside.high
        np.testing.assert_array_equal(stage.preimage.contains(values[:, free]), expected)


def test_a_flattened_surface_layer_by_layer() -> None:
    target = PolytopeTarget(np.empty((0, 3)), [], [[1.0, 1.0, 1.0]], [1.0])
    net = chain((1.0, -0.15, -0.05), 3)
    found = intermediate_preimages(net, target, cube(3, 0.0, 6.0), at=[0, 2, 4, 6])
    assert [len(stage.preimage) for stage in found] == [*(nested_pieces(3, layers) for layers in (3, 2, 1)), 1]


def test_layers_by_name_and_limits() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).double()
    net = splinescope.load(module, input_shape=(2,))
    (stage,) = intermediate_preimages(net, ClassTarget(0), cube(2), at=["1"], max_cells=1)
    assert stage.boundary.name == "1"
    with pytest.raises(InvalidInputError, match="`at`"):
        intermediate_preimages(net, ClassTarget(0), cube(2), at=["nowhere"])
