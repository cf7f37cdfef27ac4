"""The figure of `batchnorm-tessellation`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.colors import OKABE_ITO
from splinescope.plotting.data import fold_lines
from splinescope.plotting.figures import frame_slice
from splinescope.plotting.page import PAGE, SERIES, bare, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {"plain": "without batch-norm", "batchnorm": "with batch-norm"}

EARLIER = "#a9a9b0"
"""Colour of the folds of earlier layers."""

DATA = OKABE_ITO[5]
"""Colour of the data."""


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The folds, layer by layer."""
    return {"layers": partial(draw_layers, kept)}


@on_page
def draw_layers(kept: Kept) -> Figure:
    """One row for each network, one column for each layer: its folds in blue, those before in grey, and the data."""
    from matplotlib.lines import Line2D

    networks = {name: kept.cells(f"picture-{name}", PlanarComplex) for name in LABELS}
    data = kept.arrays("data")["points"]
    layers = len(next(iter(networks.values())).pattern_nodes)
    figure = new_figure(PAGE, PAGE / layers * len(networks) + 0.65, "compressed")
    panels = figure.subplots(len(networks), layers, squeeze=False)
    for row, (name, cells) in zip(panels, networks.items(), strict=True):
        for layer, ax in enumerate(row):
            draw_layer_folds(ax, cells, layer)
            ax.plot(*data.T, "o", ms=1.6, mfc=DATA, mec="none", zorder=3)
            bare(ax)
            node = cells.pattern_nodes[layer][0]
            folding = len(np.unique(cells.edge_unit[cells.edge_op == node]))
            ax.set_xlabel(f"{folding} of {cells.network.nodes[node].units} units fold here")
        row[0].set_ylabel(LABELS[name])
    for layer, ax in enumerate(panels[0]):
        put_title(ax, "abcdefgh"[layer], f"layer {layer + 1}")
    handles = [
        Line2D([], [], color=SERIES[0], lw=1.1, label="folds of this layer"),
        Line2D([], [], color=EARLIER, lw=0.8, label="of earlier layers"),
        Line2D([], [], color=DATA, marker="o", ms=2.4, lw=0, label="data"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def draw_layer_folds(ax: Axes, cells: PlanarComplex, layer: int) -> None:
    """Folds of one layer in blue over those of the layers before it in grey.

    Args:
        ax: Axes.
        cells: The complex of a network that ends with this layer's activation, or later.
        layer: Number of the layer, from 0 at the input.
    """
    from matplotlib.collections import LineCollection

    frame_slice(ax, cells, "")
    lines = fold_lines(cells)
    for rows, color, width in (
        (lines.layers < layer, EARLIER, 0.5),
        (lines.layers == layer, SERIES[0], 1.1),
    ):
        drawn = LineCollection(list(lines.segments[rows]), colors=color, linewidths=width, capstyle="round", zorder=2)
        ax.add_collection(drawn, autolim=False)
