"""A small training run with all that a recorder must not disturb, and that can be killed and resumed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import splinescope
from splinescope.observers import (
    Accuracy,
    AdversarialAccuracy,
    AffineNorm,
    BoundaryDistance,
    CellCount,
    ClassAreas,
    CodeChurn,
    MeanLocalComplexity,
    Recorder,
    SliceFrames,
    log_spaced_steps,
)

SQUARE = splinescope.Slice.box([-1.0, -1.0], [1.0, 1.0])


def quadrants(count: int = 60, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points of a square, of class 1 where the signs of their coordinates agree."""
    x = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return x, (x[:, 0] * x[:, 1] > 0).long()


def all_measures(folder: Path) -> dict[str, Any]:
    """Each of the ready-made measures."""
    x, y = quadrants()
    return {
        "complexity": MeanLocalComplexity(x, 0.1, frame=2),
        "slice": CellCount(SQUARE),
        "areas": ClassAreas(SQUARE),
        "norm": AffineNorm(x),
        "distance": BoundaryDistance(x),
        "churn": CodeChurn(x),
        "train": Accuracy(x, y),
        "attack": AdversarialAccuracy(x, y, 0.05, low=-1.0, seed=3),
        "frames": SliceFrames(SQUARE, folder / "frames"),
    }


def rude(snapshot: Any) -> dict[str, float]:
    """A measure that misbehaves in all ways that a recorder makes up for."""
    random.seed(1)
    np.random.seed(2)  # noqa: NPY002 - what is to be disturbed
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")
    assert not any(child.training for child in snapshot.module.modules())
    for parameter in snapshot.module.parameters():
        parameter.requires_grad_(True)
    outputs = snapshot.module.train()(torch.randn(8, 2, dtype=torch.float32))
    outputs.sum().backward()
    with torch.no_grad():
        for parameter in snapshot.module.parameters():
            parameter.zero_()
    return {"zero": 0.0}


def train(folder: Path, steps: int = 40, every: int = 10, measures: Callable[[Path], dict[str, Any]] = all_measures):
    """Train with a checkpoint every so many steps, from the last checkpoint if there is one."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    x, y = quadrants()
    start, checkpoint = 0, folder / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        start = saved["step"]
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["generator"])
    recorder = Recorder(measures(folder), log_spaced_steps(steps, per_decade=8), folder / "run.jsonl")
    with recorder.watching(model, start) as watch:
        while watch.count < steps:
            rows = torch.randperm(len(x))[:20]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            if (watch.count + 1) % every == 0:
                state = {"step": watch.count + 1, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save({**state, "generator": torch.get_rng_state()}, folder / "new.pt")
                os.replace(folder / "new.pt", checkpoint)
            watch.step()
    return recorder


class Deadly(SliceFrames):
    """Saves its frame of step 18 and kills the process: there are frame and numbers, but no row."""

    def __call__(self, snapshot: Any) -> dict[str, float]:
        found = super().__call__(snapshot)
        if snapshot.step == 18:
            os.kill(os.getpid(), signal.SIGKILL)
        return found


Deadly.__qualname__ = SliceFrames.__qualname__  # so that the run may be resumed without it


def deadly(folder: Path) -> dict[str, Any]:
    """All measures, one of which kills the process."""
    return {**all_measures(folder), "frames": Deadly(SQUARE, folder / "frames")}
