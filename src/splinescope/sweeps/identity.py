"""By what a sweep is known again: its function, the values bound to it, its grid; and which version its code is."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from splinescope.errors import StoreError
from splinescope.sweeps.tasks import Grid, mark_of

FORMAT = 1
"""Version of the layout."""

_LETTERS = 60
"""Most letters of a value in a message."""

_KNOWN_BY = ("log", "format", "function", "options", "arguments", "tasks", "grid")
_SIMPLE = (type(None), bool, int, float, complex, str, bytes)


class OtherSweep(StoreError):  # noqa: N818 - it says what is there
    """A store holds another sweep than the one that is asked for.

    Attributes:
        what: What differs: an argument of the function, or a word.
        before: Its value there, in words; None if that cannot be told.
        now: Its value here, likewise.
    """

    def __init__(self, path: Path, what: str, before: str | None, now: str | None) -> None:
        values = "has other values" if before is None or before == now else f"is {before}, here {now}"
        super().__init__(
            f"`store`: {str(path)!r} holds another sweep (its {what} {values}); expected the same, another folder, or "
            "`resume=False` to replace it"
        )
        self.what, self.before, self.now = what, before, now


def header_of(function: Any, grid: Grid) -> dict[str, Any]:
    """What a store says at its beginning.

    Args:
        function: The function, of which the name is kept, and a hash of its code.
        grid: The tasks.

    Returns:
        Plain values. `values` and `axes` are for messages; `code` is a list of the versions that made rows.
    """
    inner = getattr(function, "func", function)  # of a `functools.partial`, whose arguments belong to it
    bound = [*getattr(function, "args", ()), *getattr(function, "keywords", {}).values()]
    version = version_of(inner)
    return {
        "log": "splinescope-sweep",
        "format": FORMAT,
        "function": f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', type(inner).__name__)}",
        "options": [mark_of("options", value) or str(value) for value in bound],
        "arguments": list(grid.names),
        "tasks": len(grid),
        "grid": grid.digest,
        "values": _values_of(inner, function),
        "axes": {name: _several(labels) for name, labels in grid.axes.items()},
        "code": [] if version is None else [version],
    }


def check_same(path: Path, there: dict[str, Any], rows: Iterable[Mapping[str, Any]], here: Any, grid: Grid) -> None:
    """Raise if a store holds another sweep.

    Args:
        path: The store.
        there: Its header.
        rows: Its rows.
        here: The header of the sweep that is asked for.
        grid: Its tasks.

    Raises:
        OtherSweep: Which says what differs.
    """
    differ = [key for key in _KNOWN_BY if there.get(key) != here[key]]
    if not differ:
        return
    if "function" in differ:
        raise OtherSweep(path, "function", repr(there.get("function")), repr(here["function"]))
    if "arguments" in differ:
        raise OtherSweep(path, "list of arguments", _several(there.get("arguments")), _several(here["arguments"]))
    for part in ("axes", "values"):
        before, now = there.get(part, {}), here[part]
        for name in (name for name in now if before.get(name, now[name]) != now[name]):
            raise OtherSweep(path, name, str(before[name]), now[name])
    if "options" in differ:
        raise OtherSweep(path, "function's bound arguments", None, None)
    for row in (row for row in rows if row["task"] < len(grid)):
        for name, label in grid.labels[row["task"]].items():
            if repr(row.get(name)) != repr(label):
                raise OtherSweep(path, f"{name} of task {row['task']}", _text(row.get(name)), _text(label))
    if "tasks" in differ:
        raise OtherSweep(path, "number of tasks", str(there.get("tasks")), str(here["tasks"]))
    raise OtherSweep(path, "grid", None, None)


def version_of(function: Any) -> str | None:
    """A hash of a function's code: its instructions and constants, its defaults, and what it closes over.

    Of values that are neither plain nor functions, the class; of functions that it calls by name, the name.

    Args:
        function: Any function.

    Returns:
        The version of Python, by which instructions differ, and 16 hexadecimal digits; None of what has no code.
    """
    said = _code_of(function, frozenset())
    if said is None:
        return None
    return f"{sys.implementation.cache_tag}:{hashlib.sha256(said.encode('utf-8', 'backslashreplace')).hexdigest()[:16]}"


def earlier(versions: Iterable[str], now: Iterable[str]) -> list[str]:
    """Versions of the code that are known to differ from that of now.

    Args:
        versions: What a store says.
        now: The version of now; nothing if it is not known.

    Returns:
        Those of the same Python that differ.
    """
    return [one for one in versions for new in now if one != new and one.partition(":")[0] == new.partition(":")[0]]


def _code_of(function: Any, seen: frozenset[int]) -> str | None:
    """What makes the code of a function, as a text."""
    plain = inspect.unwrap(getattr(function, "__func__", function)) if callable(function) else function
    if not hasattr(plain, "__code__"):  # an object that is called
        plain = type(plain).__call__ if callable(plain) else None
    code = getattr(plain, "__code__", None)
    if not isinstance(code, CodeType) or id(code) in seen:
        return None
    seen |= {id(code)}
    cells = [_content(cell) for cell in getattr(plain, "__closure__", None) or ()]
    keywords = getattr(plain, "__kwdefaults__", None) or {}
    values = [*cells, *(getattr(plain, "__defaults__", None) or ()), *keywords.values()]
    return repr([_instructions(code), [_simple(value, seen) for value in values]])


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _instructions(code: CodeType) -> str:
    constants = [_instructions(one) if isinstance(one, CodeType) else _constant(one) for one in code.co_consts]
    return repr([code.co_code, constants, code.co_names, code.co_argcount, code.co_kwonlyargcount])


def _constant(value: Any) -> str:
    """A constant in words that are the same in each process, whatever the order of sets is there."""
    if isinstance(value, frozenset):
        return repr(sorted(map(_constant, value)))
    return repr([_constant(one) for one in value]) if isinstance(value, tuple) else repr(value)


def _simple(value: Any, seen: frozenset[int]) -> str:
    if isinstance(value, tuple | list):
        return repr([_simple(one, seen) for one in value])
    if type(value) in _SIMPLE:
        return repr(value)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return (inspect.isfunction(value) and _code_of(value, seen)) or kind


def _values_of(inner: Any, function: Any) -> dict[str, str]:
    """What is bound to a function in words, by name; of a dataclass, its fields."""
    try:
        names = list(inspect.signature(inner).parameters)
    except (TypeError, ValueError):
        names = []
    args = getattr(function, "args", ())
    names += [f"argument {number}" for number in range(len(names), len(args))]
    bound = dict(zip(names, args, strict=False)) | getattr(function, "keywords", {})
    found: dict[str, str] = {}
    for name, value in bound.items():
        if is_dataclass(value) and not isinstance(value, type):
            found |= {one.name: _text(getattr(value, one.name)) for one in fields(value)}
        else:
            found[name] = _text(value)
    return found


def _several(values: Any) -> str:
    """The first of some values, and how many there are."""
    listed = list(values) if isinstance(values, list | tuple) else []
    shown = ", ".join(map(_text, listed[:3])) + (", ..." if len(listed) > 3 else "")
    return shown if len(listed) == 1 else f"{shown} ({len(listed)} values)"


def _text(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - classes may do anything
        return type(value).__name__
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 3]}..."
