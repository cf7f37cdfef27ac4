"""What every domain is: a bounded convex polytope in an affine image of R^d in the input space."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.shown import Shown

D = TypeVar("D", bound="Domain")
"""A kind of domain."""

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
        given = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if given.dtype.kind not in "biufO":  # complex numbers and dates would be cast
            raise TypeError
        array = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"`{name}`: got {type(value).__name__}; expected an array of numbers") from error
    if not np.isfinite(array).all():
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise InvalidInputError(f"`{name}`: {bad} of {array.size} numbers are NaN or infinite; expected finite numbers")
    return array


def coordinate_names(names: Sequence[str] | None, *counts: int) -> tuple[str, ...] | None:
    """Names of coordinates, as a domain keeps them.

    Args:
        names: What the user gave: one name for each coordinate, with its unit; a text alone is that of one coordinate.
        counts: How many there may be.

    Returns:
        The names, or None if none were given.

    Raises:
        InvalidInputError: If there are not so many, or one is no text.
    """
    if names is None:
        return None
    given = (names,) if isinstance(names, str) else tuple(names)
    if len(given) not in counts or not all(isinstance(name, str) for name in given):
        wanted = " or ".join(map(str, sorted(set(counts))))
        raise InvalidInputError(
            f"`names`: got {list(given)!r}; expected {wanted} text{'' if wanted == '1' else 's'}, one for each "
            "coordinate, as in 'x1 (m)'"
        )
    return given


class Domain(Shown, ABC):
    r"""A bounded convex polytope of dimension $d$, at the inputs $x = \text{origin} + \sum_i t_i\,\text{basis}_i$.

    Measures of a complex (lengths, areas, volumes) are those of the coordinates $t$; with an orthonormal basis they are
    Euclidean measures of the input space.

    Attributes:
        origin: Point of the input space at $t = 0$, in the network's input shape.
        basis: [d, *input_shape] independent directions.
        names: What the d coordinates are called, with their units, as in "x1 (m)"; None if they have no names.
    """

    origin: np.ndarray
    basis: np.ndarray
    names: Sequence[str] | None = None

    @property
    @abstractmethod
    def corners(self) -> Float[np.ndarray, "corners d"]:
        """Vertices of the polytope."""

    @property
    @abstractmethod
    def halfspaces(self) -> Float[np.ndarray, "facets coefficients"]:
        """Rows `(n, b)` with unit outward normals; the polytope is where `n @ t + b <= 0` for every row."""

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

    @property
    def terms(self) -> np.ndarray:
        r"""[*input_shape] the largest $|\text{origin}| + \sum_i |t_i|\,|\text{basis}_i|$ on the domain.

        Inputs are rounded relative to this, not to themselves: origin and coordinates may cancel.
        """
        far = np.abs(self.corners).max(axis=0)
        return np.abs(self.origin) + np.tensordot(far, np.abs(self.basis), 1)

    @abstractmethod
    def reshaped(self: D, input_shape: tuple[int, ...]) -> D:
        """The same domain with inputs of another shape of as many numbers; coordinates and names stay.

        Args:
            input_shape: Shape of one input, such as that of images for points that came flat.

        Returns:
            The domain.

        Raises:
            InvalidInputError: If the shape has another number of numbers.
        """

    def _fits(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape, if it has as many numbers as the domain's own."""
        if math.prod(input_shape) != self.origin.size:
            raise InvalidInputError(
                f"`input_shape`: got {input_shape} for inputs of shape {self.input_shape}; expected as many numbers"
            )
        return tuple(input_shape)

    def embed(self, coordinates: Float[np.ndarray, "n d"]) -> np.ndarray:
        """Inputs at coordinates of the domain: [n, d] to [n, *input_shape].

        Args:
            coordinates: [n, d] coordinates; they may lie outside of the domain.

        Returns:
            [n, *input_shape] inputs.
        """
        flat = self.origin.ravel() + np.asarray(coordinates, np.float64) @ self.basis.reshape(self.dimension, -1)
        return flat.reshape(-1, *self.origin.shape)

    def project(self, inputs: Any) -> Float[np.ndarray, "n d"]:
        """Coordinates of the nearest points of the domain's affine hull: [n, *input_shape] to [n, d].

        Args:
            inputs: [n, *input_shape] inputs, each may be flat.

        Returns:
            [n, d] coordinates.
        """
        flat = np.asarray(inputs, np.float64).reshape(-1, self.origin.size) - self.origin.ravel()
        solution = np.linalg.lstsq(self.basis.reshape(self.dimension, -1).T, flat.T, rcond=None)[0]
        return np.ascontiguousarray(solution.T)
