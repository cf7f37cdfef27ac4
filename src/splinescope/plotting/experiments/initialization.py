"""Folds layer by layer, and maps of how dense they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from splinescope.plotting.colors import OKABE_ITO, SEQUENTIAL
from splinescope.plotting.data import fold_lines
from splinescope.plotting.experiments.style import SERIES
from splinescope.plotting.figures import frame_slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.image import AxesImage

    from splinescope.tessellation.planar.complex import PlanarComplex

EARLIER = "#a9a9b0"
"""Colour of the folds of earlier layers."""

DATA = OKABE_ITO[5]
"""Colour of data over folds and density maps."""


def draw_layer_folds(ax: Axes, cells: PlanarComplex, layer: int) -> None:
    """Folds of one layer in blue over those of the layers before it in grey.

    Args:
        ax: Axes.
        cells: The complex of a network that ends with this layer's activation, or later.
        layer: Number of the layer, from 0 at the input.
    """
    from matplotlib.collections import LineCollection

    frame_slice(ax, cells, "")
    lines = fold_lines(cells)
    for rows, color, width in (
        (lines.layers < layer, EARLIER, 0.5),
        (lines.layers == layer, SERIES[0], 1.1),
    ):
        drawn = LineCollection(list(lines.segments[rows]), colors=color, linewidths=width, capstyle="round", zorder=2)
        ax.add_collection(drawn, autolim=False)


def draw_density_map(
    ax: Axes, density: Float[np.ndarray, "rows columns"], half: float, norm: Normalize, points: Float[np.ndarray, "n 2"]
) -> AxesImage:
    """A density over a square around the origin, and the data on it.

    Args:
        ax: Axes.
        density: Values at the centres of a grid; the first row is the lowest.
        half: Half the side of the square.
        norm: How values become colours.
        points: The data.

    Returns:
        The image, for a colour bar.
    """
    image = ax.imshow(density, origin="lower", extent=(-half, half, -half, half), norm=norm, cmap=SEQUENTIAL)
    ax.plot(*points.T, "o", ms=1.7, mfc="white", mec="black", mew=0.3, zorder=3)
    ax.set_xlim(-half, half)
    ax.set_ylim(-half, half)
    ax.set_aspect("equal")
    return image
