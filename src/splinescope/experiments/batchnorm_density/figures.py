"""Figures of `batchnorm-density`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.colors import SEQUENTIAL
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, bare, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

LABELS = {"zero": "zero biases", "random": "random biases", "batchnorm": "batch-norm"}


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Maps of the density, ratios at the data, least squares and jitter."""
    return {
        "density": partial(draw_maps, numbers, kept),
        "ratios": partial(draw_ratios, numbers),
        "least-squares": partial(draw_fits, numbers),
    }


@on_page
def draw_maps(numbers: Numbers, kept: Kept) -> Figure:
    """Density of the folds of some layers, one row for each kind of biases, on one logarithmic scale, with the data.

    Counts of a few folds are grainy; each pixel shows the mean over the 3 x 3 grid points around it.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator

    shown, grid, half = (numbers["config"][key] for key in ("shown", "grid", "half"))
    maps = {row: kept.arrays(f"map-{row}")["density"].reshape(grid, grid, -1) for row in LABELS}
    data = kept.arrays("data")["points"]
    columns = [layer - 1 for layer in shown]
    chosen = np.stack([uniform_filter(image[..., columns], (3, 3, 0), mode="nearest") for image in maps.values()])
    low, high = np.quantile(chosen[chosen > 0], [0.02, 0.998])
    norm = LogNorm(float(low), float(high))
    figure = new_figure(PAGE, 0.92 * PAGE * len(maps) / len(shown), "compressed")
    panels = figure.subplots(len(maps), len(shown), squeeze=False)
    image = None
    for row, (name, ax_row) in enumerate(zip(maps, panels, strict=True)):
        for column, ax in enumerate(ax_row):
            values = np.maximum(chosen[row, ..., column], low)
            image = draw_density_map(ax, values, half, norm, data)
            bare(ax)
        ax_row[0].set_ylabel(LABELS[name])
    for letter, layer, ax in zip("abcdefgh", shown, panels[0], strict=False):
        put_title(ax, letter, f"layer {layer}")
    if image is not None:
        bar = figure.colorbar(
            image, ax=panels, fraction=0.03, pad=0.015, extend="both", ticks=LogLocator(subs=(1, 2, 5))
        )
        bar.ax.yaxis.set_major_formatter("{x:,g}")
        bar.ax.minorticks_off()
        bar.set_label("folds of the layer that cross a unit of length")
    return figure


def draw_density_map(
    ax: Axes, density: Float[np.ndarray, "rows columns"], half: float, norm: Normalize, points: Float[np.ndarray, "n 2"]
) -> AxesImage:
    """A density over a square around the origin, and the data on it.

    Args:
        ax: Axes.
        density: Values at the centres of a grid; the first row is the lowest.
        half: Half the side of the square.
        norm: How values become colours.
        points: The data.

    Returns:
        The image, for a colour bar.
    """
    image = ax.imshow(density, origin="lower", extent=(-half, half, -half, half), norm=norm, cmap=SEQUENTIAL)
    ax.plot(*points.T, "o", ms=1.7, mfc="white", mec="black", mew=0.3, zorder=3)
    ax.set_xlim(-half, half)
    ax.set_ylim(-half, half)
    ax.set_aspect("equal")
    return image


@on_page
def draw_ratios(numbers: Numbers) -> Figure:
    """Density at the data over that in the window, layer by layer: the wide network, the exact one, the star moved."""
    figure = new_figure(PAGE, 2.3)
    panels = figure.subplots(1, 3, sharey=True)
    titles = {"local": "wide, local formula", "exact": "narrow, exact", "away": "narrow, star moved"}
    for ax, letter, (kind, title) in zip(panels, "abc", titles.items(), strict=True):
        _draw_rows(ax, {name: entry["ratio"] for name, entry in numbers[kind].items()})
        ax.axhline(1.0, color=MUTED, lw=0.7, ls=(0, (4, 2)), zorder=1)
        put_title(ax, letter, title)
    panels[0].set_ylabel("density at the data / in the window")
    panels[0].legend(loc="upper left")
    panels[0].set_ylim(bottom=0.0)
    return figure


@on_page
def draw_fits(numbers: Numbers) -> Figure:
    """Squared distances over the least possible, units with data on both sides, and jitter, layer by layer."""
    figure = new_figure(PAGE, 2.3)
    excess, sides, jitter = figure.subplots(1, 3)
    fits = numbers["fits"]
    _draw_rows(excess, {name: entry["excess"] for name, entry in fits.items()})
    excess.set_yscale("log")
    excess.set_ylabel("squared distance / least possible")
    excess.legend(loc="upper left")
    put_title(excess, "a", "total least squares")
    _draw_rows(sides, {name: 100 * np.asarray(entry["both_sides"]) for name, entry in fits.items()})
    sides.set_ylim(0, 105)
    sides.set_ylabel("units with data on both sides, %")
    put_title(sides, "b", "folds among the data")
    for number, (name, label) in enumerate((("alone", "inputs held still"), ("together", "as in training"))):
        values = numbers["jitter"][name]
        _draw_line(jitter, values, label, 3 + number)
    jitter.axhline(1.0, color=MUTED, lw=0.7, ls=(0, (4, 2)), zorder=1)
    jitter.set_ylim(bottom=0.0)
    jitter.set_ylabel("measured / predicted")
    jitter.legend(loc="center right")
    put_title(jitter, "c", "jitter of mini-batches")
    return figure


def _draw_rows(ax: Axes, rows: Mapping[str, Any]) -> None:
    """One line for each kind of biases."""
    for number, (name, values) in enumerate(rows.items()):
        _draw_line(ax, values, LABELS[name], number)


def _draw_line(ax: Axes, values: Any, label: str, number: int) -> None:
    layers = np.arange(1, len(values) + 1)
    ax.plot(layers, values, label=label, color=SERIES[number], marker=MARKERS[number])
    ax.set_xticks(layers[::2] if len(layers) > 6 else layers)
    ax.set_xlabel("layer")
