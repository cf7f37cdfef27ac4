r"""Derivatives of a mean of cross-entropies of piecewise polynomials, and where their sign changes.

The second and third derivative of a sample's loss are bounded on an interval by those of its outputs. With z' the
derivatives of the outputs, and p the softmax, $F'' = E_p z'' - z_y'' + \mathrm{Var}_p z'$, and of the range $R_d$ of
the d-th derivatives, $|F''| \le R_2 + R_1^2 / 4$ and $|F'''| \le R_3 + \tfrac34 R_1 R_2 + R_1^3 / (6 \sqrt 3)$. Where
one class has all but a share m of the probability, each term is at most that share of a multiple, and on an interval
of half-length h the share is at most $m e^{2 R_1 h}$ of that in its middle. So intervals are halved until the slope
is far enough from zero, or turns too strongly to vanish twice.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_MOST = 60
"""Depth of halving."""

_TRIES = 4000
"""Intervals that are looked at in one piece."""

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


@njit(cache=True, nogil=True)
def _sample(row: np.ndarray, target: np.ndarray, s: float) -> tuple[float, float, float, float]:
    """Loss of a sample, two derivatives, and the share of all classes but the wanted one; 1 if several are wanted."""
    outputs = len(target)
    own = target.argmax()
    one_hot = target[own] == 1.0
    z0, s0, b0 = _polynomial(row, own, s)
    largest = 0.0
    for k in range(outputs):
        largest = max(largest, _polynomial(row, k, s)[0] - z0)
    # Everything is by the difference from the wanted class, so that nothing cancels where that has it all.
    total = np.exp(-largest)
    others = first = second = square = wanted = wanted_slope = wanted_bend = 0.0
    for k in range(outputs):
        if k == own:
            continue
        z, slope, bend = _polynomial(row, k, s)
        z, slope, bend = z - z0, slope - s0, bend - b0
        weight = np.exp(z - largest)
        others += weight
        first += weight * slope
        second += weight * bend
        square += weight * slope * slope
        wanted += target[k] * z
        wanted_slope += target[k] * slope
        wanted_bend += target[k] * bend
    total += others
    first, second, square, others = first / total, second / total, square / total, others / total
    loss = np.log1p(others * total) if largest == 0.0 else np.log(total) + largest
    return (
        loss - wanted,
        first - wanted_slope,
        second - wanted_bend + square - first * first,
        others if one_hot else 1.0,
    )


@njit(cache=True, nogil=True)
def _mean(lines: np.ndarray, rows: np.ndarray, targets: np.ndarray, s: float, which: int) -> float:
    """The loss (0), its slope (1) or its second derivative (2)."""
    total = 0.0
    for sample in range(len(rows)):
        total += _sample(lines[rows[sample]], targets[sample], s)[which]
    return total / len(rows)


@njit(cache=True, nogil=True)
def _bounded(
    lines: np.ndarray, ranges: np.ndarray, rows: np.ndarray, targets: np.ndarray, s: float, half: float
) -> tuple[float, float, float]:
    """Slope and second derivative at the middle of an interval, and a bound of the third derivative on it."""
    slope = bend = third = 0.0
    for sample in range(len(rows)):
        row = rows[sample]
        _, own_slope, own_bend, share = _sample(lines[row], targets[sample], s)
        slope += own_slope
        bend += own_bend
        r1, r2, r3 = ranges[row, 0], ranges[row, 1], ranges[row, 2]
        plain = r3 + 0.75 * r1 * r2 + _THIRD * r1 * r1 * r1
        growth = 2.0 * r1 * half
        if growth < 30.0:
            plain = min(plain, share * np.exp(growth) * (r3 + 6.0 * r1 * r2 + 6.0 * r1 * r1 * r1))
        third += plain
    count = len(rows)
    return slope / count, bend / count, third / count * _SLACK


@njit(cache=True, nogil=True)
def row_ranges(lines: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
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
        for d in range(3):
            found[row, d] = (high[d] - low[d]) * _SLACK
    return found


@njit(cache=True, nogil=True)
def _bisected(lines: np.ndarray, rows: np.ndarray, targets: np.ndarray, low: float, high: float, start: int) -> float:
    """Where the slope changes its sign, once."""
    for _ in range(80):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if (_mean(lines, rows, targets, middle, 1) > 0) == (start > 0):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(cache=True, nogil=True)
def _sign(value: float) -> int:
    return 1 if value > 0 else (-1 if value < 0 else 0)


@njit(cache=True, nogil=True)
def _changes(
    lines: np.ndarray,
    ranges: np.ndarray,
    rows: np.ndarray,
    targets: np.ndarray,
    low: float,
    high: float,
    first: float,
    last: float,
    roots: np.ndarray,
    stack: np.ndarray,
) -> tuple[int, int]:
    """Where the slope changes its sign on a piece, ascending; and how many intervals were left undecided."""
    stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = low, high, first, last
    top, count, doubts, tries = 1, 0, 0, 0
    while top > 0:
        top -= 1
        a, b, fa, fb = stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3]
        middle, half = 0.5 * (a + b), 0.5 * (b - a)
        tries += 1
        slope, bend, third = _bounded(lines, ranges, rows, targets, middle, half)
        if abs(slope) > abs(bend) * half + 0.5 * third * half * half:
            continue
        apart = _sign(fa) * _sign(fb) < 0
        if abs(bend) > third * half:
            if apart and count < len(roots):
                roots[count] = _bisected(lines, rows, targets, a, b, _sign(fa))
                count += 1
            continue
        if third == 0.0 and bend == 0.0 and slope == 0.0:
            continue
        if top + 2 >= len(stack) or tries > _TRIES or not (a < middle < b):
            doubts += 1
            if apart and count < len(roots):
                roots[count] = _bisected(lines, rows, targets, a, b, _sign(fa))
                count += 1
            continue
        stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = middle, b, slope, fb
        stack[top + 1, 0], stack[top + 1, 1], stack[top + 1, 2], stack[top + 1, 3] = a, middle, fa, slope
        top += 2
    return count, doubts


@njit(cache=True, nogil=True)
def _near_end(lines: np.ndarray, rows: np.ndarray, targets: np.ndarray, end: float, other: float) -> int:
    """Sign of the slope at the end of a piece, or where it is zero a little inside."""
    sign = _sign(_mean(lines, rows, targets, end, 1))
    return sign if sign != 0 else _sign(_mean(lines, rows, targets, end + 1e-6 * (other - end), 1))


@njit(cache=True, nogil=True)
def turning(
    order: np.ndarray,  # rows that begin inside, in ascending order of where
    starts: np.ndarray,
    span: tuple[float, float],
    rows: np.ndarray,  # the row of each sample, which is moved along
    owners: np.ndarray,
    lines: np.ndarray,  # [R, degree + 1, n_out]
    ranges: np.ndarray,
    targets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Minima (1) and maxima (-1), piece by piece, and how many intervals were left undecided.

    On a piece where outputs are affine the loss is convex, so that the slopes at its ends tell all.
    """
    places, kinds = np.empty(64), np.empty(64, np.int64)
    roots, stack = np.empty(64), np.empty((_MOST, 4))
    count = sign = event = doubts = 0
    low = since = span[0]
    convex = lines.shape[1] <= 2
    while True:
        high = starts[order[event]] if event < len(order) else span[1]
        if high > low:
            before, after = _near_end(lines, rows, targets, low, high), _near_end(lines, rows, targets, high, low)
            found = 0
            if convex:
                if before < 0 < after:
                    roots[0], found = _bisected(lines, rows, targets, low, high, -1), 1
            else:
                found, unclear = _changes(
                    lines, ranges, rows, targets, low, high, float(before), float(after), roots, stack
                )
                doubts += unclear
            if before != 0 or after != 0:
                own = before if before != 0 else after
                for turn in range(-1, found):
                    place = low if turn < 0 else roots[turn]
                    own = own if turn < 0 else -own
                    if own == -sign:
                        if count == len(places):
                            places = np.concatenate((places, np.empty(count)))
                            kinds = np.concatenate((kinds, np.empty(count, np.int64)))
                        places[count] = 0.5 * (since + low) if turn < 0 and since < low else place
                        kinds[count] = own
                        count += 1
                    sign = own
                since = high
        if event == len(order):
            return places[:count], kinds[:count], doubts
        low = high
        while event < len(order) and starts[order[event]] == low:
            row = order[event]
            rows[owners[row]] = row
            event += 1


@njit(cache=True, nogil=True)
def swept(
    order: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    owners: np.ndarray,
    lines: np.ndarray,
    targets: np.ndarray,
    places: np.ndarray,  # ascending
    which: int,  # 0 for values, 1 for slopes
    right: bool,  # whether a breakpoint belongs to the piece on its right
) -> np.ndarray:
    """Values or slopes at some places."""
    found, event = np.empty(len(places)), 0
    for i in range(len(places)):
        while event < len(order) and (
            starts[order[event]] < places[i] or (right and starts[order[event]] == places[i])
        ):
            rows[owners[order[event]]] = order[event]
            event += 1
        found[i] = _mean(lines, rows, targets, places[i], which)
    return found
