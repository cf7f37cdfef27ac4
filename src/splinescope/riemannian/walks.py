"""Shortest paths on the image, taken back to the plane: points, cells, and free steps where cells are flattened."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.geodesics.spreading import Crossing
from splinescope.riemannian.image_surface import ImageSurface
from splinescope.riemannian.sheets import Edge

_AT_VERTEX = 16.0
"""A crossing is at an end of its edge if it is no farther from it than so many times what places are off by."""


@dataclass(frozen=True)
class _Place:
    """A point of the plane: one of the numbered points, or one on an edge between two of them."""

    edge: Edge
    share: float = 0.0

    @property
    def is_point(self) -> bool:
        return self.edge[0] == self.edge[1]


@dataclass(frozen=True)
class Walk:
    """A path in the plane, piece by piece.

    Attributes:
        points: [k, 2] its corners.
        cells: Cell in which each piece lies.
        crossed: For each corner the direction of the edge that it crosses, in the plane; zero at vertices and ends, and
            where flattened cells are passed.
    """

    points: np.ndarray
    cells: np.ndarray
    crossed: np.ndarray


def walk_of(image: ImageSurface, steps: list[Crossing]) -> Walk:
    """A path of the surface in the plane.

    Args:
        image: The surface, of which the first two points that were asked for are the path's ends.
        steps: The path.

    Returns:
        The path, from the one point to the other.
    """
    walker = _Walker(image)
    start, end = (_Place((mark, mark)) for mark in image.marks[:2])
    walker.stand(start)
    for one, other in pairwise(steps):
        first, last, cell = walker.piece(one, other)
        walker.connect(first)
        walker.go(last, cell)
    walker.connect(end)
    return walker.result()


class _Walker:
    """Where the path has come to, and what it passed."""

    def __init__(self, image: ImageSurface) -> None:
        self.image = image
        self.places: list[_Place] = []
        self.cells: list[int] = []
        self.free: set[int] = set()
        self._loose: set[int] = set()
        self._corners = image.triangle_points.ravel()
        self._joined: dict[int, list[tuple[int, int]]] = {}
        for a, b, cell in image.joins:
            self._joined.setdefault(a, []).append((b, cell))
            self._joined.setdefault(b, []).append((a, cell))
        self._paired: dict[Edge, list[tuple[Edge, int]]] = {}
        for one, two, cell in image.pairs:
            for here, there in ((one, two), (two, one), (one[::-1], two[::-1]), (two[::-1], one[::-1])):
                self._paired.setdefault(here, []).append((there, cell))

    def stand(self, place: _Place) -> None:
        self.places.append(place)

    def go(self, place: _Place, cell: int, free: bool = False) -> None:
        if free:
            self.free |= {len(self.places) - 1, len(self.places)}
            self._loose.add(len(self.cells))
        self.places.append(place)
        self.cells.append(cell)

    def connect(self, place: _Place) -> None:
        """Go to another point with the same image, through flattened cells."""
        here = self.places[-1]
        if here.is_point and place.is_point:
            for point, cell in _route(here.edge[0], place.edge[0], self._joined):
                self.go(_Place((point, point)), cell, free=True)
        elif set(here.edge) != set(place.edge):
            goals = {place.edge, place.edge[::-1]}
            for edge, cell in _route(here.edge, goals, self._paired):
                self.go(_Place(edge, here.share), cell, free=True)

    def piece(self, one: Crossing, other: Crossing) -> tuple[_Place, _Place, int]:
        """A straight piece: where it starts and ends, and its cell."""
        twins, cells = self.image.surface.twins, self.image.triangle_cells
        if other.edge >= 0:
            a, b = self.image.edge_points[other.edge].tolist()
            if self.image.vertices[b] == one.vertex and self.image.vertices[a] == other.vertex:
                a, b = b, a
            return _Place((a, a)), _Place((b, b)), int(self.image.edge_cells[other.edge])
        if one.half >= 0:
            first, cell = self._on(one.half, one.share), int(cells[one.half // 3])
        else:
            facing = int(twins[other.half])
            first, cell = self._corner(facing, 2), int(cells[facing // 3])
        if other.half >= 0:
            return first, self._on(int(twins[other.half]), 1.0 - other.share), cell
        return first, self._corner(one.half, 2), cell

    def _corner(self, half: int, turn: int) -> _Place:
        point = int(self._corners[half - half % 3 + (half + turn) % 3])
        return _Place((point, point))

    def _on(self, half: int, share: float) -> _Place:
        return _Place((self._corner(half, 0).edge[0], self._corner(half, 1).edge[0]), share)

    def result(self) -> Walk:
        """The path without pieces that lead nowhere, and without turns within a flattened cell."""
        kept = [0]
        for k in range(1, len(self.places)):
            here, before = self._at(self.places[k]), self._at(self.places[kept[-1]])
            turns = k < len(self.cells) and k - 1 in self._loose and k in self._loose
            if (here != before).any() and not (turns and self.cells[k - 1] == self.cells[k]):
                kept.append(k)
        points = np.array([self._at(self.places[k]) for k in kept])
        cells = np.array([self.cells[k - 1] for k in kept[1:]], np.int64)
        return Walk(points, cells, np.array([self._along(k, self.places[k]) for k in kept]))

    def _at(self, place: _Place) -> np.ndarray:
        a, b = (self.image.points[k] for k in place.edge)
        return np.asarray(a + place.share * (b - a))

    def _along(self, number: int, place: _Place) -> np.ndarray:
        a, b = (self.image.points[k] for k in place.edge)
        step = np.asarray(b - a)
        cell = self.cells[max(number - 1, 0)] if self.cells else 0
        length = float(np.linalg.norm(self.image.factors[cell] @ step))
        at_vertex = length * min(place.share, 1.0 - place.share) <= _AT_VERTEX * self.image.surface.give
        return np.zeros(2) if number in self.free or at_vertex else step


def _route(here: object, there: object, links: dict) -> list:
    """Fewest steps from one thing to another, or to one of several, through links; without the first thing."""
    goals = there if isinstance(there, set) else {there}
    before: dict = {here: None}
    waiting = deque([here])
    while waiting:
        at = waiting.popleft()
        if at in goals:
            found = []
            while before[at] is not None:
                previous, cell = before[at]
                found.append((at, cell))
                at = previous
            return found[::-1]
        for other, cell in links.get(at, ()):
            if other not in before:
                before[other] = (at, cell)
                waiting.append(other)
    raise DegenerateArrangementError("points with one image are not joined; expected flattened cells between them")
