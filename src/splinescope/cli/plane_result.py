"""What is left of the cells of a plane: the picture, the arrays, the decision boundary and the facts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.cli.classes import class_name
from splinescope.cli.descriptions import certificate_line
from splinescope.cli.run import Facts, Files, Run, drawing
from splinescope.storage import write_arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.network import Network
    from splinescope.tessellation.boundary import DecisionBoundary
    from splinescope.tessellation.planar.complex import PlanarComplex

STATISTICS = {
    "perimeter": ("perimeters", "perimeter of the cell (input units)"),
    "diameter": ("diameters", "diameter of the cell (input units)"),
    "eccentricity": ("eccentricities", "eccentricity of the cell"),
    "corners": ("corners", "corners of the cell"),
}
"""Colourings beyond those of `plot_tessellation`: the statistic and its label."""

_FEW = 2000
"""Cells up to which each can have a colour of its own that is seen."""

_MOST = 1000
"""Outputs beyond which comparing them all is no classification that a picture could show."""


_MOST_OF_FEW = 100
"""The same for networks that make more numbers than they are given."""


@dataclass(frozen=True)
class Picture:
    """What the picture shows.

    Attributes:
        title: What was tessellated.
        color: What the colours of cells mean; what fits the cells if None.
        classes: Outputs that compete for the decision boundary; all if None.
        boundary: Whether to draw the decision boundary.
        format: "png", "svg" or "pdf".
        view: Whether to leave a page to look around in.
        colormap: Colour map of numbers, or None for the usual one.
        logarithmic: Whether numbers have a logarithmic scale; what they ask for if None.
    """

    title: str
    color: str | None = None
    classes: list[int] | None = None
    boundary: bool = True
    format: str = "png"
    view: bool = False
    colormap: str | None = None
    logarithmic: bool | None = None


def leave_cells(
    run: Run, cells: PlanarComplex, picture: Picture, more: Mapping[str, Any] | None = None, others: Files | None = None
) -> None:
    """Leave the picture, the arrays, the decision boundary and the summary of cells.

    Args:
        run: The run.
        cells: The complex.
        picture: What the picture shows.
        more: What else the summary should say; goes first.
        others: Further files.
    """
    from splinescope.tessellation.boundary import decision_boundary

    picture = replace(picture, color=picture.color or fitting_color(cells))
    compares = picture.classes is not None or is_classifier(cells.network)
    try:
        with run.phase("finding", "the decision boundary"):
            boundary = decision_boundary(cells, picture.classes) if compares else None
        with run.phase("measuring", "the cells"):
            facts = _facts(cells, picture.classes, boundary)
    except KeyboardInterrupt:
        files: Files = {"arrays": ("complex.npz", cells.save)}
        few = {"cells": len(cells), "truncated": cells.truncated}
        run.leave(cells.network, cells.certificate, {**(more or {}), **few}, files, _few_lines)
        return
    files = {
        "picture": (f"picture.{picture.format}", drawing(lambda: _draw(cells, picture, boundary))),
        "arrays": ("complex.npz", cells.save),
    }
    if picture.view:
        files["view"] = ("view.html", lambda path: _explore(cells, picture, path))
    if boundary is not None:
        arrays = {name: getattr(boundary, name) for name in ("segments", "classes", "cells")}
        files["boundary"] = ("boundary.npz", lambda path: write_arrays(path, arrays, compress=True))
    files.update(others or {})
    run.leave(cells.network, cells.certificate, {**(more or {}), **facts}, files, _lines)


def _explore(cells: PlanarComplex, picture: Picture, path: Path) -> None:
    """Write the page; it starts with the colours of the picture, where it has them."""
    from splinescope.generative import cell_log_volumes
    from splinescope.tessellation.statistics import cell_statistics
    from splinescope.viewer import explore

    values = {}
    if picture.color in STATISTICS:
        values = {picture.color: getattr(cell_statistics(cells), STATISTICS[picture.color][0])}
    elif picture.color == "log-volume":
        logs = cell_log_volumes(cells)
        values = {picture.color: np.where(np.isfinite(logs), logs, np.nan)}
    explore(cells, path, color=picture.color or "pattern", values=values, title=picture.title)


def fitting_color(cells: PlanarComplex) -> str:
    """What colours show most of cells: classes, volumes, or patterns of few cells and norms of many.

    Args:
        cells: The complex.

    Returns:
        The colouring.
    """
    outputs = math.prod(cells.network.output_shape)
    if outputs > cells.dimension and (is_generator(cells.network) or not is_classifier(cells.network)):
        return "log-volume"
    if is_classifier(cells.network) and outputs > 1:
        return "class"
    return "pattern" if len(cells) <= _FEW else "norm"


def is_classifier(network: Network) -> bool:
    """Whether a decision boundary between all outputs makes sense: a vector of few."""
    outputs = math.prod(network.output_shape)
    return len(network.output_shape) <= 1 and outputs <= (_MOST_OF_FEW if is_generator(network) else _MOST)


def is_generator(network: Network) -> bool:
    """Whether a network makes more numbers than it is given, and does not say that they are shares of classes."""
    softmax = network.head is not None and network.head.axis is not None
    return math.prod(network.output_shape) > math.prod(network.input_shape) and not softmax


def _facts(cells: PlanarComplex, classes: list[int] | None, boundary: DecisionBoundary | None) -> Facts:
    """What is worth knowing of cells, as plain values for JSON."""
    from splinescope.tessellation.affine import extrema, lipschitz
    from splinescope.tessellation.boundary import class_areas
    from splinescope.tessellation.regions import linear_regions
    from splinescope.tessellation.statistics import summary

    domain = cells.domain
    facts = summary(cells)
    facts["linear_regions"] = linear_regions(cells).count
    if boundary is not None:
        areas = class_areas(cells, classes)
        facts["boundary"] = {"segments": len(boundary.segments), "length": float(boundary.lengths.sum())}
        facts["class_areas"] = {str(label): float(areas[label]) for label in np.flatnonzero(areas > 0)}
    if not cells.truncated:  # of a part, neither is known
        reach = extrema(cells)
        facts["lipschitz"] = lipschitz(cells)
        facts["outputs"] = {"minimum": reach.minimum.tolist(), "maximum": reach.maximum.tolist()}
    facts["domain"] = {
        "input_shape": list(domain.input_shape),
        "area": float(domain.area),
        "polygon": domain.polygon.tolist(),
        "names": None if domain.names is None else list(domain.names),
        "anchors": None if domain.anchors is None else np.asarray(domain.anchors).tolist(),
    }
    return facts


def _draw(cells: PlanarComplex, picture: Picture, boundary: DecisionBoundary | None) -> Axes:
    """The axes with everything drawn."""
    from splinescope.plotting import plot_decision_boundary, plot_tessellation
    from splinescope.plotting.layers import draw_boundary
    from splinescope.tessellation.statistics import cell_statistics

    count = f"{len(cells):,} cell{'' if len(cells) == 1 else 's'}"
    title = f"{picture.title}: {'at least ' if cells.truncated else ''}{count}"
    if picture.color == "class" and picture.classes is not None:
        return plot_decision_boundary(cells, picture.classes, title=title)
    label = None
    color: Any = picture.color
    if color in STATISTICS:
        name, label = STATISTICS[color]
        color = getattr(cell_statistics(cells), name)
    drawn = boundary if picture.boundary else None
    of_all = drawn is not None and picture.classes is None
    ax = plot_tessellation(
        cells,
        color,
        boundary=of_all,
        label=label,
        title=title,
        colormap=picture.colormap,
        logarithmic=picture.logarithmic,
    )
    if drawn is not None and not of_all:
        draw_boundary(ax, drawn)
    return ax


def _few_lines(facts: Facts) -> dict[str, str]:
    """What is known of cells that nobody had the time to measure, for people."""
    return {
        "cells": f"{facts['cells']:,} in {facts['seconds']:.2f} s" + (" (truncated)" if facts["truncated"] else ""),
        "certificate": certificate_line(facts["certificate"]),
    }


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    areas = facts["statistics"]["areas"]
    lines = {
        "cells": _few_lines(facts)["cells"],
        "linear regions": f"{facts['linear_regions']:,}",
        "area of a cell": f"median {areas['median']:.3g}, from {areas['min']:.3g} to {areas['max']:.3g}",
    }
    if "lipschitz" in facts:
        lines["Lipschitz constant"] = f"{facts['lipschitz']:.4g} on this polygon, exactly"
    if "boundary" in facts:
        found, total = facts["boundary"], facts["domain"]["area"]
        shares = sorted(((area / total, label) for label, area in facts["class_areas"].items()), reverse=True)
        lines["decision boundary"] = f"{found['segments']:,} segments, length {found['length']:.4g}"
        lines["classes"] = ", ".join(f"{class_name(facts, label)}: {share:.1%}" for share, label in shares[:10])
    if "accuracy" in facts:
        lines["accuracy"] = f"{facts['accuracy']:.1%} of the training set"
    lines["certificate"] = certificate_line(facts["certificate"])
    return lines
