"""Quantities along a training run, on a logarithmic axis of steps, and one slice at several of its moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from splinescope.plotting.animation import colors_over
from splinescope.plotting.data import fold_lines
from splinescope.plotting.figures import INK, frame_slice, settle_layout
from splinescope.plotting.layers import draw_boundary, draw_color_bar, draw_fills, draw_folds
from splinescope.plotting.page import MARKERS, MUTED, SERIES
from splinescope.plotting.thumbnails import anchor_images, draw_anchors
from splinescope.tessellation.boundary import decision_boundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.planar.complex import PlanarComplex

FLAT_IS_LIGHT = "YlGnBu"
"""Colour map of slopes where most of the picture is flat."""


def draw_log(
    ax: Axes,
    steps: Int[np.ndarray, " rows"],
    series: Mapping[str, Float[np.ndarray, " rows"]],
    label: str,
    *,
    logarithmic: bool = False,
) -> None:
    """Quantities over the steps; step 0 stands at the left end of the logarithmic axis.

    Args:
        ax: Axes.
        steps: Recorded steps, ascending from 0.
        series: Values by name.
        label: What they are, with units.
        logarithmic: Whether the values' axis is logarithmic, too.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    for number, (name, values) in enumerate(series.items()):
        color, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        ax.plot(places(steps), values, color=color, marker=marker, ms=2.2, lw=1.1, label=name, zorder=3)
    ax.set_xscale("log")
    if logarithmic:
        ax.set_yscale("log")
        every = np.concatenate([values[values > 0] for values in series.values()])
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if every.max() < 100 * every.min() else (1,)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
    else:
        ax.set_ylim(bottom=0)
    _mark_start(ax, steps)
    ax.set_xlabel("training step")
    ax.set_ylabel(label)
    ax.legend(loc="best", ncols=1)


def draw_shares(ax: Axes, steps: Int[np.ndarray, " rows"], shares: Mapping[str, Float[np.ndarray, " rows"]]) -> None:
    """Accuracies on a second axis, as thin lines, named in a legend outside of the axes.

    Args:
        ax: Axes of `draw_log`.
        steps: Recorded steps.
        shares: Values from 0 to 1 by name.
    """
    from matplotlib.ticker import PercentFormatter

    second = ax.twinx()
    dashes: tuple[object, ...] = ("solid", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
    for number, (name, values) in enumerate(shares.items()):
        second.plot(places(steps), values, color="black", lw=0.9, ls=dashes[number % 4], label=name, zorder=2)
    second.set_ylim(0, 1.02)
    second.yaxis.set_major_formatter(PercentFormatter(1.0))
    second.set_ylabel("accuracy")
    second.spines["right"].set_visible(True)
    handles, names = ax.get_legend_handles_labels()
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()
    left = ax.legend(handles, names, loc="upper left", bbox_to_anchor=(1.08, 1.0), title="local complexity at")
    ax.add_artist(left)
    second.legend(loc="lower left", bbox_to_anchor=(1.08, 0.0), title="accuracy")


def label_moments(ax: Axes, moments: Mapping[str, int], *, names: bool = True) -> None:
    """Vertical lines at the moments of a run, with their names inside the axes.

    Args:
        ax: Axes of `draw_log`.
        moments: Step of each by name; one at step 0 is not marked.
        names: Whether to write the names.
    """
    for name, step in moments.items():
        if step == 0:
            continue
        ax.axvline(step, color=MUTED, lw=0.8, ls=(0, (2, 2)), zorder=1)
        if names:
            ax.annotate(
                name,
                (step, 0.78),
                (-3, 0),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                ha="right",
                va="center",
                rotation=90,
                fontsize=7,
                color=INK,
            )


def draw_moment(panels: Sequence[Axes], cells: Sequence[PlanarComplex]) -> None:
    """One slice at several moments, coloured by the slope of the network along it, with one scale and one colour bar.

    Args:
        panels: One axes for each moment.
        cells: The complexes.
    """
    colors = colors_over(dict(enumerate(cells)), "norm")
    if colors.scale is not None:  # light where the slope is low, so that folds are seen there
        colors = replace(colors, scale=replace(colors.scale, colormap=FLAT_IS_LIGHT))
    for ax, complex_ in zip(panels, cells, strict=True):
        frame_slice(ax, complex_, "")
    if colors.scale is not None:
        draw_color_bar(panels[-1], colors.scale, "slope $\\|A\\|$ (output per input unit)")
    settle_layout(panels[0])
    for ax, complex_ in zip(panels, cells, strict=True):
        draw_fills(ax, colors.fills(complex_))
        draw_folds(ax, fold_lines(complex_), float(complex_.measures.sum()))
        draw_boundary(ax, decision_boundary(complex_))
        if complex_.domain.anchors is not None:
            draw_anchors(ax, np.asarray(complex_.domain.anchors), anchor_images(complex_))


def places(steps: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Where steps stand on a logarithmic axis: step 0 most of a decade before the first one.

    Args:
        steps: Steps, ascending.

    Returns:
        The places.
    """
    positive = steps[steps > 0]
    first = float(positive[0]) if len(positive) else 1.0
    return np.where(steps > 0, steps, 0.2 * first).astype(np.float64)


def _mark_start(ax: Axes, steps: Int[np.ndarray, " rows"]) -> None:
    """Name the place of step 0 on the axis."""
    from matplotlib.ticker import NullLocator

    where = places(steps)
    ax.set_xlim(where[0] * 0.85, where[-1] * 1.15)
    decades = 10.0 ** np.arange(np.ceil(np.log10(where[min(1, len(where) - 1)])), np.log10(where[-1]) + 1e-9)
    labels = [f"$10^{{{round(np.log10(d))}}}$" for d in decades]
    if steps[0] == 0:
        decades, labels = np.concatenate([where[:1], decades]), ["0", *labels]
    ax.set_xticks(decades, labels)
    ax.xaxis.set_minor_locator(NullLocator())
