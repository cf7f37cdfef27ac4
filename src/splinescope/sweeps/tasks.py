"""What a function is called with: the points of a grid, or rows, each a task with its number."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError, StoreError
from splinescope.storage import fingerprint, json_text

COLUMNS = ("task", "error", "traceback", "seconds", "shard")
"""Columns that every sweep has, which no argument or result may be called."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Tasks.

    Attributes:
        names: The arguments.
        values: For each task what the function is given.
        labels: For each task what the table shows of it: plain values.
        axes: For each argument all that is shown of it, if all combinations are taken.
        digest: A hash of all that the results depend on, but for the function.
    """

    names: tuple[str, ...]
    values: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    axes: dict[str, list[Any]]
    digest: str

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of(cls, grid: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Grid:
        """Read what a user gave.

        Args:
            grid: Values by argument, or rows of arguments; see `map`.

        Returns:
            The tasks.

        Raises:
            InvalidInputError: If it is none of these, is empty, or has a name that columns have.
        """
        axes = _axes_of(grid) if isinstance(grid, Mapping) else {}
        pairs = _product(axes) if isinstance(grid, Mapping) else _rows(grid)
        if not pairs:
            raise InvalidInputError("`grid`: it has no tasks; expected at least one value for each argument")
        names = tuple(pairs[0][0])
        values, labels = [value for value, _ in pairs], [label for _, label in pairs]
        if isinstance(grid, Mapping):
            prints = [mark for axis in axes.values() for _, _, mark in axis]
        else:
            prints = [mark_of(name, value) for row in values for name, value in row.items() if not _is_plain(value)]
        digest = hashlib.sha256(json_text([list(names), labels, prints], indent=None).encode()).hexdigest()
        shown = {name: [label for _, label, _ in axis] for name, axis in axes.items()}
        return cls(names, values, labels, shown, digest)


Axis = list[tuple[Any, Any, str]]
"""For each value: itself, its label, and by what it is known again."""


def named_kind(value: Any) -> str:
    """What a value is, in words.

    Args:
        value: Any value.

    Returns:
        Its class with its article.
    """
    name = type(value).__name__
    return f"{'an' if name.lower().startswith(('a', 'e', 'i', 'o', 'u', 'nd')) else 'a'} {name}"


def _axes_of(grid: Mapping[str, Any]) -> dict[str, Axis]:
    axes: dict[str, Axis] = {}
    for name, given in grid.items():
        _check_name(name)
        try:
            several = None if isinstance(given, str | bytes | os.PathLike) else iter(given)
        except TypeError:  # also of arrays and tensors without axes
            several = None
        if several is None:
            raise InvalidInputError(
                f"`grid`: {name!r} is {named_kind(given)}; expected several values, or one in a list"
            )
        if isinstance(given, Mapping):
            axes[name] = [(value, str(label), mark_of(name, value)) for label, value in given.items()]
        else:
            axes[name] = [(_plain(v), _label(v, at), mark_of(name, v)) for at, v in enumerate(several)]
    return axes


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise InvalidInputError(f"`grid`: got the argument {name!r:.80}, {named_kind(name)}; expected its name, a text")
    if not name.isidentifier():
        raise InvalidInputError(f"`grid`: got the argument {name!r}; expected a name that Python has for arguments")
    if name in COLUMNS:
        raise InvalidInputError(
            f"`grid`: got the argument {name!r}; expected another name, since every table has columns that are called "
            f"{', '.join(COLUMNS)}"
        )


def _product(axes: Mapping[str, Axis]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    names = list(axes)
    return [
        (
            {name: part[0] for name, part in zip(names, parts, strict=True)},
            {name: part[1] for name, part in zip(names, parts, strict=True)},
        )
        for parts in itertools.product(*axes.values())
    ]


def _rows(grid: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    if isinstance(grid, str | bytes) or not hasattr(grid, "__iter__"):
        raise InvalidInputError(
            f"`grid`: got {grid!r:.80}, {named_kind(grid)}; expected the values of each argument by name, or rows"
        )
    rows = list(grid)
    wrong = next((row for row in rows if not isinstance(row, Mapping) or set(row) != set(rows[0])), None)
    if wrong is not None:
        raise InvalidInputError(f"`grid`: got the row {wrong!r:.80}; expected rows of the same arguments by name")
    for name in rows[0] if rows else ():
        _check_name(name)
    return [
        (
            {name: _plain(value) for name, value in row.items()},
            {name: _label(value, at) for name, value in row.items()},
        )
        for at, row in enumerate(rows)
    ]


def _plain(value: Any) -> Any:
    """A number of numpy's as one of Python's, where Python has such numbers."""
    return value.item() if isinstance(value, np.generic) and value.dtype.kind in "biufU" else value


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(_plain(value), bool | int | float | str | os.PathLike)


def _label(value: Any, at: int) -> Any:
    """What the table shows: a plain value itself, of anything else its place."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return _plain(value) if _is_plain(value) else at


def mark_of(name: str, value: Any) -> str:
    """By what a value is known again.

    Args:
        name: What it is called.
        value: Any value.

    Returns:
        Nothing for plain values, which their label tells; a hash of arrays, and of anything made of them; of other
        objects one of their class and their tensors.
    """
    if _is_plain(value):
        return ""
    try:
        return fingerprint(np.asarray(value) if isinstance(value, np.generic) else value, str(name))
    except StoreError:
        state = getattr(value, "state_dict", None)
        tensors = {key: part for key, part in state().items() if hasattr(part, "detach")} if callable(state) else {}
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        return fingerprint([kind, dict(tensors)], str(name))
