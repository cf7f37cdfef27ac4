"""Energies of the plane whose minima and saddles are known."""

from __future__ import annotations

import torch
from torch import Tensor

_STRENGTH = torch.tensor([-200.0, -100.0, -170.0, 15.0], dtype=torch.float64)
_XX = torch.tensor([-1.0, -1.0, -6.5, 0.7], dtype=torch.float64)
_XY = torch.tensor([0.0, 0.0, 11.0, 0.6], dtype=torch.float64)
_YY = torch.tensor([-10.0, -10.0, -6.5, 0.7], dtype=torch.float64)
_X = torch.tensor([1.0, 0.0, -0.5, -1.0], dtype=torch.float64)
_Y = torch.tensor([0.0, 0.5, 1.5, 1.0], dtype=torch.float64)

MULLER_BROWN_MINIMA = torch.tensor(
    [[-0.558223635, 1.441725842], [-0.050010823, 0.466694105], [0.623499404, 0.028037758]], dtype=torch.float64
)
MULLER_BROWN_SADDLES = torch.tensor([[-0.822001558, 0.624312803], [0.212486582, 0.292988325]], dtype=torch.float64)
"""The one of the higher pass, at -40.6648, and the other one, at -72.2489."""
MULLER_BROWN_PASSES = (-40.66484351, -72.24894011)


def muller_brown(points: Tensor) -> Tensor:
    """Müller and Brown (1979), Theor. Chim. Acta 53, 75."""
    dx, dy = points[:, :1] - _X, points[:, 1:] - _Y
    return (_STRENGTH * torch.exp(_XX * dx**2 + _XY * dx * dy + _YY * dy**2)).sum(1)


def egg_box(points: Tensor) -> Tensor:
    """Minima of -2 where both coordinates are odd multiples of pi, saddles of 0 where one of them is even."""
    return torch.cos(points).sum(1)


def on_line(start: Tensor, end: Tensor, count: int) -> Tensor:
    """Equidistant points."""
    return start + torch.linspace(0, 1, count, dtype=torch.float64)[:, None] * (end - start)
