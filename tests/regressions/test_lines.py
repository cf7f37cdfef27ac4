"""Lines of parameters on which folds coincide exactly: rounding put them apart, and found extrema in between."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from splinescope.landscape import loss_line


def collinear() -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
    """Small integers; all samples flip at t = 16 / 15."""
    module = nn.Sequential(nn.Linear(2, 1, bias=False), nn.LeakyReLU(0.5), nn.Linear(1, 1, bias=False)).double()
    module[0].weight.data = torch.tensor([[5.0, -1.0]]).double()
    module[2].weight.data = torch.tensor([[-3.0]]).double()
    inputs = torch.tensor([[3.0, -1.0], [6.0, -2.0], [9.0, -3.0], [15.0, -5.0]]).double()
    return module, inputs, torch.tensor([[-7.0], [-2.0], [-5.0], [7.0]]).double()


def test_collinear_samples_fold_once() -> None:
    module, inputs, targets = collinear()
    line = loss_line(module, {"0.weight": [[-5.0, 0.0]]}, inputs, targets, interval=(-2.0, 2.0))

    def exact(t: Fraction) -> Fraction:
        total = Fraction(0)
        for factor, wanted in zip((1, 2, 3, 5), (-7, -2, -5, 7), strict=True):
            before = factor * (16 - 15 * t)
            total += (-3 * (before if before > 0 else before / 2) - wanted) ** 2
        return total / 4

    place, step = Fraction(16, 15), Fraction(1, 10**12)
    np.testing.assert_allclose(line.breakpoints, [16 / 15], rtol=1e-15)
    assert exact(place - step) > exact(place) > exact(place + step)
    slopes = [(exact(place) - exact(place - step)) / step, (exact(place + step) - exact(place)) / step]
    np.testing.assert_allclose(line.slopes(16 / 15), [float(slope) for slope in slopes], rtol=1e-9)
    assert [round(found.t, 9) for found in line.minima] == [round(14 / 13, 9)]
    assert line.maxima == ()


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
@pytest.mark.parametrize(("activation", "scale", "seed"), [(nn.Hardtanh, 1, 4), (nn.ReLU6, 6, 1), (nn.ReLU6, 6, 2)])
def test_saturation_while_a_maximum_changes(activation: type[nn.Module], scale: float, seed: int, loss: str) -> None:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Conv1d(1, 2, 2), activation(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4, 2)).double()
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, dtype=torch.float64)
    if scale > 1:
        module[0].weight.data *= 4
    inputs, targets = torch.randn(5, 1, 5).double(), torch.randn(5, 2).double()
    direction = scale * torch.randn(2, 1, 2).double()
    wanted = targets if loss == "squared" else targets.softmax(1)
    line = loss_line(module, {"0.weight": direction}, inputs, wanted, loss=loss, interval=(-3.0, 3.0))
    for found in line.minima:
        around = np.array([found.t - 1e-4, found.t - 1e-6, found.t + 1e-6, found.t + 1e-4])
        inside = around[(around > -3) & (around < 3)]
        assert (line(inside) >= found.value - 1e-12).all(), found
    places = np.array([found.t for found in (*line.minima, *line.maxima)])
    assert np.diff(np.sort(places)).min(initial=1.0) > 1e-11
