"""What a picture of a complex shows, computed once and drawn separately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from splinescope.errors import InvalidInputError
from splinescope.generative import cell_log_volumes
from splinescope.plotting.colors import (
    CLASS_STRENGTH,
    ColorScale,
    colors_of_classes,
    pattern_color_numbers,
    pattern_palette,
    scale_of,
    tinted,
)
from splinescope.tessellation.affine import norms
from splinescope.tessellation.boundary import class_regions
from splinescope.tessellation.folds import folds

if TYPE_CHECKING:
    from matplotlib.colors import Normalize

    from splinescope.tessellation.planar.complex import PlanarComplex

COLORINGS = ("pattern", "norm", "class", "area", "log-volume")


@dataclass(frozen=True)
class FilledPolygons:
    """Polygons and their colours.

    Attributes:
        points: Corners, one polygon after the other.
        offsets: Where each polygon starts in `points`; the last entry is its length.
        colors: Red, green, blue, alpha of each polygon.
        scale: The scale of the numbers behind the colours, or None.
        classes: Classes that share the colours, ascending; empty unless the colours are of classes.
    """

    points: Float[np.ndarray, "points 2"]
    offsets: Int[np.ndarray, " polygons_plus_one"]
    colors: Float[np.ndarray, "polygons 4"]
    scale: ColorScale | None = None
    classes: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class FoldLines:
    """Edges of a complex by the layer that made them.

    Attributes:
        segments: Ends of each fold.
        layers: Layer of each fold, from 0 at the input.
        names: Name of the node of each layer.
    """

    segments: Float[np.ndarray, "folds 2 2"]
    layers: Int[np.ndarray, " folds"]
    names: tuple[str, ...]

    def widths(self, points_per_unit: float, area: float) -> Float[np.ndarray, " layers"]:
        """Line width of each layer in points: first layers thickest, all thin enough to leave most of the paper bare.

        Args:
            points_per_unit: Scale of the picture.
            area: Area of the domain in the units of the segments.

        Returns:
            One width per layer.
        """
        count = max(1, len(self.names))
        relative = np.linspace(1.0, 0.4, count) if count > 1 else np.array([0.8])
        steps = self.segments[:, 1] - self.segments[:, 0]
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        ink = float((lengths * relative[self.layers]).sum()) * points_per_unit
        paper = area * points_per_unit**2
        return relative * min(1.0, 0.16 * paper / max(ink, 1e-300))


def fill_cells(
    cells: PlanarComplex,
    color: str | Shaped[np.ndarray, " cells"] = "pattern",
    classes: Sequence[int] | None = None,
    colormap: str | None = None,
    logarithmic: bool | None = None,
    among: Sequence[int] | None = None,
) -> FilledPolygons:
    """Polygons of a picture of a complex, and their colours.

    Args:
        cells: A planar complex.
        color: "pattern" (by activation pattern), "norm" (spectral norm of the affine map along the slice), "class" (the
            exact region of each class, which cuts cells), "area", "log-volume" (of what a generator stretches the cell
            by), or one number per cell.
        classes: Outputs that compete for the class regions; all if None.
        colormap: Colour map of numbers; the usual one if None.
        logarithmic: Whether numbers have a logarithmic scale; what they ask for if None.
        among: Classes that share the colours, as those of all frames of a film; those that occur here if None.

    Returns:
        The polygons.

    Raises:
        InvalidInputError: If `color` is none of these.
    """
    if isinstance(color, str) and color == "class":
        regions = class_regions(cells, classes)
        present = np.unique(regions.classes if among is None else np.asarray(among, np.int64))
        rank = np.minimum(np.searchsorted(present, regions.classes), len(present) - 1)
        fills = tinted(colors_of_classes(present), CLASS_STRENGTH)[rank]
        return FilledPolygons(regions.points, regions.offsets, fills, None, tuple(present.tolist()))
    points, offsets = cells.vertices[cells.cell_vertices], np.asarray(cells.cell_offsets)
    if isinstance(color, str) and color == "pattern":
        return FilledPolygons(points, offsets, pattern_palette()[pattern_color_numbers(cells)])
    values, scale = _numbers(cells, color, logarithmic)
    scale = scale if colormap is None else replace(scale, colormap=colormap)
    return FilledPolygons(points, offsets, colors_of(values, scale), scale)


def fold_lines(cells: PlanarComplex) -> FoldLines:
    """Folds of a complex as lines, last layers first so that the first end up on top.

    Args:
        cells: A planar complex.

    Returns:
        The lines.
    """
    made = folds(cells)
    order = np.argsort(-made.layers, kind="stable")
    return FoldLines(cells.vertices[cells.edges[made.edges[order]]], made.layers[order], made.names)


def colors_of(values: Float[np.ndarray, " cells"], scale: ColorScale) -> Float[np.ndarray, "cells 4"]:
    """Colours of numbers.

    Args:
        values: Numbers.
        scale: Their scale.

    Returns:
        Red, green, blue, alpha; light grey where a number is not finite.
    """
    from matplotlib import colormaps

    colors = np.asarray(colormaps[scale.colormap](norm_of(scale)(values)))
    colors[~np.isfinite(values)] = (0.85, 0.85, 0.85, 1.0)
    return colors


def norm_of(scale: ColorScale) -> Normalize:
    """The matplotlib normalisation of a scale.

    Args:
        scale: The scale.

    Returns:
        A clipping `LogNorm` or `Normalize`.
    """
    from matplotlib.colors import LogNorm, Normalize

    kind = LogNorm if scale.logarithmic else Normalize
    return kind(scale.low, scale.high, clip=True)


def _numbers(cells: PlanarComplex, color: object, logarithmic: bool | None) -> tuple[np.ndarray, ColorScale]:
    """One number per cell, and its scale."""
    if isinstance(color, str):
        if color == "norm":
            values = norms(cells)
            return values, scale_of(values, "spectral norm of $A$ (output per input unit)", logarithmic, cells.measures)
        if color == "area":
            values = np.asarray(cells.measures)
            return values, scale_of(
                values, "area of the cell (input units squared)", logarithmic is not False, cells.measures
            )
        if color == "log-volume":
            return _log_volumes(cells)
        raise InvalidInputError(
            f"`color`: got {color!r}; expected one of {', '.join(map(repr, COLORINGS))}, or one number per cell"
        )
    values = np.asarray(color, dtype=np.float64)
    if values.shape != (len(cells),):
        raise InvalidInputError(
            f"`color`: got an array of shape {values.shape}; expected ({len(cells)},), one per cell"
        )
    return values, scale_of(values, "value", logarithmic, cells.measures)


def _log_volumes(cells: PlanarComplex) -> tuple[np.ndarray, ColorScale]:
    """Logarithms of the factors by which a generator stretches cells; grey where it flattens them."""
    outputs = int(np.prod(cells.network.output_shape))
    if outputs < cells.dimension:
        raise InvalidInputError(
            f"`color`: a network of {outputs} output has no volume on {cells.dimension} dimensions; expected at least "
            "as many outputs, or another colouring"
        )
    values = cell_log_volumes(cells)
    return values, scale_of(values, r"log volume, $\log\sqrt{\det A^T A}$", False, cells.measures)
