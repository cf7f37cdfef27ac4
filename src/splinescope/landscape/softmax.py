r"""Cross-entropy on a line of parameters: a mean of log-sum-exps of piecewise polynomials.

Where one layer moves, outputs are affine on each piece, and the loss is convex there. Where several move it need not
be; the signs of its slope are then found by halving, with bounds of its third derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.landscape.arbiter import LineArbiter
from splinescope.landscape.parameters import Motion
from splinescope.landscape.propagation import FlipCounts, degrees, propagated
from splinescope.landscape.softmax_slopes import row_ranges, swept, turning
from splinescope.landscape.sums import with_coincidences


@dataclass(frozen=True, eq=False)
class SoftmaxPieces:
    """A mean of cross-entropies of piecewise polynomial outputs.

    Attributes:
        starts: [R] where each piece of a sample begins, those of one sample one after the other.
        fresh: [R] whether it is the first one of its sample.
        lines: [R, degree + 1, n_out] coefficients of its outputs by powers of s.
        targets: [N, n_out] probabilities.
        span: Range of s, within [-1, 1].
    """

    starts: Float[np.ndarray, " R"]
    fresh: Bool[np.ndarray, " R"]
    lines: Float[np.ndarray, "R size n_out"]
    targets: Float[np.ndarray, "N n_out"]
    span: tuple[float, float]

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
        return self._turns[:2]

    @property
    def doubts(self) -> int:
        """Number of intervals on which the sign of the slope was not decided."""
        return self._turns[2]

    @cached_property
    def _turns(self) -> tuple[np.ndarray, np.ndarray, int]:
        ends = np.append(self.starts[1:], self.span[1])
        ends[np.append(self.fresh[1:], True)] = self.span[1]
        ranges = row_ranges(self.lines, self.starts, ends)
        return turning(self.order, self.starts, self.span, *self._samples, self.lines, ranges, self.targets)

    def tilted(self, slope: float) -> SoftmaxPieces:
        """The same less `slope` times s, but for a factor and a constant: one more sample, whose outputs are all equal.

        Of these the logarithm of the sum of exponentials grows as each does, and twice the first is taken off.
        """
        count, outputs = self.targets.shape
        line = np.zeros((1, max(2, self.lines.shape[1]), outputs))
        line[0, 1] = count * slope
        lines = np.pad(self.lines, ((0, 0), (0, line.shape[1] - self.lines.shape[1]), (0, 0)))
        return SoftmaxPieces(
            np.append(self.starts, self.span[0]),
            np.append(self.fresh, True),
            np.concatenate([lines, line]),
            np.concatenate([self.targets, 2.0 * np.eye(1, outputs)]),
            self.span,
        )

    @property
    def _samples(self) -> tuple[np.ndarray, np.ndarray]:
        """The first row of each sample, a fresh array; and the sample of each row."""
        return np.flatnonzero(self.fresh), np.cumsum(self.fresh) - 1

    def _at(self, s: np.ndarray, which: int, right: bool) -> np.ndarray:
        sort = np.argsort(s, kind="stable")
        found = np.empty(len(s))
        found[sort] = swept(self.order, self.starts, *self._samples, self.lines, self.targets, s[sort], which, right)
        return found

    def values(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Values at some places."""
        return self._at(s, 0, False)

    def slopes(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
        """Derivatives from the left and from the right."""
        return np.stack([self._at(s, 1, right) for right in (False, True)], axis=1)


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
    starts, owners, lines = [], [], []
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
    samples = np.concatenate(owners)
    fresh = np.ones(len(samples), bool)
    fresh[1:] = samples[1:] != samples[:-1]
    placed = with_coincidences(np.concatenate(starts), fresh)
    return SoftmaxPieces(placed, fresh, np.concatenate(lines), targets.numpy(), span)
