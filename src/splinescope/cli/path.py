"""The command `path`: whether a network keeps its class on the way from one input to another, straight or bent."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from splinescope.cli import options as of
from splinescope.cli.classes import class_name, class_number
from splinescope.cli.segment import End, Indices, Start
from splinescope.cli.values import numbers, shape_of
from splinescope.errors import InvalidInputError
from splinescope.storage import json_text, write_arrays, write_json

if TYPE_CHECKING:
    import numpy as np

    from splinescope.network import Network
    from splinescope.paths import BentPaths, StraightPaths

_WHERE, _WHAT, _HOW = "Where to look", "What to ask", "How to compute, and where to leave it"

Layer = Annotated[
    str | None,
    typer.Option(
        metavar="L",
        help="Layer in which the path lies: its number or name, or the name of a module (`splinescope info` lists "
        "them). By default the input.",
        rich_help_panel=_WHERE,
    ),
]
Box = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="LOW HIGH",
        help="Least and largest value that a bent path may have, after `--mean` and `--std`; `none` for no bound.",
        rich_help_panel=_WHERE,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        help="The class to stay in, by number or name; by default the one that leads at the start.",
        rich_help_panel=_WHAT,
    ),
]
Bend = Annotated[
    bool, typer.Option("--bend", help="Where the straight path leaves the class, bend it.", rich_help_panel=_WHAT)
]
Pivots = Annotated[int, typer.Option(metavar="N", min=1, help="Inner corners of a bent path.", rich_help_panel=_HOW)]
MaxSteps = Annotated[
    int, typer.Option(metavar="N", min=1, help="Steps after which to give up bending.", rich_help_panel=_HOW)
]
Method = Annotated[
    Literal["auto", "exact", "refine"],
    typer.Option(
        help="`exact` keeps all breakpoints with their cells; `refine` looks at margins only, by bounds or along all "
        "breakpoints; `auto` refines above 16384 units.",
        rich_help_panel=_HOW,
    ),
]
Budget = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Forward passes that `refine` may take for each segment; 131072 by default.",
        rich_help_panel=_HOW,
    ),
]
Picture = Annotated[bool, typer.Option(help="Draw a picture.", rich_help_panel=_WHAT)]
Format = Annotated[
    Literal["png", "svg", "pdf"], typer.Option("--format", help="File type of the picture.", rich_help_panel=_WHAT)
]


def path(
    model: of.Model,
    start: Start = None,
    end: End = None,
    data: of.Data = None,
    indices: Indices = None,
    layer: Layer = None,
    mean: of.Mean = "0",
    std: of.Std = "1",
    box: Box = None,
    target: Target = None,
    bend: Bend = False,
    pivots: Pivots = 9,
    max_steps: MaxSteps = 200,
    method: Method = "auto",
    budget: Budget = None,
    picture: Picture = True,
    picture_format: Format = "png",
    verify: of.Verify = "values",
    out: of.Out = Path("path"),
    weights: of.Weights = None,
    input_shape: of.InputShape = None,
    as_json: of.Json = False,
) -> None:
    """Decide whether MODEL stays in a class on the whole way from one input to another; with a proof, not by samples.

    The path is straight in the input, or with `--layer` in the activations of a layer. With `--bend`, straight paths
    that leave the class are bent into it (nudged elastic band) until every segment is certified. Files with several
    points, one per row, give as many paths; the picture then shows the one with the least margin.

    **What it leaves.** In the folder of `--out`: `picture.png`, `path.npz` (ends, classes, corners of bent paths) and
    `summary.json`.

    **Examples.**

    `splinescope path net.onnx --from a.npy --to b.npy`

    `splinescope path net.onnx --data mnist:~/mnist --indices 3,7 --bend --box 0 1`

    `splinescope path net.onnx --from a.npy --to b.npy --layer 4 --json`
    """
    from splinescope.cli.models import read_model
    from splinescope.cli.pairs import classes_of, fit_pairs, read_pairs
    from splinescope.cli.results import Wanted
    from splinescope.cli.terminal import compilation_announced
    from splinescope.paths import straight

    Wanted(out=out).make_folder()
    rows = read_pairs(start, end, data, indices)
    bounds = _bounds(box)
    network = read_model(model, weights, shape_of("--input-shape", input_shape), rows[0])
    starts, ends = fit_pairs(rows, network.input_shape, mean, std)
    targets = classes_of(network, starts, class_number("--target", target, network))
    place = int(layer) if layer is not None and layer.lstrip("-").isdigit() else layer
    started = time.perf_counter()
    with compilation_announced(Console(stderr=True, quiet=as_json)):
        shown = not as_json and sys.stderr.isatty()
        options: dict[str, Any] = {"method": method, "verify": verify}
        if budget is not None:
            options["budget"] = budget
        paths = straight(network, starts, ends, targets, place, progress=shown, **options)
        options |= {"pivots": pivots, "max_steps": max_steps, "box": bounds, "progress": shown}
        bent = _bent(network, starts, ends, targets, place, paths, options) if bend else None
    facts = {"model": model, "seconds": round(time.perf_counter() - started, 3)} | _facts(network, paths, bent)
    _leave(paths, bent, out, facts, picture_format if picture else None, Path(model).name)
    if as_json:
        typer.echo(json_text(facts))
    else:
        _show(Console(), facts, out)


def _bounds(box: tuple[str, str] | None) -> tuple[float | None, float | None] | None:
    """The numbers of `--box`."""
    if box is None:
        return None
    low, high = (None if word.lower() == "none" else numbers("--box", word)[0] for word in box)
    if low is not None and high is not None and low >= high:
        raise InvalidInputError(f"`--box`: got {box[0]} {box[1]}; expected a lower and a higher number")
    return low, high


def _bent(
    network: Network,
    starts: np.ndarray,
    ends: np.ndarray,
    targets: np.ndarray,
    layer: int | str | None,
    paths: StraightPaths,
    options: Mapping[str, Any],
) -> BentPaths | None:
    """Bent paths of all pairs, or none if no straight path needs it; the others are returned straight."""
    from splinescope.paths import nudged_elastic_band

    if paths.certified.all():
        return None
    return nudged_elastic_band(network, starts, ends, targets, layer, **options)


def _facts(network: Network, paths: StraightPaths, bent: BentPaths | None) -> dict[str, Any]:
    """What is worth knowing, as plain numbers for JSON."""
    import numpy as np

    import splinescope
    from splinescope.cli.summary import describe_network

    description = describe_network(network)
    del description["nodes"]  # `splinescope info` lists them
    straight: dict[str, Any] = {
        "verdicts": paths.verdicts.tolist(),
        "minimum_margin": paths.minimum_margin.tolist(),
        "margin_bound": paths.margin_bound.tolist(),
        "t": paths.t.tolist(),
        "rivals": paths.rivals.tolist(),
        "float32_rounding": paths.rounding.tolist(),
        "below_rounding": np.asarray(paths.below_rounding).tolist(),
        "misclassified": [
            None
            if one.misclassified is None
            else [{"start": a, "stop": b, "class": label} for a, b, label in one.misclassified]
            for one in paths
        ],
        "method": paths.method,
    }
    return {
        "paths": len(paths),
        "layer": {"name": paths.boundary.name, "index": paths.boundary.index, "shape": list(paths.boundary.shape)},
        "targets": paths.targets.tolist(),
        "straight": straight,
        "bent": None if bent is None else _bent_facts(bent),
        "network": description,
        "versions": {"splinescope": splinescope.__version__, "numpy": np.__version__},
        "certificate": None if paths.certificate is None else paths.certificate.to_dict(),
    }


def _bent_facts(bent: BentPaths) -> dict[str, Any]:
    return {
        "verdicts": bent.verdicts.tolist(),
        "methods": [one.method for one in bent],
        "corners": [len(one.points) for one in bent],
        "minimum_margin": bent.minimum_margin.tolist(),
        "largest_loss": bent.max_loss.tolist(),
        "barriers": bent.barriers.tolist(),
        "detours": [one.detour for one in bent],
        "steps": [one.steps for one in bent],
    }


def _leave(
    paths: StraightPaths, bent: BentPaths | None, out: Path, facts: dict[str, Any], picture: str | None, title: str
) -> None:
    """Write picture, arrays and summary."""
    import numpy as np

    from splinescope.cli.path_picture import draw_path

    arrays: dict[str, Any] = {"starts": paths.starts, "ends": paths.ends, "targets": paths.targets}
    if bent is not None:
        corners = [one.points for one in bent]
        offsets = np.cumsum([0, *map(len, corners)])
        arrays |= {"bent_points": np.concatenate(corners), "bent_offsets": offsets}
    write_arrays(out / "path.npz", arrays, compress=True)
    files = {"arrays": "path.npz"}
    if picture is not None:
        files = {"picture": f"picture.{picture}"} | files
        draw_path(paths, bent, _worst(facts), out / files["picture"], title)
    facts["files"] = files | {"summary": "summary.json"}
    write_json(out / "summary.json", facts)


def _worst(facts: Mapping[str, Any]) -> int:
    """The path with the least margin, straight."""
    least = facts["straight"]["minimum_margin"]
    return min(range(len(least)), key=least.__getitem__)


def _show(console: Console, facts: dict[str, Any], out: Path) -> None:
    """Print the main facts."""
    from splinescope.cli.terminal import show_facts

    straight, bent, number = facts["straight"], facts["bent"], _worst(facts)
    many = facts["paths"] > 1
    lines = {"layer": f"{facts['layer']['name']}, {' x '.join(map(str, facts['layer']['shape']))}"}
    lines["straight"] = f"{_tally(straight['verdicts'])} in class {_classes(facts)}"
    if bent is None:
        lines["straight"] += f", in {facts['seconds']:.2f} s"
    own, rival = (class_name(facts, label) for label in (facts["targets"][number], straight["rivals"][number]))
    lines["least margin"] = (
        f"{straight['minimum_margin'][number]:.4g} of class {own}, against {rival}, at t = "
        f"{straight['t'][number]:.6g}" + (f" of path {number}" if many else "")
    )
    intervals = straight["misclassified"][number]
    if intervals:
        rows = [f"{class_name(facts, row['class'])} from {row['start']:.6g} to {row['stop']:.6g}" for row in intervals]
        lines["other classes"] = ", ".join(rows[:6]) + (f", ... ({len(rows)} in all)" if len(rows) > 6 else "")
    if any(straight["below_rounding"]):
        lines["float32"] = f"{sum(straight['below_rounding'])} within the rounding errors of a float32 model"
    if bent is not None:
        lines["bent"] = f"{_tally(bent['verdicts'])}, in {facts['seconds']:.2f} s"
        lines["least margin, bent"] = (
            f"{bent['minimum_margin'][number]:.4g}; {bent['corners'][number]} corners, "
            f"{bent['detours'][number]:.3g} times as long" + (f" (path {number})" if many else "")
        )
    lines["left in"] = f"{out}: {', '.join(facts['files'].values())}"
    show_facts(console, lines)


def _tally(verdicts: list[str]) -> str:
    if len(verdicts) == 1:
        return verdicts[0]
    return ", ".join(f"{verdicts.count(word):,} {word}" for word in sorted(set(verdicts)))


def _classes(facts: Mapping[str, Any]) -> str:
    return ", ".join(class_name(facts, label) for label in sorted(set(facts["targets"])))
