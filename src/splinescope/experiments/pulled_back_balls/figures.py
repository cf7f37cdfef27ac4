"""The figure of `pulled-back-balls`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.geodesics import draw_ellipses
from splinescope.plotting.page import PAGE, SERIES, bare, draw_points, new_figure, on_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 8


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Balls at some layers."""
    return {"balls": partial(draw, numbers, kept)}


@on_page
def draw(numbers: Numbers, kept: Kept) -> Figure:
    """The spirals with balls of one radius, as the outputs measure it, at some layers, each as wide as its data."""
    arrays = kept.arrays("balls")
    values, labels, rows = arrays["values"], arrays["labels"], arrays["rows"]
    layers = np.unique(np.linspace(0, len(values) - 1, _SHOWN).round().astype(int))
    figure = new_figure(PAGE, 3.8)
    panels = figure.subplots(2, _SHOWN // 2, squeeze=False).ravel()
    for ax in panels[len(layers) :]:
        ax.set_visible(False)
    for ax, layer in zip(panels, layers.tolist(), strict=False):
        draw_points(ax, values[layer], labels, 1.0)
        for label in np.unique(labels).tolist():
            own = labels[rows] == label
            draw_ellipses(ax, values[layer][rows[own]], arrays["axes"][layer][own], color=SERIES[label], lw=0.8)
        middle = (values[layer].min(axis=0) + values[layer].max(axis=0)) / 2
        half = 0.6 * float(np.ptp(values[layer], axis=0).max())
        ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half), aspect="equal")
        bare(ax)
        last = layer == len(values) - 1
        ax.set_title("input" if layer == 0 else f"layer {layer}, the output" if last else f"layer {layer}")
    return figure
