"""A surface as seen from one side, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from splinescope.plotting.colors import ColorScale
from splinescope.plotting.raster import Camera


@dataclass(frozen=True)
class MeshPicture:
    """A surface as seen from one side.

    Attributes:
        image: [height, width, 4] red, green, blue, alpha; the first row is at the bottom.
        frame: [2, 3] lower and upper ends of the box around what is shown.
        extent: Left, right, bottom, top of the image, in units of the domain.
        camera: From where it is seen.
        depth: [rows, columns] how far towards the viewer, at the samples of the image.
        scale: The scale of the numbers behind the colours, or None.
        classes: Classes that occur, where the colours are of classes.
    """

    image: Float[np.ndarray, "height width 4"]
    frame: Float[np.ndarray, "2 3"]
    extent: tuple[float, float, float, float]
    camera: Camera
    depth: Float[np.ndarray, "rows columns"]
    scale: ColorScale | None = None
    classes: tuple[int, ...] = ()

    def in_front(self, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
        """Which of some points the surface does not hide."""
        x, y, z = self.camera.project(points).T
        left, right, bottom, top = self.extent
        rows, columns = self.depth.shape
        row = np.clip(((y - bottom) / (top - bottom) * rows).astype(np.int64), 0, rows - 1)
        column = np.clip(((x - left) / (right - left) * columns).astype(np.int64), 0, columns - 1)
        return z >= self.depth[row, column]
