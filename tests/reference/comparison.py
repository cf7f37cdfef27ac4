"""A complex of an engine held against the exact cells: the same patterns, each once, with the same measures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from splinescope import PolyhedralComplex
from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.region_graph import RegionGraph
from tests.reference.exact_cells import ExactCell, ExactCells

RELATIVE = 1e-9
"""Relative error of a measure that is allowed beside what coordinates cannot resolve."""
ROUNDINGS = 8
"""Units of `resolution` by which each corner may be off."""


@dataclass(frozen=True)
class Comparison:
    """What is different.

    Attributes:
        found: Number of cells of the engine.
        exact: Number of exact cells.
        missing: Exact cells that are missing though float64 coordinates resolve them.
        thin: Exact cells that are missing and thinner than coordinates resolve.
        said: Number of merged cells that the certificate admits.
        extra: Patterns of the engine that no exact cell has, or that another cell has already.
        measures: Patterns whose measure is wrong, with the engine's and the exact one.
        level: The certificate's level.
    """

    found: int
    exact: int
    missing: tuple[bytes, ...]
    thin: tuple[bytes, ...]
    said: int
    extra: tuple[bytes, ...]
    measures: tuple[tuple[bytes, float, float], ...]
    level: str

    @property
    def wrong_cells(self) -> bool:
        """Whether a cell is missing, invented, doubled, or merged without a word."""
        return bool(self.missing or self.extra or len(self.thin) > self.said)

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong."""
        return self.wrong_cells or bool(self.measures)

    def __str__(self) -> str:
        text = f"{self.found} cells for {self.exact}: {len(self.missing)} missing, {len(self.extra)} extra, "
        text += f"{len(self.thin)} thin ones merged ({self.said} admitted), {len(self.measures)} wrong measures"
        if self.measures:
            text += f" (such as {self.measures[0][1]!r} for {self.measures[0][2]!r})"
        return f"{text}, level {self.level!r}"


def compare(cells: PolyhedralComplex | RegionGraph, exact: ExactCells) -> Comparison:
    """Compare a complex (or a region graph, whose volumes are those of a library) with the exact cells of its domain.

    A measure may be off by `RELATIVE` of itself plus what corners that are off by `ROUNDINGS` times the domain's
    resolution can change: that distance times the boundary of the cell's bounding box. A cell whose own measure is not
    larger than this is thin: an engine may merge it with a neighbour if it says so.
    """
    patterns = [row.tobytes() for row in cells.patterns]
    counts = Counter(patterns)
    extra = [p for p in counts if p not in exact.cells] + [p for p, n in counts.items() if n > 1 and p in exact.cells]
    unit = ROUNDINGS * resolution(cells.domain)
    absent = [cell for pattern, cell in exact.cells.items() if pattern not in counts]
    thin = [cell.pattern for cell in absent if float(cell.measure) <= slack(cell, unit)]
    wrong = []
    measures = cells.measures if isinstance(cells, VertexComplex) else ()
    for pattern, measure in zip(patterns, measures, strict=False):
        cell = exact.cells.get(pattern)
        if cell is not None:
            expected = float(cell.measure)
            if not abs(float(measure) - expected) <= RELATIVE * expected + slack(cell, unit):
                wrong.append((pattern, float(measure), expected))
    certificate = cells.certificate
    return Comparison(
        found=len(patterns),
        exact=len(exact),
        missing=tuple(cell.pattern for cell in absent if cell.pattern not in set(thin)),
        thin=tuple(thin),
        said=int(getattr(certificate, "merged", 0)),
        extra=tuple(extra),
        measures=tuple(wrong),
        level=certificate.level if certificate is not None else "none",
    )


def resolution(domain: Domain) -> float:
    """How finely float64 resolves a domain: a unit in the last place of its largest coordinate, or of its inputs'."""
    inputs = np.spacing(np.abs(domain.embed(domain.corners)).max()) / np.abs(domain.basis).max()
    return float(max(np.spacing(np.abs(domain.corners).max()), inputs))


def slack(cell: ExactCell, unit: float) -> float:
    """How much a cell's measure may change if its corners move by `unit`."""
    corners = np.array([[x / corner[-1] for x in corner[:-1]] for corner in cell.body.vertices])
    extents = np.ptp(corners, axis=0) + unit
    sides = [2 * float(np.prod(np.delete(extents, axis))) for axis in range(len(extents))]
    return unit * sum(sides)
