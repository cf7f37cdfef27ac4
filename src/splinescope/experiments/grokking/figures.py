"""Figures of `grokking`, and the animation of its slice."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from splinescope.experiments.grokking.moments import complexity, moments_of
from splinescope.experiments.grokking.panels import draw_log, draw_moment, draw_shares, label_moments
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.observers import saved_frames
from splinescope.plotting import animate
from splinescope.plotting.page import PAGE, bare, new_figure, on_page, put_title
from splinescope.tessellation.files import load_complex

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from splinescope.tessellation.planar.complex import PlanarComplex


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Curves over training, and the slice at three moments where it is exact."""
    curves: dict[str, Callable[[], Figure]] = {"training": partial(draw_training, numbers)}
    return curves | ({"slices": partial(draw_slices, numbers, kept)} if _is_exact(numbers) else {})


def animations(numbers: Numbers, kept: Kept) -> dict[str, Callable[[Path], object]]:
    """The slice from step to step, where it is exact."""

    def write(path: Path) -> None:
        animate(_frames(kept), path, "norm")

    return {"training.gif": write} if _is_exact(numbers) else {}


def _is_exact(numbers: Numbers) -> bool:
    return "tiles/cells" in numbers["rows"][0]


def _frames(kept: Kept) -> dict[int, Path]:
    return saved_frames(kept.folder("training") / "frames")


@on_page
def draw_training(numbers: Numbers) -> Figure:
    """Local complexity and accuracies over training; local complexity at every radius; cells and slopes."""
    rows, moments, config = numbers["rows"], moments_of(numbers), numbers["config"]
    exact = _is_exact(numbers)
    figure = new_figure(PAGE, 4.4)
    grid = figure.add_gridspec(2, 2 if exact else 1, height_ratios=(1.15, 1.0))
    top = figure.add_subplot(grid[0, :])
    steps = np.array([row["step"] for row in rows])

    def column(key: str) -> np.ndarray:
        return np.array([row[key] for row in rows], dtype=np.float64)

    sets = {f"{name} points": column(complexity(name, config["radius"])) for name in ("train", "test", "random")}
    draw_log(top, steps, sets, "local complexity")
    label_moments(top, moments.steps())
    shares = {"train": column("train/accuracy"), "test": column("test/accuracy")}
    shares |= {f"attacked, ε = {e:g}": column(f"attacked {e:g}/accuracy") for e in config["epsilons"][-2:]}
    draw_shares(top, steps, shares)
    put_title(top, "a", f"local complexity in neighbourhoods of radius {config['radius']:g}, and accuracies")
    below = figure.add_subplot(grid[1, 0])
    every = {f"$r$ = {radius:g}": column(complexity("train", radius)) for radius in config["radii"]}
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
def draw_slices(numbers: Numbers, kept: Kept) -> Figure:
    """The slice at each moment, coloured by the slope of the network along it, with one scale."""
    moments, frames = moments_of(numbers), _frames(kept)
    captions = moments.captions(numbers["rows"])
    cells = [cast("PlanarComplex", load_complex(frames[step])) for step in moments.steps().values()]
    figure = new_figure(PAGE, 2.75, "compressed")
    panels = figure.subplots(1, len(cells))
    draw_moment(panels, cells)
    for letter, ax, name in zip("abc", panels, captions, strict=True):
        bare(ax)
        put_title(ax, letter, name)
        ax.set_xlabel(captions[name], fontsize=7.5)
    return figure
