"""What experiments measure, on networks whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from splinescope.experiments import Claim, Verdict
from splinescope.experiments.folded_hyperplanes.run import bends_of
from splinescope.experiments.shared.planes import cells_of, square


def two_layers(slope: float) -> nn.Sequential:
    """One unit of the first layer that folds, relu(x), and one of the second, relu(y + slope relu(x))."""
    first, second = nn.Linear(2, 3, dtype=torch.float64), nn.Linear(3, 1, dtype=torch.float64)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
        first.bias.copy_(torch.tensor([0.0, 5.0, 7.0]))  # the last two are always active
        second.weight.copy_(torch.tensor([[slope, 1.0, 0.0]]))
        second.bias.copy_(torch.tensor([-5.0]))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


@pytest.mark.parametrize("slope", [1.0, -0.5, 3.0])
def test_bend_of_one_line(slope: float) -> None:
    """y = 0 on the left of x = 0 and y = -slope x on its right: one bend, by arctan(slope)."""
    bends = bends_of(cells_of(two_layers(slope), square(1.0)))
    assert len(bends.angles) == 1
    assert bends.angles[0] == pytest.approx(abs(math.atan(slope)), abs=1e-14)
    assert (int(bends.nodes[0]), int(bends.units[0]), int(bends.crossed[0])) == (1, 0, 0)
    assert abs(int(bends.steps[0])) == 1


def test_straight_crossings_are_no_bends() -> None:
    lines = nn.Linear(2, 5, dtype=torch.float64)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        lines.weight.normal_(generator=generator)
        lines.bias.normal_(std=0.2, generator=generator)
    cells = cells_of(nn.Sequential(lines, nn.ReLU(), nn.Linear(5, 1, dtype=torch.float64)), square(1.0))
    assert len(cells) > 8
    assert len(bends_of(cells).angles) == 0
    assert np.array_equal(square(2.0).polygon, [[-2, -2], [2, -2], [2, 2], [-2, 2]])


def test_verdicts() -> None:
    words = {"theirs": "1", "ours": "2", "tolerance": "0"}
    assert Claim.judged("one", "somebody", **words, holds=True).verdict is Verdict.REPRODUCED
    assert Claim.judged("one", "somebody", **words, holds=False).verdict is Verdict.FAILED
    assert Claim.judged("one", "somebody", **words, holds=False, samples=10).verdict is Verdict.FAILED
    few = Claim.judged("one", "somebody", **words, holds=True, samples=2)
    assert few.verdict is Verdict.NOT_COMPARABLE
    assert few.ours == "2; too few samples to judge: 2"
    assert Claim.told("one", "somebody", theirs="1", ours="2").verdict is Verdict.NOT_COMPARABLE
