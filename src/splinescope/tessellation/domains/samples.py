"""Points of a domain: at random, at its corners, and as inputs."""

from __future__ import annotations

import numpy as np

from splinescope.tessellation.domains import Box, Domain, Slice

_CORNERS = 256
"""Corners that are listed, at most; there may be two to the power of the dimension."""


def bounding_box(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends [d] of the smallest box around a domain, in its coordinates."""
    if isinstance(domain, Box):
        return domain.bounds[0], domain.bounds[1]
    return domain.corners.min(axis=0), domain.corners.max(axis=0)


def inside(domain: Domain, count: int, generator: np.random.Generator) -> np.ndarray:
    """[count, d] random points in the interior of a domain: uniform in a box, else random means of its corners."""
    if isinstance(domain, Box):
        low, high = domain.bounds
        return low + (high - low) * generator.random((count, domain.dimension))
    corners = domain.corners
    return np.asarray(generator.dirichlet(np.ones(len(corners)), size=count) @ corners)


def sample(domain: Domain, generator: np.random.Generator, count: int = 256) -> np.ndarray:
    """[n, d] random points of the interior, and corners: all of them if they are few, else some."""
    if not isinstance(domain, Box):
        return np.concatenate([domain.corners[:_CORNERS], inside(domain, count, generator)])
    low, high = domain.bounds
    if 2**domain.dimension <= _CORNERS:
        ends = domain.corners
    else:
        ends = np.where(generator.random((_CORNERS, domain.dimension)) < 0.5, low, high)
    return np.concatenate([ends, inside(domain, count, generator)])


def embedded(domain: Domain, points: np.ndarray) -> np.ndarray:
    """[n, *input_shape] inputs at points [n, d] of a domain, to the last bit the same in whatever company.

    A product by BLAS may round differently with the number of rows and of threads that are free.
    """
    if not isinstance(domain, Slice):
        return domain.embed(points)
    flat = np.repeat(domain.origin.reshape(1, -1), len(points), axis=0)
    for coordinate, direction in zip(points.T, domain.basis.reshape(domain.dimension, -1), strict=True):
        flat += coordinate[:, None] * direction
    return flat.reshape(-1, *domain.input_shape)


def excess(domain: Domain, points: np.ndarray) -> np.ndarray:
    """[n, sides] signed distance of points [n, d] beyond each side of a domain; likewise the same to the last bit."""
    sides = domain.halfspaces
    out = np.repeat(sides[None, :, -1], len(points), axis=0)
    for coordinate, normal in zip(points.T, sides[:, :-1].T, strict=True):
        out += coordinate[:, None] * normal
    return out
