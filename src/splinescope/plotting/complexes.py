"""The picture of a complex, by its dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from splinescope.errors import InvalidInputError
from splinescope.plotting.segments import plot_segment
from splinescope.plotting.tessellation import plot_tessellation
from splinescope.tessellation.planar import PlanarComplex
from splinescope.tessellation.segments import SegmentComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.complex import PolyhedralComplex


def plot_cells(cells: PolyhedralComplex, **options: Any) -> Axes:
    """Draw a complex of one or two dimensions.

    Args:
        cells: The complex of a segment or a plane.
        **options: Those of `plot_segment` or of `plot_tessellation`.

    Returns:
        The axes.

    Raises:
        InvalidInputError: In more dimensions, where cells hide one another.

    Cost: that of `plot_segment` or `plot_tessellation`.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_cells(cells, color="area").get_title()
        '4 cells'
    """
    if isinstance(cells, SegmentComplex):
        return plot_segment(cells, **options)
    if isinstance(cells, PlanarComplex):
        return plot_tessellation(cells, **options)
    raise InvalidInputError(
        f"`cells`: got a {type(cells).__name__} of dimension {cells.dimension}; cells are drawn on segments and in "
        "planes; draw `decision_boundary()` of three dimensions with `plot_mesh`, or tessellate a Slice"
    )
