"""The figure of `nested-by-design`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting import plot_tessellation
from splinescope.plotting.page import MARKERS, PAGE, SERIES, bare, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Accuracy and cells of each kind, and a plane of a nested and of a free network."""
    return {"networks": partial(draw_networks, numbers, kept)}


@on_page
def draw_networks(numbers: Numbers, kept: Kept) -> Figure:
    """Accuracy over cells of every network, and one plane of three networks of one seed."""
    from matplotlib.ticker import LogLocator, NullLocator

    figure = new_figure(PAGE, 2.35)
    panels = figure.subplots(1, 4, width_ratios=(1.35, 1, 1, 1))
    for at, (kind, rows) in enumerate(numbers["kinds"].items()):
        places = [np.mean(row["cells"]) for row in rows], [row["accuracy"] for row in rows]
        panels[0].plot(*places, MARKERS[at], color=SERIES[at], label=kind, mec="white", mew=0.3, ms=4.2)
    panels[0].set(xlabel="cells of a plane", ylabel="accuracy, held out", xscale="log")
    panels[0].xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    panels[0].xaxis.set_major_formatter("{x:,.0f}")
    panels[0].xaxis.set_minor_locator(NullLocator())
    panels[0].legend(loc="best", handletextpad=0.2)
    put_title(panels[0], "a", f"{numbers['images']}")
    for ax, letter, kind in zip(panels[1:], "bcd", ("nested", "free", "stem"), strict=True):
        cells = kept.cells(f"plane-{kind}", PlanarComplex)
        plot_tessellation(cells, ax=ax, title="", boundary=False)
        bare(ax)
        put_title(ax, letter, f"{kind}: {len(cells):,} cells")
    return figure
