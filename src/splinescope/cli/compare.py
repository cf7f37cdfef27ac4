"""The command `compare`: how far two networks are apart in a domain, and where their classes differ."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from splinescope.cli import options as of
from splinescope.cli.classes import class_name, class_numbers
from splinescope.cli.run import Facts, Files, Run, drawing
from splinescope.cli.values import size_in_bytes
from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.cli.domains import Where
    from splinescope.network import Network
    from splinescope.tessellation.domains import Domain
    from splinescope.trajectory import NetworkComparison

First = Annotated[
    str, typer.Argument(metavar="A", help="A model, as `splinescope slice --help` says.", callback=of.present_model)
]
Second = Annotated[
    str, typer.Argument(metavar="B", help="Another, with as many inputs and outputs.", callback=of.present_model)
]
WeightsA = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="State dict for A, a module.", callback=of.present)
]
WeightsB = Annotated[
    Path | None, typer.Option("--weights-b", metavar="FILE", help="State dict for B, a module.", callback=of.present)
]
Start = Annotated[
    Path | None,
    of.where("--from", metavar="P", help="Compare along a segment: file with its start.", callback=of.present),
]
End = Annotated[
    Path | None, of.where("--to", metavar="Q", help="File with the end of the segment.", callback=of.present)
]
Box = Annotated[
    tuple[str, str] | None,
    of.where(
        metavar="LOW HIGH",
        help="Compare in a box: its lower and upper corner, one number for all coordinates or one for each, with "
        "commas; coordinates with equal ends stay fixed. For two inputs it is -1 1 without any other choice.",
    ),
]
Output = Annotated[
    int | None, of.draw("--output", metavar="K", min=0, help="Output whose deviation is drawn; the largest by default.")
]


def compare(
    a: First,
    b: Second,
    through: of.Through = None,
    point: of.Point = None,
    data: of.Data = None,
    indices: of.Indices = None,
    box: Box = None,
    start: Start = None,
    end: End = None,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: of.Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    classes: of.Classes = None,
    output: Output = None,
    picture_format: of.Format = "png",
    verify: of.Verify = "values",
    max_cells: of.MaxCells = None,
    memory: of.Memory = None,
    out: of.Out = Path("compare"),
    weights: WeightsA = None,
    weights_b: WeightsB = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output_name: of.OutputNameOnly = None,
    fixed: of.Fixed = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Compare two networks exactly: how far their outputs are apart, where, and on how much their classes differ.

    For a network and its pruned, quantised or fine-tuned copy. Both are tessellated as one network, so that no sample
    can miss anything: the largest deviation is at a vertex of a cell, and the classes differ on whole cells.

    **What it leaves.** In the folder of `--out`: `picture.png` (on a segment or plane), `complex.npz` (the cells of
    both networks together, read by `splinescope.open`) and `summary.json`.

    **Examples.**

    `splinescope compare net.onnx quantised.onnx --through a.npy b.npy c.npy`

    `splinescope compare net.py:Net net.py:Net --weights best.pt --weights-b pruned.pt --data digits --indices 0,1,2`

    `splinescope compare controller.nnet small.nnet --box 0,0,0 1,1,1 --verify proof --json`
    """
    from splinescope.cli.domains import Where
    from splinescope.cli.models import read_model
    from splinescope.trajectory import compare as compare_networks

    memory_budget = size_in_bytes("--memory", memory)
    run = Run(out, f"{a} and {b}", as_json, force)
    where = Where(through, point, data, indices, box, None, margin, radius, seed, mean, std)
    ends = _ends(start, end)
    points = ends or where.points(most=3)
    one, other = (
        read_model(model, state, input_shape, points, trust=trust, output=output_name, fixed=fixed)
        for model, state in ((a, weights), (b, weights_b))
    )
    count = prod(one.output_shape)
    if output is not None and output >= count:
        raise InvalidInputError(f"`--output`: got {output}; expected one from 0 to {count - 1}")
    domain = _domain(where, one, points, segment=bool(ends))
    with run.computing() as progress:
        found = compare_networks(
            one,
            other,
            domain,
            classes=class_numbers("--classes", classes, one),
            verify=verify,
            max_cells=max_cells,
            memory_budget=memory_budget,
            progress=progress,
        )
    files: Files = {}
    if found.cells.dimension <= 2:
        names = ("A", "B") if Path(a).name == Path(b).name else (Path(a).name, Path(b).name)
        files["picture"] = (f"picture.{picture_format}", drawing(lambda: _draw(found, output, names)))
    files["arrays"] = ("complex.npz", found.cells.save)
    run.leave(one, found.certificate, _facts(found), files, _lines)


def _ends(start: Path | None, end: Path | None) -> list[np.ndarray]:
    """The ends of the segment, if one is meant."""
    from splinescope.cli.points import read_array

    if (start is None) != (end is None):
        raise InvalidInputError("`--from`, `--to`: one of them was given; expected both ends of a segment")
    return [] if start is None or end is None else [read_array("--from", start), read_array("--to", end)]


def _domain(where: Where, network: Network, points: list[np.ndarray], *, segment: bool) -> Domain:
    """Where the networks are compared."""
    from splinescope.cli.points import fit_points, normalise
    from splinescope.tessellation.domains import Segment

    if segment:
        if where.through or where.point or where.data or where.box:
            raise InvalidInputError("`--from`: a segment and another domain were given; expected one of them")
        start, end = fit_points(normalise(points, where.mean, where.std), network.input_shape)
        return Segment(start, end)
    if points or where.box is None:
        return where.plane(network.input_shape, points)
    return where.domain(network.input_shape, points)


def _draw(found: NetworkComparison, output: int | None, names: tuple[str, str]) -> Axes:
    from splinescope.plotting import plot_comparison

    return plot_comparison(found, output, names=names)


def _facts(found: NetworkComparison) -> Facts:
    """What was found, as plain values for JSON."""
    facts: Facts = {
        "cells": len(found.cells),
        "truncated": bool(found.truncated),
        "dimension": found.cells.dimension,
        "largest_deviation": found.largest_deviation,
        "where": found.where.tolist(),
        "mean_deviation": found.mean_deviation,
        "outputs": {
            "largest_deviations": found.deviations.tolist(),
            "mean_deviations": found.mean_deviations.tolist(),
        },
    }
    if found.classes_a is not None:
        facts |= {"changed_measure": found.changed_measure, "changed_share": found.changed_share}
        table = found.class_measures() if np.isfinite(found.changed_measure) else np.zeros((0, 0))
        pairs = [(i, j) for i, j in zip(*np.nonzero(table), strict=True) if i != j]
        rows = [{"a": int(i), "b": int(j), "measure": float(table[i, j])} for i, j in pairs]
        facts["changes"] = sorted(rows, key=lambda row: -row["measure"])
    return facts


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    least = "at least " if facts["truncated"] else ""
    per_output = facts["outputs"]["largest_deviations"]
    lines = {
        "cells": f"{facts['cells']:,} in {facts['seconds']:.2f} s" + (" (truncated)" if facts["truncated"] else ""),
        "largest deviation": f"{least}{facts['largest_deviation']:.6g}, of output {int(np.argmax(per_output))}",
        "mean deviation": f"{facts['mean_deviation']:.6g}",
    }
    if "changed_measure" in facts:
        kind = {1: "share of the length", 2: "area", 3: "volume"}.get(facts["dimension"], "measure")
        lines["classes differ"] = f"on {facts['changed_share']:.4%} ({kind} {facts['changed_measure']:.6g})"
        rows = [f"{class_name(facts, row['a'])} to {class_name(facts, row['b'])}" for row in facts["changes"][:6]]
        if rows:
            lines["changes"] = ", ".join(rows) + (", ..." if len(facts["changes"]) > 6 else "")
    certificate = facts["certificate"]
    lines["certificate"] = "none" if certificate is None else certificate["level"]
    return lines
