r"""Where polynomials change their sign on an interval, isolated by the signs of their Bernstein coefficients.

A polynomial of degree d on [a, b] lies in the convex hull of its Bernstein coefficients. Where these have no sign
change there is no root; where they have one, there is one simple root, which bisection encloses to the last bit; else
the interval is halved (de Casteljau). So no root is missed, however close to another one, down to the resolution of
float64: two roots that are nearer, as where a polynomial all but touches zero, do not change its sign beyond, and are
counted as doubts.

Polynomials come by their coefficients of powers of s on [-1, 1], the lowest first. What is compiled here is called by
other kernels, and returns the number of roots found, which it writes into a buffer.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MOST_DEGREE = 30
"""Largest degree; binomials beyond lose digits, and so do powers."""

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
def _variations(bernstein: np.ndarray, start: int) -> int:
    """Sign changes of coefficients, zeros left out, the sign before the first one given."""
    count, sign = 0, start
    for value in bernstein:
        own = 1 if value > 0 else (-1 if value < 0 else 0)
        if own != 0:
            if own != sign:
                count += 1
            sign = own
    return count


@njit(cache=True, nogil=True)
def last_sign(bernstein: np.ndarray, fallback: int) -> int:
    """Sign towards the right end: that of the last coefficient that is not zero."""
    for i in range(len(bernstein) - 1, -1, -1):
        if bernstein[i] != 0.0:
            return 1 if bernstein[i] > 0 else -1
    return fallback


@njit(cache=True, nogil=True)
def first_sign(bernstein: np.ndarray, fallback: int) -> int:
    """Sign right of the left end: that of the first coefficient that is not zero."""
    for value in bernstein:
        if value != 0.0:
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
def sign_changes(
    powers: np.ndarray, start: int, noise: float, roots: np.ndarray, stack: np.ndarray, places: np.ndarray
) -> tuple[int, int, int]:
    """Places in (0, 1) where a polynomial changes its sign, in ascending order.

    Args:
        powers: Coefficients by powers of u on [0, 1].
        start: Its sign at the beginning, which is not asked for again.
        noise: Bernstein coefficients up to this count as zero.
        roots: Buffer for the places, one more than the degree.
        stack: [60, at least degree + 1] buffer.
        places: [60, 3] buffer.

    Returns:
        How many there are, the sign at the end, and how many pairs of roots were too close to be told apart.
    """
    degree = len(powers) - 1
    to_bernstein(powers, stack[0, : degree + 1])
    for i in range(degree + 1):
        if abs(stack[0, i]) <= noise:
            stack[0, i] = 0.0
    stack[0, 0] = start * abs(stack[0, 0])  # a sign that was decided before is not decided again by rounding
    places[0, 0], places[0, 1], places[0, 2] = 0.0, 1.0, 0.0
    top, count, doubts, sign = 1, 0, 0, start
    left = stack[-1, : degree + 1]
    while top > 0:
        top -= 1
        low, high, depth = places[top, 0], places[top, 1], places[top, 2]
        own = stack[top, : degree + 1]
        changes = _variations(own, sign)
        if changes == 0:
            continue
        if changes == 1 or depth >= _HALVINGS:
            after = last_sign(own, sign)
            if changes > 1:
                doubts += 1
            if after != sign and count < len(roots):
                roots[count] = _enclosed(powers, low, high, sign) if changes == 1 else 0.5 * (low + high)
                count += 1
                sign = after
            continue
        for i in range(degree + 1):
            left[i] = own[0]
            for j in range(degree - i):
                own[j] = 0.5 * (own[j] + own[j + 1])
        for i in range(degree + 1):
            stack[top + 1, i] = left[i]
        middle = 0.5 * (low + high)
        places[top + 1, 0], places[top + 1, 1], places[top + 1, 2] = low, middle, depth + 1
        places[top, 0], places[top, 1], places[top, 2] = middle, high, depth + 1
        top += 2
    return count, sign, doubts
