"""Statistics that grow with the tokens that have been seen, as exact as if all had been there at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


class RunningMoments:
    r"""Count, mean, sum of squared deviations, least and largest value of each of some series.

    Two sets of values with counts $n_a, n_b$, means $\mu_a, \mu_b$ and sums $S_a, S_b$ of squared deviations make one
    with $\mu = \mu_a + \delta n_b / n$ and $S = S_a + S_b + \delta^2 n_a n_b / n$, where $\delta = \mu_b - \mu_a$ and
    $n = n_a + n_b$, so that no large numbers are subtracted.

    Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).

    Attributes:
        count: Number of values so far.
        mean: Their mean.
        squares: Sum of their squared deviations from it.
        least: The least one; infinite while there is none.
        largest: The largest one.
    """

    def __init__(self, series: tuple[int, ...]) -> None:
        """Start without values.

        Args:
            series: Shape of the array of series.
        """
        self.count: Int[np.ndarray, "..."] = np.zeros(series, dtype=np.int64)
        self.mean: Float[np.ndarray, "..."] = np.zeros(series)
        self.squares: Float[np.ndarray, "..."] = np.zeros(series)
        self.least: Float[np.ndarray, "..."] = np.full(series, np.inf)
        self.largest: Float[np.ndarray, "..."] = np.full(series, -np.inf)

    def add(self, values: Float[np.ndarray, "texts tokens layers"], counted: Bool[np.ndarray, "texts tokens"]) -> None:
        """Take more values.

        Args:
            values: More values of all series [texts, layers].
            counted: Which tokens count.
        """
        here = counted[:, :, None]
        count = here.sum(axis=1) + np.zeros_like(self.count)
        safe = np.maximum(count, 1)
        mean = np.where(here, values, 0.0).sum(axis=1) / safe
        squares = np.where(here, values - mean[:, None], 0.0)
        total = self.count + count
        shift = np.where(count > 0, mean - self.mean, 0.0)
        share = count / np.maximum(total, 1)
        self.mean = self.mean + shift * share
        self.squares = self.squares + (squares * squares).sum(axis=1) + shift * shift * self.count * share
        self.least = np.minimum(self.least, np.where(here, values, np.inf).min(axis=1))
        self.largest = np.maximum(self.largest, np.where(here, values, -np.inf).max(axis=1))
        self.count = total

    @property
    def deviation(self) -> Float[np.ndarray, "..."]:
        """Standard deviation with the divisor n - 1; zero for a single value."""
        return np.sqrt(self.squares / np.maximum(self.count - 1, 1))
