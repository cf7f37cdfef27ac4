"""The one tree of exceptions that splinescope raises.

Everything derives from `SplinescopeError`, so that a caller catches the library's own complaints with one clause. A
message is one line: it names the argument in backticks, says what came, what was expected, and what to do. What helps
beyond that is a note of the exception, which Python shows with its traceback, and the command line with `--verbose`.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import SupportsIndex


class SplinescopeError(Exception):
    """Base of every exception that splinescope raises on purpose."""


class InvalidInputError(SplinescopeError, ValueError):
    """An argument cannot mean anything here: wrong shape, not finite, an empty polygon, a file that cannot be read."""


class UnsupportedOpError(SplinescopeError):
    """The model has an operation that is not continuous piecewise affine, or that splinescope does not know.

    It is raised at import, so that a wrong tessellation is never computed; the message names the node and its op.
    """


class CertificateError(SplinescopeError):
    """A computed tessellation failed its own verification.

    Attributes:
        cells: Indices of the cells that the failed check concerns, in increasing order; empty when the check is
            about the tessellation as a whole.
    """

    def __init__(self, message: str, cells: Iterable[SupportsIndex] = ()) -> None:
        """Keep the message and the cells concerned.

        Args:
            message: What was checked and what was found.
            cells: Indices of the cells concerned.
        """
        super().__init__(message)
        self.cells: tuple[int, ...] = tuple(sorted(index(cell) for cell in cells))


class CertificateWarning(UserWarning):
    """A certificate is right but reaches a lower level than was asked for; the message says which, and why."""


class DegenerateArrangementError(SplinescopeError):
    """An arrangement of folds is so degenerate that float64 cannot decide it; the message says where."""


class MissingDependencyError(SplinescopeError):
    """An optional package is needed and not installed; the message says how to install it."""


class StoreError(SplinescopeError):
    """A file cannot be written, or cannot be read back: missing, incomplete or damaged."""


class WorkerError(SplinescopeError):
    """A worker did not do its task: it died each time that it tried, or workers cannot be started; it says which."""


class StoreWarning(UserWarning):
    """A store is not as it should be, and the work goes on: a checkpoint that cannot be written, lost shards."""
