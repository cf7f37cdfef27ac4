r"""The metric that a network pulls back to the cells of a domain, $g_w = A_w^T A_w$, by its factors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from splinescope.tessellation.affine import branch_maps
from splinescope.tessellation.complex import PolyhedralComplex

DEFICIENT = 2.0**-44
"""A map whose least singular value is at most this share of its largest is taken to flatten its cell."""

_NUMBERS = 1 << 24
"""Numbers of affine maps that are held at once."""


def cell_factors(
    cells: PolyhedralComplex, which: Int[np.ndarray, " some"] | None = None
) -> Float[np.ndarray, "cells d d"]:
    r"""Upper triangular $R_w$ with $R_w^T R_w = A_w^T A_w$: coordinates in which a cell has the lengths of its image.

    Args:
        cells: A complex of any dimension.
        which: Indices of the wanted cells; all if None.

    Returns:
        One matrix for each cell, by the domain's coordinates, before the network's head; the last rows are zero where
        there are fewer outputs than dimensions.

    Cost: the affine maps and a QR decomposition of each, in bounded memory.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.Identity(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> np.abs(cell_factors(cells)).tolist()
        [[[1.0, 0.0], [0.0, 1.0]]]
    """
    chosen = np.arange(len(cells)) if which is None else np.asarray(which)
    d = cells.dimension
    found = np.zeros((len(chosen), d, d))
    for rows, A in _maps(cells, chosen):
        upper = np.asarray(np.linalg.qr(A, mode="r"))
        found[rows, : upper.shape[1]] = upper
    return found


def _maps(cells: PolyhedralComplex, chosen: Int[np.ndarray, " some"]) -> Iterator[tuple[slice, np.ndarray]]:
    """Linear parts of affine maps in parts of bounded memory."""
    step = max(1, _NUMBERS // (int(np.prod(cells.network.output_shape)) * cells.dimension))
    for start in range(0, len(chosen), step):
        rows = slice(start, start + step)
        yield rows, branch_maps(cells, "domain", chosen[rows]).A


def log_volumes_of(matrices: Float[np.ndarray, "n outputs d"]) -> Float[np.ndarray, " n"]:
    r"""$\frac12\log\det A^T A$ of each matrix, without overflow; -inf where the columns are dependent.

    Args:
        matrices: At least as many rows as columns.

    Returns:
        One number each.

    Cost: a QR decomposition and singular values of each.

    Example:
        >>> log_volumes_of(np.eye(3)[None, :, :2]).tolist()
        [0.0]
    """
    scale = np.abs(matrices).max(axis=(1, 2), initial=0.0)
    scale = np.where((scale > 0) & np.isfinite(scale), np.exp2(np.round(np.log2(np.where(scale > 0, scale, 1)))), 1.0)
    upper = np.linalg.qr(matrices / scale[:, None, None], mode="r")
    values = np.linalg.svd(upper, compute_uv=False)
    with np.errstate(divide="ignore"):
        logs = np.log(values).sum(axis=1) + matrices.shape[2] * np.log(scale)
    return np.where(values[:, -1] > DEFICIENT * values[:, 0], logs, -np.inf)
