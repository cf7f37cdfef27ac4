"""Products of matrices with Jacobians, in which units of slope zero cost nothing."""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 128
"""Columns that are summed at once, few enough for the caches."""


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def add_to_rows(
    weight: np.ndarray, chosen: np.ndarray, columns: np.ndarray, source: np.ndarray, sums: np.ndarray
) -> None:
    """Add to four rows of a product, four terms of the sum at a time, as many as a processor has registers for.

    Args:
        weight: [m, n] matrix.
        chosen: [4] its rows.
        columns: [count] those of its columns that are read.
        source: [count, d] what they are multiplied with.
        sums: [4, d] the sums.
    """
    count, width = source.shape
    whole = count - count % 4
    a, b, e, f = weight[chosen[0]], weight[chosen[1]], weight[chosen[2]], weight[chosen[3]]
    one, two, three, four = sums[0], sums[1], sums[2], sums[3]
    for k in range(0, whole, 4):
        c0, c1, c2, c3 = columns[k], columns[k + 1], columns[k + 2], columns[k + 3]
        a0, a1, a2, a3 = a[c0], a[c1], a[c2], a[c3]
        b0, b1, b2, b3 = b[c0], b[c1], b[c2], b[c3]
        e0, e1, e2, e3 = e[c0], e[c1], e[c2], e[c3]
        f0, f1, f2, f3 = f[c0], f[c1], f[c2], f[c3]
        for c in range(width):
            s0, s1, s2, s3 = source[k, c], source[k + 1, c], source[k + 2, c], source[k + 3, c]
            one[c] += a0 * s0 + a1 * s1 + a2 * s2 + a3 * s3
            two[c] += b0 * s0 + b1 * s1 + b2 * s2 + b3 * s3
            three[c] += e0 * s0 + e1 * s1 + e2 * s2 + e3 * s3
            four[c] += f0 * s0 + f1 * s1 + f2 * s2 + f3 * s3
    for k in range(whole, count):
        a0, b0, e0, f0 = a[columns[k]], b[columns[k]], e[columns[k]], f[columns[k]]
        for c in range(width):
            one[c] += a0 * source[k, c]
            two[c] += b0 * source[k, c]
            three[c] += e0 * source[k, c]
            four[c] += f0 * source[k, c]


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
        out[row, at:] = 0


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
        out: [rows, most, d] where the result is written; the number of rows is a multiple of four.
    """
    m, n = weight.shape
    d = given.shape[2]
    columns, chosen = np.empty(n, np.int64), np.empty(m + 3, np.int64)
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
        if most:
            chosen[most : most + 3] = chosen[most - 1]  # where rows are left over, the last one is done again
        for left in range(0, d, BLOCK):
            right = min(d, left + BLOCK)
            # copies, since what is known to be contiguous is summed several times as fast
            source = given[row, :count, left:right].copy()
            sums = np.empty((4, right - left), given.dtype)
            first = 0
            for i in range(0, most, 4):
                if upper:
                    while first < count and columns[first] < chosen[i]:
                        first += 1
                sums[:] = 0
                add_to_rows(weight, chosen[i : i + 4], columns[first:count], source[first:count], sums)
                result[i : i + 4, left:right] = sums
        for i in range(most):
            slope = after[row, chosen[i]]
            if slope != 1:
                for c in range(d):
                    result[i, c] *= slope
        result[most:] = 0
