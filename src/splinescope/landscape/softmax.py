r"""Cross-entropy on a line where one layer moves: convex on every piece, since the outputs are affine there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from torch import Tensor

from splinescope.landscape.parameters import Motion
from splinescope.landscape.propagation import FlipCounts, propagated
from splinescope.landscape.sums import with_coincidences


@dataclass(frozen=True, eq=False)
class SoftmaxPieces:
    """A mean of cross-entropies of piecewise affine outputs.

    Attributes:
        starts: [R] where each affine piece of a sample begins, those of one sample one after the other.
        fresh: [R] whether it is the first one of its sample.
        lines: [R, 2, n_out] its outputs at s = 0, and their slopes.
        targets: [N, n_out] probabilities.
        span: Range of s, within [-1, 1].
    """

    starts: Float[np.ndarray, " R"]
    fresh: Bool[np.ndarray, " R"]
    lines: Float[np.ndarray, "R two n_out"]
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

    @cached_property
    def turning_points(self) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Where it stops falling (1) or rising (-1), and which."""
        rows = np.flatnonzero(self.fresh)
        owners = np.cumsum(self.fresh) - 1
        return turning(self.order, self.starts, self.span, rows.copy(), owners, self.lines, self.targets)

    def _rows_at(self, s: float, side: str) -> np.ndarray:
        """The row of each sample at a place."""
        begun = self.starts < s if side == "left" else self.starts <= s
        counts = np.add.reduceat((begun | self.fresh).astype(np.int64), np.flatnonzero(self.fresh))
        return np.flatnonzero(self.fresh) + counts - 1

    def values(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Values at some places."""
        found = [_value(self.lines, self._rows_at(float(place), "left"), self.targets, float(place)) for place in s]
        return np.array(found, np.float64)

    def slopes(self, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
        """Derivatives from the left and from the right."""
        sides = [
            [_slope(self.lines, self._rows_at(float(place), side), self.targets, float(place)) for place in s]
            for side in ("left", "right")
        ]
        return np.array(sides, np.float64).reshape(2, -1).T


def softmax_pieces(
    line: Motion, inputs: Tensor, targets: Tensor, span: tuple[float, float], numbers: int, tally: FlipCounts
) -> SoftmaxPieces:
    """The mean cross-entropy on a line where one layer moves.

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
    for part in propagated(line, inputs, span, numbers, tally):
        value = part.values[line.network.output]
        outputs = value.reshape(len(value), value.shape[1], -1).numpy()
        padded = np.zeros((len(outputs), 2, outputs.shape[2]))
        padded[:, : outputs.shape[1]] = outputs
        starts.append(part.starts)
        owners.append(part.samples)
        lines.append(padded)
    samples = np.concatenate(owners)
    fresh = np.ones(len(samples), bool)
    fresh[1:] = samples[1:] != samples[:-1]
    placed = with_coincidences(np.concatenate(starts), fresh)
    return SoftmaxPieces(placed, fresh, np.concatenate(lines), targets.numpy(), span)


@njit(cache=True, nogil=True)
def _one_slope(line: np.ndarray, target: np.ndarray, s: float) -> float:
    """Derivative of the cross-entropy of one sample."""
    largest = -np.inf
    for k in range(len(target)):
        largest = max(largest, line[0, k] + s * line[1, k])
    total = weighted = wanted = 0.0
    for k in range(len(target)):
        weight = np.exp(line[0, k] + s * line[1, k] - largest)
        total += weight
        weighted += weight * line[1, k]
        wanted += target[k] * line[1, k]
    return weighted / total - wanted


@njit(cache=True, nogil=True)
def _slope(lines: np.ndarray, rows: np.ndarray, targets: np.ndarray, s: float) -> float:
    """Derivative of the mean."""
    total = 0.0
    for sample in range(len(rows)):
        total += _one_slope(lines[rows[sample]], targets[sample], s)
    return total / len(rows)


@njit(cache=True, nogil=True)
def _value(lines: np.ndarray, rows: np.ndarray, targets: np.ndarray, s: float) -> float:
    """The mean itself."""
    mean = 0.0
    for sample in range(len(rows)):
        line, target = lines[rows[sample]], targets[sample]
        largest = (line[0] + s * line[1]).max()
        total = wanted = 0.0
        for k in range(len(target)):
            output = line[0, k] + s * line[1, k] - largest
            total += np.exp(output)
            wanted += target[k] * output
        mean += np.log(total) - wanted
    return mean / len(rows)


@njit(cache=True, nogil=True)
def _stationary(lines: np.ndarray, rows: np.ndarray, targets: np.ndarray, low: float, high: float) -> float:
    """The minimum of a convex piece whose derivative changes its sign inside, by bisection."""
    for _ in range(80):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if _slope(lines, rows, targets, middle) < 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(cache=True, nogil=True)
def turning(
    order: np.ndarray,
    starts: np.ndarray,
    span: tuple[float, float],
    rows: np.ndarray,
    owners: np.ndarray,
    lines: np.ndarray,
    targets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Minima and maxima, piece by piece; `rows`, the row of each sample, is moved along."""
    places, kinds = np.empty(len(order) * 2 + 2), np.empty(len(order) * 2 + 2, np.int64)
    count = sign = 0
    low, event = span[0], 0
    since = span[0]
    while True:
        high = starts[order[event]] if event < len(order) else span[1]
        if high > low:
            first, last = _slope(lines, rows, targets, low), _slope(lines, rows, targets, high)
            before, after = (1 if first > 0 else -1) * (first != 0), (1 if last > 0 else -1) * (last != 0)
            if before != 0 or after != 0:
                start = before if before != 0 else after
                if start == -sign:
                    places[count], kinds[count] = 0.5 * (since + low) if since < low else low, start
                    count += 1
                sign = start
                if before < 0 < after:
                    places[count], kinds[count] = _stationary(lines, rows, targets, low, high), 1
                    count += 1
                    sign = 1
                since = high
        if event == len(order):
            return places[:count], kinds[:count]
        low = high
        while event < len(order) and starts[order[event]] == low:
            row = order[event]
            rows[owners[row]] = row
            event += 1
