"""How results show themselves: one short line, a table with a thumbnail in notebooks, and a picture."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np

_LONGEST = 200
"""Characters of a line after which fields are left out."""

_FEW = 4
"""Numbers of an array that are written out."""

_TEXT = 60
"""Characters of a text that are written out."""

_MOST_DRAWN = 200_000
"""Rows of a result up to which a notebook draws it without being asked."""


class Shown:
    """A result that shows itself: `repr` is one line, a notebook gets a table and a thumbnail, `plot()` draws it.

    Dataclasses that derive from it need no more: fields are named with the types and shapes of their arrays, never with
    all of their numbers. A class with a line of its own keeps that.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Put the line where `dataclass` finds it, which otherwise writes one of raw arrays."""
        super().__init_subclass__(**options)
        if cls.__repr__ is Shown.__repr__ and "__repr__" not in vars(cls):
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        """One line: the class and its fields."""
        parts: list[str] = []
        for name, value in _named(self):
            parts.append(f"{name}={summary(value)}")
            if sum(map(len, parts)) > _LONGEST:
                parts[-1] = "..."
                break
        return f"{type(self).__name__}({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """A table of the fields, with a thumbnail of the picture beside it where there is one."""
        rows = "".join(
            f'<tr><td style="text-align: left; padding: 1px 10px 1px 0"><code>{html.escape(name)}</code></td>'
            f'<td style="text-align: left">{html.escape(summary(value))}</td></tr>'
            for name, value in _named(self)
        )
        own = type(self).__repr__ is not Shown.__repr__
        headline = repr(self) if own else _headline(self)
        table = f"<div><b>{html.escape(headline)}</b><table>{rows}</table></div>"
        picture = self._thumbnail()
        image = (
            f'<img src="{picture}" alt="{html.escape(type(self).__name__)}" style="max-width: 340px">'
            if picture
            else ""
        )
        return f'<div style="display: flex; gap: 16px; align-items: flex-start; flex-wrap: wrap">{image}{table}</div>'

    def plot(self, **options: Any) -> Any:
        """A picture of the result: see `splinescope.plotting.plot_result`.

        Args:
            **options: Those of the picture of its kind.

        Returns:
            The axes.
        """
        return import_module("splinescope.plotting.results").plot_result(self, **options)

    def _thumbnail(self) -> str:
        """A small picture as a data address; empty where there is nothing to draw, or too much to draw unasked."""
        if _length(self) > _MOST_DRAWN:
            return ""
        found: str = import_module("splinescope.plotting.results").thumbnail(self)
        return found


def summary(value: Any) -> str:
    """A value in a few characters: numbers to six digits, arrays by type and shape.

    Args:
        value: Anything.

    Returns:
        One line.

    Cost: none to speak of.

    Example:
        >>> summary(np.zeros((200, 3))), summary(1 / 3), summary([1, 2, 3, 4, 5])
        ('float64[200, 3]', '0.333333', 'list of 5')
    """
    if isinstance(value, str):
        return repr(value if len(value) <= _TEXT else value[: _TEXT - 3] + "...")
    if isinstance(value, bool | int | np.bool_ | np.integer) or value is None:
        return str(value)
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _array(value)
    if isinstance(value, Mapping):
        return f"{type(value).__name__} of {len(value)}" if len(value) else "{}"
    if isinstance(value, Sequence):
        short = len(value) <= _FEW and all(isinstance(item, str | float | int | None) for item in value)
        return _listed(value) if short else f"{type(value).__name__} of {len(value)}"
    if is_dataclass(value) and not isinstance(value, type):
        return _headline(value)
    text = repr(value)
    return text if len(text) <= _TEXT else type(value).__name__


def _listed(value: Sequence[Any]) -> str:
    inner = ", ".join(map(summary, value))
    return f"({inner}{',' if len(value) == 1 else ''})" if isinstance(value, tuple) else f"[{inner}]"


def _array(value: Any) -> str:
    """Type and shape, and the numbers of a short row."""
    kind = str(value.dtype).removeprefix("torch.")
    shape = tuple(value.shape)
    if math.prod(shape) > _FEW or len(shape) > 1 or kind == "object":
        return f"{kind}[{', '.join(map(str, shape))}]"
    numbers = value.tolist()
    return summary(numbers) if shape == () else f"[{', '.join(map(summary, numbers))}]"


def _headline(value: Any) -> str:
    """The class, and how many rows it has where it says so."""
    return f"{type(value).__name__}({length:,})" if (length := _length(value)) >= 0 else type(value).__name__


def _length(value: Any) -> int:
    """Number of rows; -1 for what has none."""
    return len(value) if hasattr(type(value), "__len__") else -1


def _named(value: Any) -> list[tuple[str, Any]]:
    """Fields that are shown, by name."""
    return [(field.name, getattr(value, field.name)) for field in fields(value) if field.repr]
