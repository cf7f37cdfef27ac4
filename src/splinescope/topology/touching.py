r"""Faces inside a region on which its margin is exactly zero: they are no part of the region.

On each cell the margin is affine; around a face inside the region all cells have it positive. If it vanishes on the
face, every direction in which it has no kink there must be one in which it stays zero, so that the margin $m_1$ of one
cell is a combination of the differences $m_i - m_1$; and since these vanish on the face, the converse holds, too. So
the ranks of two small matrices of integers decide, and no place of a vertex is asked for.
"""

from __future__ import annotations

import numpy as np
from flint import fmpz_mat
from jaxtyping import Bool, Int

from splinescope.tessellation.codes import pieces_of_cells
from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.dyadics import Dyadic, aligned
from splinescope.tessellation.exact import ExactForms, domain_rows
from splinescope.topology.face_sets import FaceSets

_NEAR = 2.0**-16
"""Margin, as a share of the largest one and of what it is the difference of, up to which it is decided exactly."""


def zero_faces(
    cells: VertexComplex, faces: FaceSets, inside: Bool[np.ndarray, " cells"]
) -> list[Bool[np.ndarray, " _"]]:
    """Faces within a region, not on the border of the domain, on which its margin vanishes.

    Args:
        cells: The complex of a network whose last node is the positive part of a margin; it is zero outside the region.
        faces: Its faces.
        inside: The cells of the region.

    Returns:
        For each dimension below the cells' which faces, with all of theirs. Cost: exact forms of the margin on the
        cells around faces where it is next to zero, of which there are usually none.
    """
    margin = cells.network.output - 1
    outputs = np.abs(cells.vertex_outputs).max(axis=1)
    level = float(outputs.max(initial=0.0)) + _offset(cells, margin)
    near: Bool[np.ndarray, " vertices"] = outputs <= _NEAR * level
    found = []
    outside, stars = faces.closure(~inside), faces.stars()
    forms = ExactForms(cells.network, domain_rows(cells.domain.origin, cells.domain.basis), Dyadic([], 0))
    known: dict[int, Dyadic] = {}
    for k, (star, ends) in enumerate(zip(stars, faces.corners()[:-1], strict=True)):
        here = ~outside[k] & ~faces.border[k] & (ends.T @ (~near).astype(np.int32) == 0)
        zero = np.zeros(len(here), bool)
        for face in np.flatnonzero(here).tolist():
            around = star.indices[star.indptr[face] : star.indptr[face + 1]]
            zero[face] = _vanishes(cells, margin, forms, known, around)
        found.append(zero)
    for k in range(len(found) - 1, 0, -1):
        found[k - 1] |= faces.levels[k - 1] @ found[k].astype(np.int32) > 0
    return found


def _offset(cells: VertexComplex, margin: int) -> float:
    """The constant of the margin, from which rounding may come that its values do not show."""
    op = cells.network.nodes[margin].affine
    offset = None if op is None else op.offset
    return 0.0 if offset is None else float(offset.abs().max())


def _vanishes(
    cells: VertexComplex, margin: int, forms: ExactForms, known: dict[int, Dyadic], around: Int[np.ndarray, " star"]
) -> bool:
    """Whether the margin is zero on a face, from its forms on the cells around it."""
    missing = np.array([cell for cell in around.tolist() if cell not in known], np.int64)
    for cell, pieces in zip(missing.tolist(), pieces_of_cells(cells.network, cells.codes, missing), strict=True):
        known[cell] = forms.values(pieces, margin, np.array([0]))
    rows = [part[0] for part in aligned([known[cell] for cell in around.tolist()])[0]]
    kinks = [[x - y for x, y in zip(row, rows[0], strict=True)] for row in rows[1:]]
    if not kinks:
        return False
    return bool(fmpz_mat(kinks).rank() == fmpz_mat([*kinks, rows[0]]).rank())
