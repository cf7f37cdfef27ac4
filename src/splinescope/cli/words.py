"""Words that are no option, no value and no name: what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from splinescope.errors import InvalidInputError


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names what is written most alike.

    Args:
        word: What was given.
        known: What there is.

    Returns:
        "; did you mean ...?", or nothing if nothing is alike.
    """
    close = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def check_values(words: Sequence[str], sizes: Mapping[str, int]) -> None:
    """Options of several values don't take the next option for one of them.

    Args:
        words: The words of the command line.
        sizes: Number of values by option, of those that take more than one.

    Raises:
        InvalidInputError: If an option is among the values of another one, or values are missing.
    """
    for place, word in enumerate(words):
        count = sizes.get(word)
        if count is None:
            continue
        values = list(words[place + 1 : place + 1 + count])
        found = next((number for number, value in enumerate(values) if value.startswith("--")), len(values))
        if found < count:
            fewer = "; for fewer points give `--point` once for each" if word == "--through" else ""
            raise InvalidInputError(f"`{word}`: got {found} of {count} values{fewer}")
