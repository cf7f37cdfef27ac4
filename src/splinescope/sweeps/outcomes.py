"""One task, and what becomes of it: numbers for the table, arrays for its shard, or an error with its traceback."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.numerics import is_shortage
from splinescope.sweeps.tasks import COLUMNS
from splinescope.workers import unpack


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
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one task must not end the others
        where = "".join(traceback.format_exception(error))
        return Outcome(seconds=time.perf_counter() - started, error=told(error), traceback=where)
    return Outcome(scalars, arrays, time.perf_counter() - started)


def told(error: BaseException) -> str:
    """An error in one line.

    Args:
        error: The error.

    Returns:
        Its kind and its message. Too little memory is a `MemoryError`, whoever says so.
    """
    kind = "MemoryError" if is_shortage(error) else type(error).__name__
    return f"{kind}: {' '.join(str(error).split())}"


def parts_of(found: Any, arguments: set[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Numbers and arrays of what a function returned.

    Args:
        found: Values by name, or one value, which is then called `value`.
        arguments: Names that are taken.

    Returns:
        Plain values and arrays by name.

    Raises:
        InvalidInputError: If a value is of another kind, or a name is taken.
    """
    named = found if isinstance(found, Mapping) else {} if found is None else {"value": found}
    scalars: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, value in named.items():
        if not isinstance(name, str) or name in arguments or name in COLUMNS:
            raise InvalidInputError(f"`function`: it returned {name!r}, which is the name of another column")
        plain = value.detach().cpu().numpy() if hasattr(value, "detach") else value
        plain = np.asarray(plain) if isinstance(plain, list | tuple) else plain
        if isinstance(plain, np.ndarray) and plain.ndim and plain.dtype != object:
            arrays[name] = plain
        elif isinstance(plain, np.generic | np.ndarray) and plain.ndim == 0:
            scalars[name] = plain.item()
        elif plain is None or isinstance(plain, bool | int | float | str):
            scalars[name] = plain
        elif isinstance(plain, os.PathLike):
            scalars[name] = os.fspath(plain)
        else:
            raise InvalidInputError(
                f"`function`: it returned {name!r}, a {type(value).__name__}; expected numbers, texts and arrays"
            )
    return scalars, arrays


@lru_cache(maxsize=4)
def _function(packed: bytes) -> Callable[..., Any]:
    function: Callable[..., Any] = unpack(packed)
    return function
