"""Values at layers that were not those of the module: in-place parts, hooks, sequences with a forward of their own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.network.layer_values import Layers


class Twice(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_parts_that_change_in_place_leave_the_layer_before() -> None:
    torch.manual_seed(0)
    first = nn.Linear(3, 4).double()
    points = torch.randn(5, 3).double()
    before = points.clone()
    module = nn.Sequential(nn.LeakyReLU(0.1, inplace=True), first, nn.ReLU(inplace=True))
    given, leaky, affine, last = Layers.of(module, points).values()
    assert torch.equal(points, before)
    wanted = torch.where(before > 0, before, 0.1 * before)
    np.testing.assert_array_equal(given, before)
    np.testing.assert_allclose(leaky, wanted)
    np.testing.assert_allclose(affine, first(wanted).detach())
    np.testing.assert_allclose(last, first(wanted).detach().clamp(min=0))


def test_hooks_and_sequences_of_ones_own_count() -> None:
    torch.manual_seed(0)
    points = torch.randn(5, 3).double()
    module = nn.Sequential(Twice(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2)).double()
    module[2].register_forward_hook(lambda _module, _given, y: y + 1)
    layers = Layers.of(module, points)
    assert layers.names == ("input", "0", "1", "2")
    np.testing.assert_allclose(layers.values()[-1], module(points).detach())


def test_a_part_that_stands_twice_is_two_layers() -> None:
    torch.manual_seed(0)
    shared, points = nn.Linear(3, 3).double(), torch.randn(5, 3).double()
    layers = Layers.of(nn.Sequential(shared, nn.ReLU(), shared), points)
    assert layers.names == ("input", "0", "1", "2")
    np.testing.assert_allclose(layers.values()[-1], shared(shared(points).relu()).detach())
