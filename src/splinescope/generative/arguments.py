"""Arguments of the study that several functions take: numbers, seeds and shapes, or one line that says what came."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.numerics import check_finite, check_number

MOST = 1 << 40
"""Numbers above this are no sizes of anything."""


def check_positive(name: str, value: Any) -> float:
    """A positive number.

    Args:
        name: The argument, for the error.
        value: What came.

    Returns:
        The number.

    Raises:
        InvalidInputError: If it is none.
    """
    number = check_finite(name, value)
    if number <= 0:
        raise InvalidInputError(f"`{name}`: got {value!r}; expected a positive number")
    return number


def random_numbers(name: str, value: Any) -> np.random.Generator:
    """A generator of random numbers, or one from its seed.

    Args:
        name: The argument, for the error.
        value: A generator, a seed, or None for any.

    Returns:
        The generator.

    Raises:
        InvalidInputError: If it is none of these.
    """
    if value is None or isinstance(value, np.random.Generator | np.random.SeedSequence | np.random.BitGenerator):
        return np.random.default_rng(value)
    try:
        return np.random.default_rng(check_number(name, value))
    except InvalidInputError:
        raise InvalidInputError(
            f"`{name}`: got {value!r}; expected a numpy.random.Generator, a whole number as its seed, or None"
        ) from None


def check_numbers(name: str, value: Any) -> np.ndarray:
    """Numbers, which may be infinite, as a float64 array.

    Args:
        name: The argument, for the error.
        value: What came.

    Returns:
        The array.

    Raises:
        InvalidInputError: If they are none.
    """
    try:
        given = np.asarray(value)
        if given.dtype.kind not in "biufO":
            raise TypeError
        return np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"`{name}`: got {type(value).__name__}; expected an array of numbers") from error


def check_shape(name: str, value: Any) -> tuple[int, ...]:
    """The shape of an array.

    Args:
        name: The argument, for the error.
        value: What came.

    Returns:
        The shape.

    Raises:
        InvalidInputError: If it is no sequence of positive whole numbers.
    """
    try:
        shape = tuple(check_number(name, size, 1) for size in value)
    except (TypeError, InvalidInputError):
        shape = ()
    if not shape or math.prod(shape) > MOST:
        raise InvalidInputError(f"`{name}`: got {value!r}; expected a shape, as in (100,) or (100, 1, 1)")
    return shape
