"""The affine map of each cell, its norms, and what they say of the whole slice."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import linprog

from splinescope.errors import DegenerateArrangementError, InvalidInputError
from splinescope.geometry.fits import AffineFits, fit_affine
from splinescope.geometry.planar.polygons import position_resolution
from splinescope.network.evaluate import CHUNK_NUMBERS
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.branches.walk import FAR, branch_gradients, chunk_length, walk_branches
from splinescope.tessellation.complex import PolyhedralComplex, VertexComplex
from splinescope.tessellation.domains.samples import embedded
from splinescope.tessellation.metric import check_choice, isometry
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.results import AffineMaps as AffineMaps
from splinescope.tessellation.results import Extrema as Extrema

GRADIENT_ACCURACY = 2.0**-30
"""A gradient fitted to values at vertices is kept when its expected error is less, relative to the gradient itself."""


def affine_maps(
    cells: PlanarComplex, space: str = "domain", which: Int[np.ndarray, " some"] | None = None
) -> AffineMaps:
    r"""Affine map of the network on each cell.

    "domain": $f(o + tB) = A t + c$ for slice coordinates $t$, fitted to the outputs at the cell's vertices;
    cells too thin or too gentle for that are evaluated on their affine branch. "input": $f(x) = A x + c$ for the flat
    input $x$, $A$ being the Jacobian of the branch, by one vector-Jacobian product per output.

    Args:
        cells: A planar complex.
        space: "domain" or "input".
        which: Indices of the wanted cells; all if None. The input space needs 8 x outputs x inputs bytes per
            cell.

    Returns:
        The maps, in the order of `which`.

    Cost: a least-squares fit per cell ("domain"), or one forward and one backward pass per cell and output ("input").

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> abs(affine_maps(cells).A[cells.locate([[0.5, -0.25]])[0]]).round(12).tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    check_choice("space", space, ("domain", "input"))
    chosen = np.arange(len(cells)) if which is None else np.asarray(which)
    if space == "input":
        return _input_maps(cells, chosen)
    fits = fit_affine(cells.vertices, cells.cell_vertices, cells.cell_offsets, cells.vertex_outputs)
    A, c = fits.gradients[chosen], fits.constants[chosen]
    vague = np.flatnonzero(_vague(cells, fits)[chosen])
    if len(vague):
        exact = _domain_maps(cells, chosen[vague])
        A[vague], c[vague] = exact.A, exact.c
    return AffineMaps(A, c, "domain")


def branch_maps(
    cells: PolyhedralComplex, space: str = "domain", which: Int[np.ndarray, " some"] | None = None
) -> AffineMaps:
    """Affine map of the network on each cell of a complex of any dimension, from the affine branch of its pattern.

    Exact to round-off however thin a cell is. Cost: one forward pass per cell, and one per cell and direction of the
    domain ("domain"), or one vector-Jacobian product per cell and output ("input").

    Args:
        cells: A complex.
        space: "domain" or "input", as in `affine_maps`.
        which: Indices of the wanted cells; all if None.

    Returns:
        The maps, in the order of `which`.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> branch_maps(cells, "input").A[cells.locate([[0.5, -0.25]])[0]].tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    check_choice("space", space, ("domain", "input"))
    chosen = np.arange(len(cells)) if which is None else np.asarray(which)
    return _input_maps(cells, chosen) if space == "input" else _domain_maps(cells, chosen)


def pieces_of(cells: PolyhedralComplex, which: Int[torch.Tensor, " n"]) -> dict[int, torch.Tensor]:
    """Patterns of some cells, taken apart by node.

    Args:
        cells: A complex.
        which: Indices of cells.

    Returns:
        For each activation and max node [n, units] the piece of each unit.

    Cost: linear in the patterns.

    Example:
        >>> import splinescope
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> pieces_of(cells, torch.arange(2))[1].shape
        torch.Size([2, 2])
    """
    patterns = torch.from_numpy(cells.patterns_of(which.numpy()))
    return {node: patterns[:, start:stop] for node, start, stop in cells.pattern_nodes}


def norms(cells: PolyhedralComplex, kind: str = "spectral", space: str = "domain") -> Float[np.ndarray, " cells"]:
    r"""Norm of the linear part of the network on each cell, in Euclidean units of input and output.

    In the domain's space it is the norm of the restriction of $A$ to the domain's directions: with $B B^T = L
    L^T$ the Gram matrix of its basis and $A_t$ the linear part in its coordinates, it is $\|A_t
    L^{-T}\|$, which is at most the norm in the input space.

    Args:
        cells: A complex of any dimension, or a region graph.
        kind: "spectral" (largest singular value) or "frobenius".
        space: "domain" or "input".

    Returns:
        One norm per cell. Cost: the affine maps, and the singular values of each.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> sorted(norms(cells, "frobenius").round(6).tolist())
        [0.0, 1.0, 1.0, 1.414214]
    """
    check_choice("kind", kind, ("spectral", "frobenius"))
    check_choice("space", space, ("domain", "input"))
    if space == "domain":
        linear = cells.affine_maps().A @ np.linalg.inv(isometry(cells)).T
        return _norms_of_pairs(linear, kind) if cells.dimension == 2 else _matrix_norms(linear, kind)
    network = cells.network
    step = max(1, min(chunk_length(network, 3), (1 << 25) // max(1, _outputs(cells) * _inputs(cells))))
    chunks = [np.arange(start, min(start + step, len(cells))) for start in range(0, len(cells), step)]
    return np.concatenate([_matrix_norms(_input_maps(cells, chunk).A, kind) for chunk in chunks] or [np.empty(0)])


def lipschitz(cells: PolyhedralComplex) -> float:
    r"""Lipschitz constant of the network on the domain, $\max_w \|A_w|_{domain}\|_2$, exact up to rounding.

    The domain is convex, so that the constant of the restricted map is its largest local one. It is a lower
    bound for the network's constant on the input space.

    Args:
        cells: A complex of any dimension, or a region graph.

    Returns:
        Change of the output per change of the input, both in the Euclidean norm.

    Raises:
        InvalidInputError: If the complex is truncated, for then cells are missing.

    Cost: that of `norms`, the affine maps of all cells and their singular values.

    Example:
        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> lipschitz(splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1])))
        1.0
    """
    _check_whole(cells)
    return float(norms(cells).max())


def extrema(cells: PolyhedralComplex) -> Extrema:
    """Exact minimum and maximum of every output over the domain; an affine function attains them at vertices.

    Args:
        cells: A complex of any dimension, or a region graph, which takes two linear programs for each output of those
            cells that may hold an extremum.

    Returns:
        Values, before the network's head, and points where they are attained.

    Raises:
        InvalidInputError: If the complex is truncated, for then cells are missing.

    Cost: linear in the number of vertices and outputs; on a region graph two linear programs for each cell that may
    matter.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> found = extrema(cells)
        >>> found.minimum.tolist(), found.maximum.tolist()
        ([0.0, 0.0], [1.0, 1.0])
    """
    _check_whole(cells)
    if not isinstance(cells, VertexComplex):
        return _extrema_by_programs(cells)
    low, high = cells.vertex_outputs.argmin(axis=0), cells.vertex_outputs.argmax(axis=0)
    outputs = np.arange(cells.vertex_outputs.shape[1])
    return Extrema(
        cells.vertex_outputs[low, outputs],
        cells.vertex_outputs[high, outputs],
        cells.vertices[low],
        cells.vertices[high],
    )


def _extrema_by_programs(cells: PolyhedralComplex) -> Extrema:
    """Extrema over cells without vertices: linear programs, for those cells whose bounding box may hold one."""
    maps, values = cells.affine_maps(), cells.interior_outputs()
    low, high = cells.domain.corners.min(axis=0), cells.domain.corners.max(axis=0)
    points = cells.interior_points
    found, where = [], []
    for sign in (-1.0, 1.0):
        gradients = sign * maps.A
        reach = np.maximum(gradients, 0) * (high - points)[:, None] + np.minimum(gradients, 0) * (low - points)[:, None]
        bounds = sign * values + reach.sum(axis=2)
        best, at = (sign * values).max(axis=0), points[(sign * values).argmax(axis=0)].copy()
        for output in range(values.shape[1]):
            for cell in np.argsort(-bounds[:, output], kind="stable").tolist():
                if bounds[cell, output] <= best[output]:
                    break
                vertex = _largest_on(cells.halfspaces(cell), gradients[cell, output])
                value = float(sign * (maps.A[cell, output] @ vertex + maps.c[cell, output]))
                if value > best[output]:
                    best[output], at[output] = value, vertex
        found.append(sign * best)
        where.append(at)
    return Extrema(found[0], found[1], where[0], where[1])


def _largest_on(halfspaces: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """A vertex of a bounded polytope on which a linear function is the largest."""
    done = linprog(-gradient, A_ub=halfspaces[:, :-1], b_ub=-halfspaces[:, -1], bounds=(None, None), method="highs")
    if done.x is None:
        raise DegenerateArrangementError(f"no extremum on a cell of {len(halfspaces)} facets: {done.message}")
    return np.asarray(done.x)


def _check_whole(cells: PolyhedralComplex) -> None:
    if cells.truncated:
        raise InvalidInputError(
            "`cells`: the complex is truncated; expected one of the whole domain; raise `max_cells`"
        )


def _vague(cells: PlanarComplex, fits: AffineFits) -> np.ndarray:
    """[cells] whether the gradient of some output is not known from values at the vertices.

    These are off by roundings, and by the steepest slope of a cell around them times those of their places.
    """
    values = 16 * UNIT_ROUNDOFF * np.abs(cells.vertex_outputs).max(axis=0, initial=0.0)
    errors = fits.errors(cells.cell_vertices, cells.cell_offsets, values, position_resolution(cells.vertices))
    sizes = np.hypot(fits.gradients[:, :, 0], fits.gradients[:, :, 1])
    return np.asarray((errors > GRADIENT_ACCURACY * fits.widths[:, None] * sizes).any(axis=1))


@torch.no_grad()
def _domain_maps(cells: PolyhedralComplex, which: np.ndarray) -> AffineMaps:
    """Maps by the domain's coordinates: slopes of the branches, and their values at the interior points."""
    network, d, points = cells.network, cells.domain.dimension, cells.interior_points[which]
    A, c = np.empty((len(which), _outputs(cells), d)), np.empty((len(which), _outputs(cells)))
    basis = np.asarray(cells.domain.basis, np.float64).reshape(1, d, *network.input_shape)
    directions = FAR * torch.from_numpy(basis.copy())
    step = max(1, CHUNK_NUMBERS // (3 * max(node.size for node in network.nodes) * (d + 1)))
    for start in range(0, len(which), step):
        rows = slice(start, start + step)
        pieces = pieces_of(cells, torch.from_numpy(which[rows]))
        x = torch.from_numpy(embedded(cells.domain, points[rows]))
        (reached,) = deque(walk_branches(network, pieces, x, directions), maxlen=1)
        A[rows] = reached.slopes.numpy().transpose(0, 2, 1) / FAR + 0.0  # no zeros below zero
        c[rows] = reached.value.numpy() - np.einsum("foj,fj->fo", A[rows], points[rows])
    return AffineMaps(A, c, "domain")


def _input_maps(cells: PolyhedralComplex, which: np.ndarray) -> AffineMaps:
    """Maps by the flat input: the branch at 0, and its Jacobian by one vector-Jacobian product per output."""
    network, outputs = cells.network, _outputs(cells)
    A, c = np.empty((len(which), outputs, _inputs(cells))), np.empty((len(which), outputs))
    step = chunk_length(network, 3)
    for start in range(0, len(which), step):
        rows = slice(start, start + step)
        pieces = pieces_of(cells, torch.from_numpy(which[rows]))
        x = torch.zeros(len(which[rows]), *network.input_shape, dtype=torch.float64)
        value, gradients = branch_gradients(network, pieces, x, torch.eye(outputs).double().expand(len(x), -1, -1))
        A[rows], c[rows] = gradients.numpy() + 0.0, value.numpy()
    return AffineMaps(A, c, "input")


def _outputs(cells: PolyhedralComplex) -> int:
    return int(np.prod(cells.network.output_shape, dtype=np.int64))


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
