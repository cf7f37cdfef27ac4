"""What `cells.explore()` shows: a page for cells of one to three dimensions, and for surfaces."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments import SegmentBatch, SegmentComplex
from splinescope.tessellation.spatial.complex import SpatialComplex
from splinescope.tessellation.surface import SurfaceMesh
from splinescope.viewer.packing import Packer
from splinescope.viewer.page import Page, page_of
from splinescope.viewer.planar import planar_page
from splinescope.viewer.segments import segment_page
from splinescope.viewer.space import solid_page, surface_page

MOST_SEGMENTS = 200
"""Segments of a batch up to which each becomes a frame."""


def explore(
    cells: PolyhedralComplex | SegmentBatch | SurfaceMesh,
    path: str | os.PathLike[str] | None = None,
    *,
    color: str = "pattern",
    values: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Page:
    """A page to look around in: cells under the pointer say their pattern, class, norm and map; colours can be chosen.

    It is one file without any address in it, so that it can be kept beside a paper and opened in ten years. In a
    notebook the result shows itself; elsewhere `.open()` shows it in the browser. Planes are moved and zoomed;
    segments show outputs, margin and norms along them; cells of three dimensions and surfaces are turned and cut.

    Args:
        cells: A complex of a segment, a plane or three dimensions, a batch of segments (one frame for each), or a
            surface.
        path: A file to write it to; None to write none.
        color: What cells are coloured by at first: "pattern", "class", "norm", "area", "none", or a key of `values`;
            in three dimensions "volume" takes the place of "area"; surfaces have "area" and "part" and no "norm".
            Segments have lines instead, and ignore it.
        values: Further numbers to colour by, one for each cell, by what they are called; on segments each is drawn.
        title: What stands at the top; None for the kind and number of cells.

    Returns:
        The page.

    Raises:
        InvalidInputError: If there is no page of such cells (four dimensions, region graphs), `color` is none of
            these, or `values` do not fit.

    Cost: patterns, norms and classes of all cells once; some 25 bytes of the page for each cell of a plane, 150 in
    three dimensions.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> page = explore(splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1])))
        >>> page.title, "<script src" in page.text
        ('4 cells of a plane', False)
    """
    if isinstance(cells, SegmentBatch):
        page = _batch_page(cells, values, title)
    else:
        record, packer = contents(cells, values or {}, color)
        page = page_of(record, [packer], title or heading(cells))
    if path is not None:
        page.save(path)
    return page


def _batch_page(batch: SegmentBatch, values: Mapping[str, Any] | None, title: str | None) -> Page:
    """The segments of a batch as frames."""
    from splinescope.viewer.frames import explore_frames

    if values:
        raise InvalidInputError("`values`: a batch of segments has none; explore one segment, `batch[0].explore(...)`")
    if not 1 <= len(batch) <= MOST_SEGMENTS:
        raise InvalidInputError(
            f"`cells`: got a batch of {len(batch)} segments; expected 1 to {MOST_SEGMENTS}; explore one, `batch[0]`"
        )
    frames = {f"segment {number}": batch[number] for number in range(len(batch))}
    return explore_frames(frames, title=title or f"{len(batch)} segments")


def heading(cells: Any) -> str:
    """What stands at the top of a page: how many cells of what."""
    if isinstance(cells, SurfaceMesh):
        return f"a surface of {len(cells):,} polygons"
    place = {1: "a segment", 2: "a plane", 3: "three dimensions"}[cells.dimension]
    return f"{len(cells):,} cell{'' if len(cells) == 1 else 's'} of {place}"


def contents(cells: Any, values: Mapping[str, Any], color: str) -> tuple[dict[str, Any], Packer]:
    """The record and the arrays of a page of one complex.

    Args:
        cells: A complex or a surface.
        values: Further numbers, one for each cell, by their label.
        color: What cells are coloured by at first.

    Returns:
        Both.

    Raises:
        InvalidInputError: As for `explore`.
    """
    make = _maker(cells)
    found = {name: np.asarray(column, dtype=np.float64) for name, column in values.items()}
    for name, column in found.items():
        if column.shape != (len(cells),):
            raise InvalidInputError(
                f"`values`: {name!r} has the shape {column.shape}; expected ({len(cells)},), one per cell"
            )
    record, packer = make(cells, found)
    if record["kind"] == "segment":
        return {**record, "color": "none"}, packer
    classes = ["class"] if record["classes"] else []
    known = ["pattern", *classes, *(measure["key"] for measure in record["measures"]), "none"]
    if color not in known:
        raise InvalidInputError(f"`color`: got {color!r}; expected one of {', '.join(map(repr, known))}")
    return {**record, "color": color}, packer


def _maker(cells: Any) -> Any:
    """What makes the page of cells, or an error that says which have one."""
    if isinstance(cells, SurfaceMesh):
        return surface_page
    if isinstance(cells, SegmentComplex):
        return segment_page
    if isinstance(cells, PlanarComplex):
        return planar_page
    if isinstance(cells, SpatialComplex) and cells.dimension == 3:
        return solid_page
    dimension = getattr(cells, "dimension", None)
    what = type(cells).__name__ + (f" of dimension {dimension}" if dimension is not None else "")
    raise InvalidInputError(
        f"`cells`: got {what}; expected a complex of one to three dimensions or a surface; tessellate a Segment, "
        "a Slice or a Box with at most three free inputs"
    )
