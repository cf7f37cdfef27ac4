"""The figure of `contraction-flow`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.figures import INK
from splinescope.plotting.page import MUTED, PAGE, SERIES, new_figure, on_page, put_title
from splinescope.preimage import contraction
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {"identity": "{} biases alone", "nested": "{} nested layers", "arbitrary": "{} arbitrary layers"}

FACES = {
    (): ("origin", "#2b2d42"),
    (0,): ("axis 1", "#e69f00"),
    (1,): ("axis 2", "#56b4e9"),
    (0, 1): ("inside", "#f4f1ea"),
}
"""Colour of each face that cells are taken to."""

NESTED, NOT = SERIES[1], "black"
"""Colours of frames."""


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Flows with frames, above the cells by where they end."""
    return {"flows": partial(draw_flows, numbers, kept)}


@on_page
def draw_flows(numbers: Numbers, kept: Kept) -> Figure:
    """For each chain the ways of points between the frames of its layers, and its cells by where they end."""
    figure = new_figure(PAGE, 5.1)
    panels = figure.subplots(2, 3)
    side = numbers["config"]["side"]
    for column, name in enumerate(TITLES):
        measured = numbers["chains"][name]
        _draw_ways(panels[0, column], kept.arrays(f"flow-{name}"), measured["nested_layers"], side)
        put_title(panels[0, column], "abc"[column], TITLES[name].format(measured["layers"]))
        _draw_ends(panels[1, column], kept.cells(f"cells-{name}", PlanarComplex))
        share = measured["shares"]["origin"]
        put_title(panels[1, column], "def"[column], f"{measured['cells']} cells, {share:.0%} to the origin")
        for ax in panels[:, column]:
            ax.set(xlim=(0, side), ylim=(0, side), xlabel="$x_1$", aspect="equal", xticks=(0, 1, 2), yticks=(0, 1, 2))
    for ax in panels[:, 0]:
        ax.set_ylabel("$x_2$")
    _draw_legends(figure)
    return figure


def _draw_ways(ax: Axes, found: dict[str, np.ndarray], nested: list[bool], side: float) -> None:
    """Arrows from layer to layer, and the cone of each layer: red if it is nested, black if not."""
    positions = found["positions"]
    for layer, (start, end) in enumerate(itertools.pairwise(positions)):
        moved = np.abs(end - start).max(axis=1) > 1e-9
        dark = 0.25 + 0.6 * layer / max(1, len(positions) - 2)
        ax.quiver(
            *start[moved].T, *(end - start)[moved].T, angles="xy", scale_units="xy", scale=1, width=0.0042,
            headwidth=4.5, headlength=5, headaxislength=4.5, color=str(0.85 - 0.75 * dark), zorder=2 + layer,
        )  # fmt: skip
    for W, b, well in zip(found["W"], found["b"], nested, strict=True):
        inverse = np.linalg.inv(W)
        apex = -inverse @ b
        for ray in inverse.T:
            far = apex + 4 * side * ray / np.linalg.norm(ray)
            ax.plot(
                *np.array([apex, far]).T, color=NESTED if well else NOT, lw=0.9, ls="-" if well else "--", zorder=12
            )
        ax.plot(*apex, "o", color=NESTED if well else NOT, ms=2.4, zorder=13)


def _draw_ends(ax: Axes, cells: PlanarComplex) -> None:
    from matplotlib.collections import PolyCollection

    last = contraction(cells).supports[-1]
    colors = [FACES[tuple(np.flatnonzero(row).tolist())][1] for row in last]
    polygons = np.split(cells.vertices[cells.cell_vertices], cells.cell_offsets[1:-1])
    ax.add_collection(PolyCollection(polygons, facecolors=colors, edgecolors=MUTED, linewidths=0.4), autolim=False)


def _draw_legends(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    frames = [
        Line2D([], [], color=NESTED, marker="o", ms=2.4, lw=0.9, label="frame of a nested layer"),
        Line2D([], [], color=NOT, marker="o", ms=2.4, lw=0.9, ls="--", label="of another one"),
    ]
    faces = [Patch(fc=color, ec=INK, lw=0.4, label=name) for name, color in FACES.values()]
    figure.legend(handles=[*frames, *faces], ncol=6, loc="outside lower center", columnspacing=1.2)
