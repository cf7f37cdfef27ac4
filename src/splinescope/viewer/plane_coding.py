"""The cells of a plane in few bytes: rings by a growing front, places by folds that go on, values by neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.viewer.connectivity import code_connectivity
from splinescope.viewer.half_edges import HalfEdges
from splinescope.viewer.packing import hilbert_places
from splinescope.viewer.places import FOLLOWS, code_places, code_units, opposites
from splinescope.viewer.range_coding import LENGTH, coder, finish, put_signed

VALUES = FOLLOWS + 1
"""The first kind of numbers of values: four for each measure, by how many neighbours are known."""

HILBERT_BITS = 10
"""Bits of a coordinate by which cells are put in order."""


@dataclass(frozen=True)
class PageRings:
    """The rings of cells as a page has them.

    Attributes:
        order: [F] cells in the order of the page.
        corners: [C] vertices of their rings, one cell after the other.
        offsets: [F + 1] where each ring begins.
    """

    order: np.ndarray
    corners: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, cells: PlanarComplex, order: np.ndarray, starts: np.ndarray | None = None) -> PageRings:
        """The rings of cells in an order, each from a place in `cell_vertices` on, or from its first corner."""
        sizes, firsts = np.diff(cells.cell_offsets)[order], np.asarray(cells.cell_offsets[:-1])[order]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        turns = np.zeros(len(order), np.int64) if starts is None else starts - firsts
        turned = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - turns, sizes)
        corners = np.asarray(cells.cell_vertices)[np.repeat(firsts, sizes) + turned % np.repeat(sizes, sizes)]
        return cls(order, corners, offsets)


@dataclass(frozen=True)
class CodedPlane:
    """Cells as bytes.

    Attributes:
        data: Bytes of all rings, units, places and values.
        rings: Rings in the order of the page.
        parts: How many of the bytes hold what.
    """

    data: np.ndarray
    rings: PageRings
    parts: dict[str, int]


@njit(cache=True, nogil=True)
def _code_values(
    state: np.ndarray,
    chances: np.ndarray,
    out: np.ndarray,
    values: np.ndarray,
    gates: np.ndarray,
    following: np.ndarray,
    faces: np.ndarray,
    model: int,
) -> None:
    """Append a whole number of each face, less the mean of those of its neighbours that are known."""
    for face in range(len(gates)):
        half, known, total = gates[face], 0, 0
        while True:
            other = faces[half ^ 1]
            if 0 <= other < face:
                known += 1
                total += values[other]
            half = following[half]
            if half == gates[face]:
                break
        guess = (2 * total + known) // (2 * known) if known else 0
        put_signed(state, chances, out, model + min(known, 3), values[face] - guess)


def coded_plane(
    cells: PlanarComplex,
    shares: np.ndarray,
    bits: int,
    units: np.ndarray,
    stops: list[int],
    values: list[np.ndarray],
) -> CodedPlane | None:
    """Code the cells of a plane.

    Args:
        cells: The cells.
        shares: [V, 2] places of vertices as whole numbers of `bits` bits.
        bits: Bits of a coordinate.
        units: [E] unit of each edge among those of all layers plus one, 0 on the border.
        stops: Unit behind the last one of each layer.
        values: [F] whole numbers of each cell, any number of such columns.

    Returns:
        The coded cells; None where they are no disk, or a cell meets a vertex twice.
    """
    halves = HalfEdges.of(cells)
    if halves is None:
        return None
    count, edges = len(cells), len(cells.edges)
    state, chances, out = coder(VALUES + 4 * len(values), 32 * edges + 8 * count * len(values) + 4096)
    in_page, vertices, gates = (np.zeros(size, np.int64) for size in (2 * edges, len(cells.vertices), count))
    start = int(np.flatnonzero(halves.faces < 0)[0])
    whole = code_connectivity(
        state, chances, out, halves.origins, halves.following, halves.degrees, start, in_page, vertices, gates
    )
    if not whole:
        return None
    ends = {"rings": int(state[LENGTH])}
    paged = _renumbered(halves, in_page, vertices, gates)
    border = int((halves.faces < 0).sum())
    across = opposites(paged.following, paged.degrees, paged.origins, border)
    of_edges = np.asarray(units, np.int64)[in_page[::2] >> 1]
    code_units(state, chances, out, across, of_edges, unit_bits(stops))
    ends["units"] = int(state[LENGTH])
    layers = np.where(of_edges > 0, np.searchsorted(stops, of_edges), -1)
    x, y = np.asarray(shares, float)[vertices].T.copy()
    leaving = np.zeros(len(vertices), np.int64)
    leaving[paged.origins[::-1]] = np.arange(2 * edges)[::-1]
    most = float((1 << bits) - 1)
    code_places(state, chances, out, x, y, leaving, paged.origins, paged.following, across, layers, most)
    ends["places"] = int(state[LENGTH])
    found, at = halves.faces[gates], paged.sides[gates]
    for number, column in enumerate(values):
        ordered = np.asarray(column, np.int64)[found]
        _code_values(state, chances, out, ordered, at, paged.following, paged.faces, VALUES + 4 * number)
    tails = shares[halves.origins[gates]].astype(np.int64) >> max(bits - HILBERT_BITS, 0)
    along = np.argsort(hilbert_places(tails[:, 0], tails[:, 1], HILBERT_BITS), kind="stable")
    rings = PageRings.of(cells, found[along], halves.sides[gates[along]])
    ends["values"] = int(finish(state, out))
    sizes = np.diff([0, *ends.values()]).tolist()
    return CodedPlane(out[: ends["values"]].copy(), rings, dict(zip(ends, sizes, strict=True)))


def unit_bits(stops: list[int]) -> int:
    """Bits of the number of a unit."""
    return int(stops[-1]).bit_length() if stops else 0


def _renumbered(halves: HalfEdges, in_page: np.ndarray, vertices: np.ndarray, gates: np.ndarray) -> HalfEdges:
    """Half-edges, vertices and faces in the order of the page; `sides` are the new numbers of half-edges."""
    number, vertex, face = (np.zeros(size, np.int64) for size in (len(in_page), len(vertices), len(gates) + 1))
    number[in_page], vertex[vertices] = np.arange(len(in_page)), np.arange(len(vertices))
    face[halves.faces[gates]], face[-1] = np.arange(len(gates)), -1
    return HalfEdges(
        vertex[halves.origins[in_page]],
        number[halves.following[in_page]],
        face[halves.faces[in_page]],
        halves.degrees[vertices],
        number,
    )
