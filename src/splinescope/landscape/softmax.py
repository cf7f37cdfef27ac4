r"""Cross-entropy on a line of parameters: a mean of log-sum-exps of piecewise polynomials.

Where one layer moves, outputs are affine on each piece, and the loss is convex there. Where several move it need not
be; the signs of its slope are then found by halving, with bounds of its third derivative. What float64 does not know of
these signs, its exponentials included, is decided by intervals of many digits.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.landscape.arbiter import LineArbiter, Slopes, with_decisions
from splinescope.landscape.parameters import Motion
from splinescope.landscape.propagation import FlipCounts, degrees, propagated
from splinescope.landscape.softmax_samples import coefficient_bounds, row_ranges, third_derivative
from splinescope.landscape.softmax_slopes import slope_signs, swept
from splinescope.landscape.sums import extrema, with_coincidences


@dataclass(frozen=True, eq=False)
class SoftmaxPieces:
    """A mean of cross-entropies of piecewise polynomial outputs.

    Attributes:
        starts: [R] where each piece of a sample begins, those of one sample one after the other.
        fresh: [R] whether it is the first one of its sample.
        lines: [R, degree + 1, n_out] coefficients of its outputs by powers of s.
        errors: [R, degree + 1] bounds of what these are wrong by, and of what evaluating them rounds.
        targets: [N, n_out] probabilities.
        span: Range of s, within [-1, 1].
        tilt: This times s is taken off the mean.
        decided: Signs of the slope on some pieces that were decided elsewhere.
    """

    starts: Float[np.ndarray, " R"]
    fresh: Bool[np.ndarray, " R"]
    lines: Float[np.ndarray, "R size n_out"]
    errors: Float[np.ndarray, "R size"]
    targets: Float[np.ndarray, "N n_out"]
    span: tuple[float, float]
    tilt: float = 0.0
    decided: Slopes | None = None

    @cached_property
    def points(self) -> Float[np.ndarray, " _"]:
        """Breakpoints, ascending."""
        return np.unique(self.starts[~self.fresh])

    @cached_property
    def order(self) -> Int[np.ndarray, " _"]:
        """Rows that begin inside, in ascending order of where."""
        later = np.flatnonzero(~self.fresh)
        return later[np.argsort(self.starts[later], kind="stable")]

    @property
    def turning_points(self) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Where it stops falling (1) or rising (-1), and which."""
        return self._turns

    @property
    def doubts(self) -> int:
        """Number of pieces on which a sign of the slope is within the bound of its error, and was not decided."""
        return len(self.doubtful)

    @property
    def doubtful(self) -> Int[np.ndarray, " _"]:
        """Those pieces."""
        return self._known[1] if self.decided is None else np.setdiff1d(self._known[1], self.decided.pieces)

    @cached_property
    def _ranges(self) -> Float[np.ndarray, "R three"]:
        """Ranges of the first three derivatives of the outputs of each row."""
        ends = np.append(self.starts[1:], self.span[1])
        ends[np.append(self.fresh[1:], True)] = self.span[1]
        return row_ranges(self.lines, self.errors, self.starts, ends)

    @cached_property
    def _known(self) -> tuple[Slopes, np.ndarray]:
        """Signs of the slope as far as float64 knows them, and pieces on which it does not."""
        (rows, owners), ranges = self._samples, self._ranges
        rates = self.targets.sum(axis=1)[owners] * (ranges[:, 1] + ranges[:, 0] ** 2 / 4)
        numbers = (self.lines, self.errors, ranges, self.targets, rates * (1 + 2.0**-20))
        first, *rest, doubtful = slope_signs(self.order, self.starts, self.span, rows, owners, *numbers, self.tilt)
        return Slopes(np.arange(len(first)), first, *rest), doubtful

    @cached_property
    def _turns(self) -> tuple[np.ndarray, np.ndarray]:
        signs = self._known[0] if self.decided is None else with_decisions(self._known[0], self.decided)
        return extrema(self.points, self.span, signs.first, signs.bounds, signs.places)

    def with_decisions(self, arbiter: LineArbiter, tally: FlipCounts) -> SoftmaxPieces:
        """The same with signs decided that float64 does not know."""
        if not len(self.doubtful):
            return self
        ends = np.array([self.span[0], *self.points, self.span[1]])
        decided = arbiter.slopes("cross-entropy", self.targets, ends, self.doubtful)
        tally.decided += len(decided.pieces)
        found = dataclasses.replace(self, decided=decided)
        found.__dict__["_known"] = self._known
        return found

    @property
    def remainder(self) -> float:
        """Bound of what it is beyond second-order Taylor polynomials in the middles of pieces."""
        (rows, owners), starts = self._samples, self.starts[self.order]
        third = self.targets.sum(axis=1)[owners] * third_derivative(*self._ranges.T) * (1 + 2.0**-20)
        sums = np.cumsum(np.append(third[rows].sum(), third[self.order] - third[self.order - 1]))
        lengths = np.diff(np.concatenate([self.span[:1], starts, self.span[1:]]))
        return float((np.abs(sums) * lengths**3).max()) / (48 * len(self.targets))

    def tilted(self, slope: float) -> SoftmaxPieces:
        """The same less `slope` times s, from signs as float64 has them."""
        return dataclasses.replace(self, tilt=self.tilt + slope, decided=None)

    @property
    def _samples(self) -> tuple[np.ndarray, np.ndarray]:
        """The first row of each sample, a fresh array; and the sample of each row."""
        return np.flatnonzero(self.fresh), np.cumsum(self.fresh) - 1

    def _at(self, s: np.ndarray, which: int, right: bool) -> np.ndarray:
        sort = np.argsort(s, kind="stable")
        found = np.empty(len(s))
        numbers = (self.lines, self.errors, self.targets, s[sort])
        found[sort] = swept(self.order, self.starts, *self._samples, *numbers, which, right)
        return found

    def values(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Values at some places."""
        return self._at(s, 0, False) - self.tilt * s

    def slopes(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
        """Derivatives from the left and from the right."""
        return np.stack([self._at(s, 1, right) for right in (False, True)], axis=1) - self.tilt

    def slope_errors(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
        """Bounds of what the derivatives from the left and from the right are wrong by, without a tilt."""
        return np.stack([self._at(s, 2, right) for right in (False, True)], axis=1)


def softmax_pieces(
    line: Motion, inputs: Tensor, targets: Tensor, span: tuple[float, float], numbers: int, tally: FlipCounts
) -> SoftmaxPieces:
    """The mean cross-entropy on a line.

    Args:
        line: The moving network, by s.
        inputs: [N, *input_shape] samples.
        targets: [N, n_out] probabilities.
        span: Range of s.
        numbers: Numbers that may be held at once.
        tally: Where to count.

    Returns:
        The pieces.
    """
    starts, owners, lines, errors = [], [], [], []
    size = 1 + max(1, degrees(line)[line.network.output])
    arbiter = LineArbiter(line, inputs, max(degrees(line)) + 1)
    for part in propagated(line, inputs, span, numbers, tally, arbiter):
        value = part.values[line.network.output]
        outputs = value.reshape(len(value), value.shape[1], -1).numpy()
        padded = np.zeros((len(outputs), size, outputs.shape[2]))
        padded[:, : outputs.shape[1]] = outputs
        starts.append(part.starts)
        owners.append(part.samples)
        lines.append(padded)
        errors.append(_widened(part.errors[line.network.output], size))
    samples = np.concatenate(owners)
    fresh = np.ones(len(samples), bool)
    fresh[1:] = samples[1:] != samples[:-1]
    placed = with_coincidences(np.concatenate(starts), fresh)
    coefficients = np.concatenate(lines)
    bounds = coefficient_bounds(coefficients, np.concatenate(errors))
    pieces = SoftmaxPieces(placed, fresh, coefficients, bounds, targets.numpy(), span)
    return pieces.with_decisions(arbiter, tally)


def _widened(errors: np.ndarray, size: int) -> np.ndarray:
    """Errors of as many powers."""
    found = np.zeros((len(errors), size))
    found[:, : errors.shape[1]] = errors[:, :size]
    return found
