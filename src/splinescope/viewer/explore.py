"""What `cells.explore()` shows: a page for cells of one to three dimensions, and for surfaces."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from splinescope.errors import InvalidInputError
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.segments import SegmentBatch
from splinescope.tessellation.surface import SurfaceMesh
from splinescope.viewer.contents import contents, heading
from splinescope.viewer.frames import explore_frames
from splinescope.viewer.page import Page, page_of

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
            these, or `values` are no real numbers, one for each cell, or are called like one of these.

    Cost: norms and classes of all cells once; some 16 bytes of the page for each cell of a plane, 150 in
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
    if values:
        raise InvalidInputError("`values`: a batch of segments has none; explore one segment, `batch[0].explore(...)`")
    if not 1 <= len(batch) <= MOST_SEGMENTS:
        raise InvalidInputError(
            f"`cells`: got a batch of {len(batch)} segments; expected 1 to {MOST_SEGMENTS}; explore one, `batch[0]`"
        )
    frames = {f"segment {number}": batch[number] for number in range(len(batch))}
    return explore_frames(frames, title=title or f"{len(batch)} segments")
