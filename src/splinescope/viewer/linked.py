"""Several views of one space of inputs in one page: what is pointed at in one is shown in the others."""

from __future__ import annotations

import hashlib
import html
import json
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.viewer.contents import contents, opened, share_scales
from splinescope.viewer.page import Page, page_of
from splinescope.viewer.page_record import seen_classes

MOST_VIEWS = 9
"""Views of one page at most."""

_HOME = files("splinescope.viewer")


def explore_linked(
    views: Mapping[str, Any] | Sequence[Any],
    path: str | os.PathLike[str] | None = None,
    *,
    color: str = "pattern",
    title: str | None = None,
) -> Page:
    r"""A page with several planes, solids or surfaces side by side: pointing at a place in one points at it in all.

    A place $t$ of a view is the input $x = o + \sum_i t_i b_i$ of its domain's origin and basis. The other views show
    the nearest point of theirs: as a disk, with its cell, where it is $x$ itself, as when a plane lies in a box or two
    networks are seen on one plane; else as a ring. A click chooses the cells of a place in all views that hold it.
    Colours and their scales are shared, and views of one plane move together.

    Args:
        views: Complexes of two or three dimensions, or surfaces, by what their views are called, or a sequence of
            them; or the files in which they were saved.
        path: A file to write it to; None to write none.
        color: As in `explore`; views that have no such numbers are coloured by pattern.
        title: What the window is called; None for the names of the views.

    Returns:
        The page.

    Raises:
        InvalidInputError: If there are fewer than two views or too many, a segment is among them, no view has `color`,
            or as for `explore`.

    Cost: that of `explore` for each view, in time and bytes.

    Example:
        >>> import splinescope, torch
        >>> domain = splinescope.Slice.box([-1, -1], [1, 1])
        >>> modules = {name: torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()) for name in ("one", "two")}
        >>> explore_linked({name: splinescope.tessellate(module, domain) for name, module in modules.items()}).title
        'one, two'
    """
    named = dict(views) if isinstance(views, Mapping) else {f"view {n + 1}": view for n, view in enumerate(views)}
    if not 2 <= len(named) <= MOST_VIEWS:
        raise InvalidInputError(f"`views`: got {len(named)}; expected 2 to {MOST_VIEWS} complexes or surfaces")
    found = {str(name): opened(view) for name, view in named.items()}
    made = {name: _contents(name, cells, color) for name, cells in found.items()}
    if all(record["color"] != color for record, _ in made.values()):
        raise InvalidInputError(f"`color`: no view has {color!r}; see `explore`")
    measures = [measure for record, _ in made.values() for measure in record["measures"]]
    for key in {measure["key"] for measure in measures}:
        share_scales([measure for measure in measures if measure["key"] == key])
    _share_classes([record for record, _ in made.values()])
    parts = [
        {"name": name, "text": page_of(record, [packer], name).text, **_place(found[name])}
        for name, (record, packer) in made.items()
    ]
    page = _page(parts, title or ", ".join(made))
    if path is not None:
        page.save(path)
    return page


def _contents(name: str, cells: Any, color: str) -> tuple[dict[str, Any], Any]:
    """The record and the arrays of a view, coloured as wished where it can be."""
    if getattr(cells, "dimension", None) == 1:
        raise InvalidInputError(f"`views`: {name} is a segment; expected planes, three dimensions or surfaces")
    record, packer = contents(cells, {}, "pattern")
    has = [measure["key"] for measure in record["measures"]] + ["class"] * bool(record["classes"]) + ["none"]
    return {**record, "color": color if color in has else "pattern"}, packer


def _share_classes(records: list[dict[str, Any]]) -> None:
    """Give each class one colour in all views; the pairs of classes on surfaces have their own."""
    own = [record["classes"] for record in records if record["classes"] and record.get("solid", True)]
    seen = seen_classes(np.unique([label for classes in own for label in classes["present"]]).astype(int))
    colors = dict(zip(seen["present"], seen["colors"], strict=True))
    for classes in own:
        classes["colors"] = [colors[label] for label in classes["present"]]


def _place(cells: Any) -> dict[str, Any]:
    """Where a view's coordinates are in the space of inputs."""
    domain = cells.domain
    origin = np.asarray(domain.origin, float).ravel()
    basis = np.asarray(domain.basis, float).reshape(-1, len(origin))
    corners = np.asarray(domain.corners, float)
    size = float(np.linalg.norm(np.ptp(corners, axis=0) @ np.abs(basis)))
    frame = json.dumps([part.tolist() for part in (origin, basis, corners.min(axis=0), np.ptp(corners, axis=0))])
    return {
        "origin": origin.tolist(),
        "basis": basis.tolist(),
        "size": size,
        "frame": hashlib.sha256(frame.encode()).hexdigest(),
    }


def _page(views: list[dict[str, Any]], title: str) -> Page:
    """The window around the views."""
    template = Template((_HOME / "linked.html").read_text(encoding="utf-8"))
    data = json.dumps({"views": views}, allow_nan=False).replace("<", "\\u003c")
    script = (_HOME / "scripts" / "linked.js").read_text(encoding="utf-8").replace("</", "<\\/")
    return Page(template.substitute(title=html.escape(title), record=data, script=script), title)
