"""Words of the command line as numbers, shapes and sizes, with errors that name the option."""

from __future__ import annotations

import math
import re

from splinescope.errors import InvalidInputError

Shape = tuple[int, ...]


def numbers(option: str, text: str) -> list[float]:
    """The numbers of a comma-separated list."""
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise InvalidInputError(f"`{option}`: got {text!r}; expected numbers joined by commas, as in 0.5,-1") from error
    if not all(math.isfinite(value) for value in values):
        raise InvalidInputError(f"`{option}`: got {text!r}; expected finite numbers")
    return values


def whole_numbers(option: str, text: str) -> list[int]:
    """The whole numbers of a comma-separated list."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise InvalidInputError(
            f"`{option}`: got {text!r}; expected whole numbers joined by commas, as in 3,7,11"
        ) from error


def size_in_bytes(option: str, text: str | None) -> int | None:
    """A size such as 500M or 4G in bytes; K, M, G and T are powers of 1024."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " ")) if match else 0
    if size < 1:
        raise InvalidInputError(f"`{option}`: got {text!r}; expected a size such as 500M or 4G")
    return size


def shape_of(option: str, text: str | None) -> Shape | None:
    """The shape that a comma-separated list means."""
    if text is None:
        return None
    shape = tuple(whole_numbers(option, text))
    if min(shape) < 1:
        raise InvalidInputError(f"`{option}`: got {text!r}; expected positive sizes without the batch, as in 1,28,28")
    return shape


def first_line(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
