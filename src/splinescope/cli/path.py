"""The command `path`: whether a network keeps its class on the way from one input to another, straight or bent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from splinescope.cli import options as of
from splinescope.cli.classes import class_name, class_number
from splinescope.cli.run import Facts, Files, Run, title_of
from splinescope.cli.values import numbers
from splinescope.errors import InvalidInputError
from splinescope.storage import write_arrays

if TYPE_CHECKING:
    from splinescope.network import Network
    from splinescope.paths import BentPaths, StraightPaths

Layer = Annotated[
    str | None,
    of.where(
        metavar="L",
        help="Layer in which the path lies: its number or name, or the name of a module (`splinescope info` lists "
        "them). By default the input.",
    ),
]
Box = Annotated[
    tuple[str, str] | None,
    of.where(
        metavar="LOW HIGH",
        help="Least and largest value that a bent path may have, after `--mean` and `--std`; `none` for no bound.",
    ),
]
Target = Annotated[
    str | None,
    of.ask(
        metavar="CLASS", help="The class to stay in, by number or name; by default the one that leads at the start."
    ),
]
Bend = Annotated[bool, of.ask("--bend", help="Where the straight path leaves the class, bend it.")]
Pivots = Annotated[int, of.how(metavar="N", min=1, help="Inner corners of a bent path.")]
MaxSteps = Annotated[int, of.how(metavar="N", min=1, help="Steps after which to give up bending.")]
Method = Annotated[
    Literal["auto", "exact", "refine"],
    of.how(
        help="`exact` keeps all breakpoints with their cells; `refine` looks at margins only, by bounds or along all "
        "breakpoints; `auto` refines above 16384 units."
    ),
]
Budget = Annotated[
    int | None,
    of.how(metavar="N", min=1, help="Forward passes that `refine` may take for each segment; 131072 by default."),
]


def path(
    model: of.Model,
    start: of.From = None,
    end: of.To = None,
    data: of.Data = None,
    indices: of.PairIndices = None,
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
    picture: of.Picture = True,
    picture_format: of.Format = "png",
    verify: of.Verify = "values",
    out: of.Out = Path("path"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputName = None,
    fixed: of.Fixed = None,
    force: of.Force = False,
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
    from splinescope.cli.path_picture import draw_path
    from splinescope.cli.points import fit_pairs, read_pairs
    from splinescope.paths import nudged_elastic_band, straight

    run = Run(out, model, as_json, force)
    sides = read_pairs(start, end, data, indices)
    bounds = _bounds(box)
    network = read_model(model, weights, input_shape, sides[0], trust=trust, output=output, fixed=fixed)
    starts, ends = fit_pairs(sides, network.input_shape, mean, std)
    targets = _targets(network, starts, class_number("--target", target, network))
    place = int(layer) if layer is not None and layer.lstrip("-").isdigit() else layer
    options: dict[str, Any] = {"method": method, "verify": verify} | ({} if budget is None else {"budget": budget})
    with run.computing() as progress:
        options["progress"] = progress
        paths, bent = straight(network, starts, ends, targets, place, **options), None
        if bend and not paths.certified.all():
            options |= {"pivots": pivots, "max_steps": max_steps, "box": bounds}
            bent = nudged_elastic_band(network, starts, ends, targets, place, **options)
    facts = _facts(paths, bent)
    files: Files = {}
    if picture:
        name, number = title_of(model), _worst(facts)
        files["picture"] = (f"picture.{picture_format}", lambda file: draw_path(paths, bent, number, file, name))
    files["arrays"] = ("path.npz", lambda file: write_arrays(file, _arrays(paths, bent), compress=True))
    run.leave(network, paths.certificate, facts, files, _lines)


def _bounds(box: tuple[str, str] | None) -> tuple[float | None, float | None] | None:
    """The numbers of `--box`."""
    if box is None:
        return None
    low, high = (None if word.lower() == "none" else numbers("--box", word)[0] for word in box)
    if low is not None and high is not None and low >= high:
        raise InvalidInputError(f"`--box`: got {box[0]} {box[1]}; expected a lower and a higher number")
    return low, high


def _targets(network: Network, starts: np.ndarray, target: int | None) -> np.ndarray:
    """[S] classes of the paths: the one asked for, or the one that leads at the start."""
    if target is not None:
        return np.full(len(starts), target, np.int64)
    outputs = network(starts).reshape(len(starts), -1)
    return (outputs[:, 0] > 0).astype(np.int64) if outputs.shape[1] == 1 else outputs.argmax(axis=1)


def _facts(paths: StraightPaths, bent: BentPaths | None) -> Facts:
    """What is worth knowing, as plain values for JSON."""
    return {
        "paths": len(paths),
        "layer": {"name": paths.boundary.name, "index": paths.boundary.index, "shape": list(paths.boundary.shape)},
        "targets": paths.targets.tolist(),
        "straight": {
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
        },
        "bent": None if bent is None else _bent_facts(bent),
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


def _arrays(paths: StraightPaths, bent: BentPaths | None) -> dict[str, np.ndarray]:
    """Ends and classes, and corners of bent paths one after the other."""
    arrays = {"starts": paths.starts, "ends": paths.ends, "targets": paths.targets}
    if bent is not None:
        corners = [one.points for one in bent]
        arrays |= {"bent_points": np.concatenate(corners), "bent_offsets": np.cumsum([0, *map(len, corners)])}
    return arrays


def _worst(facts: Mapping[str, Any]) -> int:
    """The path with the least margin, straight."""
    return int(np.argmin(facts["straight"]["minimum_margin"]))


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
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
    return lines


def _tally(verdicts: list[str]) -> str:
    if len(verdicts) == 1:
        return verdicts[0]
    return ", ".join(f"{verdicts.count(word):,} {word}" for word in sorted(set(verdicts)))


def _classes(facts: Mapping[str, Any]) -> str:
    return ", ".join(class_name(facts, label) for label in sorted(set(facts["targets"])))
