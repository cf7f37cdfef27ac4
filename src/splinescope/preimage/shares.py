"""Shares of random points, with intervals that hold for any number of them."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta

from splinescope.errors import InvalidInputError


@dataclass(frozen=True)
class Interval:
    """An estimate.

    Attributes:
        middle: The estimate.
        low: Lower end of its interval.
        high: Upper end.
        level: Probability with which such an interval is right.
    """

    middle: float
    low: float
    high: float
    level: float

    def scaled(self, factor: float) -> Interval:
        """The same in other units.

        Args:
            factor: By which all numbers are multiplied.

        Returns:
            The interval.
        """
        return Interval(factor * self.middle, factor * self.low, factor * self.high, self.level)


def proportion(hits: int, count: int, level: float = 0.95) -> Interval:
    """A probability from how often something happened (Clopper and Pearson, Biometrika 1934).

    Args:
        hits: How often.
        count: Of how many times.
        level: Probability that the interval is right, at least.

    Returns:
        The share with its interval.

    Raises:
        InvalidInputError: If numbers are out of range.

    Example:
        >>> proportion(0, 100).low, round(proportion(0, 100).high, 4)
        (0.0, 0.0362)
    """
    if not (0 <= hits <= count and count > 0 and 0 < level < 1):
        raise InvalidInputError(f"`hits`: got {hits} of {count} at the level {level}; expected 0 <= hits <= count")
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, count - hits + 1))
    high = 1.0 if hits == count else float(beta.ppf(1 - tail, hits + 1, count - hits))
    return Interval(hits / count, low, high, level)
