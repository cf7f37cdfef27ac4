r"""Gradients of functions that are quadratic on tetrahedra, at the corners of each.

A quadratic function has an affine gradient, whose norm is convex: it is at most one on a tetrahedron as soon as it is
so at the four corners. So quadratic functions prove bounds as affine ones do, and they bend as distances do: they prove
more on far fewer tetrahedra.
"""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array, csr_array

PAIRS = np.array(list(itertools.combinations(range(4), 2)))
"""Corners of the six edges of a tetrahedron."""


def corner_gradients(
    corners: Int[np.ndarray, "T 4"],
    slopes: Float[np.ndarray, "T 3 4"],
    curved: Bool[np.ndarray, " T"],
    number: int,
) -> tuple[tuple[csr_array, ...], tuple[csr_array, ...]]:
    r"""Gradients of $\sum_i v_i \lambda_i + 4\sum_{i<k} e_{ik} \lambda_i \lambda_k$, with $\lambda$ barycentric.

    Args:
        corners: Vertices of the tetrahedra.
        slopes: Gradients of their barycentric coordinates.
        curved: Which tetrahedra may have quadratic functions; on the edges of all others the second part is zero.
        number: Number of vertices.

    Returns:
        For each of three components a matrix with one row for each corner of each tetrahedron: from values at the
        vertices, and from numbers at the edges that may bend.
    """
    tetrahedra = np.arange(len(corners))
    ends = np.sort(corners[:, PAIRS], axis=2)
    keys, edges = np.unique(ends[..., 0] * np.int64(number) + ends[..., 1], return_inverse=True)
    edges = edges.reshape(-1, 6)
    bends = np.ones(len(keys), bool)
    bends[edges[~curved]] = False
    places = np.where(bends, np.cumsum(bends) - 1, -1)[edges]
    rows = np.repeat(np.arange(4 * len(corners)), 4)
    columns = np.repeat(corners, 4, axis=0).ravel()
    plain, bent = [], []
    for component in range(3):
        slope = slopes[:, component]
        shape = (4 * len(corners), number)
        plain.append(csr_array(coo_array((np.repeat(slope, 4, axis=0).ravel(), (rows, columns)), shape=shape)))
        parts = []
        for edge, pair in enumerate(PAIRS.tolist()):
            known = places[:, edge] >= 0
            for corner, other in (pair, pair[::-1]):
                parts.append((4 * slope[known, other], (4 * tetrahedra + corner)[known], places[known, edge]))
        values, lines, which = (np.concatenate(each) for each in zip(*parts, strict=True))
        bent.append(csr_array(coo_array((values, (lines, which)), shape=(4 * len(corners), int(bends.sum())))))
    return tuple(plain), tuple(bent)
