"""Segments between two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.tessellation.domains.base import Domain, coordinate_names, finite


@dataclass(frozen=True, eq=False)
class Segment(Domain):
    """The segment from one input to another, `x = a + t (b - a)` with `t` in [0, 1].

    Attributes:
        a: Its start, in the network's input shape (without batch).
        b: Its end, another point of the same shape.
        names: What the coordinate `t` is called, for pictures: one text, alone or in a sequence; None if it has no
            name. It is without unit, a share of the way from `a` to `b`.

    Raises:
        InvalidInputError: If the shapes differ, a number is not finite, both ends are one point, or there are several
            names.

    Example:
        >>> segment = Segment([0.0, 0.0], [3.0, 4.0])
        >>> segment.length, segment.embed(np.array([[0.5]])).tolist()
        (5.0, [[1.5, 2.0]])
    """

    a: Any
    b: Any
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        a, b = finite("a", self.a), finite("b", self.b)
        if a.shape != b.shape:
            raise InvalidInputError(f"`a`, `b`: got shapes {a.shape} and {b.shape}; expected one shape")
        if np.array_equal(a, b):
            raise InvalidInputError("`a`, `b`: both ends are the same point; expected two different points")
        object.__setattr__(self, "a", a)
        object.__setattr__(self, "b", b)
        object.__setattr__(self, "names", coordinate_names(self.names, 1))

    def reshaped(self, input_shape: tuple[int, ...]) -> Segment:
        """The same segment with inputs of another shape of as many numbers; see `Domain.reshaped`."""
        shape = self._fits(input_shape)
        return replace(self, a=np.reshape(self.a, shape), b=np.reshape(self.b, shape))

    @property
    def origin(self) -> np.ndarray:  # type: ignore[override]
        """The start."""
        return np.asarray(self.a)

    @property
    def basis(self) -> np.ndarray:  # type: ignore[override]
        """[1, *input_shape] from the start to the end."""
        return np.asarray(np.asarray(self.b) - np.asarray(self.a))[None]

    @property
    def length(self) -> float:
        """Euclidean distance of the ends in the input space."""
        return float(np.linalg.norm(self.basis))

    @property
    def corners(self) -> Float[np.ndarray, "2 1"]:
        """Both ends, 0 and 1."""
        return np.array([[0.0], [1.0]])

    @property
    def halfspaces(self) -> Float[np.ndarray, "2 2"]:
        """`-t <= 0` and `t - 1 <= 0`."""
        return np.array([[-1.0, 0.0], [1.0, -1.0]])

    @property
    def measure(self) -> float:
        """1, the length of the interval of `t`."""
        return 1.0

    def embed(self, coordinates: Float[np.ndarray, "n 1"]) -> np.ndarray:
        """Inputs at coordinates `t`: [n, 1] to [n, *input_shape]; both ends are met exactly."""
        t = np.asarray(coordinates, np.float64).reshape(-1, *[1] * self.origin.ndim)
        start, end = self.origin, np.asarray(self.b)
        return np.where(t <= 0.5, start + t * (end - start), end + (t - 1.0) * (end - start))
