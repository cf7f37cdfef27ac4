r"""The equation of geodesics of smooth networks: the exponential map, and parallel transport.

The connection of a pulled-back metric is that of the image: $\Gamma(v, w) = J^+ D^2f[v, w]$, since what changes along
the image is to be orthogonal to it. On piecewise affine networks it is of no use: the metric is constant within cells,
so that there is no acceleration, and whoever integrates the equation gets the straight line and vectors that never
turn. It is refused there; see `geodesic`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import solve_ivp
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.network.differentials import DifferentiableMap
from splinescope.network.graph import Network
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite


@dataclass(frozen=True, eq=False)
class Transport(Shown):
    """The end of a geodesic, and vectors that were carried along it without turning, as the model measures them.

    Attributes:
        point: The point that is reached after unit time.
        velocity: The velocity there, which is that of the start, carried along.
        vectors: The vectors there. Inner products of any two, in the metric that is pulled back, are those before.
    """

    point: Float[np.ndarray, " d"]
    velocity: Float[np.ndarray, " d"]
    vectors: Float[np.ndarray, "k d"]


def exponential_map(
    model: Callable[[Tensor], Tensor], point: Any, velocity: Any, *, accuracy: float = 1e-10
) -> Float[np.ndarray, " d"]:
    r"""Where the geodesic that starts at a point with a velocity is after unit time, for smooth models.

    $\ddot c = -J^+ \, D^2f[\dot c, \dot c]$: the acceleration of the image is orthogonal to the image.

    Args:
        model: A smooth module or function of a batch, whose Jacobian has full rank.
        point: [d] the point.
        velocity: [d] the velocity.
        accuracy: Relative tolerance of the solver.

    Returns:
        The point that is reached.

    Raises:
        InvalidInputError: If the model has no second derivative here and at points nearby, as piecewise affine ones
            have none: use `geodesic`.

    Cost: some hundreds of evaluations of the model with two derivatives.

    Example:
        >>> exponential_map(lambda z: torch.cat([z, z**2], dim=1), [0.0], [1.0]).shape
        (1,)
    """
    return parallel_transport(model, point, velocity, np.empty((0, np.size(velocity))), accuracy=accuracy).point


def parallel_transport(
    model: Callable[[Tensor], Tensor], point: Any, velocity: Any, vectors: Any, *, accuracy: float = 1e-10
) -> Transport:
    r"""Carry vectors along the geodesic that starts at a point with a velocity, without turning, for smooth models.

    $\dot w = -J^+ \, D^2f[\dot c, w]$: the image $Jw$ changes orthogonally to the image of the model only, so that
    lengths and angles of vectors stay as they are. Around a closed way vectors come back turned, by the curvature
    inside it.

    Args:
        model: A smooth module or function of a batch, whose Jacobian has full rank.
        point: [d] the point.
        velocity: [d] the velocity of the geodesic there, which takes unit time.
        vectors: [k, d] vectors at the point.
        accuracy: Relative tolerance of the solver.

    Returns:
        What they become at the end.

    Raises:
        InvalidInputError: If shapes do not fit, or the model has no second derivative here and at points nearby, as
            piecewise affine ones have none.

    Source: do Carmo, Riemannian Geometry (1992), chapter 2; of images of generators as in Shao, Kumar, Fletcher (2018).

    Cost: some hundreds of evaluations of the model with two derivatives, each for all vectors at once.

    Example:
        A cone without its tip is flat, but carries vectors around:

        >>> cone = lambda z: torch.stack([z[:, 0] * z[:, 1].cos(), z[:, 0] * z[:, 1].sin(), z[:, 0]], dim=1)
        >>> found = parallel_transport(cone, [1.0, 0.0], [0.0, 0.5], [[1.0, 0.0]])
        >>> round(float(2 * found.vectors[0, 0] ** 2 + (found.point[0] * found.vectors[0, 1]) ** 2), 8)
        2.0
    """
    start, speed, carried = finite("point", point), finite("velocity", velocity), finite("vectors", vectors)
    if start.ndim != 1 or start.shape != speed.shape:
        raise InvalidInputError(
            f"`velocity`: got shape {speed.shape} at a point of {start.shape}; expected both as [d]"
        )
    if carried.ndim != 2 or carried.shape[1] != len(start):
        raise InvalidInputError(f"`vectors`: got shape {carried.shape}; expected [k, {len(start)}]")
    connection = _Connection(model, start)

    def right(_: float, state: np.ndarray) -> np.ndarray:
        x, v, *rest = state.reshape(-1, len(start))
        return np.concatenate([v, *connection.turning(x, v, np.stack([v, *rest]))])

    state = np.concatenate([start, speed, carried.ravel()])
    done = solve_ivp(right, (0.0, 1.0), state, rtol=accuracy, atol=accuracy, method="DOP853")
    end, velocity_there, *rest = done.y[:, -1].reshape(-1, len(start))
    return Transport(end, velocity_there, np.array(rest).reshape(carried.shape))


class _Connection:
    """How vectors turn that are carried along a model's latents."""

    def __init__(self, model: Any, near: np.ndarray) -> None:
        affine = isinstance(model, Network) or not (isinstance(model, nn.Module) or callable(model))
        self._map = DifferentiableMap.of(model, torch.from_numpy(np.stack([near, near])), affine=affine)
        around = np.random.default_rng(0).normal(size=(8, len(near)))
        if isinstance(model, Network) or not any(np.any(self._second(near + e, e, e[None])) for e in around):
            raise InvalidInputError(
                "`model`: it is piecewise affine, so that geodesics have no acceleration within cells, vectors do not "
                "turn, and the solver would return a straight line; use `geodesic` on its tessellation"
            )

    def turning(self, x: np.ndarray, v: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """-J^+ D^2f[v, w] of all vectors w at x."""
        one = torch.from_numpy(x.copy())
        J = torch.func.jacfwd(lambda y: self._map.function(y[None], None)[0])(one).detach().numpy()
        return np.asarray(-np.linalg.lstsq(J, self._second(x, v, vectors).T, rcond=None)[0].T)

    def _second(self, x: np.ndarray, v: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """[k, outputs] second derivatives along v and each of the vectors."""
        way = torch.from_numpy(np.ascontiguousarray(v))

        def along(z: Tensor) -> Tensor:
            return torch.func.jvp(lambda y: self._map.function(y[None], None)[0], (z,), (way,))[1]

        one = torch.from_numpy(np.ascontiguousarray(x))
        every = torch.func.vmap(lambda w: torch.func.jvp(along, (one,), (w,))[1])
        return np.asarray(every(torch.from_numpy(np.ascontiguousarray(vectors))).detach().numpy())
