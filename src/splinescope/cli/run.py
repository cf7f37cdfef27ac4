"""One run of a command: the folder, the clock, the summary, what is left there and what is told of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from splinescope.errors import InvalidInputError
from splinescope.storage import json_text, write_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.network import Network

Facts = dict[str, Any]
Write = Callable[[Path], object]
Files = dict[str, tuple[str, Write]]
"""For each kind of file its name, and the function that writes it."""


class Run:
    """What commands do around their question: all but the question, its facts, its files and the words for them.

    Args:
        out: Folder for the results; made at once, before any long work.
        model: What the user called the network.
        as_json: Whether to print the summary as JSON, and nothing else.

    Raises:
        InvalidInputError: If the folder cannot be made or written to.
    """

    def __init__(self, out: Path, model: str, as_json: bool) -> None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInputError(f"`--out`: {out} cannot be made a folder: {error.strerror}") from error
        if not os.access(out, os.W_OK):
            raise InvalidInputError(f"`--out`: {out} cannot be written to")
        self._out, self._model, self._as_json, self._seconds = out, model, as_json, 0.0

    @contextmanager
    def computing(self) -> Iterator[bool]:
        """Take the time of what is done within, and say so if kernels are compiled.

        Yields:
            Whether to show a progress bar.
        """
        from splinescope.cli.terminal import long_work

        started = time.perf_counter()
        with long_work(self._as_json) as progress:
            yield progress
        self._seconds = time.perf_counter() - started

    def leave(
        self,
        network: Network | None,
        certificate: Any,
        facts: Mapping[str, Any],
        files: Files,
        lines: Callable[[Facts], dict[str, str]],
    ) -> None:
        """Write the files and the summary, and tell.

        Args:
            network: The network; None for a model that is used as it is, without having been read as one.
            certificate: That of the answer, if it has one.
            facts: What was found, as plain values for JSON.
            files: What else to leave.
            lines: What to print for people, by name, made of the summary.
        """
        summary = {"model": self._model, "seconds": round(self._seconds, 3), **facts, **_origin(network)}
        summary["certificate"] = None if certificate is None else certificate.to_dict()
        for name, write in files.values():
            write(self._out / name)
        summary["files"] = {kind: name for kind, (name, _) in files.items()} | {"summary": "summary.json"}
        write_json(self._out / "summary.json", summary)
        if self._as_json:
            typer.echo(json_text(summary))
            return
        from splinescope.cli.terminal import show_facts

        show_facts(lines(summary) | {"left in": f"{self._out}: {', '.join(summary['files'].values())}"})


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
    """What a picture is called: the model's file name, without formulas and bytes that are no text.

    Args:
        model: What the user called the network.

    Returns:
        The title, for matplotlib.
    """
    name = os.fsencode(Path(model).name).decode("utf-8", "backslashreplace")
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
