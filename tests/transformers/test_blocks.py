"""MLP blocks are found where the source code of the models has them, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from splinescope.complexity.transformers import find_mlp_blocks, mlp_blocks
from splinescope.errors import InvalidInputError, UnsupportedOpError
from tests.transformers.decoders import TRUTHS, PlainDecoder, decoder, mixture, token_ids


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", TRUTHS)
def test_blocks_are_those_of_the_source_code(name: str, dtype: torch.dtype) -> None:
    pytest.importorskip("transformers")
    truth = TRUTHS[name]
    model = decoder(name).to(dtype)
    blocks = mlp_blocks(model)
    assert [block.gate for block in blocks] == [truth.gate.format(i) for i in range(2)]
    assert [block.up for block in blocks] == [truth.up and truth.up.format(i) for i in range(2)]
    assert [block.down for block in blocks] == [truth.down.format(i) for i in range(2)]
    for block in blocks:
        module = model.get_submodule(block.gate)
        weight = module.weight.T if truth.transposed else module.weight
        width = len(weight) // 2 if truth.fused else len(weight)
        assert block.rows == range(width)
        assert block.weight.data_ptr() == weight.data_ptr(), "a view, not a copy"
        assert torch.equal(block.weight, weight[:width])
        assert block.kind == ("plain" if truth.up is None else "gated")
        if module.bias is not None:
            assert torch.equal(block.bias, module.bias[:width])
        else:
            assert block.bias is None


def swiglu_second(h: Tensor) -> Tensor:
    up, gate = h.chunk(2, dim=-1)
    return up * F.silu(gate)


def interleaved(h: Tensor) -> Tensor:
    return F.relu(h[..., ::2]) * h[..., 1::2]


def stacked(h: Tensor) -> Tensor:
    parts = h.view(*h.shape[:-1], 2, 20)
    return torch.sigmoid(parts[..., 1, :]) * parts[..., 1, :] * parts[..., 0, :]


def by_hand(h: Tensor) -> Tensor:
    return 0.5 * h * (1 + torch.erf(h / 2**0.5))


def in_place(h: Tensor) -> Tensor:
    return h.relu_().mul_(2.0)


def normalised(h: Tensor) -> Tensor:
    hidden = F.relu(h).square()
    return hidden * torch.rsqrt(hidden.square().mean(dim=-1, keepdim=True) + 1e-5)


@pytest.mark.parametrize(
    ("hidden", "fused", "kind", "activation", "rows"),
    [
        (F.gelu, False, "plain", "gelu", range(20)),
        (F.relu, False, "plain", "relu", range(20)),
        (by_hand, False, "plain", "erf", range(20)),
        (in_place, False, "plain", "relu", range(20)),
        (normalised, False, "plain", "relu", range(20)),
        (nn.Hardswish(), False, "plain", "Hardswish", range(20)),
        (swiglu_second, True, "gated", "silu", range(20, 40)),
        (interleaved, True, "gated", "relu", range(0, 39, 2)),
        (stacked, True, "gated", "sigmoid", range(20, 40)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_plain_decoders(
    hidden: Callable[[Tensor], Tensor], fused: bool, kind: str, activation: str, rows: range
) -> None:
    model = PlainDecoder(hidden, fused=fused)
    found = find_mlp_blocks(model)
    assert found.skipped == ()
    assert [block.gate for block in found.blocks] == ["layers.0.first", "layers.1.first"]
    assert [block.down for block in found.blocks] == ["layers.0.second", "layers.1.second"]
    for block in found.blocks:
        assert (block.kind, block.activation, block.rows) == (kind, activation, rows)
        assert torch.equal(block.weight, model.get_submodule(block.gate).weight[list(rows)])


def test_two_blocks_of_one_module_are_two_calls() -> None:
    model = PlainDecoder()
    model.layers.append(model.layers[0])
    assert [(block.gate, block.call) for block in mlp_blocks(model)] == [
        ("layers.0.first", 0),
        ("layers.1.first", 0),
        ("layers.0.first", 1),
    ]


@pytest.mark.parametrize(
    ("name", "found", "reason"),
    [
        (
            "mixtral",
            0,
            "the weights of its projection are the parameter `model.layers.0.mlp.experts.gate_up_proj` itself",
        ),
        ("qwen2_moe", 2, "the weights of its projection are the parameter"),
        ("gpt_oss", 0, "both factors of its product go through an activation"),
    ],
)
def test_mixtures_of_experts_are_refused(name: str, found: int, reason: str) -> None:
    pytest.importorskip("transformers")
    model = mixture(name, **({"head_dim": 8} if name == "gpt_oss" else {}))
    search = find_mlp_blocks(model)
    assert len(search.blocks) == found, "shared experts see every token"
    assert [block.name for block in search.skipped] == [f"model.layers.{i}.mlp.experts" for i in range(2)]
    assert all(reason.split(" `")[0] in block.reason for block in search.skipped)
    with pytest.raises(UnsupportedOpError, match=reason):
        mlp_blocks(model)


class Adapter(nn.Module):
    """A linear module with a low-rank correction beside it."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base, self.a, self.b = base, nn.Linear(16, 2, bias=False), nn.Linear(2, 20, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.b(self.a(x))


class Scaled(nn.Linear):
    """Not what its weight says."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Half(nn.Module):
    """Sends half of the tokens to an expert."""

    def __init__(self, expert: nn.Module) -> None:
        super().__init__()
        self.expert = expert

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.expert(x[:, ::2]), x[:, 1::2]], dim=1)


def test_what_cannot_be_measured_is_said() -> None:
    adapted = PlainDecoder()
    adapted.layers[0].first = Adapter(adapted.layers[0].first)
    with pytest.raises(
        UnsupportedOpError, match=r"`layers\.0.*sum of `layers\.0\.first\.base` and `layers\.0\.first\.b`"
    ):
        mlp_blocks(adapted)
    scaled = PlainDecoder()
    scaled.layers[1].first = Scaled(16, 20)
    with pytest.raises(UnsupportedOpError, match=r"`layers\.1`.*is not W x \+ b"):
        mlp_blocks(scaled)
    routed = nn.Sequential(nn.Embedding(8, 4), Half(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4))))
    with pytest.raises(UnsupportedOpError, match="ran on 4 of 8 tokens"):
        mlp_blocks(routed)
    with pytest.raises(InvalidInputError, match="`model`: got Embedding without MLP blocks"):
        mlp_blocks(nn.Embedding(8, 4))
    with pytest.raises(InvalidInputError, match=r"`example`: got shape \(1, 8\) of torch.float32"):
        mlp_blocks(PlainDecoder(), torch.zeros(1, 8))


def test_a_layer_that_differs_from_its_siblings_is_said() -> None:
    model = PlainDecoder(layers=3)
    model.layers[1].hidden = lambda h: torch.fft.fft(h).real  # an activation that nobody knows
    found = find_mlp_blocks(model)
    assert [block.gate for block in found.blocks] == ["layers.0.first", "layers.2.first"]
    assert [(block.name, "although other layers" in block.reason) for block in found.skipped] == [("layers.1", True)]


@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_left_as_it_was(training: bool) -> None:
    pytest.importorskip("transformers")
    model = decoder("gpt2").train(training)
    model.transformer.h[0].mlp.train(not training)
    modes = [module.training for module in model.modules()]
    grads = [parameter.requires_grad for parameter in model.parameters()]
    state = torch.random.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = mlp_blocks(model, token_ids(2, 5))
    assert [block.gate for block in first] == [block.gate for block in mlp_blocks(model)]
    assert modes == [module.training for module in model.modules()]
    assert grads == [parameter.requires_grad for parameter in model.parameters()]
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
