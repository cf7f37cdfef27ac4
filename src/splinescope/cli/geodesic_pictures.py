"""Images along a shortest path and along the straight line, one above the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from splinescope.plotting.figures import save_figure
from splinescope.plotting.page import bare, new_figure, page_style
from splinescope.plotting.thumbnails import image_shape
from splinescope.tessellation.domains.samples import embedded

if TYPE_CHECKING:
    from splinescope.network import Network
    from splinescope.riemannian import Geodesic


def image_shape_of(network: Network) -> tuple[int, int, int] | None:
    """Channels, height and width of the outputs, if they are images.

    Args:
        network: The network.

    Returns:
        The shape; None if they are none.
    """
    return image_shape(network.output_shape)


def draw_images(path: Geodesic, number: int, file: Path) -> None:
    """Draw outputs along the shortest path and along the straight line, without a screen.

    Args:
        path: The path.
        number: How many images.
        file: The file.
    """
    cells = path.cells_of_plane
    shape = image_shape_of(cells.network)
    assert shape is not None
    rows = {
        "shortest": path.along(number),
        "straight": np.linspace(path.points[0], path.points[-1], number),
    }
    outputs = {name: np.asarray(cells.network(embedded(cells.domain, points))) for name, points in rows.items()}
    low, high = min(y.min() for y in outputs.values()), max(y.max() for y in outputs.values())
    with page_style():
        figure = new_figure(0.75 * number + 0.6, 1.75)
        panels = figure.subplots(2, number, squeeze=False)
        for row, (name, values) in zip(panels, outputs.items(), strict=True):
            images = ((values - low) / max(high - low, 1e-300)).reshape(-1, *shape).transpose(0, 2, 3, 1)
            for ax, image in zip(row, images, strict=True):
                ax.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                bare(ax)
            row[0].set_ylabel(name)
        save_figure(figure, file)
