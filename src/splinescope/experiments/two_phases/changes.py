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
    places = np.linspace(u[2], u[-3], 600)
    designs = np.stack([_design(u, place) for place in places])
    place = float(_best(places, designs, v[:, None])[0])
    fit = np.linalg.lstsq(_design(u, place), v, rcond=None)[0]
    smooth = _design(u, place) @ fit
    residuals = v - smooth
    drawn = _best(places, designs, smooth[:, None] + rng.choice(residuals, (n, resamples)))
    line = v - np.column_stack([np.ones(n), u]) @ np.polyfit(u, v, 1)[::-1]
    one, two = (n * np.log(max(float((rest**2).mean()), 1e-300)) for rest in (line, residuals))
    low, high = np.quantile(drawn, [0.05, 0.95]) if resamples else (place, place)
    gain = one + 2 * np.log(n) - two - 4 * np.log(n)
    middle, lower, upper = (float(np.exp(value)) for value in (place, low, high))
    return Change(middle, lower, upper, float(fit[1]), float(fit[1] + fit[2]), float(gain))


def _design(u: np.ndarray, place: float) -> np.ndarray:
    return np.column_stack([np.ones(len(u)), u, np.maximum(u - place, 0.0)])


def _best(places: np.ndarray, designs: np.ndarray, series: np.ndarray) -> np.ndarray:
    """For each series, a column, the place whose fit explains most."""
    frames, _ = np.linalg.qr(designs)
    explained = (np.einsum("pnk,ns->pks", frames, series) ** 2).sum(axis=1)
    best: np.ndarray = places[explained.argmax(axis=0)]
    return best
