"""Failures of an import that nobody foresaw: one line, and never a foreign exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from splinescope.errors import InvalidInputError, SplinescopeError, UnsupportedOpError
from splinescope.network.importers.module_copy import first_line


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn what is raised inside a block, and is not ours, into a refusal that keeps it as its cause.

    Raises:
        InvalidInputError: If the model's code ends the program.
        UnsupportedOpError: Instead of any exception but ours and those of memory.
    """
    try:
        yield
    except (SplinescopeError, MemoryError):
        raise
    except SystemExit as error:
        raise InvalidInputError(
            f"`model`: its code ends the program ({first_line(error)}); expected one that returns an output"
        ) from error
    except Exception as error:
        raise UnsupportedOpError(
            f"`model`: splinescope fails to read it ({first_line(error)}); please report this model"
        ) from error
