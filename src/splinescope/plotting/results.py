"""The picture of any result: which function draws what, one table; what has no place is drawn as its numbers."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.errors import SplinescopeError
from splinescope.plotting.figures import figure_of
from splinescope.plotting.numbers import plot_numbers
from splinescope.shown import Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PICTURES = {
    "BettiProfile": "betti:plot_betti_profile",
    "DecisionBoundary": "outlines:plot_boundary",
    "DistanceField": "geodesics:plot_distances",
    "Domain": "outlines:plot_domain",
    "Geodesic": "geodesics:plot_geodesic",
    "LossLine": "landscape:plot_loss_line",
    "LossPlane": "landscape:plot_loss_plane",
    "NetworkComparison": "comparison:plot_comparison",
    "PolyhedralComplex": "complexes:plot_cells",
    "Preimage": "preimages:plot_preimage",
    "RegionTopology": "betti:plot_region",
    "SegmentBatch": "complexes:plot_cells",
    "SliceBatch": "complexes:plot_cells",
    "SpaceGeodesic": "geodesics:plot_space_geodesic",
    "SurfaceMesh": "meshes:plot_mesh",
}
"""Who draws a result, by the name of its class or of one that it derives from."""

_PLACES = ("offsets", "points", "cells", "which", "index", "indices", "numbers", "ends", "sources", "twins", "corners")
"""Ends of the names of fields that say where something is, and are no measures."""

_DOTS = 55
"""Dots per inch of a thumbnail."""

_PIXELS = 260
"""Height of what is drawn as an image in a thumbnail."""


def plot_result(result: Shown, **options: Any) -> Axes:
    """Draw a result: by the picture of its kind, or else how its numbers are distributed.

    Args:
        result: A result of this library.
        **options: Those of the picture of its kind; of numbers those of `plot_numbers`.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If there is nothing to draw.

    Cost: that of the picture.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_result(cells.affine_maps()).get_title()
        'AffineMaps'
    """
    draw = _picture_of(result)
    if draw is not None:
        axes: Axes = draw(result, **options)
        return axes
    return plot_numbers(numbers_of(result), **({"title": type(result).__name__} | options))


def _picture_of(result: Any) -> Callable[..., Any] | None:
    """The function that draws a result; None for results without a place."""
    for kind in type(result).__mro__:
        if kind.__name__ in _PICTURES and kind.__module__.startswith("splinescope."):
            module, _, name = _PICTURES[kind.__name__].partition(":")
            draw: Callable[..., Any] = getattr(import_module(f"splinescope.plotting.{module}"), name)
            return draw
    return None


def numbers_of(result: Any) -> dict[str, np.ndarray]:
    """What is measured in a result: arrays of several numbers, of rows their norms; real numbers before whole ones.

    Args:
        result: A dataclass.

    Returns:
        Arrays by what they are.
    """
    found: dict[str, np.ndarray] = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if not hasattr(value, "dtype") or field.name.endswith(_PLACES):
            continue
        numbers = np.asarray(value)
        if numbers.dtype.kind not in "biuf" or numbers.size < 2:
            continue
        if numbers.ndim == 1:
            found[field.name] = numbers
        elif numbers.dtype.kind == "f":
            found[f"norm of {field.name}"] = np.linalg.norm(numbers.reshape(len(numbers), -1), axis=1)
    return dict(sorted(found.items(), key=lambda item: item[1].dtype.kind != "f"))


def _small(result: Any) -> dict[str, Any]:
    """Options that make the picture of what is drawn pixel by pixel a small one."""
    drawn = {"SurfaceMesh", "SpatialComplex"} & {kind.__name__ for kind in type(result).__mro__}
    return {"height": _PIXELS} if drawn and result.domain.dimension == 3 else {}


def thumbnail(result: Shown) -> str:
    """A small PNG of a result as a data address; empty where it has no picture.

    Args:
        result: A result.

    Returns:
        The address.
    """
    from matplotlib import pyplot

    try:
        axes = plot_result(result, **_small(result))
    except SplinescopeError:
        return ""
    figure, buffer = figure_of(axes), BytesIO()
    try:
        figure.savefig(buffer, format="png", dpi=_DOTS)
    finally:
        pyplot.close(figure)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
