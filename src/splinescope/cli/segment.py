"""The command `segment`: everything along the straight line between two inputs, exactly."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.console import Console

from splinescope.cli import options as of
from splinescope.cli.classes import class_name, class_number
from splinescope.cli.values import shape_of, size_in_bytes
from splinescope.storage import json_text, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from splinescope.tessellation.segments import SegmentBatch

_WHERE, _WHAT, _HOW = "Where to look", "What to ask", "How to compute, and where to leave it"

Start = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="A",
        help="File with the start, or with several starts, one per row.",
        rich_help_panel=_WHERE,
    ),
]
End = Annotated[
    Path | None,
    typer.Option(
        "--to", metavar="B", help="File with the end, or with as many ends as starts.", rich_help_panel=_WHERE
    ),
]
Indices = Annotated[
    str | None,
    typer.Option(
        metavar="I,J[,I,J...]",
        help="Which points of `--data`, counted from 0: start and end of each segment.",
        rich_help_panel=_WHERE,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        help="Class whose margin is wanted, by number or name; by default the one that leads at the start.",
        rich_help_panel=_WHAT,
    ),
]
MaxCells = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Find so many cells of each segment, those at its start.", rich_help_panel=_HOW
    ),
]
Picture = Annotated[bool, typer.Option(help="Draw a picture.", rich_help_panel=_WHAT)]
Format = Annotated[
    Literal["png", "svg", "pdf"], typer.Option("--format", help="File type of the picture.", rich_help_panel=_WHAT)
]


def segment(
    model: of.Model,
    start: Start = None,
    end: End = None,
    data: of.Data = None,
    indices: Indices = None,
    mean: of.Mean = "0",
    std: of.Std = "1",
    target: Target = None,
    picture: Picture = True,
    picture_format: Format = "png",
    verify: of.Verify = "values",
    max_cells: MaxCells = None,
    memory: of.Memory = None,
    out: of.Out = Path("segment"),
    weights: of.Weights = None,
    input_shape: of.InputShape = None,
    as_json: of.Json = False,
) -> None:
    """Follow MODEL along the straight line from one input to another; leave a picture, the arrays and a summary.

    Between its breakpoints, where units flip, a network is affine along a line. So the classes that lead, the least
    margin of a class and where it is attained, and the extrema of all outputs are exact: no sample can miss anything.
    Files with several points, one per row, give as many segments; the picture then shows the one with the least margin.

    **What it leaves.** In the folder of `--out`: `picture.png`, `segment.npz` (breakpoints, units that flip, outputs,
    class intervals as plain arrays) and `summary.json`.

    **Examples.**

    `splinescope segment net.onnx --from a.npy --to b.npy`

    `splinescope segment net.onnx --data mnist:~/mnist --indices 3,7 --target 0 --verify proof`

    `splinescope segment net.onnx --from images.npy --to perturbed.npy --json`
    """
    from splinescope.cli.models import read_model
    from splinescope.cli.pairs import fit_pairs, read_pairs
    from splinescope.cli.results import Wanted
    from splinescope.cli.terminal import compilation_announced
    from splinescope.tessellation.segments import tessellate_segments

    Wanted(out=out).make_folder()
    budget = None if memory is None else size_in_bytes("--memory", memory)
    rows = read_pairs(start, end, data, indices)
    shape = shape_of("--input-shape", input_shape)
    network = read_model(model, weights, shape, rows[0])
    starts, ends = fit_pairs(rows, network.input_shape, mean, std)
    wanted = class_number("--target", target, network)
    started = time.perf_counter()
    with compilation_announced(Console(stderr=True, quiet=as_json)):
        cells = tessellate_segments(
            network,
            starts,
            ends,
            verify=verify,
            max_cells=max_cells,
            memory_budget=budget,
            progress=not as_json and sys.stderr.isatty(),
        )
    facts = {"model": model, "seconds": round(time.perf_counter() - started, 3)} | _facts(cells, wanted)
    _leave(cells, out, facts, picture_format if picture else None, Path(model).name)
    if as_json:
        typer.echo(json_text(facts))
    else:
        _show(Console(), facts, out)


def _facts(cells: SegmentBatch, target: int | None) -> dict[str, Any]:
    """What is worth knowing, as plain numbers for JSON."""
    import numpy as np

    import splinescope
    from splinescope.cli.summary import describe_network
    from splinescope.tessellation.segments import breakpoints, competes, image_lengths

    table, lengths = breakpoints(cells), image_lengths(cells)
    network = describe_network(cells.network)
    del network["nodes"]  # `splinescope info` lists them
    flips = np.bincount(table.layers, minlength=len(table.names))
    facts: dict[str, Any] = {
        "segments": len(cells),
        "cells": int(cells.cells_per_segment.sum()),
        "truncated": bool(cells.truncated.any()),
        "covered": cells.t[cells.offsets[1:] - 1].tolist(),
        "cells_per_segment": cells.cells_per_segment.tolist(),
        "flips_per_layer": [
            {"layer": name, "flips": int(count)} for name, count in zip(table.names, flips, strict=True)
        ],
        "lengths": {"segments": lengths.segments.tolist(), "images": lengths.images.tolist()},
        "network": network,
        "versions": {"splinescope": splinescope.__version__, "numpy": np.__version__},
        "certificate": None if cells.certificate is None else cells.certificate.to_dict(),
    }
    if competes(cells):
        facts |= _class_facts(cells, target)
    return facts


def _class_facts(cells: SegmentBatch, target: int | None) -> dict[str, Any]:
    """Class intervals, margins and cross-entropy."""
    from splinescope.tessellation.segments import class_intervals, cross_entropy, margins

    intervals = class_intervals(cells)
    targets = intervals.classes[intervals.offsets[:-1]] if target is None else target
    found, loss = margins(cells, targets), cross_entropy(cells, targets)
    rows = zip(intervals.segments, intervals.start, intervals.stop, intervals.classes, strict=True)
    return {
        "classes": [
            {"segment": int(number), "start": float(start), "stop": float(stop), "class": int(label)}
            for number, start, stop, label in rows
        ],
        "margin": {
            "targets": found.targets.tolist(),
            "minimum": found.minimum.tolist(),
            "t": found.t.tolist(),
            "rivals": found.rivals.tolist(),
            "keeps": found.keeps.tolist(),
        },
        "cross_entropy": {"maximum": loss.maximum.tolist(), "t": loss.t.tolist()},
    }


def _leave(cells: SegmentBatch, out: Path, facts: dict[str, Any], picture: str | None, title: str) -> None:
    """Write picture, arrays and summary."""
    from splinescope.tessellation.segments import save_segments

    save_segments(cells, out / "segment.npz")
    files = {"arrays": "segment.npz"}
    if picture is not None:
        files = {"picture": f"picture.{picture}"} | files
        _draw(cells, facts, out / files["picture"], title)
    facts["files"] = files | {"summary": "summary.json"}
    write_json(out / "summary.json", facts)


def _draw(cells: SegmentBatch, facts: dict[str, Any], path: Path, title: str) -> None:
    """The picture of the segment with the least margin."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from splinescope.plotting import save_figure
    from splinescope.plotting.segments import plot_segment

    number, target = _worst(facts)
    chosen = cells[number]
    count = f"{'at least ' if chosen.truncated else ''}{len(chosen):,} cell{'' if len(chosen) == 1 else 's'}"
    place = "" if len(cells) == 1 else f", segment {number}"
    ax = plot_segment(chosen, target, title=f"{title}{place}: {count}")
    try:
        save_figure(cast("Figure", ax.figure), path)
    finally:
        pyplot.close(cast("Figure", ax.figure))


def _worst(facts: dict[str, Any]) -> tuple[int, int | None]:
    """Segment with the least margin, and the class."""
    if "margin" not in facts:
        return 0, None
    least: Sequence[float] = facts["margin"]["minimum"]
    number = min(range(len(least)), key=least.__getitem__)
    return number, facts["margin"]["targets"][number]


def _show(console: Console, facts: dict[str, Any], out: Path) -> None:
    """Print the main facts."""
    from splinescope.cli.terminal import show_facts

    certificate = facts["certificate"]
    note = " (truncated)" if facts["truncated"] else ""
    many = "" if facts["segments"] == 1 else f" of {facts['segments']:,} segments"
    lines = {"cells": f"{facts['cells']:,}{many} in {facts['seconds']:.2f} s{note}"}
    if facts["truncated"]:
        lines["covered"] = f"from t = 0 to {min(facts['covered']):.4g}" + (" at least" if many else "")
    if "margin" in facts:
        number, target = _worst(facts)
        margin = facts["margin"]
        lines["least margin"] = (
            f"{margin['minimum'][number]:.4g} of class {class_name(facts, target)}, against "
            f"{class_name(facts, margin['rivals'][number])}, at t = "
            f"{margin['t'][number]:.6g}" + (f" of segment {number}" if many else "")
        )
        if many:
            lines["keep their class"] = f"{sum(margin['keeps']):,} of {facts['segments']:,}"
        else:
            rows = [f"{class_name(facts, row['class'])} to t = {row['stop']:.6g}" for row in facts["classes"]]
            lines["classes"] = ", ".join(rows[:8]) + (f", ... ({len(rows)} in all)" if len(rows) > 8 else "")
    lines["length"] = f"{sum(facts['lengths']['segments']):.4g}; of the image {sum(facts['lengths']['images']):.4g}"
    lines["flips"] = ", ".join(f"{row['layer']}: {row['flips']:,}" for row in facts["flips_per_layer"][:8])
    seen = {"interior_points": "midpoints", "vertex_checks": "ends of cells"}
    counts = [f"{certificate[name]:,} {word}" for name, word in seen.items() if certificate[name]]
    lines["certificate"] = "; ".join([certificate["level"], *counts])
    lines["left in"] = f"{out}: {', '.join(facts['files'].values())}"
    show_facts(console, lines)
