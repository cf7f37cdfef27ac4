"""Patterns of neighbours: they differ in the unit whose fold made their common facet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from splinescope.network.graph import Network
from splinescope.numerics import in_ranges
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.codes import Codes


def check_neighbours(
    network: Network,
    codes: Sequence[Codes],
    truncated: bool | np.ndarray,
    facet_cells: np.ndarray,
    facet_op: np.ndarray,
    facet_unit: np.ndarray,
) -> np.ndarray:
    """Check that neighbours differ in the unit recorded for their common facet.

    Args:
        network: The network.
        codes: Patterns of all cells.
        truncated: Whether cells are missing, or [M] whether cells are missing around each facet.
        facet_cells: [M, 2] cells on both sides of each facet, -1 outside.
        facet_op: [M] node whose fold made it, -1 on the boundary of the domain.
        facet_unit: [M] unit of that node.

    Returns:
        [M] whether other units differ, too, across each facet: folds of several units coincide there.

    Raises:
        CertificateError: With the cells that don't differ in the recorded unit, or whose side of the domain says that
            a fold made it (of truncated complexes: a unit that there is not).
    """
    sizes = {code.node: network.nodes[code.node].size for code in codes}
    _check_border(sizes, truncated, facet_cells, facet_op, facet_unit)
    facets = len(facet_cells)
    distance, recorded = np.zeros(facets, np.int32), np.zeros(facets, np.bool_)
    for code in codes:
        place = np.full(len(code.base), -1, np.int32)
        place[code.columns] = np.arange(len(code.columns), dtype=np.int32)
        labels = (facet_cells, facet_op, facet_unit, code.node, sizes[code.node])
        in_ranges(_compare_codes, facets, *labels, code.words, place, distance, recorded)
    wrong = np.flatnonzero(~recorded & (facet_cells[:, 0] >= 0) & (facet_cells[:, 1] >= 0))
    if len(wrong):
        concerned = np.unique(facet_cells[wrong])
        fail("neighbours", concerned, f"{len(wrong)} common facets whose cells agree in the unit that made the facet")
    return np.asarray(distance > 1)


def _check_border(
    sizes: dict[int, int], truncated: bool | np.ndarray, facet_cells: np.ndarray, facet_op: np.ndarray, unit: np.ndarray
) -> None:
    """No fold made a facet without a neighbour, unless the work ended there."""
    border = (facet_cells[:, 0] < 0) | (facet_cells[:, 1] < 0)
    plain = (facet_op == -1) & (unit == -1)
    if np.any(truncated):
        for node, size in sizes.items():
            plain |= truncated & (facet_op == node) & (unit >= 0) & (unit < size)
    wrong = np.flatnonzero(border & ~plain)
    if len(wrong):
        concerned = np.unique(facet_cells[wrong].max(axis=1))
        fail("neighbours", concerned, f"{len(wrong)} facets without neighbour that say which unit made them")


@njit(cache=True, nogil=True)
def _compare_codes(
    start: int,
    stop: int,
    facet_cells: np.ndarray,
    ops: np.ndarray,
    units: np.ndarray,
    node: int,
    size: int,
    words: np.ndarray,
    place: np.ndarray,
    distance: np.ndarray,
    recorded: np.ndarray,
) -> None:
    """Count differing bits of the codes of one node, and note whether the recorded unit is among them."""
    for facet in range(start, stop):
        one, other = facet_cells[facet, 0], facet_cells[facet, 1]
        if one < 0 or other < 0:
            continue
        if ops[facet] == node:
            for column in range(units[facet], place.size, size):
                bit = place[column]
                if bit >= 0:
                    difference = words[one, bit >> 6] ^ words[other, bit >> 6]
                    if (difference >> np.uint64(bit & 63)) & np.uint64(1):
                        recorded[facet] = True
        differs = 0
        for word in range(words.shape[1]):
            difference = words[one, word] ^ words[other, word]
            while difference != np.uint64(0):
                differs += 1
                difference &= difference - np.uint64(1)
        distance[facet] += differs
