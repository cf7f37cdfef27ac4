"""Make the picture of the page on two networks, by a real run: `make readme-picture`."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

import splinescope
from splinescope.plotting import plot_comparison, save_figure
from splinescope.trajectory import compare

if __name__ == "__main__":
    data = splinescope.datasets.digits()
    net = splinescope.models.mlp([64, 32, 32, 10], generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    splinescope.models.train_classifier(net, data.inputs, data.labels, generator=generator, epochs=10)
    rounded = copy.deepcopy(net)
    for parameter in rounded.parameters():
        step = parameter.data.abs().max() / 7
        parameter.data = (parameter.data / step).round() * step
    x = data.inputs.reshape(-1, 64).numpy()
    found = compare(net, rounded, splinescope.Slice.through(x[0], x[1], x[2], margin=0.2), verify="proof")
    axes = plot_comparison(found, names=("float32", "4 bits"))
    save_figure(axes.figure, Path(__file__).parent / "_static" / "compared.png", 200)
