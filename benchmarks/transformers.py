"""Decoders: tokens per second with spline features beside a plain pass of the same model, in turn."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
import transformers
from torch import nn

from benchmarks.common import alternate, save
from splinescope.complexity.transformers import mlp_blocks, spline_features

TOKENS = 512
SIZES: dict[str, dict[str, Any]] = {
    "llama": {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8},
    "phi3": {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8},
    "gpt2": {"n_embd": 512, "n_layer": 8, "n_head": 8, "n_positions": TOKENS},
    "opt": {
        "hidden_size": 512,
        "word_embed_proj_dim": 512,
        "ffn_dim": 2048,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
    },
}


def decoder(name: str) -> nn.Module:
    """A decoder with random weights: 8 layers, 512 wide, 8000 tokens."""
    torch.manual_seed(0)
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = transformers.AutoConfig.for_model(name, vocab_size=8000, **special, **SIZES[name])
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def measure(name: str, device: str, repeats: int) -> dict[str, float]:
    """Median tokens per second of a pass alone, with features, and with local complexity, too."""
    model = decoder(name).to(device)
    ids = torch.randint(3, 8000, (4, TOKENS), generator=torch.Generator().manual_seed(0))
    blocks = mlp_blocks(model)

    def alone() -> None:
        with torch.no_grad():
            model(ids.to(device), use_cache=False, logits_to_keep=1).logits.cpu()

    runs: dict[str, Callable[[], Any]] = {
        "pass": alone,
        "features": lambda: spline_features(model, ids, blocks=blocks),
        "features and local complexity": lambda: spline_features(model, ids, blocks=blocks, radius=0.1),
        "features in chunks of 128": lambda: spline_features(model, ids, blocks=blocks, chunk=128),
    }
    times = alternate(runs, repeats)
    rates = {f"{run}, tokens/s": ids.numel() / median(values) for run, values in times.items()}
    base = times["pass"]
    ratios = {
        f"{run}, ratio": median(mine / theirs for mine, theirs in zip(values, base, strict=True))
        for run, values in times.items()
        if run != "pass"
    }
    return rates | ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    results = {}
    for name in SIZES:
        results[name] = measure(name, arguments.device, arguments.repeats)
        print(name, *(f"  {key}: {value:.4g}" for key, value in results[name].items()), sep="\n", flush=True)
    save("transformers", results)


if __name__ == "__main__":
    main()
