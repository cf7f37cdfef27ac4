"""Figures of `convexity`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.convexity.claims import BEFORE, DEPTHS, comparable, interval, shares
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT = ("relu", "relu, all t", "relu, 20 points", "relu, uniform")
MIDDLE = ("affine", "affine, weights N(0, 1)", "affine, weights / 3", "affine, 20 points", "affine, all t")


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Probabilities along depth: of random chains, and of trained networks."""
    return {"probabilities": partial(draw, numbers)}


@on_page
def draw(numbers: Numbers) -> Figure:
    """Chains with ReLUs, affine ones, and trained networks; hollow markers were measured before."""
    figure = new_figure(PAGE, 3.3)
    one, two, three = figure.subplots(1, 3, sharey=True)
    for ax, letter, names, title in ((one, "a", LEFT, "chains with ReLUs"), (two, "b", MIDDLE, "affine chains")):
        _draw_regimes(ax, numbers, names)
        put_title(ax, letter, title)
    one.set_ylabel("probability that it holds")
    one.set_ylim(0, 1.03)
    depths = [int(depth) for depth in numbers["trained"]]
    kinds = {"start": "two random starts", "end": "two trainings", "one_training": "start and end of one"}
    for number, (key, label) in enumerate(kinds.items()):
        values = np.array([part[key] for part in numbers["trained"].values()])
        color = SERIES[number]
        three.plot(depths, values.mean(axis=1), color=color, marker=MARKERS[number], ms=3.2, label=label, zorder=3)
        three.fill_between(depths, values.min(axis=1), values.max(axis=1), color=color, alpha=0.18, lw=0)
    three.set_xlabel("hidden layers")
    three.set_xticks(depths)
    three.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    put_title(three, "c", "networks of the digits")
    return figure


def _draw_regimes(ax: Axes, numbers: Numbers, names: Sequence[str]) -> None:
    depths, trials = numbers["config"]["depths"], numbers["config"]["trials"]
    for number, name in enumerate(names):
        color, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        bands = np.array([interval(count, trials) for count in numbers["holds"][name]])
        label = name.partition(", ")[2] or "one t, one x"
        ax.plot(depths, shares(numbers, name), color=color, marker=marker, ms=3.0, label=label, zorder=3)
        ax.fill_between(depths, *bands.T, color=color, alpha=0.25, lw=0)
        if name in BEFORE and comparable(numbers):
            known = [(d, p) for d, p in zip(DEPTHS, BEFORE[name], strict=True) if d in depths]
            ax.plot(*np.array(known).T, marker, ms=6.0, mfc="none", mec=color, mew=0.6, zorder=2)
    ax.plot([], [], "o", ms=6.0, mfc="none", mec=MUTED, mew=0.6, label="measured before")
    ax.set_xscale("log")
    ticks = [depth for depth in (1, 2, 5, 10, 20, 50) if depth <= depths[-1]]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("layers")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, columnspacing=1.0)
