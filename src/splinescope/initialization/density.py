r"""How dense the folds of each layer are: around the data, and in a whole window.

The density of a layer's folds in a plane is their length divided by an area. It is exact from the edges of a
tessellation (`fold_density`). At a point $x$ of any input space the local formula counts the units whose hyperplane,
continued straight from the cell of $x$, comes within $\epsilon$: $\#\{k : |h_k(x)| \le \epsilon \|\nabla h_k(x)\|\}$
(`local_fold_density`). Where folds are straight within $\epsilon$ the mean of the count over an area of the plane,
divided by $2 \epsilon$, is the length per area: the strip of half-width $\epsilon$ around a line of length $\ell$ has
the area $2 \epsilon \ell$. Deep folds bend, so that the formula is off by what bends within $\epsilon$ (see
`splinescope.complexity.distances.local_formula`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.initialization.discs import areas_in_polygon, lengths_inside
from splinescope.initialization.modules import network_of
from splinescope.network.load import ModelLike
from splinescope.shown import Shown
from splinescope.tessellation.branches.tangents import TangentWalk
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.folds import folds
from splinescope.tessellation.metric import isometry
from splinescope.tessellation.planar.complex import PlanarComplex

MEMORY = 1 << 28
"""Bytes that one part of the points may take."""


@dataclass(frozen=True, eq=False)
class FoldDensity(Shown):
    """Length of the folds of each layer per unit of area, in the metric of the input space.

    Attributes:
        layers: Name of the node of each layer, from the input on.
        window: Density in the whole domain.
        near: Density in the disc around each point, cut off at the domain's border; NaN outside of it.
        radius: Radius of the discs.
    """

    layers: tuple[str, ...]
    window: Float[np.ndarray, " layers"]
    near: Float[np.ndarray, "points layers"]
    radius: float

    @property
    def ratio(self) -> Float[np.ndarray, " layers"]:
        """Mean density near the points over that in the window; NaN for a layer without folds."""
        with np.errstate(invalid="ignore"):
            found: np.ndarray = np.nanmean(self.near, axis=0) / np.where(self.window > 0, self.window, np.nan)
        return found


def fold_density(cells: PlanarComplex, points: Any, radius: float) -> FoldDensity:
    """The exact density of each layer's folds around some points and in the whole domain.

    Args:
        cells: A planar complex.
        points: [n, 2] slice coordinates.
        radius: Radius of the disc around each point, in the metric of the input space.

    Returns:
        The densities.

    Raises:
        InvalidInputError: If the points have another shape, or the radius is not positive.

    Cost: linear in the number of points times that of edges.

    Example:
        The two axes in a square of side 2, and in a disc of radius 1 / 2 around their crossing:

        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> density = fold_density(cells, [[0.0, 0.0]], radius=0.5)
        >>> density.window.tolist(), density.near.round(6).tolist()  # 4 / 4, and 2 / (pi / 4)
        ([1.0], [[2.546479]])
    """
    places = _numbers_of(points)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or not np.isfinite(places).all():
        raise InvalidInputError(f"`points`: got the shape {places.shape}; expected finite slice coordinates [n, 2]")
    _check_radius(radius)
    made, metric = folds(cells), isometry(cells)
    segments = cells.vertices[cells.edges[made.edges]] @ metric
    lengths = np.hypot(*(segments[:, 1] - segments[:, 0]).T)
    layers = len(made.names)
    polygon = cells.domain.polygon @ metric
    if np.linalg.det(metric) < 0:
        polygon = polygon[::-1]
    area = cells.domain.measure * abs(float(np.linalg.det(metric)))
    near = np.zeros((len(places), layers))
    middles, reach = segments.mean(axis=1), radius + lengths / 2
    for row, centre in enumerate(places @ metric):
        close = np.flatnonzero(((middles - centre) ** 2).sum(axis=1) <= reach**2)
        inside = lengths_inside(centre[None], radius, segments[close])[0]
        near[row] = np.bincount(made.layers[close], inside, layers)
    areas = areas_in_polygon(places @ metric, radius, polygon)
    areas = np.where(areas > 0, areas, np.nan)
    window = np.bincount(made.layers, lengths, layers) / area
    return FoldDensity(made.names, window, near / areas[:, None], radius)


@dataclass(frozen=True, eq=False)
class LocalFoldDensity(Shown):
    """How many units of each layer have their fold near each point, by the local formula.

    Attributes:
        layers: Name of the node of each layer, from the input on.
        counts: Number of units whose hyperplane is within the radius.
        radius: The radius.
    """

    layers: tuple[str, ...]
    counts: Int[np.ndarray, "points layers"]
    radius: float

    @property
    def density(self) -> Float[np.ndarray, "points layers"]:
        """The counts per unit of length across, which in a plane estimate the length of folds per unit of area."""
        return self.counts / (2 * self.radius)


def local_fold_density(model: ModelLike, points: Any, radius: float, domain: Domain | None = None) -> LocalFoldDensity:
    r"""Count the units of each layer whose fold, by the local formula, comes near each of some points.

    These are the counts of `local_complexity` with the mode "affine" and the neighbourhood "ball".

    Args:
        model: A network, or a module or file of one, which is imported in eval mode.
        points: [n, *input_shape] inputs, or with a domain their coordinates [n, d].
        radius: What is near, in the metric of the input space.
        domain: Distances are measured within the affine hull of this domain; in the whole input space if None.

    Returns:
        The counts. Cost: one forward pass and a Jacobian-vector product for each dimension, in parts of bounded memory.

    Raises:
        InvalidInputError: If the points do not fit the model, or the radius is not positive.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> local_fold_density(relu, [[0.0, 0.0], [0.5, 0.05], [0.5, 0.5]], radius=0.1).counts.tolist()
        [[2], [1], [0]]
    """
    _check_radius(radius)
    coordinates = _numbers_of(points)
    if domain is not None and coordinates.shape[1:] != (domain.dimension,):
        raise InvalidInputError(
            f"`points`: got the shape {coordinates.shape}; expected coordinates [n, {domain.dimension}]"
        )
    inputs = torch.from_numpy(coordinates if domain is None else domain.embed(coordinates))
    if inputs.ndim < 2 or not bool(torch.isfinite(inputs).all()):
        raise InvalidInputError(
            f"`points`: got the shape {tuple(inputs.shape)}; expected finite inputs [n, *input_shape]"
        )
    network = network_of(model, tuple(inputs.shape[1:]))
    walk = TangentWalk(network, None if domain is None else _directions(domain), radius, logits=False, ball=True)
    counts = [np.empty((0, len(walk.layers)), np.int64)]
    if walk.layers:
        for part in inputs.split(max(1, MEMORY // (8 * walk.numbers_per_point))):
            counts.append(np.stack([near.sum(dim=1).numpy() for near in walk.cuts(part)], axis=1))
    return LocalFoldDensity(walk.layers, np.concatenate(counts), radius)


def _numbers_of(points: Any) -> np.ndarray:
    """Points as an array of float64."""
    plain = points.detach().cpu().numpy() if isinstance(points, Tensor) else points
    return np.array(plain, dtype=np.float64)


def _check_radius(radius: float) -> None:
    if not 0 < radius < math.inf:
        raise InvalidInputError(f"`radius`: got {radius}; expected a positive number")


def _directions(domain: Domain) -> Tensor:
    """[d, *input_shape] orthonormal directions of a domain."""
    basis = np.asarray(domain.basis, dtype=np.float64).reshape(domain.dimension, -1)
    return torch.from_numpy(np.linalg.qr(basis.T)[0].T.copy()).reshape(-1, *domain.input_shape)
