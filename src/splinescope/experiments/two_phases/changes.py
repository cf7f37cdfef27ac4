"""A change point of a series in logarithms, with its uncertainty, and whether the data ask for one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Change:
    """Two power laws that meet, beside a single one.

    Attributes:
        place: Where they meet, in units of x.
        low: Lower end of its 90 % interval.
        high: Upper end.
        before: Exponent before.
        after: Exponent after.
        gain: Difference of the Bayesian information criteria of one power law and of two; positive for two, and above
            10 decidedly.
    """

    place: float
    low: float
    high: float
    before: float
    after: float
    gain: float


def change(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], resamples: int, seed: int = 0) -> Change:
    """Fit two power laws that meet.

    Least squares of the logarithms over all places of the change between the third value and the third last; the
    interval is that of fits to resampled residuals.

    Args:
        x: Positive places, ascending.
        y: Values; those that are not positive are left out.
        resamples: How many.
        seed: Of the resampling.

    Returns:
        The fit; NaN where fewer than eight values are positive.
    """
    usable = (x > 0) & (y > 0) & np.isfinite(y)
    if usable.sum() < 8:
        return Change(*(float("nan"),) * 6)
    u, v = np.log(x[usable]), np.log(y[usable])
    rng, n = np.random.default_rng(seed), len(u)
    place, fit = _broken(u, v)
    residuals = v - _design(u, place) @ fit
    drawn = [_broken(u, _design(u, place) @ fit + rng.choice(residuals, n))[0] for _ in range(resamples)]
    line = v - np.column_stack([np.ones(n), u]) @ np.polyfit(u, v, 1)[::-1]
    one, two = (n * np.log(max(float((rest**2).mean()), 1e-300)) for rest in (line, residuals))
    low, high = np.quantile(drawn, [0.05, 0.95]) if resamples else (place, place)
    gain = one + 2 * np.log(n) - two - 4 * np.log(n)
    return Change(
        float(np.exp(place)),
        float(np.exp(low)),
        float(np.exp(high)),
        float(fit[1]),
        float(fit[1] + fit[2]),
        float(gain),
    )


def _design(u: np.ndarray, place: float) -> np.ndarray:
    return np.column_stack([np.ones(len(u)), u, np.maximum(u - place, 0.0)])


def _broken(u: np.ndarray, v: np.ndarray) -> tuple[float, np.ndarray]:
    """The best place of a change, and the coefficients there."""
    places = np.linspace(u[2], u[-3], 60)
    fits = [np.linalg.lstsq(_design(u, place), v, rcond=None)[0] for place in places]
    errors = [((v - _design(u, place) @ fit) ** 2).sum() for place, fit in zip(places, fits, strict=True)]
    best = int(np.argmin(errors))
    return float(places[best]), fits[best]
