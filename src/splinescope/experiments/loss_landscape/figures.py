"""Figures of `loss-landscape`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from splinescope.experiments.loss_landscape.claims import rugged
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.landscape import LossPlane
from splinescope.plotting import plot_loss_plane
from splinescope.plotting.colors import SEQUENTIAL
from splinescope.plotting.page import MARKERS, PAGE, SERIES, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"residual": "with skips", "plain": "without skips"}


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Contours and rays of both networks, and the exact planes of one layer."""
    return {"planes": partial(draw_planes, numbers, kept), "exact": partial(draw_exact, numbers, kept)}


@on_page
def draw_planes(numbers: Numbers, kept: Kept) -> Figure:
    """The same random plane of both, with the same levels, and the loss along rays."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator

    figure = new_figure(PAGE, 2.5)
    one, two, three = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
    grids = {name: kept.arrays(f"grid-{name}") for name in NAMES}
    low = max(min(float(np.nanmin(grid["values"])) for grid in grids.values()), 1e-3)
    high = min(max(float(np.nanmax(grid["values"])) for grid in grids.values()), 1e4 * low)
    levels = np.geomspace(low, high, 26)
    for ax, letter, name in zip((one, two), "ab", NAMES, strict=True):
        values = np.clip(grids[name]["values"].T, low, high)
        axis = grids[name]["axis"]
        fills = ax.contourf(axis, axis, values, levels=levels, norm=LogNorm(low, high), cmap=SEQUENTIAL)
        ax.contour(axis, axis, values, levels=levels, colors="white", linewidths=0.3, alpha=0.8)
        ax.plot(0, 0, "*", color="#d62728", mec="white", mew=0.5, ms=7)
        ax.set_aspect("equal")
        ax.set_xlabel("direction 1 (norms of filters)")
        put_title(ax, letter, f"{NAMES[name]}: {rugged(numbers['networks'][name]):.1%} rugged")
    one.set_ylabel("direction 2")
    bar = figure.colorbar(fills, ax=two, fraction=0.05, pad=0.03)
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.yaxis.set_minor_locator(LogLocator(subs=()))
    bar.set_label("cross-entropy (nats)")
    radii = np.linspace(0, numbers["config"]["reach"], numbers["config"]["ray_points"])
    for number, name in enumerate(NAMES):
        for index, ray in enumerate(numbers["networks"][name]["rays"]):
            values = np.array([np.nan if value is None else value for value in ray], float)
            label = NAMES[name] if index == 0 else None
            three.plot(radii, values, color=SERIES[number], lw=0.7, marker=MARKERS[number], ms=1.4, label=label)
    three.set_yscale("log")
    three.set_xlabel("distance along a ray")
    three.set_ylabel("cross-entropy (nats)")
    three.legend(loc="best")
    put_title(three, "c", "rays")
    return figure


@on_page
def draw_exact(numbers: Numbers, kept: Kept) -> Figure:
    """Cells, contours and minima of the exact plane of one layer of each network."""
    figure = new_figure(PAGE, 3.1)
    for ax, letter, name in zip(figure.subplots(1, 2), "ab", NAMES, strict=True):
        cells, loss = kept.cells(f"cells-{name}", PlanarComplex), kept.arrays(f"loss-{name}")
        found = numbers["networks"][name]["exact"]
        plane = LossPlane(
            cells,
            loss["values"],
            loss["gradients"],
            loss["hessians"],
            (loss["points"], loss["least"], loss["sides"]),
            torch.from_numpy(loss["targets"]),
            "cross-entropy",
            found["deviation"],
            found["layer"],
            len(loss["targets"]),
        )
        plot_loss_plane(plane, ax, title="", line_width=0.3)
        put_title(ax, letter, f"{NAMES[name]}: {found['cells']:,} cells")
        ax.set_title(ax.get_title(loc="left"), loc="left", pad=11)  # a minimum on the border is a star across it
    return figure
