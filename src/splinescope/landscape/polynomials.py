r"""Where polynomials change their sign on an interval, isolated by the signs of their Bernstein coefficients.

A polynomial of degree d on [a, b] lies in the convex hull of its Bernstein coefficients. Where these have no sign
change there is no root; where they have one, there is one simple root, which bisection encloses to the last bit; else
the interval is cut in two (de Casteljau). Coefficients come with a bound of their errors, and only signs beyond it
count. So no root is missed and none invented, however close to another one, but where float64 cannot know, as where a
polynomial all but touches zero: such are doubts, which `landscape.arbiter` decides in exact arithmetic.

Polynomials come by their coefficients of powers of s on [-1, 1], the lowest first. What is compiled here is called by
other kernels, and returns the number of roots found, which it writes into a buffer.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF

MOST_DEGREE = 30
"""Largest degree; binomials beyond lose digits, and so do powers."""

COINCIDENT = 2.0**-42
"""Distance by s up to which breakpoints are one: rounding moves them, and a sliver between two has nobody's slope."""

_HALVINGS = 52
"""How often an interval is halved before two roots in it count as none."""


@njit(cache=True, nogil=True)
def evaluate(coefficients: np.ndarray, s: float) -> float:
    """Value of a polynomial, by Horner's rule."""
    value = 0.0
    for k in range(len(coefficients) - 1, -1, -1):
        value = value * s + coefficients[k]
    return value


@njit(cache=True, nogil=True)
def derivative(coefficients: np.ndarray, out: np.ndarray) -> None:
    """Coefficients of the derivative."""
    for k in range(1, len(coefficients)):
        out[k - 1] = k * coefficients[k]


@njit(cache=True, nogil=True)
def shifted(coefficients: np.ndarray, a: float, length: float, out: np.ndarray) -> None:
    """Coefficients by powers of u, where s = a + length u."""
    degree = len(coefficients) - 1
    for k in range(degree + 1):
        out[k] = coefficients[k]
    for k in range(degree):
        for j in range(degree - 1, k - 1, -1):
            out[j] += a * out[j + 1]
    power = 1.0
    for k in range(degree + 1):
        out[k] *= power
        power *= length


@njit(cache=True, nogil=True)
def to_bernstein(powers: np.ndarray, out: np.ndarray) -> None:
    """Bernstein coefficients on [0, 1] of coefficients by powers."""
    degree = len(powers) - 1
    binomial = 1.0
    for k in range(degree + 1):
        out[k] = powers[k] / binomial
        binomial = binomial * (degree - k) / (k + 1)
    for level in range(1, degree + 1):
        for i in range(degree, level - 1, -1):
            out[i] += out[i - 1]


@njit(cache=True, nogil=True)
def conversion_noise(coefficients: np.ndarray, a: float, length: float) -> float:
    """Bound of what rounding does to Bernstein coefficients on [a, a + length], by `shifted` and `to_bernstein`.

    Both are sums; a sum of absolute values in the same order bounds every number on the way.
    """
    degree = len(coefficients) - 1
    sizes, moved = np.abs(coefficients), np.empty(degree + 1)
    shifted(sizes, abs(a), abs(length), moved)
    total = 0.0
    for k in range(degree + 1):
        total += moved[k]
    return 4.0 * (degree + 2) * UNIT_ROUNDOFF * total


@njit(cache=True, nogil=True)
def _looked_at(bernstein: np.ndarray, start: int, noise: float) -> tuple[int, int, bool]:
    """Sign changes of coefficients behind the first, how many at the end are unsure, and whether the number is.

    One unsure coefficient between two of other signs makes no difference; between two of the same sign it does.
    """
    changes, unsure, sign, ambiguous = 0, 0, start, False
    for i in range(1, len(bernstein)):
        if abs(bernstein[i]) <= noise:
            unsure += 1
            continue
        own = 1 if bernstein[i] > 0 else -1
        if own != sign:
            changes += 1
        if unsure > (1 if own != sign else 0):
            ambiguous = True
        sign, unsure = own, 0
    return changes, unsure, ambiguous


@njit(cache=True, nogil=True)
def reach_of_end(bernstein: np.ndarray, noise: float) -> float:
    """How far from its right end, as a share, a polynomial can vanish whose last coefficient alone is unsure."""
    degree = len(bernstein) - 1
    least = np.inf
    for i in range(1 if degree > 1 else 0, degree):
        least = min(least, abs(bernstein[i]))
    return 2.0 * noise / (degree * least) if least > noise else 1.0


@njit(cache=True, nogil=True)
def last_sign(bernstein: np.ndarray, noise: float, fallback: int) -> int:
    """Sign towards the right end: that of the last coefficient that is larger than noise."""
    for i in range(len(bernstein) - 1, -1, -1):
        if abs(bernstein[i]) > noise:
            return 1 if bernstein[i] > 0 else -1
    return fallback


@njit(cache=True, nogil=True)
def first_sign(bernstein: np.ndarray, noise: float, fallback: int) -> int:
    """Sign right of the left end: that of the first coefficient that is larger than noise."""
    for value in bernstein:
        if abs(value) > noise:
            return 1 if value > 0 else -1
    return fallback


@njit(cache=True, nogil=True)
def _enclosed(powers: np.ndarray, low: float, high: float, start: int) -> float:
    """The one root in (low, high), the sign before it given, by bisection with secants."""
    a, b = low, high
    fa, fb = evaluate(powers, a), evaluate(powers, b)
    for step in range(200):
        if fa != fb and step % 3 != 2:
            middle = a - fa * (b - a) / (fb - fa)
            if not (a < middle < b):
                middle = 0.5 * (a + b)
        else:
            middle = 0.5 * (a + b)
        if middle <= a or middle >= b:
            break
        value = evaluate(powers, middle)
        if value == 0.0:
            return middle
        if (value > 0) == (start > 0):
            a, fa = middle, value
        else:
            b, fb = middle, value
        if b - a <= 2.3e-16 * max(abs(a), abs(b), 1e-3):
            break
    return 0.5 * (a + b)


@njit(cache=True, nogil=True)
def refined(
    coefficients: np.ndarray, level: float, a: float, length: float, share: float, noise: float, sure: bool
) -> tuple[float, bool]:
    """A root on [a, a + length], given as a share, by Newton's method in powers of s.

    Around s = 0 nothing cancels, while coefficients by powers of the share lose what is small beside the ends of a long
    interval. A step is taken only as far as the noise can have moved the root.

    Args:
        coefficients: Of the polynomial, by powers of s.
        level: What it equals at the root.
        a: Where the interval starts.
        length: Its length.
        share: Where the root is about.
        noise: Bound of the error of the values by which it was found.
        sure: Whether all was certain before.

    Returns:
        A share that is no worse, and whether all is certain, and rounding leaves it known to `COINCIDENT`: it does not
        beside another root.
    """
    s = a + length * share
    value, slope, size = evaluate(coefficients, s) - level, 0.0, abs(level)
    for _ in range(4):
        slope = 0.0
        for k in range(len(coefficients) - 1, 0, -1):
            slope = slope * s + k * coefficients[k]
        if value == 0.0 or abs(value) > 2.0 * noise or slope == 0.0:
            break
        moved = s - value / slope
        new = evaluate(coefficients, moved) - level
        if not (a < moved < a + length) or abs(new) >= abs(value):
            break
        s, value = moved, new
    for k in range(len(coefficients)):
        size += abs(coefficients[k] * s**k)
    return (s - a) / length, sure and 4.0 * UNIT_ROUNDOFF * size <= COINCIDENT * abs(slope)


@njit(cache=True, nogil=True)
def _halved(own: np.ndarray, left: np.ndarray, share: float) -> None:
    """Coefficients on both parts of an interval: the left ones, and in place the right ones."""
    degree = len(own) - 1
    for i in range(degree + 1):
        left[i] = own[0]
        for j in range(degree - i):
            own[j] = own[j] + share * (own[j + 1] - own[j])


@njit(cache=True, nogil=True)
def _value_at(bernstein: np.ndarray, share: float, buffer: np.ndarray) -> float:
    """Value at a share of the interval."""
    degree = len(bernstein) - 1
    for i in range(degree + 1):
        buffer[i] = bernstein[i]
    for i in range(degree):
        for j in range(degree - i):
            buffer[j] = buffer[j] + share * (buffer[j + 1] - buffer[j])
    return float(buffer[0])


@njit(cache=True, nogil=True)
def _share(bernstein: np.ndarray, noise: float, buffer: np.ndarray) -> float:
    """Where to cut an interval so that the sign there is certain; 0 if it is at none of three places."""
    for share in (0.5, 0.4375, 0.5625):
        if abs(_value_at(bernstein, share, buffer)) > noise:
            return share
    return 0.0


@njit(cache=True, nogil=True)
def sign_changes(
    powers: np.ndarray,
    start: int,
    noise: float,
    margin: float,
    roots: np.ndarray,
    stack: np.ndarray,
    places: np.ndarray,
) -> tuple[int, int, int]:
    """Places in (0, 1) where a polynomial changes its sign, in ascending order.

    Every sign that is used is that of a Bernstein coefficient larger than its error, on intervals that are cut where
    the sign is certain. What cannot be told so is a doubt, and counts as no change.

    Args:
        powers: Coefficients by powers of u on [0, 1].
        start: Its sign at the beginning, which is not asked for again.
        noise: Bound of the errors of the Bernstein coefficients.
        margin: Lengths at both ends within which signs do not matter.
        roots: Buffer for the places, one more than the degree.
        stack: [60, at least degree + 1] buffer.
        places: [60, 3] buffer.

    Returns:
        How many there are, the sign at the end, and on how many intervals it was not decided.
    """
    degree = len(powers) - 1
    to_bernstein(powers, stack[0, : degree + 1])
    largest = 0.0
    for i in range(degree + 1):
        largest = max(largest, abs(stack[0, i]))
    if largest == 0.0:
        return 0, start, 0
    cutting = 2.0 * degree * UNIT_ROUNDOFF * largest
    places[0, 0], places[0, 1], places[0, 2] = 0.0, 1.0, 0.0
    top, count, doubts, sign = 1, 0, 0, start
    left, buffer = stack[-1, : degree + 1], stack[-2, : degree + 1]
    while top > 0:
        top -= 1
        low, high, depth = places[top, 0], places[top, 1], places[top, 2]
        own = stack[top, : degree + 1]
        known = noise + depth * cutting
        changes, unsure, ambiguous = _looked_at(own, sign, known)
        if not ambiguous and unsure == 0 and changes == 0:
            continue
        if not ambiguous and unsure == 0 and changes == 1:
            if count < len(roots):
                roots[count] = _enclosed(powers, low, high, sign)
                count += 1
            sign = -sign
            continue
        alone = not ambiguous and unsure == 1 and changes == 0 and high == 1.0
        if alone and reach_of_end(own, known) * (high - low) <= margin:
            continue
        near = high <= margin or low >= 1.0 - margin
        share = 0.0 if near or depth >= _HALVINGS else _share(own, known, buffer)
        if share == 0.0:
            after = last_sign(own, known, sign)
            if not near:
                doubts += 1
            if after != sign and count < len(roots):
                roots[count] = _enclosed(powers, low, high, sign)
                count += 1
                sign = after
            continue
        _halved(own, left, share)
        for i in range(degree + 1):
            stack[top + 1, i] = left[i]
        middle = low + share * (high - low)
        places[top + 1, 0], places[top + 1, 1], places[top + 1, 2] = low, middle, depth + 1
        places[top, 0], places[top, 1], places[top, 2] = middle, high, depth + 1
        top += 2
    return count, sign, doubts
