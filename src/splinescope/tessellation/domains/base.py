"""What every domain is: a bounded convex polytope in an affine image of R^d in the input space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError

COLLINEAR = 1e-10
"""Relative distance below which points or directions do not span what they should."""


def finite(name: str, value: Any) -> np.ndarray:
    """`value` as a float64 array of its own.

    Args:
        name: The argument, for the error.
        value: Numbers, as an array, a tensor or nested lists.

    Returns:
        The array.

    Raises:
        InvalidInputError: If it is not made of numbers, or one is NaN or infinite.
    """
    try:
        array = np.array(value.detach().cpu() if hasattr(value, "detach") else value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"`{name}`: got {type(value).__name__}; expected an array of numbers") from error
    if not np.isfinite(array).all():
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise InvalidInputError(f"`{name}`: {bad} of {array.size} numbers are NaN or infinite; expected finite numbers")
    return array


class Domain(ABC):
    r"""A bounded convex polytope of dimension $d$, at the inputs $x = \text{origin} + \sum_i t_i\,\text{basis}_i$.

    Measures of a complex (lengths, areas, volumes) are those of the coordinates $t$; with an orthonormal basis they are
    Euclidean measures of the input space.

    Attributes:
        origin: Point of the input space at $t = 0$, in the network's input shape.
        basis: [d, *input_shape] independent directions.
    """

    origin: np.ndarray
    basis: np.ndarray

    @property
    @abstractmethod
    def corners(self) -> Float[np.ndarray, "corners d"]:
        """Vertices of the polytope."""

    @property
    @abstractmethod
    def halfspaces(self) -> Float[np.ndarray, "facets coefficients"]:
        """Rows `(n, b)` with unit outward normals: the polytope is where `n @ t + b <= 0` for every row."""

    @property
    @abstractmethod
    def measure(self) -> float:
        """Length, area, volume, ... in the domain's coordinates."""

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.basis)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.origin.shape

    @property
    def centre(self) -> Float[np.ndarray, " d"]:
        """Mean of the corners."""
        return np.asarray(self.corners.mean(axis=0))

    @property
    def size(self) -> float:
        """Largest extent along a coordinate."""
        return float(np.ptp(self.corners, axis=0).max())

    def embed(self, coordinates: Float[np.ndarray, "n d"]) -> np.ndarray:
        """Inputs at coordinates of the domain: [n, d] to [n, *input_shape]."""
        flat = self.origin.ravel() + np.asarray(coordinates, np.float64) @ self.basis.reshape(self.dimension, -1)
        return flat.reshape(-1, *self.origin.shape)

    def project(self, inputs: Any) -> Float[np.ndarray, "n d"]:
        """Coordinates of the nearest points of the domain's affine hull: [n, *input_shape] to [n, d]."""
        flat = np.asarray(inputs, np.float64).reshape(-1, self.origin.size) - self.origin.ravel()
        solution = np.linalg.lstsq(self.basis.reshape(self.dimension, -1).T, flat.T, rcond=None)[0]
        return np.ascontiguousarray(solution.T)
