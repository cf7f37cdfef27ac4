"""The command `regions`: count the cells of a network in a domain of any dimension, and leave their graph."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from splinescope.cli import options as of
from splinescope.cli.run import Facts, Files, Run, drawing
from splinescope.cli.values import Shape

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from splinescope.tessellation.region_graph import RegionGraph

Box = Annotated[
    tuple[str, str] | None,
    of.where(
        metavar="LOW HIGH",
        help="Lower and upper ends of a box of inputs, one number for all inputs or one for each. Inputs with equal "
        "ends are fixed. Without any other choice it is -1 1.",
    ),
]
Point = Annotated[
    list[Path] | None,
    of.where(
        metavar="FILE",
        help="A file with one point. One point with `--radius` and no `--dimension`: the box of all inputs within that "
        "distance in every coordinate. Else a slice through one to four points.",
        callback=of.present,
    ),
]
Dimension = Annotated[
    int | None,
    of.where(metavar="D", min=2, help="Dimension of the slice; random directions make up for missing points."),
]
Start = Annotated[
    list[Path] | None,
    of.where(
        metavar="FILE",
        help="A file with inputs of the domain to start from, one or one per row; else its centre.",
        callback=of.present,
    ),
]
TimeLimit = Annotated[float | None, of.how(metavar="SECONDS", help="Stop after so long; what was found is exact.")]
MaxCells = Annotated[int | None, of.how(metavar="N", min=1, help="Stop after so many cells; they are exact.")]
Checkpoint = Annotated[
    Path | None,
    of.how(metavar="FILE", help="Save the search there, now and then and at the end (.npz)."),
]
Resume = Annotated[
    Path | None,
    of.how(metavar="FILE", help="Go on from such a file, with the same model and domain.", callback=of.present),
]
Workers = Annotated[
    int | None,
    of.how(metavar="N", min=1, help="Processes that share the work; else threads of this one."),
]


def regions(
    model: of.Model,
    box: Box = None,
    vnnlib: of.Vnnlib = None,
    through: of.Through = None,
    point: Point = None,
    data: of.Data = None,
    indices: of.Indices = None,
    dimension: Dimension = None,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: of.Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    start: Start = None,
    picture: of.Picture = True,
    picture_format: of.Format = "png",
    verify: of.Verify = "values",
    max_cells: MaxCells = None,
    time_limit: TimeLimit = None,
    checkpoint: Checkpoint = None,
    resume: Resume = None,
    workers: Workers = None,
    out: of.Out = Path("regions"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputName = None,
    fixed: of.Fixed = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Count MODEL's cells in a box or slice of any dimension, and leave the graph of their neighbours.

    The search starts at the centre of the domain, or at inputs of yours, finds the facets of each cell by linear
    programs and crosses them. If it ends by itself, all cells have been found. With a limit, or when interrupted, it
    leaves what it found and says between which bounds the number of cells lies.

    **What it leaves.** In the folder of `--out`: `graph.npz` (half-spaces, neighbours, interior points and patterns,
    read by `splinescope.open`), `picture.png` (how many neighbours cells have, and how large they are) and
    `summary.json`.

    **Examples.**

    `splinescope regions controller.onnx --box -0.1 0.1`

    `splinescope regions net.onnx --point digit.npy --radius 1 --dimension 3 --time-limit 60 --checkpoint search.npz`

    `splinescope regions net.onnx --point digit.npy --radius 1 --dimension 3 --resume search.npz --workers 8`
    """
    from splinescope.cli.domains import Where
    from splinescope.cli.models import read_model
    from splinescope.plotting.region_graphs import plot_region_graph
    from splinescope.tessellation.region_graph import region_graph

    run = Run(out, model, as_json, force or resume is not None)
    where = Where(through, point, data, indices, box, None, margin, radius, seed, mean, std, dimension, vnnlib)
    points = where.points(most=4)
    network = read_model(model, weights, input_shape, points, trust=trust, output=output, fixed=fixed)
    domain = where.domain(network.input_shape, points)
    starts = _starts(start, network.input_shape, mean, std)
    with run.computing() as progress, pool_of(workers) as executor:
        graph = region_graph(
            network,
            domain,
            starts=starts,
            max_cells=max_cells,
            time_limit=time_limit,
            checkpoint=checkpoint,
            resume=resume,
            verify=verify,
            progress=progress,
            executor=executor,
        )
    files: Files = {"graph": ("graph.npz", graph.save)}
    if picture:
        files["picture"] = (f"picture.{picture_format}", drawing(lambda: plot_region_graph(graph)))
    run.leave(graph.network, graph.certificate, _facts(graph), files, _lines)


@contextmanager
def pool_of(workers: int | None) -> Iterator[Executor | None]:
    """Processes that outlive one another, or none.

    Args:
        workers: How many; None for none.

    Yields:
        The pool.
    """
    if workers is None:
        yield None
        return
    from splinescope.workers import WorkerPool

    with WorkerPool(workers) as pool:
        yield pool


def _starts(files: Sequence[Path] | None, shape: Shape, mean: str, std: str) -> np.ndarray | None:
    """Inputs to start from, of all files."""
    if not files:
        return None
    from splinescope.cli.points import fit_points, normalise, read_array, rows_of

    points = [point for file in files for point in rows_of(read_array("--start", file), shape)]
    return np.stack(normalise(fit_points(points, shape), mean, std))


def _facts(graph: RegionGraph) -> Facts:
    """What is worth knowing of a graph, as plain values for JSON."""
    degrees, counts = np.unique(graph.degrees, return_counts=True)
    radii = graph.chebyshev_radii
    return {
        "cells": len(graph),
        "complete": graph.complete,
        "lower_bound": graph.lower_bound,
        "upper_bound": graph.upper_bound,
        "dimension": graph.dimension,
        "facets": int((graph.facet_neighbours >= 0).sum()) // 2,
        "mean_degree": graph.mean_degree,
        "degrees": {str(degree): int(count) for degree, count in zip(degrees, counts, strict=True)},
        "radii": {"min": float(radii.min()), "median": float(np.median(radii)), "max": float(radii.max())},
        "doubts": asdict(graph.doubts),
        "domain": {
            "kind": type(graph.domain).__name__,
            "input_shape": list(graph.domain.input_shape),
            "size": graph.domain.size,
            "centre": graph.domain.centre.tolist(),
        },
    }


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    found = f"{facts['cells']:,} in {facts['dimension']} dimensions in {facts['seconds']:.2f} s"
    if facts["complete"]:
        found += "; that is all of them"
    else:
        found += f" (incomplete); there are at most {_round(facts['upper_bound'])}"
    certificate = facts["certificate"]
    doubts = {name: count for name, count in facts["doubts"].items() if count}
    lines = {
        "cells": found,
        "neighbours": f"{facts['mean_degree']:.2f} on average, {facts['facets']:,} common facets",
        "degrees": ", ".join(f"{degree}: {count:,}" for degree, count in facts["degrees"].items()),
        "largest ball": f"median radius {facts['radii']['median']:.3g}, smallest {facts['radii']['min']:.3g}",
        "certificate": f"{certificate['level']}; {certificate['sampled_points']:,} random points looked up"
        if certificate["sampled_points"]
        else certificate["level"],
    }
    if doubts:
        lines["not told apart"] = ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in doubts.items())
    return lines


def _round(count: int) -> str:
    """A number that may have hundreds of digits."""
    return f"{count:,}" if count < 10**9 else f"10^{math.log10(count):.1f}"
