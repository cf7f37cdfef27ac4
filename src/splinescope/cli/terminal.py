"""What the command line prints for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba.core import event
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from splinescope.cli.classes import class_name


class _Announcement(event.Listener):
    """Says once that kernels are being compiled; nothing if they come from the cache."""

    def __init__(self, console: Console) -> None:
        self._console: Console | None = console

    def on_start(self, event: event.Event) -> None:
        if self._console is not None:
            self._console.print("compiling the kernels; this happens once and may take a minute")
            self._console = None

    def on_end(self, event: event.Event) -> None:
        pass


@contextmanager
def compilation_announced(console: Console) -> Iterator[None]:
    """Say so when numba has to compile, which happens on the first run after an installation.

    Args:
        console: Where.
    """
    with event.install_listener("numba:compile", _Announcement(console)):
        yield


def show_network(console: Console, description: dict[str, Any]) -> None:
    """Print a network's graph.

    Args:
        console: Where.
        description: What `describe_network` said.
    """
    table = Table(box=box.SIMPLE_HEAD)
    for name, justify in (("node", "right"), ("name", "left"), ("op", "left"), ("inputs", "left"), ("shape", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name in ("units", "parameters"):
        table.add_column(name, justify="right")
    for node in description["nodes"]:
        cells = (node["index"], node["name"], node["op"], _joined(node["inputs"]), _joined(node["shape"], " x "))
        counts = [f"{node[name]:,}" if node[name] else "" for name in ("units", "parameters")]
        table.add_row(*[Text(str(cell)) for cell in (*cells, *counts)])
    console.print(table)
    ops = Counter(node["op"] for node in description["nodes"])
    found = description["import"]
    lines = {
        "piecewise affine": "yes" + (f", up to a head: {description['head']}" if description["head"] else ""),
        "input": _joined(description["input_shape"], " x "),
        "output": _joined(description["output_shape"], " x "),
        "ops": ", ".join(f"{count} {op}" for op, count in ops.most_common()),
        "classes": ", ".join(description["classes"] or ()),
        "units that fold": f"{description['units']:,}",
        "agrees with": "; ".join(map(_deviation_line, found["deviations"])) or "not compared",
    }
    if not description["classes"]:
        del lines["classes"]
    if found["not_compared"]:
        lines = {"not compared with the original": found["not_compared"]} | lines
    if found["units_never_woken"] is not None:
        lines["units never woken"] = (
            f"{found['units_never_woken']:.2%}, on inputs of sizes around {found['natural_scale']:g}"
        )
    if notes := [note for note in found["notes"] if note not in (found["not_compared"] or "")]:
        lines["notes"] = " ".join(notes)
    show_facts(console, lines)


def _deviation_line(deviation: dict[str, Any]) -> str:
    return (
        f"{deviation['reference']} on {deviation['samples']} inputs, to {deviation['max_absolute']:.2g} "
        f"({deviation['max_relative']:.2g} relative)"
    )


def show(console: Console, facts: dict[str, Any], out: Path) -> None:
    """Print the main facts of a run.

    Args:
        console: Where.
        facts: The summary.
        out: The folder that was left.
    """
    seconds = facts["seconds"]
    areas = facts["statistics"]["areas"]
    lines = {
        "cells": f"{facts['cells']:,} in {seconds:.2f} s" + (" (truncated)" if facts["truncated"] else ""),
        "linear regions": f"{facts['linear_regions']:,}",
        "area of a cell": f"median {areas['median']:.3g}, from {areas['min']:.3g} to {areas['max']:.3g}",
    }
    if "lipschitz" in facts:
        lines["Lipschitz constant"] = f"{facts['lipschitz']:.4g} on this polygon, exactly"
    if "boundary" in facts:
        total = facts["domain"]["area"]
        shares = sorted(((area / total, label) for label, area in facts["class_areas"].items()), reverse=True)
        lines["decision boundary"] = (
            f"{facts['boundary']['segments']:,} segments, length {facts['boundary']['length']:.4g}"
        )
        lines["classes"] = ", ".join(f"{class_name(facts, label)}: {share:.1%}" for share, label in shares[:10])
    if "accuracy" in facts:
        lines["accuracy"] = f"{facts['accuracy']:.1%} of the training set"
    lines["certificate"] = _certificate_line(facts["certificate"])
    lines["left in"] = f"{out}: {', '.join(facts['files'].values())}"
    show_facts(console, lines)


def _certificate_line(certificate: dict[str, Any] | None) -> str:
    if certificate is None:
        return "none"
    return f"{certificate['level']}; measure to {certificate['measure_error']:.1g}, Euler characteristic " + str(
        certificate["euler_characteristic"]
    )


def show_facts(console: Console, lines: dict[str, str]) -> None:
    """Print names and values in two columns.

    Args:
        console: Where.
        lines: Value by name.
    """
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines.items():
        table.add_row(name, Text(value))
    console.print(table)


def _joined(values: Sequence[int], between: str = ", ") -> str:
    return between.join(str(value) for value in values)
