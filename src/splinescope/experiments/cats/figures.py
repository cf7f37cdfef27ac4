"""The figure of `cats`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting import plot_tessellation
from splinescope.plotting.page import PAGE, bare, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The plane, and a part of it."""
    return {"plane": partial(draw_plane, numbers, kept)}


@on_page
def draw_plane(numbers: Numbers, kept: Kept) -> Figure:
    """The plane through the three images, and a part of it around the decision boundary."""
    cells, closer = (kept.cells(name, PlanarComplex) for name in ("cells", "closer"))
    names = numbers["classes"]
    figure = new_figure(PAGE, 3.75, "compressed")
    whole, part = figure.subplots(1, 2)
    plot_tessellation(cells, ax=whole, title="")
    corners = closer.domain.polygon
    whole.fill(*corners.T, fill=False, ec="black", lw=0.9, zorder=5)
    bare(whole)
    put_title(whole, "a", f"{names[0]}, {names[0]} and {names[1]}: {len(cells):,} cells")
    plot_tessellation(closer, ax=part, title="", anchors=False)
    bare(part)
    put_title(part, "b", f"the small square: {len(closer):,} cells")
    return figure
