"""Whether arrays fit together, once they have been read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def check_shapes(arrays: Mapping[str, Any], expected: Mapping[str, str], sizes: dict[str, int]) -> None:
    """Compare kinds of numbers and shapes, in which a letter or word stands for one size throughout.

    Args:
        arrays: The arrays by name.
        expected: For each name the kinds of numbers that it may have ("f", "i", "u", "b" or several) and the names of
            its axes: "f vertices d". An axis `n+1` has one more than `n`; one that is a number has that size.
        sizes: Sizes that are known; those that are met first are added.

    Raises:
        ValueError: If an array is missing, or is of another kind or shape.

    Cost: none; no number is looked at.

    Example:
        >>> check_shapes({"x": np.zeros((3, 2))}, {"x": "f n 2"}, {"n": 4})
        Traceback (most recent call last):
        ...
        ValueError: `x` has the shape (3, 2); expected [n, 2] with n = 4
    """
    for name, words in expected.items():
        kinds, *axes = words.split()
        array = arrays.get(name)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds:
            raise ValueError(f"`{name}` is no array of type {kinds}")
        fits = array.ndim == len(axes) and all(_fits(n, axis, sizes) for n, axis in zip(array.shape, axes, strict=True))
        if not fits:
            known = ", ".join(f"{axis} = {sizes[axis]}" for axis in axes if axis in sizes)
            raise ValueError(f"`{name}` has the shape {array.shape}; expected [{', '.join(axes)}] with {known}")


def _fits(size: int, axis: str, sizes: dict[str, int]) -> bool:
    if axis.isdecimal():
        return size == int(axis)
    letter, _, more = axis.partition("+")
    return size == sizes.setdefault(letter, size - int(more or 0)) + int(more or 0)


def within(numbers: np.ndarray, least: int, end: int) -> bool:
    """Whether whole numbers lie in a range.

    Args:
        numbers: The numbers, of any shape.
        least: The least that they may be.
        end: What they have to be below.

    Returns:
        Whether all do; of none, yes.

    Cost: one pass over the numbers.

    Example:
        >>> within(np.array([0, 3]), 0, 3)
        False
    """
    return not numbers.size or (int(numbers.min()) >= least and int(numbers.max()) < end)


def are_offsets(offsets: np.ndarray, end: int) -> bool:
    """Whether numbers are starts of lists that lie one after the other.

    Args:
        offsets: [lists + 1] the numbers.
        end: Entries of all lists together.

    Returns:
        Whether they ascend from zero to the end.

    Cost: one pass over the numbers.

    Example:
        >>> are_offsets(np.array([0, 2, 2, 5]), 5)
        True
    """
    return bool(len(offsets) and offsets[0] == 0 and offsets[-1] == end and (np.diff(offsets) >= 0).all())
