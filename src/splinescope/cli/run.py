"""One run of a command: the folder, the clock, the summary, what is left there and what is told of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from splinescope.errors import InvalidInputError, SplinescopeError
from splinescope.profiling import spent
from splinescope.storage import json_text, write_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.network import Network

Facts = dict[str, Any]
Write = Callable[[Path], object]
Files = dict[str, tuple[str, Write]]
"""For each kind of file its name, and the function that writes it."""

_LONGEST = 26
"""Letters of a name in a title, about: titles are as wide as pictures."""

INTERRUPTED = 130
"""Exit status of what was interrupted (Ctrl-C), as shells have it."""

SUMMARY = "summary.json"
"""File of the facts, in every folder that a command leaves; written last."""

_DRAWN = ("picture", "view", "grid")
"""Files that show what others hold: they are made last, and nothing is lost without them."""


class Run:
    """What commands do around their question: all but the question, its facts, its files and the words for them.

    Args:
        out: Folder for the results. Whether it can be made is looked at before any long work; it is made when there is
            something to leave.
        model: What the user called the network.
        as_json: Whether to print the summary as JSON, and nothing else.
        force: Whether a result that is there already may be overwritten.

    Raises:
        InvalidInputError: If the folder cannot be made or written to, or has a result.
    """

    def __init__(self, out: Path, model: str, as_json: bool, force: bool = False) -> None:
        place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
        if not place.is_dir():
            raise InvalidInputError(f"`--out`: {out} cannot be made a folder: {place} is a file")
        if not os.access(place, os.W_OK | os.X_OK):
            raise InvalidInputError(f"`--out`: {out} cannot be written to")
        if (out / SUMMARY).exists() and not force:
            raise InvalidInputError(
                f"`--out`: {out} has a result already; give another folder, or `--force` to overwrite it"
            )
        self._out, self._model, self._as_json, self._seconds = out, model, as_json, 0.0
        self._halted: str | None = None  # what was being done when somebody interrupted
        self.profiled: Callable[[], Facts] | None = None
        """Where the time went, which the summary says last and people are shown; None if nobody asked."""

    @property
    def shown(self) -> bool:
        """Whether somebody looks, so that long work says how far it is."""
        return not self._as_json and sys.stderr.isatty()

    @contextmanager
    def computing(self, device: str | None = None) -> Iterator[bool]:
        """Take the time of what is done within, and say so if kernels are compiled.

        Args:
            device: Where large products of networks are made; None for the processor.

        Yields:
            Whether to show a progress bar.
        """
        from splinescope.cli.terminal import long_work
        from splinescope.network.ops.devices import products_on

        started = time.perf_counter()
        with long_work(self._as_json) as progress, products_on(device):
            yield progress
        self._seconds = time.perf_counter() - started

    @contextmanager
    def phase(self, verb: str, what: str) -> Iterator[None]:
        """Show what is being done, to people who look; and remember it if somebody interrupts.

        Args:
            verb: "drawing", "saving", ...
            what: The file.
        """
        from splinescope.cli.terminal import phase_shown

        try:
            with spent(verb), phase_shown(f"{verb} {what}") if self.shown else nullcontext():
                yield
        except KeyboardInterrupt:
            self._halted = f"{verb} {what}"
            raise

    def leave(
        self,
        network: Network | None,
        certificate: Any,
        facts: Mapping[str, Any],
        files: Files,
        lines: Callable[[Facts], dict[str, str]],
        finished: bool | None = None,
    ) -> None:
        """Write the files and the summary, and tell; who interrupts loses no more than pictures.

        Args:
            network: The network; None for a model that is used as it is, without having been read as one.
            certificate: That of the answer, if it has one.
            facts: What was found, as plain values for JSON.
            files: What else to leave.
            lines: What to print for people, by name, made of the summary.
            finished: Whether this is all; False for what there was when somebody interrupted, which the summary says
                and the status, too; None for commands that always finish.

        Raises:
            Exit: Afterwards, with the status of an interruption, if it was one.
        """
        summary = {"model": self._model, "seconds": round(self._seconds, 3), **facts, **_origin(network)}
        if finished is not None:
            summary["finished"] = finished
        summary["certificate"] = None if certificate is None else certificate.to_dict()
        try:
            self._out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInputError(f"`--out`: {self._out} cannot be made a folder: {error.strerror}") from error
        names = self._write(files)
        if self._halted is not None:
            summary |= {"finished": False, "interrupted": self._halted}
            finished = False
        elif self.profiled is not None:
            summary["profile"] = self.profiled()
        summary["files"] = names | {"summary": SUMMARY}
        _written(self._out / SUMMARY, lambda path: write_json(path, summary))
        if self._as_json:
            typer.echo(json_text(summary))
        else:
            self._show(summary, lines)
        if finished is False:
            raise typer.Exit(INTERRUPTED)

    def _write(self, files: Files) -> dict[str, str]:
        """Write files, those that hold results first; the names of those that there are then."""
        names: dict[str, str] = {}
        for kind, (name, write) in sorted(files.items(), key=lambda file: file[0] in _DRAWN):
            if kind in _DRAWN and self._halted is not None:
                continue
            try:
                with self.phase("drawing" if kind in _DRAWN else "saving", name):
                    _written(self._out / name, write)
            except KeyboardInterrupt:
                if kind in _DRAWN:
                    continue
                _written(self._out / name, write)  # who interrupts again means it
            names[kind] = name
        return names

    def _show(self, summary: Facts, lines: Callable[[Facts], dict[str, str]]) -> None:
        """Print the facts for people."""
        from splinescope.cli.terminal import show_facts, show_profile

        if "profile" in summary:
            show_profile(summary["profile"])
        halted = {} if self._halted is None else {"interrupted": f"while {self._halted}"}
        show_facts(lines(summary) | halted | {"left in": f"{self._out}: {', '.join(summary['files'].values())}"})


@contextmanager
def nothing_left(out: Path) -> Iterator[None]:
    """Remove files and folders that work within has made, if it ends with an answer to bad input.

    Args:
        out: The folder, which need not be there.
    """
    before = set(out.rglob("*")) | {out, *out.parents} if out.exists() else {p for p in out.parents if p.exists()}
    try:
        yield
    except SplinescopeError:
        made = sorted((set(out.rglob("*")) | {out, *out.parents}) - before, key=lambda path: -len(path.parts))
        for path in made:
            if path.is_dir():
                with suppress(OSError):  # somebody else has put something there
                    path.rmdir()
            else:
                path.unlink(missing_ok=True)
        raise


def _written(path: Path, write: Write) -> None:
    """Write a file; what goes wrong names it."""
    try:
        write(path)
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _origin(network: Network | None) -> Facts:
    """The network and the programs that the facts are of."""
    import numpy as np
    import torch

    import splinescope
    from splinescope.cli.descriptions import describe_network

    versions = {"splinescope": splinescope.__version__, "torch": torch.__version__, "numpy": np.__version__}
    if network is None:
        return {"network": None, "versions": versions}
    description = describe_network(network)
    del description["nodes"]  # `splinescope info` lists them
    return {"network": description, "versions": versions}


def title_of(model: str) -> str:
    """What a picture is called: the model's file name, shortened, without formulas and bytes that are no text.

    Args:
        model: What the user called the network.

    Returns:
        The title, for matplotlib.
    """
    name = os.fsencode(Path(model).name).decode("utf-8", "backslashreplace")
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST // 2]}...{name[-(_LONGEST // 2 - 2) :]}"
    return name.replace("$", r"\$")


def drawing(draw: Callable[[], Axes], dpi: float = 300.0) -> Write:
    """How to write a picture, without a screen.

    Args:
        draw: Draws it on new axes.
        dpi: Pixels per inch.

    Returns:
        A function that draws it into a file.
    """

    def write(path: Path) -> None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        from splinescope.plotting.figures import figure_of, save_figure

        figure = figure_of(draw())
        try:
            save_figure(figure, path, dpi)
        finally:
            pyplot.close(figure)

    return write
