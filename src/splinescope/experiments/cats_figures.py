"""Figure of `cats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splinescope.plotting import plot_tessellation
from splinescope.plotting.experiments.style import PAGE, bare, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from splinescope.tessellation.planar.complex import PlanarComplex


@on_page
def draw_plane(cells: PlanarComplex, closer: PlanarComplex, names: tuple[str, str]) -> Figure:
    """The plane through the three images, and a part of it around the decision boundary."""
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
