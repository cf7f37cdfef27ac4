"""Make the poster of the fox: `python docs/poster.py FOX.npz`, with the `fox.npz` of nmwsharp/neural-implicit-queries.

The picture is kept in `_static`, since the network is not ours to keep.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np

import splinescope
from splinescope.plotting import plot_mesh, plot_tessellation, save_figure
from splinescope.tessellation.surface import level_set

STATIC = Path(__file__).parent / "_static"
MIDDLE = -0.04
"""First coordinate of the plane that is cut, which runs through the nose and the tail."""


def draw(path: str) -> None:
    """The surface, coloured by its polygons, beside the cells of a plane through it.

    Args:
        path: The network's file.
    """
    matplotlib.use("Agg")
    from matplotlib import pyplot

    network = splinescope.load(path)
    mesh = level_set(network, splinescope.Box([-1.0] * 3, [1.0] * 3), progress=True)
    square = [[-1, -0.8], [1, -0.8], [1, 0.8], [-1, 0.8]]
    plane = splinescope.Slice([MIDDLE, 0.0, 0.0], np.eye(3)[1:], polygon=square, names=("$x_2$", "$x_3$"))
    cells = splinescope.tessellate(network, plane, progress=True)
    figure = pyplot.figure(figsize=(12, 5.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    plot_mesh(
        mesh,
        left.add_subplot(),
        color="pattern",
        up=3,
        azimuth=-25.0,
        elevation=12.0,
        box=False,
        height=1800,
        title=f"{len(mesh):,} flat polygons: all of the surface",
    )
    plot_tessellation(
        cells, "norm", right.add_subplot(), title=f"{len(cells):,} cells in the plane through nose and tail"
    )
    save_figure(figure, STATIC / "fox.png", dpi=140)


if __name__ == "__main__":
    draw(sys.argv[1])
