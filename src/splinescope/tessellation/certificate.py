"""Certificates: what was verified about a complex, with forward passes that know nothing of how it was built."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, NoReturn, TypeVar

import numpy as np

from splinescope.errors import CertificateError
from splinescope.tessellation.complex import PolyhedralComplex

MEASURE_TOLERANCE = 1e-12
"""Relative tolerance for sums of measures: a few thousand roundings of numbers below one."""


@dataclass(frozen=True)
class Certificate:
    """What was verified about a complex.

    Attributes:
        level: "topology", "values" or "proof".
        cells: Number of cells.
        truncated: Whether cells are missing, so that the sum of measures and the Euler characteristic say nothing.
        measure_error: Difference between the sum of the cells' measures and the domain's, relative to it (of a
            truncated complex: the share of the domain that is not covered).
        euler_characteristic: Vertices - edges + faces - ..., with the cells last; 1 for a tiled domain.
        multiple_folds: Facets on which folds of several units coincide.
        interior_points: Cells whose pattern and output were compared with a forward pass at an interior point.
        output_error: Largest difference between a cell's affine map and the forward pass, relative to the largest
            output.
        undecided_signs: Recorded signs that the forward pass contradicts by less than its rounding error.
        sign_error: Largest such contradiction, in units of the estimated rounding error times `tolerance.certificate`.
        vertex_checks: Pairs of a cell and one of its vertices at which every unit's sign was checked.
        import_error: Largest relative deviation of the imported network from the original model.
        tolerances: The relative tolerances that these errors were held to.
    """

    level: str
    cells: int
    truncated: bool
    measure_error: float
    euler_characteristic: int
    multiple_folds: int
    interior_points: int = 0
    output_error: float = float("nan")
    undecided_signs: int = 0
    sign_error: float = float("nan")
    vertex_checks: int = 0
    import_error: float = float("nan")
    tolerances: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Topology:
    """What the checks that need no network measured.

    Attributes:
        measure_error: See `Certificate`.
        euler_characteristic: See `Certificate`.
        multiple_folds: See `Certificate`.
        tolerances: Relative tolerances beyond that of measures.
    """

    measure_error: float
    euler_characteristic: int
    multiple_folds: int
    tolerances: dict[str, float]


def fail(check: str, cells: np.ndarray, what: str) -> NoReturn:
    """Raise a certificate error with the cells concerned.

    Args:
        check: The check that failed.
        cells: Numbers of the cells.
        what: What is wrong with them.

    Raises:
        CertificateError: Always.
    """
    listed = ", ".join(map(str, cells[:5])) + (", ..." if len(cells) > 5 else "")
    raise CertificateError(f"certificate check `{check}` failed at {len(cells)} cells ({listed}): {what}", cells=cells)


_Complex = TypeVar("_Complex", bound=PolyhedralComplex)


def certified(cells: _Complex, level: str) -> _Complex:
    """The complex with its certificate."""
    return replace(cells, certificate=certify(cells, level))


def certify(cells: PolyhedralComplex, level: str = "values") -> Certificate:
    """Verify a complex.

    Args:
        cells: The complex.
        level: "topology": cells are convex, their measures sum to the domain's, the Euler characteristic is 1, and the
            patterns of neighbours differ in the unit recorded for their common facet. "values": also, at an interior
            point of each cell, the network's own pattern is the recorded one and its output that of the cell's affine
            map. "proof": also, at every vertex of every cell, every unit's pre-activation has the cell's sign, weakly;
            since units are affine on a cell, no fold crosses it.

    Returns:
        The certificate.

    Raises:
        CertificateError: With the cells concerned, at the first check that fails.
    """
    from splinescope.tessellation.witness import check_interiors, check_vertices

    topology = cells.check_topology()
    report = getattr(cells.network, "import_report", None)
    certificate = Certificate(
        level,
        len(cells),
        cells.truncated,
        topology.measure_error,
        topology.euler_characteristic,
        topology.multiple_folds,
        import_error=float(getattr(report, "max_relative", float("nan"))),
        tolerances={"measure": MEASURE_TOLERANCE, **topology.tolerances},
    )
    if level == "topology":
        return certificate
    seen = check_interiors(cells)
    certificate = replace(
        certificate,
        interior_points=len(cells),
        output_error=seen.output_error,
        undecided_signs=seen.undecided,
        sign_error=seen.sign_error,
        tolerances={**certificate.tolerances, "output": seen.output_tolerance},
    )
    if level == "values":
        return certificate
    at_vertices = check_vertices(cells)
    return replace(
        certificate,
        vertex_checks=len(cells.cell_vertices),
        sign_error=float(np.fmax(seen.sign_error, at_vertices.sign_error)),
    )
