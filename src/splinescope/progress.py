"""Say how far long work is; the one place that knows what draws bars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
Advance = Callable[[float], object]
"""A function of how much more is done."""

Report = Callable[[float, int], None]
"""A function of the share done and the number of cells."""

_DELAY = 1.0
"""Seconds before a bar appears: short work shows none."""


@contextmanager
def counting(total: int, unit: str, progress: bool, form: str | None = None) -> Iterator[Advance]:
    """A bar for work that advances by itself, gone when it is done.

    Args:
        total: How much there is to do.
        unit: What is counted.
        progress: Whether to show the bar.
        form: How the bar is written, in tqdm's format; by default with counts and rate.

    Yields:
        What to call with how much more is done.
    """
    shown = {"unit": f" {unit}", "bar_format": form}
    with tqdm(total=total, delay=_DELAY, disable=not progress, leave=False, **shown) as bar:
        yield bar.update


def each(items: Collection[T], unit: str, progress: bool, done: int = 0) -> Iterable[T]:
    """Items one after the other, with a bar that is gone after the last one.

    Args:
        items: The items.
        unit: What one of them is.
        progress: Whether to show the bar.
        done: How many were done before these.

    Returns:
        The items.
    """
    shown = {"unit": f" {unit}", "initial": done, "total": done + len(items)}
    return tqdm(items, delay=_DELAY, disable=not progress, leave=False, **shown)


def unseen(amount: float) -> None:
    """Advance without anybody looking.

    Args:
        amount: How much more is done.
    """


@contextmanager
def reporting(
    progress: bool | Report, unit: str = "cells", done: float = 0.0, phase: str | None = None
) -> Iterator[Report]:
    """A progress bar that appears after a second, a user's function, or nothing.

    Args:
        progress: Whether to show a bar, or a function to call.
        unit: What the number is of.
        done: Share that was done before, of which the time that is left does not depend.
        phase: What is being done, in front of the bar.

    Yields:
        What to call as the work goes on.
    """
    if callable(progress):
        yield progress
    elif not progress:
        yield _silent
    else:
        form = "{l_bar}{bar}| {postfix} [{elapsed}<{remaining}]"
        with tqdm(total=1.0, desc=phase, initial=done, bar_format=form, delay=_DELAY, miniters=0) as bar:

            def update(share: float, cells: int) -> None:
                bar.set_postfix_str(f"{cells:,} {unit}", refresh=False)
                bar.update(max(0.0, min(1.0, share) - bar.n))

            yield update


def _silent(share: float, cells: int) -> None:
    """Report nothing."""


def remark(progress: bool | Report, line: str) -> None:
    """Say something to people who look at a bar.

    Args:
        progress: Whether there is a bar; who gave a function is told nothing.
        line: What to say, in one line.
    """
    if progress is True:
        tqdm.write(line, file=sys.stderr)
