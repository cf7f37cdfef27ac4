"""Small decoders with random weights, and where their MLP blocks really are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VOCABULARY = 64
_SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_OLD = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2}
_GROUPED = {"num_key_value_heads": 2}
_HEADS = {"num_key_value_heads": 2, "head_dim": 8}


@dataclass(frozen=True)
class Truth:
    """An architecture of transformers.

    Attributes:
        config: Arguments of its configuration.
        gate: Where the gate of layer {} is.
        up: Where the second projection is, if any.
        down: Where the down projection is.
        fused: Whether the gate is the first half of its module.
        transposed: Whether weights are [inputs, outputs].
    """

    config: dict[str, Any]
    gate: str
    up: str | None
    down: str
    fused: bool = False
    transposed: bool = False


def _gated(config: dict[str, Any]) -> Truth:
    where = "model.layers.{}.mlp."
    return Truth(_SIZES | config, f"{where}gate_proj", f"{where}up_proj", f"{where}down_proj")


def _plain(config: dict[str, Any], where: str, gate: str, down: str, transposed: bool = False) -> Truth:
    return Truth(config, where + gate, None, where + down, transposed=transposed)


TRUTHS = {
    "llama": _gated(_GROUPED | {"mlp_bias": True}),
    "mistral": _gated(_GROUPED | {"sliding_window": 7}),
    "qwen2": _gated(_GROUPED),
    "qwen3": _gated(_HEADS),
    "gemma": _gated(_HEADS | {"num_key_value_heads": 1}),
    "gemma2": _gated(_HEADS),
    "gemma3_text": _gated(_HEADS),
    "olmo2": _gated({}),
    "stablelm": _gated({"num_key_value_heads": 4}),
    "bitnet": _gated(_GROUPED),
    "phi3": Truth(
        _SIZES | _GROUPED,
        "model.layers.{}.mlp.gate_up_proj",
        "model.layers.{}.mlp.gate_up_proj",
        "model.layers.{}.mlp.down_proj",
        fused=True,
    ),
    "phi": _plain(_SIZES, "model.layers.{}.mlp.", "fc1", "fc2"),
    "starcoder2": _plain(_SIZES | _GROUPED, "model.layers.{}.mlp.", "c_fc", "c_proj"),
    "gpt_neox": _plain(_SIZES, "gpt_neox.layers.{}.mlp.", "dense_h_to_4h", "dense_4h_to_h"),
    "gpt2": _plain(
        _OLD | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "n_inner": 32},  # square: which way round?
        "transformer.h.{}.mlp.",
        "c_fc",
        "c_proj",
        transposed=True,
    ),
    "gptj": _plain(
        _OLD | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "rotary_dim": 4},
        "transformer.h.{}.mlp.",
        "fc_in",
        "fc_out",
    ),
    "opt": _plain(
        {key: value for key, value in _SIZES.items() if key != "intermediate_size"}
        | {"ffn_dim": 48, "word_embed_proj_dim": 32},
        "model.decoder.layers.{}.",
        "fc1",
        "fc2",
    ),
    "falcon": _plain(
        _OLD | {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
        "transformer.h.{}.mlp.",
        "dense_h_to_4h",
        "dense_4h_to_h",
    ),
    "bloom": _plain(
        _OLD | {"hidden_size": 32, "n_layer": 2, "n_head": 4}, "transformer.h.{}.mlp.", "dense_h_to_4h", "dense_4h_to_h"
    ),
    "mpt": _plain(
        {"vocab_size": VOCABULARY, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 64},
        "transformer.blocks.{}.ffn.",
        "up_proj",
        "down_proj",
    ),
}  # fmt: skip
"""What the source code of these models says."""


def decoder(name: str, seed: int = 0, **changes: Any) -> nn.Module:
    """A decoder of transformers with random weights, in evaluation mode."""
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **(TRUTHS[name].config | changes)))
        for parameter in model.parameters():  # biases, too
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn(parameter.shape)
    return model.eval()


def mixture(name: str, **changes: Any) -> nn.Module:
    """A mixture of experts."""
    from transformers import AutoConfig, AutoModelForCausalLM

    return AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **(_SIZES | _GROUPED | changes))).eval()


def token_ids(texts: int, tokens: int, seed: int = 1) -> Tensor:
    """Random tokens that are not special."""
    return torch.randint(3, VOCABULARY, (texts, tokens), generator=torch.Generator().manual_seed(seed))


class PlainDecoder(nn.Module):
    """A decoder in plain torch: attention without positions, and a hidden layer made by a function."""

    def __init__(self, hidden: Callable[[Tensor], Tensor] = F.gelu, layers: int = 2, fused: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 16)
        self.layers = nn.ModuleList(PlainLayer(hidden, fused) for _ in range(layers))
        self.head = nn.Linear(16, VOCABULARY)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class PlainLayer(nn.Module):
    """Attention, then the MLP block."""

    def __init__(self, hidden: Callable[[Tensor], Tensor], fused: bool) -> None:
        super().__init__()
        self.qkv, self.mix = nn.Linear(16, 48), nn.Linear(16, 16)
        self.first, self.second = nn.Linear(16, 40 if fused else 20), nn.Linear(20, 16)
        self.norm = nn.LayerNorm(16)
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part[:, None] for part in self.qkv(self.norm(x)).chunk(3, dim=-1))
        attention = F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, 0]
        x = x + self.mix(attention)
        return x + self.second(self.hidden(self.first(self.norm(x))))
