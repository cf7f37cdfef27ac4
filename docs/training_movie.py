"""Make the movie of the README and of the front page, by a real training run: `make readme-picture`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import splinescope
from splinescope.datasets import spirals
from splinescope.plotting import animate

STATIC = Path(__file__).parent / "_static"
STEPS = (0, 5, 10, 20, 30, 45, 60, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800, 1000)
"""Steps of which the plane is cut, closer together where it changes fast."""


def frames() -> dict[int, splinescope.PolyhedralComplex]:
    """The plane of a network of two hidden layers while it learns to tell two spirals apart."""
    data = spirals(600, turns=1.2, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    inputs, labels = data.inputs.float(), data.labels
    half = 1.15 * float(inputs.abs().max())
    plane = splinescope.Slice.box([-half, -half], [half, half])
    found = {}
    for step in range(STEPS[-1] + 1):
        if step in STEPS:
            found[step] = splinescope.tessellate(module, plane)
        loss = nn.functional.cross_entropy(module(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return found


if __name__ == "__main__":
    animate(frames(), STATIC / "training.gif", "class", fps=4, pause=3, dpi=72)
