"""Say how far long work is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Report = Callable[[float, int], None]
"""A function of the share done and the number of cells."""


@contextmanager
def reporting(progress: bool | Report) -> Iterator[Report]:
    """A progress bar that appears after a second, a user's function, or nothing.

    Args:
        progress: Whether to show a bar, or a function to call.

    Yields:
        What to call as the work goes on.
    """
    if callable(progress):
        yield progress
    elif not progress:
        yield _silent
    else:
        form = "{l_bar}{bar}| {postfix} [{elapsed}<{remaining}]"
        with tqdm(total=1.0, bar_format=form, delay=1.0) as bar:

            def update(share: float, cells: int) -> None:
                bar.set_postfix_str(f"{cells:,} cells", refresh=False)
                bar.update(max(0.0, min(1.0, share) - bar.n))

            yield update


def _silent(share: float, cells: int) -> None:
    """Report nothing."""
