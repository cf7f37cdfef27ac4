"""Topology of clouds of points over all scales: components by a minimum spanning tree, more by persistent homology."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from splinescope.errors import InvalidInputError
from splinescope.numerics import available_memory, require
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class CloudTopology(Shown):
    """What a cloud of points is connected like, at every scale.

    Attributes:
        scales: Lengths of the edges of a minimum spanning tree, ascending: at each of these scales two components
            become one.
        tree: [n - 1, 2] points that these edges join.
        nearest: Distance of each point from its nearest neighbour.
        diagrams: For k = 1, 2, ... the scales at which each class of H_k appears and vanishes, of the landmarks.
        landmarks: Points that `diagrams` are of.
    """

    scales: Float[np.ndarray, " edges"]
    tree: Int[np.ndarray, "edges 2"]
    nearest: Float[np.ndarray, " n"]
    diagrams: tuple[Float[np.ndarray, "classes 2"], ...] = ()
    landmarks: Int[np.ndarray, " landmarks"] | None = None

    @cached_property
    def unit(self) -> float:
        """Median distance of a point from its nearest neighbour, in which scales can be given."""
        return float(np.median(self.nearest)) if len(self.nearest) else 0.0

    def components(self, scale: float) -> int:
        """Number of components of the graph that joins points up to a distance.

        Args:
            scale: The distance.

        Returns:
            Their number.
        """
        return 1 + int(np.count_nonzero(self.scales > scale))

    def betti(self, scale: float) -> tuple[int, ...]:
        """Betti numbers at one scale: components of all points, then of the landmarks' Vietoris-Rips complex.

        Args:
            scale: The scale.

        Returns:
            As many numbers as were computed.
        """
        higher = (int(np.count_nonzero((d[:, 0] <= scale) & (scale < d[:, 1]))) for d in self.diagrams)
        return (self.components(scale), *higher)


def spanning_tree(
    points: Float[np.ndarray, "n d"] | None = None, distances: Float[np.ndarray, "n n"] | None = None
) -> CloudTopology:
    """Components of a cloud at every scale, by a minimum spanning tree: exactly, in time n^2 and memory n.

    Args:
        points: The points, for Euclidean distances.
        distances: Or distances of any kind, symmetric.

    Returns:
        The components; persistent homology of degree zero is the same, and needs nothing else.

    Raises:
        InvalidInputError: If neither or both are given, or there is no point.

    Cost: n^2 distances, of which only n are held for points.

    Example:
        >>> found = spanning_tree(np.array([[0.0], [1.0], [3.0]]))
        >>> found.scales.tolist(), [found.components(scale) for scale in (0.5, 1.0, 2.0)]
        ([1.0, 2.0], [3, 2, 1])
    """
    if (points is None) == (distances is None):
        raise InvalidInputError("`points`: expected either points or distances")
    given = points if points is not None else distances
    assert given is not None
    values = np.ascontiguousarray(given, dtype=np.float64)
    if values.ndim != 2 or not len(values) or (points is None and values.shape[0] != values.shape[1]):
        raise InvalidInputError(f"`points`: got shape {values.shape}; expected [n, d] points, or [n, n] distances")
    if not np.isfinite(values).all():
        raise InvalidInputError("`points`: some numbers are NaN or infinite; expected finite numbers")
    lengths, tree, nearest = _prim(values, points is not None)
    order = np.argsort(lengths, kind="stable")
    return CloudTopology(lengths[order], tree[order], nearest)


@njit(cache=True, nogil=True)
def _prim(values: np.ndarray, euclidean: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prim's algorithm; and the nearest neighbour of each point, since all distances are seen once."""
    n = values.shape[0]
    lengths, tree = np.empty(n - 1), np.empty((n - 1, 2), np.int64)
    best, parent, done = np.full(n, np.inf), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    nearest = np.full(n, np.inf)
    at = 0
    for step in range(n):
        done[at] = True
        if step > 0:
            lengths[step - 1], tree[step - 1, 0], tree[step - 1, 1] = best[at], parent[at], at
        following = -1
        for other in range(n):
            if done[other]:
                continue
            distance = 0.0
            if euclidean:
                for k in range(values.shape[1]):
                    distance += (values[at, k] - values[other, k]) ** 2
                distance = np.sqrt(distance)
            else:
                distance = values[at, other]
            nearest[at], nearest[other] = min(nearest[at], distance), min(nearest[other], distance)
            if distance < best[other]:
                best[other], parent[other] = distance, at
            if following < 0 or best[other] < best[following]:
                following = other
        at = following
    if n == 1:
        nearest[0] = 0.0
    return lengths, tree, nearest


def hop_distances(points: Float[np.ndarray, "n d"], neighbours: int = 14) -> Float[np.ndarray, "n n"]:
    """Numbers of steps between points in the graph of nearest neighbours, as Naitzat, Zhitnikov and Lim take them.

    Args:
        points: The points.
        neighbours: How many neighbours each point is joined with.

    Returns:
        Distances in steps; between parts of the graph one more than the largest within them.

    Raises:
        InvalidInputError: If there are not so many other points.

    Cost: n^2 distances and n searches in the graph.

    Example:
        >>> hop_distances(np.arange(4.0)[:, None], 1).tolist()[0]
        [0.0, 1.0, 2.0, 3.0]
    """
    n = len(points)
    if not 1 <= neighbours < n:
        raise InvalidInputError(f"`neighbours`: got {neighbours}; expected from 1 to {n - 1}")
    square = np.einsum("nd,nd->n", points, points)
    away = square[:, None] + square - 2 * points @ points.T
    np.fill_diagonal(away, np.inf)
    near = np.argsort(away, axis=1, kind="stable")[:, :neighbours]
    entries = (np.ones(near.size), (np.repeat(np.arange(n), neighbours), near.ravel()))
    hops = shortest_path(csr_array(entries, shape=(n, n)), directed=False, unweighted=True)
    finite = np.isfinite(hops)
    return np.where(finite, hops, hops[finite].max(initial=0.0) + 1.0)


def farthest_points(points: Float[np.ndarray, "n d"], number: int) -> Int[np.ndarray, " number"]:
    """Landmarks: each as far as possible from those before it, from the first point on.

    Args:
        points: The points.
        number: How many.

    Returns:
        Their indices, at most all.

    Cost: number x n distances.

    Example:
        >>> farthest_points(np.array([[0.0], [1.0], [5.0]]), 2).tolist()
        [0, 2]
    """
    chosen = [0]
    away = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < min(number, len(points)):
        chosen.append(int(np.argmax(away)))
        away = np.minimum(away, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


def persistence(distances: Float[np.ndarray, "n n"], degree: int) -> tuple[Float[np.ndarray, "classes 2"], ...]:
    """Persistent homology of degrees 1, ..., of the Vietoris-Rips complexes, by the package `ripser`, in float32.

    Args:
        distances: Symmetric distances.
        degree: The largest degree.

    Returns:
        For each degree from 1 on the scales at which classes appear and vanish.

    Raises:
        MissingDependencyError: If `ripser` is not installed.
        InvalidInputError: If it would take more memory than is free.

    Cost: grows like the third power of the number of points, in time and memory, for degree 1: 800 MB for 1,000.

    Example:
        Four corners of a square are a circle between the side and the diagonal (needs `ripser`):

        >>> persistence(square, 1)[0].round(3).tolist()  # doctest: +SKIP
        [[1.0, 1.414]]
    """
    need = 0.8 * len(distances) ** (degree + 2)
    if need > available_memory():
        raise InvalidInputError(
            f"`landmarks`: {len(distances)} points in degree {degree} take about {need / 1e9:.1f} GB; use fewer"
        )
    ripser = require("ripser", "topology", "persistent homology of degree one and more")
    found = ripser.ripser(np.asarray(distances, np.float32), maxdim=degree, distance_matrix=True)["dgms"]
    return tuple(np.asarray(diagram, np.float64) for diagram in found[1:])
