"""Chains of layers against torch's Jacobians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.network import dense_chains
from splinescope.network.dense_chains import DenseChain
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


IMAGES = {
    "transposed": ((5,), lambda: nn.Sequential(
        nn.Unflatten(1, (5, 1, 1)), nn.ConvTranspose2d(5, 8, 4, 1, 0, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 4, 2, 1), nn.BatchNorm2d(6), nn.LeakyReLU(0.2, True),
        nn.ConvTranspose2d(6, 3, 4, 2, 1), nn.Tanh(),
    )),
    "upsampled": ((5,), lambda: nn.Sequential(
        nn.Linear(5, 32), nn.ReLU(), nn.Unflatten(1, (-1, 2, 2)), nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1),
        nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(6, 5, 3, padding=1), nn.GELU(),
        nn.Conv2d(5, 4, 3, stride=2, dilation=2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 20),
    )),
    "one axis": ((4,), lambda: nn.Sequential(
        nn.Linear(4, 12), nn.Unflatten(1, (3, 4)), nn.BatchNorm1d(3), nn.ReLU(), nn.Conv1d(3, 5, 3, padding=2),
        nn.ReLU(), nn.ConvTranspose1d(5, 2, 4, 3, 1),
    )),
    "three axes": ((2, 2, 1, 2), lambda: nn.Sequential(
        nn.Conv3d(2, 3, 2, padding=1), nn.ReLU(), nn.ConvTranspose3d(3, 2, (2, 3, 2), 2), nn.ReLU(), nn.Conv3d(2, 1, 2),
    )),
    "images of other sizes": ((1, 3, 4), lambda: nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Upsample(size=(6, 8)), nn.Conv2d(3, 2, 5, padding=2), nn.ReLU(),
        nn.ConvTranspose2d(2, 2, 2, 2),
    )),
    "copies of many taps": ((3,), lambda: nn.Sequential(
        nn.Linear(3, 8), nn.ReLU(), nn.Unflatten(1, (2, 2, 2)), nn.Upsample(scale_factor=4),
        nn.Conv2d(2, 2, 8, padding=3),
    )),
    "many columns": ((70,), lambda: nn.Sequential(
        nn.Linear(70, 96), nn.Unflatten(1, (6, 4, 4)), nn.ReLU(), nn.Conv2d(6, 7, 3, padding=1), nn.ReLU(),
    )),
}  # fmt: skip
"""Shapes of inputs, and modules with convolutions."""


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


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", MODULES)
def test_dense_chains(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and Jacobians in both directions, in one part and in several; lengths alone need no more rows."""
    torch.manual_seed(0)
    module = MODULES[name]().to(dtype).eval()
    size = Chain.of(module).dimension  # type: ignore[union-attr]
    z = torch.randn(23, size, dtype=dtype)
    chain, short = (DenseChain.of(module, (size,), shortened=flag) for flag in (False, True))
    assert chain is not None
    assert short is not None
    expected = torch.stack([torch.func.jacrev(lambda x: module(x[None])[0])(row) for row in z]).detach()
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    values = module(z).detach()
    for held in (1 << 20, 7 * chain.outputs * 140, 1):
        monkeypatch.setattr(dense_chains, "HELD", held)
        y, J = chain.rows(z)
        torch.testing.assert_close(y, values, **close)
        torch.testing.assert_close(J, expected, **close)
    y, J = chain.columns(z)
    torch.testing.assert_close(chain.values(z), values, **close)
    torch.testing.assert_close(y, values, **close)
    torch.testing.assert_close(J.transpose(0, 1), expected, **close)
    torch.testing.assert_close(torch.cdist(short.values(z), short.values(z)), torch.cdist(values, values), **close)
    few = short.columns(z)[1].transpose(0, 1)
    torch.testing.assert_close(few.mT @ few, expected.mT @ expected, **close)


def test_what_is_no_dense_chain() -> None:
    """Convolutions, which are slower as matrices, and what is no chain at all; a network's head is left out."""
    shape, module = images("images of other sizes")
    assert DenseChain.of(module, shape) is None
    assert DenseChain.of(splinescope.from_torch(module, input_shape=shape), shape) is None
    assert DenseChain.of(torch.tanh, (2,)) is None
    assert DenseChain.of(nn.Softmax(1), (2,)) is None
    headed = splinescope.from_torch(nn.Sequential(nn.Linear(2, 3), nn.Sigmoid()), input_shape=(2,))
    chain = DenseChain.of(headed, (2,))
    assert chain is not None
    assert chain.layers[-1].function is None


def images(name: str) -> tuple[tuple[int, ...], nn.Module]:
    """A module with statistics that normalise something."""
    torch.manual_seed(1)
    shape, module = IMAGES[name][0], IMAGES[name][1]().double().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    return shape, module


@pytest.mark.parametrize("name", IMAGES)
def test_convolutions(name: str) -> None:
    shape, module = images(name)
    chain = Chain.of(module, shape)
    assert chain is not None
    z = torch.randn(4, *shape, dtype=torch.float64)
    expected = torch.stack([torch.func.jacrev(lambda x: module(x[None]).flatten())(row) for row in z]).detach()
    expected = expected.reshape(len(z), -1, chain.dimension)
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(torch.cat(list(chain.jacobians(z.flatten(1)))), expected, **close)
    grams = torch.cat([gram.matrices for gram in chain.grams(z.flatten(1))])
    torch.testing.assert_close(grams, expected.mT @ expected, **close)
    single = Chain.of(module.float(), shape)
    assert single is not None
    found = torch.cat(list(single.jacobians(z.flatten(1).float())))
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


def test_convolutions_of_networks() -> None:
    """Also behind an elementwise head, and where pixels of a dense layer are copied."""
    for name in ("transposed", "images of other sizes"):
        shape, module = images(name)
        network = splinescope.from_torch(module, input_shape=shape)
        chain = Chain.of(network)
        assert chain is not None
        z = torch.randn(3, *shape, dtype=torch.float64)
        mine = Chain.of(module, shape)
        assert mine is not None
        found, expected = (torch.cat(list(one.jacobians(z.flatten(1)))) for one in (chain, mine))
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    copied = nn.Sequential(nn.Linear(3, 8), nn.Unflatten(1, (2, 2, 2)), nn.Upsample(scale_factor=2), nn.ReLU()).double()
    chain = Chain.of(splinescope.from_torch(copied, input_shape=(3,)))
    assert chain is not None
    z = torch.randn(2, 3, dtype=torch.float64)
    expected = torch.stack([torch.func.jacrev(lambda x: copied(x[None]).flatten())(row) for row in z])
    torch.testing.assert_close(torch.cat(list(chain.jacobians(z))), expected.detach())


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
    image = nn.Conv2d(2, 2, 1)
    for module in (
        nn.Sequential(image, nn.Softmax(1)), nn.Conv2d(2, 2, 1, groups=2), nn.Conv2d(2, 2, 3, padding="same"),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), nn.Sequential(image, nn.MaxPool2d(2)),
        nn.Sequential(image, nn.ReLU(), nn.Upsample(scale_factor=2)),
        nn.Sequential(image, nn.Flatten(2), nn.Linear(4, 2)),
        nn.Sequential(image, nn.BatchNorm2d(2, track_running_stats=False)), nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 5),
        nn.Sequential(image, nn.ReLU(), nn.Unflatten(1, (1, 2))),
    ):  # fmt: skip
        assert Chain.of(module, (2, 2, 2)) is None
    assert Chain.of(image, (2, 2, 2)) is not None
    residual = splinescope.from_torch(Skip(), input_shape=(2,))
    assert Chain.of(residual) is None


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.layer(x))
