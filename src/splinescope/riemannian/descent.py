"""Curves of least discrete energy, many at once: Levenberg and Marquardt's method with blocks beside the diagonal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.network.dense_chains import DenseChain
from splinescope.network.differentials import DifferentiableMap
from splinescope.network.graph import Network
from splinescope.network.layer_chains import Chain
from splinescope.network.load import as_network

AT_ONCE = 1 << 21
"""Numbers of outputs or Jacobians that are held at once."""


class Normal(NamedTuple):
    """What a step needs to know of curves: their energies, and the normal equations of their inner corners.

    Attributes:
        energies: [pairs] discrete energies.
        gradient: [pairs, corners, d] what each corner is pulled by.
        metrics: [pairs, corners, d, d] metrics at the corners.
        beside: [pairs, corners - 1, d, d] products of Jacobians of neighbours.
    """

    energies: np.ndarray
    gradient: np.ndarray
    metrics: np.ndarray
    beside: np.ndarray


@dataclass(frozen=True, eq=False)
class SeenModel:
    """A model as lengths see it: its outputs up to an isometry of their space.

    Attributes:
        map_: The model.
        chain: The same as a chain of dense layers with as few outputs as lengths need; None if it is none.
        network: The same as a piecewise affine network, if it was given as one; else None.
    """

    map_: DifferentiableMap
    chain: DenseChain | None
    network: Network | None

    @staticmethod
    def of(model: Any, points: np.ndarray) -> SeenModel:
        """A model of any kind.

        Args:
            model: A module, a differentiable function of a batch, a network or the path of one.
            points: [n, d] some points.

        Returns:
            The model.

        Raises:
            InvalidInputError: If it is none of these.
        """
        affine = isinstance(model, Network) or not (isinstance(model, nn.Module) or callable(model))
        if affine:
            model = as_network(model, points.shape[1:])
        map_ = DifferentiableMap.of(model, torch.from_numpy(points), affine=affine)
        network = model if affine else None
        dense = DenseChain.of(model, points.shape[1:], shortened=True)
        if dense is not None:
            fits = dense.dimension == map_.dimension and dense.dtype == map_.points.dtype
            return SeenModel(map_, dense if fits else None, network)
        bare = replace(model, head=None, classes=None) if isinstance(model, Network) else model
        chain = Chain.of(bare, points.shape[1:]) if isinstance(bare, nn.Module | Network) else None
        if chain is not None and chain.dimension == map_.dimension and chain.dtype == map_.points.dtype:
            map_ = replace(map_, chain=chain)
        return SeenModel(map_, None, network)

    def values(self, points: np.ndarray) -> np.ndarray:
        """[..., k] values at [..., d] points."""
        flat = self._flat(points)
        with torch.no_grad():
            parts = [
                self.map_.function(z, None) if self.chain is None else self.chain.values(z)
                for z in flat.split(max(1, AT_ONCE // self._outputs))
            ]
        return _joined(parts).reshape(*points.shape[:-1], -1)

    def energies(self, curves: np.ndarray) -> np.ndarray:
        """Discrete energies of [pairs, corners, d] curves, both ends among their corners."""
        steps = np.diff(self.values(curves), axis=1)
        return np.asarray((curves.shape[1] - 1) * np.einsum("pck,pck->p", steps, steps))

    def normal(self, curves: np.ndarray) -> Normal:
        """The normal equations of [pairs, corners, d] curves, in parts of bounded memory."""
        pairs, corners, d = curves.shape
        step = max(1, AT_ONCE // (corners * d * self._outputs))
        parts = [self._normal(curves[k : k + step]) for k in range(0, pairs, step)]
        return Normal(*(np.concatenate(same) for same in zip(*parts, strict=True)))

    def _normal(self, curves: np.ndarray) -> Normal:
        pairs, corners = curves.shape[:2]
        values = torch.from_numpy(self.values(curves))
        z = self._flat(curves[:, 1:-1])
        if self.chain is None:
            both = list(self.map_.at(z).jacobians())
            J = (both[0] if len(both) == 1 else torch.cat(both)).mT
        else:
            J = self.chain.columns(z)[1].permute(1, 2, 0)
        J = J.double().unflatten(0, (pairs, corners - 2))
        pull = 2 * values[:, 1:-1] - values[:, :-2] - values[:, 2:]
        steps = values.diff(dim=1)
        found = (
            (corners - 1) * torch.linalg.vecdot(steps, steps).sum(dim=1),
            (J @ pull[..., None])[..., 0],
            J @ J.mT,
            J[:, :-1] @ J[:, 1:].mT,
        )
        return Normal(*(one.numpy() for one in found))

    @property
    def _outputs(self) -> int:
        return max(1, self.map_.outputs if self.chain is None else self.chain.outputs)

    def _flat(self, points: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(points)).reshape(-1, points.shape[-1]).to(self.map_.points)


def _joined(parts: list[Tensor]) -> np.ndarray:
    return np.asarray((parts[0] if len(parts) == 1 else torch.cat(parts)).double().cpu().numpy())


class Descended(NamedTuple):
    """Curves after a descent.

    Attributes:
        curves: [pairs, corners, d] their corners, both ends among them.
        energies: [pairs] their energies.
        steps: Steps that were taken.
        done: [pairs] whether a last step changed the energy by less than the tolerance.
    """

    curves: np.ndarray
    energies: np.ndarray
    steps: int
    done: np.ndarray


def descend(seen: SeenModel, start: np.ndarray, steps: int, tolerance: float) -> Descended:
    """Curves of locally least energy.

    Args:
        seen: The model.
        start: [pairs, corners, d] where to begin; both ends stay.
        steps: Steps after which to stop.
        tolerance: Relative change of an energy that ends the work on a curve.

    Returns:
        The curves. Cost: see `energy_geodesics`; curves that are done cost nothing.
    """
    curves, damping, done = start.copy(), np.full(len(start), 1e-3), np.zeros(len(start), bool)
    state, step = seen.normal(curves), 0
    while step < steps and not done.all():
        step += 1
        rows = np.flatnonzero(~done)
        tried = curves[rows]
        tried[:, 1:-1] += _move(Normal(*(part[rows] for part in state)), damping[rows])
        new = seen.normal(tried)
        before = state.energies[rows]
        better = new.energies < before
        done[rows] = np.where(better, before - new.energies <= tolerance * before, damping[rows] > 1e12)
        damping[rows] *= np.where(better, 0.2, 4.0)
        kept = rows[better]
        curves[kept] = tried[better]
        for part, other in zip(state, new, strict=True):
            part[kept] = other[better]
    return Descended(curves, state.energies, step, done)


def refined(curves: np.ndarray, corners: int) -> np.ndarray:
    """The same polylines with another number of inner corners."""
    places = np.linspace(0, curves.shape[1] - 1, corners + 2)
    low = np.minimum(places.astype(int), curves.shape[1] - 2)
    share = (places - low)[None, :, None]
    return np.asarray((1 - share) * curves[:, low] + share * curves[:, low + 1])


def _move(state: Normal, damping: np.ndarray) -> np.ndarray:
    """Move of the inner corners: of the least squares of differences of neighbours, block by block."""
    diagonal = 2 * np.einsum("pcii->pci", state.metrics)
    scale = np.maximum(diagonal, 1e-12 * diagonal.max(axis=(1, 2), initial=1e-300, keepdims=True))
    blocks = 2 * state.metrics + (damping[:, None, None] * scale)[..., None] * np.eye(diagonal.shape[2])
    return solved(blocks, -state.beside, -state.gradient)


def solved(blocks: np.ndarray, beside: np.ndarray, right: np.ndarray) -> np.ndarray:
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
