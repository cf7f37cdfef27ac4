"""The look of a printed page: figures one or two columns wide, small type, colours that everyone tells apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Literal, ParamSpec

import numpy as np
from jaxtyping import Float, Int

from splinescope.plotting.colors import OKABE_ITO
from splinescope.plotting.figures import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN = 3.3
"""Width in inches of one column of a two-column page."""

PAGE = 7.0
"""Width in inches of both columns."""

SERIES = (OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[2], OKABE_ITO[6], OKABE_ITO[1], OKABE_ITO[0])
"""Colours of lines: those of Okabe and Ito that are dark enough for thin lines, the most different ones first."""

MARKERS = ("o", "s", "^", "D", "v", "P")
"""Markers that go with `SERIES`, so that no series is told by its colour alone."""

MUTED = "#6d6d72"
"""Colour of bounds, references and notes."""

_STYLE = {
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.borderaxespad": 0.3,
    "legend.labelspacing": 0.3,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlepad": 5.0,
    "axes.labelpad": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.6,
}

P = ParamSpec("P")


@contextmanager
def page_style() -> Iterator[None]:
    """Give what is drawn inside the block the look of a printed page."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        yield


def on_page(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorate a function that draws a figure: it then draws in the style of the page.

    Args:
        draw: The function.

    Returns:
        The same in the style.
    """

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with page_style():
            return draw(*args, **kwargs)

    return styled


def new_figure(width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained") -> Figure:
    """An empty figure that belongs to no screen.

    Args:
        width: Width in inches.
        height: Height in inches.
        layout: "constrained", or "compressed" for panels of equal aspect.

    Returns:
        The figure; its layout keeps labels from overlapping.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.03, h_pad=0.03, wspace=0.05, hspace=0.05)  # type: ignore[call-arg]
    return figure


def put_title(ax: Axes, letter: str, title: str) -> None:
    """Title of a panel, with its letter.

    Args:
        ax: Axes.
        letter: The letter, such as "a".
        title: The title.
    """
    ax.set_title(f"$\\bf{{{letter}}}$  {title}", loc="left")


def draw_points(
    ax: Axes, points: Float[np.ndarray, "points 2"], labels: Int[np.ndarray, " points"], size: float = 2.2
) -> None:
    """Mark data of a plane problem, classes told by colour and shape.

    Args:
        ax: Axes.
        points: Where they are.
        labels: Class of each.
        size: Size of the markers in points.
    """
    for label in np.unique(labels):
        marker, color = MARKERS[label % len(MARKERS)], SERIES[label % len(SERIES)]
        rows = labels == label
        ax.plot(*points[rows].T, marker, ms=size, mfc=color, mec="white", mew=0.25, zorder=4)


def bare(ax: Axes) -> None:
    """Take ticks and labels off axes that show a plane, and close their frame.

    Args:
        ax: Axes.
    """
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("")
    ax.set_ylabel("")
    for spine in ax.spines.values():
        spine.set_visible(True)
