"""Figures of `loss-conditioning`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.loss_conditioning.claims import first, trained
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {"relu": "ReLU", "leaky": "leaky ReLU, slope 0.1", "absolute": "absolute value"}


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Condition numbers along depth, and bounds, width and training."""
    return {"depth": partial(draw_depth, numbers), "bounds": partial(draw_bounds, numbers)}


@on_page
def draw_depth(numbers: Numbers) -> Figure:
    """Condition numbers along depth, for each activation and share of the identity."""
    figure, activations = new_figure(PAGE, 2.6), numbers["config"]["activations"]
    panels = figure.subplots(1, len(activations), sharey=True, squeeze=False)[0]
    for ax, letter, name in zip(panels, "abc", activations, strict=False):
        for number, skip in enumerate(numbers["config"]["skips"]):
            kinds = [k for k in numbers["along_depth"] if (k["activation"], k["skip"]) == (name, skip)]
            _draw(
                ax, number, [k["depth"] for k in kinds], [first(k, "to_outputs") for k in kinds], f"$\\rho$ = {skip:g}"
            )
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks(numbers["config"]["depths"], [str(depth) for depth in numbers["config"]["depths"]])
        ax.minorticks_off()
        ax.set_xlabel("layers")
        put_title(ax, letter, NAMES[name])
    panels[0].set_ylabel("condition number of the map\nfrom the first layer to the outputs")
    panels[0].set_ylim(bottom=0.9)
    _mark_infinite(*panels)
    panels[-1].legend(loc="upper left")
    return figure


def _draw(ax: Axes, number: int, x: Sequence[int], values: Sequence[np.ndarray], label: str) -> None:
    """Medians over networks, with the range of all; what is infinite is left to `_mark_infinite`."""
    color, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
    middle = np.array([float(np.median(own)) for own in values])
    ax.plot(x, middle, color=color, marker=marker, ms=3.2, label=label, zorder=3)
    if len(values[0]) > 1 and np.isfinite(values).all():
        ax.fill_between(x, [own.min() for own in values], [own.max() for own in values], color=color, alpha=0.18, lw=0)


def _mark_infinite(*panels: Axes) -> None:
    """What is infinite stands on a line above all that is finite, with a name; panels share their range."""
    highest = max(ax.get_ylim()[1] for ax in panels)
    place = highest**1.12
    for ax in panels:
        lost = [(line, np.isinf(np.asarray(line.get_ydata(), float))) for line in ax.lines]
        for line, rows in lost:
            if rows.any():
                x = np.asarray(line.get_xdata(), float)[rows]
                ax.plot(x, np.full(len(x), place), line.get_marker(), color=line.get_color(), ms=3.6, zorder=4)
        if any(rows.any() for _, rows in lost):
            ax.axhline(place, color=MUTED, lw=0.6, ls=(0, (1, 2)), zorder=1)
            ax.annotate(
                "$\\infty$", (1.0, place), xycoords=("axes fraction", "data"), ha="left", va="center", color=MUTED
            )
    for ax in panels:
        ax.set_ylim(top=highest**1.2)


@on_page
def draw_bounds(numbers: Numbers) -> Figure:
    """Measured condition numbers beside their bounds, along width, and before and after training."""
    figure, config = new_figure(PAGE, 2.6), numbers["config"]
    one, two, three = figure.subplots(1, 3)
    for number, norm in enumerate(config["norms"]):
        wanted = (norm, config["activations"][0], 1.0)
        kinds = [k for k in numbers["along_norm"] if (k["norm"], k["activation"], k["skip"]) == wanted]
        depths = [k["depth"] for k in kinds]
        _draw(one, number, depths, [first(k, "condition") for k in kinds], f"c = {norm:g}")
        limits = [((1 + norm) / (1 - norm)) ** depth for depth in depths]
        one.plot(depths, limits, color=SERIES[number % len(SERIES)], lw=0.9, ls=(0, (4, 2)), zorder=2)
    one.plot([], [], color=MUTED, lw=0.9, ls=(0, (4, 2)), label="bound")
    one.set_xscale("log", base=2)
    one.set_yscale("log")
    one.set_xticks(config["depths"], [str(depth) for depth in config["depths"]])
    one.minorticks_off()
    one.set_ylim(0.9, 1e8)
    one.set_xlabel("layers")
    one.set_ylabel("condition number")
    one.legend(loc="upper left")
    put_title(one, "a", "residual, $\\|W\\| = c$, ReLU")

    for number, skip in enumerate(config["skips"]):
        kinds = [k for k in numbers["along_width"] if (k["activation"], k["skip"]) == (config["activations"][0], skip)]
        widths = [k["width"] for k in kinds]
        _draw(two, number, widths, [first(k, "to_outputs") for k in kinds], f"$\\rho$ = {skip:g}")
    two.set_xscale("log", base=2)
    two.set_yscale("log")
    two.set_xticks(config["widths"], [str(width) for width in config["widths"]])
    two.minorticks_off()
    two.set_xlabel("units in each layer")
    two.set_ylabel("condition number, to the outputs")
    two.legend(loc="center right")
    put_title(two, "b", f"{config['depth']} layers, ReLU")
    _mark_infinite(two)
    _draw_training(three, numbers)
    put_title(three, "c", f"{config['depth']} layers, trained")
    return figure


def _draw_training(ax: Axes, numbers: Numbers) -> None:
    """Before (hollow) and after (filled), along the share of the identity."""
    skips = numbers["config"]["skips"]
    for number, name in enumerate(numbers["config"]["activations"]):
        color, marker = SERIES[number], MARKERS[number]
        for when, style, fill in (("before", (0, (2, 1.5)), "white"), ("after", "solid", color)):
            values = [trained(numbers, name, skip, when) for skip in skips]
            label = NAMES[name].split(",")[0] if when == "after" else None
            ax.plot(skips, values, color=color, marker=marker, mfc=fill, ls=style, ms=3.6, label=label, zorder=3)
    ax.plot([], [], color=MUTED, ls=(0, (2, 1.5)), marker="o", mfc="white", ms=3.6, label="before training")
    ax.set_yscale("log")
    ax.set_xlabel("share of the identity, $\\rho$")
    ax.set_ylabel("condition number, to the outputs")
    _mark_infinite(ax)
    ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.72))
