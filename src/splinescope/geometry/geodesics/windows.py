r"""Continuous Dijkstra: windows of rays from sources cross edge after edge, the most promising one first.

A window is an interval of an edge that is seen, through the triangles so far laid flat into one plane, from a source:
the start, or a vertex at which shortest paths bend. Its distance at a point is that of its source plus a straight line.
Windows that cannot hold a shortest path are dropped: a known path through a corner is shorter to all of the interval,
or two windows enter by one edge and see the same corner.

Sources: Mitchell, Mount, Papadimitriou, "The discrete geodesic problem" (1987); Chen, Han, "Shortest paths on a
polyhedron" (1990); Xin, Wang, "Improving Chen and Han's algorithm" (2009), with a bound from below to the goal here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.geodesics.heap import pop, push

LOW, HIGH, X, Y, BASE = range(5)
SIDE, PARENT = range(2)
UNREACHED, BY_WINDOW, BY_EDGE = np.arange(3)  # numbers of numpy, for each of which no kernel is compiled anew
WINDOWS, WAITING = range(2)


class Glue(NamedTuple):
    """The arrays of a `PolyhedralSurface`, flat, and what is known of the way to the goal.

    Attributes:
        flips: Whether each half-edge runs against its edge.
        places: [E, 2] where the goal is, in a space that holds the surface without stretching edges: along each edge
            from its first end, and how far beside it; NaN and no more than its distance from any point of the edge
            where directions are not known; empty without a goal.
        chords: [V] distance of the goal from each vertex there; zeros without a goal.
    """

    corners: np.ndarray
    sides: np.ndarray
    twins: np.ndarray
    lengths: np.ndarray
    ends: np.ndarray
    apexes: np.ndarray
    starts: np.ndarray
    angles: np.ndarray
    kinds: np.ndarray
    links: np.ndarray
    link_edges: np.ndarray
    fans: np.ndarray
    fan_sides: np.ndarray
    flips: np.ndarray
    places: np.ndarray
    chords: np.ndarray


class Front(NamedTuple):
    """What is known so far.

    Attributes:
        distances: Length of the best known path to each vertex.
        how: [V, 2] how it arrives (`BY_...`), and by which window or edge.
        arrivals: Angle around the vertex from which it arrives by a window.
        settled: Distance with which each vertex was a source.
        reals: Windows: their interval, the place of their source in the frame of their half-edge, and its distance.
        indices: Their half-edge, and the window before; a vertex `v` that is their source as `-1 - v`.
        seen: Least distance at which windows entering by a half-edge saw its apex.
        seen_at: Where on the half-edge that path enters.
        keys: Keys of the heap: least lengths of paths to the goal.
        items: What waits: windows, and vertices as `-1 - v`.
        counts: Number of windows, and of what waits.
    """

    distances: np.ndarray
    how: np.ndarray
    arrivals: np.ndarray
    settled: np.ndarray
    reals: np.ndarray
    indices: np.ndarray
    seen: np.ndarray
    seen_at: np.ndarray
    keys: np.ndarray
    items: np.ndarray
    counts: np.ndarray


@njit(cache=True, nogil=True)
def spread(glue: Glue, front: Front, goal: int, reach: float, slack: float) -> bool:
    """Let windows spread, until the goal is reached, all within reach is, or there is no room for more.

    Args:
        glue: The surface.
        front: What is known; changed.
        goal: The vertex to reach, -1 for all.
        reach: Length above which paths are of no interest.
        slack: Difference of lengths that decides nothing.

    Returns:
        Whether it is done.
    """
    widest = 2
    for vertex in range(glue.kinds.size):
        widest = max(widest, 2 * (glue.fans[vertex + 1] - glue.fans[vertex]))
        widest = max(widest, glue.links[vertex + 1] - glue.links[vertex])
    while front.counts[WAITING] > 0:
        room = min(front.reals.shape[0] - front.counts[WINDOWS], front.keys.size - front.counts[WAITING])
        if room < 2 * widest + 2:
            return False
        key, item = front.keys[0], front.items[0]
        if key > reach + slack or (goal >= 0 and key > front.distances[goal] - slack):
            return True
        front.counts[WAITING] = pop(front.keys, front.items, front.counts[WAITING])
        limit = reach + slack if goal < 0 else min(reach + slack, front.distances[goal])
        if item < 0:
            vertex = -1 - item
            if front.distances[vertex] < front.settled[vertex]:
                front.settled[vertex] = front.distances[vertex]
                _leave_along_edges(glue, front, vertex)
                if front.distances[vertex] == 0.0 or glue.kinds[vertex] != 0:
                    _light(glue, front, vertex, limit, slack)
        else:
            _cross(glue, front, item, limit, slack)
    return True


@njit(cache=True, nogil=True)
def reach_vertex(glue: Glue, front: Front, vertex: int, distance: float, way: int, by: int, arrival: float) -> None:
    """Note a shorter path to a vertex, which waits for its turn as a source.

    Args:
        glue: The surface.
        front: What is known.
        vertex: The vertex.
        distance: Length of the path.
        way: How it arrives.
        by: By which window or edge.
        arrival: Angle from which it arrives.
    """
    front.distances[vertex] = distance
    front.how[vertex, 0], front.how[vertex, 1] = way, by
    front.arrivals[vertex] = arrival
    hope = distance + glue.chords[vertex]
    front.counts[WAITING] = push(front.keys, front.items, front.counts[WAITING], hope, -1 - vertex)


@njit(cache=True, nogil=True)
def _leave_along_edges(glue: Glue, front: Front, vertex: int) -> None:
    for at in range(glue.links[vertex], glue.links[vertex + 1]):
        edge = glue.link_edges[at]
        other = glue.ends[edge, 0] + glue.ends[edge, 1] - vertex
        distance = front.distances[vertex] + glue.lengths[edge]
        if distance < front.distances[other]:
            arrival = glue.angles[other]
            for place in range(glue.fans[other], glue.fans[other + 1]):
                if glue.sides[glue.fan_sides[place]] == edge:
                    arrival = glue.starts[glue.fan_sides[place]]
            reach_vertex(glue, front, other, distance, BY_EDGE, edge, arrival)


@njit(cache=True, nogil=True)
def _light(glue: Glue, front: Front, vertex: int, limit: float, slack: float) -> None:
    """Windows from a vertex: all around the start, elsewhere where paths that bend there by less would not go."""
    free = front.distances[vertex] == 0.0 or glue.kinds[vertex] == 3
    arrival, full = front.arrivals[vertex], glue.angles[vertex]
    for at in range(glue.fans[vertex], glue.fans[vertex + 1]):
        half = glue.fan_sides[at]
        begin, wide = glue.starts[half], math.atan2(glue.apexes[half, 1], glue.apexes[half, 0])
        if free:
            _open(glue, front, vertex, half, 0.0, wide, limit, slack)
        elif glue.kinds[vertex] == 1:
            for turn in (-1.0, 0.0):
                low, high = arrival + math.pi + turn * full, arrival - math.pi + (turn + 1.0) * full
                _open(glue, front, vertex, half, max(low - begin, 0.0), min(high - begin, wide), limit, slack)
        else:
            _open(glue, front, vertex, half, 0.0, min(arrival - math.pi - begin, wide), limit, slack)
            _open(glue, front, vertex, half, max(arrival + math.pi - begin, 0.0), wide, limit, slack)


@njit(cache=True, nogil=True)
def _open(
    glue: Glue, front: Front, vertex: int, half: int, low: float, high: float, limit: float, slack: float
) -> None:
    """A window on the side that faces a vertex, between two angles from a half-edge that starts there."""
    across = half - half % 3 + (half + 1) % 3
    into = glue.twins[across]
    if into < 0 or not high > low:
        return
    length, facing = glue.lengths[glue.sides[half]], glue.lengths[glue.sides[across]]
    px, py = glue.apexes[half, 0], glue.apexes[half, 1]
    wide = math.atan2(py, px)
    one = _share(math.cos(low), math.sin(low), 0.0, 0.0, length, 0.0, px, py) if low > 0.0 else 0.0
    two = _share(math.cos(high), math.sin(high), 0.0, 0.0, length, 0.0, px, py) if high < wide else 1.0
    ux, uy = (length - px) / facing, -py / facing
    x, y = -(px * ux + py * uy), -abs(uy * px - ux * py)
    _add(glue, front, into, -1 - vertex, facing * (1 - two), facing * (1 - one), x, y, front.distances[vertex],
         limit, slack)  # fmt: skip


@njit(cache=True, nogil=True, inline="always")
def _share(dx: float, dy: float, sx: float, sy: float, ax: float, ay: float, bx: float, by: float) -> float:
    """Where a ray meets a segment that it passes with its start to the right and its end to the left."""
    before = dx * (ay - sy) - dy * (ax - sx)
    after = dx * (by - sy) - dy * (bx - sx)
    return min(max(-before / (after - before), 0.0), 1.0) if after > before else 0.5


@njit(cache=True, nogil=True)
def _cross(glue: Glue, front: Front, window: int, limit: float, slack: float) -> None:
    """Take a window through its triangle: to the apex, if it sees that, and to the two other sides."""
    half = front.indices[window, SIDE]
    low, high, base = front.reals[window, LOW], front.reals[window, HIGH], front.reals[window, BASE]
    length = glue.lengths[glue.sides[half]]
    sx, sy = front.reals[window, X], min(front.reals[window, Y], -1e-15 * length)
    right, left = half - half % 3 + (half + 1) % 3, half - half % 3 + (half + 2) % 3
    if _dominated(glue, front, half, low, high, sx, sy, base, slack):
        return
    px, py = glue.apexes[half, 0], glue.apexes[half, 1]
    beside_low = (low - sx) * (py - sy) + sy * (px - sx)  # positive where the apex is left of the ray
    beside_high = (high - sx) * (py - sy) + sy * (px - sx)
    to_left, to_right = beside_low < 0.0, beside_high > 0.0
    if beside_low <= 0.0 and beside_high >= 0.0:
        far = base + math.hypot(px - sx, py - sy)
        at = sx - (px - sx) * sy / (py - sy)
        apex = glue.corners[left]
        if far < front.distances[apex]:
            vx, vy = sx - px, sy - py
            turned = abs(math.atan2(py * vx - px * vy, -px * vx - py * vy))
            reach_vertex(glue, front, apex, far, BY_WINDOW, window, glue.starts[left] + turned)
        if far > front.seen[half] + slack:
            to_left, to_right = to_left and at < front.seen_at[half], to_right and at > front.seen_at[half]
        elif far < front.seen[half]:
            front.seen[half], front.seen_at[half] = far, at
    if to_right:
        near = _share(high - sx, -sy, sx, sy, length, 0.0, px, py)
        away = _share(low - sx, -sy, sx, sy, length, 0.0, px, py) if beside_low > 0.0 else 1.0
        _pass(glue, front, window, right, near, away, (length, 0.0, px, py), (0.0, 0.0), sx, sy, limit, slack)
    if to_left:
        near = _share(high - sx, -sy, sx, sy, px, py, 0.0, 0.0) if beside_high < 0.0 else 0.0
        away = _share(low - sx, -sy, sx, sy, px, py, 0.0, 0.0)
        _pass(glue, front, window, left, near, away, (px, py, 0.0, 0.0), (length, 0.0), sx, sy, limit, slack)


@njit(cache=True, nogil=True, inline="always")
def _pass(
    glue: Glue,
    front: Front,
    window: int,
    across: int,
    near: float,
    away: float,
    segment: tuple[float, float, float, float],
    corner: tuple[float, float],
    sx: float,
    sy: float,
    limit: float,
    slack: float,
) -> None:
    """A window goes on through a side of its triangle, between two shares of it; the third corner faces the side."""
    into = glue.twins[across]
    if into < 0 or not away > near:
        return
    facing, base = glue.lengths[glue.sides[across]], front.reals[window, BASE]
    ax, ay, bx, by = segment
    ux, uy = (ax - bx) / facing, (ay - by) / facing
    low, high = facing * (1.0 - away), facing * (1.0 - near)
    # a path by the facing corner crosses all of these rays, if it goes to the one that is farthest from it
    right = (
        across == front.indices[window, SIDE] - front.indices[window, SIDE] % 3 + (front.indices[window, SIDE] + 1) % 3
    )
    end = high if right else low
    ex, ey = bx + ux * end, by + uy * end
    third = front.distances[glue.corners[across - across % 3 + (across + 2) % 3]]
    if third + math.hypot(ex - corner[0], ey - corner[1]) < base + math.hypot(ex - sx, ey - sy) - slack:
        return
    x, y = (sx - bx) * ux + (sy - by) * uy, min(ux * (sy - by) - uy * (sx - bx), 0.0)
    _add(glue, front, into, window, low, high, x, y, base, limit, slack)


@njit(cache=True, nogil=True, inline="always")
def _add(
    glue: Glue,
    front: Front,
    half: int,
    parent: int,
    low: float,
    high: float,
    x: float,
    y: float,
    base: float,
    limit: float,
    slack: float,
) -> None:
    """Put a window into the heap, unless it cannot matter."""
    if not high > low or _dominated(glue, front, half, low, high, x, y, base, slack):
        return
    hope = _least(glue, half, low, high, x, y) + base
    if hope > limit:
        return
    number = front.counts[WINDOWS]
    front.reals[number, LOW], front.reals[number, HIGH] = low, high
    front.reals[number, X], front.reals[number, Y], front.reals[number, BASE] = x, y, base
    front.indices[number, SIDE], front.indices[number, PARENT] = half, parent
    front.counts[WINDOWS] = number + 1
    front.counts[WAITING] = push(front.keys, front.items, front.counts[WAITING], hope, number)


@njit(cache=True, nogil=True, inline="always")
def _dominated(
    glue: Glue, front: Front, half: int, low: float, high: float, x: float, y: float, base: float, slack: float
) -> bool:
    """Whether known paths to one end of the side, and on along it, are shorter to all of the window."""
    one = front.distances[glue.corners[half]]
    two = front.distances[glue.corners[half - half % 3 + (half + 1) % 3]]
    length = glue.lengths[glue.sides[half]]
    return (
        one + high < base + math.hypot(high - x, y) - slack
        or two + length - low < base + math.hypot(low - x, y) - slack
    )  # fmt: skip


@njit(cache=True, nogil=True, inline="always")
def _least(glue: Glue, half: int, low: float, high: float, x: float, y: float) -> float:
    """Least way from the source through the window to the goal, if it led straight on through the space outside."""
    if glue.places.shape[0] == 0:
        return math.hypot(min(max(x, low), high) - x, y)
    edge = glue.sides[half]
    along, beside = glue.places[edge, 0], glue.places[edge, 1]
    if math.isnan(along):
        return math.hypot(min(max(x, low), high) - x, y) + beside
    if glue.flips[half]:
        along = glue.lengths[edge] - along
    at = x if beside - y <= 0.0 else x - (along - x) * y / (beside - y)
    at = min(max(at, low), high)
    return math.hypot(at - x, y) + math.hypot(at - along, beside)
