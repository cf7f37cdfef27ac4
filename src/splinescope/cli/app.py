"""The program: its commands, and what becomes of errors."""

from __future__ import annotations

import errno
import io
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from splinescope.cli.betti import topology
from splinescope.cli.compare import compare
from splinescope.cli.demo import demo
from splinescope.cli.geodesic import geodesic
from splinescope.cli.info import info
from splinescope.cli.landscape import landscape
from splinescope.cli.path import path
from splinescope.cli.preimage import preimage
from splinescope.cli.regions import regions
from splinescope.cli.reproduce import reproduce
from splinescope.cli.run import INTERRUPTED
from splinescope.cli.sample import sample
from splinescope.cli.segment import segment
from splinescope.cli.slice import slice_
from splinescope.cli.surface import surface
from splinescope.cli.sweep import sweep
from splinescope.cli.view import view
from splinescope.cli.words import check_values, did_you_mean
from splinescope.errors import SplinescopeError, UnsupportedOpError
from splinescope.numerics import is_shortage

app = typer.Typer(
    name="splinescope",
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
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
    verbose: Annotated[
        bool, typer.Option("--verbose", help="After the line that says what went wrong, print where, for a report.")
    ] = False,
) -> None:
    """Options of the program itself."""


for command in (
    demo,
    info,
    slice_,
    compare,
    regions,
    preimage,
    reproduce,
    path,
    geodesic,
    topology,
    sample,
    segment,
    surface,
    sweep,
    landscape,
    view,
):
    app.command(command.__name__.removesuffix("_"))(command)


_SMALLER = {
    "slice": "give a smaller `--memory` with a `--store`, or a `--max-cells`",
    "segment": "give a smaller `--memory`, or a `--max-cells`",
    "landscape": "give fewer `--samples`, or a `--max-cells`",
    "surface": "give a smaller `--memory`, or a `--max-cells`",
    "regions": "give a `--max-cells` or a `--time-limit`, and a `--checkpoint` to go on from",
}
"""What to do about too little memory, by command."""

_UNSUPPORTED = (
    "What to do: import the part of the model that ends before this node, or put an op in its place that is continuous "
    "and piecewise affine; the page `ops` of the documentation lists all that are imported. A smooth function may come "
    "last, elementwise or as a softmax, times a constant and plus one."
)
"""What helps after a refusal of an op."""

_PACKAGE = Path(__file__).resolve().parent.parent

_KEPT = dict.fromkeys(("reproduce", "sweep"), "; what is finished is kept, and the same command goes on from there")
"""What is left of a command that was interrupted, where that is something."""

_MORE = "close other programs, or take a machine with more of it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The words after the program's name; those of the process if None.

    Returns:
        The exit status: 0; 2 with one line on standard error if the input is at fault; 130 if interrupted.
    """
    _write_anything()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        check_values(words, _sizes(words))
        with _plain_warnings():
            status = app(words, prog_name="splinescope", standalone_mode=False)
    except SplinescopeError as error:
        status = _complain(str(error))
        if words[:1] == ["--verbose"]:
            advice = _UNSUPPORTED if isinstance(error, UnsupportedOpError) else ""
            typer.echo("".join(traceback.format_exception(error)) + advice, err=True)
        return status
    except typer.TyperException as error:
        return _complain(_usage(error))
    except OSError as error:
        hint = "; free some space there, or give another `--out`" if error.errno == errno.ENOSPC else ""
        return _complain(f"{error.filename or 'a file'}: {error.strerror or error}{hint}")
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        return _complain(_too_little(arguments))
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:  # typer makes this status of Ctrl-C, and says nothing
        typer.echo(f"interrupted{_KEPT.get(next(iter(words), ''), '')}", err=True)
    return status if isinstance(status, int) else 0


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Have our own warnings shown as one line, without the place in the code that they come from."""
    usual = warnings.formatwarning

    def told(message: Any, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
        if Path(filename).is_relative_to(_PACKAGE):
            return f"splinescope: warning: {' '.join(str(message).split())}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = told
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _sizes(words: Sequence[str]) -> dict[str, int]:
    """Number of values of the options of the command among the words that take more than one."""
    commands = get_command(app).commands  # type: ignore[attr-defined]
    command = next((commands[word] for word in words if word in commands), None)
    options = [option for option in command.params if option.nargs > 1] if command is not None else []
    return {name: option.nargs for option in options for name in option.opts}


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the words; of an option that is not there, which one is alike."""
    option, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if not hasattr(error, "possibilities") or context is None:
        return error.format_message()
    known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    return f"No such option: {option}{did_you_mean(str(option), known)} (`{context.command_path} -h` lists all)"


def _too_little(arguments: Sequence[str] | None) -> str:
    """What to say of too little memory."""
    words = sys.argv[1:] if arguments is None else arguments
    return f"out of memory; {next((_SMALLER[word] for word in words if word in _SMALLER), _MORE)}"


def _write_anything() -> None:
    """Have what a terminal cannot show written in its own words: names of files may be no text, and terminals ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _complain(message: str) -> int:
    if not message:  # no arguments at all: the help has been shown
        return 0
    typer.echo("splinescope: " + " ".join(message.split()), err=True)
    return 2
