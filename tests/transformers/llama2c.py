"""The stories260K weights of the assets, a llama2.c file of version 0, as a model of transformers."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.network.assets import ASSETS

STORIES = ASSETS / "models" / "stories260K" / "stories260K.bin"
ABSENT = f"no {STORIES}; set SPLINESCOPE_ASSETS to the folder of the networks"

ONCE_UPON_A_TIME = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401]
"""<s> and what llama2.c itself goes on with, greedily: " Once upon a time, there was a little girl named Lil" ..."""


def stories(path: Path = STORIES) -> Any:
    """The model, in evaluation mode and float32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    content = path.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocabulary, length = struct.unpack("7i", content[:28])
    numbers = torch.from_numpy(np.frombuffer(content, dtype="<f4", offset=28).copy())
    size, kv = dim // heads, kv_heads * (dim // heads)
    shapes = {
        "embed": (vocabulary, dim), "norm1": (layers, dim), "q": (layers, dim, dim), "k": (layers, kv, dim),
        "v": (layers, kv, dim), "o": (layers, dim, dim), "norm2": (layers, dim), "gate": (layers, hidden, dim),
        "down": (layers, dim, hidden), "up": (layers, hidden, dim), "norm": (dim,), "cos": (length, size // 2),
        "sin": (length, size // 2),
    }  # fmt: skip
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    assert sum(sizes) == len(numbers)
    parts = zip(shapes, torch.split(numbers, sizes), strict=True)
    arrays = {name: _restored(part, shapes[name]) for name, part in parts}
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=dim, intermediate_size=hidden, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=length, rms_norm_eps=1e-5,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    state = {"model.embed_tokens.weight": arrays["embed"], "model.norm.weight": arrays["norm"]}
    names = {
        "input_layernorm": "norm1", "post_attention_layernorm": "norm2", "self_attn.v_proj": "v",
        "self_attn.o_proj": "o", "mlp.gate_proj": "gate", "mlp.up_proj": "up", "mlp.down_proj": "down",
    }  # fmt: skip
    for i in range(layers):
        state |= {f"model.layers.{i}.{theirs}.weight": arrays[ours][i] for theirs, ours in names.items()}
        for ours, count in (("q", heads), ("k", kv_heads)):
            state[f"model.layers.{i}.self_attn.{ours}_proj.weight"] = _halves(arrays[ours][i], count)
    state["lm_head.weight"] = arrays["embed"]
    model.load_state_dict(state, strict=True)
    return model


def _restored(numbers: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Undo what was done to the matrices of this copy: their memory was transposed, as [in, out], five times.

    The repository that it comes from has a program for that, which works in place. The embedding is whole. With any
    other number of transpositions the model is noise; with this one it says what llama2.c says (`ONCE_UPON_A_TIME`).
    """
    array = numbers.reshape(shape)
    if array.ndim == 3:
        for _ in range(5):
            array = array.transpose(1, 2).reshape(shape)
    return array


def _halves(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rotated pairs are neighbours in llama2.c and halves of a head in transformers."""
    return weight.reshape(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)
