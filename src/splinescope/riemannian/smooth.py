"""Short curves of models of any kind, by the discrete energy of many curves at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.riemannian.descent import SeenModel, descend, refined
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.segments import tessellate_segments

COARSE = 3
"""Curves are first sought with one corner for so many of those that are asked for."""

ROUGH = 1e-3
"""Relative change of an energy that ends this first search, at least."""


@dataclass(frozen=True, eq=False)
class Curves(Shown):
    """Polylines between pairs of points, short as the model measures them.

    Attributes:
        points: Corners of each, from its start to its end.
        lengths: Length of each in the space of outputs: of a network exactly, cell by cell; else with every piece
            divided into `fine`.
        straight_lengths: The same of the straight lines.
        energies: Discrete energy of each, which is at least the square of the length.
        steps: Steps that were taken.
        converged: Whether a last step changed each one's energy by less than the tolerance.
    """

    points: Float[np.ndarray, "pairs corners d"]
    lengths: Float[np.ndarray, " pairs"]
    straight_lengths: Float[np.ndarray, " pairs"]
    energies: Float[np.ndarray, " pairs"]
    steps: int
    converged: np.ndarray


def energy_geodesics(
    model: Any,
    starts: Any,
    ends: Any,
    *,
    corners: int = 20,
    steps: int = 200,
    tolerance: float = 1e-10,
    fine: int = 8,
) -> Curves:
    r"""Curves of locally least energy between pairs of points, all at once, in any dimension of latents.

    $E = N\sum_i \|f(c_{i+1}) - f(c_i)\|^2$ is a sum of squares, and is minimised from the straight line by the method
    of Levenberg and Marquardt, with exact Jacobians at all corners of all curves in one batch. A minimum is local: on
    piecewise affine models of planes `geodesic` has the global one.

    Args:
        model: A module, a differentiable function of a batch, or a network.
        starts: [pairs, d] points.
        ends: [pairs, d] as many.
        corners: Inner corners of each curve.
        steps: Steps after which to stop.
        tolerance: Relative change of an energy that ends the work on a curve.
        fine: Parts of each piece for the lengths that are reported, but those of networks, which are exact.

    Returns:
        The curves.

    Raises:
        InvalidInputError: If the points do not fit, or the model cannot be differentiated.

    Cost: in each step the Jacobians at all corners, and for each pair as many systems of d equations as corners; memory
    for the Jacobians.

    Example:
        >>> import torch
        >>> found = energy_geodesics(lambda z: torch.stack([z[:, 0], z[:, 0] ** 2], dim=1)[:, :1], [[0.0]], [[1.0]])
        >>> found.lengths.round(9).tolist()
        [1.0]
    """
    a, b = finite("starts", starts), finite("ends", ends)
    if a.ndim != 2 or a.shape != b.shape:
        raise InvalidInputError(f"`ends`: got shape {b.shape} for starts of {a.shape}; expected both as [pairs, d]")
    if corners < 1 or steps < 1 or fine < 1:
        raise InvalidInputError(
            f"`corners`: got {corners}, with {steps} steps and {fine} parts; expected positive numbers"
        )
    seen = SeenModel.of(model, a)
    straight = a[:, None] + np.linspace(0, 1, corners + 2)[None, :, None] * (b - a)[:, None]
    start, taken = straight, 0
    if corners >= COARSE * 3 and steps > 1:
        few = a[:, None] + np.linspace(0, 1, corners // COARSE + 2)[None, :, None] * (b - a)[:, None]
        coarse = descend(seen, few, steps // 2, max(tolerance, ROUGH))
        taken, start = coarse.steps, refined(coarse.curves, corners)
        worse = seen.energies(start) >= seen.energies(straight)
        start[worse] = straight[worse]
    found = descend(seen, start, steps - taken, tolerance)
    lengths = [_lengths(seen, each, fine) for each in (found.curves, straight)]
    return Curves(found.curves, lengths[0], lengths[1], found.energies, taken + found.steps, found.done)


def _lengths(seen: SeenModel, curves: np.ndarray, fine: int) -> np.ndarray:
    """Lengths of images of polylines: of a network from cell to cell, else by points between their corners."""
    if seen.network is not None:
        return _exact_lengths(seen.network, curves)
    dense = refined(curves, (curves.shape[1] - 1) * fine - 1)
    return np.asarray(np.linalg.norm(np.diff(seen.values(dense), axis=1), axis=2).sum(axis=1))


def _exact_lengths(network: Network, curves: np.ndarray) -> np.ndarray:
    """Lengths of images of polylines by the cells along them, in which a network is affine."""
    pairs, corners, d = curves.shape
    starts, ends = curves[:, :-1].reshape(-1, d), curves[:, 1:].reshape(-1, d)
    moved = (starts != ends).any(axis=1)
    lengths = np.zeros(len(starts))
    if moved.any():
        batch = tessellate_segments(network, starts[moved], ends[moved], verify="topology")
        steps = np.linalg.norm(np.diff(np.reshape(batch.vertex_outputs, (len(batch.t), -1)), axis=0), axis=1)
        steps[batch.offsets[1:-1] - 1] = 0.0  # from the end of one segment to the start of the next
        lengths[moved] = np.add.reduceat(np.append(steps, 0.0), batch.offsets[:-1])
    return np.asarray(lengths.reshape(pairs, corners - 1).sum(axis=1))
