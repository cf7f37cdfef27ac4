"""The figure of `topology-layers`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.experiments.topology_layers.claims import WORDS, excess, of
from splinescope.plotting.page import MARKERS, PAGE, SERIES, bare, draw_points, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """What is left of the topology, layer by layer."""
    return {"layers": partial(draw, numbers, kept)}


@on_page
def draw(numbers: Numbers, kept: Kept) -> Figure:
    """The sets, and parts and holes beyond one part of each class at each layer: medians with quartiles."""
    names = list(numbers["betti"])
    figure = new_figure(PAGE, 4.2)
    for column, (letter, name) in enumerate(zip("abc", names, strict=False)):
        arrays = kept.arrays(f"data-{name}")
        points, labels = arrays["points"], arrays["labels"]
        flat = points.shape[1] == 2
        ax = figure.add_subplot(2, len(names), column + 1, projection=None if flat else "3d")
        if flat:
            draw_points(ax, points, labels, 1.6)
            ax.set_aspect("equal")
            bare(ax)
        else:
            for label in (0, 1):
                ax.plot(*points[labels == label].T, MARKERS[label], ms=1.4, color=SERIES[label], mew=0)
            ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
            ax.set_box_aspect(np.ptp(points, axis=0).tolist(), zoom=1.25)  # type: ignore[call-arg]
        put_title(ax, letter, name)
        below = figure.add_subplot(2, len(names), len(names) + column + 1)
        for number, kind in enumerate(WORDS):
            left = np.array([excess(one) for one in of(numbers, name, kind) if one["accuracy"] == 1.0])
            if not len(left):
                continue
            places = np.arange(left.shape[1])
            style: dict[str, Any] = {"color": SERIES[number], "marker": MARKERS[number], "ms": 3}
            below.plot(places, np.median(left, axis=0), label=f"{WORDS[kind]}", **style)
            below.fill_between(places, *np.quantile(left, (0.25, 0.75), axis=0), color=SERIES[number], alpha=0.15, lw=0)
        last = numbers["config"]["layers"] + 2
        below.set(xlabel="layer", ylim=(-0.3, None))
        below.set_xticks(range(last + 1), ["in", *map(str, range(1, last)), "out"])
        below.yaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
        if column == 0:
            below.set_ylabel("parts and holes too many")
        if below.lines:  # else no network was without an error
            below.legend(loc="best")
    return figure
