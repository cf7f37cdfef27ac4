"""Data of two classes whose Betti numbers are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

BETTI = {
    "circles": ((4, 0), (4, 4)),
    "rings": ((2, 2), (2, 2)),
    "spheres": ((1, 0, 1), (1, 0, 1)),
}
"""Betti numbers of both classes of each set."""


def two_classes(name: str, points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points of a set: discs in rings, rings that are linked two by two, or a sphere in a sphere.

    Args:
        name: A name of `BETTI`.
        points: Points of each class.
        generator: Source of randomness.

    Returns:
        [2 points, d] points and their classes.
    """
    makers: dict[str, Callable[[int, torch.Generator], tuple[Tensor, Tensor]]]
    makers = {"circles": _circles, "rings": _rings, "spheres": _spheres}
    one, other = makers[name](points, generator)
    return torch.cat([one, other]), torch.arange(2).repeat_interleave(points)


def _circle(points: int, generator: torch.Generator) -> Tensor:
    """Evenly spread points of a circle, from a random one on."""
    turn = 2 * math.pi * (torch.arange(points) + torch.rand(1, generator=generator)) / points
    return torch.stack([turn.cos(), turn.sin()], dim=1)


def _circles(points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Four discs, and a ring around each."""
    centres = torch.tensor([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    parts = torch.arange(points) % 4
    radii = 0.15 * torch.rand(points, generator=generator).sqrt()
    turn = 2 * math.pi * torch.rand(points, generator=generator)
    discs = centres[parts] + radii[:, None] * torch.stack([turn.cos(), turn.sin()], dim=1)
    return discs, torch.cat([centre + 0.3 * _circle(points // 4, generator) for centre in centres])


def _rings(points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two pairs of linked rings, one of each class in a pair."""
    found: list[list[Tensor]] = [[], []]
    for centre in (-0.8, 0.8):
        for label in (0, 1):
            flat = 0.4 * _circle(points // 2, generator)
            nothing = torch.zeros(len(flat))
            across = (flat[:, 0], flat[:, 1], nothing) if label == 0 else (flat[:, 0] + 0.4, nothing, flat[:, 1])
            found[label].append(torch.stack([across[0] - 0.2, across[1] + centre, across[2]], dim=1))
    return torch.cat(found[0]), torch.cat(found[1])


def _spheres(points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A sphere, and one around it."""
    found = []
    for radius in (0.4, 1.0):
        normal = torch.randn(points, 3, generator=generator)
        found.append(radius * normal / normal.norm(dim=1, keepdim=True))
    return found[0], found[1]
