"""The figure of `batch-size`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.batch_size.claims import columns
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import PAGE, SERIES, bare, draw_points, new_figure, on_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 5


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The spirals through the layers of one network each, and the largest gaps of all."""
    return {"layers": partial(draw, numbers, kept)}


@on_page
def draw(numbers: Numbers, kept: Kept) -> Figure:
    """Images of the spirals at some layers, for both sizes of batches, and gaps and stretches of all networks."""
    batches = numbers["config"]["batches"]
    figure = new_figure(PAGE, 3.4)
    left, right = figure.subfigures(1, 2, width_ratios=(2.6, 1.0), squeeze=False)[0]
    panels = left.subplots(2, _SHOWN, squeeze=False)
    for row, batch in zip(panels, batches, strict=True):
        arrays = kept.arrays(f"layers-{batch}")
        chosen = np.unique(np.linspace(0, len(arrays["values"]) - 1, _SHOWN).round().astype(int))
        for ax, layer in zip(row, chosen.tolist(), strict=True):
            draw_points(ax, arrays["values"][layer], arrays["labels"], 1.2)
            bare(ax)
            ax.set_title("input" if layer == 0 else f"layer {layer}")
        row[0].set_ylabel(f"batches of {batch:,}")
    ax = right.subplots()
    gaps = columns(numbers, "largest_gaps")
    for place, batch in enumerate(batches):
        shift = np.linspace(-0.12, 0.12, len(gaps[batch])) if len(gaps[batch]) > 1 else np.zeros(1)
        ax.plot(place + shift, gaps[batch], "os"[place], ms=3.2, color=SERIES[place], mec="white", mew=0.3)
        ax.plot([place - 0.25, place + 0.25], [np.median(gaps[batch])] * 2, color=SERIES[place], lw=1.5)
    ax.set_yscale("log")
    ax.set_xticks(range(len(batches)), [f"{batch:,}" for batch in batches])
    ax.set_xlim(-0.6, len(batches) - 0.4)
    ax.set_xlabel("points in a batch")
    ax.set_ylabel("largest gap (median distances of neighbours)")
    ax.set_title("all networks")
    return figure
