"""The figure of `nested-cones`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, new_figure, on_page
from splinescope.plotting.scenes import cone_in_cube, draw_faces, new_scene, set_scene
from splinescope.preimage import Circulant, dual_basis, layer_preimage
from splinescope.preimage.faces import faces_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {"identity": "identity: boxes", "narrow": "a nested cone", "wide": "a widened cone"}

SIDE = 2.4
"""Side of the cubes."""

ONE, TWO, THREE = SERIES[4], SERIES[0], SERIES[2]
"""Colours of preimages of outputs with one, two and three zeros."""


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The cones with preimages, and what their angle does."""
    return {"cones": partial(draw_cones, numbers)}


@on_page
def draw_cones(numbers: Numbers) -> Figure:
    """Three cones with the preimages of points of their faces, lengths of preimages, and degrees of nesting."""
    figure = new_figure(PAGE, 4.6)
    bias = numbers["config"]["bias"]
    for column, (letter, (name, title)) in enumerate(zip("abc", TITLES.items(), strict=True)):
        panel = new_scene(figure, (0.01 + 0.33 * column, 0.44, 0.31, 0.51), letter, title)
        _draw_cone(panel, Circulant(np.array(numbers["faces"][name]["kernel"]), bias))
    _draw_key(figure)
    _draw_lengths(new_scene(figure, (0.03, 0.0, 0.45, 0.385), "d", "preimage of $(t, 0)$", flat=True), numbers["axis"])
    _draw_degrees(new_scene(figure, (0.51, 0.0, 0.45, 0.385), "e", "degree of nesting", flat=True), numbers["degrees"])
    return figure


def _draw_cone(panel: Any, layer: Circulant) -> None:
    """The cone's faces, pale; preimages of points on them, dark."""
    basis = dual_basis(layer.matrix, layer.bias)
    cone = cone_in_cube(basis.apex, -basis.rays, 0.0, SIDE)
    assert cone is not None
    sides = [face for face in faces_of(cone) if np.abs(face - basis.apex).max(axis=1).min() < 1e-9]
    draw_faces(panel, sides, MUTED, alpha=0.16, line=0.3, zorder=1)
    origin = layer_preimage(layer.matrix, layer.bias, np.zeros(3))
    if origin is not None:
        draw_faces(panel, faces_of(origin), THREE, alpha=0.75, zorder=3)
    steps = np.array([0.35, 0.8, 1.25, 1.7])
    for unit in range(3):
        for t in steps:
            _draw_preimage(panel, layer, t * np.eye(3)[unit], TWO)
            for s in steps[::2]:
                output = np.roll([t, s, 0.0], unit)
                _draw_preimage(panel, layer, output, ONE)
    set_scene(panel, 0.0, SIDE, view=(24.0, 38.0), zoom=0.96)


def _draw_preimage(panel: Any, layer: Circulant, output: np.ndarray, color: str) -> None:
    found = layer_preimage(layer.matrix, layer.bias, output)
    if found is None:
        return
    inside = found.cut(np.column_stack([np.eye(3), np.full(3, -SIDE)]))
    if inside is not None:
        draw_faces(panel, faces_of(inside), color, alpha=0.85, line=0.3, zorder=4)


def _draw_key(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], color=ONE, lw=1.6, label="preimages of outputs with one zero"),
        Patch(fc=TWO, label="with two zeros"),
        Patch(fc=THREE, label="of the origin"),
        Patch(fc=MUTED, alpha=0.3, label="faces of the cone"),
    ]
    figure.legend(handles=handles, ncol=4, loc="center", bbox_to_anchor=(0.5, 0.435), columnspacing=1.4)


def _draw_lengths(ax: Any, axis: Any) -> None:
    for at, row in enumerate(axis["entries"]):
        t, lengths = np.array(axis["outputs"]), np.array(row["lengths"])
        ax.plot(t, lengths, color=SERIES[at], marker=MARKERS[at], markevery=6, label=f"$q = {row['entry']:g}$")
    ax.set(xlabel="$t$", ylabel="length in the quadrant", xlim=(0, None), ylim=(0, None))
    ax.legend(ncol=2, loc="upper right")
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])


def _draw_degrees(ax: Any, found: Any) -> None:
    for at, (size, degrees) in enumerate(found["degrees"].items()):
        style = {"color": SERIES[at], "marker": MARKERS[at], "markevery": 2, "drawstyle": "steps-mid"}
        ax.plot(found["entry"], degrees, label=f"$d = {size}$", **style)
    ax.axvline(0.0, color=MUTED, lw=0.6)
    ax.set(xlabel="entry $q$ off the diagonal", ylabel="share of index sets", ylim=(0, 1.06))
    ax.legend(loc="lower left")
