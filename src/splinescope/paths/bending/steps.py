"""Step lengths without units: for energies whose least value is known, and for any."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.paths.bending.polyline import Polylines

_TRUST = 0.5
"""Largest step, as a share of a path's mean spacing: a vertex does not pass its neighbour."""
_FIRST = 0.05
"""First step of `Fire` in the same unit."""
_SPEED_UP, _SLOW_DOWN, _MIX, _LESS_MIX, _PATIENCE, _MOST = 1.1, 0.5, 0.1, 0.99, 5, 10.0
"""Constants of the published FIRE: factors of the time step, mixing, its decay, patience, largest multiple of it."""


def largest_of(values: Float[Tensor, " P"], paths: Int[Tensor, " P"], count: int) -> Float[Tensor, " S"]:
    """Largest value on each path."""
    least = torch.full((count,), -torch.inf, dtype=values.dtype, device=values.device)
    return least.scatter_reduce(0, paths, values, "amax")


def longest(lines: Polylines) -> Float[Tensor, " P"]:
    """Length that the step of each vertex may have: half the mean spacing of its path."""
    return (_TRUST * lines.lengths / (lines.counts - 1))[lines.paths]


def polyak(
    values: Float[Tensor, " M"],
    gradients: Float[Tensor, "M ..."],
    force: Float[Tensor, "M ..."],
    floor: Float[Tensor, " M"],
    most: Float[Tensor, " M"],
) -> Float[Tensor, "M ..."]:
    r"""Steps of Polyak's length, $(E - E^*) / |\nabla E|^2$ times the force.

    Cross-entropy is affine in the margin where a point is wrong, and the step then ends where the margin vanishes, to
    first order; where it is right and the loss falls exponentially, each step raises the margin by about one. No rate
    has to be chosen, and no unit enters (Polyak 1969, Minimization of unsmooth functionals).

    Args:
        values: Energy of each point.
        gradients: Its gradient.
        force: What moves the point, no longer than the gradient.
        floor: The energy below which a point is left alone.
        most: How long its step may be.

    Returns:
        Moves.
    """
    slope = torch.linalg.vector_norm(gradients.flatten(1), dim=1)
    safe = torch.where(slope > 0, slope, 1.0)
    # Divided twice: the square of a small gradient would underflow.
    return limited(force / _wide(safe, force) * _wide((values - floor).clamp(min=0) / safe, force), most)


def limited(moves: Float[Tensor, "M ..."], most: Float[Tensor, " M"]) -> Float[Tensor, "M ..."]:
    """Moves cut to a largest length."""
    length = torch.linalg.vector_norm(moves.flatten(1), dim=1)
    return moves * _wide(torch.where(length > most, most / torch.where(length > 0, length, 1.0), 1.0), moves)


class Fire:
    """The fast inertial relaxation engine, with a clock of its own for each path.

    Source: Bitzek et al. (2006), Phys. Rev. Lett. 97, 170201. The first time step is chosen from the first forces, and
    no step is longer than half of the mean spacing.
    """

    def __init__(self) -> None:
        """A band at rest."""
        self._velocity: Tensor | None = None
        self._time = self._most = self._mix = self._age = torch.zeros(0)

    def step(self, lines: Polylines, force: Float[Tensor, "P ..."]) -> Float[Tensor, "P ..."]:
        """The next move of all vertices.

        Args:
            lines: The paths, the same ones at each call.
            force: What acts on the vertices.

        Returns:
            The move.
        """
        paths, count = lines.paths, len(lines)
        if self._velocity is None:
            self._start(lines, force)
        assert self._velocity is not None
        power = _sums((force * self._velocity).flatten(1).sum(1), paths, count)
        downhill = power > 0
        self._age = torch.where(downhill, self._age + 1, 0)
        faster = self._age > _PATIENCE
        self._time = torch.where(faster, torch.minimum(self._time * _SPEED_UP, self._most), self._time)
        self._time = torch.where(downhill, self._time, self._time * _SLOW_DOWN)
        norms = [_sums(v.flatten(1).square().sum(1), paths, count).sqrt() for v in (self._velocity, force)]
        pull = torch.where(norms[1] > 0, norms[0] / torch.where(norms[1] > 0, norms[1], 1.0), 0.0) * self._mix
        keep = torch.where(downhill, 1 - self._mix, 0.0)
        pull = torch.where(downhill, pull, 0.0) + self._time
        self._mix = torch.where(faster, self._mix * _LESS_MIX, torch.where(downhill, self._mix, _MIX))
        self._velocity = _wide(keep[paths], force) * self._velocity + _wide(pull[paths], force) * force
        return limited(_wide(self._time[paths], force) * self._velocity, longest(lines))

    def _start(self, lines: Polylines, force: Tensor) -> None:
        count = len(lines)
        strongest = largest_of(torch.linalg.vector_norm(force.flatten(1), dim=1), lines.paths, count)
        length = _FIRST * lines.lengths / (lines.counts - 1)
        self._time = (length / torch.where(strongest > 0, strongest, 1.0)).sqrt()
        self._most = _MOST * self._time
        self._mix = torch.full_like(self._time, _MIX)
        self._age = torch.zeros(count, dtype=torch.int64, device=force.device)
        self._velocity = torch.zeros_like(force)


def _sums(values: Tensor, paths: Tensor, count: int) -> Tensor:
    return torch.zeros(count, dtype=values.dtype, device=values.device).index_add(0, paths, values)


def _wide(numbers: Tensor, like: Tensor) -> Tensor:
    return numbers.reshape(-1, *(1,) * (like.ndim - 1))
