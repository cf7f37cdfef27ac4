r"""Nudged elastic bands: paths that lie low in an energy, from one fixed end to another.

A vertex is pushed by the energy across the path only, and along it only to keep the spacing. What the path's direction
is at a vertex decides whether bands stay smooth; here it is the improved tangent of Henkelman and Jónsson (2000), J.
Chem. Phys. 113, 9978: the difference to the neighbour that lies higher, and at an extremum a mixture of both in which
the difference to the higher neighbour has the larger weight. The highest vertex climbs: the force along the path is
turned around for it (Henkelman, Uberuaga, Jónsson 2000, J. Chem. Phys. 113, 9901), so that it ends on the saddle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.paths.bending.polyline import Polylines
from splinescope.paths.bending.steps import Fire, largest_of
from splinescope.paths.energy import Energy, FunctionEnergy
from splinescope.shown import Shown

_CLIMB_BELOW = 0.1
"""Share of the first forces below which a band is settled enough for its highest vertex to climb."""
_CONVERGED = 1e-6
"""Share of the first forces at which a band counts as converged by default."""


@dataclass(frozen=True, eq=False)
class Forces:
    """What acts on the vertices of bands; zero at their ends.

    Attributes:
        tangents: [P, *shape] unit vectors along the path; zero where both neighbours coincide with the vertex.
        across: [P, *shape] force without spacing: the downhill one across the path, and for a climbing vertex also the
            uphill one along it.
        uneven: [P] distance to the next vertex minus that to the last one; 0 for a climbing vertex.
    """

    tangents: Float[Tensor, "P ..."]
    across: Float[Tensor, "P ..."]
    uneven: Float[Tensor, " P"]

    def with_springs(self, stiffness: float) -> Float[Tensor, "P ..."]:
        """The force of the published method, with springs of a stiffness in units of energy per length squared."""
        return self.across + stiffness * _wide(self.uneven, self.tangents) * self.tangents


@dataclass(frozen=True, eq=False)
class Band(Shown):
    """A band in an energy.

    Attributes:
        points: [K, *shape] its vertices.
        energies: [K] energy at each.
        highest: The vertex with the most energy.
        force: Largest force on a vertex, without spacing.
        converged: Whether that is within the tolerance.
        steps: Steps taken.
        evaluations: Energies and gradients that were computed.
    """

    points: Float[Tensor, "K ..."]
    energies: Float[Tensor, " K"]
    highest: int
    force: float
    converged: bool
    steps: int
    evaluations: int

    @property
    def barrier(self) -> float:
        """Energy of the highest vertex above the higher end."""
        return float(self.energies[self.highest] - torch.maximum(self.energies[0], self.energies[-1]))


def tangents(lines: Polylines, energies: Float[Tensor, " P"]) -> Float[Tensor, "P ..."]:
    r"""Improved tangents.

    With $\tau^+ = R_{i+1} - R_i$ and $\tau^- = R_i - R_{i-1}$: $\tau^+$ where the energy rises along the path, $\tau^-$
    where it falls, and at an extremum $\tau^+ \Delta^{max} + \tau^- \Delta^{min}$ if $E_{i+1} > E_{i-1}$, else
    $\tau^+ \Delta^{min} + \tau^- \Delta^{max}$, where $\Delta^{max}$ and $\Delta^{min}$ are the larger and the smaller
    of $|E_{i+1} - E_i|$ and $|E_{i-1} - E_i|$. Where all three energies are equal, or the mixture vanishes, the
    bisecting direction is taken, then the chord, then any difference that is not zero.

    Args:
        lines: The bands.
        energies: Energy at each vertex.

    Returns:
        Unit vectors; zero at ends and where no direction exists.
    """
    inner, out = lines.interior[1:-1], torch.zeros_like(lines.points.flatten(1))
    ahead, behind = lines.differences[1:], lines.differences[:-1]
    up, down = energies[2:] - energies[1:-1], energies[:-2] - energies[1:-1]
    most, least = torch.maximum(up.abs(), down.abs()), torch.minimum(up.abs(), down.abs())
    rising, falling = (up > 0) & (down < 0), (up < 0) & (down > 0)
    forward = up > down
    zero, one = torch.zeros_like(up), torch.ones_like(up)
    of_ahead = torch.where(rising, one, torch.where(falling, zero, torch.where(forward, most, least)))
    of_behind = torch.where(falling, one, torch.where(rising, zero, torch.where(forward, least, most)))
    # Only the ratio of the weights counts; without their size nothing overflows or underflows.
    size = torch.maximum(of_ahead, of_behind)
    safe = torch.where(size > 0, size, one)
    # The end of one path and the start of the next are neighbours in the array, and get no weight.
    of_ahead, of_behind = (torch.where(inner, weight / safe, zero)[:, None] for weight in (of_ahead, of_behind))
    out[1:-1] = _unit((of_ahead * ahead).addcmul_(of_behind, behind))
    left = (inner & ~out[1:-1].any(1)).nonzero()[:, 0]
    if len(left):
        out[left + 1] = _any_direction(ahead[left], behind[left])
    return out.reshape(lines.points.shape)


def forces(
    lines: Polylines,
    energies: Float[Tensor, " P"],
    gradients: Float[Tensor, "P ..."],
    climbing: Bool[Tensor, " S"] | None = None,
) -> Forces:
    """What acts on all vertices.

    Args:
        lines: The bands.
        energies: Energy at each vertex.
        gradients: Its gradient at each.
        climbing: Bands whose highest vertex climbs.

    Returns:
        The forces.
    """
    direction, inner = tangents(lines, energies), lines.interior
    slope = (gradients * direction).flatten(1).sum(1)
    times = torch.ones_like(slope)
    uneven = torch.zeros_like(slope)
    starts, lengths = lines.segment_starts, lines.segment_lengths
    uneven[starts] += lengths
    uneven[starts + 1] -= lengths
    if climbing is not None:
        top = highest(lines, energies)[climbing]
        top = top[inner[top]]  # an end that is highest stays where it is
        times[top], uneven[top] = 2.0, 0.0
    across = (_wide(times * slope, direction) * direction).sub_(gradients).mul_(_wide(inner, gradients))
    return Forces(direction, across, uneven * inner)


def highest(lines: Polylines, energies: Float[Tensor, " P"]) -> Int[Tensor, " S"]:
    """Vertex of each band with the most energy; the first one where there are several."""
    peaks = largest_of(energies, lines.paths, len(lines))
    rows = (energies == peaks[lines.paths]).nonzero()[:, 0]
    first = torch.searchsorted(lines.paths[rows], torch.arange(len(lines), device=rows.device))
    return rows[first]


def spaced(found: Forces, spring: float) -> Float[Tensor, "P ..."]:
    """Moves along the path that make the spacing even.

    A vertex goes along its tangent by half of `spring` times the difference of the distances to its neighbours. That is
    a length, whatever the units of the energy are; 1 puts it midway between neighbours that stand still, and more than
    1 would overshoot where these move, too.
    """
    return _wide(0.5 * spring * found.uneven, found.tangents) * found.tangents


def minimise_band(
    energy: Energy | Callable[[Tensor], Tensor],
    path: Float[Tensor, "K ..."],
    *,
    spring: float = 1.0,
    climbing: bool = True,
    force_tolerance: float | None = None,
    max_steps: int = 2000,
) -> Band:
    """Relax a band in an energy until no force acts across it.

    Args:
        energy: An energy, or a function of points [M, *shape] that torch differentiates.
        path: [K, *shape] vertices at the start; both ends stay where they are.
        spring: Share of the unevenness of the spacing that a step removes, from 0 to 1. Springs have no unit here.
        climbing: Whether the highest vertex climbs to the saddle, from when the forces have fallen to a tenth.
        force_tolerance: Largest force at which the band counts as converged; a millionth of the first forces if None.
        max_steps: Steps after which to stop in any case.

    Returns:
        The band.

    Raises:
        InvalidInputError: If an argument is out of range.

    Cost: one gradient of the energy for each inner vertex and step.

    Example:
        A double well along a parabola has its saddle in the middle, at height 1:

        >>> import torch
        >>> wells = lambda p: (p[:, 0] ** 2 - 1) ** 2 + 4 * (p[:, 1] - p[:, 0] ** 2) ** 2
        >>> ends = torch.tensor([[-1.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
        >>> start = ends[0] + torch.linspace(0, 1, 9, dtype=torch.float64)[:, None] * (ends[1] - ends[0])
        >>> band = minimise_band(wells, start)
        >>> band.converged, round(band.barrier, 6), band.highest
        (True, 1.0, 4)
    """
    check_share("spring", spring)
    if path.ndim < 2 or len(path) < 3 or not path.is_floating_point():
        raise InvalidInputError(
            f"`path`: got {path.dtype} {tuple(path.shape)}; expected real [K, ...] with K at least 3"
        )
    energy = energy if isinstance(energy, Energy) else FunctionEnergy(energy)
    lines = Polylines(path.detach().clone(), torch.tensor([0, len(path)], device=path.device))
    fire, first, climbs, evaluations = Fire(), math.inf, False, 0
    goal = math.inf if force_tolerance is None else force_tolerance
    rows = torch.ones(len(path), dtype=torch.bool, device=path.device)
    energies, gradients = path.new_zeros(len(path)), torch.zeros_like(path)
    for step in range(max_steps + 1):
        part = energy.values_and_gradients(lines.points[rows], lines.paths[rows])
        energies[rows], gradients[rows] = part
        evaluations, rows = evaluations + int(rows.sum()), lines.interior
        found = forces(lines, energies, gradients, torch.tensor([climbs], device=path.device))
        force = float(torch.linalg.vector_norm(found.across.flatten(1), dim=1).max())
        if step == 0:
            first = force
            goal = _CONVERGED * force if force_tolerance is None else goal
        settled = not climbing or climbs
        climbs = climbing and (climbs or force <= max(_CLIMB_BELOW * first, goal))
        if (settled and force <= goal) or step == max_steps:
            break
        lines = lines.moved(lines.points + fire.step(lines, found.across) + spaced(found, spring))
    top = int(energies.argmax())
    return Band(lines.points, energies, top, force, force <= goal, step, evaluations)


def check_share(name: str, value: float) -> None:
    """Refuse a share that is none.

    Args:
        name: Of the argument.
        value: Its value.

    Raises:
        InvalidInputError: If it is not from 0 to 1.
    """
    if not 0 <= value <= 1:
        raise InvalidInputError(f"`{name}`: got {value}; expected a number from 0 to 1")


def _unit(vectors: Tensor) -> Tensor:
    """Unit vectors; zero stays zero."""
    # Through the largest entry first: squares of tiny entries would underflow.
    size = vectors.abs().amax(1, keepdim=True)
    scaled = vectors / torch.where(size > 0, size, 1.0)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled.div_(torch.where(length > 0, length, 1.0))


def _any_direction(ahead: Tensor, behind: Tensor) -> Tensor:
    """For each row the first of the bisector, the chord and both differences that is not zero, at unit length."""
    found = _unit(ahead) + _unit(behind)
    for other in (ahead + behind, ahead, behind):
        found = torch.where(found.any(1, keepdim=True), found, other)
    return _unit(found)


def _wide(numbers: Tensor, like: Tensor) -> Tensor:
    """One number for each vertex, to multiply vertices with."""
    return numbers.reshape(-1, *(1,) * (like.ndim - 1))
