"""Short curves of models of any kind, by the discrete energy of many curves at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.network.differentials import DifferentiableMap
from splinescope.network.graph import Network
from splinescope.network.load import as_network
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.segments import tessellate_segments


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
    shares = np.linspace(0, 1, corners + 2)[None, :, None]
    straight = a[:, None] + shares * (b - a)[:, None]
    curves, damping = straight.copy(), np.full(len(a), 1e-3)
    values, jacobians = _at(model, curves)
    energies = _energy(values)
    done = np.zeros(len(a), bool)
    step = 0
    while step < steps and not done.all():
        step += 1
        move = _step(values, jacobians, damping)
        tried = curves.copy()
        tried[:, 1:-1] += np.where(done[:, None, None], 0.0, move)
        new_values, new_jacobians = _at(model, tried)
        new = _energy(new_values)
        better = (new < energies) & ~done
        done |= better & (energies - new <= tolerance * energies)
        done |= ~better & (damping > 1e12)
        damping = np.where(better, damping / 5, damping * 4)
        curves[better], values[better], jacobians[better] = tried[better], new_values[better], new_jacobians[better]
        energies = np.where(better, new, energies)
    lengths = [_lengths(model, each, fine) for each in (curves, straight)]
    return Curves(curves, lengths[0], lengths[1], energies, step, done)


def _at(model: Any, curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and Jacobians at all corners."""
    pairs, corners, d = curves.shape
    map_ = _map(model, curves.reshape(-1, d))
    with torch.no_grad():
        values = map_.function(map_.points, None).double().numpy()
    jacobians = np.concatenate([part.double().numpy() for part in map_.jacobians()])
    return values.reshape(pairs, corners, -1), jacobians.reshape(pairs, corners, -1, d)


def _map(model: Any, points: np.ndarray) -> DifferentiableMap:
    return DifferentiableMap.of(model, torch.from_numpy(points), affine=_is_affine(model))


def _is_affine(model: Any) -> bool:
    """Whether it is a piecewise affine network, or a file of one."""
    return isinstance(model, Network) or not (isinstance(model, nn.Module) or callable(model))


def _energy(values: np.ndarray) -> np.ndarray:
    return np.asarray((values.shape[1] - 1) * (np.diff(values, axis=1) ** 2).sum(axis=(1, 2)))


def _step(values: np.ndarray, jacobians: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Move of the inner corners: of the least squares of differences of neighbours, block by block."""
    J = jacobians[:, 1:-1]
    metric = np.einsum("pcki,pckj->pcij", J, J, optimize=True)
    beside = np.einsum("pcki,pckj->pcij", J[:, :-1], J[:, 1:], optimize=True)
    pull = 2 * values[:, 1:-1] - values[:, :-2] - values[:, 2:]
    gradient = np.einsum("pcki,pck->pci", J, pull, optimize=True)
    diagonal = 2 * np.einsum("pcii->pci", metric)
    scale = np.maximum(diagonal, 1e-12 * diagonal.max(axis=(1, 2), initial=1e-300, keepdims=True))
    blocks = 2 * metric + (damping[:, None, None] * scale)[..., None] * np.eye(jacobians.shape[3])
    return _solved(blocks, -beside, -gradient)


def _solved(blocks: np.ndarray, beside: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solutions of symmetric systems of blocks on the diagonal and beside it, by elimination from the first one on.

    Args:
        blocks: [pairs, n, d, d] on the diagonal.
        beside: [pairs, n - 1, d, d] to the right of it; below it are their transposes.
        right: [pairs, n, d] right-hand sides.

    Returns:
        [pairs, n, d] solutions.
    """
    number = blocks.shape[1]
    left = np.concatenate([beside, np.zeros_like(blocks[:, :1])], axis=1)
    ratios, found = np.empty_like(left), np.empty_like(right)
    pivot, known = blocks[:, 0], right[:, 0]
    for k in range(number):
        if k:
            below = beside[:, k - 1].transpose(0, 2, 1)
            pivot = blocks[:, k] - below @ ratios[:, k - 1]
            known = right[:, k] - np.einsum("pij,pj->pi", below, found[:, k - 1])
        both = np.linalg.solve(pivot, np.concatenate([left[:, k], known[..., None]], axis=2))
        ratios[:, k], found[:, k] = both[..., :-1], both[..., -1]
    for k in range(number - 2, -1, -1):
        found[:, k] -= np.einsum("pij,pj->pi", ratios[:, k], found[:, k + 1])
    return found


def _lengths(model: Any, curves: np.ndarray, fine: int) -> np.ndarray:
    """Lengths of images of polylines: of a network from cell to cell, else by points between their corners."""
    pairs, corners, d = curves.shape
    if _is_affine(model):
        return _exact_lengths(as_network(model, (d,)), curves)
    places = np.linspace(0, corners - 1, (corners - 1) * fine + 1)
    low = np.minimum(places.astype(int), corners - 2)
    share = (places - low)[None, :, None]
    dense = (1 - share) * curves[:, low] + share * curves[:, low + 1]
    map_ = _map(model, dense.reshape(-1, d))
    with torch.no_grad():
        values = map_.function(map_.points, None).double().numpy().reshape(pairs, len(places), -1)
    return np.asarray(np.linalg.norm(np.diff(values, axis=1), axis=2).sum(axis=1))


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
