"""The picture of the command `path`: images along the path where it lies among images, and the loss along it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from splinescope.paths.profiles import path_profile, points_along
from splinescope.plotting.figures import save_figure
from splinescope.plotting.page import new_figure, page_style
from splinescope.plotting.paths import plot_loss_profile, plot_path_strip
from splinescope.plotting.thumbnails import image_shape

if TYPE_CHECKING:
    from splinescope.network import Network
    from splinescope.paths import BentPaths, StraightPaths

_IMAGES = 9
_WIDTH = 5.6
_SAMPLES = 801
"""Points at which networks with too many breakpoints are looked at."""


def draw_path(paths: StraightPaths, bent: BentPaths | None, number: int, file: Path, title: str) -> None:
    """Draw one path into a file, without a screen.

    Args:
        paths: Straight paths.
        bent: Bent paths; None if there are none.
        number: Which path.
        file: The file.
        title: The model's name.
    """
    target, names = int(paths.targets[number]), paths.network.classes
    lines = {"straight": np.stack([paths.starts[number], paths.ends[number]])}
    if bent is not None and bent[number].method != "straight":
        lines["bent"] = bent[number].points
    shape = image_shape(paths.network.input_shape) if paths.boundary.index == 0 else None
    strips = len(lines) if shape is not None else 0
    with page_style():
        figure = new_figure(_WIDTH, 2.6 + 1.15 * strips)
        panels = figure.subplots(strips + 1, 1, height_ratios=[1.0] * strips + [2.1], squeeze=False)[:, 0]
        for ax, (name, points) in zip(panels, lines.items(), strict=False):
            if shape is not None:
                values = points_along(points, _IMAGES)
                low, high = values.min(), values.max()
                images = ((values - low) / (high - low)).reshape(-1, *shape)
                plot_path_strip(images, _shares(paths.network, values), target, names, ax=ax, title=name)
        samples = None if paths.method == "exact" else _SAMPLES
        profiles = [path_profile(paths.network, points, target, samples=samples) for points in lines.values()]
        place = "" if len(paths) == 1 else f", path {number}"
        where = "" if paths.boundary.index == 0 else f", at {paths.boundary.name}"
        called = paths.network.class_name(target)
        plot_loss_profile(profiles, list(lines), panels[-1], f"{title}{where}{place}: class {called}")
        save_figure(figure, file)


def _shares(network: Network, values: np.ndarray) -> np.ndarray:
    """Softmax of the outputs; one output is class 1 against the class 0."""
    outputs = network(values).reshape(len(values), -1)
    return softmax(np.hstack([np.zeros_like(outputs), outputs]) if outputs.shape[1] == 1 else outputs, axis=1)
