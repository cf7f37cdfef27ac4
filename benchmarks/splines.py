"""Geodesics as stochman 0.3.0 finds them, restated from its description: cubic splines of least energy, by Adam.

A curve is the straight line plus a cubic spline with four pieces that is zero at both ends and has two continuous
derivatives; its energy is that of 20 points. Adam with steps of 0.1 takes at most 150 steps, or ends where no gradient
is larger than 1e-4. A batch of pairs is one program, as there. L-BFGS on the same energy is no part of stochman.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.linalg import null_space
from torch import Tensor, nn

PIECES, POINTS, STEPS, RATE, SMALL = 4, 20, 150, 0.1, 1e-4


def basis(places: np.ndarray) -> Tensor:
    """[places, 5] splines that are zero at zero and one, at some places between."""
    powers = np.arange(4)

    def row(t: float, piece: int, order: int) -> np.ndarray:
        found = np.zeros((PIECES, 4))
        factors = np.array([np.prod(np.arange(p, p - order, -1)) if p >= order else 0 for p in powers])
        found[piece] = factors * np.where(powers >= order, t ** np.maximum(powers - order, 0.0), 0.0)
        return found.ravel()

    knots = np.arange(1, PIECES) / PIECES
    rules = [row(0.0, 0, 0), row(1.0, PIECES - 1, 0)]
    rules += [row(t, k, order) - row(t, k + 1, order) for order in range(3) for k, t in enumerate(knots)]
    free = null_space(np.array(rules))
    which = np.minimum((places * PIECES).astype(int), PIECES - 1)
    return torch.from_numpy(np.array([row(t, k, 0) for t, k in zip(places, which.tolist(), strict=True)]) @ free)


class Splines:
    """Curves between pairs of points."""

    def __init__(self, starts: np.ndarray, ends: np.ndarray) -> None:
        self.a, self.b = torch.from_numpy(starts), torch.from_numpy(ends)
        self.weights = torch.zeros(len(starts), 5, starts.shape[1], dtype=torch.float64, requires_grad=True)

    def at(self, places: np.ndarray, splines: Tensor) -> Tensor:
        """[pairs, places, d] points."""
        t = torch.from_numpy(places)[None, :, None]
        return (1 - t) * self.a[:, None] + t * self.b[:, None] + torch.einsum("tk,pkd->ptd", splines, self.weights)


def _energy(net: nn.Module, curves: Splines) -> Callable[[], Tensor]:
    places = np.linspace(0, 1, POINTS)
    splines = basis(places)

    def energy() -> Tensor:
        points = curves.at(places, splines)
        values = net(points.flatten(0, 1)).reshape(*points.shape[:2], -1)
        return (POINTS - 1) * values.diff(dim=1).square().sum()

    return energy


def by_adam(net: nn.Module, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """[pairs, places, d] points of the curves that it ends with, dense."""
    curves = Splines(starts, ends)
    energy, optimizer = _energy(net, curves), torch.optim.Adam([curves.weights], lr=RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        energy().backward()
        optimizer.step()
        assert curves.weights.grad is not None
        if float(curves.weights.grad.abs().max()) < SMALL:
            break
    return dense(curves)


def by_lbfgs(net: nn.Module, starts: np.ndarray, ends: np.ndarray, steps: int = 60) -> np.ndarray:
    """The same energy by L-BFGS, all pairs as one program."""
    curves = Splines(starts, ends)
    energy = _energy(net, curves)
    optimizer = torch.optim.LBFGS(
        [curves.weights], max_iter=steps, line_search_fn="strong_wolfe", tolerance_grad=SMALL, tolerance_change=1e-10
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = energy()
        value.backward()
        return value

    optimizer.step(closure)
    return dense(curves)


def dense(curves: Splines, number: int = 401) -> np.ndarray:
    """Points of curves, close beside each other."""
    places = np.linspace(0, 1, number)
    with torch.no_grad():
        found: np.ndarray = curves.at(places, basis(places)).numpy()
    return found


def lengths(net: nn.Module, points: np.ndarray, number: int = 401) -> np.ndarray:
    """Lengths of images of polylines of any corners, each by so many points that are spread over it evenly."""
    places = np.linspace(0, points.shape[1] - 1, number)
    low = np.minimum(places.astype(int), points.shape[1] - 2)
    share = (places - low)[None, :, None]
    at = (1 - share) * points[:, low] + share * points[:, low + 1]
    with torch.no_grad():
        values = net(torch.from_numpy(at).flatten(0, 1)).reshape(len(points), number, -1)
    return np.asarray(values.diff(dim=1).norm(dim=2).sum(dim=1).numpy())
