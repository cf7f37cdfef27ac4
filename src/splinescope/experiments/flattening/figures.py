"""Figures of `flattening`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.flattening.claims import KINDS
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import PAGE, new_figure, on_page
from splinescope.plotting.scenes import draw_faces, new_scene, set_scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#e8e2d0", "#3a7ca5", "#c8553d")
"""Colours of patches that become the inside, an edge and a corner of the triangle."""

NAMES = ("its inside", "an edge", "a corner")


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Both sides of the map, and the surfaces layer by layer."""
    return {"surface": partial(draw_surface, numbers, kept), "layers": partial(draw_layers, numbers, kept)}


@on_page
def draw_surface(numbers: Numbers, kept: Kept) -> Figure:
    """The triangle of outputs and the surface that nested layers flatten into it."""
    figure = new_figure(PAGE, 3.6)
    layers, patches = numbers["config"]["layers"], numbers["nested"]["patches"]
    left = new_scene(figure, (0.0, 0.1, 0.4, 0.8), "a", "outputs: one triangle")
    right = new_scene(figure, (0.4, 0.08, 0.58, 0.83), "b", f"inputs: {patches} patches that {layers} layers flatten")
    _draw_triangle(left, numbers["config"]["level"])
    _draw_patches(right, kept.arrays("patches-nested-0"), "x", 0.92)
    _draw_key(figure)
    return figure


@on_page
def draw_layers(numbers: Numbers, kept: Kept) -> Figure:
    """The surface behind each layer, for both kernels."""
    figure = new_figure(PAGE, 4.1)
    layers, level = numbers["config"]["layers"], numbers["config"]["level"]
    width = 1.0 / (layers + 1)
    letters = iter("abcdefghijklmnop")
    for row, kind in enumerate(KINDS):
        for layer in range(layers + 1):
            found = kept.arrays(f"patches-{kind}-{layer}")
            count = len(found["zeros"])
            where = "inputs" if layer == 0 else f"behind layer {layer}" if layer < layers else "outputs"
            place = (width * layer, 0.52 - 0.46 * row, 0.98 * width, 0.42)
            title = f"{where}: {count}" if layer < layers else where
            panel = new_scene(figure, place, next(letters), title)
            if layer == layers:
                _draw_triangle(panel, level)
            else:
                _draw_patches(panel, found, "x" if layer == 0 else "y", 0.86)
    _draw_key(figure)
    return figure


def _draw_triangle(panel: Any, level: float) -> None:
    """The outputs: corners and edges in the colours of what becomes of patches."""
    corners = level * np.eye(3)
    draw_faces(panel, [corners], COLORS[0], zorder=3, line=0.0)
    for start, end in ((0, 1), (1, 2), (2, 0)):
        panel.plot(*corners[[start, end]].T, color=COLORS[1], lw=2.2, zorder=4)
    panel.plot(*corners.T, "o", color=COLORS[2], ms=5, zorder=5)
    set_scene(panel, 0.0, 1.25 * level, name="y", view=(24.0, 38.0), zoom=0.86)


def _draw_patches(panel: Any, found: dict[str, np.ndarray], name: str, zoom: float) -> None:
    faces = np.split(found["corners"], found["offsets"][1:-1])
    draw_faces(panel, faces, [COLORS[zeros] for zeros in found["zeros"]], alpha=1.0, line=0.5)
    set_scene(panel, 0.0, float(found["corners"].max()), name=name, view=(24.0, 38.0), zoom=zoom)


def _draw_key(figure: Figure) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(fc=color, ec="black", lw=0.4, label=name) for color, name in zip(COLORS, NAMES, strict=True)]
    figure.legend(
        handles=handles, ncol=3, loc="lower center", title="what a patch becomes of the triangle", title_fontsize=7
    )
