r"""How hyperplanes cut space: regions, bounded regions, neighbours.

They are the cells of networks with one hidden layer, and what the bounds for deep networks are made of. Everything is
exact integer arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from splinescope.numerics import check_number
from splinescope.shown import Shown


def zaslavsky(hyperplanes: int, dimension: int) -> int:
    r"""Regions of hyperplanes in general position, $Z(n, d) = \sum_{i \le d} \binom{n}{i}$.

    It counts the regions, bounded or not, into which $n$ hyperplanes in general position cut $R^d$, and is an upper
    bound for any $n$ hyperplanes and in any convex domain. A layer of $n$ ReLU units that is the first one is of this
    kind. Source: Zaslavsky (1975), Memoirs of the AMS 154; Schlaefli (1901) for general position.

    Args:
        hyperplanes: Number $n$ of hyperplanes.
        dimension: Dimension $d$ of the space.

    Returns:
        The number of regions. Cost: $\min(n, d)$ products of integers.

    Raises:
        InvalidInputError: If an argument is negative.

    Example:
        >>> [zaslavsky(n, 4) for n in (4, 8, 16)]
        [16, 163, 2517]
    """
    n, d = check_number("hyperplanes", hyperplanes), check_number("dimension", dimension)
    return sum(binomials(n, d))


def zaslavsky_central(hyperplanes: int, dimension: int) -> int:
    r"""Regions of hyperplanes through the origin, $2 \sum_{i < d} \binom{n - 1}{i}$.

    It counts the regions of $n$ hyperplanes through one point of $R^d$, any $d$ of which meet in that point alone, and
    is an upper bound for any $n$ hyperplanes through one point. The first layer of a network without biases is of
    this kind. Source: Zaslavsky (1975); Cover (1965).

    Args:
        hyperplanes: Number $n$ of hyperplanes; 1 region for none.
        dimension: Dimension $d$ of the space.

    Returns:
        The number of regions.

    Raises:
        InvalidInputError: If an argument is negative.

    Cost: $\min(n, d)$ products of integers.

    Example:
        >>> zaslavsky_central(5, 2), zaslavsky_central(3, 3)
        (10, 8)
    """
    n, d = check_number("hyperplanes", hyperplanes), check_number("dimension", dimension)
    return 2 * sum(binomials(n - 1, d - 1)) if n and d else 1


def buck_bounded(hyperplanes: int, dimension: int) -> int:
    r"""Bounded regions of hyperplanes in general position, $\binom{n - 1}{d}$.

    It is an upper bound for the bounded regions of any $n$ hyperplanes in $R^d$. Source: Buck (1943), Amer. Math.
    Monthly 50, 541-544.

    Args:
        hyperplanes: Number $n$ of hyperplanes.
        dimension: Dimension $d$ of the space, at least 1.

    Returns:
        The number of bounded regions.

    Raises:
        InvalidInputError: If `hyperplanes` is negative or `dimension` less than 1.

    Cost: one binomial coefficient.

    Example:
        >>> buck_bounded(3, 2), buck_bounded(4, 3)  # a triangle, a tetrahedron
        (1, 1)
    """
    n, d = check_number("hyperplanes", hyperplanes), check_number("dimension", dimension, 1)
    return math.comb(n - 1, d) if n else 0


def layer_upper(pieces: Sequence[int], dimension: int) -> int:
    r"""Largest number of regions of one layer of piecewise affine units, $\sum_{j \le d} e_j(p_1 - 1, \dots, p_n - 1)$.

    $p_k$ is the number of affine pieces of unit $k$ and $e_j$ the elementary symmetric polynomial. Units that are
    functions of one affine form, with $p_k - 1$ breakpoints, are classes of parallel hyperplanes, and a set of
    hyperplanes meets only if it takes at most one of each class; maxima of $p_k$ affine functions obey the same bound.
    With $p_k = 2$ it is `zaslavsky`. It holds over $R^d$ and in any convex domain. Source: Zaslavsky (1975) for
    hyperplanes; Montufar, Ren and Zhang (2022), arXiv 2104.08135, for maxima.

    Args:
        pieces: Number of pieces of each unit, at least 1.
        dimension: Dimension $d$ of the space.

    Returns:
        The bound. Cost: the number of different values of `pieces` times $d^2$ products of integers.

    Raises:
        InvalidInputError: If a number of pieces is less than 1 or `dimension` negative.

    Example:
        >>> layer_upper([2] * 8, 2) == zaslavsky(8, 2), layer_upper([3, 3], 2), layer_upper([5], 2)
        (True, 9, 5)
    """
    d = check_number("dimension", dimension)
    counts: dict[int, int] = {}
    for number in pieces:
        kinks = check_number("pieces", number, 1) - 1
        counts[kinks] = counts.get(kinks, 0) + 1
    polynomial = [1]
    for kinks, units in counts.items():
        factor = [binomial * kinks**j for j, binomial in enumerate(binomials(units, d))]
        product = [0] * min(d + 1, len(polynomial) + len(factor) - 1)
        for i, a in enumerate(polynomial):
            for j, b in enumerate(factor[: len(product) - i]):
                product[i + j] += a * b
        polynomial = product
    return sum(polynomial)


def mean_degree_upper(dimension: int) -> int:
    r"""Neighbours of a region on average at most, $2d$.

    A theorem for fully connected ReLU networks over $R^d$, whatever their width and depth. In a convex window of the
    plane it holds for every network whose units are functions of one affine form each, with any number of breakpoints.
    Proof by deletion of a unit $h$ of the last layer: with $F$ cells and $E$ edges between them,
    $F(C) = F(C - h) + F(h)$ and $E(C) \le E(C - h) + E(h) + F(h)$, where $F(h)$ and $E(h)$ count the segments of the
    fold and the places where two of them meet; a fold being made of polylines $E(h) \le F(h)$, and $E \le 2 F$ follows
    by induction. Maxima of three members or more break it: a Voronoi diagram has nearly 6 neighbours on average.
    Source: Gaines and Bi (2026), arXiv 2606.07728.

    Args:
        dimension: Dimension $d$.

    Returns:
        The bound.

    Raises:
        InvalidInputError: If `dimension` is negative.

    Cost: one product.

    Example:
        >>> mean_degree_upper(2)
        4
    """
    return 2 * check_number("dimension", dimension)


def shallow_mean_degree(hyperplanes: int, dimension: int) -> Fraction:
    r"""Neighbours of a region on average for hyperplanes in general position, exactly $2 n Z(n - 1, d - 1) / Z(n, d)$.

    Each hyperplane is cut by the others into $Z(n - 1, d - 1)$ facets over all of $R^d$. In a bounded domain some
    facets are outside. Source: Gaines and Bi (2026), arXiv 2606.07728, table 1.

    Args:
        hyperplanes: Number $n$ of hyperplanes.
        dimension: Dimension $d$ of the space, at least 1.

    Returns:
        The mean degree of the dual graph, an exact fraction.

    Raises:
        InvalidInputError: If `hyperplanes` is negative or `dimension` less than 1.

    Cost: $\min(n, d)$ products of integers.

    Example:
        >>> [round(float(shallow_mean_degree(n, 4)), 2) for n in (4, 8, 16)]
        [4.0, 6.28, 7.32]
    """
    n, d = check_number("hyperplanes", hyperplanes), check_number("dimension", dimension, 1)
    return Fraction(2 * n * zaslavsky(n - 1, d - 1), zaslavsky(n, d)) if n else Fraction(0)


@dataclass(frozen=True)
class LinesInWindow(Shown):
    """Lines and their crossings in a convex window of the plane.

    Attributes:
        lines: Number of lines that meet the interior.
        crossings: Number of pairs of lines that cross in the interior.
    """

    lines: int
    crossings: int

    @property
    def regions(self) -> int:
        """Regions of the window, to which each line adds one, and one more for each line that it crosses."""
        return 1 + self.lines + self.crossings


def lines_in_window(lines: Float[np.ndarray, "n 3"], polygon: Float[np.ndarray, "corners 2"]) -> LinesInWindow:
    r"""Count the regions into which lines cut a convex window: $1 + \text{lines} + \text{crossings inside}$.

    Exact for lines of which no three meet in one point of the window and no two are equal there, and an upper bound
    otherwise. It needs no tessellation, and is the exact count of a network with one hidden layer in a plane.

    Args:
        lines: Rows $(n_1, n_2, b)$: the line is where $n_1 t_1 + n_2 t_2 + b = 0$.
        polygon: Corners of the window in order.

    Returns:
        The numbers of lines and crossings, and of regions. Cost: the square of the number of lines.

    Example:
        >>> square = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        >>> cross = np.array([[1.0, 0.0, 0.1], [0.0, 1.0, 0.2], [1.0, 1.0, 9.0]])
        >>> lines_in_window(cross, square), lines_in_window(cross, square).regions
        (LinesInWindow(lines=2, crossings=1), 4)
    """
    values = polygon @ lines[:, :2].T + lines[:, 2]
    meets = (values > 0).any(axis=0) & (values < 0).any(axis=0)
    chosen, values = lines[meets], values[:, meets]
    positive = values > 0
    following = np.roll(np.arange(len(polygon)), -1)
    line, side = np.nonzero((positive != positive[following]).T)
    start, end = values[side, line], values[following[side], line]
    share = (start / (start - end))[:, None]
    ends = (1 - share) * polygon[side] + share * polygon[following[side]]
    beside = (ends @ chosen[:, :2].T + chosen[:, 2] > 0).reshape(len(chosen), 2, len(chosen))
    crosses = np.triu(beside[:, 0] != beside[:, 1], 1)
    return LinesInWindow(len(chosen), int(crosses.sum()))


def binomials(n: int, last: int) -> list[int]:
    """Binomial coefficients of `n` from 0 to `last`, as far as they are not zero.

    Args:
        n: The upper index.
        last: The largest lower index; negative for none.

    Returns:
        The coefficients.
    """
    values = [1] if last >= 0 else []
    for j in range(1, min(n, last) + 1):
        values.append(values[-1] * (n - j + 1) // j)
    return values
