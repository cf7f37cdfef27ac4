"""The figure of `dual-basis`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import MUTED, PAGE, SERIES, new_figure, on_page
from splinescope.plotting.scenes import cone_in_cube, cube_rows, draw_arrow, draw_faces, new_scene, set_scene
from splinescope.preimage import Circulant, DualBasis, dual_basis, polytope
from splinescope.preimage.faces import faces_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HALF = 1.6
"""Half the side of the cubes."""

OUTPUTS = {
    "b": ((0.6, 0.5, 0.0), (1.1, 0.0, 0.7), (0.0, 1.0, 0.9)),
    "c": ((0.8, 0.0, 0.0), (0.0, 0.8, 0.0), (0.0, 0.0, 0.8)),
    "d": ((0.0, 0.0, 0.0),),
}
"""Outputs whose preimages are shown in each panel."""


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Planes, preimages and a circulant cone."""
    return {"preimages": partial(draw_preimages, numbers)}


@on_page
def draw_preimages(numbers: Numbers) -> Figure:
    """Planes in general position with their dual basis, the preimages of seven outputs, and circulant cones."""
    figure = new_figure(PAGE, 4.7)
    basis = dual_basis(*numbers["planes"])
    places = [(0.01 + 0.33 * column, row, 0.31, 0.43) for row in (0.52, 0.02) for column in range(3)]
    titles = ("three planes, dual basis", "one zero: rays", "two zeros: sectors", "three zeros: a cone")
    for letter, title, place in zip("abcd", titles, places, strict=False):
        panel = new_scene(figure, place, letter, title)
        _draw_planes(panel, basis, 0.42 if letter == "a" else 0.14)
        if letter == "a":
            for at, ray in enumerate(basis.rays):
                _draw_ray(panel, basis.apex, ray, SERIES[at], f"$e_{at + 1}$")
        for at, y in enumerate(OUTPUTS.get(letter, ())):
            _draw_fan(panel, basis, np.array(y), SERIES[at])
        set_scene(panel, -HALF, HALF)
    _draw_circulant(
        new_scene(figure, places[4], "e", "a circulant cone"),
        Circulant(np.array(numbers["cone"][0]), numbers["cone"][1]),
    )
    _draw_angles(new_scene(figure, places[5], "f", "angles to the identity line", flat=True), numbers["angles"])
    return figure


def _draw_planes(panel: Any, basis: DualBasis, alpha: float) -> None:
    for at, row in enumerate(np.column_stack([basis.weight, basis.bias])):
        shape = polytope(cube_rows(-HALF, HALF), row[None])
        assert shape is not None
        draw_faces(panel, faces_of(shape), SERIES[at], alpha=alpha, line=0.3, zorder=1)


def _draw_ray(panel: Any, start: np.ndarray, ray: np.ndarray, color: str, label: str) -> None:
    end = start + 1.15 * ray / np.linalg.norm(ray)
    draw_arrow(panel, start, end, color, width=1.8)
    panel.text(*(end + 0.3 * (end - start)), label, color=color, ha="center", va="center", fontsize=8)


def _draw_fan(panel: Any, basis: DualBasis, output: np.ndarray, color: str) -> None:
    fan = basis.preimage(output)
    shape = cone_in_cube(fan.point, fan.rays, -HALF, HALF)
    if shape is not None:
        draw_faces(panel, faces_of(shape), color, alpha=0.75, line=0.5)
    panel.plot(*fan.point, "o", color=color, ms=3.2, mec="white", mew=0.4, zorder=9)


def _draw_circulant(panel: Any, layer: Circulant) -> None:
    """A cone around the identity line, its planes' common point and its rays."""
    basis = dual_basis(layer.matrix, layer.bias)
    shape = cone_in_cube(basis.apex, -basis.rays, 0.0, 2.2)
    assert shape is not None
    faces = [face for face in faces_of(shape) if np.abs(face - basis.apex).max(axis=1).min() < 1e-9]
    draw_faces(panel, faces, SERIES[0], alpha=0.5)
    panel.plot(*np.array([[0.0] * 3, [2.2] * 3]).T, "--", color=MUTED, lw=1.0)
    panel.plot(*basis.apex, "o", color=SERIES[1], ms=3.5, zorder=9)
    for at, ray in enumerate(basis.rays):
        end = basis.apex + 0.75 * ray / np.linalg.norm(ray)
        draw_arrow(panel, basis.apex, end, SERIES[1], width=1.5)
        panel.text(*(end + 0.3 * (end - basis.apex)), f"$e_{at + 1}$", color=SERIES[1], fontsize=8, ha="center")
    set_scene(panel, 0.0, 2.2, view=(24.0, 15.0), zoom=0.95)


def _draw_angles(ax: Any, angles: Any) -> None:
    for name, label, color in (("plane", "planes", SERIES[0]), ("ray", "rays", SERIES[1])):
        ax.plot(angles["entry"], angles[name], color=color, label=label, ls="-" if name == "plane" else "--")
    ax.axvline(0.0, color=MUTED, lw=0.6)
    ax.text(0.02, 88, "identity", va="center", fontsize=6.5, color=MUTED)
    ax.set(xlabel="$q$ of the kernel $(1, q, q)$", ylabel="degrees", ylim=(0, 92), yticks=(0, 30, 60, 90))
    ax.legend(loc="lower right")
