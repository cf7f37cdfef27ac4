"""Functions of one variable with their breakpoints, and laws that measurements follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped

from splinescope.plotting.page import MARKERS, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_curves(
    ax: Axes,
    curves: Sequence[Float[np.ndarray, "_ 2"]],
    labels: Sequence[str],
    *,
    under: Float[np.ndarray, "_ 2"] | None = None,
    stacked: bool = False,
) -> None:
    """Piecewise affine functions on [0, 1] by their breakpoints.

    Args:
        ax: Axes.
        curves: Breakpoints and values of each.
        labels: Their names.
        under: A limit, drawn as a broad grey line below them.
        stacked: Whether each has its own row, the first on top.
    """
    if under is not None:
        ax.plot(*under.T, color="#d0d0d4", lw=2.6, solid_joinstyle="round", zorder=1)
    rows = len(curves) if stacked else 1
    for number, (points, label) in enumerate(zip(curves, labels, strict=True)):
        lift = 1.25 * (rows - 1 - number) if stacked else 0.0
        color = SERIES[number % len(SERIES)]
        marks = MARKERS[number % len(MARKERS)] if len(points) < 40 else ""
        ax.plot(
            points[:, 0],
            points[:, 1] + lift,
            color=color,
            marker=marks,
            ms=2.4,
            lw=1.0,
            label=label,
            zorder=2,
            clip_on=False,
        )
        if stacked:
            ax.text(1.03, lift + 0.5, label, color=color, va="center", fontsize=7)
    ax.set_xlim(0, 1.0)
    ax.set_xticks([0, 0.5, 1], ["0", "1/2", "1"])
    ax.set_xlabel("$x$")
    if stacked:
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    else:
        ax.legend(loc="best")


def draw_law(
    ax: Axes,
    x: Float[np.ndarray, " places"],
    measured: Mapping[str, Float[np.ndarray, " places"]],
    laws: Mapping[str, Float[np.ndarray, " places"]],
) -> None:
    """Measurements as markers on the lines of laws, over a logarithmic scale.

    Args:
        ax: Axes.
        x: Where.
        measured: Values by name.
        laws: Values by name.
    """
    from matplotlib.ticker import MaxNLocator

    dashes: tuple[object, ...] = ("solid", (0, (5, 2)), (0, (1, 1.4)))
    for number, (name, values) in enumerate(laws.items()):
        ax.plot(x, values, color=MUTED, lw=0.9, ls=dashes[number % 3], label=name, zorder=1)
    for number, (name, values) in enumerate(measured.items()):
        # Later markers are smaller, so that equal values stay visible.
        size = 5.2 - 1.2 * number
        ax.plot(x, values, MARKERS[number], color=SERIES[number], ms=size, mec="white", mew=0.4, label=name, zorder=2)
    ax.set_yscale("log", base=2)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    falls = next(iter(laws.values()))[-1] < 1
    low, high = np.log2(ax.get_ylim())
    ax.set_ylim(top=2 ** (high + (0.0 if falls else 0.45 * (high - low))))  # room for the legend over rising lines
    ax.legend(loc="upper right" if falls else "upper left")


def draw_attained(
    ax: Axes, attained: Mapping[str, Shaped[np.ndarray, "_ 2"]], others: Shaped[np.ndarray, "_ 2"]
) -> None:
    """Counts over bounds, with the line on which they are equal.

    Args:
        ax: Axes.
        attained: Bounds and counts of the networks made for them, by name.
        others: Bounds and counts of random networks.
    """
    ends = np.array([min(a.min() for a in attained.values()), max(a.max() for a in attained.values())], np.float64)
    ends *= (0.6, 1.7)
    ax.plot(ends, ends, color=MUTED, lw=0.9, zorder=1)
    for number, (name, pairs) in enumerate(attained.items()):
        ax.plot(*pairs.T, MARKERS[number], color=SERIES[number], mec="white", mew=0.4, ms=4.6, label=name, zorder=3)
    ax.plot(*others.T, "x", color=MUTED, ms=3.6, mew=0.9, label="random weights, mean", zorder=2)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("lower bound")
    ax.set_ylabel("cells, counted")
    ax.set_ylim(top=ends[1] * 30)  # room for the legend
    ax.legend(loc="upper left")
