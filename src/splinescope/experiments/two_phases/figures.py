"""Figures of `two-phases`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.experiments.two_phases.claims import changes, middles
from splinescope.plotting.page import MARKERS, PAGE, SERIES, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW = 5
"""Segments whose mean is drawn."""


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Churn, rotation, convexity and accuracy over the training."""
    return {"phases": partial(draw, numbers)}


@on_page
def draw(numbers: Numbers) -> Figure:
    """Four panels; change points are vertical lines with their intervals."""
    figure = new_figure(PAGE, 4.4)
    ((one, two), (three, four)) = figure.subplots(2, 2)
    _draw_series(one, numbers, "churn", "units whose code changed, share")
    put_title(one, "a", "churn of codes")
    _draw_series(two, numbers, "angle", "angle to the kernel before (rad)")
    put_title(two, "b", "rotation of the tangent kernel")
    for number, training in enumerate(numbers["trainings"]):
        color, marker, x = SERIES[number], MARKERS[number], middles(training)
        width = min(WINDOW, len(x))
        for key, style in (("concave", "solid"), ("monotone", (0, (3, 1.5)))):
            smooth = np.convolve(np.array(training[key], float), np.ones(width) / width, "valid")
            inner = x[(width - 1) // 2 : (width - 1) // 2 + len(smooth)]
            label = f"training {number + 1}" if key == "concave" else None
            three.plot(inner, smooth, color=color, ls=style, lw=1.1, marker=marker, ms=2.0, label=label)
        four.plot(training["steps"], training["accuracy"], color=color, marker=marker, ms=2.0, lw=1.1)
    three.plot([], [], color="#6d6d72", ls=(0, (3, 1.5)), label="monotone")
    three.set_ylim(-0.03, 1.03)
    three.set_ylabel(f"share, mean of {WINDOW} segments")
    three.set_xlabel("step")
    three.legend(loc="best", ncols=2)
    put_title(three, "c", "concave bends (solid), monotone (dashed)")
    four.set_ylim(0, 1.03)
    four.set_xlabel("step")
    four.set_ylabel("accuracy")
    put_title(four, "d", "images classified rightly")
    return figure


def _draw_series(ax: Axes, numbers: Numbers, key: str, label: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    for number, (training, found) in enumerate(zip(numbers["trainings"], changes(numbers, key), strict=True)):
        color, values = SERIES[number], np.array(training[key], float)
        seen = values > 0
        x = middles(training)
        ax.plot(x[seen], values[seen], MARKERS[number], color=color, ms=2.6, label=f"training {number + 1}", zorder=3)
        if np.isfinite(found.place):
            bottom = float(values[seen].min())
            ax.axvline(found.place, color=color, lw=0.8, ls=(0, (4, 2)), zorder=1)
            ax.plot([found.low, found.high], [bottom * 0.85 ** (number + 1)] * 2, color=color, lw=2.2, zorder=2)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("step")
    ax.set_ylabel(label)
    ax.legend(loc="lower left")
