"""The command `slice`: the exact tessellation in a plane of the input space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.cli import options as of
from splinescope.cli.classes import class_name, class_numbers
from splinescope.cli.run import Facts, Files, Run, drawing, title_of
from splinescope.cli.values import size_in_bytes
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

_MOST = 1000
"""Outputs beyond which comparing them all is no classification that a picture could show."""


def slice_(
    model: of.Model,
    through: of.Through = None,
    point: of.Point = None,
    data: of.Data = None,
    indices: of.Indices = None,
    box: of.Box = None,
    polygon: of.Polygon = None,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: of.Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    color: of.Color = None,
    classes: of.Classes = None,
    boundary: of.Boundary = True,
    picture_format: of.Format = "png",
    view: of.View = False,
    verify: of.Verify = "values",
    max_cells: of.MaxCells = None,
    memory: of.Memory = None,
    store: of.Store = None,
    out: of.Out = Path("slice"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputName = None,
    fixed: of.Fixed = None,
    as_json: of.Json = False,
) -> None:
    """Cut MODEL's exact tessellation in a plane of its input space; leave a picture, the arrays and a summary.

    **Where to look.** Three points span a plane; their files are .npy, .npz, .csv or .png, one point each. Fewer
    points are made up for by random directions. A network of two inputs is its own plane: no points are needed.

    **What it leaves.** In the folder of `--out`: `picture.png`, `complex.npz` (the cells as arrays, read by
    `splinescope.open`), `boundary.npz` (the exact decision boundary) and `summary.json`.

    **Examples.**

    `splinescope slice net.onnx --through a.npy b.npy c.npy`

    `splinescope slice net.onnx --data mnist:~/mnist --indices 3,7,11 --color class`

    `splinescope slice nets.py:Classifier --weights best.pt --input-shape 1,28,28 --point seven.png --radius 5`

    `splinescope slice controller.nnet --box -1 1 --max-cells 100000 --json`
    """
    from splinescope.cli.domains import Where
    from splinescope.cli.models import read_model
    from splinescope.tessellation.planar.engine import tessellate_slice

    memory_budget = size_in_bytes("--memory", memory)
    run = Run(out, model, as_json)
    where = Where(through, point, data, indices, box, polygon, margin, radius, seed, mean, std)
    points = where.points(most=3)
    network = read_model(model, weights, input_shape, points, trust=trust, output=output, fixed=fixed)
    color = color or ("pattern" if is_classifier(network) or math.prod(network.output_shape) < 3 else "log-volume")
    picture = Picture(
        title_of(model), color, class_numbers("--classes", classes, network), boundary, picture_format, view
    )
    plane = where.plane(network.input_shape, points)
    with run.computing() as progress:
        cells = tessellate_slice(
            network,
            plane,
            verify=verify,
            max_cells=max_cells,
            memory_budget=memory_budget,
            store=store,
            progress=progress,
        )
    leave_cells(run, cells, picture)


@dataclass(frozen=True)
class Picture:
    """What the picture shows.

    Attributes:
        title: What was tessellated.
        color: What the colours of cells mean.
        classes: Outputs that compete for the decision boundary; all if None.
        boundary: Whether to draw the decision boundary.
        format: "png", "svg" or "pdf".
        view: Whether to leave a page to look around in.
    """

    title: str
    color: str = "pattern"
    classes: list[int] | None = None
    boundary: bool = True
    format: str = "png"
    view: bool = False


def leave_cells(run: Run, cells: PlanarComplex, picture: Picture, more: Mapping[str, Any] | None = None) -> None:
    """Leave the picture, the arrays, the decision boundary and the summary of cells.

    Args:
        run: The run.
        cells: The complex.
        picture: What the picture shows.
        more: What else the summary should say; goes first.
    """
    from splinescope.tessellation.boundary import decision_boundary

    wanted = picture.classes is not None or is_classifier(cells.network)
    boundary = decision_boundary(cells, picture.classes) if wanted else None
    files: Files = {
        "picture": (f"picture.{picture.format}", drawing(lambda: _draw(cells, picture, boundary))),
        "arrays": ("complex.npz", cells.save),
    }
    if picture.view:
        files["view"] = ("view.html", lambda path: _explore(cells, picture, path))
    if boundary is not None:
        arrays = {name: getattr(boundary, name) for name in ("segments", "classes", "cells")}
        files["boundary"] = ("boundary.npz", lambda path: write_arrays(path, arrays, compress=True))
    facts = {**(more or {}), **_facts(cells, picture.classes, boundary)}
    run.leave(cells.network, cells.certificate, facts, files, _lines)


def _explore(cells: PlanarComplex, picture: Picture, path: Path) -> None:
    """Write the page; it starts with the colours of the picture, where it has them."""
    from splinescope.tessellation.statistics import cell_statistics
    from splinescope.viewer import explore

    values = {}
    if picture.color in STATISTICS:
        values = {picture.color: getattr(cell_statistics(cells), STATISTICS[picture.color][0])}
    explore(cells, path, color=picture.color, values=values, title=picture.title)


def is_classifier(network: Network) -> bool:
    """Whether a decision boundary between all outputs makes sense: a vector of few."""
    return len(network.output_shape) <= 1 and math.prod(network.output_shape) <= _MOST


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
    ax = plot_tessellation(cells, color, boundary=of_all, label=label, title=title)
    if drawn is not None and not of_all:
        draw_boundary(ax, drawn)
    return ax


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    areas = facts["statistics"]["areas"]
    lines = {
        "cells": f"{facts['cells']:,} in {facts['seconds']:.2f} s" + (" (truncated)" if facts["truncated"] else ""),
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
    lines["certificate"] = _certificate_line(facts["certificate"])
    return lines


def _certificate_line(certificate: dict[str, Any] | None) -> str:
    if certificate is None:
        return "none"
    euler = certificate["euler_characteristic"]
    return f"{certificate['level']}; measure to {certificate['measure_error']:.1g}, Euler characteristic {euler}"
