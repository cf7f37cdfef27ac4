"""How many neighbours cells have, in complexes of any dimension."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Int

from splinescope.complexity.theory.arrangements import mean_degree_upper
from splinescope.shown import Shown
from splinescope.tessellation.complex import PolyhedralComplex


@dataclass(frozen=True)
class DegreeStatistics(Shown):
    """Degrees of the dual graph: numbers of neighbours of cells, across facets inside the domain.

    Attributes:
        degrees: Number of neighbours of each cell.
        mean: Their mean, exactly.
        inner: Whether each cell is away from the boundary of the domain, so that all of its facets are folds; None if
            the complex does not tell.
        upper: Twice the dimension, which the mean does not exceed (see `mean_degree_upper` for when this is known).
    """

    degrees: Int[np.ndarray, " cells"]
    mean: Fraction
    inner: Bool[np.ndarray, " cells"] | None
    upper: int

    @property
    def minimum(self) -> int:
        """Least number of neighbours; 0 without cells."""
        return int(self.degrees.min(initial=self.degrees.max(initial=0)))

    @property
    def maximum(self) -> int:
        """Largest number of neighbours; 0 without cells."""
        return int(self.degrees.max(initial=0))

    @property
    def histogram(self) -> Int[np.ndarray, " numbers"]:
        """How many cells have 0, 1, 2, ... neighbours."""
        return np.bincount(self.degrees)


def degree_statistics(cells: PolyhedralComplex) -> DegreeStatistics:
    r"""Degrees of the dual graph of a complex.

    Over the whole space the mean is at most $2d$ and the least at least $\min(n_1, d)$ for $n_1$ units in the first
    layer (Gaines and Bi 2026, arXiv 2606.07728). In a bounded domain cells at its boundary have fewer neighbours.

    Args:
        cells: A complex of any dimension, or a region graph.

    Returns:
        The degrees.

    Cost: linear in the number of facets.

    Example:
        Each quadrant has two neighbours:

        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> statistics = degree_statistics(cells)
        >>> statistics.degrees.tolist(), statistics.mean, statistics.upper
        ([2, 2, 2, 2], Fraction(2, 1), 4)
    """
    touching = touches_boundary(cells)
    return DegreeStatistics(
        degrees=_degrees(cells),
        mean=mean_degree(cells),
        inner=~touching,
        upper=mean_degree_upper(cells.domain.dimension),
    )


def mean_degree(cells: PolyhedralComplex) -> Fraction:
    """Mean number of neighbours of the cells of a complex, exactly.

    Args:
        cells: A complex of any dimension, or a region graph.

    Returns:
        Twice the number of pairs of neighbours divided by the number of cells; 0 without cells.
    """
    return Fraction(int(_degrees(cells).sum()), max(1, len(cells)))


def is_complete(cells: PolyhedralComplex) -> bool:
    """Whether a complex has all cells of its domain.

    Args:
        cells: A complex of any dimension, or a region graph.

    Returns:
        False where a budget or an interruption ended the work.
    """
    return not cells.truncated


def touches_boundary(cells: PolyhedralComplex) -> Bool[np.ndarray, " cells"]:
    """Which cells have a facet on the boundary of the domain, or of what was explored.

    Args:
        cells: A complex of any dimension, or a region graph.

    Returns:
        One truth value for each cell.
    """
    touching = np.zeros(len(cells), dtype=bool)
    touching[cells.facets.outer] = True
    return touching


def _degrees(cells: PolyhedralComplex) -> np.ndarray:
    degrees: np.ndarray = np.diff(cells.adjacency.indptr).astype(np.int64)
    return degrees
