"""The command `preimage`: which inputs a network maps into a set of outputs, exactly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from splinescope.cli import options as of
from splinescope.cli.regions import Box, Dimension, MaxCells, Point, TimeLimit, Workers, pool_of
from splinescope.cli.run import Facts, Files, Run, drawing
from splinescope.errors import InvalidInputError
from splinescope.storage import write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from splinescope.cli.domains import Where
    from splinescope.network import Network
    from splinescope.preimage import Preimage, Target
    from splinescope.tessellation.domains import Domain

Wanted = Annotated[
    str | None,
    of.ask(
        "--target",
        metavar="class:K",
        help="Where output K is the largest: `class:3`, also by the name of a class; `smallest:3` where it is the "
        "smallest.",
    ),
]
Spec = Annotated[
    Path | None,
    of.ask(
        metavar="FILE",
        help="A specification in VNN-LIB, .vnnlib or .vnnlib.gz: a box of inputs, and outputs that must not occur.",
        callback=of.present,
    ),
]

Resume = Annotated[
    Path | None,
    of.how(
        metavar="DIR",
        help="Go on from what an earlier run left there, with the same model, target and domain.",
        callback=of.present,
    ),
]

_TRIED = 64
"""Witnesses that the original is asked about, at most."""


def preimage(
    model: of.Model,
    target: Wanted = None,
    spec: Spec = None,
    box: Box = None,
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
    picture: of.Picture = True,
    verify: of.Verify = "values",
    max_cells: MaxCells = None,
    time_limit: TimeLimit = None,
    resume: Resume = None,
    workers: Workers = None,
    out: of.Out = Path("preimage"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputName = None,
    fixed: of.Fixed = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Find all inputs of a box or slice that MODEL maps into a class, or into the unsafe set of a specification.

    The answer is a union of polytopes, with its exact volume up to five dimensions. Of a specification it says whether
    it holds or is violated, with a counterexample that the original model confirms, and the share of the inputs that
    violate it. Within a limit of time or cells, or when interrupted, it may say between which bounds the share lies,
    and `--resume` goes on from there.

    **What it leaves.** In the folder of `--out`: `preimage.npz` (read by `splinescope.preimage.open_preimage`),
    `polytopes.json`, `picture.png` for domains of two or three dimensions, and `summary.json`.

    **Examples.**

    `splinescope preimage net.onnx --target class:3 --box -1 1`

    `splinescope preimage controller.onnx --spec unsafe.vnnlib.gz --time-limit 60`

    `splinescope preimage net.onnx --target class:cat --through a.npy b.npy c.npy`

    `splinescope preimage controller.onnx --spec unsafe.vnnlib.gz --time-limit 60 --resume preimage --workers 8`
    """
    from splinescope.cli.domains import Where
    from splinescope.cli.models import read_model
    from splinescope.cli.originals import original_of
    from splinescope.preimage import preimage_of

    if (target is None) == (spec is None):
        raise InvalidInputError("`--target`, `--spec`: expected one of them")
    run = Run(out, model, as_json, force or (resume is not None and resume.resolve() == out.resolve()))
    where = Where(through, point, data, indices, box, None, margin, radius, seed, mean, std, dimension)
    points = where.points(most=4)
    network = read_model(model, weights, input_shape, points, trust=trust, output=output, fixed=fixed)
    asked = _questions(target, spec, where, points, network)
    original = original_of(model, network, input_shape, output=output, fixed=fixed)
    former = _former(resume, len(asked))
    waiting = sum(before is None or not before.complete for before in former)
    found, facts = [], []
    with run.computing() as progress, pool_of(workers) as executor:
        for (sought, domain), before in zip(asked, former, strict=True):
            answer = preimage_of(
                network,
                sought,
                domain,
                max_cells=max_cells,
                time_limit=time_limit and time_limit / max(waiting, 1),
                resume=before,
                executor=executor,
                verify=verify,
                progress=progress,
            )
            found.append(answer)
            facts.append(_facts(answer, spec is not None, original))
    files = _files(found, picture, Path(model).name)
    certificate = found[0].certify(original=original)
    run.leave(network, certificate, _together(facts, str(spec) if spec else target), files, _lines)


def _former(folder: Path | None, questions: int) -> list[Preimage | None]:
    """What an earlier run left of each question."""
    from splinescope.preimage import open_preimage

    if folder is None:
        return [None] * questions
    files = [folder / _file_of(number) for number in range(1, questions + 1)]
    if not files[0].is_file():
        raise InvalidInputError(f"`--resume`: {folder} has no {files[0].name}; expected the folder of an earlier run")
    return [open_preimage(file) if file.is_file() else None for file in files]


def _file_of(number: int) -> str:
    """Name of the file of the preimage of a question, from 1."""
    return f"preimage{'' if number == 1 else f'-{number}'}.npz"


def _questions(
    target: str | None, spec: Path | None, where: Where, points: list[np.ndarray], network: Network
) -> list[tuple[Target, Domain]]:
    """The sets of outputs, and where they are sought."""
    from splinescope.preimage import read_vnnlib
    from splinescope.tessellation.domains import Box

    if target is not None:
        return [(_target(target, network), where.domain(network.input_shape, points))]
    assert spec is not None
    inputs, outputs = network.nodes[0].size, network.nodes[network.output].size
    asked: list[tuple[Target, Domain]] = []
    for one in read_vnnlib(spec):
        if (len(one.low), one.outputs) != (inputs, outputs):
            raise InvalidInputError(
                f"`--spec`: {spec} is of {len(one.low)} inputs and {one.outputs} outputs; the model has {inputs} and "
                f"{outputs}"
            )
        if where.box or points:
            asked.append((one.target, where.domain(network.input_shape, points)))
        else:
            low, high = (side.reshape(network.input_shape) for side in (one.low, one.high))
            asked.append((one.target, Box(low, high)))
    return asked


def _target(text: str, network: Network) -> Target:
    """The class that a text means."""
    from splinescope.cli.classes import class_number
    from splinescope.preimage import ClassTarget

    kind, _, name = text.partition(":")
    if kind not in ("class", "smallest") or not name:
        raise InvalidInputError(f"`--target`: got {text!r}; expected class:K or smallest:K")
    label = class_number("--target", name, network)
    assert label is not None
    return ClassTarget(label, smallest=kind == "smallest")


def _facts(answer: Preimage, unsafe: bool, original: Callable[[np.ndarray], Any] | None) -> Facts:
    """What is worth knowing of one preimage, as plain values for JSON."""
    low, high = answer.volume_bounds
    whole = answer.domain.measure
    facts: Facts = {
        "pieces": len(answer),
        "complete": answer.complete,
        "dimension": answer.dimension,
        "volume": answer.volume,
        "volume_bounds": [low, high],
        "share": answer.volume / whole,
        "share_bounds": [low / whole, high / whole],
        "way": answer.way,
        "cells": answer.cells,
        "boxes": answer.boxes,
        "boxes_left": len(answer.left),
    }
    if unsafe:
        facts |= _verdict(answer, original)
    return facts


def _verdict(answer: Preimage, original: Callable[[np.ndarray], Any] | None) -> Facts:
    """Whether a specification holds, with a counterexample if not."""
    order = np.argsort(-np.nan_to_num(answer.measures), kind="stable")[:_TRIED]
    inner = answer.left.inside
    centres = [answer.witnesses[order], (answer.left.low[inner] + answer.left.high[inner])[:_TRIED] / 2]
    if not answer.complete:
        from splinescope.preimage.boxes import uniform

        drawn = uniform(answer.domain, 10_000, np.random.default_rng(0))
        centres.append(drawn[answer.target.contains(answer.outputs(drawn))][:_TRIED])
    inputs = answer.domain.embed(np.concatenate(centres))
    if not len(inputs):
        return {"verdict": "holds" if answer.complete else "unknown", "counterexample": None, "confirmed": None}
    run = original or answer.network
    outputs = np.asarray(run(inputs), np.float64).reshape(len(inputs), -1)
    confirmed = answer.target.contains(outputs)
    at = int(confirmed.argmax())
    example = {"input": inputs[at].ravel().tolist(), "output": outputs[at].tolist()}
    by = "none" if not confirmed[at] else "the original" if original is not None else "the network"
    return {"verdict": "violated", "counterexample": example, "confirmed": by}


def _together(facts: list[Facts], asked: str | None) -> Facts:
    """One summary of all questions: of one it is its own, else a violated one counts first."""
    order = {"violated": 0, "unknown": 1, "holds": 2}
    first = min(facts, key=lambda one: order.get(one.get("verdict", "holds"), 2))
    return {"asked": asked, **first, "questions": facts if len(facts) > 1 else None}


def _files(found: list[Preimage], picture: bool, name: str) -> Files:
    files: Files = {}
    for number, answer in enumerate(found, start=1):
        mark = "" if number == 1 else f"-{number}"
        files[f"preimage{mark}"] = (_file_of(number), answer.save)
        files[f"polytopes{mark}"] = (f"polytopes{mark}.json", _polytopes(answer))
        if picture and answer.dimension in (2, 3):
            files[f"picture{mark}"] = (f"picture{mark}.png", _picture(answer, name))
    return files


def _polytopes(answer: Preimage) -> Callable[[Path], object]:
    rows = [
        {
            "halfspaces": piece.halfspaces,
            "equalities": piece.equalities,
            "pattern": piece.pattern,
            "A": piece.A,
            "c": piece.c,
            "witness": piece.witness,
            "dimension": piece.dimension,
            "measure": piece.measure,
        }
        for piece in answer
    ]
    return lambda path: write_json(path, {"domain": _domain(answer.domain), "polytopes": rows}, indent=None)


def _domain(domain: Domain) -> Facts:
    """Origin and directions, by which coordinates are inputs."""
    return {"origin": domain.origin.ravel(), "basis": domain.basis.reshape(domain.dimension, -1)}


def _picture(answer: Preimage, name: str) -> Callable[[Path], object]:
    size = f"{len(answer):,} pieces, volume {answer.volume:.6g}"
    return drawing(lambda: answer.plot(title=f"{name}: {size}"), dpi=220.0)


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    low, high = facts["share_bounds"]
    share = f"{facts['share']:.6%} of the domain, volume {facts['volume']:.9g}"
    if not facts["complete"]:
        share = f"between {low:.6%} and {high:.6%} of the domain; about {facts['share']:.4%}"
    lines = {
        "asked": facts["asked"],
        "share": share,
        "pieces": f"{facts['pieces']:,} in {facts['dimension']} dimensions in {facts['seconds']:.2f} s, by "
        f"{facts['way']}; {facts['cells']:,} cells looked at",
    }
    if "verdict" in facts:
        verdict = facts["verdict"]
        if verdict == "violated":
            shown = ", ".join(f"{x:.6g}" for x in facts["counterexample"]["input"][:6])
            more = ", ..." if len(facts["counterexample"]["input"]) > 6 else ""
            verdict += f"; counterexample ({shown}{more}), confirmed by {facts['confirmed']}"
        lines = {"verdict": verdict} | lines
    return lines
