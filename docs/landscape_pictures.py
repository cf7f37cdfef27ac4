"""Makes the pictures of the page about landscapes, and prints the numbers that stand beside them."""

from __future__ import annotations

import copy
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from torch import nn

from splinescope import datasets, models
from splinescope.landscape import loss_grid, loss_line, loss_plane, random_plane, trajectory_plane
from splinescope.plotting import (
    plot_landscape,
    plot_landscape_surface,
    plot_loss_line,
    plot_loss_plane,
    save_figure,
)
from splinescope.plotting.figures import figure_of

FOLDER = Path(__file__).resolve().parent / "_static"


def trained(widths: list[int], epochs: int, every: int = 1) -> tuple[nn.Module, list[nn.Module], datasets.Dataset]:
    """A network of the digits by the squared loss, and checkpoints of its training."""
    data, generator = datasets.digits(), torch.Generator().manual_seed(0)
    net = models.mlp(widths, generator=generator)
    wanted, checkpoints = nn.functional.one_hot(data.labels, 10).float(), []
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for epoch in range(epochs):
        if epoch % every == 0:
            checkpoints.append(copy.deepcopy(net))
        for part in torch.randperm(len(data), generator=generator).split(64):
            optimiser.zero_grad()
            (net(data.inputs[part]) - wanted[part]).square().sum(dim=1).mean().backward()
            optimiser.step()
    return net, [*checkpoints, copy.deepcopy(net)], data


def draw_plane() -> None:
    """The exact plane of a hidden layer, and how its cells grow."""
    net, _, data = trained([64, 8, 8, 10], 30)
    weight = net[3].weight.detach()
    generator = torch.Generator().manual_seed(4)
    steps = [torch.randn(weight.shape, generator=generator) for _ in range(2)]
    steps = [step * weight.norm(dim=1, keepdim=True) / step.norm(dim=1, keepdim=True) for step in steps]
    for count in (5, 10, 20, 40):
        start = time.process_time()
        plane = loss_plane(net, "3", steps, data.inputs[:count], data.labels[:count], extent=1.5)
        spent = time.process_time() - start
        print(f"plane: {count} samples, {len(plane)} cells, {len(plane.minima)} minima, {spent:.1f} s")
        if count == 10:
            print(f"  least loss {plane.global_minimum}, deviation {plane.deviation:.1e}")
            save_figure(figure_of(plot_loss_plane(plane, line_width=0.5)), FOLDER / "loss-plane.png", dpi=200)


def draw_line() -> None:
    """The exact loss along a line on which all layers move."""
    net, _, data = trained([64, 32, 32, 10], 30)
    direction = random_plane(net, dimension=1).directions[0]
    start = time.process_time()
    line = loss_line(net, direction, data.inputs[:500], data.labels[:500])
    print(
        f"line: {line}, {time.process_time() - start:.1f} s, deviation {line.deviation:.1e}, {len(line.maxima)} maxima"
    )
    save_figure(figure_of(plot_loss_line(line)), FOLDER / "loss-line.png", dpi=200)


def draw_trajectory() -> None:
    """The plane of a training, on a grid."""
    _, checkpoints, data = trained([64, 32, 32, 10], 30, every=2)
    plane = trajectory_plane(checkpoints)
    low, high = plane.marks.min(axis=0), plane.marks.max(axis=0)
    reach = 0.25 * (high - low)
    axes = [np.linspace(a, b, 61) for a, b in zip(low - reach, high + reach, strict=True)]
    grid = loss_grid(checkpoints[-1], plane, "squared", (data.inputs, data.labels), axes=axes)
    print(f"trajectory: {plane.missed:.1%} of the variance is missed")
    save_figure(figure_of(plot_landscape(grid)), FOLDER / "loss-trajectory.png", dpi=200)
    around = random_plane(checkpoints[-1])
    surface = loss_grid(checkpoints[-1], around, "squared", (data.inputs, data.labels), axes=np.linspace(-1, 1, 61))
    save_figure(figure_of(plot_landscape_surface(surface)), FOLDER / "loss-surface.png", dpi=200)


if __name__ == "__main__":
    mpl.use("Agg")
    draw_line()
    draw_trajectory()
    draw_plane()
