"""Products of matrices with Jacobians, in which units of slope zero cost nothing."""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 64
"""Columns that are summed at once, few enough for the nearest cache."""


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def add_to_two_rows(
    first: np.ndarray,
    second: np.ndarray,
    columns: np.ndarray,
    source: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
) -> None:
    """Add to two rows of a product, four terms of the sum at a time.

    Args:
        first: [n] row of the matrix.
        second: [n] another one.
        columns: [count] those of their columns that are read.
        source: [count, d] what they are multiplied with.
        one: [d] the first row's sum.
        two: [d] the second row's.
    """
    count, width = source.shape
    whole = count - count % 4
    for k in range(0, whole, 4):
        c0, c1, c2, c3 = columns[k], columns[k + 1], columns[k + 2], columns[k + 3]
        v0, v1, v2, v3 = first[c0], first[c1], first[c2], first[c3]
        w0, w1, w2, w3 = second[c0], second[c1], second[c2], second[c3]
        for c in range(width):
            s0, s1, s2, s3 = source[k, c], source[k + 1, c], source[k + 2, c], source[k + 3, c]
            one[c] += v0 * s0 + v1 * s1 + v2 * s2 + v3 * s3
            two[c] += w0 * s0 + w1 * s1 + w2 * s2 + w3 * s3
    for k in range(whole, count):
        v0, w0 = first[columns[k]], second[columns[k]]
        for c in range(width):
            one[c] += v0 * source[k, c]
            two[c] += w0 * source[k, c]


@njit(cache=True, nogil=True)
def scale(start: int, stop: int, weight: np.ndarray, after: np.ndarray, out: np.ndarray) -> None:
    """`diag(after) @ weight` for some Jacobians, as `multiply` keeps it.

    Args:
        start: First Jacobian.
        stop: One past the last.
        weight: [m, d] matrix.
        after: [rows, m] what its rows are multiplied with; those of 0 are left out.
        out: [rows, most, d] where the result is written.
    """
    for row in range(start, stop):
        at = 0
        for i in range(len(weight)):
            slope = after[row, i]
            if slope != 0:
                for c in range(weight.shape[1]):
                    out[row, at, c] = slope * weight[i, c]
                at += 1


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def multiply(
    start: int,
    stop: int,
    weight: np.ndarray,
    before: np.ndarray,
    given: np.ndarray,
    after: np.ndarray,
    upper: bool,
    out: np.ndarray,
) -> None:
    """`diag(after) @ weight @ given` for some Jacobians, in which rows of units without slope are left out.

    Args:
        start: First Jacobian.
        stop: One past the last.
        weight: [m, n] matrix.
        before: [rows, n] slopes of the units that are read; those of slope 0 are left out.
        given: [rows, most, d] rows of the Jacobian for the units that are read, the others left out.
        after: [rows, m] what rows of the result are multiplied with; those of 0 are left out.
        upper: Whether the matrix is known to have nothing below its diagonal.
        out: [rows, most, d] where the result is written; of an even number of rows.
    """
    m, n = weight.shape
    d = given.shape[2]
    columns, chosen = np.empty(n, np.int64), np.empty(m, np.int64)
    for row in range(start, stop):
        count = 0
        for k in range(n):
            if before[row, k] != 0:
                columns[count] = k
                count += 1
        most = 0
        for i in range(m):
            if after[row, i] != 0:
                chosen[most] = i
                most += 1
        result = out[row]
        for left in range(0, d, BLOCK):
            right = min(d, left + BLOCK)
            # copies, since what is known to be contiguous is summed several times as fast
            source = given[row, :count, left:right].copy()
            one, two = np.empty(right - left, given.dtype), np.empty(right - left, given.dtype)
            first = 0
            for i in range(0, most, 2):
                if upper:
                    while first < count and columns[first] < chosen[i]:
                        first += 1
                other = chosen[min(i + 1, most - 1)]  # where the number is odd, the last one is done twice
                one[:] = 0
                two[:] = 0
                add_to_two_rows(weight[chosen[i]], weight[other], columns[first:count], source[first:count], one, two)
                result[i, left:right] = one
                result[i + 1, left:right] = two
        for i in range(most):
            slope = after[row, chosen[i]]
            if slope != 1:
                for c in range(d):
                    result[i, c] *= slope
        if most % 2:
            result[most] = 0
