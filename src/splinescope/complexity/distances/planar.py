"""Exact distances in a plane to the nearest fold and to the decision boundary, beside the usual local formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from splinescope.complexity.branches import pattern_columns
from splinescope.complexity.distances.local_formula import inputs_of, local_distances, unit_distances
from splinescope.complexity.distances.nearest_segments import nearest_segments
from splinescope.errors import InvalidInputError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.shown import Shown
from splinescope.tessellation.boundary import decision_boundary
from splinescope.tessellation.metric import check_choice, isometry
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.regions import interior_edges

AGREEMENT = float(np.sqrt(UNIT_ROUNDOFF))
"""Default relative difference up to which two distances agree: half of the digits of float64."""

_FRACTIONS = ("wrong", "too_small", "too_large")
_QUANTILES = {"median_ratio": 0.5, "least_ratio": 0.0, "largest_ratio": 1.0}


@dataclass(frozen=True, eq=False)
class DistanceComparison(Shown):
    """True distances in a planar domain, and what the local formula says.

    A fold outside the domain may be nearer than every one inside. Then the true distance in the plane is not known, but
    is at least that to the border of the domain.

    Attributes:
        exact: Distance to the nearest fold or boundary in the domain; infinite if there is none.
        nearest: Nearest point of it in domain coordinates; NaN if there is none.
        elements: Edge of the complex, or segment of the decision boundary, that it lies on; -1 if there is none.
        local: What the local formula says.
        border: Distance to the border of the domain.
        space: "domain" if distances are in domain coordinates, "input" if in the metric of the input space.
        tolerance: Relative difference up to which two distances agree.
    """

    exact: Float[np.ndarray, " n"]
    nearest: Float[np.ndarray, "n 2"]
    elements: Int[np.ndarray, " n"]
    local: Float[np.ndarray, " n"]
    border: Float[np.ndarray, " n"]
    space: str
    tolerance: float

    @property
    def known(self) -> Bool[np.ndarray, " n"]:
        """Whether the distance is that in the whole plane, since nothing outside the domain can be nearer."""
        return self.exact <= self.border

    @property
    def too_small(self) -> Bool[np.ndarray, " n"]:
        """Where the local formula is too small, and there is nothing at this distance."""
        truth = np.where(self.known, self.exact, self.border)
        return self.local < (1 - self.tolerance) * truth

    @property
    def too_large(self) -> Bool[np.ndarray, " n"]:
        """Where the local formula is too large, and something is nearer."""
        with np.errstate(invalid="ignore"):
            return self.local > (1 + self.tolerance) * self.exact

    @property
    def wrong(self) -> Bool[np.ndarray, " n"]:
        """Where the local formula is wrong."""
        return self.too_small | self.too_large

    def summary(self) -> dict[str, float | int | None]:
        """How often and how much the local formula is wrong, as plain numbers.

        Returns:
            Numbers of points, and of those whose distance is known; fractions of the known ones where the formula is
            wrong, too small, too large; number of the others where it is certainly wrong; median and extreme ratios of
            the formula to the known distances. None where there is no known distance.
        """
        known = self.known
        total = int(known.sum())
        compared = known & (self.exact > 0) & np.isfinite(self.local)
        ratios = self.local[compared] / self.exact[compared]
        fractions = {name: getattr(self, name)[known].mean() if total else None for name in _FRACTIONS}
        spread = {name: np.quantile(ratios, q) if len(ratios) else None for name, q in _QUANTILES.items()}
        others = int((self.wrong & ~known).sum())
        return {"points": len(known), "known": total, "refuted_beyond": others} | {
            name: None if value is None else float(value) for name, value in (fractions | spread).items()
        }


def fold_distances(
    cells: PlanarComplex,
    points: ArrayLike,
    *,
    op: int | None = None,
    unit: int | None = None,
    space: str = "input",
    tolerance: float = AGREEMENT,
) -> DistanceComparison:
    """Distance of points to the nearest fold: of any unit, of one layer's units, or of one unit.

    Over all units the local formula is exact (see `local_distances`); for one layer or unit it is not.

    Args:
        cells: A planar complex.
        points: [n, 2] slice coordinates in the domain.
        op: Node whose folds count; those of all nodes if None.
        unit: Flat index of the only unit of that node that counts; all if None.
        space: "input" for the metric of the input space, "domain" for slice coordinates; both agree where the slice's
            basis is orthonormal.
        tolerance: Relative difference up to which two distances agree.

    Returns:
        The distances. Cost: about that of locating the points among the edges, and three forward passes for each.

    Raises:
        InvalidInputError: If a point is outside the domain, or there is no such node or unit.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> fold_distances(cells, [[0.5, 0.25], [-0.75, 1.0]]).exact.tolist()
        [0.25, 0.75]
    """
    positions = _checked_points(cells, points, space)
    if unit is not None and op is None:
        raise InvalidInputError(f"`unit`: got {unit} without `op`; expected the node of the unit too")
    sizes = {node: stop - start for node, start, stop in cells.pattern_nodes}
    if op is not None and not 0 <= (unit or 0) < sizes.get(op, 0):
        raise InvalidInputError(f"`op`, `unit`: got node {op}, unit {unit or 0}; expected a unit of {list(sizes)}")
    edges = _edges_of(cells, op, unit)
    if op is not None and unit is not None:
        local = unit_distances(cells.network, positions, op, unit, cells.domain, space=space)
    else:
        found = local_distances(cells.network, positions, cells.domain, space=space)
        local = found.fold if op is None else found.layers[:, found.ops.index(op)]
    return _compared(cells, positions, cells.vertices[cells.edges[edges]], edges, local, space, tolerance)


def boundary_distances(
    cells: PlanarComplex,
    points: ArrayLike,
    *,
    classes: Sequence[int] | None = None,
    space: str = "input",
    tolerance: float = AGREEMENT,
) -> DistanceComparison:
    """Distance of points to the decision boundary in a plane.

    Args:
        cells: A planar complex.
        points: [n, 2] slice coordinates in the domain.
        classes: Outputs that compete; all if None. See `decision_boundary`.
        space: "input" for the metric of the input space, "domain" for slice coordinates.
        tolerance: Relative difference up to which two distances agree.

    Returns:
        The distances; `elements` are rows of `decision_boundary(cells, classes).segments`.

    Raises:
        InvalidInputError: If a point is outside the domain, or `classes` are not at least two different outputs.

    Cost: that of `decision_boundary`, of locating the points among its segments, and three forward passes for each
    point.

    Example:
        The two classes of the identity meet on the diagonal:

        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.Identity(), input_shape=(2,))
        >>> cells = splinescope.tessellate(network, splinescope.Slice.box([0, 0], [1, 1]))
        >>> boundary_distances(cells, [[0.75, 0.25]]).exact.round(6).tolist()
        [0.353553]
    """
    positions = _checked_points(cells, points, space)
    segments = decision_boundary(cells, classes).segments
    chosen = None if classes is None or cells.vertex_outputs.shape[1] == 1 else tuple(sorted(classes))
    local = local_distances(cells.network, positions, cells.domain, space=space, classes=chosen).boundary
    return _compared(cells, positions, segments, np.arange(len(segments)), local, space, tolerance)


def _edges_of(cells: PlanarComplex, op: int | None, unit: int | None) -> np.ndarray:
    """Interior edges, or those across which some unit of a node, or one unit, changes its piece.

    Patterns tell this also where folds coincide and the edge is named by another unit.
    """
    inner = interior_edges(cells.edge_cells)
    if op is None:
        return inner
    columns = pattern_columns(cells)[op]
    first = columns.start + (unit or 0)
    patterns = cells.patterns[:, first : columns.stop if unit is None else first + 1]
    left, right = cells.edge_cells[inner].T
    changes: np.ndarray = inner[(patterns[left] != patterns[right]).any(axis=1)]
    return changes


def _checked_points(cells: PlanarComplex, points: ArrayLike, space: str) -> np.ndarray:
    """Points as an array; raises unless all are in the domain."""
    check_choice("space", space, ("domain", "input"))
    inputs_of(cells.network, points, cells.domain)
    positions = np.array(points, dtype=np.float64)
    outside = np.flatnonzero(cells.locate(positions) < 0)
    if len(outside):
        raise InvalidInputError(
            f"`points`: {len(outside)} of {len(positions)} are outside the domain or its known cells"
        )
    return positions


def _compared(
    cells: PlanarComplex,
    points: np.ndarray,
    segments: np.ndarray,
    elements: np.ndarray,
    local: np.ndarray,
    space: str,
    tolerance: float,
) -> DistanceComparison:
    scale = np.eye(2) if space == "domain" else isometry(cells)
    found = nearest_segments(points @ scale, segments @ scale)
    border = np.flatnonzero(cells.edge_cells.min(axis=1) < 0)
    rim = nearest_segments(points @ scale, cells.vertices[cells.edges[border]] @ scale)
    return DistanceComparison(
        exact=found.distances,
        nearest=found.points @ np.linalg.inv(scale),
        elements=np.where(found.segments >= 0, np.append(elements, -1)[found.segments], -1),
        local=local,
        border=rim.distances,
        space=space,
        tolerance=tolerance,
    )
