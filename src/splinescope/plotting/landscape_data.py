"""What pictures of loss landscapes show: contours and profiles, computed once and drawn separately."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.landscape import LossGrid, LossLine, LossPlane

LEVELS = 22
"""Contours of a picture."""

_RATIO = 20.0
"""Ratio of the largest and the least loss beyond which levels have equal ratios."""

_FINE = 400
"""Points along each side of the raster from which contours of an exact plane are drawn."""

_PER_PIECE = 4
"""Points of a profile on each piece, where there are few pieces."""


@dataclass(frozen=True, eq=False)
class Contours:
    """Values on a grid, and the levels of their contours.

    Attributes:
        x: Coordinates along the first axis.
        y: Coordinates along the second one.
        values: [x, y] losses; NaN where they are not finite.
        levels: Ascending levels.
        logarithmic: Whether these have equal ratios.
        extends: Which ends of the scale also stand for losses beyond: "neither" or "max".
    """

    x: Float[np.ndarray, " nx"]
    y: Float[np.ndarray, " ny"]
    values: Float[np.ndarray, "nx ny"]
    levels: Float[np.ndarray, " levels"]
    logarithmic: bool
    extends: str


@dataclass(frozen=True, eq=False)
class Profile:
    """A loss along a line.

    Attributes:
        t: Places, ascending.
        values: Losses.
        minima: [m, 2] places and losses of local minima; empty where they are not known exactly.
        kinks: Whether each of them is a kink.
        breakpoints: Where it bends.
    """

    t: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]
    minima: Float[np.ndarray, "m 2"]
    kinks: Float[np.ndarray, " m"]
    breakpoints: Float[np.ndarray, " b"]


def window(plane: LossPlane) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]:
    """Lowest and highest coordinates of what a picture shows: the domain, or of one that is cut short its cells."""
    shown = plane.cells.vertices if plane.cells.truncated else plane.cells.domain.polygon
    return shown.min(axis=0), shown.max(axis=0)


def contours(grid: LossGrid | LossPlane, levels: int = LEVELS, logarithmic: bool | None = None) -> Contours:
    """Values and levels of a picture.

    Args:
        grid: A grid in two dimensions, or an exact plane.
        levels: Number of levels.
        logarithmic: Whether levels have equal ratios; None decides for it where losses are positive and span more than
            a factor of 20.

    Returns:
        The contours. Few very large losses are cut off, so that they do not flatten the rest.

    Raises:
        InvalidInputError: If the grid is a line, or no loss is finite.
    """
    if isinstance(grid, LossPlane):
        low, high = window(grid)
        x, y = (np.linspace(a, b, _FINE) for a, b in zip(low, high, strict=True))
        values = grid(np.stack(np.meshgrid(x, y, indexing="ij"), axis=2)).reshape(_FINE, _FINE)
    elif len(grid.axes) == 2:
        (x, y), values = grid.axes, np.where(np.isfinite(grid.values), grid.values, np.nan)
    else:
        raise InvalidInputError("`grid`: got a line; expected two dimensions; draw lines with `plot_loss_profiles`")
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise InvalidInputError("`grid`: no loss is finite; expected some that are")
    least, most = float(finite.min()), float(finite.max())
    if logarithmic is None:
        logarithmic = least > 0 and most > _RATIO * least
    top = float(np.quantile(finite, 0.99))
    cut = most > least + 3 * (top - least)
    top = max(top if cut else most, least + 1e-12 * max(1.0, abs(least)))
    ends = np.geomspace(max(least, 1e-300), top, levels) if logarithmic else np.linspace(least, top, levels)
    return Contours(x, y, values, ends, logarithmic, "max" if cut else "neither")


def profile(line: LossLine | LossGrid) -> Profile:
    """Points of a picture of a loss along a line: of an exact one all breakpoints, and points between.

    Args:
        line: An exact line, or a grid in one dimension.

    Returns:
        The profile.

    Raises:
        InvalidInputError: If the grid has two dimensions.
    """
    none = np.empty(0)
    if isinstance(line, LossLine):
        low, high = line.interval
        inner = line.breakpoints[:: max(1, len(line.breakpoints) // 20_000)]
        ends = np.unique([low, *inner, high])
        fine = np.concatenate([np.linspace(a, b, _PER_PIECE, endpoint=False) for a, b in itertools.pairwise(ends)])
        t = np.unique(np.concatenate([np.linspace(low, high, 1001), fine[:80_000], ends]))
        minima = np.array(line.minima, np.float64).reshape(-1, 2)
        kinks = np.isin(minima[:, 0], line.breakpoints).astype(np.float64)
        return Profile(t, line(t), minima, kinks, line.breakpoints)
    if len(line.axes) != 1:
        raise InvalidInputError("`lines`: got a grid in two dimensions; expected lines; draw it with `plot_landscape`")
    order = np.argsort(line.axes[0])
    return Profile(line.axes[0][order], line.values[order], np.empty((0, 2)), none, none)
