"""Figures of `regions-vs-depth-width`: from numbers to plot data, and panels put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.plotting import plot_tessellation
from splinescope.plotting.experiments.counts import (
    Samples,
    draw_bounds,
    draw_ratios,
    draw_series,
    draw_training_counts,
)
from splinescope.plotting.experiments.style import (
    MUTED,
    PAGE,
    SERIES,
    bare,
    draw_points,
    new_figure,
    on_page,
    put_title,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from splinescope.datasets import Dataset
    from splinescope.experiments.regions_vs_depth_width import Settings
    from splinescope.tessellation.planar.complex import PlanarComplex


@on_page
def draw_counts(settings: Settings, numbers: Mapping[str, Any]) -> Figure:
    """Counts at initialisation: over shapes, over size, along depth with bounds."""
    figure = new_figure(PAGE, 2.45)
    one, two, three = figure.subplots(1, 3)
    shapes = numbers["shapes"]
    references = [numbers["reference_ratios"][name] for name in shapes if name in numbers["reference_ratios"]]
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
    two.set_xticks(settings.sizes, [str(size) for size in settings.sizes])
    two.minorticks_off()
    two.set_ylim(bottom=0)
    two.set_xlabel("units $N$")
    two.set_ylabel("cells / ($N^2/2$)")
    two.legend(loc="lower right")
    put_title(two, "b", "any number of units")

    _draw_depth(three, settings, numbers)
    put_title(three, "c", f"layers of {settings.width}")
    return figure


def _ratios(depth: str, entries: Sequence[Mapping[str, Any]]) -> Samples:
    """Ratios to the prediction along the number of units."""
    units = np.asarray([entry["units"] for entry in entries], dtype=np.float64)
    ratios = np.asarray([entry["ratio"] for entry in entries], dtype=np.float64).T
    return Samples(f"{depth} layer{'' if depth == '1' else 's'}", units, ratios)


def _draw_depth(ax: Any, settings: Settings, numbers: Mapping[str, Any]) -> None:
    """Cells along depth between the bounds."""
    depths = np.arange(1, settings.most_layers + 1, dtype=np.float64)
    ax.set_yscale("log")
    bounds = {
        "upper bound (Serra 2018)": numbers["bounds"]["serra_2018_upper"],
        "some network (Montúfar 2014)": numbers["bounds"]["lower"],
        "$N^2/2$": numbers["bounds"]["average"],
    }
    draw_bounds(ax, depths, {name: np.asarray(values) for name, values in bounds.items()})
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
def draw_training(settings: Settings, numbers: Mapping[str, Any]) -> Figure:
    """Counts during training, relative to the start, one panel per data set."""
    figure = new_figure(PAGE, 2.2)
    epochs = np.asarray(settings.epochs, dtype=np.float64)
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
def draw_moved(pictures: Sequence[PlanarComplex], data: Dataset) -> Figure:
    """The tessellation close to the data before and after training, with the data."""
    figure = new_figure(PAGE, 3.6)
    panels = figure.subplots(1, 2)
    for ax, letter, cells, when in zip(panels, "ab", pictures, ("before", "after"), strict=True):
        plot_tessellation(cells, ax=ax, title="", boundary=when == "after")
        draw_points(ax, data.inputs.numpy().astype(np.float64), data.labels.numpy())
        bare(ax)
        put_title(ax, letter, f"{when} training: {len(cells):,} cells")
    return figure
