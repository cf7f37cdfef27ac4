"""Axis-parallel boxes of the input space."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.tessellation.domains.base import Domain, coordinate_names, finite

_LISTED = 20
"""Dimension up to which the corners of a box, two to the power of it, are worth listing."""


@dataclass(frozen=True, eq=False)
class Box(Domain):
    """An axis-parallel box of the input space, of any dimension.

    Coordinates whose lower and upper end are equal are fixed; the others, in their order, are the box's own.

    Attributes:
        low: Lower ends, in the network's input shape (without batch).
        high: Upper ends, of the same shape.
        names: What the free coordinates are called, with their units, for pictures; None if they have no names. Names
            for all inputs, in the order of `ravel`, may be given, too: those of the free ones are kept.

    Raises:
        InvalidInputError: If the shapes differ, a number is not finite, a lower end is above its upper end, all
            coordinates are fixed, or there are not as many names as coordinates.

    Example:
        >>> box = Box([-1.0, 0.0, 2.0], [1.0, 0.0, 5.0])
        >>> box.dimension, box.measure, box.embed(np.array([[0.5, 3.0]])).tolist()
        (2, 6.0, [[0.5, 0.0, 3.0]])
        >>> Box([-1.0, 0.0, 2.0], [1.0, 0.0, 5.0], names=("x (m)", "y (m)", "v (m/s)")).names
        ('x (m)', 'v (m/s)')
    """

    low: Any
    high: Any
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        low, high = finite("low", self.low), finite("high", self.high)
        if low.shape != high.shape or not low.ndim:
            raise InvalidInputError(f"`low`, `high`: got shapes {low.shape} and {high.shape}; expected one shape")
        if (low > high).any():
            worst = tuple(int(i) for i in np.argwhere(low > high)[0])
            raise InvalidInputError(
                f"`low`, `high`: {low[worst]} is above {high[worst]} at {worst}; expected low <= high everywhere"
            )
        if (low == high).all():
            raise InvalidInputError("`low`, `high`: they are the same point; expected a box with an interior")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        names = coordinate_names(self.names, self.dimension, low.size)
        if names is not None and len(names) > self.dimension:
            names = tuple(names[place] for place in self.free)
        object.__setattr__(self, "names", names)

    def reshaped(self, input_shape: tuple[int, ...]) -> Box:
        """The same box with inputs of another shape of as many numbers; see `Domain.reshaped`."""
        shape = self._fits(input_shape)
        return replace(self, low=np.reshape(self.low, shape), high=np.reshape(self.high, shape))

    @cached_property
    def free(self) -> Int[np.ndarray, " d"]:
        """Flat indices of the coordinates that are not fixed."""
        return np.flatnonzero(np.ravel(np.asarray(self.low) != np.asarray(self.high)))

    @property
    def dimension(self) -> int:
        """Number of free coordinates."""
        return len(self.free)

    @cached_property
    def origin(self) -> np.ndarray:  # type: ignore[override]
        """The fixed coordinates, and zero for the free ones."""
        low = np.asarray(self.low)
        return np.where(low == np.asarray(self.high), low, 0.0)

    @cached_property
    def basis(self) -> np.ndarray:  # type: ignore[override]
        """[d, *input_shape] unit vectors of the free coordinates."""
        flat = np.zeros((len(self.free), self.origin.size))
        flat[np.arange(len(self.free)), self.free] = 1.0
        return flat.reshape(-1, *self.origin.shape)

    @property
    def bounds(self) -> Float[np.ndarray, "2 d"]:
        """Lower and upper ends of the free coordinates."""
        return np.stack([np.ravel(self.low)[self.free], np.ravel(self.high)[self.free]])

    @cached_property
    def corners(self) -> Float[np.ndarray, "corners d"]:
        """All corners, in the order of binary numbers with the first coordinate as the highest digit."""
        if self.dimension > _LISTED:
            raise InvalidInputError(
                f"`Box.corners`: a box of {self.dimension} dimensions has 2^{self.dimension} corners; they are listed "
                f"up to {_LISTED} dimensions"
            )
        return np.array(list(itertools.product(*self.bounds.T)))

    @property
    def centre(self) -> Float[np.ndarray, " d"]:
        """Middle of the box."""
        return np.asarray(self.bounds.mean(axis=0))

    @property
    def size(self) -> float:
        """Largest extent along a coordinate."""
        return float(np.ptp(self.bounds, axis=0).max())

    @property
    def halfspaces(self) -> Float[np.ndarray, "facets coefficients"]:
        """Two rows for each coordinate, first those of all lower ends, then those of all upper ends."""
        low, high = self.bounds
        identity = np.eye(self.dimension)
        return np.concatenate([np.column_stack([-identity, low]), np.column_stack([identity, -high])])

    @property
    def measure(self) -> float:
        """Product of the extents."""
        return float(np.prod(np.ptp(self.bounds, axis=0)))

    def embed(self, coordinates: Float[np.ndarray, "n d"]) -> np.ndarray:
        """Inputs at the given free coordinates: [n, d] to [n, *input_shape]."""
        t = np.asarray(coordinates, np.float64)
        flat = np.tile(self.origin.ravel(), (len(t), 1))
        flat[:, self.free] = t
        return flat.reshape(-1, *self.origin.shape)

    def project(self, inputs: Any) -> Float[np.ndarray, "n d"]:
        """Free coordinates of inputs: [n, *input_shape] to [n, d]."""
        return np.asarray(inputs, np.float64).reshape(-1, self.origin.size)[:, self.free].copy()
