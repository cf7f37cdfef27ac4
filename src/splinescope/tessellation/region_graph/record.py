"""What is written down about the verification of a region graph."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from splinescope.shown import Shown


@dataclass(frozen=True)
class RegionCertificate(Shown):
    """What was verified about a region graph.

    Attributes:
        level: "topology", "values", "calibrated" or "proof": see `certify`.
        cells: Number of cells.
        complete: Whether the search ended with no facet left to cross.
        facets: Number of facets between two cells that were found, each counted once.
        sides: Number of facets on sides of the domain.
        ends: Number of facets beyond which the search did not get.
        multiple_folds: Of the facets between two cells, those on which folds of several units coincide.
        unresolved: Cells that are thinner than float64 resolves their coordinates; they are there, in rational
            arithmetic, and their interior points are rounded.
        components: Connected components of the dual graph; 1 if complete.
        mean_degree: Mean number of neighbours; in the whole of space it is at most `2 d`.
        plane_error: Largest distance of a facet's point from the plane that the other side has for it, relative to the
            domain's size.
        touching: See `Doubts`, as for `thin`, `undecided`, `slivers`, `one_sided`, `exact` and `unsettled`.
        thin: See `Doubts`.
        undecided: See `Doubts`.
        slivers: See `Doubts`.
        one_sided: See `Doubts`.
        exact: See `Doubts`.
        unsettled: See `Doubts`.
        interior_points: Cells whose pattern and output were compared with a forward pass at the interior point.
        row_checks: Pairs of a cell and a half-space that holds on it, each shown to be a facet or out of reach.
        settled_cells: Of the cells, those that the certificate settled in rational arithmetic.
        unsettled_cells: Those that it would have had to, and are too dear; the level is then "values" at most.
        resolution: Largest rounding error of a facet's half-space on the domain, as a share of the domain's size, in
            cells that were checked in float64: what is farther off is told apart. Cells in which it is above a
            millionth are settled in rational arithmetic.
        output_error: Largest difference between a cell's affine map and the forward pass, relative to the largest
            output.
        undecided_signs: Recorded pieces that a forward pass contradicts by less than its rounding error.
        sign_error: Largest such contradiction, as a share of what is tolerated.
        sampled_points: Random points of the domain whose cell was looked up; all were found, if complete.
        facet_checks: Facets just inside of which, on either side, the forward pass has the pattern of the cell there.
        import_error: Largest relative deviation of the imported network from the original model.
        tolerances: The relative tolerances that these errors were held to.
    """

    level: str
    cells: int
    complete: bool
    facets: int
    sides: int
    ends: int
    multiple_folds: int
    unresolved: int
    components: int
    mean_degree: float
    plane_error: float
    touching: int
    thin: int
    undecided: int
    slivers: int
    one_sided: int
    exact: int
    unsettled: int
    interior_points: int = 0
    row_checks: int = 0
    settled_cells: int = 0
    unsettled_cells: int = 0
    resolution: float = float("nan")
    output_error: float = float("nan")
    undecided_signs: int = 0
    sign_error: float = float("nan")
    sampled_points: int = 0
    facet_checks: int = 0
    import_error: float = float("nan")
    tolerances: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {key: None if value != value else value for key, value in asdict(self).items()}
