"""Folded hyperplanes: single ones in a tessellation, and how their angles are distributed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from splinescope.plotting.figures import frame_slice
from splinescope.plotting.page import MARKERS, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

    from splinescope.tessellation.planar.complex import PlanarComplex

FAINT = "#c6c6cc"
"""Colour of the folds that are not spoken of."""


def draw_hyperplanes(ax: Axes, cells: PlanarComplex, units: Sequence[tuple[int, int]]) -> None:
    """All folds faintly, and those of some units strongly.

    Args:
        ax: Axes.
        cells: The complex.
        units: Node and index of each unit.
    """
    from matplotlib.collections import LineCollection

    frame_slice(ax, cells, "")
    inner = np.flatnonzero(cells.edge_op >= 0)
    ends = cells.vertices[cells.edges]
    ax.add_collection(LineCollection(ends[inner], colors=FAINT, linewidths=0.3, zorder=1), autolim=False)
    for number, (node, unit) in enumerate(units):
        rows = (cells.edge_op == node) & (cells.edge_unit == unit)
        color = SERIES[number % len(SERIES)]
        lines = LineCollection(ends[rows], colors=color, linewidths=1.3, capstyle="round", zorder=2)
        ax.add_collection(lines, autolim=False)


def draw_bends(
    ax: Axes, cells: PlanarComplex, edges: Int[np.ndarray, "bends 2"], angles: Float[np.ndarray, " bends"]
) -> PathCollection:
    """Mark where a hyperplane folds, coloured by the angle.

    Args:
        ax: Axes.
        cells: The complex.
        edges: Pairs of edges that meet in a fold.
        angles: Their angles in radians.

    Returns:
        The marks, for a colour bar in degrees.
    """
    from matplotlib.colors import PowerNorm

    ends = cells.edges[edges].reshape(-1, 4)
    shared = np.where((ends[:, :1] == ends[:, 2:]).any(axis=1), ends[:, 0], ends[:, 1])
    places = cells.vertices[shared]
    return ax.scatter(
        places[:, 0],
        places[:, 1],
        s=9,
        c=np.degrees(angles),
        cmap="plasma_r",
        norm=PowerNorm(0.5, 0, 180),  # most angles are small
        edgecolors="black",
        linewidths=0.3,
        zorder=3,
    )


def draw_angle_shares(ax: Axes, counts: Mapping[str, Float[np.ndarray, " bins"]]) -> None:
    """Share of folds that are sharper than an angle, over the angle, on a logarithmic scale; the medians as dots.

    Args:
        ax: Axes.
        counts: Counts of folds in classes of equal width from 0 to 180 degrees, by name.
    """
    for number, (name, values) in enumerate(counts.items()):
        edges = np.linspace(0, 180, len(values) + 1)
        sharper = 1 - np.concatenate([[0.0], np.cumsum(values)]) / max(1.0, float(values.sum()))
        shown = sharper > 0.5 / max(1.0, float(values.sum()))
        color = SERIES[number]
        ax.plot(edges[shown], sharper[shown], color=color, label=name, ls=("-", (0, (4, 1.5)))[number % 2])
        median = float(np.interp(0.5, 1 - sharper, edges))
        ax.plot(median, 0.5, MARKERS[number], color=color, mec="white", mew=0.4)
    ax.set_yscale("log")
    ax.set_ylim(top=1.3)
    ax.set_xlim(0, 180)
    ax.set_xticks([0, 45, 90, 135, 180])
    ax.set_xlabel("angle in degrees")
