"""Cells as polygons that are prepared for gluing: with further points, and cut along the directions that vanish.

On a cell of rank one the output does not change along one direction. Cut along that direction through all of its
corners, the cell is a row of strips, and both long sides of a strip have the same image: they are one edge. A cell of
rank zero is one point. Slivers whose image is as thin as its corners are well known are such cells, too: their shape is
rounding, and what they join is told by places along them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from splinescope.errors import DegenerateArrangementError
from splinescope.riemannian.thinness import grain_of, shape_ranks
from splinescope.shown import Shown
from splinescope.tessellation.factors import DEFICIENT, cell_factors
from splinescope.tessellation.planar.complex import PlanarComplex

Edge = tuple[int, int]

_SAME = 1e-12
"""Levels of a cell of rank one, relative to its range of levels, that are one."""
_ON = 1e-13
"""A point this near to a side or a corner, relative to the domain, is on it."""
_MOST_CUTS = 200
"""Points for each one of the complex after which flattened cells are cut no more."""


@dataclass(eq=False)
class Sheets(Shown):
    """Polygons with the lengths of their images.

    Attributes:
        points: Points in the domain's coordinates: the vertices of the complex, then further ones.
        loops: Points of each polygon, counter-clockwise; some may be straight.
        cells: Cell of each polygon.
        ranks: 2 for each polygon, or less where its image is flat.
        factors: [F, 2, 2] coordinates of each cell in which it has the lengths of its image.
        limits: [F] rank of the map of each cell.
        near: How far from a corner or side a point is on it, in the domain.
        give: How well places on the image are known.
        joins: Pairs of points with one image, and the cell in which they are joined.
        pairs: Pairs of edges with one image, in the same way; the ends that come first have one image.
    """

    points: list[np.ndarray]
    loops: list[list[int]]
    cells: list[int]
    ranks: list[int]
    factors: Float[np.ndarray, "F 2 2"]
    limits: Int[np.ndarray, " F"]
    near: float
    give: float
    joins: list[tuple[int, int, int]] = field(default_factory=list)
    pairs: list[tuple[Edge, Edge, int]] = field(default_factory=list)
    _beside: dict[Edge, list[int]] = field(default_factory=dict)

    @staticmethod
    def of(cells: PlanarComplex) -> Sheets:
        """The cells as they are."""
        factors = cell_factors(cells)
        values = np.linalg.svd(factors, compute_uv=False)
        largest = float(values[:, 0].max(initial=0.0))
        some = values[:, 0] > DEFICIENT * largest
        limits = some.astype(np.int64) + (some & (values[:, 1] > DEFICIENT * values[:, 0]))
        flat, offsets = cells.cell_vertices, cells.cell_offsets
        owners = np.repeat(np.arange(len(cells)), np.diff(offsets))
        steps = cells.vertices[flat] - cells.vertices[flat[offsets[:-1]]][owners]
        grain = grain_of(cells)
        ranks = shape_ranks(offsets, np.einsum("nij,nj->ni", factors[owners], steps), grain * largest)
        numbers = flat.tolist()
        loops = [numbers[low:high] for low, high in pairwise(offsets.tolist())]
        near = max(_ON * float(np.ptp(cells.vertices, axis=0).max()), grain)
        ranks = np.minimum(ranks, limits).tolist()
        return Sheets(list(cells.vertices), loops, list(range(len(cells))), ranks, factors, limits, near,
                      grain * largest)  # fmt: skip

    def add(self, cell: int, place: np.ndarray) -> int:
        """A point of a cell as a point of the polygons.

        Args:
            cell: The cell.
            place: The point, in the domain's coordinates.

        Returns:
            Its number.
        """
        near = np.abs(np.array(self.points) - place).max(axis=1)
        if near.min() <= self.near:
            return int(near.argmin())
        polygon = self._holder(cell, place)
        loop, cell = self.loops[polygon], self.cells[polygon]
        if self._depth(polygon, place) <= self.near:
            return self._divide(self._side_at(polygon, place), place)
        number = self._point(place)
        if self.ranks[polygon] == 2:
            self._replace(polygon, [[a, b, number] for a, b in _sides(loop)])
        elif self.ranks[polygon] == 0:
            self.joins.append((number, loop[0], cell))
        else:
            self.joins.append((number, self._at_level(polygon, place), cell))
        return number

    def _holder(self, cell: int, place: np.ndarray) -> int:
        """A polygon that has a point: one of its cell, but rather one with an inside than a sliver."""
        own = [k for k, owner in enumerate(self.cells) if owner == cell and self._holds(k, place)]
        if not own or max(self.ranks[k] for k in own) < self.limits[cell]:
            own += [k for k in range(len(self.loops)) if self._holds(k, place)]
        if not own:
            own = [k for k, owner in enumerate(self.cells) if owner == cell]
        return max(own, key=lambda k: (self.ranks[k], self._depth(k, place)))

    def _holds(self, polygon: int, place: np.ndarray) -> bool:
        """Whether a point is within a polygon, or on its boundary; beside slivers it may be within all their sides."""
        if self._depth(polygon, place) > self.near:
            return True
        a, b = self._side_at(polygon, place)
        return _apart(self.points[a], self.points[b], place) <= self.near

    def cut(self) -> None:
        """Cut flat polygons along directions that vanish, through all of their points, and join what is one."""
        waiting = [k for k, rank in enumerate(self.ranks) if rank == 1]
        most = _MOST_CUTS * (len(self.points) + 10)
        while waiting:
            polygon = waiting.pop()
            _, levels, ranks, centers = self._strips(polygon)
            loop = list(self.loops[polygon])
            for k, (a, b) in enumerate(_sides(loop)):
                one, two = ranks[k], ranks[(k + 1) % len(loop)]
                between = range(one + 1, two) if one < two else range(one - 1, two, -1)
                if not between:
                    continue
                waiting += [other for other in self._beside_of((a, b), polygon) if self.ranks[other] == 1]
                first, last = levels[k], levels[(k + 1) % len(loop)]
                shares = [min(max((centers[rank] - first) / (last - first), 0.0), 1.0) for rank in between]
                start, begin, end = a, self.points[a], self.points[b]
                for share in shares:
                    start = self._divide((start, b), begin + share * (end - begin))
                if len(self.points) > most:
                    raise DegenerateArrangementError(
                        f"flattened cells are cut into more than {most:,} points; expected fewer flattened cells"
                    )
        for polygon, rank in enumerate(self.ranks):
            if rank == 1:
                self._join_strips(polygon)
            elif rank == 0:
                loop = self.loops[polygon]
                self.joins += [(loop[0], other, self.cells[polygon]) for other in loop[1:]]
        self._clip()

    def _clip(self) -> None:
        """Sides that are no longer than places are known are one point, and the triangles beside them flat."""
        full = [k for k, rank in enumerate(self.ranks) if rank == 2]
        if not full:
            return
        sizes = np.array([len(self.loops[k]) for k in full])
        flat = np.array([point for k in full for point in self.loops[k]])
        starts = np.cumsum(sizes) - sizes
        ahead = np.arange(1, len(flat) + 1)
        ahead[starts + sizes - 1] = starts
        points, owners = np.array(self.points), np.array([self.cells[k] for k in full]).repeat(sizes)
        steps = np.einsum("nij,nj->ni", self.factors[owners], points[flat[ahead]] - points[flat])
        short = np.flatnonzero(np.hypot(steps[:, 0], steps[:, 1]) <= self.give)
        self.joins += zip(flat[short].tolist(), flat[ahead[short]].tolist(), owners[short].tolist(), strict=True)
        if not self.joins:
            return
        classes = merged(len(points), [(a, b) for a, b, _ in self.joins])
        touched = np.flatnonzero(classes[flat] == classes[flat[ahead]])
        for which in np.unique(np.searchsorted(starts, touched, side="right") - 1).tolist():
            self._clip_one(full[which], classes)

    def _clip_one(self, polygon: int, classes: np.ndarray) -> None:
        loop = self.loops[polygon] = list(self.loops[polygon])
        k = 0
        while len(loop) > 2 and k < len(loop):
            before, here, after = loop[k - 1], loop[k], loop[(k + 1) % len(loop)]
            if classes[here] == classes[after]:
                self.pairs.append(((here, before), (after, before), self.cells[polygon]))
                loop.pop(k)
                k = 0
            else:
                k += 1
        if len(loop) < 3:
            self.ranks[polygon] = 1

    def _join_strips(self, polygon: int) -> None:
        """Points of one level are one point, and sides between the same levels one edge."""
        loop, cell = self.loops[polygon], self.cells[polygon]
        ranks = self._strips(polygon)[2]
        first: dict[int, int] = {}
        for point, rank in zip(loop, ranks, strict=True):
            if rank in first:
                self.joins.append((first[rank], point, cell))
            first.setdefault(rank, point)
        strips: dict[int, Edge] = {}
        for k, point in enumerate(loop):
            following = (k + 1) % len(loop)
            if ranks[k] == ranks[following]:
                continue
            edge = (point, loop[following]) if ranks[k] < ranks[following] else (loop[following], point)
            lower = min(ranks[k], ranks[following])
            if lower in strips:
                self.pairs.append((strips[lower], edge, cell))
            strips.setdefault(lower, edge)

    def _strips(self, polygon: int) -> tuple[np.ndarray, np.ndarray, list[int], np.ndarray]:
        """What a level is times a step, the levels of a flat polygon's points, their ranks, and the level of each."""
        places = np.array([self.points[k] for k in self.loops[polygon]])
        factor = self.factors[self.cells[polygon]]
        image = (places - places[0]) @ factor.T
        far = image[int(np.argmax(np.hypot(image[:, 0], image[:, 1])))]
        apart = image - far
        axis = image[int(np.argmax(np.hypot(apart[:, 0], apart[:, 1])))] - far
        axis = axis / (float(np.hypot(axis[0], axis[1])) or 1.0)
        levels = image @ axis
        order = np.argsort(levels, kind="stable")
        span = _SAME * float(np.ptp(levels)) + 2 * self.give
        ranks = np.empty(len(levels), np.int64)
        ranks[order] = np.concatenate([[0], np.cumsum(np.diff(levels[order]) > span)])
        centers = np.bincount(ranks, levels) / np.bincount(ranks)
        # corners of convex polygons rise to one end and fall again
        low = int(order[0])
        turned = np.roll(ranks, -low)
        top = int(np.argmax(np.roll(levels, -low)))
        turned[: top + 1] = np.maximum.accumulate(turned[: top + 1])
        turned[top:] = np.maximum.accumulate(turned[top:][::-1])[::-1]
        return axis @ factor, levels, np.roll(turned, low).tolist(), centers

    def _at_level(self, polygon: int, place: np.ndarray) -> int:
        """A point of the boundary of a flat polygon with the level of a point within."""
        loop = self.loops[polygon]
        direction, levels, _, _ = self._strips(polygon)
        level = float((place - self.points[loop[0]]) @ direction)
        apart = np.abs(levels - level)
        if apart.min() > _SAME * float(np.ptp(levels)) + self.give:
            for k, (a, b) in enumerate(_sides(loop)):
                first, last = levels[k], levels[(k + 1) % len(loop)]
                if min(first, last) < level < max(first, last):
                    share = (level - first) / (last - first)
                    return self._divide((a, b), self.points[a] + share * (self.points[b] - self.points[a]))
        return loop[int(apart.argmin())]

    def _point(self, place: np.ndarray) -> int:
        self.points.append(np.asarray(place, np.float64))
        return len(self.points) - 1

    def _divide(self, edge: Edge, place: np.ndarray) -> int:
        """A new point on an edge, in all polygons that have it."""
        number = self._point(place)
        for polygon in self._beside_of(edge, -1):
            loop = self.loops[polygon]
            at = next(k for k, side in enumerate(_sides(loop)) if set(side) == set(edge))
            loop.insert(at + 1, number)
            for end in edge:
                self._beside.setdefault(_key(end, number), []).append(polygon)
        return number

    def _replace(self, polygon: int, parts: list[list[int]]) -> None:
        cell = self.cells[polygon]
        self._beside = {}
        self.loops[polygon] = parts[0]
        self.loops += parts[1:]
        self.cells += [cell] * (len(parts) - 1)
        corners = np.array([[self.points[k] for k in part] for part in parts])
        image = (corners - corners[:, :1]) @ self.factors[cell].T
        ranks = shape_ranks(3 * np.arange(len(parts) + 1), image.reshape(-1, 2), self.give)
        ranks = np.minimum(ranks, self.limits[cell])
        self.ranks[polygon] = int(ranks[0])
        self.ranks += ranks[1:].tolist()

    def _beside_of(self, edge: Edge, beside: int) -> list[int]:
        """Polygons with an edge; for an edge that was divided, those that had it."""
        if not self._beside:
            for polygon in range(len(self.loops)):
                self._register(polygon)
        return [k for k in self._beside.get(_key(*edge), []) if k != beside]

    def _register(self, polygon: int) -> None:
        for a, b in _sides(self.loops[polygon]):
            own = self._beside.setdefault(_key(a, b), [])
            if polygon not in own:
                own.append(polygon)

    def _side_at(self, polygon: int, place: np.ndarray) -> Edge:
        """The side of a polygon that is nearest to a point on its boundary."""
        sides = _sides(self.loops[polygon])
        return min(sides, key=lambda side: _apart(self.points[side[0]], self.points[side[1]], place))

    def _depth(self, polygon: int, place: np.ndarray) -> float:
        """How far a point is within all sides of a polygon that have a direction."""
        loop = np.array([self.points[k] for k in self.loops[polygon]])
        along = np.roll(loop, -1, axis=0) - loop
        rest = place - loop
        size = np.hypot(along[:, 0], along[:, 1])
        long = size > self.near
        across = along[:, 0] * rest[:, 1] - along[:, 1] * rest[:, 0]
        return float((across[long] / size[long]).min()) if long.any() else -np.inf


def _sides(loop: list[int]) -> list[Edge]:
    return list(zip(loop, loop[1:] + loop[:1], strict=True))


def _key(a: int, b: int) -> Edge:
    return (a, b) if a < b else (b, a)


def _apart(one: np.ndarray, two: np.ndarray, place: np.ndarray) -> float:
    """Distance of a point from a segment."""
    along, square = two - one, float((two - one) @ (two - one))
    share = min(max(float((place - one) @ along) / square, 0.0), 1.0) if square > 0 else 0.0
    return float(np.linalg.norm(one + share * along - place))


def merged(number: int, pairs: list[Any]) -> Int[np.ndarray, " n"]:
    """Classes of numbers of which some pairs are one.

    Args:
        number: How many there are.
        pairs: Pairs of them.

    Returns:
        The class of each.
    """
    one = np.array(pairs, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(one)), (one[:, 0], one[:, 1])), shape=(number, number))
    return connected_components(graph, directed=False)[1].astype(np.int64)
