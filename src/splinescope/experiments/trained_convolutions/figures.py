"""The figure of `trained-convolutions`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.experiments.trained_convolutions.claims import values
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("signs", (("layers", "along_axes", "entries < 0"), ("layers", "held_back", "biases <= 0"))),
    ("contraction", (("supports", "stay_zero", "zeros that stay zero"), ("supports", "active", "active units"))),
    ("shape", (("layers", "from_circulant", "distance from circulant"), ("layers", "degree", "degree of nesting"))),
)


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Signs, contraction and shape along training."""
    return {"training": partial(draw_training, numbers)}


@on_page
def draw_training(numbers: Numbers) -> Figure:
    """Measures of nesting along training: one thin line for each network, a thick one for their mean."""
    figure = new_figure(PAGE, 2.5)
    networks = numbers["networks"]
    epochs = [moment["epoch"] for moment in networks[0]["moments"]]
    for ax, letter, (title, series) in zip(figure.subplots(1, 3, sharey=True), "abc", PANELS, strict=True):
        for at, (group, name, label) in enumerate(series):
            _draw(ax, networks, epochs, group, name, label, at)
        ax.set(xlabel="epochs", ylim=(0, 1.25), yticks=(0, 0.25, 0.5, 0.75, 1.0))
        ax.legend(loc="upper right", ncol=1)
        put_title(ax, letter, title)
    figure.axes[0].set_ylabel("share")
    figure.axes[0].axhline(0.5, color=MUTED, lw=0.6, ls=":")
    return figure


def _draw(ax: Axes, networks: Any, epochs: list[int], group: str, name: str, label: str, at: int) -> None:
    rows = np.array([values(networks, moment, group, name) for moment in range(len(epochs))])
    places = np.arange(len(epochs))
    ax.plot(places, rows, color=SERIES[at], lw=0.4, alpha=0.5)
    ax.plot(places, rows.mean(axis=1), color=SERIES[at], marker=MARKERS[at], label=label)
    ax.set_xticks(places, [str(epoch) for epoch in epochs])
