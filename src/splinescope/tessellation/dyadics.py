"""Float64 numbers as integers over a power of two, and affine forms with such coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpz

Form = list[Any]
"""d + 1 integers (`fmpz`): the coefficients of an affine form, the constant last; or homogeneous coordinates."""


@dataclass(frozen=True)
class Dyadic:
    """Rows of integers, all times the same power of two.

    Attributes:
        rows: [k][d + 1] integers.
        exponent: The power.
    """

    rows: list[Form]
    exponent: int


def integers(array: np.ndarray) -> tuple[list[fmpz], int]:
    """Float64 numbers as integers times one power of two.

    Args:
        array: Finite numbers.

    Returns:
        The integers, flat, and the exponent.
    """
    mantissa, exponent = np.frexp(np.ravel(array))
    whole = (mantissa * 2.0**53).astype(np.int64)
    exponent = exponent.astype(np.int64) - 53
    present = whole != 0
    if not present.any():
        return [fmpz(0)] * len(whole), 0
    lowest = whole & -whole
    trailing = np.where(present, np.round(np.log2(np.maximum(np.abs(lowest.astype(np.float64)), 1))), 0).astype(
        np.int64
    )
    whole >>= trailing
    exponent += trailing
    least = int(exponent[present].min())
    shifts = np.where(present, exponent - least, 0)
    return [fmpz(w) << s if s else fmpz(w) for w, s in zip(whole.tolist(), shifts.tolist(), strict=True)], least


def dyadic(array: np.ndarray) -> Dyadic:
    """A float64 matrix as integers."""
    flat, exponent = integers(array)
    width = array.shape[1]
    return Dyadic([flat[i : i + width] for i in range(0, len(flat), width)], exponent)


def shifted(rows: list[Form], shift: int) -> list[Form]:
    """Rows times a power of two."""
    return [[number << shift for number in row] for row in rows] if shift else rows


def aligned(parts: Sequence[Dyadic]) -> tuple[list[list[Form]], int]:
    """Rows of several matrices with the same power of two."""
    least = min(part.exponent for part in parts)
    return [shifted(part.rows, part.exponent - least) for part in parts], least
