"""The figures of `precision-recall`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import MARKERS, PAGE, SERIES, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = ("precision", "recall", "density", "coverage")


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Measures by exponent and truncation, and against each other."""
    return {"quality": partial(draw_quality, numbers)}


@on_page
def draw_quality(numbers: Numbers) -> Figure:
    """Measures by exponent, by truncation, and recall against precision."""
    figure = new_figure(PAGE, 2.7)
    first, second, third = figure.subplots(1, 3)
    exponents, truncations = numbers["exponents"]["rows"], numbers["truncations"]["rows"]
    _lines(first, exponents, "rho")
    first.set(xlabel=r"exponent $\rho$ of the volume", ylabel="measure, on features of a classifier")
    _lines(second, truncations, "deviation")
    second.set(xlabel="standard deviation of the latents")
    for number, (label, rows, key) in enumerate(
        (("volume", exponents, "rho"), ("truncation", truncations, "deviation"))
    ):
        points = np.array([[row["features"][m]["mean"] for m in ("recall", "precision")] for row in rows])
        third.plot(*points.T, color=SERIES[number], marker=MARKERS[number], label=label)
        # exponents at the left of their points, deviations at the right, so that neither lies on the other's line
        style = {"textcoords": "offset points", "fontsize": 6.5, "color": SERIES[number], "va": "center"}
        aside = {"xytext": (-5, -5), "ha": "right"} if key == "rho" else {"xytext": (5, 3), "ha": "left"}
        for row, point in ((rows[0], points[0]), (rows[-1], points[-1])):
            third.annotate(f"{row[key]:g}", point, **style, **aside)
    third.set(xlabel="recall", ylabel="precision")
    third.margins(0.12)
    third.legend(loc="best")
    for letter, ax, title in zip(
        "abc", (first, second, third), ("by exponent", "by truncation", "one against the other"), strict=True
    ):
        put_title(ax, letter, title)
    figure.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _lines(ax: Axes, rows: list, key: str) -> None:
    """All four measures with their deviations over draws."""
    at = np.array([row[key] for row in rows])
    for number, measure in enumerate(MEASURES):
        found = [row["features"][measure] for row in rows]
        style = {"fmt": f"{MARKERS[number]}-", "color": SERIES[number], "ms": 3.0, "elinewidth": 0.8}
        means, spreads = ([one[part] for one in found] for part in ("mean", "deviation"))
        ax.errorbar(at, means, spreads, label=measure, **style)  # type: ignore[arg-type]
    ax.set_ylim(0, None)
