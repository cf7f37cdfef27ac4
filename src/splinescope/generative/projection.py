r"""The point of a generator's manifold that is nearest to given data: exact on cells, by descent for any generator.

On a simplex with corners $y_0, \dots, y_d$ the nearest point to $y$ lies in the interior of one of its faces, where it
is the orthogonal projection onto the face's affine hull. All faces are tried, and those whose projection has a
negative barycentric coordinate are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.generative.arguments import MOST, check_positive, check_shape
from splinescope.generative.jacobians import latent_map
from splinescope.generative.priors import Prior, check_prior
from splinescope.network.differentials import DifferentiableMap
from splinescope.numerics import check_number
from splinescope.shown import Shown
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.simplices import simplices

_PAIRS = 1 << 20
"""Pairs of a point and a simplex that are looked at together."""


@dataclass(frozen=True, eq=False)
class NearestPoints(Shown):
    """Nearest points of a manifold.

    Attributes:
        distances: Euclidean distance of each point to the manifold; of a descent, an upper bound.
        latents: A latent that gives the nearest output.
        outputs: The nearest outputs, flat.
        cells: The cell of each latent; -1 of a descent.
    """

    distances: Float[np.ndarray, " n"]
    latents: Float[np.ndarray, "n d"]
    outputs: Float[np.ndarray, "n outputs"]
    cells: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        """Number of points."""
        return len(self.distances)


def project(cells: PolyhedralComplex, points: Any) -> NearestPoints:
    """Nearest points of the manifold of a bounded domain, exact up to rounding: no local minima.

    Args:
        cells: A complex with vertices, of a generator: of a segment, a plane, or a space of three or four dimensions.
        points: [n, *output_shape] points of the output space.

    Returns:
        The nearest points; latents are in the domain's coordinates. Cost: a product of matrices, [n, outputs] by
        [outputs, simplices], for each corner, and a small system for each face, point and simplex.

    Raises:
        InvalidInputError: If the complex has no vertices, cells are missing, or shapes don't fit.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> project(cells, [[-3.0, 0.5], [4.0, 5.0]]).distances.tolist()
        [3.0, 5.0]
    """
    parts = simplices(cells)
    if not cells.complete:  # type: ignore[attr-defined]
        raise InvalidInputError("`cells`: some are missing (a budget ended the work); expected all: raise `max_cells`")
    values: np.ndarray = cells.vertex_outputs  # type: ignore[attr-defined]
    y = _points(points, values.shape[1])
    corners = values[parts.corners]
    step = max(1, _PAIRS // max(1, len(parts)))
    nearest, shares = np.zeros(len(y), np.int64), np.zeros((len(y), corners.shape[1]))
    gram = np.einsum("tko,tlo->tkl", corners - corners[:, :1], corners - corners[:, :1])
    for start in range(0, len(y), step):
        rows = slice(start, start + step)
        nearest[rows], shares[rows] = _nearest(y[rows], corners, gram)
    chosen = parts.corners[nearest]
    latents = np.einsum("nk,nkd->nd", shares, cells.vertices[chosen])  # type: ignore[attr-defined]
    outputs = np.einsum("nk,nko->no", shares, values[chosen])
    return NearestPoints(np.linalg.norm(y - outputs, axis=1), latents, outputs, parts.cells[nearest])


def approach(
    generator: Any,
    points: Any,
    prior: Prior,
    *,
    starts: int = 3,
    pool: int = 2_000,
    steps: int = 60,
    latent_shape: tuple[int, ...] | None = None,
    radius: float | None = None,
    seed: int = 0,
) -> NearestPoints:
    """Near points of the manifold of any generator, by Levenberg-Marquardt descents from the nearest of random latents.

    What is found is a local minimum: distances are upper bounds.

    Args:
        generator: A module, a function, a network or the path of one, as in `log_volume`.
        points: [n, *output_shape] points of the output space.
        prior: Law of the random latents.
        starts: Descents for each point.
        pool: Random latents.
        steps: Steps of each descent.
        latent_shape: Shape of one latent; flat if None.
        radius: Latents longer than this are pulled back to it: a manifold of a ball of latents. None for no bound.
        seed: Of the random latents.

    Returns:
        The best of the descents. Cost: a Jacobian for each point, start and step.

    Raises:
        InvalidInputError: If shapes don't fit.

    Example:
        >>> from splinescope.generative.priors import Gaussian
        >>> bool(approach(torch.nn.Linear(2, 2), np.zeros((3, 2)), Gaussian(2)).distances.max() < 1e-4)
        True
    """
    check_prior(prior)
    starts, pool, steps = (
        check_number("starts", starts, 1),
        check_number("pool", pool, 1, MOST),
        check_number("steps", steps),
    )
    latents = prior.draw(pool, np.random.default_rng(check_number("seed", seed)))
    if radius is not None:
        radius = check_positive("radius", radius)
        latents = latents * np.minimum(1.0, radius / np.linalg.norm(latents, axis=1, keepdims=True))
    shape = (prior.dimension,) if latent_shape is None else check_shape("latent_shape", latent_shape)
    if math.prod(shape) != prior.dimension:
        raise InvalidInputError(
            f"`latent_shape`: got {shape}; expected a shape of {prior.dimension} numbers, as the prior has"
        )
    map_ = latent_map(generator, latents.reshape(pool, *shape), "sketch", None)
    y = _points(points, map_.outputs)
    known = torch.as_tensor(y).to(map_.points)
    with torch.no_grad():
        order = torch.cdist(known, map_.function(map_.points, None)).topk(min(starts, pool), largest=False).indices
    best = torch.full((len(y),), torch.inf, dtype=map_.points.dtype)
    found = map_.points.new_zeros(len(y), map_.dimension)
    for column in order.T:
        z, distances = _descend(map_, known, map_.points[column].clone(), steps, radius)
        better = distances < best
        best, found = torch.where(better, distances, best), torch.where(better[:, None], z, found)
    with torch.no_grad():
        outputs = map_.function(found, None).double().numpy()
    distances = np.linalg.norm(y - outputs, axis=1)
    return NearestPoints(distances, found.double().numpy(), outputs, np.full(len(y), -1))


def _points(points: Any, outputs: int) -> np.ndarray:
    y = finite("points", points)
    y = y.reshape(len(y), -1) if y.size and y.ndim else y
    if y.ndim != 2 or y.shape[1] != outputs:
        raise InvalidInputError(
            f"`points`: got shape {y.shape}; expected [n, *output_shape] with {outputs} numbers each"
        )
    return y


def _nearest(y: np.ndarray, corners: np.ndarray, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest simplex of each point, and barycentric coordinates of the nearest point in it."""
    count, size = len(corners), corners.shape[1]
    # inner products with edges from the first corner, and squared distances to it, up to |y|^2
    origin = corners[:, 0]
    along = np.stack(
        [y @ (corners[:, k] - origin).T - np.einsum("to,to->t", origin, corners[:, k] - origin) for k in range(size)], 2
    )
    square = np.einsum("to,to->t", origin, origin) - 2 * y @ origin.T
    best = np.full((len(y), count), np.inf)
    shares = np.zeros((len(y), count, size))
    for face in chain.from_iterable(combinations(range(size), k) for k in range(1, size + 1)):
        base, others = face[0], list(face[1:])
        diagonal = gram[:, base, base]
        distance = square - 2 * along[..., base] + diagonal
        coordinates = np.zeros((len(y), count, size))
        if others:
            system = gram[:, others][:, :, others] - gram[:, others, base][:, :, None] - gram[:, base, others][:, None]
            system = system + diagonal[:, None, None]
            right = along[..., others] - along[..., base, None] - (gram[:, base, others] - diagonal[:, None])
            inverse = _inverse(system)
            solution = np.einsum("tij,ntj->nti", inverse, right)
            distance = distance - np.einsum("nti,nti->nt", solution, right)
            coordinates[..., others] = solution
        coordinates[..., base] = 1 - coordinates.sum(axis=2)
        better = (coordinates.min(axis=2) >= 0) & (distance < best)
        best = np.where(better, distance, best)
        shares[better] = coordinates[better]
    nearest = best.argmin(axis=1)
    return nearest, shares[np.arange(len(y)), nearest]


def _inverse(systems: np.ndarray) -> np.ndarray:
    """Inverses of Gram matrices; NaN where edges are dependent, for then a smaller face has the nearest point."""
    values, vectors = np.linalg.eigh(systems)
    regular = values[:, 0] > 1e-13 * values[:, -1]
    inverse = np.einsum("tik,tk,tjk->tij", vectors, 1 / np.where(regular[:, None], values, 1.0), vectors)
    return np.where(regular[:, None, None], inverse, np.nan)


def _descend(
    map_: DifferentiableMap, y: torch.Tensor, z: torch.Tensor, steps: int, radius: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Levenberg-Marquardt descents of all points side by side, each with a damping of its own."""
    damping = torch.full((len(z), 1, 1), 1e-2, dtype=z.dtype)
    eye = torch.eye(z.shape[1], dtype=z.dtype)
    with torch.no_grad():
        residual = y - map_.function(z, None)
        for _ in range(steps):
            J = torch.cat(list(map_.at(z).jacobians()))
            gram = J.mT @ J
            scale = gram.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None].clamp_min(1e-30)
            step = torch.linalg.solve(gram + damping * scale * eye, J.mT @ residual[..., None])[..., 0]
            there = z + step
            if radius is not None:
                there = there * (radius / there.norm(dim=1, keepdim=True)).clamp_max(1.0)
            new = y - map_.function(there, None)
            better = new.norm(dim=1) < residual.norm(dim=1)
            z, residual = torch.where(better[:, None], there, z), torch.where(better[:, None], new, residual)
            damping = torch.where(better[:, None, None], damping / 5, damping * 4).clamp(1e-9, 1e9)
    return z, residual.norm(dim=1)
