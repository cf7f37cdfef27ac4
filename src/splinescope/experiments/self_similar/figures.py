"""Figures of `self-similar`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.self_similar.panels import draw_attained, draw_curves, draw_law
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting import plot_tessellation
from splinescope.plotting.page import PAGE, bare, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The functions with their laws, and the folding networks."""
    return {"functions": partial(draw_functions, numbers, kept), "folding": partial(draw_folding, kept)}


@on_page
def draw_functions(numbers: Numbers, kept: Kept) -> Figure:
    """The functions, their pieces, their errors, and the folding networks beside their bounds."""
    figure = new_figure(PAGE, 4.3)
    top, bottom = figure.subplots(2, 3)
    config = numbers["config"]
    _draw_graphs(top, config["shown"], config["depths"][-1], kept.arrays("curves"))
    _draw_laws(bottom, np.asarray(config["depths"], dtype=np.float64), numbers["functions"])
    draw_attained(
        bottom[2],
        {
            "Montúfar 2014": np.asarray([[p["montufar"]["bound"], p["montufar"]["cells"]] for p in numbers["folds"]]),
            "Serra 2018": np.asarray([[p["serra"]["bound"], p["serra"]["cells"]] for p in numbers["folds"]]),
        },
        np.asarray([[p["serra"]["bound"], np.mean(p["random"])] for p in numbers["folds"]]),
    )
    put_title(bottom[2], "f", "folds of 1 to 4 inputs")
    return figure


def _draw_graphs(panels: Sequence[Axes], shown: Sequence[int], deepest: int, curves: Mapping[str, np.ndarray]) -> None:
    """The three functions."""
    hats, squares, takagis = ([curves[f"{name}-{m}"] for m in shown] for name in ("hat", "square", "takagi"))
    draw_curves(panels[0], hats, [f"$s = {s}$" for s in shown], stacked=True)
    put_title(panels[0], "a", "$h^{\\circ s}$, the hat composed $s$ times")
    limit = np.linspace(0, 1, 257)
    parabola = np.column_stack([limit, limit**2])
    draw_curves(panels[1], squares[:2], [f"$m = {m}$" for m in shown[:2]], under=parabola)
    put_title(panels[1], "b", "$x^2$ from $m$ hats")
    draw_curves(panels[2], takagis, [f"$m = {m}$" for m in shown], under=curves[f"takagi-{deepest}"])
    put_title(panels[2], "c", "Takagi's function")


def _draw_laws(panels: Sequence[Axes], depths: np.ndarray, functions: Mapping[str, Any]) -> None:
    """Pieces along depth, and the error of the parabola."""
    names = {"hat": "hat", "square": "$x^2$", "takagi": "Takagi"}
    pieces = {
        label: np.asarray([part["pieces"] for part in functions[name]], dtype=np.float64)
        for name, label in names.items()
    }
    laws = {"$2^s$": 2**depths, "$(2 \\cdot 2)^s$, the most": 4**depths, "one layer of $2s$ units": 2 * depths + 1}
    draw_law(panels[0], depths, pieces, laws)
    panels[0].set_xlabel("hidden layers")
    panels[0].set_ylabel("affine pieces on $[0, 1]$")
    put_title(panels[0], "d", "pieces, counted")
    errors = {"$x^2$": np.asarray([part["square_error"] for part in functions["square"]])}
    draw_law(panels[1], depths, errors, {"$2^{-2(m+1)}$": 2.0 ** (-2 * (depths + 1))})
    panels[1].set_xlabel("terms $m$")
    panels[1].set_ylabel("largest error on $[0, 1]$")
    put_title(panels[1], "e", "error, exactly")


@on_page
def draw_folding(kept: Kept) -> Figure:
    """Three networks of the same widths: two that fold, one at random."""
    figure = new_figure(PAGE, 2.5)
    panels = figure.subplots(1, 3)
    names = {"montufar": "Montúfar's folds", "serra": "Serra's folds", "random": "random weights"}
    for ax, letter, (name, title) in zip(panels, "abc", names.items(), strict=True):
        cells = kept.cells(f"picture-{name}", PlanarComplex)
        plot_tessellation(cells, ax=ax, title="", boundary=False)
        bare(ax)
        put_title(ax, letter, f"{title}: {len(cells):,} cells")
    return figure
