"""The squared loss on a line as one piecewise polynomial."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.landscape.parameters import Motion
from splinescope.landscape.propagation import FlipCounts, Intervals, propagated
from splinescope.landscape.sums import running_sums, turning_points, with_coincidences
from splinescope.shown import Shown

NEGLIGIBLE = 2.0**-70
"""Share of the largest coefficient up to which a derivative is zero: what sums in two float64 numbers may leave."""


@dataclass(frozen=True, eq=False)
class Polynomials(Shown):
    """A piecewise polynomial of s.

    Attributes:
        points: [M - 1] breakpoints.
        coefficients: [M, degree + 1] by powers of s.
        span: Range of s, within [-1, 1].
    """

    points: Float[np.ndarray, " _"]
    coefficients: Float[np.ndarray, "M size"]
    span: tuple[float, float]

    @property
    def turning_points(self) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Where it stops falling (1) or rising (-1), and which."""
        places, kinds, _ = self._turns
        inside = (places > self.span[0]) & (places < self.span[1])
        return places[inside], kinds[inside]

    @property
    def doubts(self) -> int:
        """Pairs of roots of the derivative that float64 does not tell apart."""
        return self._turns[2]

    @cached_property
    def _turns(self) -> tuple[np.ndarray, np.ndarray, int]:
        largest = float(np.abs(self.coefficients).max(initial=0.0))
        return turning_points(self.points, self.coefficients, self.span, NEGLIGIBLE * largest)

    def values(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Values at some places."""
        return _horner(self.coefficients[np.searchsorted(self.points, s)], s)

    def slopes(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
        """Derivatives from the left and from the right."""
        powers = np.arange(1, self.coefficients.shape[1])
        sides = []
        for side in ("left", "right"):
            own = self.coefficients[np.searchsorted(self.points, s, side=side)]
            sides.append(_horner(own[:, 1:] * powers, s))
        return np.stack(sides, axis=1)


def _horner(coefficients: np.ndarray, s: np.ndarray) -> np.ndarray:
    value = np.zeros(len(s))
    for k in range(coefficients.shape[1] - 1, -1, -1):
        value = value * s + coefficients[:, k]
    return value


def polynomial_pieces(
    line: Motion, inputs: Tensor, targets: Tensor, span: tuple[float, float], numbers: int, tally: FlipCounts
) -> Polynomials:
    """The mean squared loss on a line.

    Args:
        line: The moving network, by s.
        inputs: [N, *input_shape] samples.
        targets: [N, n_out] wanted outputs.
        span: Range of s.
        numbers: Numbers that may be held at once.
        tally: Where to count.

    Returns:
        The piecewise polynomial.
    """
    starts, samples, coefficients = [], [], []
    for part in propagated(line, inputs, span, numbers, tally):
        starts.append(part.starts)
        samples.append(part.samples)
        coefficients.append(_squares(part, line.network.output, targets))
    begins, owners, own = np.concatenate(starts), np.concatenate(samples), np.concatenate(coefficients)
    fresh = np.ones(len(owners), bool)
    fresh[1:] = owners[1:] != owners[:-1]
    begins, later = with_coincidences(begins, fresh), np.flatnonzero(~fresh)
    order = later[np.argsort(begins[later], kind="stable")]
    points, sums = running_sums(order, begins, fresh, own)
    return Polynomials(points, sums / len(inputs), span)


def _squares(part: Intervals, output: int, targets: Tensor) -> np.ndarray:
    """[R, 2 degree + 1] coefficients of the squared distance from the targets."""
    outputs = part.values[output]
    rest = outputs.reshape(len(outputs), outputs.shape[1], -1).clone()
    rest[:, 0] -= targets[part.samples]
    size = rest.shape[1]
    found = rest.new_zeros(len(rest), 2 * size - 1)
    for i in range(size):
        for j in range(size):
            found[:, i + j] += (rest[:, i] * rest[:, j]).sum(dim=1)
    return found.numpy()
