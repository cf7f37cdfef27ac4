"""The command `reproduce`: run an experiment of a paper and say what became of its claims."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from splinescope.cli import options as of
from splinescope.cli.words import did_you_mean
from splinescope.errors import InvalidInputError
from splinescope.storage import json_text

if TYPE_CHECKING:
    from splinescope.experiments import Report

_FAILED = "does not hold as stated"
_MARKS = {"reproduced": ("yes", "green"), _FAILED: ("no", "red"), "not comparable": ("-", "dim")}
_SMALL = ("?", "yellow")
"""Mark of a claim that fails where things are so small that it says nothing."""


def reproduce(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="An experiment; `--list` names them.", show_default=False)
    ] = None,
    preset: Annotated[
        Literal["smoke", "paper"],
        typer.Option(help="`smoke` takes seconds and shows that all works; `paper` takes minutes and has the numbers."),
    ] = "smoke",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results; made if missing.", show_default="reproduce/NAME"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, data and the order of batches.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Your copy of the data, for the experiments that need some (see `--list`)."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting of the preset; may be repeated.", show_default=False
        ),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Judge and draw a finished run again, from its `numbers.json` or its folder; nothing is run.",
            show_default=False,
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the experiments and leave.")] = False,
    as_json: of.Json = False,
) -> None:
    """Run an experiment of a paper; leave figures and numbers, and hold them against the paper's claims.

    **What it leaves.** `summary.json` (the claims with their verdicts, the configuration), `numbers.json`, each figure
    as PNG and PDF, tables as CSV, and `parts`: what is finished. A run that was stopped goes on from there, and
    `--judge` draws from it.

    **Examples.**

    `splinescope reproduce --list`

    `splinescope reproduce tessellation-toy --preset paper`

    `splinescope reproduce cats --preset paper --data cifar-10-batches-bin --out cats`

    `splinescope reproduce grokking --preset paper --data mnist --set activation=gelu`

    `splinescope reproduce --judge reproduce/grokking`
    """
    from splinescope.experiments import EXPERIMENTS

    if list_:
        _list(as_json)
        return
    if judge is not None:
        if set_ or data or out or seed or preset != "smoke":
            raise InvalidInputError("`--judge`: takes no other option but --json: it judges what was measured")
        _judge(name, judge, as_json)
        return
    if name is None:
        known = ", ".join(found.name for found in EXPERIMENTS)
        raise InvalidInputError(f"`NAME`: no experiment named; expected one of {known} (`--list` says what they show)")
    names = [found.name for found in EXPERIMENTS]
    if name not in names:
        raise InvalidInputError(
            f"`NAME`: there is no experiment {name!r}{did_you_mean(name, names)} (`--list` says what there is)"
        )
    _run(name, preset, out or Path("reproduce") / name, seed, data, _settings(set_ or []), as_json)


def _list(as_json: bool) -> None:
    """Print what there is, without loading any of it."""
    from splinescope.experiments import EXPERIMENTS

    if as_json:
        keys = ("name", "source", "shows", "data")
        rows = [{key: getattr(found, key) for key in keys} | {"minutes": dict(found.minutes)} for found in EXPERIMENTS]
        typer.echo(json_text(rows))
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("experiment", style="bold", no_wrap=True)
    table.add_column("what it shows", overflow="fold", ratio=1)
    for preset in EXPERIMENTS[0].minutes:
        table.add_column(preset, justify="right", no_wrap=True)
    for found in EXPERIMENTS:
        needs = f"\npaper needs --data: {found.data}; smoke needs none" if found.data else ""
        times = [_minutes(value) for value in found.minutes.values()]
        table.add_row(found.name, Text(f"{found.shows}\n{found.source}{needs}"), *times)
    Console().print(table)


def _minutes(minutes: float) -> str:
    return f"{60 * minutes:.0f} s" if minutes < 1 else f"{minutes:g} min"


def _settings(texts: list[str]) -> dict[str, str]:
    """Names and values of `--set`."""
    pairs = [text.partition("=") for text in texts]
    for text, (key, sign, _) in zip(texts, pairs, strict=True):
        if not key or not sign:
            raise InvalidInputError(f"`--set`: got {text!r}; expected KEY=VALUE, such as width=32")
    return {key.strip().replace("-", "_"): value for key, _, value in pairs}


def _run(
    name: str, preset: str, out: Path, seed: int, data: Path | None, settings: dict[str, str], as_json: bool
) -> None:
    """Run, leave the folder, and tell."""
    from splinescope.cli.terminal import long_work
    from splinescope.experiments import reproduce as reproduce_experiment

    with long_work(as_json) as progress:
        report = reproduce_experiment(name, preset, out=out, seed=seed, data=data, settings=settings, progress=progress)
    _tell(report, out, as_json)


def _judge(name: str | None, path: Path, as_json: bool) -> None:
    """Judge a finished run, and tell."""
    from splinescope.experiments import judge

    report = judge(path, name)
    _tell(report, path if path.is_dir() else path.parent, as_json)


def _tell(report: Report, out: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json_text(_plain(report)))
    else:
        _show(Console(), report, out)


def _plain(report: Report) -> dict[str, Any]:
    """The summary as it was written."""
    facts = report.summary()
    facts["claims"] = [{key: str(value) for key, value in claim.items()} for claim in facts["claims"]]
    return facts


def _show(console: Console, report: Report, out: Path) -> None:
    """Print the claims and where everything is."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{report.name}, preset {report.preset}", title_justify="left")
    table.add_column("holds", no_wrap=True)
    small = report.preset == "smoke"
    for column in ("claim", "source", "here"):
        table.add_column(column, overflow="fold", ratio=1)
    for claim in report.claims:
        mark, style = _SMALL if small and str(claim.verdict) == _FAILED else _MARKS[str(claim.verdict)]
        statement = Text(f"{claim.statement}\n").append(claim.source, style="dim")
        table.add_row(Text(mark, style=style), statement, Text(claim.theirs), Text(claim.ours))
    console.print(table)
    if small and any(str(claim.verdict) == _FAILED for claim in report.claims):
        console.print("?: not at the size of smoke, which shows that all works; paper judges", highlight=False)
    reused = f", {report.parts_reused} parts of an earlier run used" if report.parts_reused else ""
    console.print(f"{report.seconds:.1f} s{reused}; left in {out}:", highlight=False)
    files = [report.files["summary"], report.files["numbers"], *report.files["tables"], *report.files["figures"]]
    files += report.files["others"]
    console.print("  " + ", ".join(files), highlight=False, soft_wrap=True)
