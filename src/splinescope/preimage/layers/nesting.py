r"""Nested cones: when the preimages of a layer fit into the faces of the cone before it, and why not.

The planes of a layer of full rank are the faces of the cone $K = \{x : W x + b \ge 0\} = p + cone(W^{-1})$. It is
completely nested in the orthant if $K \ge 0$ and for every set $I$ of units and every $x$ on the face of $K$ where
these are zero, the preimage $x + cone(e_i, i \in I)$ meets the orthant's face $x_I = 0$ (Carlsson, arXiv 1905.08922,
section 4, made precise). With $J$ the other units, the face is met exactly if
$$-W_{IJ} W_{JJ}^{-1} \ge 0,\quad -b_I + W_{IJ} W_{JJ}^{-1} b_J \ge 0,\quad W_{JJ}^{-1} \ge 0,\quad -W_{JJ}^{-1} b_J \ge
0,$$
and all sets pass exactly if **W is a nonsingular M-matrix** (nothing positive off the diagonal, nothing negative in the
inverse) **and b is nowhere positive**, which takes one solution of a linear system, of any size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.preimage.layers.dual_basis import layer_of
from splinescope.shown import Shown

COUNTED = 12
"""Units up to which all index sets are looked at; 2 to the power of it of them."""

Reason = Literal["positive off the diagonal", "positive bias", "negative in the inverse", "singular"]


@dataclass(frozen=True)
class Obstacle:
    """One thing that keeps a layer from being completely nested.

    Attributes:
        reason: What it is.
        row: The unit.
        column: The input, -1 for biases and singular layers.
        value: The number at fault.
    """

    reason: Reason
    row: int
    column: int
    value: float


@dataclass(frozen=True, eq=False)
class Nesting(Shown):
    """How far a layer's cone is nested; see `nesting`.

    Attributes:
        complete: Whether it is completely nested: W is a nonsingular M-matrix and b is nowhere positive.
        obstacles: Why not, the worst of each kind first; empty if it is.
        degree: Share of the index sets that pass.
        sets: How many index sets were looked at: all, or a sample of them above `COUNTED` units.
        crossings: [d, d] where the plane of unit `i` cuts the axis of input `j`, up to which preimages still nest
            along it: `-b_i / W_ij` for positive entries off the diagonal and negative biases, else infinite.
    """

    complete: bool
    obstacles: tuple[Obstacle, ...]
    degree: float
    sets: int
    crossings: Float[np.ndarray, "d d"]

    @property
    def counted(self) -> bool:
        """Whether the degree is that of all index sets, not of a sample."""
        return self.complete or self.sets == 2 ** len(self.crossings)


def nesting(W: Any, b: Any, *, sets: int = 4096, generator: np.random.Generator | None = None) -> Nesting:
    """Whether a layer's cone is nested in the orthant, and if not why.

    Args:
        W: [d, d] matrix.
        b: [d] offset, or one number for all units.
        sets: Index sets that are drawn for the degree above twelve units.
        generator: Of the index sets that are drawn for the degree above twelve units; by default seed 0.

    Returns:
        The verdict, exact for the numbers as they are, with the certificate. Cost: a linear system, and one for each
        index set unless it is complete.

    Raises:
        InvalidInputError: If the layer is not square.

    Example:
        >>> nesting([[1.0, -0.2], [-0.3, 1.0]], -0.1).complete
        True
        >>> found = nesting([[1.0, 0.5], [0.0, 1.0]], -1.0)
        >>> found.complete, found.obstacles[0].reason, float(found.crossings[0, 1]), found.degree
        (False, 'positive off the diagonal', 2.0, 0.5)
    """
    weight, bias = layer_of(W, b)
    d = len(weight)
    if weight.shape != (d, d):
        raise InvalidInputError(f"`W`: got shape {weight.shape}; expected a square matrix")
    obstacles = tuple(_obstacles(weight, bias))
    off = ~np.eye(d, dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossings = np.where(off & (weight > 0) & (bias < 0)[:, None], -bias[:, None] / weight, math.inf)
    if not obstacles:
        return Nesting(True, (), 1.0, 2**d, crossings)
    looked_at = list(_index_sets(d, sets, generator or np.random.default_rng(0)))
    passed = sum(passes(weight, bias, chosen) for chosen in looked_at)
    return Nesting(False, obstacles, passed / len(looked_at), len(looked_at), crossings)


def passes(weight: Float[np.ndarray, "d d"], bias: Float[np.ndarray, " d"], units: Iterable[int]) -> bool:
    """Whether preimages from one face of the cone meet that face of the orthant, by the definition in closed form.

    Args:
        weight: The matrix.
        bias: The offset.
        units: The index set $I$.

    Returns:
        Whether all four conditions hold; False where the other units' block is singular.
    """
    chosen = np.zeros(len(weight), bool)
    chosen[list(units)] = True
    rest = weight[np.ix_(~chosen, ~chosen)]
    across = weight[np.ix_(chosen, ~chosen)]
    try:
        inverse = np.linalg.inv(rest)
    except np.linalg.LinAlgError:
        return False
    coefficients = -across @ inverse
    needed = (coefficients, -bias[chosen] - coefficients @ bias[~chosen], inverse, -inverse @ bias[~chosen])
    doubt = 16 * len(weight) * UNIT_ROUNDOFF
    sizes = (
        np.abs(across) @ np.abs(inverse),
        np.abs(bias[chosen]) + np.abs(coefficients) @ np.abs(bias[~chosen]),
        np.abs(inverse).max(initial=0.0),
        np.abs(inverse) @ np.abs(bias[~chosen]),
    )
    return all(bool((part >= -doubt * size).all()) for part, size in zip(needed, sizes, strict=True))


def _index_sets(d: int, count: int, generator: np.random.Generator) -> Iterable[tuple[int, ...]]:
    if d <= COUNTED:
        return itertools.chain.from_iterable(itertools.combinations(range(d), k) for k in range(d + 1))
    return (tuple(np.flatnonzero(row).tolist()) for row in generator.random((count, d)) < 0.5)


def _obstacles(weight: np.ndarray, bias: np.ndarray) -> Iterable[Obstacle]:
    """What is wrong: signs first, which are exact, then the inverse."""
    off = weight.copy()
    np.fill_diagonal(off, -math.inf)
    positive = np.argwhere(off > 0)
    for row, column in positive[np.argsort(-off[tuple(positive.T)], kind="stable")].tolist():
        yield Obstacle("positive off the diagonal", row, column, float(off[row, column]))
    above = np.flatnonzero(bias > 0)
    for row in above[np.argsort(-bias[above], kind="stable")].tolist():
        yield Obstacle("positive bias", row, -1, float(bias[row]))
    if len(positive):
        return
    if not _inverse_is_positive(weight):
        yield _worst_of_inverse(weight)


def _inverse_is_positive(weight: np.ndarray) -> bool:
    """Whether a matrix with nothing positive off the diagonal is a nonsingular M-matrix.

    It is one exactly if some $x > 0$ has $W x > 0$ (Berman and Plemmons, 1994, chapter 6), and then $W^{-1} 1$ is such
    an x. In float64 where roundings leave no doubt, else in rational numbers.
    """
    d = len(weight)
    try:
        x = np.linalg.solve(weight, np.ones(d))
    except np.linalg.LinAlgError:
        x = np.full(d, -1.0)
    if (x > 0).all() and (weight @ x > 2 * (d + 2) * UNIT_ROUNDOFF * (np.abs(weight) @ x)).all():
        return True
    exact = fmpq_mat(d, d, [fmpq(*entry.as_integer_ratio()) for entry in weight.ravel().tolist()])
    try:
        solution = exact.solve(fmpq_mat(d, 1, [1] * d))
    except ZeroDivisionError:
        return False
    return all(solution[row, 0] > 0 for row in range(d))


def _worst_of_inverse(weight: np.ndarray) -> Obstacle:
    try:
        inverse = np.linalg.inv(weight)
    except np.linalg.LinAlgError:
        return Obstacle("singular", -1, -1, 0.0)
    row, column = np.unravel_index(int(inverse.argmin()), inverse.shape)
    if inverse[row, column] >= 0:  # its own rounding hides the sign
        return Obstacle("singular", -1, -1, float(np.linalg.svd(weight, compute_uv=False)[-1]))
    return Obstacle("negative in the inverse", int(row), int(column), float(inverse[row, column]))
