"""The squared loss on a line as one piecewise polynomial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.landscape.arbiter import LineArbiter, Slopes, with_decisions
from splinescope.landscape.parameters import Motion
from splinescope.landscape.propagation import FlipCounts, Intervals, degrees, propagated
from splinescope.landscape.sums import extrema, running_sums, slope_signs, with_coincidences
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.shown import Shown

NEGLIGIBLE = 2.0**-70
"""Share of the largest coefficient that sums in two float64 numbers may leave of what cancels."""


@dataclass(frozen=True, eq=False)
class Polynomials(Shown):
    """A piecewise polynomial of s.

    Attributes:
        points: [M - 1] breakpoints.
        coefficients: [M, degree + 1] by powers of s.
        span: Range of s, within [-1, 1].
        turns: Where it stops falling (1) or rising (-1), ascending, and which.
        doubts: Pieces on which a sign of the derivative is within the bound of its error, and was not decided.
        errors: [M] bounds of the errors of the derivative.
    """

    points: Float[np.ndarray, " _"]
    coefficients: Float[np.ndarray, "M size"]
    span: tuple[float, float]
    turns: tuple[np.ndarray, np.ndarray]
    doubts: int
    errors: Float[np.ndarray, " M"]

    @property
    def turning_points(self) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Those inside the span."""
        places, kinds = self.turns
        inside = (places > self.span[0]) & (places < self.span[1])
        return places[inside], kinds[inside]

    @property
    def remainder(self) -> float:
        """Bound of what it is beyond second-order Taylor polynomials in the middles of pieces."""
        ends = np.array([self.span[0], *self.points, self.span[1]])
        middles, halves, own = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]) / 2, self.coefficients.T.copy()
        for low in range(len(own)):  # Taylor coefficients there, as `polynomials.shifted` has them
            for power in range(len(own) - 2, low - 1, -1):
                own[power] += middles * own[power + 1]
        beyond = sum((np.abs(own[k]) * halves**k for k in range(3, len(own))), np.zeros(len(halves)))
        return float(beyond.max())

    def tilted(self, slope: float) -> Polynomials:
        """The same less `slope` times s."""
        coefficients = np.pad(self.coefficients, ((0, 0), (0, max(0, 2 - self.coefficients.shape[1]))))
        coefficients[:, 1] -= slope
        errors = self.errors + UNIT_ROUNDOFF * abs(slope)
        nowhere = np.zeros(len(coefficients), bool)
        first, bounds, places, doubtful = slope_signs(self.points, coefficients, errors, nowhere, self.span)
        turns = extrema(self.points, self.span, first, bounds, places)
        return Polynomials(self.points, coefficients, self.span, turns, len(doubtful), errors)

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
    arbiter = LineArbiter(line, inputs, max(degrees(line)) + 1)
    for part in propagated(line, inputs, span, numbers, tally, arbiter):
        starts.append(part.starts)
        samples.append(part.samples)
        coefficients.append(_squares(part, line.network.output, targets))
    begins, owners, own = np.concatenate(starts), np.concatenate(samples), np.concatenate(coefficients)
    fresh = np.ones(len(owners), bool)
    fresh[1:] = owners[1:] != owners[:-1]
    begins, later = with_coincidences(begins, fresh), np.flatnonzero(~fresh)
    order = later[np.argsort(begins[later], kind="stable")]
    points, sums = running_sums(order, begins, fresh, own)
    means = sums / len(inputs)
    coefficients, constant = means[:, :-2], sums[:, -1] == 0
    errors = 1.001 * means[:, -2] + NEGLIGIBLE * float(np.abs(coefficients).max(initial=0.0))
    first, *rest, doubtful = slope_signs(points, coefficients, errors, constant, span)
    signs = Slopes(np.arange(len(first)), first, *rest)
    if len(doubtful):
        decided = arbiter.slopes("squared", targets.numpy(), np.array([span[0], *points, span[1]]), doubtful)
        signs, doubtful = with_decisions(signs, decided), np.setdiff1d(doubtful, decided.pieces)
        tally.decided += len(decided.pieces)
    turns = extrema(points, span, signs.first, signs.bounds, signs.places)
    return Polynomials(points, coefficients, span, turns, len(doubtful), errors)


def _squares(part: Intervals, output: int, targets: Tensor) -> np.ndarray:
    """[R, 2 degree + 3] coefficients of the squared distance; the error of its slope; 1 if it moves."""
    outputs = part.values[output]
    rest = outputs.reshape(len(outputs), outputs.shape[1], -1).clone()
    rest[:, 0] -= targets[part.samples]
    size, width = rest.shape[1:]
    errors = part.errors[output][:, :size].copy()
    errors[:, 0] += UNIT_ROUNDOFF * rest[:, 0].abs().amax(dim=1).numpy()
    sums, norms = rest.abs().sum(dim=2).numpy(), rest.norm(dim=2).numpy()
    found = np.zeros((len(rest), 2 * size + 1))
    for i in range(size):
        for j in range(size):
            found[:, i + j] += (rest[:, i] * rest[:, j]).sum(dim=1).numpy()
            rounding = 1.01 * (width + size + 2) * UNIT_ROUNDOFF * norms[:, i] * norms[:, j]
            error = errors[:, i] * sums[:, j] + errors[:, j] * sums[:, i] + width * errors[:, i] * errors[:, j]
            found[:, -2] += (i + j) * (error + rounding)
    found[:, -1] = sums[:, 1:].any(axis=1)
    return found
