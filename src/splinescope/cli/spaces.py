"""Three-dimensional domains, as the options of the command line say them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from splinescope.cli.points import fit_points
from splinescope.cli.values import Shape, numbers
from splinescope.errors import InvalidInputError
from splinescope.tessellation.domains import Box, Domain, Slice


def space_of(
    shape: Shape,
    box: tuple[str, str] | None,
    points: Sequence[np.ndarray],
    margin: float,
    radius: float | None,
    seed: int,
) -> Domain:
    """The domain that a surface is sought in.

    Args:
        shape: The network's input shape.
        box: Lower and upper ends, one number for all inputs or one for each; -1 and 1 if None.
        points: One to four points of a slice instead of a box.
        margin: Relative margin around the points.
        radius: Distance of random points from the given ones.
        seed: Seed of the random directions.

    Returns:
        A box or slice of three dimensions.

    Raises:
        InvalidInputError: If it has another number of dimensions, or the options do not fit.
    """
    if points:
        return _slice(fit_points(points, shape), margin, radius, seed)
    if box is None and math.prod(shape) != 3:
        raise InvalidInputError(
            f"`--point`: no points were given; the model's input has the shape {tuple(shape)}, and only for three "
            "inputs there is a space without them; give one to four `--point`, or a `--box` in which three inputs vary"
        )
    low, high = (_ends(text, shape) for text in box or ("-1", "1"))
    domain = Box(low, high)
    if domain.dimension != 3:
        raise InvalidInputError(
            f"`--box`: {domain.dimension} of its coordinates vary; expected three (fix others by equal ends)"
        )
    return domain


def _ends(text: str, shape: Shape) -> np.ndarray:
    ends = numbers("--box", text)
    size = math.prod(shape)
    if len(ends) not in (1, size):
        raise InvalidInputError(f"`--box`: got {len(ends)} numbers; expected one, or one for each of {size} inputs")
    return np.broadcast_to(np.array(ends), size).reshape(shape)


def _slice(points: Sequence[np.ndarray], margin: float, radius: float | None, seed: int) -> Slice:
    """The slice through one to four points; random directions make up for missing ones."""
    if len(points) > 4:
        raise InvalidInputError(f"`--point`: got {len(points)} points; expected one to four")
    if radius is not None and not 0 < radius < math.inf:
        raise InvalidInputError(f"`--radius`: got {radius}; expected a positive number")
    first, second, third, fourth = [*points, None, None, None][:4]
    generator = np.random.default_rng(seed)
    return Slice.through(first, second, third, margin, x3=fourth, dimension=3, radius=radius, generator=generator)
