"""A training run that goes on where it was stopped, watched by a recorder that leaves no trace in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from splinescope.observers import Recorder
from splinescope.progress import each
from splinescope.storage import replacing

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": nn.functional.cross_entropy,
    "mse": lambda outputs, labels: nn.functional.mse_loss(
        outputs, nn.functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
    ),
}
"""Losses by name: the cross-entropy, and the mean squared distance from the one-hot label."""


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained, by AdamW on batches drawn with replacement.

    Attributes:
        loss: A name of `LOSSES`.
        steps: Number of steps.
        batch: Inputs per step.
        learning_rate: Step size.
        weight_decay: Decoupled weight decay per unit of learning rate.
    """

    loss: str
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float


def train_with_checkpoints(
    module: nn.Module,
    inputs: Float[Tensor, "n ..."],
    labels: Int[Tensor, " n"],
    recipe: Recipe,
    recorder: Recorder,
    checkpoint: Path,
    *,
    generator: torch.Generator,
    every: int = 2000,
    progress: bool = False,
) -> None:
    """Train a module in place; what was saved before is taken up.

    Args:
        module: A classifier, which is trained where its parameters are.
        inputs: Training inputs, on the same device.
        labels: Their classes.
        recipe: How.
        recorder: What watches the run.
        checkpoint: File that holds the newest state, replaced every so many steps.
        generator: Source of the batches, on the CPU.
        every: Steps between checkpoints.
        progress: Whether to show a bar.
    """
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    start = _load(checkpoint, module, optimizer, generator)
    loss = LOSSES[recipe.loss]
    with recorder.watching(module, start) as watch:
        for step in each(range(start + 1, recipe.steps + 1), "steps", progress, done=start):
            batch = torch.randint(len(inputs), (recipe.batch,), generator=generator).to(inputs.device)
            optimizer.zero_grad()
            loss(module(inputs[batch]), labels[batch]).backward()
            optimizer.step()
            watch.step()
            if step % every == 0 or step == recipe.steps:
                _save(checkpoint, step, module, optimizer, generator)


def _save(
    path: Path, step: int, module: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> None:
    state = {
        "step": step,
        "module": module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": generator.get_state(),
    }
    with replacing(path) as temporary:
        torch.save(state, temporary)


def _load(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> int:
    """Take up a saved state; the number of steps that it has, 0 if there is none."""
    if not path.is_file():
        return 0
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    generator.set_state(state["generator"])
    return int(state["step"])
