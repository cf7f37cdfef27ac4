"""The picture of a region graph: how many neighbours its cells have, and how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from splinescope.plotting.figures import INK, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.region_graph import RegionGraph

_FILL = "#8fb3d9"


def plot_region_graph(graph: RegionGraph, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw how many neighbours cells have and how large the largest balls in them are.

    Args:
        graph: The graph.
        ax: Axes that the picture fills; new ones if None. Its parts are in axes of their own, the children of these.
        title: Title; the number of cells if None, "" for none.

    Returns:
        The axes.

    Cost: linear in the number of cells.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(5,))
        >>> graph = splinescope.tessellate(relu, splinescope.Box([-1.0] * 5, [1.0] * 5))
        >>> plot_region_graph(graph).get_title()
        '32 cells in 5 dimensions'
    """
    ax = new_axes(6.4, 3.1) if ax is None else ax
    ax.set_axis_off()
    left, right = ax.inset_axes((0.0, 0.0, 0.44, 1.0)), ax.inset_axes((0.56, 0.0, 0.44, 1.0))
    degrees, counts = np.unique(graph.degrees, return_counts=True)
    left.bar(degrees, counts, width=0.9, color=_FILL, edgecolor=INK, linewidth=0.5)
    left.set_xlabel("neighbours of a cell")
    left.set_ylabel("cells")
    radii = np.asarray(graph.chebyshev_radii)
    positive = radii[radii > 0]
    low, high = (positive.min(), positive.max()) if len(positive) else (0.5, 1.0)
    edges = np.geomspace(0.999 * low, 1.001 * high, 25)
    right.hist(positive, bins=edges.tolist(), color=_FILL, edgecolor=INK, linewidth=0.5)
    right.set_xscale("log")
    right.set_xlabel("radius of the largest ball in a cell")
    right.set_ylabel("cells")
    least = "" if graph.complete else "at least "
    count = f"{least}{len(graph):,} cell{'' if len(graph) == 1 else 's'} in {graph.dimension} dimensions"
    ax.set_title(count if title is None else title)
    return ax
