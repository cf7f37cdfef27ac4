"""Figures of `folded-hyperplanes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.folded_hyperplanes.panels import draw_angle_shares, draw_bends, draw_hyperplanes
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import MUTED, PAGE, SERIES, bare, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Hyperplanes that fold, and how sharply."""
    return {
        "folds": partial(draw_folds, kept),
        "angles": partial(draw_angles, numbers["angles"], numbers["along_width"]),
    }


@on_page
def draw_folds(kept: Kept) -> Figure:
    """One hyperplane before and after training, and hyperplanes that absolute values reflect."""
    figure = new_figure(PAGE, 2.35, "compressed")
    panels = figure.subplots(1, 3)
    marks = None
    for ax, letter, name in zip(panels, "abc", ("start", "end", "mirrors"), strict=True):
        cells, found = kept.cells(f"picture-{name}", PlanarComplex), kept.arrays(f"bends-{name}")
        draw_hyperplanes(ax, cells, [(int(found["node"]), int(unit)) for unit in found["units"]])
        marks = draw_bends(ax, cells, found["edges"], found["angles"])
        bare(ax)
        count = len(found["angles"])
        titles = {"start": f"before training: {count} folds", "end": f"after training: {count} folds"}
        put_title(ax, letter, titles.get(name, "absolute values: mirrors"))
    if marks is not None:
        bar = figure.colorbar(marks, ax=panels, fraction=0.03, pad=0.015)
        bar.set_label("angle of the fold in degrees")
        bar.set_ticks([0, 5, 20, 45, 90, 180])
    return figure


@on_page
def draw_angles(angles: Mapping[str, Sequence[Mapping[str, Any]]], along_width: Sequence[Mapping[str, Any]]) -> Figure:
    """Angles of each layer, before and after training, all networks together; and medians along the width."""
    layers = len(next(iter(angles.values()))[0]["start"])
    figure = new_figure(PAGE, 2.1)
    panels = figure.subplots(1, layers + 1, squeeze=False)[0]
    for number, ax in enumerate(panels[:-1]):
        shares = {}
        for when, label in (("start", "before training"), ("end", "after training")):
            counts = [entry[when][number]["counts"] for runs in angles.values() for entry in runs]
            shares[label] = np.sum(counts, axis=0).astype(np.float64)
        draw_angle_shares(ax, shares)
        put_title(ax, "abcdefgh"[number], f"layer {number + 2}")
        if number:
            ax.sharey(panels[0])
            ax.tick_params(labelleft=False)
    panels[0].set_ylabel("share of folds that are sharper")
    panels[0].legend(loc="upper right")
    _draw_along_width(panels[-1], along_width)
    put_title(panels[-1], "abcdefgh"[layers], "layer 2, random")
    return figure


def _draw_along_width(ax: Axes, along_width: Sequence[Mapping[str, Any]]) -> None:
    """Medians over networks of each width, and the power law of the estimate through their middle."""
    widths = np.asarray([entry["width"] for entry in along_width], dtype=np.float64)
    medians = np.asarray([entry["medians"] for entry in along_width], dtype=np.float64)
    means = medians.mean(axis=1)
    law = float(np.exp(np.mean(np.log(means * np.sqrt(widths))))) / np.sqrt(widths)
    ax.plot(widths, law, color=MUTED, lw=0.9, ls=(0, (5, 2)), label="$\\sim 1/\\sqrt{width}$", zorder=1)
    ax.plot(widths, medians, "o", ms=2.2, mfc=SERIES[4], mec="none", alpha=0.7, zorder=2)
    ax.plot(widths, means, "D", ms=4.2, mfc=SERIES[0], mec="white", mew=0.5, label="mean", zorder=3)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(widths, [f"{width:g}" for width in widths])
    ax.set_yticks([2, 5, 10, 20], ["2", "5", "10", "20"])
    ax.minorticks_off()
    ax.set_xlabel("width")
    ax.set_ylabel("median angle in degrees")
    ax.legend(loc="upper right")
