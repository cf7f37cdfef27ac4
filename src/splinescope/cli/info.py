"""The command `info`: a network's graph, and whether it is piecewise affine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from splinescope.cli import options as of
from splinescope.cli.descriptions import describe_network
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.storage import json_text

if TYPE_CHECKING:
    from splinescope.network import Network

_LAYERS = 6
"""Layers whose units are told one by one."""


def info(
    model: of.Model,
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputName = None,
    fixed: of.Fixed = None,
    nodes: Annotated[bool, typer.Option("--nodes", help="List all nodes, too.")] = False,
    graph: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the graph: a file of type .svg, .pdf or .png.")
    ] = None,
    as_json: of.Json = False,
) -> None:
    """Show a model as splinescope sees it: layers, units, head, how well it agrees with the original; or why not."""
    from splinescope.cli.models import read_model

    try:
        network = read_model(model, weights, input_shape, trust=trust, output=output, fixed=fixed)
    except UnsupportedOpError as error:
        if as_json:
            typer.echo(json_text({"model": model, "piecewise_affine": False, "reason": str(error)}))
        raise
    if graph is not None:
        _draw(network, graph)
    description = {"model": model} | describe_network(network)
    if as_json:
        typer.echo(json_text(description))
        return
    if nodes:
        _show_nodes(description)
    from splinescope.cli.terminal import show_facts

    show_facts(_lines(description) | {"a thousand cells": _cost(network)})


def _draw(network: Network, file: Path) -> None:
    """Draw the graph into a file."""
    from splinescope.cli.run import drawing
    from splinescope.plotting.network_graph import plot_network_graph

    if file.suffix not in (".svg", ".pdf", ".png"):
        raise InvalidInputError(f"`--graph`: got {file}; expected a file of type .svg, .pdf or .png")
    drawing(lambda: plot_network_graph(network))(file)


def _cost(network: Network) -> str:
    """What a thousand cells of a slice cost at least: their vertices, about as many, evaluated and kept."""
    import time

    import torch

    from splinescope.network.evaluate import chunk_rows, forward

    rows = min(64, chunk_rows(network))
    x = torch.randn(rows, *network.input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    started = time.perf_counter()
    with torch.no_grad():
        forward(network, x)
    seconds = (time.perf_counter() - started) * 1000 / rows
    size = 8000 * sum(node.size for node in network.nodes if node.units)
    unit = next((n for n, name in ((1 << 30, "GiB"), (1 << 20, "MiB")) if size >= n), 1 << 10)
    name = {1 << 30: "GiB", 1 << 20: "MiB", 1 << 10: "kiB"}[unit]
    return f"their vertices take at least {seconds:.2g} s to evaluate and {size / unit:.3g} {name} to keep"


def _show_nodes(description: dict[str, Any]) -> None:
    """Print a network's graph."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("node", "name", "op", "inputs", "shape", "units", "parameters"):
        number = name in ("node", "units", "parameters")
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for node in description["nodes"]:
        cells = (node["index"], node["name"], node["op"], _joined(node["inputs"]), _joined(node["shape"], " x "))
        counts = [f"{node[name]:,}" if node[name] else "" for name in ("units", "parameters")]
        table.add_row(*[Text(str(cell)) for cell in (*cells, *counts)])
    Console().print(table)


def _lines(description: dict[str, Any]) -> dict[str, str]:
    """What is said of a network, at most ten lines with what a thousand cells cost."""
    found = description["import"]
    lines = {"not compared with the original": found["not_compared"]} if found["not_compared"] else {}
    lines |= {
        "piecewise affine": "yes" + (f", up to a head: {formula}" if (formula := description["head_formula"]) else ""),
        "input, output": f"{_joined(description['input_shape'], ' x ')}, {_joined(description['output_shape'], ' x ')}",
        "ops": ", ".join(f"{count} {op}" for op, count in Counter(n["op"] for n in description["nodes"]).most_common()),
    }
    if description["classes"]:
        lines["classes"] = ", ".join(description["classes"])
    layers = [f"{node['units']:,} in {node['name']}" for node in description["nodes"] if node["units"]]
    more = f", ... in {len(layers)} layers" if len(layers) > _LAYERS else ""
    named = f" ({', '.join(layers[:_LAYERS])}{more})" if len(layers) > 1 else ""
    lines["units that fold"] = f"{description['units']:,}{named}"
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
