"""Figures of `grokking`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.grokking_claims import Moments, complexity
from splinescope.plotting.experiments.style import PAGE, bare, new_figure, on_page, put_title
from splinescope.plotting.experiments.training import draw_log, draw_moment, draw_shares, label_moments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from splinescope.experiments.grokking import Settings
    from splinescope.tessellation.planar.complex import PlanarComplex


@on_page
def draw_training(settings: Settings, rows: Sequence[Mapping[str, Any]], moments: Moments) -> Figure:
    """Local complexity and accuracies over training; local complexity at every radius; cells and slopes."""
    exact = "tiles/cells" in rows[0]
    figure = new_figure(PAGE, 4.4)
    grid = figure.add_gridspec(2, 2 if exact else 1, height_ratios=(1.15, 1.0))
    top = figure.add_subplot(grid[0, :])
    steps = np.array([row["step"] for row in rows])

    def column(key: str) -> np.ndarray:
        return np.array([row[key] for row in rows], dtype=np.float64)

    sets = {f"{name} points": column(complexity(name, settings.radius)) for name in ("train", "test", "random")}
    draw_log(top, steps, sets, "local complexity")
    label_moments(top, moments.steps())
    shares = {"train": column("train/accuracy"), "test": column("test/accuracy")}
    shares |= {f"attacked, ε = {e:g}": column(f"attacked {e:g}/accuracy") for e in settings.epsilons[-2:]}
    draw_shares(top, steps, shares)
    put_title(top, "a", f"local complexity in neighbourhoods of radius {settings.radius:g}, and accuracies")
    below = figure.add_subplot(grid[1, 0])
    every = {f"$r$ = {radius:g}": column(complexity("train", radius)) for radius in settings.radii}
    relative = {name: values / values[0] for name, values in every.items() if values[0] > 0}
    draw_log(below, steps, relative, "relative to the start", logarithmic=True)
    label_moments(below, moments.steps(), names=False)
    put_title(below, "b", "at training images, at every radius")
    if exact:
        beside = figure.add_subplot(grid[1, 1])
        tiles = column("tiles/cells")
        norm = column("norm train/median")
        distance = column("distance/median")
        told = {"cells in the slice": tiles, "slope at training images": norm, "cell to boundary": distance}
        draw_log(
            beside, steps, {name: values / values[moments.interpolation] for name, values in told.items()},
            "relative to interpolation",
            logarithmic=True,
        )  # fmt: skip
        label_moments(beside, moments.steps(), names=False)
        put_title(beside, "c", "the slice, and the slope of the network")
    return figure


@on_page
def draw_slices(cells: Mapping[str, PlanarComplex], captions: Mapping[str, str]) -> Figure:
    """The slice at each moment, coloured by the slope of the network along it, with one scale."""
    figure = new_figure(PAGE, 2.75, "compressed")
    panels = figure.subplots(1, len(cells))
    draw_moment(panels, list(cells.values()))
    for letter, ax, name in zip("abc", panels, cells, strict=True):
        bare(ax)
        put_title(ax, letter, name)
        ax.set_xlabel(captions[name], fontsize=7.5)
    return figure
