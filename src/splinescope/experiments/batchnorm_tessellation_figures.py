"""Figure of `batchnorm-tessellation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from splinescope.plotting.experiments.initialization import DATA, EARLIER, draw_layer_folds
from splinescope.plotting.experiments.style import PAGE, SERIES, bare, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from splinescope.tessellation.planar.complex import PlanarComplex

LABELS = {"plain": "without batch-norm", "batchnorm": "with batch-norm"}


@on_page
def draw_layers(networks: Mapping[str, PlanarComplex], data: Float[np.ndarray, "n 2"]) -> Figure:
    """One row for each network, one column for each layer: its folds in blue, those before in grey, and the data."""
    from matplotlib.lines import Line2D

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
