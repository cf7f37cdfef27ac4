"""A function that is affine on cells, at their vertices: on which side of a level each of them is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.tessellation.certificate.heights import Combination, bounded, placement
from splinescope.tessellation.exact_outputs import ExactOutputs
from splinescope.tessellation.predicates import nearest
from splinescope.tessellation.spatial import SpatialComplex
from splinescope.tessellation.surface.rounding import doubtful_outputs, output_error

_SAMPLE = 256
"""Points at which the magnitudes of a network's values are looked up."""

_NEAR = 2.0**-20
"""Share of the function's magnitude from which nobody asks on which side of the level a vertex is."""

_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Heights:
    """A function that is affine on the cells of a complex, less the level that is sought, at the vertices.

    Attributes:
        values: [V] values, zero only where the function is the level.
        function: The function.
    """

    values: np.ndarray
    function: Combination

    @property
    def above(self) -> np.ndarray:
        """[V] whether the value is larger than zero."""
        return self.values > 0

    @property
    def zero(self) -> np.ndarray:
        """[V] whether the value is zero."""
        return self.values == 0

    @property
    def signs(self) -> np.ndarray:
        """[V] signs of the values."""
        return self.above.astype(np.int8) - (self.values < 0)


def heights_of(cells: SpatialComplex, weights: np.ndarray, level: float) -> Heights:
    """A combination of outputs at the vertices of a complex, with exact signs.

    Values farther from zero than the error that float64 proves for their vertex have their signs; the others are taken
    in exact arithmetic. Where that takes too long, those that rounding hides are taken to be zero.

    Args:
        cells: The complex.
        weights: [n_out] coefficients of the outputs.
        level: The level.

    Returns:
        The heights.
    """
    function = Combination(weights, level)
    values = function.of(cells.vertex_outputs)
    sample = cells.interior_points[:: max(1, len(cells) // _SAMPLE)]
    bounds = doubtful_outputs(cells.network, cells.domain, cells.tolerance.safety, sample)
    slack = output_error(bounds, weights, level)
    near = np.flatnonzero(~(np.abs(values) > slack + _NEAR * (np.abs(weights) @ bounds.magnitude + abs(level))))
    if len(near):
        there, errors = bounded(cells, cells.vertices[near], function, placement(cells), pointwise=True)
        proved = (np.abs(there) > errors) & (np.sign(there) == np.sign(values[near]))
        near = near[~proved]
    if len(near):
        for vertex, exact in zip(near.tolist(), ExactOutputs(cells).combined(near, weights[None], level), strict=True):
            if exact is not None:
                values[vertex] = nearest(exact[0]) or _SMALLEST * ((exact[0] > 0) - (exact[0] < 0))
            elif abs(values[vertex]) <= slack:
                values[vertex] = 0.0
    return Heights(values, function)
