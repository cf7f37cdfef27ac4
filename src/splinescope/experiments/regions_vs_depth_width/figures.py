"""Figures of `regions-vs-depth-width`: from numbers to plot data, and panels put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.regions_vs_depth_width.claims import REFERENCE
from splinescope.experiments.regions_vs_depth_width.panels import (
    Samples,
    draw_bounds,
    draw_ratios,
    draw_series,
    draw_training_counts,
)
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting import plot_tessellation
from splinescope.plotting.page import (
    MUTED,
    PAGE,
    SERIES,
    bare,
    draw_points,
    new_figure,
    on_page,
    put_title,
)
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Counts, counts during training, and a tessellation before and after it."""
    return {
        "counts": partial(draw_counts, numbers),
        "training": partial(draw_training, numbers),
        "moved-folds": partial(draw_moved, kept),
    }


@on_page
def draw_counts(numbers: Numbers) -> Figure:
    """Counts at initialisation: over shapes, over size, along depth with bounds."""
    figure = new_figure(PAGE, 2.45)
    one, two, three = figure.subplots(1, 3)
    shapes = numbers["shapes"]
    references = [REFERENCE[name] for name in shapes if name in REFERENCE]
    labels = [name.replace("x", "×") for name in shapes]
    draw_ratios(one, labels, [np.asarray(entry["ratio"]) for entry in shapes.values()], references)
    one.set_xlabel("layers × units in each")
    one.set_ylabel("cells / ($N^2/2$)")
    one.legend(loc="lower left")
    units = next(iter(shapes.values()))["units"]
    put_title(one, "a", f"the same {units} units")

    two.axhline(1.0, color=MUTED, lw=0.8, ls=(0, (4, 2)), zorder=1)
    series = [_ratios(depth, entries) for depth, entries in numbers["sizes"].items()]
    two.set_xscale("log")
    draw_series(two, series)
    two.set_xticks(numbers["config"]["sizes"], [str(size) for size in numbers["config"]["sizes"]])
    two.minorticks_off()
    two.set_ylim(bottom=0)
    two.set_xlabel("units $N$")
    two.set_ylabel("cells / ($N^2/2$)")
    two.legend(loc="lower right")
    put_title(two, "b", "any number of units")

    _draw_depth(three, numbers)
    put_title(three, "c", f"layers of {numbers['config']['width']}")
    return figure


def _ratios(depth: str, entries: Sequence[Mapping[str, Any]]) -> Samples:
    """Ratios to the prediction along the number of units."""
    units = np.asarray([entry["units"] for entry in entries], dtype=np.float64)
    ratios = np.asarray([entry["ratio"] for entry in entries], dtype=np.float64).T
    return Samples(f"{depth} layer{'' if depth == '1' else 's'}", units, ratios)


def _draw_depth(ax: Any, numbers: Numbers) -> None:
    """Cells along depth between the bounds."""
    depths = np.arange(1, len(numbers["along_depth"]) + 1, dtype=np.float64)
    ax.set_yscale("log")
    bounds = {
        "upper bound (Serra 2018)": numbers["bounds"]["serra_2018_upper"],
        "some network (Montúfar 2014)": numbers["bounds"]["montufar_2014_lower"],
        "$N^2/2$": numbers["bounds"]["average"],
    }
    draw_bounds(ax, depths, {name: np.asarray(values, dtype=np.float64) for name, values in bounds.items()})
    built = numbers["built"]
    ax.plot(
        [part["layers"] for part in built],
        [part["cells"] for part in built],
        "D",
        ms=4.0,
        mfc=SERIES[1],
        mec="white",
        mew=0.4,
        label="folding network, counted",
    )
    cells = np.asarray([entry["cells"] for entry in numbers["along_depth"]]).T * 1.0
    draw_series(ax, [Samples("random networks", depths, cells)])
    ax.set_xlabel("hidden layers")
    ax.set_ylabel("cells")
    ax.set_xticks(depths)
    handles, labels = ax.get_legend_handles_labels()
    order = [labels.index(name) for name in (*bounds, "folding network, counted", "random networks")]
    order = [order[0], order[1], order[3], order[4], order[2]]
    ax.legend([handles[i] for i in order], [labels[i] for i in order], loc="upper left", fontsize=6.2)
    ax.set_ylim(top=ax.get_ylim()[1] ** 1.35)


@on_page
def draw_training(numbers: Numbers) -> Figure:
    """Counts during training, relative to the start, one panel per data set."""
    figure = new_figure(PAGE, 2.2)
    epochs = np.asarray(numbers["config"]["epochs"], dtype=np.float64)
    panels = figure.subplots(1, len(numbers["trained"]), sharey=True, squeeze=False)[0]
    for ax, letter, (name, entry) in zip(panels, "abc", numbers["trained"].items(), strict=True):
        series = []
        for key, label in (("near", "close to the data"), ("far", "large window")):
            values = np.asarray(entry[key], dtype=np.float64)
            series.append(Samples(label, epochs, values / values[:, :1]))
        draw_training_counts(ax, epochs, series)
        put_title(ax, letter, name)
    panels[0].set_ylabel("cells / cells at the start")
    panels[0].set_ylim(bottom=0)
    panels[0].legend(loc="lower left")
    return figure


@on_page
def draw_moved(kept: Kept) -> Figure:
    """The tessellation close to the data before and after training, with the data."""
    figure = new_figure(PAGE, 3.6)
    panels, data = figure.subplots(1, 2), kept.arrays("picture-data")
    for ax, letter, part, when in zip(panels, "ab", ("start", "end"), ("before", "after"), strict=True):
        cells = kept.cells(f"picture-{part}", PlanarComplex)
        plot_tessellation(cells, ax=ax, title="", boundary=when == "after")
        draw_points(ax, data["points"], data["labels"])
        bare(ax)
        put_title(ax, letter, f"{when} training: {len(cells):,} cells")
    return figure
