"""The picture of numbers that have no place: how they are distributed, one panel for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.plotting.figures import INK, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FILL = "#8fb3d9"
_MOST = 4
"""Panels of a picture."""
_RATIO = 100.0
"""Largest by least number beyond which a panel is logarithmic."""
_BINS = 30


def plot_numbers(columns: Mapping[str, Any], ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw how numbers are distributed: bars of whole numbers, else histograms, logarithmic where they span decades.

    Args:
        columns: Numbers of any shape by what they are, with their units; the first four are drawn.
        ax: Axes that the picture fills; new ones if None. Its parts are in axes of their own, the children of these.
        title: Title.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If there are no numbers.

    Cost: linear in the numbers.

    Example:
        >>> plot_numbers({"area": np.arange(5.0)}, title="five").get_title()
        'five'
    """
    found = {}
    for name, column in columns.items():
        numbers = np.asarray(column).ravel()
        numbers = numbers[np.isfinite(numbers)] if numbers.dtype.kind in "biuf" else numbers[:0]
        if len(numbers):
            found[name] = numbers
    shown = list(found.items())[:_MOST]
    if not shown:
        raise InvalidInputError("`columns`: got no numbers; expected an array with some")
    ax = new_axes(3.1 * len(shown) + 0.3, 2.9) if ax is None else ax
    ax.set_axis_off()
    width = 1.0 / (len(shown) + 0.35 * (len(shown) - 1))
    for number, (name, numbers) in enumerate(shown):
        _panel(ax.inset_axes((1.35 * number * width, 0.0, width, 1.0)), name, numbers)
    ax.set_title(title)
    return ax


def _panel(ax: Axes, name: str, numbers: np.ndarray) -> None:
    """One histogram, with the median marked."""
    from matplotlib.ticker import MaxNLocator

    style: dict[str, Any] = {"color": _FILL, "edgecolor": INK, "linewidth": 0.4}
    low, high = float(numbers.min()), float(numbers.max())
    if numbers.dtype.kind in "biu" and high - low < _BINS:
        values, counts = np.unique(numbers.astype(np.int64), return_counts=True)
        ax.bar(values, counts, width=0.9, **style)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    elif low > 0 and high > _RATIO * low:
        ax.hist(numbers, bins=np.geomspace(0.999 * low, 1.001 * high, _BINS + 1).tolist(), **style)
        ax.set_xscale("log")
    else:
        ax.hist(numbers, bins=_BINS, range=(low, high) if high > low else (low - 0.5, high + 0.5), **style)
    ax.axvline(float(np.median(numbers)), color=INK, lw=0.9, ls=(0, (4, 3)))
    ax.set_xlabel(name)
    ax.set_ylabel("count")
    ax.margins(x=0.02)
