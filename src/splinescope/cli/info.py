"""The command `info`: a network's graph, and whether it is piecewise affine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from splinescope.cli import options as of
from splinescope.errors import UnsupportedOpError
from splinescope.storage import json_text

if TYPE_CHECKING:
    from splinescope.network import Network


def info(
    model: of.Model,
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    as_json: of.Json = False,
) -> None:
    """Show a model's graph as splinescope sees it: ops, units, head, and whether it is piecewise affine, or why not."""
    from splinescope.cli.models import read_model

    try:
        network = read_model(model, weights, input_shape, trust=trust)
    except UnsupportedOpError as error:
        if as_json:
            typer.echo(json_text({"model": model, "piecewise_affine": False, "reason": str(error)}))
        raise
    description = {"model": model} | describe_network(network)
    if as_json:
        typer.echo(json_text(description))
    else:
        _show(description)


def describe_network(network: Network) -> dict[str, Any]:
    """A network's graph and import as plain values for JSON.

    Args:
        network: The network.

    Returns:
        Shapes, units, head, names of classes, deviation from the original, and one entry per node.
    """
    report = network.import_report
    return {
        "piecewise_affine": True,
        "input_shape": list(network.input_shape),
        "output_shape": list(network.output_shape),
        "units": network.num_units,
        "head": None if network.head is None else network.head.name,
        "classes": None if network.classes is None else list(network.classes),
        "import": {
            "deviations": [asdict(deviation) for deviation in report.deviations],
            "not_compared": report.not_compared or None,
            "natural_scale": None if math.isnan(report.natural_scale) else report.natural_scale,
            "units_never_woken": None if math.isnan(report.units_never_woken) else report.units_never_woken,
            "notes": list(report.notes),
        },
        "nodes": [asdict(node) for node in network.describe()],
    }


def _show(description: dict[str, Any]) -> None:
    """Print a network's graph, and what its import says."""
    from splinescope.cli.terminal import show_facts

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("node", "name", "op", "inputs", "shape", "units", "parameters"):
        number = name in ("node", "units", "parameters")
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for node in description["nodes"]:
        cells = (node["index"], node["name"], node["op"], _joined(node["inputs"]), _joined(node["shape"], " x "))
        counts = [f"{node[name]:,}" if node[name] else "" for name in ("units", "parameters")]
        table.add_row(*[Text(str(cell)) for cell in (*cells, *counts)])
    Console().print(table)
    show_facts(_lines(description))


def _lines(description: dict[str, Any]) -> dict[str, str]:
    ops = Counter(node["op"] for node in description["nodes"])
    found = description["import"]
    lines = {"not compared with the original": found["not_compared"]} if found["not_compared"] else {}
    lines |= {
        "piecewise affine": "yes" + (f", up to a head: {description['head']}" if description["head"] else ""),
        "input": _joined(description["input_shape"], " x "),
        "output": _joined(description["output_shape"], " x "),
        "ops": ", ".join(f"{count} {op}" for op, count in ops.most_common()),
    }
    if description["classes"]:
        lines["classes"] = ", ".join(description["classes"])
    lines["units that fold"] = f"{description['units']:,}"
    lines["agrees with"] = "; ".join(map(_deviation_line, found["deviations"])) or "not compared"
    if found["units_never_woken"] is not None:
        share, scale = found["units_never_woken"], found["natural_scale"]
        lines["units never woken"] = f"{share:.2%}, on inputs of sizes around {scale:g}"
    if notes := [note for note in found["notes"] if note not in (found["not_compared"] or "")]:
        lines["notes"] = " ".join(notes)
    return lines


def _deviation_line(deviation: dict[str, Any]) -> str:
    return (
        f"{deviation['reference']} on {deviation['samples']} inputs, to {deviation['max_absolute']:.2g} "
        f"({deviation['max_relative']:.2g} relative)"
    )


def _joined(values: Iterable[int], between: str = ", ") -> str:
    return between.join(str(value) for value in values)
