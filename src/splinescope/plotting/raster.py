"""Triangles in space as pixels: which triangle is in front at each pixel of a parallel projection, and how far away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True)
class Camera:
    """A parallel projection.

    Attributes:
        right: [3] unit vector to the right of the picture.
        up: [3] unit vector to its top.
        towards: [3] unit vector towards the viewer.
    """

    right: np.ndarray
    up: np.ndarray
    towards: np.ndarray

    @classmethod
    def at(cls, elevation: float, azimuth: float, up: int = 3) -> Camera:
        """A viewer above the plane of two coordinates; angles in degrees, as in matplotlib.

        Args:
            elevation: Angle between the viewer and the plane.
            azimuth: Angle of the viewer in the plane, counter-clockwise seen from above.
            up: The coordinate that points up, 1 to 3, or -1 to -3 if it points down.

        Returns:
            The camera.
        """
        e, a = np.deg2rad(elevation), np.deg2rad(azimuth)
        axes = np.roll(np.eye(3), abs(up) % 3, axis=1)
        if up < 0:
            axes = axes * np.array([[1.0], [-1.0], [-1.0]])
        towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)]) @ axes
        right = np.array([-np.sin(a), np.cos(a), 0.0]) @ axes
        return cls(right, np.cross(towards, right), towards)

    @property
    def frame(self) -> np.ndarray:
        """[3, 3] the rows right, up, towards."""
        return np.stack([self.right, self.up, self.towards])

    def project(self, points: np.ndarray) -> np.ndarray:
        """[n, 3] places to the right, up and towards the viewer."""
        return points @ self.frame.T


@dataclass(frozen=True)
class Pixels:
    """What is in front at each pixel; the first row is at the bottom.

    Attributes:
        triangle: [height, width] triangle, -1 for none.
        depth: [height, width] how far towards the viewer, -inf for nothing.
    """

    triangle: np.ndarray
    depth: np.ndarray


def rasterize(corners: np.ndarray, height: int, width: int) -> Pixels:
    """Which of some triangles is nearest to the viewer at the centre of each pixel.

    Args:
        corners: [T, 3, 3] corners of the triangles: column and row in pixels, and towards the viewer.
        height: Number of rows.
        width: Number of columns.

    Returns:
        The pixels.
    """
    pixels = Pixels(np.full((height, width), -1, np.int32), np.full((height, width), -np.inf))
    _fill(np.ascontiguousarray(corners), pixels.triangle, pixels.depth)
    return pixels


@njit(cache=True, nogil=True)
def _fill(corners: np.ndarray, triangle: np.ndarray, depth: np.ndarray) -> None:
    height, width = depth.shape
    for t in range(len(corners)):
        x0, y0, z0 = corners[t, 0]
        x1, y1, z1 = corners[t, 1]
        x2, y2, z2 = corners[t, 2]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0:
            continue
        first_row = max(0, int(np.ceil(min(y0, y1, y2) - 0.5)))
        last_row = min(height - 1, int(np.floor(max(y0, y1, y2) - 0.5)))
        first = max(0, int(np.ceil(min(x0, x1, x2) - 0.5)))
        last = min(width - 1, int(np.floor(max(x0, x1, x2) - 0.5)))
        for row in range(first_row, last_row + 1):
            y = row + 0.5
            for column in range(first, last + 1):
                x = column + 0.5
                a = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) / area
                b = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) / area
                c = 1.0 - a - b
                if a < 0.0 or b < 0.0 or c < 0.0:
                    continue
                z = a * z0 + b * z1 + c * z2
                if z > depth[row, column]:
                    depth[row, column] = z
                    triangle[row, column] = t
