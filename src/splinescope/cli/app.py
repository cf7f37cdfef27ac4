"""The command line: parse, call one function, print."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from splinescope.cli import options as of
from splinescope.cli.path import path
from splinescope.cli.regions import regions
from splinescope.cli.reproduce import reproduce
from splinescope.cli.segment import segment
from splinescope.cli.surface import surface
from splinescope.cli.values import shape_of, size_in_bytes
from splinescope.errors import SplinescopeError, UnsupportedOpError
from splinescope.storage import json_text

if TYPE_CHECKING:
    from splinescope.cli.results import Wanted
    from splinescope.network import Network
    from splinescope.tessellation.domains import Slice

_USAGE_ERROR: Any = typer.BadParameter.__mro__[2]  # the base of complaints about usage, which typer names nowhere

app = typer.Typer(
    name="splinescope",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Show, measure and certify the exact geometry of a network.\n\n"
        "A network of affine layers and ReLUs (or max-pools, clips, absolute values, ...) cuts its input space into "
        "convex cells and applies one affine map on each. splinescope computes these cells exactly, in any plane of "
        "the input space, and checks the result against the model itself.\n\n"
        "Start with `splinescope demo`. Exit status: 0; 2 with one line on standard error if the input is at fault."
    ),
)


def _version(wanted: bool) -> bool:
    if wanted:
        from splinescope import __version__

        typer.echo(f"splinescope {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the results; made if missing.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the network's weights and of the training.")] = 0,
    as_json: of.Json = False,
) -> None:
    """Train a small network on handwritten digits, and cut its tessellation in the plane through three of them.

    Takes some seconds and needs nothing: the digits come with splinescope. Leaves the picture, the arrays, the
    summary, and the network itself, so that `splinescope slice` can go on from there.
    """
    from splinescope.cli import demonstration
    from splinescope.cli.results import Wanted

    wanted = Wanted(out=out, color="class", verify="proof", title="digits network, plane through three digits")
    wanted.make_folder()
    trained = demonstration.train(seed)
    demonstration.save(trained, out)
    _run(trained.network, trained.plane, wanted, "network.npz", as_json, {"accuracy": trained.accuracy})
    if not as_json:
        Console().print(demonstration.go_on(out), highlight=False, soft_wrap=True)


@app.command()
def info(
    model: of.Model, weights: of.Weights = None, input_shape: of.InputShape = None, as_json: of.Json = False
) -> None:
    """Show a model's graph as splinescope sees it: ops, units, head, and whether it is piecewise affine, or why not."""
    from splinescope.cli.models import read_model
    from splinescope.cli.summary import describe_network
    from splinescope.cli.terminal import show_network

    try:
        network = read_model(model, weights, shape_of("--input-shape", input_shape))
    except UnsupportedOpError as error:
        if as_json:
            typer.echo(json_text({"model": model, "piecewise_affine": False, "reason": str(error)}))
        raise
    description = describe_network(network, model)
    if as_json:
        typer.echo(json_text(description))
    else:
        show_network(Console(), description)


@app.command("slice")
def slice_(
    model: of.Model,
    through: of.Through = None,
    point: of.Point = None,
    data: of.Data = None,
    indices: of.Indices = None,
    box: of.Box = None,
    polygon: of.Polygon = None,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: of.Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    color: of.Color = "pattern",
    classes: of.Classes = None,
    boundary: of.Boundary = True,
    picture_format: of.Format = "png",
    verify: of.Verify = "values",
    max_cells: of.MaxCells = None,
    memory: of.Memory = None,
    store: of.Store = None,
    out: of.Out = Path("slice"),
    weights: of.Weights = None,
    input_shape: of.InputShape = None,
    as_json: of.Json = False,
) -> None:
    """Cut MODEL's exact tessellation in a plane of its input space; leave a picture, the arrays and a summary.

    **Where to look.** Three points span a plane; their files are .npy, .npz, .csv or .png, one point each. Fewer
    points are made up for by random directions. A network of two inputs is its own plane: no points are needed.

    **What it leaves.** In the folder of `--out`: `picture.png`, `complex.npz` (the cells as arrays, read by
    `splinescope.open`), `boundary.npz` (the exact decision boundary) and `summary.json`.

    **Examples.**

    `splinescope slice net.onnx --through a.npy b.npy c.npy`

    `splinescope slice net.onnx --data mnist:~/mnist --indices 3,7,11 --color class`

    `splinescope slice nets.py:Classifier --weights best.pt --input-shape 1,28,28 --point seven.png --radius 5`

    `splinescope slice controller.nnet --box -1 1 --max-cells 100000 --json`
    """
    from splinescope.cli.classes import class_numbers
    from splinescope.cli.domains import Where
    from splinescope.cli.models import read_model
    from splinescope.cli.results import Wanted

    wanted = Wanted(
        out=out,
        color=color,
        boundary=boundary,
        picture_format=picture_format,
        verify=verify,
        max_cells=max_cells,
        memory=None if memory is None else size_in_bytes("--memory", memory),
        store=store,
        title=Path(model).name,
    )
    wanted.make_folder()
    where = Where(through, point, data, indices, box, polygon, margin, radius, seed, mean, std)
    points = where.points()
    shape = shape_of("--input-shape", input_shape)
    network = read_model(model, weights, shape, points)
    wanted = replace(wanted, classes=class_numbers("--classes", classes, network))
    _run(network, where.domain(network.input_shape, points), wanted, model, as_json)


def _run(
    network: Network, domain: Slice, wanted: Wanted, model: str, as_json: bool, more: dict[str, Any] | None = None
) -> None:
    """Tessellate, leave the folder, and tell."""
    from splinescope.cli.results import leave
    from splinescope.cli.terminal import compilation_announced, show
    from splinescope.tessellation.planar.engine import tessellate_slice

    quiet = as_json or not sys.stderr.isatty()
    started = time.perf_counter()
    with compilation_announced(Console(stderr=True, quiet=as_json)):
        cells = tessellate_slice(
            network,
            domain,
            verify=wanted.verify,
            max_cells=wanted.max_cells,
            memory_budget=wanted.memory,
            store=wanted.store,
            progress=not quiet,
        )
    seconds = time.perf_counter() - started
    summary = leave(cells, wanted, {"model": model, "seconds": round(seconds, 3)} | (more or {}))
    if as_json:
        typer.echo(json_text(summary))
    else:
        show(Console(), summary, wanted.out)


app.command()(regions)
app.command()(reproduce)
app.command()(path)
app.command()(segment)
app.command()(surface)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The words after the program's name; those of the process if None.

    Returns:
        The exit status: 0; 2 with one line on standard error if the input is at fault; 130 if interrupted.
    """
    try:
        status = app(None if arguments is None else list(arguments), prog_name="splinescope", standalone_mode=False)
    except SplinescopeError as error:
        return _complain(str(error))
    except _USAGE_ERROR as error:
        return _complain(error.format_message())
    except OSError as error:
        return _complain(f"{error.filename or 'a file'}: {error.strerror or error}")
    except MemoryError:
        return _complain("out of memory; give a smaller `--memory` with a `--store`, or a `--max-cells`")
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("interrupted", err=True)
        return 130
    return status if isinstance(status, int) else 0


def _complain(message: str) -> int:
    if not message:  # no arguments at all: the help has been shown
        return 0
    typer.echo("splinescope: " + " ".join(message.split()), err=True)
    return 2
