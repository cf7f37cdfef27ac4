"""One HTML file that shows a complex: it asks for nothing from the network and opens from disk."""

from __future__ import annotations

import html
import json
import os
import tempfile
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.storage import replacing
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.viewer.packing import Packer
from splinescope.viewer.planar import planar_page

_HOME = files("splinescope.viewer")


@dataclass(frozen=True)
class Page:
    """A page for the browser; in a notebook it shows itself.

    Attributes:
        text: All of it: markup, script and data.
        title: What stands at its top.
    """

    text: str
    title: str

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file that any browser opens, also without a network.

        Args:
            path: The file, such as "cells.html".

        Returns:
            Its path.
        """
        wanted = Path(path)
        with replacing(wanted) as temporary:
            temporary.write_text(self.text, encoding="utf-8")
        return wanted

    def open(self) -> Path:
        """Write the page to a temporary file and show it in the browser.

        Returns:
            The file, which stays until the system clears its temporary folder.
        """
        folder = Path(tempfile.mkdtemp(prefix="splinescope-"))
        path = self.save(folder / "cells.html")
        webbrowser.open(path.as_uri())
        return path

    def _repr_html_(self) -> str:
        """A frame with the page in it, for notebooks."""
        return (
            f'<iframe srcdoc="{html.escape(self.text)}" title="{html.escape(self.title)}" '
            'style="width: 100%; height: 600px; border: 1px solid #ccc" '
            'sandbox="allow-scripts allow-downloads"></iframe>'
        )

    def __repr__(self) -> str:
        """One line."""
        return f"Page({self.title!r}, {len(self.text) / 1e6:.1f} MB)"


def explore(
    cells: PolyhedralComplex | SegmentBatch,
    path: str | os.PathLike[str] | None = None,
    *,
    color: str = "pattern",
    values: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Page:
    """A page to look around in: cells under the pointer say their pattern, class, norm and map; colours can be chosen.

    It is one file without any address in it, so that it can be kept beside a paper and opened in ten years. In a
    notebook the result shows itself; elsewhere `.open()` shows it in the browser.

    Args:
        cells: A complex of a plane.
        path: A file to write it to; None to write none.
        color: What cells are coloured by at first: "pattern", "class", "norm", "area", "none", or a key of `values`.
        values: Further numbers to colour by, one for each cell, by what they are called.
        title: What stands at the top; None for the kind and number of cells.

    Returns:
        The page.

    Raises:
        InvalidInputError: If the cells are of another dimension, `color` is none of these, or `values` do not fit.

    Cost: patterns, norms and classes of all cells once; some 25 bytes of the page for each cell.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> page = explore(splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1])))
        >>> page.title, "<script src" in page.text
        ('4 cells of a plane', False)
    """
    if not isinstance(cells, PlanarComplex):
        raise InvalidInputError(
            f"`cells`: got {type(cells).__name__}; expected cells of a plane (others have pictures: `.plot()`)"
        )
    found = {name: np.asarray(column, dtype=np.float64) for name, column in (values or {}).items()}
    for name, column in found.items():
        if column.shape != (len(cells),):
            raise InvalidInputError(
                f"`values`: {name!r} has the shape {column.shape}; expected ({len(cells)},), one per cell"
            )
    record, packer = planar_page(cells, found)
    known = [
        "pattern",
        *(["class"] if record["classes"] else []),
        *(measure["key"] for measure in record["measures"]),
        "none",
    ]
    if color not in known:
        raise InvalidInputError(f"`color`: got {color!r}; expected one of {', '.join(map(repr, known))}")
    heading = title or f"{len(cells):,} cells of a plane"
    page = Page(_text({**record, "color": color, "title": heading}, packer, heading), heading)
    if path is not None:
        page.save(path)
    return page


def _text(record: dict[str, Any], packer: Packer, title: str) -> str:
    """The page's markup with its script and data in it."""
    template = Template((_HOME / "page.html").read_text(encoding="utf-8"))
    data = json.dumps({**record, "arrays": packer.listing}, allow_nan=False).replace("<", "\\u003c")
    script = (_HOME / "viewer.js").read_text(encoding="utf-8").replace("</", "<\\/")
    return template.substitute(title=html.escape(title), record=data, arrays=packer.text(), script=script)
