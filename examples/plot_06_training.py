"""
While it trains
===============

A recorder measures a model at log-spaced steps of its training, without a trace in the run.
"""

# %%
# A small network on two moons. At each recorded step: how many cells are in the square, how many units fold near
# the data, how far the data is from the decision boundary, and how the classifier does, also under attack.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import splinescope
from splinescope import datasets, models
from splinescope.observers import (
    Accuracy,
    AdversarialAccuracy,
    BoundaryDistance,
    CellCount,
    CodeChurn,
    MeanLocalComplexity,
    Recorder,
    SliceFrames,
    log_spaced_steps,
    read_log,
    saved_frames,
)
from splinescope.plotting import animate, plot_tessellation

folder = Path(tempfile.mkdtemp())
moons = datasets.two_moons(200, noise=0.1, generator=torch.Generator().manual_seed(0))
x, y = moons.inputs, moons.labels
square = splinescope.Slice.box([-1.3, -1.3], [1.3, 1.3])
model = models.mlp([2, 24, 24, 2], generator=torch.Generator().manual_seed(1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

recorder = Recorder(
    {
        "slice": CellCount(square),
        "complexity": MeanLocalComplexity(x, radius=0.1, frame=2),
        "distance": BoundaryDistance(x),
        "churn": CodeChurn(x),
        "train": Accuracy(x, y),
        "attack": AdversarialAccuracy(x, y, epsilon=0.1, low=-2, high=2),
        "frames": SliceFrames(square, folder / "frames"),
    },
    steps=log_spaced_steps(1000, per_decade=6),
    log=folder / "run.jsonl",
)
with recorder.watching(model) as watch:
    for _ in range(1000):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        watch.step()

# %%
# The log has one row for each recorded step.

rows = read_log(folder / "run.jsonl")
panels = {
    "cells in the square": {"slice/cells": "cells"},
    "folds within 0.1 of a point": {"complexity/mean": "mean local complexity"},
    "share": {"train/accuracy": "accuracy", "attack/accuracy": "under attack", "churn/units": "units that changed"},
}
fig, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
for ax, (label, series) in zip(axes, panels.items(), strict=True):
    for (name, words), style in zip(series.items(), ("o-", "s--", "^:"), strict=False):
        ax.plot([row["step"] for row in rows], [row[name] for row in rows], style, ms=3, label=words)
    ax.set_xscale("symlog", linthresh=1)
    ax.set(xlabel="step", ylabel=label)
    if len(series) > 1:
        ax.legend(frameon=False)

# %%
# Each frame is a complex with its network, from which anything else can be computed later.

frames = saved_frames(folder / "frames")
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="compressed")
for ax, step in zip(axes, (0, 22, 1000), strict=True):
    cells = splinescope.open(frames[step])
    plot_tessellation(cells, "class", ax=ax, title=f"step {step}: {len(cells)} cells")
    if step < 1000:
        ax.get_legend().remove()

# %%
# And all of them make a movie.

movie = animate(frames, folder / "training.gif", "class", dpi=80)
print(f"{movie.name}: {len(frames)} frames, {movie.stat().st_size // 1024} KiB")
