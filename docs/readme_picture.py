"""Make the pictures of the README and of the front page, by a real run: `make readme-picture`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib

import splinescope
from splinescope.cli import main
from splinescope.plotting import plot_tessellation, save_figure

STATIC = Path(__file__).parent / "_static"


def draw_pair(cells: splinescope.PolyhedralComplex, path: Path) -> None:
    """One plane twice: the classes, and the norm of each cell's map with a part enlarged.

    Args:
        cells: The plane.
        path: File to write.
    """
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11.2, 4.7), layout="compressed")
    plot_tessellation(cells, "class", left)
    part = ((1.8, -0.4), (2.6, 0.4))  # below the place where the three classes meet
    plot_tessellation(
        cells, "norm", right, title="norm of each affine map", anchors=False, inset=part, logarithmic=True
    )
    save_figure(figure, path, dpi=160)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        if main(["demo", "--out", folder]) == 0:
            draw_pair(splinescope.open(Path(folder) / "complex.npz"), STATIC / "digits.png")
