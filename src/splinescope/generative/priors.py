"""Laws of latents: how to draw from them, and their densities."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.special import gammainc, gammaincinv, gammaln

from splinescope.errors import InvalidInputError
from splinescope.generative.arguments import check_numbers, check_positive
from splinescope.numerics import check_number
from splinescope.shown import Shown


@runtime_checkable
class Prior(Protocol):
    """A law of latents of `dimension` numbers."""

    @property
    def dimension(self) -> int:
        """Numbers of one latent."""

    def draw(self, number: int, generator: np.random.Generator) -> Float[np.ndarray, "number d"]:
        """Independent latents.

        Args:
            number: How many.
            generator: Of random numbers.

        Returns:
            One row each.
        """

    def log_density(self, latents: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Logarithm of the density, up to a constant.

        Args:
            latents: One row each.

        Returns:
            One number each; -inf where there is no density.
        """


@dataclass(frozen=True)
class UniformBox:
    """Uniform latents in a box.

    Attributes:
        low: Least value of each number.
        high: Largest value of each.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse boxes without volume."""
        low, high = check_numbers("low", self.low), check_numbers("high", self.high)
        fit = low.ndim == 1 and low.shape == high.shape and low.size
        if not fit or not all(-math.inf < a < b < math.inf for a, b in zip(low.tolist(), high.tolist(), strict=True)):
            raise InvalidInputError(
                f"`low`, `high`: got {self.low} and {self.high}; expected finite low < high, number by number"
            )

    @property
    def dimension(self) -> int:
        """Numbers of one latent."""
        return len(self.low)

    def draw(self, number: int, generator: np.random.Generator) -> Float[np.ndarray, "number d"]:
        """See `Prior`."""
        return generator.uniform(self.low, self.high, (number, self.dimension))

    def log_density(self, latents: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """See `Prior`."""
        inside = ((latents >= np.array(self.low)) & (latents <= np.array(self.high))).all(axis=1)
        return np.where(inside, -float(np.sum(np.log(np.subtract(self.high, self.low)))), -np.inf)


@dataclass(frozen=True)
class UniformBall:
    """Uniform latents in a ball around 0.

    Attributes:
        dimension: Numbers of one latent.
        radius: Of the ball.
    """

    dimension: int
    radius: float = 1.0

    def __post_init__(self) -> None:
        """Refuse balls without volume."""
        check_number("dimension", self.dimension, 1)
        check_positive("radius", self.radius)

    def draw(self, number: int, generator: np.random.Generator) -> Float[np.ndarray, "number d"]:
        """See `Prior`."""
        radii = self.radius * generator.random(number) ** (1 / self.dimension)
        return radii[:, None] * _directions(number, self.dimension, generator)

    def log_density(self, latents: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """See `Prior`."""
        d = self.dimension
        log_volume = 0.5 * d * math.log(math.pi) - float(gammaln(d / 2 + 1)) + d * math.log(self.radius)
        return np.where(np.linalg.norm(latents, axis=1) <= self.radius, -log_volume, -np.inf)


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussian latents with mean 0, cut off at a radius if one is given.

    Attributes:
        dimension: Numbers of one latent.
        deviation: Standard deviation of each, before the cut.
        radius: No latent is longer than this: a truncated Gaussian. None for no cut.
    """

    dimension: int
    deviation: float = 1.0
    radius: float | None = None

    def __post_init__(self) -> None:
        """Refuse laws without spread."""
        check_number("dimension", self.dimension, 1)
        deviation = check_positive("deviation", self.deviation)
        if self.radius is not None and not check_positive("radius", self.radius) / deviation < 1e150:
            raise InvalidInputError(f"`radius`: got {self.radius}; expected less than 1e150 deviations")

    def draw(self, number: int, generator: np.random.Generator) -> Float[np.ndarray, "number d"]:
        """See `Prior`."""
        if self.radius is None:
            return self.deviation * generator.standard_normal((number, self.dimension))
        # squared lengths have a chi-squared law, cut off
        half = self.dimension / 2
        share = gammainc(half, 0.5 * (self.radius / self.deviation) ** 2)
        lengths = self.deviation * np.sqrt(2 * gammaincinv(half, share * generator.random(number)))
        return lengths[:, None] * _directions(number, self.dimension, generator)

    def log_density(self, latents: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """See `Prior`."""
        squares = (latents**2).sum(axis=1) / self.deviation**2
        logs = -0.5 * squares - self.dimension * (math.log(self.deviation) + 0.5 * math.log(2 * math.pi))
        if self.radius is None:
            return logs
        scaled = (self.radius / self.deviation) ** 2
        logs -= math.log(float(gammainc(self.dimension / 2, 0.5 * scaled)))
        return np.where(squares <= scaled, logs, -np.inf)


@dataclass(frozen=True)
class Custom(Shown):
    """Any law that can be drawn from.

    Attributes:
        dimension: Numbers of one latent.
        sampler: From a number and a generator of random numbers to [number, d] latents.
        density: From [n, d] latents to [n] logarithms of the density, up to a constant.
    """

    dimension: int
    sampler: Callable[[int, np.random.Generator], np.ndarray]
    density: Callable[[np.ndarray], np.ndarray]

    def __post_init__(self) -> None:
        """Refuse what cannot be called."""
        check_number("dimension", self.dimension, 1)
        for name in ("sampler", "density"):
            if not callable(getattr(self, name)):
                raise InvalidInputError(f"`{name}`: got {type(getattr(self, name)).__name__}; expected a function")

    def draw(self, number: int, generator: np.random.Generator) -> Float[np.ndarray, "number d"]:
        """See `Prior`."""
        found = np.asarray(self.sampler(number, generator), np.float64)
        if found.size != number * self.dimension:
            raise InvalidInputError(
                f"`prior`: its sampler gave shape {found.shape}; expected {number} latents of {self.dimension} numbers"
            )
        return found.reshape(number, self.dimension)

    def log_density(self, latents: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """See `Prior`."""
        return np.asarray(self.density(latents), np.float64).reshape(len(latents))


def check_prior(prior: object) -> None:
    """Refuse what is no law of latents.

    Args:
        prior: What came.

    Raises:
        InvalidInputError: If it lacks one of the three names.
    """
    if not isinstance(prior, Prior):
        raise InvalidInputError(
            f"`prior`: got {type(prior).__name__}; expected one of `splinescope.generative.priors`, or anything "
            "with `dimension`, `draw` and `log_density`"
        )


def _directions(number: int, dimension: int, generator: np.random.Generator) -> np.ndarray:
    """Unit vectors, uniform on the sphere."""
    vectors = generator.standard_normal((number, dimension))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
