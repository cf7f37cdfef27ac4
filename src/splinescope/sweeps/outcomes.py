"""One task, and what becomes of it: numbers for the table, arrays for its shard, or an error with its traceback."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.numerics import is_shortage
from splinescope.sweeps.tasks import COLUMNS, named_kind
from splinescope.workers import unpack

_ARRAYS = "biufcmMSU"
"""Kinds of arrays that a shard holds: numbers, times and texts."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a task.

    Attributes:
        scalars: Numbers, texts and None by name.
        arrays: Arrays by name.
        seconds: How long it took.
        error: Kind and message of what ended it, or None.
        traceback: Where that was raised.
    """

    scalars: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    traceback: str | None = None


def outcome(packed: bytes, given: Mapping[str, Any]) -> Outcome:
    """Do a task; whatever the function raises becomes part of the answer.

    Args:
        packed: The function.
        given: Its arguments by name.

    Returns:
        What became of it.
    """
    return called(_function(packed), given)


def called(function: Callable[..., Any], given: Mapping[str, Any]) -> Outcome:
    """See `outcome`, with the function itself."""
    started = time.perf_counter()
    try:
        scalars, arrays = parts_of(function(**given), set(given))
    except BaseException as error:  # one task must not end the others
        if _is_of_the_user(error):
            raise
        return failure(error, time.perf_counter() - started)
    return Outcome(scalars, arrays, time.perf_counter() - started)


def failure(error: BaseException, seconds: float = 0.0) -> Outcome:
    """What became of a task that ended with an error.

    Args:
        error: The error, of any class, whose own methods may fail.
        seconds: How long the task took.

    Returns:
        The outcome.
    """
    try:
        where = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - classes of errors may do anything
        where = ""
    return Outcome(seconds=seconds, error=_told(error), traceback=writable(where))


def writable(text: str) -> str:
    """A text in which characters that UTF-8 cannot write, as in names of files that are no text, are escaped.

    Args:
        text: The text.

    Returns:
        The text itself, if it has none.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def parts_of(found: Any, arguments: set[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Numbers and arrays of what a function returned.

    Args:
        found: Values by name, or one value, which is then called `value`.
        arguments: Names that are taken.

    Returns:
        Plain values and arrays by name, all of which can be stored and come back as they are.

    Raises:
        InvalidInputError: If a value is of another kind, or a name is taken.
    """
    named = found if isinstance(found, Mapping) else {} if found is None else {"value": found}
    scalars: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, value in named.items():
        if not isinstance(name, str):
            raise InvalidInputError(
                f"`function`: it returned the name {name!r:.80}, {named_kind(name)}; expected a text"
            )
        if name in arguments or name in COLUMNS:
            raise InvalidInputError(f"`function`: it returned {name!r}, which is the name of another column")
        _check_text(name, "a name")
        plain = value.detach().cpu().numpy() if hasattr(value, "detach") else value
        plain = np.asarray(plain) if isinstance(plain, list | tuple) else plain
        if isinstance(plain, np.ndarray) and plain.ndim:
            arrays[name] = _array(name, plain)
        else:
            scalars[name] = _scalar(name, plain)
    return scalars, arrays


def _array(name: str, value: np.ndarray) -> np.ndarray:
    if value.dtype.kind not in _ARRAYS or not value.dtype.itemsize or np.ma.isMaskedArray(value):
        kind = f"{named_kind(value)} of type {value.dtype}"
        raise InvalidInputError(f"`function`: it returned {name!r}, {kind}; expected arrays of numbers or texts")
    return np.asarray(value)


def _scalar(name: str, value: Any) -> Any:
    """A plain value, of Python's own types: what derives from them may not be known elsewhere."""
    plain = value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value
    if plain is None or isinstance(plain, bool):
        return plain
    if isinstance(plain, str | os.PathLike):
        return _check_text(os.fspath(plain) if isinstance(plain, os.PathLike) else str(plain), repr(name))
    if isinstance(plain, float | np.floating):
        return float(plain)
    if isinstance(plain, int):
        repr(int(plain))  # raises if Python does not write so many digits, which the log needs
        return int(plain)
    raise InvalidInputError(
        f"`function`: it returned {name!r}, {named_kind(value)}; expected numbers, texts and arrays"
    )


def _check_text(text: str | bytes, what: str) -> str:
    if not isinstance(text, str) or writable(text) != text:
        raise InvalidInputError(f"`function`: it returned {what} as {text!r:.80}; expected a text that UTF-8 can write")
    return text


def _told(error: BaseException) -> str:
    """An error in one line: its kind and its message. Too little memory is a `MemoryError`, whoever says so."""
    try:
        kind = "MemoryError" if is_shortage(error) else type(error).__name__
        message = str(error)
    except BaseException as other:  # classes of errors may do anything
        if _is_of_the_user(other):
            raise
        kind, message = type(error).__name__, f"its message cannot be read, which raises {named_kind(other)}"
    return writable(f"{kind}: {' '.join(message.split())}")


def _is_of_the_user(error: BaseException) -> bool:
    """Whether it is Ctrl-C, which comes to the main thread where the signal is not ignored; else a task raised it."""
    return (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and callable(signal.getsignal(signal.SIGINT))
    )


@lru_cache(maxsize=4)
def _function(packed: bytes) -> Callable[..., Any]:
    function: Callable[..., Any] = unpack(packed)
    return function
