r"""Cross-entropy of one sample whose outputs are polynomials: derivatives, with bounds of what rounding does to them.

With z' the derivatives of the outputs, p the softmax, q the targets and Q their sum, $F' = Q E_p z' - q \cdot z'$ and
$F'' = Q (E_p z'' + \mathrm{Var}_p z') - q \cdot z''$; of the range $R_d$ of the d-th derivatives, $|F'''| \le Q (R_3 +
\tfrac34 R_1 R_2 + R_1^3 / (6 \sqrt 3))$. Where one class has all but a share m of the probability, each term is at
most that share of a multiple, and on an interval of half-length h the share is at most $m e^{2 R_1 h}$ of that in its
middle.

Running errors go along with every sum. Outputs are taken less that of the wanted class, so that nothing cancels where
that has it all, and errors are relative there. An exponential is taken for wrong by up to four units in the last
place, whoever computes it; so an error x of its argument makes its weight wrong by a share of at most 1.25 x + 12 u.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF

EXPONENTIAL = 8.0 * UNIT_ROUNDOFF
"""Relative error that an exponential may have: four units in the last place; libraries promise one."""

_WEIGHT = EXPONENTIAL + 4.0 * UNIT_ROUNDOFF
"""The same with what is rounded around it."""

_TINY = 2.0**-1020
"""What may be lost where an exponential is below the least normal number."""

_SLACK = 1.0 + 2.0**-20
"""Room for the rounding of bounds."""

_THIRD = 0.09623
"""Largest third central moment of what lies in [0, 1]."""


@njit(cache=True, nogil=True)
def _polynomial(row: np.ndarray, k: int, s: float) -> tuple[float, float, float]:
    """Value and two derivatives of an output."""
    value = slope = bend = 0.0
    for j in range(len(row) - 1, -1, -1):
        bend = bend * s + 2 * slope
        slope = slope * s + value
        value = value * s + row[j, k]
    return value, slope, bend


def coefficient_bounds(lines: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """What coefficients may be wrong by so that values and two derivatives are right, as `_polynomial` computes them.

    A coefficient goes through at most 2 size + 4 roundings on its way, of terms that are all as large as it makes them.

    Args:
        lines: [R, size, outputs] coefficients.
        errors: [R, size] bounds of the errors of all outputs' coefficients.

    Returns:
        [R, size] bounds.
    """
    size = lines.shape[1]
    sizes = np.abs(lines).max(axis=2)
    return np.asarray((errors + (2 * size + 8) * UNIT_ROUNDOFF * (sizes + errors)) * _SLACK)


@njit(cache=True, nogil=True)
def exponential(value: float) -> float:
    """The exponential, in the one place that calls it, so that a test can hold it to its bound."""
    return float(np.exp(value))


@njit(cache=True, nogil=True)
def sample(
    row: np.ndarray, errors: np.ndarray, target: np.ndarray, s: float
) -> tuple[float, float, float, float, float, float]:
    """Loss, slope, second derivative, the errors of these two, and a share of the probability.

    The share is a bound of that of all classes but the wanted one; 1 if several are wanted. Errors are infinite where
    weights are not known to a tenth.
    """
    outputs = len(target)
    u, own = UNIT_ROUNDOFF, target.argmax()
    terms = (outputs + 4.0) * u  # what sums over outputs lose
    off, slope_off, bend_off = _error(errors, abs(s))
    z0, s0, b0 = _polynomial(row, own, s)
    largest = 0.0
    for k in range(outputs):
        largest = max(largest, _polynomial(row, k, s)[0] - z0)
    rest = exponential(-largest)
    others = first = second = square = mass = wanted = wanted_slope = wanted_bend = 0.0
    others_off = first_off = second_off = square_off = wanted_slope_off = wanted_bend_off = 0.0
    vague = False
    for k in range(outputs):
        mass += target[k]
        if k == own:
            continue
        z, slope, bend = _polynomial(row, k, s)
        z, slope, bend = z - z0, slope - s0, bend - b0
        weight = exponential(z - largest)
        doubt = off + u * (abs(z) + abs(z - largest))
        vague = vague or not doubt <= 0.1
        lost = weight * (1.25 * doubt + _WEIGHT) + _TINY
        steep, bent = abs(slope), abs(bend)
        own_slope_off, own_bend_off = slope_off + u * steep, bend_off + u * bent
        known = weight + lost
        others += weight
        others_off += lost + terms * weight
        first += weight * slope
        first_off += (lost + terms * weight) * steep + known * own_slope_off
        second += weight * bend
        second_off += (lost + terms * weight) * bent + known * own_bend_off
        square += weight * slope * slope
        square_off += (lost + terms * weight) * steep * steep + known * (2.0 * steep + own_slope_off) * own_slope_off
        wanted += target[k] * z
        wanted_slope += target[k] * slope
        wanted_slope_off += target[k] * (own_slope_off + terms * steep)
        wanted_bend += target[k] * bend
        wanted_bend_off += target[k] * (own_bend_off + terms * bent)
    total = rest + others
    total_off = others_off + (_WEIGHT + terms) * total + _TINY
    least = total - total_off
    loss = np.log1p(others) if largest == 0.0 else np.log(total) + largest
    mean, second, square = first / total, second / total, square / total
    mean_off = (first_off + abs(mean) * total_off) / least + u * abs(mean)
    square_off = (square_off + square * total_off) / least + mean_off * (2.0 * abs(mean) + mean_off)
    second_off = (second_off + abs(second) * total_off) / least
    found = mass * mean - wanted_slope
    found_off = mass * (mean_off + terms * abs(mean)) + wanted_slope_off + u * abs(found)
    turns = mass * (second + square - mean * mean) - wanted_bend
    turns_off = mass * (second_off + square_off + (terms + 3.0 * u) * (abs(second) + square + mean * mean))
    turns_off += wanted_bend_off + u * abs(turns)
    share = (others + others_off) / least if target[own] == 1.0 and mass == 1.0 else 1.0
    if vague or not total_off < 0.25 * total:
        found_off = turns_off = np.inf
        share = 1.0
    loss = mass * loss - wanted
    return loss, found, turns, found_off * _SLACK, turns_off * _SLACK, share


@njit(cache=True, nogil=True)
def _error(errors: np.ndarray, s: float) -> tuple[float, float, float]:
    """What differences of two outputs, of their slopes, and of their second derivatives may be wrong by."""
    value = slope = bend = 0.0
    for j in range(len(errors) - 1, -1, -1):
        bend = bend * s + 2 * slope
        slope = slope * s + value
        value = value * s + errors[j]
    return 2.0 * _SLACK * value, 2.0 * _SLACK * slope, 2.0 * _SLACK * bend


@njit(cache=True, nogil=True)
def fold_jump(
    lines: np.ndarray, errors: np.ndarray, before: int, after: int, steep: float, mass: float, s: float
) -> float:
    """By how much a sample's slope can change where one row takes over from another.

    Differences of outputs by r change the softmax by at most exp(r) - 1 in sum, and slopes by r' count in full.

    Args:
        lines: [R, size, outputs] coefficients.
        errors: [R, size] bounds of their errors.
        before: The row before.
        after: The row behind.
        steep: Bound of the range of the slopes before, times the sum of the targets.
        mass: That sum.
        s: Where.
    """
    low = high = slope_low = slope_high = 0.0
    for k in range(lines.shape[2]):
        z, slope, _ = _polynomial(lines[after], k, s)
        old, old_slope, _ = _polynomial(lines[before], k, s)
        apart, turned = z - old, slope - old_slope
        low, high = (apart, apart) if k == 0 else (min(low, apart), max(high, apart))
        slope_low, slope_high = (turned, turned) if k == 0 else (min(slope_low, turned), max(slope_high, turned))
    off, slope_off, _ = _error(errors[before], abs(s))
    more, slope_more, _ = _error(errors[after], abs(s))
    apart = (high - low + off + more) * _SLACK
    turned = (slope_high - slope_low + slope_off + slope_more) * _SLACK
    return (mass * turned + steep * np.expm1(min(apart, 700.0))) * _SLACK


@njit(cache=True, nogil=True)
def mean_loss(
    lines: np.ndarray, errors: np.ndarray, rows: np.ndarray, targets: np.ndarray, s: float
) -> tuple[float, float, float]:
    """The loss, its slope, and a bound of the slope's error."""
    value = slope = off = size = 0.0
    for i in range(len(rows)):
        own, own_slope, _, own_off, _, _ = sample(lines[rows[i]], errors[rows[i]], targets[i], s)
        value += own
        slope += own_slope
        off += own_off
        size += abs(own_slope)
    count = len(rows)
    return value / count, slope / count, (off + (count + 4) * UNIT_ROUNDOFF * size) / count * _SLACK


@njit(cache=True, nogil=True)
def third_derivative(r1: Any, r2: Any, r3: Any) -> Any:
    """Bounds of the third derivative of log-sum-exps, of ranges of the first three derivatives of the outputs."""
    return r3 + 0.75 * r1 * r2 + _THIRD * r1 * r1 * r1


@njit(cache=True, nogil=True)
def bounded(
    lines: np.ndarray,
    errors: np.ndarray,
    ranges: np.ndarray,
    rows: np.ndarray,
    targets: np.ndarray,
    s: float,
    half: float,
) -> tuple[float, float, float, float, float]:
    """Slope and second derivative in the middle of an interval, their errors, and a bound of the third derivative."""
    slope = bend = third = slope_off = bend_off = slope_size = bend_size = 0.0
    for i in range(len(rows)):
        row = rows[i]
        _, own_slope, own_bend, own_slope_off, own_bend_off, share = sample(lines[row], errors[row], targets[i], s)
        slope += own_slope
        bend += own_bend
        slope_off += own_slope_off
        bend_off += own_bend_off
        slope_size += abs(own_slope)
        bend_size += abs(own_bend)
        r1, r2, r3 = ranges[row, 0], ranges[row, 1], ranges[row, 2]
        plain = third_derivative(r1, r2, r3)
        growth = 2.0 * r1 * half
        if growth < 30.0:
            plain = min(plain, share * np.exp(growth) * (r3 + 6.0 * r1 * r2 + 6.0 * r1 * r1 * r1))
        third += plain * targets[i].sum()
    count, sums = len(rows), (len(rows) + 4) * UNIT_ROUNDOFF
    slope_off, bend_off = slope_off + sums * slope_size, bend_off + sums * bend_size
    return (
        slope / count,
        bend / count,
        slope_off / count * _SLACK,
        bend_off / count * _SLACK,
        third / count * _SLACK,
    )


@njit(cache=True, nogil=True)
def row_ranges(lines: np.ndarray, errors: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """[R, 3] bounds of the ranges over the outputs of their first three derivatives, on the interval of each row."""
    count, size, outputs = lines.shape
    found = np.zeros((count, 3))
    powers = np.empty(size)
    for row in range(count):
        centre, half = 0.5 * (starts[row] + ends[row]), 0.5 * (ends[row] - starts[row])
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for k in range(outputs):
            for j in range(size):
                powers[j] = lines[row, j, k]
            for i in range(size):  # Taylor coefficients at the centre
                for j in range(size - 2, i - 1, -1):
                    powers[j] += centre * powers[j + 1]
            factor = 1.0
            for d in range(1, 4):
                if d >= size:
                    low[d - 1], high[d - 1] = min(low[d - 1], 0.0), max(high[d - 1], 0.0)
                    continue
                factor *= d
                middle, reach, power, falling = factor * powers[d], 0.0, half, factor
                for j in range(d + 1, size):
                    falling = falling * j / (j - d)
                    reach += abs(powers[j]) * falling * power
                    power *= half
                low[d - 1], high[d - 1] = min(low[d - 1], middle - reach), max(high[d - 1], middle + reach)
        factor = 1.0
        for d in range(1, min(4, size)):
            factor *= d
            falling, off = factor, factor * errors[row, d]
            for j in range(d + 1, size):
                falling = falling * j / (j - d)
                off += falling * errors[row, j]
            found[row, d - 1] = 4.0 * off
        for d in range(3):
            found[row, d] = (found[row, d] + high[d] - low[d]) * _SLACK
    return found
