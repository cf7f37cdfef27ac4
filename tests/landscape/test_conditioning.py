"""Singular values downstream of layers: products by hand, closed forms, and bounds that no value may violate."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from fractions import Fraction

import flint
import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import models
from splinescope.errors import InvalidInputError
from splinescope.landscape import conditioning, downstream, layer_hessian
from splinescope.network.splits import boundaries
from tests.landscape.nets import Residual, conv_net, seeded


def made(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Absolute(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()


ACTIVATIONS = {"relu": nn.ReLU, "leaky": lambda: nn.LeakyReLU(0.1), "absolute": Absolute}


@pytest.mark.parametrize("build", [Residual, conv_net], ids=["residual", "convolutions"])
def test_maps_are_derivatives_of_the_outputs(build: Callable[[], nn.Module]) -> None:
    module = seeded(build)
    network = splinescope.load(module, input_shape=(5,) if build is Residual else (2, 10, 10))
    x = torch.randn(6, *network.input_shape, generator=made(1), dtype=torch.float64)
    found = conditioning(network, x)
    assert len(found.singular_values) >= 2
    for name, values in zip(found.names, found.singular_values, strict=False):
        direct = np.linalg.svd(downstream(network, name, x).numpy(), compute_uv=False)
        assert values == pytest.approx(direct[:, : values.shape[1]], rel=1e-10, abs=1e-12)
    assert found.violations == 0 < found.checked


def test_the_layer_family_by_hand() -> None:
    """Steps are D W + rho I, D being where the pre-activation is positive."""
    net = models.residual_mlp([3, 6, 4, 2], skip=0.7, generator=made(0), dtype=torch.float64)
    x = torch.randn(5, 3, generator=made(2), dtype=torch.float64)
    found = conditioning(net, x, skip=0.7)
    z, hidden = net[1](x), []
    for block in net[2:-1]:
        gates = (block.layer(z) > 0).double()
        hidden.append(gates[:, :, None] * block.layer.weight + 0.7 * torch.eye(6, dtype=torch.float64))
        z = block(z)
    total = net[-1].weight.detach()
    for values, steps, own in zip(found.singular_values[::-1], found.steps[:-1][::-1], hidden[:0:-1], strict=False):
        assert values == pytest.approx(torch.linalg.svdvals(total.expand(5, -1, -1)).detach().numpy(), rel=1e-10)
        assert steps == pytest.approx(torch.linalg.svdvals(own).detach().numpy(), rel=1e-10)
        total = total @ own


@pytest.mark.parametrize(("c", "bound"), [(0.3, 13 / 7), (0.6, 4.0), (0.9, 19.0)])
def test_one_step_of_a_residual_network(c: float, bound: float) -> None:
    """The constants of one layer: (1 + c) / (1 - c); measured condition numbers are below."""
    net = models.residual_mlp([20, 20, 2, 20], norm=c, activation=Absolute, generator=made(0), dtype=torch.float64)
    x = torch.randn(50, 20, generator=made(1), dtype=torch.float64)
    found = conditioning(net, x, places=("2.add", "3.add_1"), skip=1.0)
    assert found.bounds == pytest.approx(np.full((50, 1), bound))  # signs of the slopes don't change the norm
    assert (found.condition_numbers < bound).all()
    assert found.condition_numbers.max() > 1 + 0.4 * c
    assert found.violations == 0


@pytest.mark.parametrize(
    ("activation", "skip", "norm"), list(itertools.product(ACTIVATIONS, (0.0, 0.5, 1.0), (None, 0.3, 0.9)))
)
def test_no_value_violates_a_bound(activation: str, skip: float, norm: float | None) -> None:
    net = models.residual_mlp(
        [5, 12, 5, 3], skip=skip, norm=norm, activation=ACTIVATIONS[activation], generator=made(3), dtype=torch.float64
    )
    x = torch.randn(20, 5, generator=made(4), dtype=torch.float64)
    found = conditioning(net, x, skip=skip)
    assert found.violations == 0
    assert found.checked > 2000
    for index, block in enumerate(net[3:-1]):  # slopes from eta to 1 scale singular values by no less and no more
        own = torch.linalg.svdvals(block.layer.weight).detach().numpy()
        least = {"relu": 0.0, "leaky": 0.1, "absolute": 1.0}[activation]
        assert (found.rests[index] <= own * (1 + 1e-12)).all()
        assert (found.rests[index] >= least * own * (1 - 1e-12)).all()


def test_violations_are_seen() -> None:
    net = models.residual_mlp([5, 12, 4, 3], norm=0.5, generator=made(0), dtype=torch.float64)
    found = conditioning(net, torch.randn(20, 5, generator=made(1), dtype=torch.float64), skip=1.0)
    assert found.violations == 0
    for wrong in (
        {"singular_values": tuple(1.1 * values for values in found.singular_values)},
        {"rests": tuple(0.2 * values for values in found.rests)},
        {"steps": tuple(values[:, ::-1] - 1 for values in found.steps)},
    ):
        assert dataclasses.replace(found, **wrong).violations > 0


def test_dead_units_make_plain_networks_singular() -> None:
    """To the last hidden layer, a plain ReLU network loses rank with each unit that is off."""
    x = torch.randn(30, 8, generator=made(1), dtype=torch.float64)
    places = [f"{i}" for i in range(2, 6)]
    for skip in (0.0, 1.0):
        net = models.residual_mlp([8, 16, 4, 3], skip=skip, norm=0.9, generator=made(0), dtype=torch.float64)
        network = splinescope.load(net, input_shape=(8,))
        ends = [gate.name for gate in boundaries(network) if gate.name.split(".")[0] in places]
        found = conditioning(network, x, places=[name for name in ends if "layer" not in name], skip=skip)
        assert np.isinf(found.condition_numbers).all() == (skip == 0.0)
        assert (found.ranks < 16).all() == (skip == 0.0)
        assert np.isfinite(found.active_condition_numbers).all()


def test_condition_numbers_beyond_float64() -> None:
    """Of a long product, beside the exact one: its inverse is that of rational numbers."""
    net = models.residual_mlp([4, 6, 40, 6], norm=2.5, activation=Absolute, generator=made(5), dtype=torch.float64)
    x = torch.randn(3, 4, generator=made(6), dtype=torch.float64)
    network = splinescope.load(net, input_shape=(4,))
    ends = ["1", *(gate.name for gate in boundaries(network) if gate.name.endswith(("add", *"0123456789")))][:-1]
    found = conditioning(
        network, x, places=[name for name in dict.fromkeys(ends) if "." in name or name == "1"], skip=1.0
    )
    assert found.regular.all()
    assert found.violations == 0
    z = net[1](x)
    exact = [flint.fmpq_mat(6, 6, [int(i == j) for i in range(6) for j in range(6)]) for _ in range(3)]
    for block in net[2:-1]:
        signs = torch.sign(block.layer(z))
        for i in range(3):
            step = (signs[i][:, None] * block.layer.weight).detach() + torch.eye(6)
            rows = [flint.fmpq(*float(value).as_integer_ratio()) for value in step.flatten()]
            exact[i] = flint.fmpq_mat(6, 6, rows) * exact[i]
        z = block(z)
    for i in range(3):
        inverse = exact[i].inv()
        norms = [
            np.linalg.norm([[float(Fraction(int(e.p), int(e.q))) for e in row] for row in matrix.tolist()], 2)
            for matrix in (exact[i], inverse)
        ]
        assert found.condition_numbers[i, 0] == pytest.approx(norms[0] * norms[1], rel=1e-6)
    assert found.condition_numbers[:, 0].max() > 1e16


def test_the_shape_of_the_loss_by_a_layer() -> None:
    """Of one sample the block of a layer has the eigenvalues 2 s_j(M D)^2 |z|^2."""
    net = models.residual_mlp([4, 7, 2, 3], generator=made(0), dtype=torch.float64)
    x = torch.randn(1, 4, generator=made(1), dtype=torch.float64)
    (values, *_) = conditioning(net, x, places=("1", "4"), skip=1.0).singular_values
    block = layer_hessian(net, "1", x, torch.zeros(1, 3, dtype=torch.float64))
    assert block.eigenvalues(3) == pytest.approx(2 * values[0] ** 2 * float(x.square().sum()), rel=1e-10)


def test_refusals() -> None:
    net = models.residual_mlp([4, 7, 2, 3], generator=made(0))
    x = torch.zeros(1, 4)
    with pytest.raises(InvalidInputError, match="`skip`: got -1"):
        conditioning(net, x, skip=-1.0)
    with pytest.raises(InvalidInputError, match=r"`places`: got .* expected two or more"):
        conditioning(net, x, places=("4", "1"))
    with pytest.raises(InvalidInputError, match="`norm`: got 0"):
        models.residual_mlp([4, 7, 2, 3], norm=0.0, generator=made(0))
    with pytest.raises(InvalidInputError, match="`widths`: got"):
        models.residual_mlp([4, 7, 3], generator=made(0))
    with pytest.raises(InvalidInputError, match="`skip`: got 2"):
        models.residual_convnet((1, 8, 8), 10, (4,), 1, skip=2.0, generator=made(0))
    with pytest.raises(InvalidInputError, match="`channels`, `blocks`: got"):
        models.residual_convnet((1, 8, 8), 10, (), 1, generator=made(0))
