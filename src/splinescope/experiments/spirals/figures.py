"""The figures of `spirals`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.experiments.spirals.claims import NAMES, of, roughness
from splinescope.plotting.page import MARKERS, PAGE, SERIES, bare, draw_points, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The spirals through one network of each kind, and what all networks do on average."""
    return {"layers": partial(draw_layers, numbers, kept), "ways": partial(draw_ways, numbers)}


@on_page
def draw_layers(numbers: Numbers, kept: Kept) -> Figure:
    """Images of the spirals at some layers of four networks, each panel in its own scale."""
    figure = new_figure(PAGE, 3.9)
    layers, absent = numbers["config"]["layers"], numbers["config"]["absent"]
    chosen = _chosen(layers, absent)
    rows = figure.subplots(len(NAMES), len(chosen), squeeze=False)
    titles = {"absent": f"$C^1$, no identity\nin layer {absent}"}
    for row, name in zip(rows, NAMES, strict=True):
        arrays = kept.arrays(f"layers-{name}")
        for ax, layer in zip(row, chosen, strict=True):
            draw_points(ax, arrays["values"][layer], arrays["labels"], 1.2)
            ax.set_box_aspect(1)
            bare(ax)
            if name == "plain":
                ax.set_title("input" if layer == 0 else f"layer {layer}")
        row[0].set_ylabel(titles.get(name, NAMES[name]))
    return figure


def _chosen(layers: int, absent: int) -> list[int]:
    """Layers that are shown: the first, the last, those around the one that lacks its identity, and some between."""
    wanted = {absent - 1, absent, absent + 1, *np.linspace(0, layers, 6).round().astype(int).tolist()}
    return sorted(k for k in wanted if 0 <= k <= layers)


@on_page
def draw_ways(numbers: Numbers) -> Figure:
    """Steps and their changes by layer, the roughness of every network, and crossings of the classes."""
    figure = new_figure(PAGE, 2.5)
    steps, changes, rough, crossings = figure.subplots(1, 4, width_ratios=(1.2, 1.2, 1.0, 1.2))
    for number, name in enumerate(NAMES):
        own = of(numbers, name)
        label = NAMES[name] if name != "absent" else f"$C^1$, no identity in layer {numbers['config']['absent']}"
        _line(steps, 1.0, np.array([np.array(one["steps"]) / np.sum(one["steps"]) for one in own]), number, label)
        _line(changes, 1.5, np.array([np.array(one["changes"]) / np.sum(one["steps"]) for one in own]), number, label)
        if name != "plain":  # injective: what seems to cross there is too thin for polylines
            _line(crossings, 0.0, np.array([np.array(one["crossings"]) > 0 for one in own], float), number, label, True)
        values = np.array([roughness(one) for one in own])
        spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
        rough.plot(number + spread, values, MARKERS[number], ms=2.8, color=SERIES[number], mec="white", mew=0.25)
        rough.plot([number - 0.3, number + 0.3], [np.median(values)] * 2, color=SERIES[number])
    for ax, title, label in (
        (steps, "steps", "share of the way"), (changes, "changes of steps", "by length of the way"),
        (crossings, "classes crossed", "share of networks"),
    ):  # fmt: skip
        ax.set(xlabel="layer", ylabel=label, ylim=(0, None))
        ax.xaxis.get_major_locator().set_params(integer=True)
        put_title(ax, {"steps": "a", "changes of steps": "b"}.get(title, "d"), title)
    crossings.set_ylim(-0.04, 1.04)
    rough.set(ylabel="changes by steps", ylim=(0, None), xlim=(-0.6, 3.6))
    rough.set_xticks(range(4), ["$C^0$", "$C^1$", "$C^2$", "$C^1$,\nno id."])
    put_title(rough, "c", "roughness")
    figure.legend(*steps.get_legend_handles_labels(), ncols=4, loc="outside lower center")
    return figure


def _line(ax: Axes, first: float, values: np.ndarray, number: int, label: str, mean: bool = False) -> None:
    """Medians by layer with quartiles; or means."""
    places = first + np.arange(values.shape[1])
    middle = values.mean(axis=0) if mean else np.median(values, axis=0)
    ax.plot(places, middle, marker=MARKERS[number], ms=2.8, color=SERIES[number], label=label)
    if not mean:
        ax.fill_between(places, *np.quantile(values, (0.25, 0.75), axis=0), color=SERIES[number], alpha=0.15, lw=0)
