"""A network on the branch of a pattern in rational arithmetic: every float64 is the dyadic number that it is.

Numbers of a node have one power of two in common, so that all is done with integers, by `python-flint`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from flint import fmpz_mat

from splinescope.network.graph import Network, Node
from splinescope.network.ops import AffineOp
from splinescope.network.ops.base import flat
from splinescope.network.ops.walls import Comparisons
from splinescope.tessellation.branches.layout import Folding, Layout
from splinescope.tessellation.domains import Domain, Slice

_ENTRIES = 1 << 22
"""Largest number of entries that the matrix of one affine op may have."""

_WORK = 1 << 29
"""Products of words that following one pattern may take, roughly: a few seconds."""

Row = list[int]
"""Integers: slopes along the domain's directions, and the value at its origin, up to a positive factor."""


def dyadic(numbers: Any) -> tuple[list[int], int]:
    """Floats as integers over one power of two.

    Args:
        numbers: Finite numbers.

    Returns:
        Integers `m` and an exponent `s`, so that the numbers are `m / 2**s`.
    """
    ratios = [float(x).as_integer_ratio() for x in np.ravel(np.asarray(numbers))]
    scale = max((q.bit_length() - 1 for _, q in ratios), default=0)
    return [p << (scale - q.bit_length() + 1) for p, q in ratios], scale


@dataclass(frozen=True, eq=False)
class _Map:
    """An affine map: `matrix / 2**scale`, plus `offset / 2**offset_scale`."""

    matrix: fmpz_mat
    scale: int
    offset: list[int] | None
    offset_scale: int


@dataclass(frozen=True, eq=False)
class Forms:
    """A node: integers over a power of two, one row for each of its numbers.

    Attributes:
        rows: [n][k] integers.
        scale: The power.
    """

    rows: list[list[int]]
    scale: int


@dataclass(frozen=True, eq=False)
class RationalNetwork:
    """A network on a domain, in rational arithmetic.

    Attributes:
        network: The network.
        domain: The domain.
        layout: Its folding nodes.
    """

    network: Network
    domain: Domain
    layout: Layout

    @cached_property
    def affordable(self) -> bool:
        """Whether the numbers are few and small enough."""
        work, depth = 0, 0
        for node in self.network.nodes:
            if _multiplies(node):
                entries = node.size * self.network.nodes[node.inputs[0]].size
                depth += 1
                work += entries * (self.domain.dimension + 1) * depth
                if entries > _ENTRIES:
                    return False
        return work <= _WORK

    @cached_property
    def sides(self) -> list[Row]:
        """Forms that are at most zero in the domain, one for each side; of a polygon, those through its corners."""
        if not isinstance(self.domain, Slice) or self.domain.dimension != 2:
            return [dyadic(side)[0] for side in self.domain.halfspaces]
        numbers, scale = dyadic(self.domain.polygon)
        corners = list(zip(numbers[0::2], numbers[1::2], strict=True))
        rows = []
        for (px, py), (qx, qy) in zip(corners, corners[1:] + corners[:1], strict=True):
            gx, gy = qy - py, px - qx
            rows.append([gx << scale, gy << scale, -(gx * px + gy * py)])
        return rows

    @cached_property
    def _maps(self) -> dict[int, list[_Map]]:
        found = {}
        for index, node in enumerate(self.network.nodes):
            if _multiplies(node) and node.affine is not None:
                found[index] = _maps_of(node.affine, self.network.nodes[node.inputs[0]].shape)
        return found

    @cached_property
    def _input(self) -> Forms:
        """The input as forms of the domain's coordinates."""
        flat = np.column_stack([self.domain.basis.reshape(self.domain.dimension, -1).T, self.domain.origin.ravel()])
        numbers, scale = dyadic(flat)
        k = flat.shape[1]
        return Forms([numbers[start : start + k] for start in range(0, len(numbers), k)], scale)

    def rows(self, pattern: np.ndarray) -> Iterator[tuple[int, Row]]:
        """Number and form of every row that holds on the cell of a pattern: it is at most zero there.

        Args:
            pattern: [columns] pieces of all units.
        """
        for number, form, _ in self.scaled_rows(pattern):
            yield number, form

    def scaled_rows(self, pattern: np.ndarray) -> Iterator[tuple[int, Row, int]]:
        """Number, form and scale of every row that holds on the cell of a pattern: `form / 2**scale` is the row.

        Args:
            pattern: [columns] pieces of all units.
        """
        d = self.domain.dimension
        one = [0] * d + [1]
        forms: dict[int, Forms] = {}
        foldings = {folding.node: number for number, folding in enumerate(self.layout.foldings)}
        for index in range(len(self.network.nodes)):
            if index in foldings:
                number = foldings[index]
                folding = self.layout.foldings[number]
                pieces = pattern[self.layout.column_starts[number] : self.layout.column_starts[number + 1]]
                start = int(self.layout.row_starts[number])
                for row, form, scale in _rows_of(folding, pieces, forms[folding.source], one):
                    yield start + row, form, scale
                forms[index] = _followed(folding, pieces, forms[folding.source], one)
            else:
                forms[index] = self._through(index, forms, one)

    def beyond(self, point: list[int], denominator: int, direction: list[int]) -> np.ndarray:
        """The pattern just beyond a point in a direction.

        Args:
            point: [d] numerators.
            denominator: Their common denominator, positive.
            direction: [d] integers.

        Returns:
            [columns] pieces of all units.
        """
        out = np.zeros(self.layout.columns, np.uint8)
        one = [denominator, 0]
        foldings = {folding.node: number for number, folding in enumerate(self.layout.foldings)}
        forms: dict[int, Forms] = {}
        for index in range(len(self.network.nodes)):
            if index == 0:
                rows = [_at(form, point, denominator, direction) for form in self._input.rows]
                forms[0] = Forms(rows, self._input.scale)
            elif index in foldings:
                number = foldings[index]
                folding = self.layout.foldings[number]
                source = forms[folding.source]
                pieces = _pieces(folding, source, denominator)
                out[self.layout.column_starts[number] : self.layout.column_starts[number + 1]] = pieces
                forms[index] = _followed(folding, pieces, source, one)
            else:
                forms[index] = self._through(index, forms, one)
        return out

    def _through(self, index: int, forms: dict[int, Forms], one: list[int]) -> Forms:
        """A node that does not fold."""
        node = self.network.nodes[index]
        if not node.inputs:
            return self._input
        inputs, op = [forms[source] for source in node.inputs], node.affine
        assert op is not None
        if _multiplies(node):
            (out,) = inputs
            for part in self._maps[index]:
                out = _mapped(part, out, one)
            return out
        common = max(form.scale for form in inputs)
        if op.rounds:
            assert op.weights is not None
            factors, scale = dyadic(op.weights)
            parts = [f << (common - form.scale) for f, form in zip(factors, inputs, strict=True)]
            columns = zip(*(form.rows for form in inputs), strict=True)
            rows = [
                [sum(f * x for f, x in zip(parts, xs, strict=True)) for xs in zip(*n, strict=True)] for n in columns
            ]
            return Forms(rows, common + scale)
        rows = [[x << (common - form.scale) for x in row] for form in inputs for row in form.rows]
        shapes = [self.network.nodes[source].shape for source in node.inputs]
        # Row 0 is for outputs that are none of the inputs.
        numbers = torch.arange(1, len(rows) + 1, dtype=torch.float64).split([len(form.rows) for form in inputs])
        places = op.evaluate(*(part.reshape(1, *shape) for part, shape in zip(numbers, shapes, strict=True)))
        rows = [[0] * len(one), *rows]
        return Forms([rows[int(place)] for place in places.ravel().tolist()], common)


def _multiplies(node: Node) -> bool:
    """Whether a node is a map of one input by weights of its own."""
    return node.affine is not None and node.affine.rounds and len(node.inputs) == 1


def _maps_of(op: AffineOp, shape: tuple[int, ...]) -> list[_Map]:
    """An affine op as matrices, one after the other."""
    parts = []
    for stage in op.stages:
        parts.append(_map_of(stage, shape))
        shape = tuple(stage.evaluate(torch.zeros(1, *shape, dtype=torch.float64)).shape[1:])
    return parts


def _map_of(op: AffineOp, shape: tuple[int, ...]) -> _Map:
    if op.matrix is None:
        size = math.prod(shape)
        columns = op.linear.evaluate(torch.eye(size, dtype=torch.float64).reshape(size, *shape))
        weight = flat(columns).numpy().T
    else:
        weight = op.matrix.numpy()
    entries, scale = dyadic(weight)
    numbers, offset_scale = dyadic(op.offsets(shape))
    return _Map(
        fmpz_mat(weight.shape[0], weight.shape[1], entries), scale, numbers if any(numbers) else None, offset_scale
    )


def _mapped(part: _Map, forms: Forms, one: list[int]) -> Forms:
    k = len(one)
    source = fmpz_mat(len(forms.rows), k, [x for row in forms.rows for x in row])
    product, scale = part.matrix * source, part.scale + forms.scale
    if part.offset is not None:
        common = max(scale, part.offset_scale)
        shifted = [x << (common - part.offset_scale) for x in part.offset]
        product = product * (1 << (common - scale)) + fmpz_mat(len(shifted), 1, shifted) * fmpz_mat(1, k, one)
        scale = common
    return Forms([[int(x) for x in row] for row in product.tolist()], scale)


def _compared(source: Forms, comparisons: Comparisons, one: list[int]) -> tuple[list[Row], int]:
    """Forms of walls, and the power of two over which they are."""
    constants, scale = dyadic(comparisons.constant)
    common = max(source.scale, scale)
    up, zero, forms = common - source.scale, [0] * len(one), []
    places = zip(comparisons.over.tolist(), comparisons.under.tolist(), constants, strict=True)
    for over, under, constant in places:
        plus, minus = (zero if place < 0 else source.rows[place] for place in (over, under))
        away = constant << (common - scale)
        forms.append([((p - m) << up) - away * o for p, m, o in zip(plus, minus, one, strict=True)])
    return forms, common


def _rows_of(folding: Folding, pieces: np.ndarray, source: Forms, one: list[int]) -> Iterator[tuple[int, Row, int]]:
    """The walls of a node that are there; see `CellWalls.values`."""
    comparisons = folding.walls.comparisons(pieces)
    forms, scale = _compared(source, comparisons, one)
    for wall, form in zip(comparisons.walls.tolist(), forms, strict=True):
        yield wall, form, scale


def _followed(folding: Folding, pieces: np.ndarray, source: Forms, one: list[int]) -> Forms:
    """The node on its pieces."""
    reads = folding.op.reads(pieces)
    if not reads.intercepts.any() and ((reads.slopes == 0) | (reads.slopes == 1)).all():
        zero, places = [0] * len(one), zip(reads.places.tolist(), reads.slopes.tolist(), strict=True)
        return Forms([source.rows[place] if slope else zero for place, slope in places], source.scale)
    numbers, scale = dyadic(np.concatenate([reads.slopes, reads.intercepts]))
    rows = []
    for place, slope, shift in zip(
        reads.places.tolist(), numbers[: folding.units], numbers[folding.units :], strict=True
    ):
        moved = shift << source.scale
        rows.append([slope * x + moved * o for x, o in zip(source.rows[place], one, strict=True)])
    return Forms(rows, source.scale + scale)


def _at(form: list[int], point: list[int], denominator: int, direction: list[int]) -> list[int]:
    """Value, times the denominator, and slope of a form."""
    *slopes, value = form
    return [
        sum(g * p for g, p in zip(slopes, point, strict=True)) + value * denominator,
        sum(g * p for g, p in zip(slopes, direction, strict=True)),
    ]


def _pieces(folding: Folding, source: Forms, denominator: int) -> np.ndarray:
    """Pieces just beyond; see `CellWalls.pieces_beyond`.

    From the first piece of each unit, the first of its walls that is not kept is crossed, until all are. Of members
    that are equally large this finds the first: those before a member that is come to are smaller.
    """
    walls, one = folding.walls, [denominator, 0]
    pieces, moving = walls.first.copy(), np.ones(folding.units, bool)
    while moving.any():
        comparisons = walls.comparisons(pieces)
        comparisons = Comparisons(*(part[moving[walls.owners[comparisons.walls]]] for part in comparisons))
        forms, _ = _compared(source, comparisons, one)
        crossed = comparisons.walls[[form > [0, 0] for form in forms]]
        units, places = np.unique(walls.owners[crossed], return_index=True)
        moving[:] = False
        moving[units] = True
        pieces[units] = walls.beyond(pieces[units], crossed[places])
    return pieces.astype(np.uint8)
