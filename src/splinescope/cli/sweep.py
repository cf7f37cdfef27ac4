"""The command `sweep`: many models in many planes or along many segments, side by side, with a table as the result."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from splinescope.cli import options as of
from splinescope.cli.run import INTERRUPTED, Facts, Files, Run
from splinescope.cli.sweep_task import Common, measured
from splinescope.cli.values import size_in_bytes, whole_numbers
from splinescope.errors import InvalidInputError, StoreError

if TYPE_CHECKING:
    from splinescope.sweeps import Sweep
    from splinescope.sweeps.identity import OtherSweep

Models = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model, as `splinescope slice --help` says; or a folder of model files.",
        show_default=False,
        callback=of.present_model,
    ),
]
Checkpoints = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder of state dicts (.pt, .pth) for a MODEL made by Python code; one row each."
    ),
]
Groups = Annotated[
    str | None,
    of.where(
        metavar="'I,J,K I,J,K ...'",
        help="Groups of points of `--data`, counted from 0, with spaces between groups: a plane through each, or with "
        "`--segments` the segment from the first to the second.",
    ),
]
Random = Annotated[
    int | None, of.where(metavar="N", min=1, help="So many groups of different points of `--data`, drawn at random.")
]
Segments = Annotated[bool, of.ask("--segments", help="Look along segments between pairs of points, not in planes.")]
Seeds = Annotated[
    int,
    of.where(
        metavar="N", min=1, help="Planes of each group with less than three points, each with other random directions."
    ),
]
Seed = Annotated[int, of.where(min=0, help="First seed, of random directions and of `--random`.")]
Workers = Annotated[int | None, of.how(metavar="N", min=1, help="Processes; by default one for each processor.")]
Scheduler = Annotated[
    str | None, of.how(metavar="ADDRESS", help="Dask scheduler that does the work instead, as in tcp://host:8786.")
]
Memory = Annotated[str | None, of.how(metavar="SIZE", help="Data that each process may have: 2G, 500M.")]
Retry = Annotated[bool, of.how("--retry", help="Do again what failed before.")]
Resume = Annotated[bool, of.how(help="Go on with what is in the folder of `--out`; else it is replaced.")]

LOG = "sweep.jsonl"
"""File of the rows as they come."""

_OPTIONS = {
    "model": "MODEL",
    "checkpoint": "`--checkpoints` or `--weights`",
    "points": "`--indices` or `--random`",
    "seed": "`--seed` or `--seeds`",
}
"""What the command calls the arguments of its rows."""

_WORDS = {"None": "not given", "True": "given", "False": "not given"}


def sweep(
    model: Models,
    checkpoints: Checkpoints = None,
    data: of.Data = None,
    indices: Groups = None,
    random: Random = None,
    segments: Segments = False,
    seeds: Seeds = 1,
    box: of.Box = None,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    verify: of.Verify = "values",
    max_cells: of.MaxCells = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    memory: Memory = None,
    retry: Retry = False,
    resume: Resume = True,
    out: of.Out = Path("sweep"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputName = None,
    fixed: of.Fixed = None,
    as_json: of.Json = False,
) -> None:
    """Look at many models, in many planes or along many segments, on all processors; leave a table.

    Each row is finished by itself and kept at once: whatever is killed, the same command goes on where it stopped. What
    fails is a row with its error; if the input is at fault in every row, nothing is left. `splinescope.sweeps.read`
    reads the folder while the command runs.

    **What it leaves.** In the folder of `--out`: `table.csv` with a row for each model and place, `sweep.jsonl` with
    the same as it came, tracebacks included, and `summary.json`.

    **Examples.**

    `splinescope sweep nets.py:Net --checkpoints run/ --data digits --indices '0,1,2 3,4,5'`

    `splinescope sweep net.onnx --data mnist:~/mnist --random 500 --segments --workers 8`

    `splinescope sweep net.onnx --data digits --indices 7 --radius 5 --seeds 100 --scheduler tcp://head:8786`
    """
    from splinescope import sweeps

    limit = size_in_bytes("--memory", memory)
    models, states = models_of(model), _states(checkpoints, weights)
    groups = _groups(data, indices, random, 2 if segments else 3, seed)
    if segments and any(group is None or group.count(",") != 1 for group in groups):
        raise InvalidInputError("`--segments`: expected pairs, as in `--data digits --indices '3,7 5,1'`")
    run = Run(out, model, as_json, force=True)
    shape, files = input_shape, _known_by([*models, *filter(None, states)])
    common = Common(
        data,
        box,
        segments,
        margin,
        radius,
        mean,
        std,
        verify,
        max_cells,
        shape,
        output,
        tuple(fixed or ()),
        trust,
        files,
    )
    axes = {"model": models, "checkpoint": states, "points": groups, "seed": range(seed, seed + seeds)}
    made = [place for place in (out, *out.parents) if not place.exists()]
    begun = (out / LOG).exists()
    with run.computing() as progress, _cluster(scheduler) as executor, _in_words(out):
        found = sweeps.map(
            partial(measured, common),
            axes,
            executor=executor,
            store=out,
            workers=workers,
            memory=limit,
            resume=resume,
            retry=retry,
            progress=progress,
        )
    if len(found.failed) == found.tasks and not begun and all(map(_is_of_the_input, found.failed)):
        _removed(out / LOG, made)
        raise InvalidInputError(found.failed[0]["error"].partition(": ")[2])
    table: Files = {"table": ("table.csv", found.export)}
    run.leave(None, None, _facts(found), table, _lines)
    if len(found.failed) == found.tasks:
        raise InvalidInputError(f"every row of {out} failed; the first: {found.failed[0]['error']}")
    if not found.complete:
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _in_words(out: Path) -> Iterator[None]:
    """Say of a folder with another sweep what differs, as options of the command."""
    from splinescope.sweeps.identity import OtherSweep

    try:
        yield
    except OtherSweep as error:
        raise StoreError(
            f"`--out`: {out} holds another sweep: {_difference(error)}; give the same, another folder, or "
            "`--no-resume` to replace it"
        ) from error


def _difference(error: OtherSweep) -> str:
    """What differs, the value there and the value here."""
    name = error.what.partition(" of task ")[0]
    if name == "files":
        return "files of its models have changed, or are others"
    option = _OPTIONS.get(
        name, f"`--{name.replace('_', '-')}`" if name in Common.__dataclass_fields__ else f"its {name}"
    )
    if error.before is None or error.before == error.now:
        return f"{option} had other values"
    return f"{option} was {_WORDS.get(error.before, error.before)}, here {_WORDS.get(str(error.now), error.now)}"


def _is_of_the_input(row: dict[str, Any]) -> bool:
    """Whether the error of a row is splinescope's own about what it was given."""
    return str(row["error"]).startswith(("InvalidInputError: ", "UnsupportedOpError: "))


def _removed(log: Path, folders: list[Path]) -> None:
    """Remove a log and the folders that were made for it, if they are empty: the inner one first."""
    with suppress(OSError):
        log.unlink()
        for folder in folders:
            folder.rmdir()


def models_of(text: str) -> list[str]:
    """The models that an argument means: itself, or all model files of a folder.

    Args:
        text: The argument.

    Returns:
        Models, in the order of their names.

    Raises:
        InvalidInputError: If a folder has none.
    """
    if not Path(text).is_dir():
        return [text]
    from splinescope.cli.files import MODEL_SUFFIXES

    found = sorted(str(path) for path in Path(text).iterdir() if path.name.lower().endswith(MODEL_SUFFIXES))
    if not found:
        raise InvalidInputError(f"`MODEL`: the folder {text} has no file of type {', '.join(MODEL_SUFFIXES)}")
    return found


def _states(folder: Path | None, weights: Path | None) -> list[str | None]:
    """State dicts in the order of their names, in which 10 comes after 9."""
    if folder is None:
        return [None if weights is None else str(weights)]
    if weights is not None:
        raise InvalidInputError("`--checkpoints`, `--weights`: both were given; expected one of them")
    if not folder.is_dir():
        raise InvalidInputError(f"`--checkpoints`: {folder} is no folder")
    found = [path for path in folder.iterdir() if path.suffix in (".pt", ".pth")]
    if not found:
        raise InvalidInputError(f"`--checkpoints`: {folder} has no file of type .pt or .pth")
    return [str(path) for path in sorted(found, key=_natural)]


def _natural(path: Path) -> tuple[tuple[int, str], ...]:
    """A name in parts, of which numbers are in order of their size."""
    import re

    parts = re.split(r"(\d+)", path.name)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)


def _groups(data: str | None, indices: str | None, random: int | None, size: int, seed: int) -> list[str | None]:
    """Groups of points, as texts."""
    if indices is None and random is None:
        if data is not None:
            raise InvalidInputError("`--data`: expected `--indices` with it, or `--random N`")
        return [None]
    if data is None or (indices is not None and random is not None):
        raise InvalidInputError("`--indices`, `--random`: expected one of them, with `--data`")
    if indices is not None:
        return [",".join(map(str, whole_numbers("--indices", word))) for word in indices.split()]
    from splinescope.cli.points import data_set

    count, generator, wanted = len(data_set(data)), np.random.default_rng(seed), random or 0
    if math.perm(count, size) < wanted:
        raise InvalidInputError(f"`--random`: {data} has {count} points, of which there are not so many groups")
    drawn: dict[str, None] = {}
    while len(drawn) < wanted:
        drawn[",".join(map(str, generator.choice(count, size, replace=False)))] = None
    return list(drawn)


def _known_by(files: list[str]) -> str:
    """A hash of the names, sizes and times of files, and of the code of models that code makes."""
    digest = hashlib.sha256()
    for text in files:
        path = Path(text if Path(text).is_file() else text.rpartition(":")[0])
        stat = path.stat() if path.is_file() else None
        digest.update(
            f"{text} {stat and stat.st_size} {stat and stat.st_mtime_ns}\n".encode("utf-8", "backslashreplace")
        )
    return digest.hexdigest()


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[Any]:
    """A Dask cluster, or nothing."""
    if scheduler is None:
        yield None
        return
    from splinescope.numerics import require

    distributed = require("dask.distributed", "dask", "`--scheduler`")
    try:
        client = distributed.Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"`--scheduler`: nobody answers at {scheduler}: {error}") from error
    with client:
        yield client


def _facts(found: Sweep) -> Facts:
    """What is worth knowing, as plain values for JSON."""
    failed = found.failed
    return {
        "tasks": found.tasks,
        "finished": len(found),
        "complete": found.complete,
        "failed": len(failed),
        "first_error": failed[0]["error"] if failed else None,
        "seconds_of_tasks": sum(row["seconds"] for row in found.rows),
        "log": LOG,
    }


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    lines = {"rows": f"{facts['finished']:,} of {facts['tasks']:,} in {facts['seconds']:.2f} s"}
    if not facts["complete"]:
        lines["interrupted"] = "what is finished is kept; the same command goes on"
    if facts["failed"]:
        lines["failed"] = f"{facts['failed']:,}; the first: {facts['first_error']}"
    return lines
