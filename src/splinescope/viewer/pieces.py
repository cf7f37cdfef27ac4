"""Cells that are cut by the decision boundary: pieces of one class each, whose corners a page mostly has already."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.tessellation.boundary import class_regions, decision_boundary
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.viewer.packing import Packer
from splinescope.viewer.page_record import class_record

LONGEST = 1000
"""Corners of a ring up to which a piece's corner is told by its place there."""


def add_pieces(
    packer: Packer, cells: PlanarComplex, shares: Any, width: int, order: np.ndarray, rings: tuple[np.ndarray, ...]
) -> dict[str, Any]:
    """Append each cell's class, the pieces of cells of several classes, and the decision boundary.

    Args:
        packer: Where to.
        cells: The cells, of a network with classes.
        shares: Makes whole numbers of [n, 2] positions.
        width: Bytes of these.
        order: [F] cells in the order of the page.
        rings: Vertices of the rings in that order, and where each begins.

    Returns:
        What the page reads beside them.
    """
    regions, boundary, classes = class_regions(cells), decision_boundary(cells), np.asarray(cells.classes)
    cut = np.bincount(regions.cells, minlength=len(cells))[regions.cells] > 1
    sizes = np.diff(regions.offsets)
    in_page = np.zeros(len(cells), np.int64)
    in_page[order] = np.arange(len(order))
    owners = in_page[regions.cells[cut]]
    packer.add("classes", classes[order], 2)
    packer.add("pieces.cells", owners, 4, differences=True)
    packer.add("pieces.sizes", sizes[cut], 4)
    packer.add("pieces.classes", regions.classes[cut], 2)
    corners, ends = regions.points[np.repeat(cut, sizes)], boundary.segments.reshape(-1, 2)
    places = shares(np.concatenate([corners, ends])).astype(float)
    owner = np.concatenate([np.repeat(owners, sizes[cut]), np.full(len(ends), -1)])
    codes, new = _codes(places[:, 0] + 1j * places[:, 1], owner, shares, cells, rings)
    packer.add("pieces.codes", codes[: len(corners)], 4)
    packer.add("boundary.codes", codes[len(corners) :], 4)
    for axis, letter in enumerate("xy"):
        packer.add(f"pieces.{letter}", places[new][:, axis].astype(np.uint64), width, differences=True)
    return class_record(cells.network, np.union1d(classes, regions.classes))


def _codes(
    points: np.ndarray, owner: np.ndarray, shares: Any, cells: PlanarComplex, rings: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Of each point 0 if it is new, its place in its ring plus one, or how long ago it was new; and which are new."""
    corners, offsets = rings
    cut = np.unique(owner[owner >= 0])
    sizes = np.minimum(np.diff(offsets)[cut], LONGEST)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    ring = shares(cells.vertices[corners[np.repeat(offsets[cut], sizes) + within]]).astype(float)
    alike = np.unique(np.concatenate([points, ring[:, 0] + 1j * ring[:, 1]]), return_inverse=True)[1].ravel()
    span = len(alike) + 1
    here, there = owner * span + alike[: len(points)], np.repeat(cut, sizes) * span + alike[len(points) :]
    by_key = np.argsort(there, kind="stable")
    there, within = np.append(there[by_key], -span * 2), np.append(within[by_key], 0)
    at = np.minimum(np.searchsorted(there[:-1], here), len(there) - 1)
    known = there[at] == here
    codes = np.where(known, within[at] + 1, 0)
    rest = np.flatnonzero(~known)
    _, first, which = np.unique(alike[rest], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[which.ravel()]
    fresh = np.zeros(len(rest), bool)
    fresh[first] = True
    before = np.cumsum(fresh) - fresh
    codes[rest] = np.where(fresh, 0, LONGEST + before - rank)
    return codes, rest[fresh]
