"""Distances from a vertex of a polyhedral surface, and the shortest paths that have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.geodesics.polyhedral import PolyhedralSurface
from splinescope.geometry.geodesics.windows import (
    BY_EDGE,
    PARENT,
    SIDE,
    WAITING,
    WINDOWS,
    Front,
    Glue,
    X,
    Y,
    reach_vertex,
    spread,
)
from splinescope.progress import Report, reporting

ROUNDING = 1e-13
"""Differences of lengths, relative to the longest path of interest, that decide nothing."""
MOST_WINDOWS = 1 << 26
"""Windows after which a search gives up: 4 GB."""
_DIRECTED = 1e-9
"""How well the direction of an edge has to be known for it to say where the goal is beside it."""
_AT_ONCE = 1 << 19
"""Windows between two looks at the world, a quarter of a second: compiled work cannot be interrupted."""


@dataclass(frozen=True)
class Crossing:
    """A step of a path from one vertex or side to the next.

    Attributes:
        vertex: The vertex; -1 where the path crosses a side.
        half: The half-edge through which it enters a triangle; -1 at vertices.
        share: Where on the half-edge, from 0 at its start to 1.
        edge: At a vertex, the edge along which the path came; -1 if it came through a triangle.
    """

    vertex: int
    half: int = -1
    share: float = 0.0
    edge: int = -1


@dataclass(frozen=True, eq=False)
class Spread:
    """What a search from a vertex found.

    Attributes:
        surface: The surface.
        source: The vertex.
        distances: Lengths of shortest paths to the vertices; where the search ended early, of the shortest known ones.
        front: All that the search knew.
    """

    surface: PolyhedralSurface
    source: int
    distances: Float[np.ndarray, " V"]
    front: Front

    @property
    def num_windows(self) -> int:
        """Number of windows that were made."""
        return int(self.front.counts[WINDOWS])

    def path(self, vertex: int) -> list[Crossing]:
        """The shortest path to a vertex, from the source on.

        Args:
            vertex: The vertex.

        Returns:
            Its vertices and crossings, the source first.

        Raises:
            DegenerateArrangementError: If no path to it is known.
        """
        steps: list[Crossing] = []
        while vertex != self.source:
            if not np.isfinite(self.distances[vertex]) or len(steps) > self.num_windows + self.surface.num_vertices:
                raise DegenerateArrangementError("no path to a point of the surface was found; expected one surface")
            way, by = self.front.how[vertex].tolist()
            if way == BY_EDGE:
                steps.append(Crossing(vertex, edge=by))
                vertex = int(self.surface.ends[by].sum()) - vertex
            else:
                steps.append(Crossing(vertex))
                vertex = self._through(by, steps)
        return [Crossing(self.source), *steps[::-1]]

    def _through(self, window: int, steps: list[Crossing]) -> int:
        """Crossings on the way back from the apex that a window sees; the vertex that is its source."""
        surface, front = self.surface, self.front
        tx, ty = surface.apexes[front.indices[window, SIDE]]
        while True:
            half = int(front.indices[window, SIDE])
            length = float(surface.lengths[surface.sides.ravel()[half]])
            sx, sy = front.reals[window, X], min(front.reals[window, Y], -1e-15 * length)
            rise = ty - sy
            at = min(max(sx - (tx - sx) * sy / rise, 0.0), length) if rise > 0 else 0.5 * length
            steps.append(Crossing(-1, half, float(at / length)))
            window = int(front.indices[window, PARENT])
            if window < 0:
                return -1 - window
            entered, across = int(front.indices[window, SIDE]), int(surface.twins[half])
            edge = float(surface.lengths[surface.sides.ravel()[entered]])
            apex = surface.apexes[entered]
            right = across % 3 == (entered + 1) % 3
            begin, end = (np.array([edge, 0.0]), apex) if right else (apex, np.zeros(2))
            tx, ty = begin + (1.0 - at / length) * (end - begin)


def spread_from(
    surface: PolyhedralSurface,
    source: int,
    goal: int = -1,
    *,
    positions: Float[np.ndarray, "V n"] | None = None,
    reach: float = np.inf,
    progress: bool | Report = False,
) -> Spread:
    """Find shortest paths from a vertex to one vertex, or to all of them.

    Args:
        surface: The surface.
        source: The vertex to start from.
        goal: The vertex to reach; -1 for all.
        positions: Places of the vertices in a space in which edges have at most their lengths; windows that lead away
            from the goal are then left for later.
        reach: Length above which paths are of no interest, such as that of a known one.
        progress: Whether to show a bar, or a function to call with the share done and the number of windows.

    Returns:
        What was found. Cost: with all vertices of n triangles usually a small multiple of n^1.5 windows, at about two
        million in a second.

    Raises:
        DegenerateArrangementError: If there are too many windows.
    """
    places, chords = np.empty((0, 2)), np.zeros(surface.num_vertices)
    if positions is not None and goal >= 0:
        places, chords = _ways(surface, positions, goal)
    flat = surface.corners.ravel().astype(np.int64)
    glue = Glue(
        flat, surface.sides.ravel(), surface.twins, surface.lengths, surface.ends, surface.apexes, surface.starts,
        surface.angles, surface.kinds, surface.links, surface.link_edges, surface.fans, surface.fan_sides,
        surface.flips, places, chords,
    )  # fmt: skip
    front = _empty_front(surface.num_vertices, len(flat))
    reach_vertex(glue, front, source, 0.0, 0, -1, 0.0)
    bound = float(reach) if np.isfinite(reach) else float(surface.lengths.sum())
    slack = max(ROUNDING * min(bound, float(surface.lengths.sum())), surface.give)
    first = float(front.keys[0]) if front.counts[WAITING] else 0.0
    more = _AT_ONCE
    with reporting(progress, "windows") as report:
        while True:
            before, some = int(front.counts.sum()), _some(front, more)
            if spread(glue, some, goal, float(reach), slack):
                return Spread(surface, source, front.distances, front)
            report(float((front.keys[0] - first) / (max(bound - first, slack) or 1.0)), int(front.counts[WINDOWS]))
            if front.counts[WINDOWS] > MOST_WINDOWS:
                raise DegenerateArrangementError(
                    f"more than {MOST_WINDOWS:,} windows; expected a surface with fewer cells"
                )
            if len(some.reals) == len(front.reals) or len(some.keys) == len(front.keys):
                front = _roomier(front)
            elif int(front.counts.sum()) == before:
                more *= 2


def _ways(surface: PolyhedralSurface, positions: np.ndarray, goal: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the goal is beside every edge, and how far from every vertex; rounded towards nearer."""
    target = positions[goal]
    chords = np.linalg.norm(positions - target, axis=1)
    error = 64 * np.finfo(np.float64).eps * float(np.abs(positions).max(initial=0.0)) * np.sqrt(positions.shape[1])
    error += 4 * surface.give
    places = np.empty((len(surface.ends), 2))
    step = max(1, (1 << 22) // positions.shape[1])
    for start in range(0, len(places), step):
        one, two = (positions[ends] for ends in surface.ends[start : start + step].T)
        along = ((target - one) * (two - one)).sum(axis=1) / surface.lengths[start : start + step]
        square = ((target - one) ** 2).sum(axis=1) - along**2
        places[start : start + step] = np.column_stack([along, np.sqrt(np.maximum(square, 0.0))])
    places[:, 1] = np.maximum(places[:, 1] - error, 0.0)
    # the direction of a short edge is not known as well as the distances of its ends
    short = surface.lengths * _DIRECTED < error
    nearest = chords[surface.ends].min(axis=1)
    places[short, 0] = np.nan
    places[short, 1] = np.maximum(nearest[short] - surface.lengths[short] - error, 0.0)
    return places, np.maximum(chords - error, 0.0)


def _empty_front(vertices: int, halves: int) -> Front:
    room = 1 << 14
    return Front(
        np.full(vertices, np.inf),
        np.zeros((vertices, 2), np.int64),
        np.zeros(vertices),
        np.full(vertices, np.inf),
        np.empty((room, 5)),
        np.empty((room, 2), np.int64),
        np.full(halves, np.inf),
        np.zeros(halves),
        np.empty(room),
        np.empty(room, np.int64),
        np.zeros(2, np.int64),
    )


def _some(front: Front, more: int) -> Front:
    """The same with room for so many more windows at most, in the same memory."""
    windows, waiting = (int(count) + more for count in (front.counts[WINDOWS], front.counts[WAITING]))
    return front._replace(
        reals=front.reals[:windows],
        indices=front.indices[:windows],
        keys=front.keys[:waiting],
        items=front.items[:waiting],
    )


def _roomier(front: Front) -> Front:
    """The same with twice the room for windows and for what waits."""
    grown = {
        name: np.concatenate([getattr(front, name), np.empty_like(getattr(front, name))])
        for name in ("reals", "indices", "keys", "items")
    }
    return front._replace(**grown)
