"""What is computed once for all pieces of planar slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.tessellation.balls import BallDomain, BallForms
from splinescope.tessellation.calibration import Calibration
from splinescope.tessellation.codes import PieceTable
from splinescope.tessellation.dyadics import Dyadic
from splinescope.tessellation.exact import ExactForms, domain_rows, input_rows
from splinescope.tessellation.integer_rows import IntegerRows
from splinescope.tessellation.planar.followers import ROUNDINGS
from splinescope.tessellation.planar.slices import Slices
from splinescope.tessellation.planar.work import NodeWork, followed
from splinescope.tessellation.predicates import exact_point, line_through
from splinescope.tessellation.rounding import Bounds, Trial

_TOGETHER = 1 << 13
"""Cells of a piece, where they are limited: more than so many are halved if the rest of the way is long."""
_WIDE = 16.0
"""Times `Tolerance.safety`: a sign is in doubt that far from zero, in units of the measured rounding error."""


@dataclass
class SignCounts:
    """Counts of signs: all, and those that exact arithmetic decided."""

    signs: int = 0
    exact: int = 0


@dataclass(frozen=True)
class Plan:
    """A network and slices, and what is computed of them once for all pieces.

    Attributes:
        network: The network.
        slices: The slices.
        last_use: For each node the last node that reads it.
        trial: The network as it is at some points of the slices.
        max_cells: Largest number of cells of a slice, or None.
        memory_budget: Bytes for the cells under way.
        work: What the nodes cost.
        tally: Where signs are counted.
    """

    network: Network
    slices: Slices
    last_use: tuple[int, ...]
    trial: Trial
    max_cells: int | None
    memory_budget: int
    work: NodeWork
    tally: SignCounts = field(default_factory=SignCounts)
    _forms: dict[int, ExactForms] = field(default_factory=dict, init=False)
    _rows: dict[int, IntegerRows] = field(default_factory=dict, init=False)
    _domains: dict[int, BallDomain] = field(default_factory=dict, init=False)

    @classmethod
    def of(
        cls, network: Network, slices: Slices, tolerance: Tolerance, max_cells: int | None, memory_budget: int
    ) -> Plan:
        """The plan for a network on planar slices."""
        safety = _WIDE * tolerance.safety
        trial = Trial(network, slices.probes(network), slices.terms, safety)
        return cls(network, slices, last_uses(network), trial, max_cells, memory_budget, NodeWork.of(network))

    @cached_property
    def calibration(self) -> Calibration:
        """How near to zero a sign is in doubt."""
        return Calibration.of(self.trial)

    @cached_property
    def looser(self) -> Calibration:
        """The calibration where rows of layers follow from one another, with more roundings (`followers`)."""
        return Calibration.of(self.trial, dict.fromkeys(followed(self.network), ROUNDINGS))

    def together(self, position: int) -> float:
        """Cells from which on a piece that comes to a node is halved.

        Where cells are limited it may have as many as that: where pieces are small, folds come to them in many turns,
        and each turn knows the place of its vertices a little worse, until exact arithmetic has to place most of them.
        """
        cells = self.work.cells_at(position)
        return cells if self.max_cells is None else max(cells, float(min(self.max_cells, _TOGETHER)))

    def bounds(self, node: int, subdivision: Subdivision, slices: np.ndarray, followed: bool = False) -> Bounds:
        """Magnitude of a node, and how near to zero its sign is in doubt, at vertices.

        Args:
            node: Index of the node.
            subdivision: Cells with these vertices.
            slices: [F] the slice of each cell.
            followed: Whether rows of some layer followed from one another.
        """
        calibration = self.looser if followed else self.calibration
        if not calibration.is_coarse(node):
            return calibration.bounds[node]
        return calibration.at(node, self.slices.points(subdivision, slices), self.slices.embed)

    def forms(self, number: int) -> ExactForms:
        """The network's affine forms on a slice, exactly; made when the first sign there is in doubt."""
        if number not in self._forms:
            domain = self.slices.domains[number]
            inputs, sides = domain_rows(domain.origin, domain.basis), sides_of_polygon(domain.polygon)
            self._forms[number] = ExactForms(self.network, inputs, sides, self._rows)
        return self._forms[number]

    def ball_domain(self, number: int) -> BallDomain:
        """A slice, as `balls` want it."""
        if number not in self._domains:
            domain = self.slices.domains[number]
            self._domains[number] = BallDomain(
                input_rows(domain.origin, domain.basis), sides_of_polygon(domain.polygon)
            )
        return self._domains[number]

    @cached_property
    def balls(self) -> BallForms:
        """The forms to some thirty digits, for places."""
        return BallForms(self.network)

    @cached_property
    def pieces(self) -> PieceTable:
        """Patterns of cells that were asked for."""
        return PieceTable(self.network)


def sides_of_polygon(corners: np.ndarray) -> Dyadic:
    """Forms that vanish on the sides of a polygon: side `i` is from corner `i` to the next one."""
    points = [exact_point(corner) for corner in corners]
    return Dyadic([line_through(p, q) for p, q in zip(points, points[1:] + points[:1], strict=True)], 0)
