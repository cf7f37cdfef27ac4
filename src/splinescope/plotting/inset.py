"""A part of a picture of a plane, enlarged in a corner of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Zoom = Sequence[Sequence[int | float]]
"""Lower left and upper right corner of the part that is enlarged, in the picture's coordinates."""

_SIZE = 0.42
"""Side of the enlargement, as a share of the picture's."""


def draw_inset(ax: Axes, inset: Zoom, draw: Callable[[Axes], object]) -> Axes:
    """Draw a part of a picture again, enlarged, in the corner that is farthest from it.

    Args:
        ax: Axes whose limits are set.
        inset: The part.
        draw: Draws the layers into axes whose limits are set.

    Returns:
        The axes of the enlargement.

    Raises:
        InvalidInputError: If the corners are not two points of the picture, the first below and left of the second.
    """
    limits = np.array([ax.get_xlim(), ax.get_ylim()]).T
    part = np.asarray(inset, np.float64)
    if part.shape != (2, 2) or not (np.isfinite(part).all() and (part[0] < part[1]).all()):
        raise InvalidInputError(f"`inset`: got {inset!r}; expected the lower left and the upper right corner")
    if (part[0] >= limits[1]).any() or (part[1] <= limits[0]).any():
        raise InvalidInputError(
            f"`inset`: from {part[0].tolist()} to {part[1].tolist()} is outside the picture, which goes from "
            f"{limits[0].tolist()} to {limits[1].tolist()}"
        )
    span = part[1] - part[0]
    shape = _SIZE * span / (limits[1] - limits[0]) / float((span / (limits[1] - limits[0])).max())
    place = (part.mean(axis=0) - limits[0]) / (limits[1] - limits[0])
    low = np.where(place < 0.5, 0.98 - shape, 0.02)
    box = ax.inset_axes((float(low[0]), float(low[1]), float(shape[0]), float(shape[1])), zorder=8)
    box.set_xlim(part[0, 0], part[1, 0])
    box.set_ylim(part[0, 1], part[1, 1])
    box.set_xticks([])
    box.set_yticks([])
    box.set_facecolor("white")
    draw(box)
    ax.indicate_inset_zoom(box, edgecolor="white", alpha=1.0, lw=1.8, zorder=7.5)
    return box
