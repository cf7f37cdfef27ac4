"""
Watching grokking
=================

A network that starts wide fits its few training images first, generalises to others later, and withstands attacks
later still. How many folds pass near the data says what happens meanwhile.
"""

# %%
# A wide start and weight decay delay generalisation. Nothing is recorded by hand: a recorder measures a copy of the
# model at log-spaced steps and leaves the run as it is, bit for bit.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import splinescope
from splinescope import datasets, models
from splinescope.observers import (
    Accuracy,
    AdversarialAccuracy,
    MeanLocalComplexity,
    Recorder,
    SliceFrames,
    log_spaced_steps,
    read_log,
    saved_frames,
)
from splinescope.plotting import plot_tessellation

steps = 6000
folder = Path(tempfile.mkdtemp())
digits = datasets.digits()
order = torch.randperm(len(digits.labels), generator=torch.Generator().manual_seed(0))
train, test = order[:200], order[200:600]
x, y = digits.inputs[train], digits.labels[train]
x_test, y_test = digits.inputs[test], digits.labels[test]
three = [x[int((y == label).nonzero()[0])] for label in (0, 3, 7)]
model = models.mlp([64, 100, 100, 10], generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    for parameter in model.parameters():
        parameter.mul_(6.0)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.5)

recorder = Recorder(
    {
        "near_train": MeanLocalComplexity(x, radius=0.2),
        "near_test": MeanLocalComplexity(x_test[:200], radius=0.2),
        "train": Accuracy(x, y),
        "test": Accuracy(x_test, y_test),
        "attack": AdversarialAccuracy(x_test, y_test, epsilon=0.05),
        "frames": SliceFrames(splinescope.Slice.through(*three, margin=0.2), folder / "frames"),
    },
    steps=log_spaced_steps(steps, per_decade=6),
    log=folder / "run.jsonl",
)
targets = torch.nn.functional.one_hot(y, 10).to(x.dtype)
with recorder.watching(model) as watch:
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - targets).square().mean().backward()
        optimizer.step()
        watch.step()

# %%
# Above: shares of images. Below: how many folds pass within 0.2 of an image. Where nearly all training images are
# right, one test image in three is still wrong and nearly all can be attacked; then folds gather near the data, and
# both come right.

rows = read_log(folder / "run.jsonl")
panels = {
    "share of images": {"train/accuracy": "training", "test/accuracy": "test", "attack/accuracy": "test, attacked"},
    "folds within 0.2": {"near_train/mean": "training images", "near_test/mean": "test images"},
}
fig, axes = plt.subplots(2, 1, figsize=(5.5, 5), sharex=True, layout="constrained")
for ax, (label, series) in zip(axes, panels.items(), strict=True):
    for (name, words), style in zip(series.items(), ("o-", "s--", "^:"), strict=False):
        ax.plot([row["step"] for row in rows], [row[name] for row in rows], style, ms=3, label=words)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_ylabel(label)
    ax.legend(frameon=False)
axes[1].set_xlabel("step")

# %%
# What it looks like in the plane through a 0, a 3 and a 7 of the training images.

frames = saved_frames(folder / "frames")
recorded = sorted(frames)
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="compressed")
for ax, step in zip(axes, (recorded[0], recorded[len(recorded) // 2], recorded[-1]), strict=True):
    cells = splinescope.open(frames[step])
    plot_tessellation(cells, "class", ax=ax, title=f"step {step:,}: {len(cells):,} cells")
    if step != recorded[-1]:
        ax.get_legend().remove()
