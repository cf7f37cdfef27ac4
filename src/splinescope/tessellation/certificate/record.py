"""What a certificate says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

import numpy as np

from splinescope.errors import CertificateError
from splinescope.shown import Shown

LEVELS = ("topology", "values", "calibrated", "proof")
"""Levels of a certificate, from the weakest."""

MEASURE_TOLERANCE = 1e-12
"""Relative tolerance for sums of measures: a few thousand roundings of numbers below one."""


@dataclass(frozen=True)
class Certificate(Shown):
    """What was verified about a complex.

    Attributes:
        level: The level that was reached: "topology", "values", "calibrated" or "proof"; see `certify`.
        cells: Number of cells.
        truncated: Whether cells are missing, so that the sum of measures and the Euler characteristic say nothing.
        measure_error: Difference between the sum of the cells' measures and the domain's, relative to it (of a
            truncated complex: the share of the domain that is not covered).
        euler_characteristic: Vertices - edges + faces - ..., with the cells last; 1 for a domain that is filled.
        multiple_folds: Facets on which folds of several units coincide.
        interior_points: Cells whose pattern and output were compared with a forward pass at an interior point.
        output_error: Largest difference between a cell's affine map and the forward pass, relative to the largest
            output.
        undecided_signs: Signs nearer to zero than the rounding error of the forward pass that were not settled, since
            exact arithmetic would have taken too long; none at the level "proof".
        sign_error: Largest distance of a vertex from a fold through it, as a share of what rounding allows.
        vertex_checks: Pairs of a cell and one of its vertices at which every unit's sign was checked.
        import_error: Largest relative deviation of the imported network from the original model.
        tolerances: The relative tolerances that these errors were held to.
        requested: The level that was asked for.
        errors: What the allowance for rounding rests on: "proved" bounds, or errors "measured" at a sample; "none" at
            the level "topology".
        resolution: The least margin, relative to the size of the unit's values, at which a wrong sign is told from
            rounding without exact arithmetic.
        settled: Signs that were settled in higher precision or exact arithmetic.
        merged: Cells that float64 coordinates cannot separate from a neighbour: thinner than roundings of the
            coordinates, or with a corner that is on the other side of a fold by less than that.
        unconfirmed: Cells of which no point was shown to have the pattern, since exact arithmetic would have taken too
            long: they may be made up. None at the levels "calibrated" and "proof".
        own_passes: Share of those points (one in each cell, and the pairs of a cell and a vertex) that had a forward
            pass of their own; cells near one another share one where that proves as much.
        exact_signs: Share of the engine's signs that needed more than float64; NaN if the engine does not say.
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
    requested: str = ""
    errors: str = "none"
    resolution: float = float("nan")
    settled: int = 0
    merged: int = 0
    unconfirmed: int = 0
    own_passes: float = float("nan")
    exact_signs: float = float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Topology(Shown):
    """What the checks that need no network measured.

    Attributes:
        measure_error: See `Certificate`.
        euler_characteristic: See `Certificate`.
        multiple_folds: See `Certificate`.
        tolerances: Relative tolerances beyond that of measures.
        merged: Cells whose measure is zero to rounding.
    """

    measure_error: float
    euler_characteristic: int
    multiple_folds: int
    tolerances: dict[str, float]
    merged: int = 0


def fail(check: str, cells: np.ndarray, what: str) -> NoReturn:
    """Raise a certificate error with the cells concerned.

    Args:
        check: The check that failed.
        cells: Numbers of the cells.
        what: What is wrong with them.

    Raises:
        CertificateError: Always.

    Cost: sorting the numbers.

    Example:
        >>> fail("euler", np.array([7, 3]), "they overlap")
        Traceback (most recent call last):
            ...
        splinescope.errors.CertificateError: certificate check `euler` failed at 2 cells (3, 7): they overlap
    """
    cells = np.unique(cells)
    listed = ", ".join(map(str, cells[:5])) + (", ..." if len(cells) > 5 else "")
    raise CertificateError(f"certificate check `{check}` failed at {len(cells)} cells ({listed}): {what}", cells=cells)
