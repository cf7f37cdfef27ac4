"""What is computed once for all pieces of a planar slice."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.tessellation.calibration import Calibration
from splinescope.tessellation.codes import PieceTable
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.dyadics import Dyadic
from splinescope.tessellation.exact import ExactForms, domain_rows
from splinescope.tessellation.planar.work import NodeWork
from splinescope.tessellation.predicates import exact_point, line_through
from splinescope.tessellation.rounding import Bounds, measured_bounds, probes

_WIDE = 16.0
"""Times `Tolerance.safety`: a sign is in doubt that far from zero, in units of the measured rounding error."""


@dataclass
class SignCounts:
    """Counts of signs: all, and those that exact arithmetic decided."""

    signs: int = 0
    exact: int = 0


@dataclass(frozen=True)
class Plan:
    """A network and a domain, and what is computed of them once for all pieces.

    Attributes:
        network: The network.
        domain: The domain.
        last_use: For each node the last node that reads it.
        extents: [2] size of the domain along each coordinate.
        calibration: How near to zero a sign is in doubt.
        max_cells: Largest number of cells, or None.
        memory_budget: Bytes for the cells under way.
        work: What the nodes cost.
        tally: Where signs are counted.
    """

    network: Network
    domain: Slice
    last_use: tuple[int, ...]
    extents: np.ndarray
    calibration: Calibration
    max_cells: int | None
    memory_budget: int
    work: NodeWork
    tally: SignCounts = field(default_factory=SignCounts)

    @classmethod
    def of(
        cls, network: Network, domain: Slice, tolerance: Tolerance, max_cells: int | None, memory_budget: int
    ) -> Plan:
        """The plan for a network on a planar slice."""
        safety = _WIDE * tolerance.safety
        bounds = measured_bounds(network, domain.embed(probes(domain.polygon, network)), safety)
        extents, calibration = np.ptp(domain.polygon, axis=0), Calibration(network, bounds, safety)
        return cls(
            network, domain, last_uses(network), extents, calibration, max_cells, memory_budget, NodeWork.of(network)
        )

    @cached_property
    def centre(self) -> np.ndarray:
        """[2] point of the domain around which cells are kept where there are too many."""
        return np.asarray(self.domain.polygon.mean(axis=0))

    def bounds(self, node: int, points: np.ndarray) -> Bounds:
        """Magnitude of a node, and how near to zero its sign is in doubt, at points of the domain."""
        return self.calibration.at(node, points, self.domain.embed)

    @cached_property
    def forms(self) -> ExactForms:
        """The network's affine forms, exactly; made when the first sign is in doubt."""
        inputs = domain_rows(self.domain.origin, self.domain.basis)
        return ExactForms(self.network, inputs, sides_of_polygon(self.domain.polygon))

    @cached_property
    def pieces(self) -> PieceTable:
        """Patterns of cells that were asked for."""
        return PieceTable(self.network)


def sides_of_polygon(corners: np.ndarray) -> Dyadic:
    """Forms that vanish on the sides of a polygon: side `i` is from corner `i` to the next one."""
    points = [exact_point(corner) for corner in corners]
    return Dyadic([line_through(p, q) for p, q in zip(points, points[1:] + points[:1], strict=True)], 0)
