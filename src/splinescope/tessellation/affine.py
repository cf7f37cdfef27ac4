"""The affine map of each cell, its norms, and what they say of the whole slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.geometry.fits import AffineFits, fit_affine
from splinescope.geometry.polygons import position_resolution
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.branch import branch_value, chunk_length, pieces_of
from splinescope.tessellation.metric import check_choice, isometry

if TYPE_CHECKING:
    from splinescope.tessellation.complex import PolyhedralComplex
    from splinescope.tessellation.planar.complex import PlanarComplex

GRADIENT_ACCURACY = 2.0**-30
"""A gradient fitted to values at vertices is kept when its expected error, relative to the mean gradient, is less."""

FAR = 2.0**200
"""How far along a direction a branch is evaluated to read off its slope: so far that its offset is below rounding."""


@dataclass(frozen=True)
class AffineMaps:
    """The maps `x -> A x + c` of some cells, before the network's head.

    Attributes:
        A: Linear parts: by the domain's d coordinates [cells, outputs, d] or by the flat input [cells, outputs,
            inputs].
        c: Offsets: values of the maps at the coordinates 0, or at the input 0.
        space: "domain" or "input".
    """

    A: Float[np.ndarray, "cells outputs inputs"]
    c: Float[np.ndarray, "cells outputs"]
    space: str


@dataclass(frozen=True)
class Extrema:
    """Least and largest value of every output over the slice, before the network's head.

    Attributes:
        minimum: Least values.
        maximum: Largest values.
        minimizers: Slice coordinates of a point with the least value.
        maximizers: Slice coordinates of a point with the largest value.
    """

    minimum: Float[np.ndarray, " outputs"]
    maximum: Float[np.ndarray, " outputs"]
    minimizers: Float[np.ndarray, "outputs 2"]
    maximizers: Float[np.ndarray, "outputs 2"]


def affine_maps(
    cells: PlanarComplex, space: str = "domain", which: Int[np.ndarray, " some"] | None = None
) -> AffineMaps:
    r"""Affine map of the network on each cell.

    "domain": $f(o + tB) = A t + c$ for slice coordinates $t$, fitted to the outputs at the cell's vertices;
    cells too thin for that are evaluated on their affine branch. "input": $f(x) = A x + c$ for the flat
    input $x$, $A$ being the Jacobian of the branch, by one vector-Jacobian product per output.

    Args:
        cells: A planar complex.
        space: "domain" or "input".
        which: Indices of the wanted cells; all if None. The input space needs 8 x outputs x inputs bytes per
            cell.

    Returns:
        The maps, in the order of `which`.
    """
    check_choice("space", space, ("domain", "input"))
    chosen = np.arange(len(cells)) if which is None else np.asarray(which)
    if space == "input":
        return _input_maps(cells, chosen)
    fits = fit_affine(cells.vertices, cells.cell_vertices, cells.cell_offsets, cells.vertex_outputs)
    A, c = fits.gradients[chosen], fits.constants[chosen]
    thin = np.flatnonzero(_expected_errors(cells, fits)[chosen] > GRADIENT_ACCURACY)
    if len(thin):
        A[thin], c[thin] = _branch_maps(cells, fits, chosen[thin])
    return AffineMaps(A, c, "domain")


def branch_maps(
    cells: PolyhedralComplex, space: str = "domain", which: Int[np.ndarray, " some"] | None = None
) -> AffineMaps:
    """Affine map of the network on each cell of a complex of any dimension, from the affine branch of its pattern.

    Exact to round-off however thin a cell is. Cost: one forward pass per cell and direction of the domain, or one
    vector-Jacobian product per cell and output ("input").

    Args:
        cells: A complex.
        space: "domain" or "input", as in `affine_maps`.
        which: Indices of the wanted cells; all if None.

    Returns:
        The maps, in the order of `which`.
    """
    check_choice("space", space, ("domain", "input"))
    chosen = np.arange(len(cells)) if which is None else np.asarray(which)
    if space == "input":
        return _input_maps(cells, chosen)
    A = _branch_slopes(cells, chosen)
    values = cells.interior_outputs()[chosen]
    return AffineMaps(A, values - np.einsum("fki,fi->fk", A, cells.interior_points[chosen]), "domain")


def norms(cells: PlanarComplex, kind: str = "spectral", space: str = "domain") -> Float[np.ndarray, " cells"]:
    r"""Norm of the linear part of the network on each cell, in Euclidean units of input and output.

    In the domain's space it is the norm of the restriction of $A$ to the slice's directions: with $B B^T = L
    L^T$ the Gram matrix of the slice's basis and $A_t$ the linear part in slice coordinates, it is $\|A_t
    L^{-T}\|$, which is at most the norm in the input space.

    Args:
        cells: A planar complex.
        kind: "spectral" (largest singular value) or "frobenius".
        space: "domain" or "input".

    Returns:
        One norm per cell.
    """
    check_choice("kind", kind, ("spectral", "frobenius"))
    check_choice("space", space, ("domain", "input"))
    if space == "domain":
        linear = affine_maps(cells).A @ np.linalg.inv(isometry(cells)).T
        return _norms_of_pairs(linear, kind)
    step = max(
        1, min(chunk_length(cells.network, 3), (1 << 25) // max(1, cells.vertex_outputs.shape[1] * _inputs(cells)))
    )
    chunks = [np.arange(start, min(start + step, len(cells))) for start in range(0, len(cells), step)]
    return np.concatenate([_matrix_norms(_input_maps(cells, chunk).A, kind) for chunk in chunks] or [np.empty(0)])


def lipschitz(cells: PlanarComplex) -> float:
    r"""Lipschitz constant of the network on the slice, $\max_w \|A_w|_{slice}\|_2$, exact up to rounding.

    The slice is convex, so that the constant of the restricted map is its largest local one. It is a lower
    bound for the network's constant on the input space.

    Args:
        cells: A planar complex.

    Returns:
        Change of the output per change of the input, both in the Euclidean norm.

    Raises:
        InvalidInputError: If the complex is truncated, for then cells are missing.
    """
    if cells.truncated:
        raise InvalidInputError(
            "`cells`: the complex is truncated; expected one of the whole domain; raise `max_cells`"
        )
    return float(norms(cells).max())


def extrema(cells: PlanarComplex) -> Extrema:
    """Exact minimum and maximum of every output over the slice; an affine function attains them at vertices.

    Args:
        cells: A planar complex.

    Returns:
        Values, before the network's head, and points where they are attained.

    Raises:
        InvalidInputError: If the complex is truncated, for then cells are missing.
    """
    if cells.truncated:
        raise InvalidInputError(
            "`cells`: the complex is truncated; expected one of the whole domain; raise `max_cells`"
        )
    low, high = cells.vertex_outputs.argmin(axis=0), cells.vertex_outputs.argmax(axis=0)
    outputs = np.arange(cells.vertex_outputs.shape[1])
    return Extrema(
        cells.vertex_outputs[low, outputs],
        cells.vertex_outputs[high, outputs],
        cells.vertices[low],
        cells.vertices[high],
    )


def _expected_errors(cells: PlanarComplex, fits: AffineFits) -> np.ndarray:
    """Expected error of each fitted gradient relative to the mean gradient: rounding divided by the cell's width."""
    size = np.sqrt(np.einsum("fki,fki->f", fits.gradients, fits.gradients))
    # Weighted by width: the gradient of a cell too thin to be fitted does not count.
    mean = float((size * fits.widths).sum() / max(fits.widths.sum(), np.finfo(np.float64).tiny))
    values = 16 * UNIT_ROUNDOFF * float(np.abs(cells.vertex_outputs).max(initial=0.0))
    error = values + mean * position_resolution(cells.vertices)
    if mean == 0.0:
        return np.zeros(len(size))
    with np.errstate(divide="ignore"):
        relative: np.ndarray = error / (fits.widths * mean)
    return relative


def _branch_maps(cells: PlanarComplex, fits: AffineFits, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps in slice coordinates of some cells: slopes on their affine branches, offsets through the fitted values."""
    linear = _branch_slopes(cells, which)
    turned = np.einsum("fki,fi->fk", fits.gradients[which] - linear, fits.centres[which])
    return linear, fits.constants[which] + turned


def _branch_slopes(cells: PolyhedralComplex, which: np.ndarray) -> np.ndarray:
    """[n, outputs, d] slopes of the affine branches of some cells along the directions of the domain.

    A branch `f` is affine, so that `f(s d) / s` tends to its slope along `d` as `s` grows; for a huge power of two the
    offset is below rounding and nothing cancels.
    """
    network, d = cells.network, cells.domain.dimension
    basis = torch.as_tensor(cells.domain.basis, dtype=torch.float64).reshape(d, 1, *network.input_shape)
    slopes = []
    for chunk in torch.from_numpy(which).split(chunk_length(network, 3)):
        pieces = pieces_of(cells, chunk)
        far = [(FAR * direction).expand(len(chunk), *network.input_shape).contiguous() for direction in basis]
        slopes.append(torch.stack([branch_value(network, pieces, x) / FAR for x in far], dim=2).numpy())
    return np.concatenate(slopes) if slopes else np.empty((0, cells.vertex_outputs.shape[1], d))


def _input_maps(cells: PolyhedralComplex, which: np.ndarray) -> AffineMaps:
    """Maps by the flat input: the branch at 0, and its Jacobian by one vector-Jacobian product per output."""
    network = cells.network
    outputs = cells.vertex_outputs.shape[1]
    A = np.empty((len(which), outputs, _inputs(cells)))
    c = np.empty((len(which), outputs))
    step = chunk_length(network, 3)
    for start in range(0, len(which), step):
        rows = slice(start, start + step)
        chunk = torch.from_numpy(which[rows])
        x = torch.zeros(len(chunk), *network.input_shape, dtype=torch.float64, requires_grad=True)
        with torch.enable_grad():
            value = branch_value(network, pieces_of(cells, chunk), x)
            for k in range(outputs):
                (gradient,) = torch.autograd.grad(value[:, k].sum(), x, retain_graph=True, allow_unused=True)
                A[rows, k] = 0.0 if gradient is None else gradient.reshape(len(chunk), -1).numpy()
        c[rows] = value.detach().numpy()
    return AffineMaps(A, c, "input")


def _inputs(cells: PolyhedralComplex) -> int:
    return int(torch.Size(cells.network.input_shape).numel())


def _norms_of_pairs(linear: np.ndarray, kind: str) -> np.ndarray:
    """Norms of matrices with two columns; the largest singular value from the two-by-two Gram matrix in closed form."""
    scale = np.abs(linear).max(initial=np.finfo(np.float64).tiny)
    x, y = linear[:, :, 0] / scale, linear[:, :, 1] / scale
    xx, xy, yy = np.einsum("fk,fk->f", x, x), np.einsum("fk,fk->f", x, y), np.einsum("fk,fk->f", y, y)
    square = xx + yy if kind == "frobenius" else (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
    norm: np.ndarray = scale * np.sqrt(square)
    return norm


def _matrix_norms(linear: np.ndarray, kind: str) -> np.ndarray:
    """Norms of a stack of matrices."""
    norm: np.ndarray = np.linalg.norm(linear, ord="fro" if kind == "frobenius" else 2, axis=(1, 2))
    return norm
