"""Words of the command line as numbers, shapes and sizes, with errors that name the option."""

from __future__ import annotations

import math
import re

from splinescope.cli.words import did_you_mean
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


def duration(seconds: float) -> str:
    """Seconds in words, roughly.

    Args:
        seconds: How many.

    Returns:
        Such as "40 s", "9 min" or "3 h".
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def size_in_words(nbytes: float) -> str:
    """Bytes in words, roughly.

    Args:
        nbytes: How many.

    Returns:
        Such as "300 MB" or "2 GB".
    """
    return f"{nbytes / 1e6:.0f} MB" if nbytes < 1e9 else f"{nbytes / 1e9:.1f} GB"


def colormap(name: str | None) -> str | None:
    """A colour map of matplotlib.

    Args:
        name: Its name; None if the option was not given.

    Returns:
        The name.

    Raises:
        InvalidInputError: If there is none of this name.
    """
    if name is not None:
        from matplotlib import colormaps

        if name not in colormaps:
            raise InvalidInputError(f"`--cmap`: there is no colour map {name!r}{did_you_mean(name, colormaps)}")
    return name


def first_line(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
