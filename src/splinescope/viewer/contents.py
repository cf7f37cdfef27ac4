"""Which page shows which cells, and what its colours may mean at first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments import SegmentComplex
from splinescope.tessellation.spatial.complex import SpatialComplex
from splinescope.tessellation.surface import SurfaceMesh
from splinescope.viewer.packing import Packer
from splinescope.viewer.planar import SHOWN, WHOLE, planar_page
from splinescope.viewer.segments import segment_page
from splinescope.viewer.space import solid_page, surface_page

FRAME_CELLS = 20_000
"""Cells of a plane up to which a frame keeps all there is."""


OWN_NAMES = ("pattern", "class", "norm", "area", "volume", "part", "none")
"""What colours of pages mean without further numbers."""


def heading(cells: Any) -> str:
    """What stands at the top of a page: how many cells of what."""
    if isinstance(cells, SurfaceMesh):
        return f"a surface of {len(cells):,} polygons"
    place = {1: "a segment", 2: "a plane", 3: "three dimensions"}[cells.dimension]
    return f"{len(cells):,} cell{'' if len(cells) == 1 else 's'} of {place}"


def contents(
    cells: Any, values: Mapping[str, Any], color: str, *, framed: bool = False
) -> tuple[dict[str, Any], Packer]:
    """The record and the arrays of a page of one complex.

    Args:
        cells: A complex or a surface.
        values: Further numbers, one for each cell, by their label.
        color: What cells are coloured by at first.
        framed: Whether it is one of many frames, of which a large plane keeps what is seen.

    Returns:
        Both.

    Raises:
        InvalidInputError: As for `explore`.
    """
    make = _maker(cells, framed)
    found = {name: _numbers(name, column, len(cells)) for name, column in values.items()}
    record, packer = make(cells, found)
    if record["kind"] == "segment":
        return {**record, "color": "none"}, packer
    classes = ["class"] if record["classes"] else []
    known = ["pattern", *classes, *(measure["key"] for measure in record["measures"]), "none"]
    if color not in known:
        raise InvalidInputError(f"`color`: got {color!r}; expected one of {', '.join(map(repr, known))}")
    return {**record, "color": color}, packer


def _numbers(name: Any, column: Any, count: int) -> np.ndarray:
    """Further numbers of cells."""
    if not isinstance(name, str) or name in OWN_NAMES:
        raise InvalidInputError(
            f"`values`: got the name {name!r}; expected a string other than {', '.join(map(repr, OWN_NAMES))}, "
            "which pages have themselves"
        )
    try:
        numbers = np.asarray(column)
    except ValueError:
        numbers = np.asarray(column, dtype=object)
    if numbers.dtype.kind not in "biuf":
        raise InvalidInputError(
            f"`values`: {name!r} has entries of type {numbers.dtype}; expected real numbers, one per cell"
        )
    if numbers.shape != (count,):
        raise InvalidInputError(f"`values`: {name!r} has the shape {numbers.shape}; expected ({count},), one per cell")
    return numbers.astype(np.float64)


def _maker(cells: Any, framed: bool) -> Any:
    """What makes the page of cells, or an error that says which have one."""
    if isinstance(cells, SurfaceMesh):
        return surface_page
    if isinstance(cells, SegmentComplex):
        return segment_page
    if isinstance(cells, PlanarComplex):
        return partial(planar_page, detail=SHOWN if framed and len(cells) > FRAME_CELLS else WHOLE)
    if isinstance(cells, SpatialComplex) and cells.dimension == 3:
        return solid_page
    dimension = getattr(cells, "dimension", None)
    what = type(cells).__name__ + (f" of dimension {dimension}" if dimension is not None else "")
    raise InvalidInputError(
        f"`cells`: got {what}; expected a complex of one to three dimensions or a surface; tessellate a Segment, "
        "a Slice or a Box with at most three free inputs"
    )


def opened(cells: Any) -> Any:
    """A complex or a surface, or the one in a file."""
    if isinstance(cells, str | os.PathLike):
        from splinescope.tessellation.files import open as open_cells

        return open_cells(Path(cells))
    return cells


def share_scales(measures: Sequence[dict[str, Any]]) -> None:
    """Give measures of several pictures one scale of colours.

    Args:
        measures: Their records, which are changed.
    """
    low, high = min(measure["low"] for measure in measures), max(measure["high"] for measure in measures)
    positive = all(measure["positive"] for measure in measures)
    for measure in measures:
        measure.update(low=low, high=high, positive=positive)
