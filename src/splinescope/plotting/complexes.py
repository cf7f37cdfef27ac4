"""The picture of a complex, by its dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from splinescope.plotting.numbers import plot_numbers
from splinescope.plotting.region_graphs import plot_region_graph
from splinescope.plotting.segments import plot_segment
from splinescope.plotting.solids import plot_solid
from splinescope.plotting.tessellation import plot_tessellation
from splinescope.tessellation.planar import PlanarComplex, SliceBatch
from splinescope.tessellation.region_graph import RegionGraph
from splinescope.tessellation.segments import SegmentBatch, SegmentComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.complex import PolyhedralComplex
    from splinescope.tessellation.spatial.complex import SpatialComplex


def plot_cells(cells: PolyhedralComplex | SegmentBatch | SliceBatch, **options: Any) -> Axes:
    """Draw a complex: a segment's profile, a plane's cells, the outside of three dimensions, and numbers of others.

    Args:
        cells: The complex, or a batch of segments or slices, of which the first is drawn.
        **options: Those of `plot_segment`, `plot_tessellation` or `plot_solid`; of four dimensions those of
            `plot_numbers`, of region graphs those of `plot_region_graph`.

    Returns:
        The axes.

    Cost: that of the picture.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_cells(cells, color="area").get_title()
        '4 cells'
    """
    if isinstance(cells, SegmentBatch):
        return plot_segment(cells[0], **({"title": f"segment 0 of {len(cells):,}"} | options))
    if isinstance(cells, SliceBatch):
        return plot_tessellation(cells[0], **({"title": f"slice 0 of {len(cells):,}"} | options))
    if isinstance(cells, SegmentComplex):
        return plot_segment(cells, **options)
    if isinstance(cells, PlanarComplex):
        return plot_tessellation(cells, **options)
    if isinstance(cells, RegionGraph):
        return plot_region_graph(cells, **options)
    if cells.dimension == 3:
        return plot_solid(cast("SpatialComplex", cells), **options)
    columns = {
        "volume of a cell": cells.measures,
        "neighbours of a cell": np.diff(cells.adjacency.indptr),
    }
    count = f"{'at least ' if cells.truncated else ''}{len(cells):,} cells in {cells.dimension} dimensions"
    return plot_numbers(columns, **({"title": count} | options))
