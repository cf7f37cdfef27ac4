"""The command `segment`: everything along the straight line between two inputs, exactly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from splinescope.cli import options as of
from splinescope.cli.classes import class_name, class_number
from splinescope.cli.run import Facts, Files, Run, drawing, title_of
from splinescope.cli.values import size_in_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.segments import SegmentBatch

Target = Annotated[
    str | None,
    of.ask(
        metavar="CLASS",
        help="Class whose margin is wanted, by number or name; by default the one that leads at the start.",
    ),
]
MaxCells = Annotated[
    int | None,
    of.how(metavar="N", min=1, help="Find so many cells of each segment, those at its start."),
]


def segment(
    model: of.Model,
    start: of.From = None,
    end: of.To = None,
    data: of.Data = None,
    indices: of.PairIndices = None,
    mean: of.Mean = "0",
    std: of.Std = "1",
    target: Target = None,
    picture: of.Picture = True,
    picture_format: of.Format = "png",
    view: of.View = False,
    verify: of.Verify = "values",
    max_cells: MaxCells = None,
    memory: of.Memory = None,
    device: of.Device = None,
    out: of.Out = Path("segment"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputName = None,
    fixed: of.Fixed = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Follow MODEL along the straight line from one input to another; leave a picture, the arrays and a summary.

    Between its breakpoints, where units flip, a network is affine along a line. So the classes that lead, the least
    margin of a class and where it is attained, and the extrema of all outputs are exact: no sample can miss anything.
    Files with several points, one per row, give as many segments; the picture then shows the one with the least margin.

    **What it leaves.** In the folder of `--out`: `picture.png`, `segment.npz` (breakpoints, units that flip, outputs,
    class intervals as plain arrays), `summary.json`, and with `--view` the page `view.html`.

    **Examples.**

    `splinescope segment net.onnx --from a.npy --to b.npy`

    `splinescope segment net.onnx --data mnist:~/mnist --indices 3,7 --target 0 --verify proof`

    `splinescope segment net.onnx --from images.npy --to perturbed.npy --json`
    """
    from splinescope.cli.models import read_model
    from splinescope.cli.points import fit_pairs, read_pairs
    from splinescope.tessellation.segments import save_segments, tessellate_segments

    memory_budget = size_in_bytes("--memory", memory)
    run = Run(out, model, as_json, force)
    sides = read_pairs(start, end, data, indices)
    network = read_model(model, weights, input_shape, sides[0], trust=trust, output=output, fixed=fixed)
    starts, ends = fit_pairs(sides, network.input_shape, mean, std)
    wanted = class_number("--target", target, network)
    with run.computing(device) as progress:
        cells = tessellate_segments(
            network,
            starts,
            ends,
            verify=verify,
            max_cells=max_cells,
            memory_budget=memory_budget,
            progress=progress,
        )
    facts = segment_facts(cells, wanted)
    files: Files = {}
    if picture:
        files["picture"] = (f"picture.{picture_format}", drawing(lambda: _draw(cells, facts, title_of(model))))
    files["arrays"] = ("segment.npz", lambda path: save_segments(cells, path))
    if view:
        files["view"] = ("view.html", lambda path: _explore(cells, facts, path, title_of(model)))
    run.leave(cells.network, cells.certificate, facts, files, _lines)


def segment_facts(cells: SegmentBatch, target: int | None) -> Facts:
    """What is worth knowing, as plain values for JSON.

    Args:
        cells: The segments.
        target: Class whose margin is wanted; the one that leads at the start if None.

    Returns:
        The facts.
    """
    from splinescope.tessellation.segments import breakpoints, competes, image_lengths

    table, lengths = breakpoints(cells), image_lengths(cells)
    flips = np.bincount(table.layers, minlength=len(table.names))
    facts: Facts = {
        "segments": len(cells),
        "cells": int(cells.cells_per_segment.sum()),
        "truncated": bool(cells.truncated.any()),
        "covered": cells.t[cells.offsets[1:] - 1].tolist(),
        "cells_per_segment": cells.cells_per_segment.tolist(),
        "flips_per_layer": [
            {"layer": name, "flips": int(count)} for name, count in zip(table.names, flips, strict=True)
        ],
        "lengths": {"segments": lengths.segments.tolist(), "images": lengths.images.tolist()},
    }
    return facts | _class_facts(cells, target) if competes(cells) else facts


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


def _draw(cells: SegmentBatch, facts: Facts, title: str) -> Axes:
    """The picture of the segment with the least margin."""
    from splinescope.plotting.segments import plot_segment

    number, target = _worst(facts)
    chosen = cells[number]
    count = f"{'at least ' if chosen.truncated else ''}{len(chosen):,} cell{'' if len(chosen) == 1 else 's'}"
    place = "" if len(cells) == 1 else f", segment {number}"
    return plot_segment(chosen, target, title=f"{title}{place}: {count}")


def _explore(cells: SegmentBatch, facts: Facts, path: Path, title: str) -> None:
    """The page of the segments, or of the one with the least margin where they are too many for one."""
    from splinescope.viewer import explore
    from splinescope.viewer.explore import MOST_SEGMENTS

    number = _worst(facts)[0]
    if 1 < len(cells) <= MOST_SEGMENTS:
        explore(cells, path, title=title)
    else:
        explore(cells[number], path, title=title if len(cells) == 1 else f"{title}, segment {number}")


def _worst(facts: Facts) -> tuple[int, int | None]:
    """Segment with the least margin, and the class."""
    if "margin" not in facts:
        return 0, None
    number = int(np.argmin(facts["margin"]["minimum"]))
    return number, facts["margin"]["targets"][number]


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
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
    return lines
