"""Figures of `folded-hyperplanes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from splinescope.plotting.experiments.folding import draw_angle_shares, draw_bends, draw_hyperplanes
from splinescope.plotting.experiments.style import MUTED, PAGE, SERIES, bare, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from splinescope.tessellation.planar.complex import PlanarComplex


@dataclass(frozen=True, eq=False)
class Hyperplane:
    """One unit's hyperplane in a complex.

    Attributes:
        cells: The complex.
        node: Node of the unit.
        unit: Its index.
        edges: Pairs of its edges that meet in a bend.
        angles: The angle of each bend in radians.
    """

    cells: PlanarComplex
    node: int
    unit: int
    edges: Int[np.ndarray, "bends 2"]
    angles: Float[np.ndarray, " bends"]


@on_page
def draw_folds(pictures: Mapping[str, Hyperplane], mirrored: Sequence[Hyperplane]) -> Figure:
    """One hyperplane before and after training, and hyperplanes that absolute values reflect."""
    figure = new_figure(PAGE, 2.35, "compressed")
    panels = figure.subplots(1, 3)
    titles = {"start": "before training", "end": "after training"}
    marks = None
    for ax, letter, (when, picture) in zip(panels, "ab", pictures.items(), strict=False):
        draw_hyperplanes(ax, picture.cells, [(picture.node, picture.unit)])
        marks = draw_bends(ax, picture.cells, picture.edges, picture.angles)
        bare(ax)
        put_title(ax, letter, f"{titles[when]}: {len(picture.angles)} folds")
    ax, node = panels[2], mirrored[0].node
    draw_hyperplanes(ax, mirrored[0].cells, [(node, picture.unit) for picture in mirrored])
    for picture in mirrored:
        marks = draw_bends(ax, picture.cells, picture.edges, picture.angles)
    bare(ax)
    put_title(ax, "c", "absolute values: mirrors")
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
