"""The folder that a run leaves: picture, arrays, decision boundary, summary."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from splinescope.cli.summary import compares_outputs, summarise
from splinescope.errors import InvalidInputError
from splinescope.storage import write_arrays, write_json
from splinescope.tessellation.boundary import decision_boundary
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.statistics import cell_statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATISTICS = {
    "perimeter": ("perimeters", "perimeter of the cell (input units)"),
    "diameter": ("diameters", "diameter of the cell (input units)"),
    "eccentricity": ("eccentricities", "eccentricity of the cell"),
    "corners": ("corners", "corners of the cell"),
}
"""Colourings beyond those of `plot_tessellation`: the statistic and its label."""


@dataclass(frozen=True)
class Wanted:
    """What a run should compute and leave.

    Attributes:
        out: Folder for the results.
        color: What the colours of cells mean.
        classes: Outputs that compete for the decision boundary; all if None.
        boundary: Whether to draw the decision boundary.
        picture_format: "png", "svg" or "pdf".
        verify: Level of the certificate.
        max_cells: Cell budget.
        memory: Memory budget in bytes.
        store: Folder for finished parts.
        title: Name of the model in the picture's title.
    """

    out: Path
    color: str = "pattern"
    classes: list[int] | None = None
    boundary: bool = True
    picture_format: str = "png"
    verify: str = "values"
    max_cells: int | None = None
    memory: int | None = None
    store: Path | None = None
    title: str = ""

    def make_folder(self) -> None:
        """Make the folder for the results, before any long work.

        Raises:
            InvalidInputError: If it cannot be made or written to.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInputError(f"`--out`: {self.out} cannot be made a folder: {error.strerror}") from error
        if not os.access(self.out, os.W_OK):
            raise InvalidInputError(f"`--out`: {self.out} cannot be written to")


def leave(cells: PlanarComplex, wanted: Wanted, about: dict[str, Any]) -> dict[str, Any]:
    """Write the picture, the arrays, the decision boundary and the summary.

    Args:
        cells: The complex.
        wanted: What to leave and where.
        about: What else the summary should say; goes first.

    Returns:
        The summary.
    """
    compares = compares_outputs(cells.network, wanted.classes)
    boundary = decision_boundary(cells, wanted.classes) if compares else None
    facts = about | summarise(cells, wanted.classes, boundary)
    picture = f"picture.{wanted.picture_format}"
    facts["files"] = {"picture": picture, "arrays": "complex.npz"}
    _draw(cells, wanted, compares, wanted.out / picture)
    cells.save(wanted.out / "complex.npz")
    if boundary is not None:
        facts["files"]["boundary"] = "boundary.npz"
        arrays = {name: getattr(boundary, name) for name in ("segments", "classes", "cells")}
        write_arrays(wanted.out / "boundary.npz", arrays, compress=True)
    facts["files"]["summary"] = "summary.json"
    write_json(wanted.out / "summary.json", facts)
    return facts


def _draw(cells: PlanarComplex, wanted: Wanted, compares: bool, path: Path) -> None:
    """Draw the picture into a file, without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from splinescope.plotting import save_figure

    figure = cast("Figure", _axes(cells, wanted, compares).figure)
    try:
        save_figure(figure, path)
    finally:
        pyplot.close(figure)


def _axes(cells: PlanarComplex, wanted: Wanted, compares: bool) -> Axes:
    """The axes with everything drawn."""
    from splinescope.plotting import plot_decision_boundary, plot_tessellation
    from splinescope.plotting.layers import draw_boundary

    count = f"{len(cells):,} cell{'' if len(cells) == 1 else 's'}"
    title = f"{wanted.title}: {'at least ' if cells.truncated else ''}{count}"
    classes = wanted.classes
    if wanted.color == "class" and classes is not None:
        return plot_decision_boundary(cells, classes, title=title)
    label = None
    color: Any = wanted.color
    if color in STATISTICS:
        name, label = STATISTICS[color]
        color = getattr(cell_statistics(cells), name)
    draws = wanted.boundary and compares
    ax = plot_tessellation(cells, color, boundary=draws and classes is None, label=label, title=title)
    if draws and classes is not None:
        draw_boundary(ax, decision_boundary(cells, classes))
    return ax
