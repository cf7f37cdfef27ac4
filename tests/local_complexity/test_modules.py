"""Local complexity of modules that are not loaded: gates of all kinds, and nothing changed."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from splinescope.complexity import local_complexity, orthonormal_frame
from splinescope.complexity.local.gates import watched
from splinescope.errors import InvalidInputError
from tests.reference.local_complexity import hull


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class HandMade(nn.Module):
    """GELU as people write it themselves, which calls no function of torch by that name."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))


class HandMadeGELU(HandMade):
    """The same under a name that tells."""


class SwiGLU(nn.Module):
    """A gated block, with its gate's argument kept for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(6, 10), nn.Linear(6, 10), nn.Linear(10, 6)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(functional.silu(self.gate(x)) * self.up(x))


def block(activation: nn.Module) -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(6, 12), activation, nn.Linear(12, 3)).double()


GATES = [
    nn.ReLU(), nn.ReLU(inplace=True), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.SiLU(inplace=True), nn.Mish(),
    nn.ELU(), nn.SELU(), nn.CELU(), nn.Softplus(), nn.LeakyReLU(0.1, inplace=True), nn.PReLU(), nn.RReLU(),
    nn.Hardswish(), nn.ReLU6(), HandMadeGELU(),
]  # fmt: skip


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: type(gate).__name__)
@pytest.mark.parametrize("mode", ["reference", "affine"])
def test_one_layer_of_every_gate(gate: nn.Module, mode: str) -> None:
    module = block(gate)
    points = torch.randn(8, 6, generator=seeded(1), dtype=torch.float64)
    frame = orthonormal_frame((6,), 4, generator=seeded(2))
    weight, bias = module[0].weight.detach(), module[0].bias.detach()
    expected = ((points @ weight.T + bias).abs() <= 0.3 * (weight @ frame.T).abs().amax(dim=1)).sum(dim=1)
    found = local_complexity(module, points, 0.3, frame=frame, mode=mode)
    assert found.counts[:, 0].tolist() == expected.tolist()
    assert found.counts.shape == (8, 1)
    assert found.layers[0].startswith("1: ")
    assert 0 < expected.sum() < 8 * 12


@pytest.mark.parametrize(
    "function",
    [functional.relu, torch.relu, Tensor.relu, lambda x: x.clamp(min=0), lambda x: torch.clamp_min(x, 0.0)],
)
def test_functions_are_seen_too(function: object) -> None:
    layer = nn.Linear(4, 9).double()
    points = torch.randn(5, 4, generator=seeded(3), dtype=torch.float64)
    frame = torch.eye(4, dtype=torch.float64)
    found = local_complexity(lambda x: function(layer(x)).sum(dim=1), points, 0.2, frame=frame)  # type: ignore[operator]
    expected = (layer(points).abs() <= 0.2 * layer.weight.abs().amax(dim=1)).sum(dim=1)
    assert found.total.tolist() == expected.tolist()


def test_swiglu_counts_its_gate_only() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(SwiGLU(), SwiGLU()).double()
    points = torch.randn(9, 6, generator=seeded(4), dtype=torch.float64)
    frame = orthonormal_frame((6,), 5, generator=seeded(5))
    vertices = hull(points, frame, 0.4).flatten(0, 1)
    with torch.no_grad():
        gates = [module[0].gate(vertices), module[1].gate(module[0](vertices))]
    signs = [torch.sign(gate).reshape(9, 10, -1) for gate in gates]
    expected = torch.stack([(sign != sign[:, :1]).any(dim=1).sum(dim=1) for sign in signs], dim=1)
    found = local_complexity(module, points, 0.4, frame=frame)
    np.testing.assert_array_equal(found.counts, expected)
    assert found.layers == ("0: silu", "1: silu")


def test_reused_activations_are_layers_of_their_own() -> None:
    gate = nn.ReLU()
    module = nn.Sequential(nn.Linear(3, 5), gate, nn.Linear(5, 5), gate, nn.Linear(5, 1)).double()
    found = local_complexity(module, torch.zeros(2, 3, dtype=torch.float64), 0.5, frame=3)
    assert found.counts.shape == (2, 2)


def test_tokens_in_the_batch_axis() -> None:
    """A module that folds tokens into the batch still has its units by point."""
    layer = nn.Linear(4, 7).double()

    def model(x: Tensor) -> Tensor:
        return functional.gelu(layer(x.reshape(-1, 4))).reshape(len(x), -1)

    points = torch.randn(6, 3, 4, generator=seeded(6), dtype=torch.float64)
    found = local_complexity(model, points, 0.3, frame=5)
    assert found.counts.shape == (6, 1)
    assert len(found.unit_counts[0]) == 3 * 7


def test_fast_path_of_transformers_does_not_hide_gates() -> None:
    module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu").eval()
    found = local_complexity(module, torch.randn(3, 5, 8, generator=seeded(7)), 0.5, frame=4)
    assert found.counts.shape == (3, 1)
    assert len(found.unit_counts[0]) == 5 * 16


def test_nothing_is_changed() -> None:
    module = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(8, 2))
    module[1].eval()
    module(torch.randn(8, 4)).sum().backward()
    calls: list[int] = []
    module[0].register_forward_hook(lambda *_: calls.append(1))
    before = copy.deepcopy(module.state_dict())
    modes = [child.training for child in module.modules()]
    grads = [parameter.grad for parameter in module.parameters()]
    state = torch.get_rng_state()
    hooks = [len(child._forward_hooks) + len(child._forward_pre_hooks) for child in module.modules()]
    for mode in ("reference", "affine"):
        local_complexity(module, torch.randn(5, 4, generator=seeded(8)), 0.3, mode=mode)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert [child.training for child in module.modules()] == modes
    assert all(one is two for one, two in zip(grads, (p.grad for p in module.parameters()), strict=True))
    assert [len(child._forward_hooks) + len(child._forward_pre_hooks) for child in module.modules()] == hooks


def test_hooks_go_when_the_model_fails() -> None:
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU()).train()
    with pytest.raises(RuntimeError), watched(module, lambda *_: None):
        module(torch.zeros(1, 5))
    assert all(not child._forward_hooks and not child._forward_pre_hooks for child in module.modules())
    assert module.training


def test_modules_without_gates_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="`model`: no gate was seen in Sequential"):
        local_complexity(nn.Sequential(nn.Linear(2, 2), HandMade()), torch.zeros(1, 2), 0.1)
    with pytest.raises(InvalidInputError, match=r"the gate 'relu' has an argument of shape \(3,\) for a batch of 4"):
        local_complexity(lambda x: functional.relu(x[:3, 0]), torch.zeros(1, 2), 0.1, frame=2)
    with pytest.raises(InvalidInputError, match="`logits`: the model returns tuple"):
        local_complexity(lambda x: (functional.relu(x), x), torch.zeros(1, 2), 0.1, logits=True)
