"""What generators make: a sheet of images, outlines, or points of the plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.plotting.colors import OKABE_ITO
from splinescope.plotting.figures import INK, new_axes
from splinescope.plotting.thumbnails import image_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 100
"""Images or outlines on one sheet."""


def sample_kind(shape: tuple[int, ...]) -> str | None:
    """How outputs of a shape can be shown.

    Args:
        shape: Of one output.

    Returns:
        "points", "outlines" (a list of points of the plane), "images"; or None if in no such way.
    """
    if shape == (2,):
        return "points"
    if len(shape) == 2 and shape[1] == 2 and shape[0] > 2:
        return "outlines"
    return "images" if image_shape(shape) is not None else None


def plot_samples(outputs: Any, ax: Axes | None = None, *, columns: int | None = None, title: str = "") -> Axes:
    """Draw what a generator makes: a sheet of images or outlines, row by row, or points of the plane.

    All images share one scale from the least value to the largest.

    Args:
        outputs: [n, *shape] outputs: grey or colour images, flat or not, [n, k, 2] outlines, or [n, 2] points. Of
            images and outlines the first 100 are drawn.
        ax: Axes; new ones if None.
        columns: Images or outlines of one row.
        title: Title.

    Returns:
        The axes. Nothing is shown or saved.

    Raises:
        InvalidInputError: If there are no outputs, or they have another shape.

    Cost: linear in the number of numbers drawn.

    Example:
        >>> plot_samples(np.zeros((6, 1, 8, 8)), title="six").get_title()
        'six'
    """
    values = np.asarray(outputs, np.float64)
    kind = sample_kind(values.shape[1:]) if values.ndim > 1 and len(values) else None
    if kind is None:
        raise InvalidInputError(
            f"`outputs`: got shape {values.shape}; expected [n, ...] images, [n, k, 2] outlines or [n, 2] points"
        )
    if kind == "points":
        return _points(values, ax, title)
    values = values[:MOST]
    height, width = 1.0, 1.0
    if kind == "images":
        shape = image_shape(values.shape[1:])
        assert shape is not None
        height, width = shape[1] / max(shape[1:]), shape[2] / max(shape[1:])
        values = values.reshape(-1, *shape)
    else:
        spans = np.ptp(values.reshape(-1, 2), axis=0)
        height, width = np.maximum(spans[::-1], 1e-300) / spans.max() + 0.02
    columns = min(len(values), columns or max(1, round(math.sqrt(len(values) * height / width))))
    rows = -(-len(values) // columns)
    if ax is None:
        side = 6.0 / max(columns * width, rows * height)
        ax = new_axes(max(2.2, columns * width * side), rows * height * side + 0.35)
    ax.set_axis_off()
    ax.set_title(title)
    (_images if kind == "images" else _outlines)(ax, values, columns)
    return ax


def _points(values: np.ndarray, ax: Axes | None, title: str) -> Axes:
    ax = new_axes() if ax is None else ax
    size = float(np.clip(60 / math.sqrt(len(values)), 0.8, 8.0))
    ax.scatter(values[:, 0], values[:, 1], s=size, c=OKABE_ITO[4], lw=0, alpha=0.6, rasterized=len(values) > 5000)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel("output $y_1$")
    ax.set_ylabel("output $y_2$")
    ax.set_title(title)
    return ax


def _images(ax: Axes, values: np.ndarray, columns: int) -> None:
    """One picture of all images, one pixel apart."""
    low, high = values.min(), values.max()
    values = (values - low) / (high - low if high > low else 1.0)
    _, channels, height, width = values.shape
    rows = -(-len(values) // columns)
    sheet = np.ones((rows * (height + 1) - 1, columns * (width + 1) - 1, channels))
    for number, image in enumerate(values):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    ax.imshow(np.broadcast_to(sheet, (*sheet.shape[:2], 3)), interpolation="nearest")


def _outlines(ax: Axes, values: np.ndarray, columns: int) -> None:
    """Outlines of one scale, side by side."""
    low, spans = values.min(axis=(0, 1)), np.ptp(values, axis=(0, 1)) * 1.08
    for number, outline in enumerate(values - low):
        shift = np.array([number % columns, -(number // columns)]) * spans
        ax.fill(*(outline + shift).T, fc=OKABE_ITO[1], ec=INK, lw=0.5, alpha=0.8)
    ax.set_aspect("equal")
