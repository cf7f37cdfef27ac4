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
        digest: A hash of all that the results depend on, but for the function.
    """

    names: tuple[str, ...]
    values: list[dict[str, Any]]
    labels: list[dict[str, Any]]
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
        axes = None
        if isinstance(grid, Mapping):
            axes = _axes_of(grid)
            pairs = _product(axes)
        else:
            pairs = _rows(grid)
        if not pairs:
            raise InvalidInputError("`grid`: it has no tasks; expected at least one value for each argument")
        names = tuple(pairs[0][0])
        for name in names:
            if not name.isidentifier() or name in COLUMNS:
                raise InvalidInputError(f"`grid`: got the argument {name!r}; expected a name other than {COLUMNS}")
        values, labels = [value for value, _ in pairs], [label for _, label in pairs]
        prints = [marks for axis in (axes or {}).values() for _, _, marks in axis] if axes else []
        if axes is None:
            prints = [mark_of(name, value) for row in values for name, value in row.items() if not _is_plain(value)]
        digest = hashlib.sha256(json_text([list(names), labels, prints], indent=None).encode()).hexdigest()
        return cls(names, values, labels, digest)


Axis = list[tuple[Any, Any, str]]
"""For each value: itself, its label, and by what it is known again."""


def _axes_of(grid: Mapping[str, Any]) -> dict[str, Axis]:
    axes = {}
    for name, given in grid.items():
        if isinstance(given, str | bytes | os.PathLike) or not hasattr(given, "__iter__"):
            raise InvalidInputError(
                f"`grid`: {name!r} is a {type(given).__name__}; expected several values, or one in a list"
            )
        if isinstance(given, Mapping):
            axes[str(name)] = [(value, str(label), mark_of(name, value)) for label, value in given.items()]
        else:
            values = list(given)
            axes[str(name)] = [(_plain(v), _label(v, at), mark_of(name, v)) for at, v in enumerate(values)]
    return axes


def _product(axes: Mapping[str, Axis]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    names = list(axes)
    return [
        (
            {name: part[0] for name, part in zip(names, parts, strict=True)},
            {name: part[1] for name, part in zip(names, parts, strict=True)},
        )
        for parts in itertools.product(*axes.values())
    ]


def _rows(grid: Sequence[Mapping[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    rows = list(grid)
    wrong = next((row for row in rows if not isinstance(row, Mapping) or set(row) != set(rows[0])), None)
    if wrong is not None:
        raise InvalidInputError(f"`grid`: got the row {wrong!r:.80}; expected rows of the same arguments by name")
    return [
        (
            {str(name): _plain(value) for name, value in row.items()},
            {str(name): _label(value, at) for name, value in row.items()},
        )
        for at, row in enumerate(rows)
    ]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | os.PathLike | np.generic)


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
        return fingerprint(value, str(name))
    except StoreError:
        state = getattr(value, "state_dict", None)
        tensors = {key: part for key, part in state().items() if hasattr(part, "detach")} if callable(state) else {}
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        return fingerprint([kind, dict(tensors)], str(name))
