"""The page as a widget of a notebook: what is chosen in it comes back to Python."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.numerics import require

_anywidget = require("anywidget", "notebook", "the viewer as a widget")
_traitlets = require("traitlets", "notebook", "the viewer as a widget")


class ViewerWidget(_anywidget.AnyWidget):  # type: ignore[name-defined]
    """The page of cells in Jupyter, VS Code, Colab or marimo.

    A click in the page chooses a cell, a click with the shift key one more; `selected_cells` holds their numbers, as of
    `cells[i]`, and setting it chooses them in the page. `observe(function, "selected_cells")` calls a function at every
    change.

    Attributes:
        page: The page's text.
        height: Its height, in pixels.
        selected_cells: Numbers of the cells that are chosen, in the order of the clicks; others raise
            InvalidInputError.
    """

    _esm = (files("splinescope.viewer") / "widget.mjs").read_text(encoding="utf-8")
    page = _traitlets.Unicode().tag(sync=True)
    height = _traitlets.Int(600).tag(sync=True)
    selected_cells = _traitlets.List(_traitlets.Int()).tag(sync=True)

    def __init__(self, page: str, numbered: int | None = None, **options: Any) -> None:
        self._numbered = numbered
        super().__init__(page=page, **options)

    @_traitlets.validate("selected_cells")
    def _known(self, proposal: Any) -> list[int]:
        """The numbers that were chosen, if there are such cells."""
        chosen: list[int] = proposal["value"]
        foreign = [number for number in chosen if number < 0 or not number < (self._numbered or np.inf)]
        if foreign:
            most = "" if self._numbered is None else f" to {self._numbered - 1:,}"
            raise InvalidInputError(f"`selected_cells`: got {foreign[0]}; expected numbers of cells, from 0{most}")
        return chosen

    def __repr__(self) -> str:
        """One line."""
        return f"ViewerWidget({len(self.page) / 1e6:.1f} MB, {len(self.selected_cells)} cells chosen)"
