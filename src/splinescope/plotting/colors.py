"""Colours that hold still: of activation patterns, of classes, and of numbers, safe for colour-blind readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt8

if TYPE_CHECKING:
    from splinescope.tessellation.planar.complex import PlanarComplex

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
"""Eight colours that readers with any common colour blindness tell apart (Okabe and Ito 2008), grey for black."""

FURTHER = ("#9933FF", "#33FF85")
"""Two more, of a ninth and a tenth class: the farthest from the eight among colours on which lines are seen."""

DARKEST, LIGHTEST = 0.45, 0.88
"""Lightness in OKLab between which further colours of classes are chosen."""

_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)

PATTERN_COLORS = 13
"""Number of colours of activation patterns. It is prime, so that neighbours never share one."""

PATTERN_STEP = 3
"""Least distance in the palette between cells whose patterns differ by one piece of one unit."""

PATTERN_STRENGTH = 0.5
"""How much of its colour the fill of an activation pattern keeps; the rest is white."""

CLASS_STRENGTH = 0.75
"""How much of its colour the fill of a class region keeps; the rest is white."""

SEQUENTIAL = "viridis"
"""Colour map of per-cell numbers: perceptually uniform, monotone in lightness."""


@dataclass(frozen=True)
class ColorScale:
    """How numbers become colours.

    Attributes:
        label: What the numbers are, with units.
        low: Number at the lower end of the map.
        high: Number at the upper end.
        logarithmic: Whether equal ratios, not differences, get equal steps.
        extends: Which ends of the map also stand for numbers beyond: "neither", "min", "max" or "both".
        colormap: Name of the matplotlib colour map.
    """

    label: str
    low: float
    high: float
    logarithmic: bool
    extends: str = "neither"
    colormap: str = SEQUENTIAL


def pattern_color_numbers(cells: PlanarComplex) -> Int[np.ndarray, " cells"]:
    r"""Place of each cell's activation pattern in a palette of `PATTERN_COLORS` colours.

    Unit $k$ has a fixed pseudo-random weight $r_k$ and the pattern $p$ the number $\sum_k r_k p_k \bmod 13$. So a
    colour depends on the pattern alone: it holds still from run to run and while a network trains, as long as the cell
    keeps its pattern. The weights are in $\{3, \dots, 10\}$, so that the numbers of cells that differ by one piece of
    one unit are at least 3 apart, cyclically and so in the palette's order.

    Args:
        cells: A planar complex.

    Returns:
        Numbers from 0 to 12.
    """
    units = cells.pattern_nodes[-1][2] if cells.pattern_nodes else 0
    step = max(1, (1 << 24) // max(1, units))
    chunks = [np.arange(start, min(start + step, len(cells))) for start in range(0, len(cells), step)]
    numbers = [color_numbers(cells.patterns_of(rows)) for rows in chunks]
    return np.concatenate([np.empty(0, np.int64), *numbers])


def color_numbers(patterns: UInt8[np.ndarray, "rows units"]) -> Int[np.ndarray, " rows"]:
    """Places of activation patterns in the palette; see `pattern_color_numbers`.

    Args:
        patterns: Piece of each unit.

    Returns:
        Numbers from 0 to 12.
    """
    weights = color_steps(patterns.shape[1])
    return np.rint(patterns.astype(np.float32) @ weights).astype(np.int64) % PATTERN_COLORS


def color_steps(units: int) -> Float[np.ndarray, " units"]:
    """How far each unit moves a pattern's place in the palette: a fixed hash, the finaliser of splitmix64.

    Args:
        units: Number of units.

    Returns:
        Whole numbers from 3 to 10.
    """
    z = (np.arange(units, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    choices = PATTERN_COLORS - 2 * PATTERN_STEP + 1
    return (PATTERN_STEP + (z % np.uint64(choices)).astype(np.int64)).astype(np.float32)


def pattern_palette() -> Float[np.ndarray, "13 4"]:
    """Colours of activation patterns in the order of their lightness: pale, so that lines and marks stay visible.

    Returns:
        Red, green, blue, alpha.
    """
    from matplotlib import colormaps

    colors = colormaps[SEQUENTIAL](np.linspace(0.1, 0.96, PATTERN_COLORS))
    return tinted(np.asarray(colors), PATTERN_STRENGTH)


def tinted(colors: Float[np.ndarray, "colors 4"], strength: float) -> Float[np.ndarray, "colors 4"]:
    """Colours mixed with white, so that lines and marks on them stay visible.

    Args:
        colors: Red, green, blue, alpha.
        strength: Part of the colour, from 0 (white) to 1.

    Returns:
        The paler colours.
    """
    pale = colors.copy()
    pale[:, :3] = 1 - strength * (1 - pale[:, :3])
    return pale


def class_colors(count: int) -> Float[np.ndarray, "count 4"]:
    """So many colours, of which no two are alike and none is near white or black.

    The first eight are those of Okabe and Ito, followed by a violet and a light green. Each further one is the colour
    of middle lightness that is farthest from all before it in the space OKLab (Ottosson 2020), so that the first ones
    stay the same for any count. Beyond some 20 classes a legend is no longer readable, whatever the colours.

    Args:
        count: Number of colours.

    Returns:
        Red, green, blue, alpha.
    """
    from matplotlib.colors import to_rgba_array

    base = to_rgba_array((*OKABE_ITO, *FURTHER))
    if count <= len(base):
        return base[:count]
    steps = np.linspace(0, 1, 18 if count <= 1000 else int(4 * count ** (1 / 3)))
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    places = _oklab(candidates)
    middle = (places[:, 0] > DARKEST) & (places[:, 0] < LIGHTEST)
    candidates, places = candidates[middle], places[middle]
    least = np.linalg.norm(places[:, None] - _oklab(base[:, :3]), axis=2).min(axis=1)
    colors = [*base[:, :3]]
    while len(colors) < count:
        farthest = int(np.argmax(least))
        colors.append(candidates[farthest])
        least = np.minimum(least, np.linalg.norm(places - places[farthest], axis=1))
    return np.column_stack([np.array(colors), np.ones(count)])


def colors_of_classes(present: Int[np.ndarray, " classes"]) -> Float[np.ndarray, "classes 4"]:
    """The colours of the classes that occur in a picture or a page.

    Of classes 0 to 9 each has its own colour in all pictures; where others occur, colours go by the rank among those
    that occur, so that ten of a thousand classes are told apart as well as ten of ten.

    Args:
        present: The classes that occur, ascending.

    Returns:
        Red, green, blue, alpha of each.
    """
    own = len(OKABE_ITO) + len(FURTHER)
    labels = np.asarray(present, np.int64)
    return class_colors(own)[labels] if labels.max(initial=0) < own else class_colors(len(labels))


def _oklab(colors: np.ndarray) -> np.ndarray:
    """[n, 3] lightness and two opponent axes of sRGB colours, in which equal distances look alike (Ottosson 2020)."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(linear @ np.array(_TO_CONES).T)
    return np.asarray(cones @ np.array(_TO_LAB).T)


def scale_of(
    values: Float[np.ndarray, " cells"],
    label: str,
    logarithmic: bool | None = None,
    weights: Float[np.ndarray, " cells"] | None = None,
) -> ColorScale:
    """A colour scale for per-cell numbers.

    Args:
        values: The numbers; those that are not finite do not count.
        label: What they are, with units.
        logarithmic: Whether the scale is logarithmic; None decides for it where no number is negative, at most half of
            the weight is zero, and the central 98 % of the others span more than a factor of 20. Zeros then are
            beyond its lower end.
        weights: How much of the picture each number colours, such as the cell's area; the same for all if None.

    Returns:
        The scale: from the least to the largest number, or, where few numbers would flatten the rest or the scale is
        logarithmic, over the central 98 % of the weight.
    """
    share = np.ones(len(values)) if weights is None else weights
    finite = np.isfinite(values) & (share > 0)
    positive = finite & (values > 0)
    if logarithmic is None:
        low, high = _central(values[positive], share[positive])
        most_positive = 2 * share[positive].sum() >= share[finite].sum()
        logarithmic = bool(finite.any() and (values[finite] >= 0).all() and most_positive and high > 20 * low)
    shown = positive if logarithmic else finite
    if not shown.any():
        return ColorScale(label, 0.1 if logarithmic else 0.0, 1.0, logarithmic)
    low, high = _central(values[shown], share[shown])
    least, most = float(values[shown].min()), float(values[shown].max())
    if not logarithmic and most - least <= 3 * (high - low):
        low, high = least, most
    extends = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    zeros = logarithmic and bool((finite & ~positive).any())
    beyond = extends[least < low or zeros, most > high]
    return ColorScale(label, low, max(high, low * (1 + 1e-9)), logarithmic, beyond)


def _central(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Numbers between which the central 98 % of the weight lies; (1, 1) if there is none."""
    if not len(values):
        return 1.0, 1.0
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.array([0.01, 0.99]) * reached[-1])
    low, high = values[order[np.minimum(places, len(values) - 1)]]
    return float(low), float(high)
