"""Chains of layers against torch's Jacobians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.network.layer_chains import Chain
from tests.generative.nets import formula_net

MODULES = {
    "ReLU": lambda: formula_net([3, 17, 70, 9], 0),
    "ReLU at the end": lambda: nn.Sequential(formula_net([3, 8, 9], 1), nn.ReLU()),
    "smooth": lambda: nn.Sequential(
        nn.Linear(3, 9), nn.Tanh(), nn.Linear(9, 11), nn.GELU(), nn.Linear(11, 7), nn.Tanh()
    ),
    "one layer": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 5)),
    "one layer and a function": lambda: nn.Sequential(nn.Linear(3, 5, bias=False), nn.LeakyReLU(0.25)),
    "layers without functions": lambda: nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4)),
    "slopes of its own": lambda: nn.Sequential(nn.Linear(3, 8), nn.PReLU(8), nn.Linear(8, 90)),
    "many columns": lambda: nn.Sequential(nn.Linear(130, 140), nn.ReLU(), nn.Linear(140, 150)),
    "dead": lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), dead(), nn.ReLU(), nn.Linear(4, 5)),
}


def dead() -> nn.Linear:
    layer = nn.Linear(4, 4)
    layer.weight.data.zero_()
    layer.bias.data.fill_(-1.0)
    return layer


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", MODULES)
def test_jacobians_and_gram_matrices(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = MODULES[name]().to(dtype).eval()
    chain = Chain.of(module)
    assert chain is not None
    z = torch.randn(23, chain.dimension, dtype=dtype)
    expected = torch.stack([torch.func.jacrev(lambda x: module(x[None])[0])(row) for row in z]).detach()
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(torch.cat(list(chain.jacobians(z))), expected, **close)
    blocks = torch.cat([torch.cat(list(part), dim=2) for part in chain.blocks(z)])
    torch.testing.assert_close(blocks, expected, **close)
    for one in (chain, chain.shortened):
        grams = list(one.grams(z))
        torch.testing.assert_close(torch.cat([gram.matrices for gram in grams]), expected.mT @ expected, **close)
        sizes = torch.cat([gram.sizes for gram in grams])
        assert (sizes >= 0.999 * expected.square().sum(dim=1).amax(dim=1)).all()
        assert one.outputs <= chain.outputs


def test_networks_and_threads() -> None:
    module = formula_net([4, 30, 31, 20], 2)
    network = splinescope.from_torch(module, input_shape=(4,))
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((50, 4)))
    chains = Chain.of(module), Chain.of(network)
    assert chains[0] is not None
    assert chains[1] is not None
    one, two = (torch.cat(list(chain.jacobians(z))) for chain in chains)
    torch.testing.assert_close(one, two, rtol=1e-13, atol=1e-13)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert torch.equal(torch.cat(list(chains[0].jacobians(z))), one)
    finally:
        torch.set_num_threads(before)


class Twice(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_what_is_no_chain() -> None:
    hooked = nn.Sequential(nn.Linear(2, 2))
    hooked[0].register_forward_hook(lambda _module, _inputs, y: 2 * y)
    changed = nn.Sequential(nn.Linear(2, 2))
    changed[0].forward = lambda x: 2 * x  # type: ignore[method-assign]
    for module in (
        Twice(nn.Linear(2, 2)), hooked, changed, nn.Sequential(nn.Conv1d(1, 1, 1)), nn.ReLU(),
        nn.Sequential(nn.Linear(2, 2), nn.Softmax(1)), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()),
        nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)),
    ):  # fmt: skip
        assert Chain.of(module) is None
    residual = splinescope.from_torch(Skip(), input_shape=(2,))
    assert Chain.of(residual) is None


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.layer(x))
