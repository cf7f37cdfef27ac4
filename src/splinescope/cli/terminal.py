"""What the command line prints for people: facts in two columns, and that it compiles."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event
from rich.console import Console
from rich.table import Table
from rich.text import Text


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


@contextmanager
def long_work(as_json: bool) -> Iterator[bool]:
    """Say so when numba compiles, unless what is printed is read by a program.

    Args:
        as_json: Whether it is.

    Yields:
        Whether to show bars: to people who look.
    """
    with compilation_announced(Console(stderr=True, quiet=as_json)):
        yield not as_json and sys.stderr.isatty()


@contextmanager
def phase_shown(what: str) -> Iterator[None]:
    """A line on standard error that says what is being done, gone when it is done.

    Args:
        what: What.
    """
    with Console(stderr=True).status(f"{what} ...", spinner="line"):
        yield


_NARROWEST = 16
"""Letters that a column of values needs."""


def show_facts(lines: dict[str, str]) -> None:
    """Print names and values in two columns, on narrow terminals one below the other.

    Args:
        lines: Value by name.
    """
    if Console().width < max(map(len, lines), default=0) + _NARROWEST:
        for name, value in lines.items():
            Console().print(Text(name, "bold"), Text(f"  {value}"), sep="\n")
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines.items():
        table.add_row(name, Text(value))
    Console().print(table)


def show_profile(profile: dict[str, Any]) -> None:
    """Print where the time went: phases, and the nodes of the network beside a forward pass.

    Args:
        profile: What `splinescope.cli.profile.facts_of` returned.
    """
    total = sum(profile["phases"].values())
    table = Table("", "seconds", "share", "forward pass", "ratio", box=None, padding=(0, 2, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for phase, seconds in profile["phases"].items():
        beside = (f"{profile['forward']:.3f}", _ratio(seconds, profile["forward"])) if phase == "cutting" else ()
        table.add_row(Text(phase, "bold"), f"{seconds:.3f}", f"{seconds / total:.0%}", *beside)
        for node in profile["nodes"] if phase == "cutting" else ():
            times = (node["cutting"], node["forward"])
            table.add_row(
                Text(f"  {node['node']} ({node['op']})"),
                f"{times[0]:.3f}",
                f"{times[0] / total:.0%}",
                f"{times[1]:.3f}",
                _ratio(*times),
            )
    table.add_row(
        Text("in all", "bold"), f"{total:.3f}", "", f"{profile['forward']:.3f}", _ratio(total, profile["forward"])
    )
    Console().print(table)


def _ratio(seconds: float, beside: float) -> str:
    """How many times as long, to two digits."""
    return f"{seconds / beside:.2g}" if beside > 0 else ""
