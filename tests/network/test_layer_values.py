"""Layers of modules that are neither sequences nor piecewise affine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.network.layer_values import Layers
from splinescope.riemannian import layer_metrics


class Blocks(nn.Module):
    """Residual blocks with tanh, one of which is used twice, and a part that goes around a block."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Residual(4), Residual(4)])
        self.aside, self.last, self.unused = nn.Linear(4, 4), nn.Linear(4, 2), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks[0](self.blocks[0](x).relu_())
        x = self.blocks[1](x) + self.aside(x)
        return self.last(x.tanh()).sigmoid()


class Residual(nn.Module):
    """The identity and a perceptron."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(torch.tanh(self.inner(x)))


def test_layers_of_a_module_are_the_parts_that_everything_passes_through() -> None:
    torch.manual_seed(0)
    module, x = Blocks().double(), torch.randn(5, 4, dtype=torch.float64)
    layers = Layers.of(module, x)
    assert layers.names == ("input", "blocks.0", "blocks.0 (2)", "last", "output")
    assert layers.sizes == [4, 4, 4, 2, 2]
    once = module.blocks[0](x)
    twice = module.blocks[0](once.relu())
    logits = torch.logit(module(x))
    for value, expected in zip(layers.values(), (x, once, twice, logits, module(x)), strict=True):
        np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-12)
    assert not any(part._forward_hooks for part in module.modules())


def test_metrics_at_layers_of_such_a_module() -> None:
    """The metric of a layer, pulled back to the one before, is the metric there."""
    torch.manual_seed(0)
    module, x = Blocks().double(), torch.randn(3, 4, dtype=torch.float64)
    found = layer_metrics(module, x)
    expected = torch.func.vmap(torch.func.jacrev(lambda y: module(y[None])[0]))(x).detach().numpy()
    np.testing.assert_allclose(found[0].metrics.factors, expected, atol=1e-14)
    first = torch.func.vmap(torch.func.jacrev(lambda y: module.blocks[0](y[None])[0]))(x).detach().numpy()
    np.testing.assert_allclose(found[1].metrics.factors @ first, expected, atol=1e-14)


def test_points_that_a_module_does_not_take() -> None:
    for module in (nn.Sequential(nn.Linear(2, 4), nn.Tanh()), Blocks()):
        with pytest.raises(InvalidInputError, match="fails on a batch of shape"):
            Layers.of(module, np.zeros((3, 7)))
