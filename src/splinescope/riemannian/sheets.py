"""Cells as polygons that are prepared for gluing: with further points, and cut along the directions that vanish.

On a cell of rank one the output does not change along one direction. Cut along that direction through all of its
corners, the cell is a row of strips, and both long sides of a strip have the same image: they are one edge. A cell of
rank zero is one point.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from splinescope.shown import Shown
from splinescope.tessellation.factors import DEFICIENT, cell_factors
from splinescope.tessellation.planar.complex import PlanarComplex

Edge = tuple[int, int]

_SAME = 1e-12
"""Levels of a cell of rank one, relative to its range of levels, that are one."""
_ON = 1e-13
"""A point this near to a side or a corner, relative to the domain, is on it."""


@dataclass(eq=False)
class Sheets(Shown):
    """Polygons with the lengths of their images.

    Attributes:
        points: Points in the domain's coordinates: the vertices of the complex, then further ones.
        loops: Points of each polygon, counter-clockwise; some may be straight.
        cells: Cell of each polygon.
        factors: [F, 2, 2] coordinates of each cell in which it has the lengths of its image.
        ranks: [F] 2, or less where the map flattens the cell.
        joins: Pairs of points with one image, and the cell in which they are joined.
        pairs: Pairs of edges with one image, in the same way; the ends that come first have one image.
    """

    points: list[np.ndarray]
    loops: list[list[int]]
    cells: list[int]
    factors: Float[np.ndarray, "F 2 2"]
    ranks: Int[np.ndarray, " F"]
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
        ranks = some.astype(np.int64) + (some & (values[:, 1] > DEFICIENT * values[:, 0]))
        flat, offsets = cells.cell_vertices.tolist(), cells.cell_offsets.tolist()
        loops = [flat[low:high] for low, high in pairwise(offsets)]
        return Sheets(list(cells.vertices), loops, list(range(len(cells))), factors, ranks)

    def add(self, cell: int, place: np.ndarray, extent: float) -> int:
        """A point of a cell as a point of the polygons.

        Args:
            cell: The cell.
            place: The point, in the domain's coordinates.
            extent: Size of the domain.

        Returns:
            Its number.
        """
        polygon = max((k for k, owner in enumerate(self.cells) if owner == cell), key=lambda k: self._depth(k, place))
        loop = self.loops[polygon]
        corners = np.array([self.points[k] for k in loop])
        near = np.abs(corners - place).max(axis=1)
        if near.min() <= _ON * extent:
            return loop[int(near.argmin())]
        if self._depth(polygon, place) <= _ON * extent:
            side = int(np.argmin(self._distances(polygon, place)))
            return self._divide((loop[side], loop[(side + 1) % len(loop)]), place)
        number = self._point(place)
        if self.ranks[cell] == 2:
            self._replace(polygon, [[a, b, number] for a, b in _sides(loop)])
        elif self.ranks[cell] == 0:
            self.joins.append((number, loop[0], cell))
        else:
            levels = self._levels(polygon)
            level = float(place @ self._direction(cell))
            self.joins.append((number, self._at_level(polygon, level, levels, _span(levels)), cell))
        return number

    def cut(self) -> None:
        """Cut cells of rank one along directions that vanish, through all of their points, and join what is one."""
        flat = [k for k, cell in enumerate(self.cells) if self.ranks[cell] == 1]
        waiting = [(polygon, point) for polygon in flat for point in self.loops[polygon]]
        while waiting:
            polygon, point = waiting.pop()
            loop, levels = self.loops[polygon], self._levels(polygon)
            level, ahead = float(levels[loop.index(point)]), np.roll(levels, -1)
            span = _span(levels)
            between = (np.minimum(levels, ahead) + span < level) & (level < np.maximum(levels, ahead) - span)
            for k in np.flatnonzero(between)[:1].tolist():
                edge = (loop[k], loop[(k + 1) % len(loop)])
                share = (level - levels[k]) / (ahead[k] - levels[k])
                beyond = self._beside_of(edge, polygon)
                place = self.points[edge[0]] + share * (self.points[edge[1]] - self.points[edge[0]])
                number = self._divide(edge, place)
                waiting += [(other, number) for other in beyond if self.ranks[self.cells[other]] == 1]
        for polygon, cell in enumerate(self.cells):
            if self.ranks[cell] == 1:
                self._join_strips(polygon)
            elif self.ranks[cell] == 0:
                loop = self.loops[polygon]
                self.joins += [(loop[0], other, cell) for other in loop[1:]]

    def _join_strips(self, polygon: int) -> None:
        """Points of one level are one point, and sides between the same levels one edge."""
        loop, cell = self.loops[polygon], self.cells[polygon]
        levels = self._levels(polygon)
        span = _span(levels)
        order = np.argsort(levels, kind="stable")
        ranks = np.empty(len(loop), np.int64)
        ranks[order] = np.concatenate([[0], np.cumsum(np.diff(levels[order]) > span)])
        first: dict[int, int] = {}
        for point, rank in zip(loop, ranks.tolist(), strict=True):
            if rank in first:
                self.joins.append((first[rank], point, cell))
            first.setdefault(rank, point)
        strips: dict[int, Edge] = {}
        for k, point in enumerate(loop):
            following = (k + 1) % len(loop)
            if ranks[k] == ranks[following]:
                continue
            edge = (point, loop[following]) if ranks[k] < ranks[following] else (loop[following], point)
            lower = int(min(ranks[k], ranks[following]))
            if lower in strips:
                self.pairs.append((strips[lower], edge, cell))
            strips.setdefault(lower, edge)

    def _direction(self, cell: int) -> np.ndarray:
        """What the one output of a cell of rank one is, times the point."""
        _, values, right = np.linalg.svd(self.factors[cell])
        return np.asarray(values[0] * right[0])

    def _levels(self, polygon: int) -> np.ndarray:
        return np.array([self.points[k] for k in self.loops[polygon]]) @ self._direction(self.cells[polygon])

    def _at_level(self, polygon: int, level: float, levels: np.ndarray, span: float) -> int:
        """A point of the boundary of a polygon with a level."""
        loop = self.loops[polygon]
        if np.abs(levels - level).min() <= span:
            return loop[int(np.abs(levels - level).argmin())]
        for k, (a, b) in enumerate(_sides(loop)):
            first, last = levels[k], levels[(k + 1) % len(loop)]
            if min(first, last) < level < max(first, last):
                share = (level - first) / (last - first)
                return self._divide((a, b), self.points[a] + share * (self.points[b] - self.points[a]))
        raise AssertionError("a point of a polygon has a level between those of its corners")

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

    def _distances(self, polygon: int, place: np.ndarray) -> np.ndarray:
        """How far a point is within each side."""
        loop = np.array([self.points[k] for k in self.loops[polygon]])
        along = np.roll(loop, -1, axis=0) - loop
        rest = place - loop
        size = np.hypot(along[:, 0], along[:, 1])
        return np.asarray((along[:, 0] * rest[:, 1] - along[:, 1] * rest[:, 0]) / np.where(size > 0, size, 1.0))

    def _depth(self, polygon: int, place: np.ndarray) -> float:
        return float(self._distances(polygon, place).min())


def _sides(loop: list[int]) -> list[Edge]:
    return list(zip(loop, loop[1:] + loop[:1], strict=True))


def _key(a: int, b: int) -> Edge:
    return (a, b) if a < b else (b, a)


def _span(levels: np.ndarray) -> float:
    return _SAME * float(np.ptp(levels))
