"""Exact answers for a fold of a planar subdivision: where its columns vanish, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from flint import fmpq

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.planar.doubts import NUDGE, OpenSigns
from splinescope.geometry.planar.edge_cuts import Layer
from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.judge import Crossed, End
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.tessellation.balls import BallCell, Corner, Cut, Named, Spots
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.dyadics import Dyadic, Form, integers
from splinescope.tessellation.exact import ExactForms, Pieces
from splinescope.tessellation.origins import Equality, Known, Level, Number, equalities, passes_on
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.predicates import crossing, exact_point, nearest, sign_at, value_at
from splinescope.tessellation.thresholds import Columns

_FEW = 32
"""Vertices up to which their half-edges are looked for one by one."""


@dataclass
class PlanarJudge:
    """The judge of one fold: affine forms of the network on the cells as they are before it.

    Attributes:
        plan: The network, its exact forms when they are needed, and where signs are counted.
        subdivision: The cells.
        slices: [F] the slice of each.
        codes: Their patterns at all nodes before the one that folds.
        columns: The node that folds, and what its columns are in a cell.
    """

    plan: Plan
    subdivision: Subdivision
    slices: np.ndarray
    codes: Sequence[NodeCodes]
    columns: Columns
    _pieces: dict[int, Pieces] = field(default_factory=dict)
    _points: dict[int, Form] = field(default_factory=dict)
    _lines: dict[tuple[int, int], Form] = field(default_factory=dict)
    _corners: dict[int, list[int]] = field(default_factory=dict)

    def count(self, signs: int, exact: int) -> None:
        """Count signs that were taken, and those of them that were in doubt."""
        self.plan.tally.signs += signs
        self.plan.tally.exact += exact

    def settle(self, doubts: OpenSigns, layer: Layer) -> None:
        """Decide signs in doubt: their bits are set, and their values get the sign.

        Args:
            doubts: Vertices and columns.
            layer: Values and bits, changed in place.
        """
        if not len(doubts.vertices):
            return
        self._find_corners(np.unique(doubts.vertices))
        doubts = self._without_named(doubts, layer)
        if not len(doubts.vertices):
            return
        starts = np.flatnonzero(np.diff(doubts.vertices, prepend=-1))
        vertices = doubts.vertices[starts]
        faces = self._covering(vertices)
        self._learn_pieces(faces)
        self._learn_lines(vertices, faces)
        for vertex, face in zip(vertices.tolist(), faces.tolist(), strict=True):
            self._place(vertex, face)
        of_doubt = np.repeat(faces, np.diff(starts, append=len(doubts.vertices)))
        order = np.argsort(of_doubt, kind="stable")
        cuts = np.flatnonzero(np.diff(of_doubt[order])) + 1
        for some in np.split(order, cuts):  # all doubts of a cell together: its forms have most of the work in common
            columns, places = np.unique(doubts.columns[some], return_inverse=True)
            forms = self._folds(int(of_doubt[some[0]]), columns)
            for vertex, place in zip(doubts.vertices[some].tolist(), places.tolist(), strict=True):
                self._decide(layer, vertex, int(columns[place]), sign_at(forms[place], self._points[vertex]))

    def _covering(self, vertices: np.ndarray) -> np.ndarray:
        """A cell at each vertex, few in all: those with many of the vertices come first."""
        corners = [self._corners[vertex] for vertex in vertices.tolist()]
        owner = np.repeat(np.arange(len(vertices)), [len(halves) for halves in corners])
        faces = self.subdivision.face[np.concatenate(corners)].astype(np.int64)
        rank = -np.bincount(faces)[faces]
        order = np.lexsort((faces, rank, owner))
        return np.asarray(faces[order][np.flatnonzero(np.diff(owner[order], prepend=-1))])

    def _without_named(self, doubts: OpenSigns, layer: Layer) -> OpenSigns:
        """The doubts but for those that names tell, which are decided.

        Two members of a group are equal if they are one number in a cell at the vertex, or if an edge there is where
        the same two numbers are equal: windows that overlap compare one pair several times, and several of them may
        have one winner. A number that was compared with a constant on an edge is compared with another one.
        """
        if not self._named:
            return doubts
        left = np.ones(len(doubts.vertices), bool)
        starts = np.flatnonzero(np.diff(doubts.vertices, prepend=-1)).tolist()
        for start, stop in zip(starts, [*starts[1:], len(left)], strict=True):
            vertex, columns = int(doubts.vertices[start]), doubts.columns[start:stop]
            face, known = int(self.subdivision.face[self._corners[vertex][0]]), self._known_at(vertex)
            for place, wall in enumerate(self._names(face, columns)):
                sign = known.sign(wall)
                if sign is not None:
                    left[start + place] = False
                    self._decide(layer, vertex, int(columns[place]), sign)
        return OpenSigns(doubts.vertices[left], doubts.columns[left])

    @cached_property
    def _named(self) -> bool:
        """Whether names may tell signs of the layer's columns, which compare pairs or numbers that are passed on."""
        nodes = self.plan.network.nodes
        return bool(self.columns.width) or passes_on(nodes[nodes[self.columns.node].inputs[0]])

    def _decide(self, layer: Layer, vertex: int, column: int, sign: int) -> None:
        """Note the sign of a column at a vertex: its bits are set, and its value gets the sign."""
        padded = 64 * layer.positive.shape[1] // len(layer.shifts)
        word, mask = column >> 6, np.uint64(1) << np.uint64(column & 63)
        if sign > 0:
            layer.positive[vertex, word] |= mask
        elif sign < 0:
            layer.negative[vertex, word] |= mask
        level, unit = divmod(column, padded)
        shift = layer.shifts[level, unit]
        away = layer.values[vertex, unit] - shift
        if sign * away <= 0.0:
            size = max(abs(away), NUDGE * layer.thresholds[level, unit])
            layer.values[vertex, unit] = shift + sign * size

    def _known_at(self, vertex: int) -> Known:
        """What is equal on the edges at a vertex."""
        subdivision, found = self.subdivision, list[Equality]()
        for half in self._corners[vertex]:
            face = int(subdivision.face[half])
            for edge in {half >> 1, int(subdivision.preceding[half]) >> 1}:
                op = int(subdivision.edge_op[edge])
                if op >= 0:
                    fold, size = self.plan.network.folds[op], self.plan.network.nodes[op].size
                    walls = fold.walls(np.array([subdivision.edge_column[edge]], np.int64), size)
                    found += equalities(self.plan.network, self._pattern(face), op, walls)
        return Known.of(found)

    def _names(self, face: int, columns: np.ndarray) -> list[Equality]:
        """What is equal where columns of the layer vanish in a cell."""
        network, node = self.plan.network, self.columns.node
        named = self.columns.folds(np.full(len(columns), face), columns.astype(np.int64))
        walls = network.folds[node].walls(named, network.nodes[node].size)
        return equalities(network, self._pattern(face), node, walls)

    def positions(self, edge: int, columns: np.ndarray) -> Sequence[fmpq]:
        """Where columns cut an edge, as shares of the way from its tail to its head."""
        face = self._beside(edge)
        origin = self.subdivision.origin
        tail, head = self.point(int(origin[2 * edge])), self.point(int(origin[2 * edge + 1]))
        out = []
        for form in self._folds(face, columns):
            out.append(_share(value_at(form, tail), value_at(form, head), edge))
        return out

    def names(self, edge: int, columns: np.ndarray) -> np.ndarray:
        """Numbers of columns on an edge, the same for those that compare the same two numbers in a cell beside it."""
        if not self.columns.width:
            return np.arange(len(columns))
        face = self._beside(edge)
        numbers: dict[tuple[Number, Level], int] = {}
        names = self._names(face, columns)
        return np.array([numbers.setdefault((one.number, one.level), len(numbers)) for one in names])

    def sides(self, face: int, first: int, second: int, third: int) -> tuple[int, int, int]:
        """Signs of three columns at each other's crossings: see `splinescope.geometry.planar.judge.Judge`."""
        f, g, h = self._folds(face, np.array([first, second, third]))
        at = (crossing([f, g]), crossing([g, h]), crossing([f, h]))
        signs = [0 if point is None else sign_at(form, point) for form, point in zip((h, f, g), at, strict=True)]
        return signs[0], signs[1], signs[2]

    def cut_shares(self, edges: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """See `splinescope.geometry.planar.judge.Judge`: by balls, or exactly."""
        faces = np.array([self._beside(edge) for edge in edges.tolist()])
        origins = self.subdivision.origin.reshape(-1, 2)[edges]
        ways = [((tail, -1), (head, -1)) for tail, head in origins.tolist()]
        shares = self._shares(faces, columns, ways)
        for at in np.flatnonzero(np.isnan(shares[0])).tolist():
            (exact,) = self.positions(int(edges[at]), columns[at : at + 1])
            shares[:, at] = nearest(exact), 0.0
        return shares

    def chord_shares(self, crossings: Sequence[Crossed]) -> np.ndarray:
        """See `splinescope.geometry.planar.judge.Judge`: by balls, or exactly."""
        faces, others = (np.array(part) for part in ([one.face for one in crossings], [one.other for one in crossings]))
        shares = self._shares(faces, others, [(one.tail, one.head) for one in crossings])
        for at in np.flatnonzero(np.isnan(shares[0])).tolist():
            one = crossings[at]
            (form,) = self._folds(one.face, np.array([one.other]))
            a, b = (value_at(form, self._end(one.face, end)) for end in (one.tail, one.head))
            shares[:, at] = nearest(_share(a, b, one.face)), 0.0
        return shares

    def _shares(self, faces: np.ndarray, columns: np.ndarray, ways: Sequence[tuple[End, End]]) -> np.ndarray:
        """[2, k] where columns cut ways through faces, as far as balls tell; NaN where they do not."""
        vertices = {vertex for way in ways for vertex, column in way if column < 0}
        self._find_corners(np.array(sorted(vertices), np.int64))
        named = self.columns.folds(faces, columns.astype(np.int64)).tolist()
        cells, place = self._cells(faces)
        cuts = [
            Cut(cell, (self.columns.node, named[at]), *(self._named_end(int(faces[at]), end) for end in ways[at]))
            for at, cell in enumerate(place)
        ]
        return self.plan.balls.shares(cells, cuts)

    def _cells(self, faces: np.ndarray) -> tuple[list[BallCell], list[int]]:
        """Cells as balls want them, each once, and the place of each face among them."""
        self._learn_pieces(faces)
        cells, place = np.unique(faces, return_inverse=True)
        slices = self.slices[cells].tolist()
        found = [
            BallCell(self._pieces[cell], self.plan.ball_domain(n))
            for cell, n in zip(cells.tolist(), slices, strict=True)
        ]
        return found, place.tolist()

    def spots(self, vertices: np.ndarray, node: int) -> Spots:
        """Where vertices are, and the values of a node there, as far as balls tell; NaN where they do not.

        Args:
            vertices: Their numbers, ascending.
            node: Index of the node, or -1 for none.
        """
        self._find_corners(vertices)
        faces = np.array([self.subdivision.face[self._corners[vertex][0]] for vertex in vertices.tolist()])
        cells, place = self._cells(faces)
        corners = [
            Corner(cell, self._named_end(face, (vertex, -1)))
            for cell, face, vertex in zip(place, faces.tolist(), vertices.tolist(), strict=True)
        ]
        return self.plan.balls.spots(cells, corners, node)

    def _named_end(self, face: int, end: End) -> tuple[Named, Named]:
        """What vanishes at an end of a way through a face."""
        place, column = end
        if column < 0:
            half = next(half for half in self._corners[place] if self.subdivision.face[half] == face)
            return self._named_line(half >> 1), self._named_line(int(self.subdivision.preceding[half]) >> 1)
        (fold,) = self.columns.folds(np.array([face]), np.array([column], np.int64)).tolist()
        return self._named_line(place), (self.columns.node, fold)

    def _named_line(self, edge: int) -> Named:
        """What vanishes on an edge."""
        return int(self.subdivision.edge_op[edge]), int(self.subdivision.edge_column[edge])

    def point(self, vertex: int) -> Form:
        """A vertex, exactly."""
        if vertex not in self._points:
            self._find_corners(np.array([vertex]))
            self._place(vertex)
        return self._points[vertex]

    def affords(self, vertex: int, most: int) -> bool:
        """Whether `point` takes at most so many products for each of the edges that it asks about."""
        self._find_corners(np.array([vertex]))
        half, subdivision = self._corners[vertex][0], self.subdivision
        pattern = self._pattern(int(subdivision.face[half]))
        edges = [half >> 1, int(subdivision.preceding[half]) >> 1]
        named = ((int(subdivision.edge_op[edge]), int(subdivision.edge_column[edge])) for edge in edges)
        forms = self._of_slice(int(subdivision.face[half]))
        return all(forms.affords(pattern, op, [column], most) for op, column in named)

    def values(self, vertex: int, node: int) -> Dyadic:
        """Forms of all units of a node on a cell that has a vertex."""
        self._find_corners(np.array([vertex]))
        face = self._place(vertex)
        units = np.arange(self.plan.network.nodes[node].size)
        return self._of_slice(face).values(self._pattern(face), node, units)

    def _of_slice(self, face: int) -> ExactForms:
        """Forms on the slice of a cell."""
        return self.plan.forms(int(self.slices[face]))

    def _end(self, face: int, end: End) -> Form:
        place, column = end
        if column < 0:
            return self.point(place)
        (form,) = self._folds(face, np.array([column]))
        point = crossing([self._line(face, place), form])
        assert point is not None, "a cut crosses its edge"
        return point

    def _folds(self, face: int, columns: np.ndarray) -> list[Form]:
        """Forms of columns of the layer on a cell."""
        named = self.columns.folds(np.full(len(columns), face), columns.astype(np.int64)).tolist()
        return self._of_slice(face).forms(self._pattern(face), self.columns.node, named)

    def _line(self, face: int, edge: int) -> Form:
        """A form that vanishes on an edge of a cell."""
        if (face, edge) not in self._lines:
            op, column = int(self.subdivision.edge_op[edge]), int(self.subdivision.edge_column[edge])
            self._lines[face, edge] = self._of_slice(face).forms(self._pattern(face), op, [column])[0]
        return self._lines[face, edge]

    def _learn_lines(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """Forms of the two edges at each vertex of a cell there, all of a cell and a node together."""
        subdivision, edges = self.subdivision, dict[tuple[int, int], set[int]]()
        for vertex, face in zip(vertices.tolist(), faces.tolist(), strict=True):
            if vertex not in self._points:
                half = next(half for half in self._corners[vertex] if subdivision.face[half] == face)
                for edge in (half >> 1, int(subdivision.preceding[half]) >> 1):
                    edges.setdefault((face, int(subdivision.edge_op[edge])), set()).add(edge)
        for (face, op), some in edges.items():
            found = sorted(some)
            forms = self._of_slice(face).forms(self._pattern(face), op, subdivision.edge_column[found].tolist())
            self._lines.update(zip([(face, edge) for edge in found], forms, strict=True))

    def _pattern(self, face: int) -> Pieces:
        if face not in self._pieces:
            self._learn_pieces(np.array([face]))
        return self._pieces[face]

    def _learn_pieces(self, faces: np.ndarray) -> None:
        faces = np.array([face for face in np.unique(faces).tolist() if face not in self._pieces], np.int64)
        self._pieces.update(zip(faces.tolist(), self.plan.pieces.of_cells(self.codes, faces), strict=True))

    def _beside(self, edge: int) -> int:
        """A cell beside an edge."""
        left, right = self.subdivision.face[2 * edge : 2 * edge + 2].tolist()
        return int(left if left != OUTSIDE else right)

    def _find_corners(self, vertices: np.ndarray) -> None:
        """The half-edges from some vertices that have a cell on their left."""
        origin, face = self.subdivision.origin, self.subdivision.face
        if len(vertices) <= _FEW:
            for vertex in vertices.tolist():
                halves = np.flatnonzero(origin == vertex)
                self._corners[vertex] = halves[face[halves] != OUTSIDE].tolist()
            return
        wanted = np.zeros(self.subdivision.num_vertices, bool)
        wanted[vertices] = True
        halves = np.flatnonzero(wanted[origin] & (face != OUTSIDE))
        halves = halves[np.argsort(origin[halves], kind="stable")]
        starts = np.searchsorted(origin[halves], vertices)
        self._corners.update(
            zip(vertices.tolist(), (part.tolist() for part in np.split(halves, starts[1:])), strict=True)
        )

    def _place(self, vertex: int, face: int = -1) -> int:
        """Find a vertex as the crossing of two edges of a cell, of a given one if that will do; the cell."""
        subdivision = self.subdivision
        for half in sorted(self._corners[vertex], key=lambda half: int(subdivision.face[half]) != face):
            face = int(subdivision.face[half])
            before = int(subdivision.preceding[half]) >> 1
            point = crossing([self._line(face, half >> 1), self._line(face, before)])
            if point is not None:
                self._points.setdefault(vertex, point)
                return face
        half = self._corners[vertex][0]
        face = int(subdivision.face[half])
        self._points.setdefault(vertex, self._on_edge(vertex, face, half))
        return face

    def _on_edge(self, vertex: int, face: int, half: int) -> Form:
        """A vertex inside a straight edge, left by a fold that is gone: the foot of its coordinates on the edge."""
        here, there = (self.subdivision.points[self.subdivision.origin[h]] for h in (half, half ^ 1))
        (along, up), _ = integers(there - here)
        centre = exact_point(here)
        across = [along * centre[2], up * centre[2], -(along * centre[0] + up * centre[1])]
        point = crossing([self._line(face, half >> 1), across])
        return centre if point is None else point


def _share(tail: fmpq, head: fmpq, where: int) -> fmpq:
    """Where a form of two values vanishes between them."""
    if tail * head > 0 or tail == head:
        raise DegenerateArrangementError(
            f"a unit has one sign at both ends of face or edge {where}, which was thought cut: rounding errors of this "
            "network are larger than measured; pass a `tolerance` with a larger `safety`"
        )
    return tail / (tail - head)
