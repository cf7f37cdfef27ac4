"""Outputs at vertices of a complex in exact arithmetic: for those few where float64 does not tell what is larger."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from splinescope.tessellation.codes import pieces_of_cells
from splinescope.tessellation.domains import Box
from splinescope.tessellation.dyadics import Dyadic, Form, dyadic, integers, shifted
from splinescope.tessellation.exact import ExactForms, Pieces, domain_rows
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.plan import sides_of_polygon
from splinescope.tessellation.predicates import independent_crossing, value_at
from splinescope.tessellation.spatial.complex import SpatialComplex
from splinescope.tessellation.spatial.sides import exact_sides

_MOST = 1 << 28
"""Products of integers that a surface may take: some twenty seconds."""

_BESIDE = 2.0**-46
"""Distance from a side of the domain, as a share of the largest coordinate, up to which a vertex is on it."""


class _Facets(NamedTuple):
    """Facets of a complex: the vertices of each, the cells beside it, and what made it."""

    offsets: np.ndarray
    items: np.ndarray
    cells: np.ndarray
    op: np.ndarray
    unit: np.ndarray


class ExactOutputs:
    """Combinations of outputs at vertices, each of which is where facets of a cell cross.

    Args:
        cells: A complex of two or three dimensions.
        most: Products of integers that may be spent.
    """

    def __init__(self, cells: PlanarComplex | SpatialComplex, most: int = _MOST) -> None:
        self._cells, self._most, domain = cells, most, cells.domain
        rows, corners = np.asarray(domain.halfspaces), np.asarray(domain.corners)
        near = _BESIDE * np.abs(corners).max()
        self._on = np.abs(cells.vertices @ rows[:, :-1].T + rows[:, -1]) <= near
        if isinstance(cells, PlanarComplex):
            ends = np.arange(0, 2 * len(cells.edges) + 1, 2)
            self._facets = _Facets(ends, cells.edges.ravel(), cells.edge_cells, cells.edge_op, cells.edge_unit)
            sides = dyadic(rows) if isinstance(domain, Box) else sides_of_polygon(corners)
        else:
            self._facets = _Facets(*cells.facet_vertices, cells.facet_cells, cells.facet_op, cells.facet_unit)
            sides = exact_sides(domain, np.abs(corners @ rows[:, :-1].T + rows[:, -1]) <= near)
        self._forms = ExactForms(cells.network, domain_rows(domain.origin, domain.basis), sides)

    def combined(self, vertices: np.ndarray, weights: np.ndarray, level: float) -> list[list[fmpq] | None]:
        """Combinations of outputs less a level, at some vertices.

        Args:
            vertices: [k] the vertices.
            weights: [m, n_out] coefficients of the outputs in each combination.
            level: The level.

        Returns:
            For each vertex m numbers; None where facets do not say where it is, or where all would take too long.
        """
        found: dict[int, list[fmpq]] = {}
        around = self._around(vertices)
        cells, starts = np.unique(around[:, 0], return_index=True)
        sizes = np.diff(np.append(starts, len(around)))
        for place in np.argsort(-sizes, kind="stable").tolist():
            mine = around[starts[place] : starts[place] + sizes[place]]
            left = [vertex for vertex in np.unique(mine[:, 1]).tolist() if vertex not in found]
            if not left or self._forms.products > self._most:
                continue
            cell = int(cells[place])
            (pieces,) = pieces_of_cells(self._cells.network, self._cells.codes, cells[place : place + 1])
            rows = self._rows(pieces, weights, level)
            for vertex in left:
                point: Form | None = [fmpz(0)] * self._forms.dimension + [fmpz(1)]
                if any(any(row[:-1]) for row in rows.rows):
                    point = self._crossing(cell, pieces, mine[mine[:, 1] == vertex, 2])
                if point is not None:
                    found[vertex] = [value_at(row, point) * fmpq(2) ** rows.exponent for row in rows.rows]
        return [found.get(vertex) for vertex in vertices.tolist()]

    def _around(self, vertices: np.ndarray) -> np.ndarray:
        """[n, 3] cell, vertex and facet for each facet of a cell that has one of these vertices, by cells."""
        facets = self._facets
        places = np.flatnonzero(np.isin(facets.items, vertices))
        facet = np.searchsorted(facets.offsets, places, side="right") - 1
        rows = [np.column_stack([facets.cells[facet, side], facets.items[places], facet]) for side in (0, 1)]
        both = np.concatenate(rows).astype(np.int64)
        both = both[both[:, 0] >= 0]
        return both[np.argsort(both[:, 0], kind="stable")]

    def _rows(self, pieces: Pieces, weights: np.ndarray, level: float) -> Dyadic:
        """The combinations as forms on a cell."""
        used = np.flatnonzero(weights.any(axis=0))
        known, factors = self._forms.values(pieces, self._cells.network.output, used), dyadic(weights[:, used])
        rows = (fmpz_mat(factors.rows) * fmpz_mat(known.rows)).tolist()
        (constant,), power = integers(np.array([level]))
        exponent = factors.exponent + known.exponent
        least = min(exponent, power) if level else exponent
        rows = [list(row) for row in shifted(rows, exponent - least)]
        for row in rows:
            row[-1] -= constant << (power - least) if level else 0
        return Dyadic(rows, least)

    def _crossing(self, cell: int, pieces: Pieces, facets: np.ndarray) -> Form | None:
        """Where some facets of a cell cross; None if they do not say."""
        forms: list[Form] = []
        for facet in np.unique(facets).tolist():
            node, beside = int(self._facets.op[facet]), self._facets.cells[facet]
            if node < 0:
                ring = self._facets.items[self._facets.offsets[facet] : self._facets.offsets[facet + 1]]
                sides = np.flatnonzero(self._on[ring].all(axis=0))
                forms += self._forms.forms(pieces, -1, sides.tolist()) if len(sides) == 1 else []
                continue
            unit, fold = self._facets.unit[facet : facet + 1].astype(np.int64), self._cells.network.folds[node]
            if (beside >= 0).all():
                other = np.array([int(beside[beside != cell][0])])
                codes = [code for code in self._cells.codes if code.node == node]
                (there,) = pieces_of_cells(self._cells.network, codes, other)
                forms += self._forms.between(pieces, there, node, unit)
            elif fold.elementwise and fold.levels == 1:
                forms += self._forms.between(pieces, {node: 1 - pieces[node]}, node, unit)
            # where cells were left out, nobody says at which breakpoint
        return independent_crossing(forms, self._forms.dimension)
