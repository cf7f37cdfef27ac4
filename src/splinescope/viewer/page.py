"""One HTML file that shows cells: it asks for nothing from the network and opens from disk."""

from __future__ import annotations

import html
import json
import os
import tempfile
import webbrowser
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from splinescope.storage import replacing
from splinescope.viewer.packing import Packer
from splinescope.viewer.page_record import colors_of_all

if TYPE_CHECKING:
    from splinescope.viewer.widget import ViewerWidget

_HOME = files("splinescope.viewer")


@dataclass(frozen=True)
class Page:
    """A page for the browser; in a notebook it shows itself.

    Attributes:
        text: All of it: markup, script and data.
        title: What stands at its top.
        numbered: Number of cells, the most of all frames; None for several views.
    """

    text: str
    title: str
    numbered: int | None = None

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

    def widget(self) -> ViewerWidget:
        """The page as a widget of a notebook, which tells Python what is chosen; see `splinescope.viewer.widget`.

        Returns:
            The widget.

        Raises:
            MissingDependencyError: If anywidget is not installed; it comes with `splinescope[notebook]`.
        """
        from splinescope.viewer.widget import ViewerWidget

        return ViewerWidget(self.text, self.numbered)

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


def page_of(record: dict[str, Any], packers: list[Packer], title: str) -> Page:
    """The page of a record and its arrays.

    Args:
        record: What the page reads, without colour maps; with `frames` it has the record of each.
        packers: The arrays, of each frame if there are frames.
        title: What stands at the top.

    Returns:
        The page.
    """
    template = Template((_HOME / "page.html").read_text(encoding="utf-8"))
    framed = "frames" in record
    listing = {} if framed else {"arrays": packers[0].listing}
    data = json.dumps({**colors_of_all(), **record, **listing, "title": title}, allow_nan=False)
    script = (_HOME / "scripts" / f"{record['kind']}.js").read_text(encoding="utf-8").replace("</", "<\\/")
    blocks = [
        f'<script type="text/plain" id="arrays{f"-{number}" if framed else ""}">{packer.text()}</script>'
        for number, packer in enumerate(packers)
    ]
    return Page(
        template.substitute(
            title=html.escape(title), record=data.replace("<", "\\u003c"), blocks="\n".join(blocks), script=script
        ),
        title,
        max(_count(one) for one in _records(record)),
    )


def _records(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The record of each frame, or the one."""
    return [{**record, **frame["record"]} for frame in record["frames"]] if "frames" in record else [record]


def _count(record: dict[str, Any]) -> int:
    """Number of cells or polygons."""
    counts = record["counts"]
    return int(counts["items"] if "items" in counts else counts["cells"])
