"""Cross-entropy and margin along a polyline, exact at every breakpoint of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.inputs import in_shape
from splinescope.network.load import ModelLike, as_network
from splinescope.paths.energy import ClassEnergy
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.segments import cross_entropy, margins, tessellate_segments


@dataclass(frozen=True)
class PathProfile(Shown):
    """What a network says along a path.

    Between two positions the margin is concave and the cross-entropy convex: the least margin and the largest loss are
    among the values here.

    Attributes:
        position: [V] positions of the breakpoints and pivots, or of samples, as shares of the path's length.
        loss: [V] cross-entropy there, in nats.
        margin: [V] margin there.
        pivots: [K] positions of the corners, both ends among them.
        target: The class.
        exact: Whether all breakpoints are there; else the largest loss is only the largest one seen.
    """

    position: Float[np.ndarray, " V"]
    loss: Float[np.ndarray, " V"]
    margin: Float[np.ndarray, " V"]
    pivots: Float[np.ndarray, " K"]
    target: int
    exact: bool = True

    @property
    def highest(self) -> tuple[float, float]:
        """Position and value of the largest loss."""
        worst = int(self.loss.argmax())
        return float(self.position[worst]), float(self.loss[worst])


def path_profile(network: ModelLike, points: Any, target: int, *, samples: int | None = None) -> PathProfile:
    """Follow a network along a polyline.

    Args:
        network: The network, or the part of one behind a layer; or a module or the path of a file.
        points: [K, *input_shape] corners of the polyline, each may be flat, both ends among them; corners that repeat
            count once.
        target: The class.
        samples: Number of points to look at instead of all breakpoints, for networks that have too many of them.

    Returns:
        The profile.

    Raises:
        InvalidInputError: If there are fewer than two different points, shapes don't fit, or there is no such class.

    Cost: the cells along the polyline, and a forward pass at each breakpoint; with `samples` one at each of these.

    Example:
        >>> import splinescope, torch
        >>> identity = splinescope.from_torch(torch.nn.Identity(), input_shape=(2,))
        >>> profile = path_profile(identity, [[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]], 0)
        >>> profile.position.round(6).tolist(), profile.margin.tolist()
        ([0.0, 0.666667, 0.666667, 1.0], [2.0, 0.0, 0.0, -1.0])
    """
    given = finite("points", points)
    network = as_network(network, given.shape[1:])
    corners = in_shape(given, network.input_shape, batched=True) if given.ndim else None
    if corners is None:
        raise InvalidInputError(f"`points`: got shape {given.shape}; expected [K, *{network.input_shape}]")
    flat = corners.reshape(len(corners), -1)
    corners = corners[np.r_[True, (np.diff(flat, axis=0) != 0).any(axis=1)]]
    if len(corners) < 2:
        raise InvalidInputError(f"`points`: got {len(flat)}; expected at least two different points")
    if samples is not None:
        return _sampled(network, corners, target, samples)
    batch = tessellate_segments(network, corners[:-1], corners[1:])
    pivots, segment = _pivots(corners), batch.vertex_segments
    position = pivots[segment] + batch.t * (pivots[segment + 1] - pivots[segment])
    loss, margin = cross_entropy(batch, target).at_vertices, margins(batch, target).at_vertices
    return PathProfile(position, loss, margin, pivots, target)


def _sampled(network: Network, corners: np.ndarray, target: int, samples: int) -> PathProfile:
    """Loss and margin at equal steps."""
    energy = ClassEnergy(network, torch.tensor([target]))
    points = torch.from_numpy(points_along(corners, samples))
    found = energy.values(points, torch.zeros(samples, dtype=torch.int64))
    position = np.linspace(0.0, 1.0, samples)
    return PathProfile(position, found.losses.numpy(), found.margins.numpy(), _pivots(corners), target, exact=False)


def _pivots(corners: np.ndarray) -> np.ndarray:
    """Positions of the corners, as shares of the length."""
    lengths = np.linalg.norm(np.diff(corners.reshape(len(corners), -1), axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()


def points_along(points: Float[np.ndarray, "K ..."], count: int) -> Float[np.ndarray, "count ..."]:
    """Points at equal steps along a polyline, by its length.

    Args:
        points: [K, *shape] corners.
        count: Number of points.

    Returns:
        [count, *shape] points, both ends among them.

    Cost: linear in the number of corners and points.

    Example:
        >>> points_along(np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]]), 5).tolist()
        [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [3.0, 1.0]]
    """
    flat = points.reshape(len(points), -1)
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(flat, axis=0), axis=1))])
    wanted = np.linspace(0.0, travelled[-1], count)
    segment = np.clip(np.searchsorted(travelled, wanted, side="right") - 1, 0, len(points) - 2)
    span = travelled[segment + 1] - travelled[segment]
    weight = (wanted - travelled[segment]) / np.where(span > 0, span, 1.0)
    found = (1 - weight)[:, None] * flat[segment] + weight[:, None] * flat[segment + 1]
    return np.asarray(found.reshape(-1, *points.shape[1:]))
