r"""The loss along a line of parameters, exactly: its breakpoints, its pieces, and all of its minima.

Where parameters move on a straight line, the values of a network are piecewise polynomials of the line's parameter t,
of degree one where one layer moves, and of as many degrees as layers move one behind the other. So the squared loss is
a piecewise polynomial of twice that degree, and cross-entropy is smooth on every piece, and convex where one layer
moves. Minima are either stationary points of a piece or kinks, of which trained networks have many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.landscape.losses import sample_losses
from splinescope.landscape.parameters import Motion, motion
from splinescope.landscape.pieces import Polynomials, polynomial_pieces
from splinescope.landscape.polynomials import COINCIDENT
from splinescope.landscape.problem import problem
from splinescope.landscape.propagation import FlipCounts, degrees
from splinescope.landscape.softmax import softmax_pieces
from splinescope.network import ModelLike
from splinescope.network.evaluate import forward
from splinescope.network.inputs import real_numbers
from splinescope.numerics import available_memory
from splinescope.shown import Shown

CHECKS = 8
"""Places of the line where the loss is evaluated directly."""


class Extremum(NamedTuple):
    """A minimum or maximum.

    Attributes:
        t: Where on the line.
        value: The loss there.
    """

    t: float
    value: float


class Pieces(Protocol):
    """A function of s, smooth between breakpoints."""

    @property
    def points(self) -> np.ndarray:
        """Breakpoints, ascending."""

    @property
    def turning_points(self) -> tuple[np.ndarray, np.ndarray]:
        """Where it stops falling (1) or rising (-1), ascending, and which."""

    @property
    def doubts(self) -> int:
        """How often the sign of the derivative was not decided."""

    @property
    def remainder(self) -> float:
        """Bound of what it is beyond second-order Taylor polynomials in the middles of pieces."""

    def values(self, s: np.ndarray) -> np.ndarray:
        """Its values."""

    def slopes(self, s: np.ndarray) -> np.ndarray:
        """[n, 2] its derivatives from the left and from the right."""

    def tilted(self, slope: float) -> Pieces:
        """A function with the turning points of this one less `slope` times s."""


@dataclass(frozen=True, eq=False)
class LossLine(Shown):
    """The loss on an interval of a line of parameters.

    Attributes:
        interval: Range of t.
        breakpoints: [M - 1] all t, ascending, at which a unit changes its piece for some sample. Those within 2e-13 of
            the longer side of the interval are one.
        minima: All local minima in the open interval, ascending, as pairs of t and value. Where the loss is constant
            between falling and rising it is the middle of that.
        maxima: All local maxima, in the same way.
        flips: How often units of each node changed their piece, over all samples.
        degree: Degree of the outputs as polynomials of t on each piece.
        doubts: Pieces on which a sign of the slope of the loss was within the bound of its error and was not decided;
            it counts as zero there.
        decided: Units on intervals, and pieces of the loss, of which a sign was within the bound of its error, and that
            were decided in exact arithmetic, or by intervals of many digits.
        undecided: Those that were not, since they were too many.
        deviation: Largest difference from a direct evaluation at some places of the line, relative to the largest loss
            there.
        loss: "squared" or "cross-entropy".
    """

    interval: tuple[float, float]
    breakpoints: Float[np.ndarray, " _"]
    minima: tuple[Extremum, ...]
    maxima: tuple[Extremum, ...]
    flips: dict[str, int]
    degree: int
    doubts: int
    decided: int
    undecided: int
    deviation: float
    loss: str
    pieces: Any

    def __len__(self) -> int:
        """Number of pieces."""
        return len(self.breakpoints) + 1

    def __repr__(self) -> str:
        return (
            f"LossLine({len(self)} pieces, {len(self.minima)} minima, {self.loss} loss, t from {self.interval[0]:g} to "
            f"{self.interval[1]:g})"
        )

    def __call__(self, t: Any) -> Float[np.ndarray, "..."]:
        """The loss.

        Args:
            t: Places in the interval, of any shape.

        Returns:
            Values, of the same shape.
        """
        places = self._scaled(t)
        return self.pieces.values(places.ravel()).reshape(places.shape)

    def slopes(self, t: Any) -> Float[np.ndarray, "... 2"]:
        """One-sided derivatives of the loss, from the left and from the right; they differ at kinks only.

        Args:
            t: Places in the interval, of any shape.

        Returns:
            Pairs.
        """
        places = self._scaled(t)
        half = _origin(*self.interval)[1]
        return self.pieces.slopes(places.ravel()).reshape(*places.shape, 2) / half

    @property
    def certified(self) -> bool:
        """Whether every sign that decides where units fold, and where the loss falls or rises, is known for certain.

        By bounds of errors, or in exact arithmetic; of the line by `s` whose parameters are those in float64. Places
        themselves are rounded, and what is nearer to a breakpoint than 2e-13 of the interval is at it. Of the slope of
        cross-entropy the bounds count each exponential as wrong by four units in the last place; what is left is
        decided by intervals of up to 2,048 binary digits, in which extrema nearer to each other than that are one.
        """
        return not self.doubts and not self.undecided

    @cached_property
    def global_minimum(self) -> Extremum:
        """The least loss on the closed interval."""
        ends = [Extremum(t, float(self(t))) for t in self.interval]
        return min((*self.minima, *ends), key=lambda found: found.value)

    @cached_property
    def remainder(self) -> float:
        """Bound of what the loss differs by, on any piece, from its second-order Taylor polynomial in the middle of it.

        It is 0 for the squared loss where one layer moves, which is quadratic on pieces; else it is of third order by
        the length of pieces.
        """
        return self.pieces.remainder

    @cached_property
    def barrier(self) -> float:
        """Largest excess of the loss over the straight line between its values at both ends; at least 0."""
        start, end = self.pieces.span
        ends = self.pieces.values(np.array([start, end]))
        slope = float(ends[1] - ends[0]) / (end - start)
        found, kinds = self.pieces.tilted(slope).turning_points
        places = np.concatenate([[start, end], found[kinds < 0], self.pieces.points])
        return float((self.pieces.values(places) - ends[0] - slope * (places - start)).max())

    def _scaled(self, t: Any) -> np.ndarray:
        low, high = self.interval
        places = np.asarray(t, np.float64)
        if not ((places >= low) & (places <= high)).all():
            raise InvalidInputError(f"`t`: some places are outside of the interval from {low} to {high}")
        centre, half = _origin(low, high)
        scaled = np.asarray((places - centre) / half)
        if not len(self.breakpoints):
            return scaled
        # A breakpoint is where it was before it was rounded to t, so that its two sides are told apart.
        above = np.searchsorted(self.pieces.points, scaled)
        below = np.maximum(above - 1, 0)
        above = np.minimum(above, len(self.breakpoints) - 1)
        apart = np.abs(self.pieces.points[np.stack([below, above])] - scaled)
        nearest = np.where(apart[0] <= apart[1], below, above)
        return np.asarray(np.where(apart.min(axis=0) <= COINCIDENT, self.pieces.points[nearest], scaled))


def loss_line(
    model: ModelLike,
    direction: Mapping[str, Any],
    inputs: Any,
    targets: Any,
    loss: str = "squared",
    interval: tuple[float, float] = (-1.0, 1.0),
) -> LossLine:
    r"""The loss along a line of parameters $\theta + t d$, exactly.

    Any parameters may move: of one layer, or of all. Every sample is taken through the network interval by interval;
    where units change their piece is found by the signs of Bernstein coefficients, which miss no root. The pieces of
    all samples are then summed, with sums carried in two float64 numbers, and the sum's derivative is searched for
    sign changes in the same way.

    Args:
        model: A module, or a network or the path of a file, with dense layers, convolutions, batch-norm in eval mode,
            poolings and skips. Weights of float32 are exact in float64, and stay as they are.
        direction: The step of each parameter that moves, by its name as in `module.named_parameters()`; others stay.
        inputs: [N, *input_shape] inputs.
        targets: [N] labels, or [N, n_out] wanted outputs or probabilities.
        loss: "squared" (summed over outputs, mean over samples) or "cross-entropy" of the softmax of the outputs.
        interval: Range of t.

    Returns:
        The loss on the line.

    Raises:
        InvalidInputError: If something does not fit, or more than 15 layers move one behind the other.
        UnsupportedOpError: If the model is not piecewise affine.

    Cost: each layer once for each piece of each sample and each power of t; memory is bounded but for the pieces.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.ReLU())
        >>> _ = net[0].weight.data.fill_(0.5)
        >>> line = loss_line(net, {"0.weight": [[1.0]]}, [[1.0], [-1.0]], [[1.0], [1.0]])
        >>> line.breakpoints.tolist(), [(round(m.t, 12), m.value) for m in line.minima]
        ([-0.5], [(0.5, 0.5)])
    """
    ends = np.asarray(real_numbers(interval, "interval"))
    if not (ends.shape == (2,) and np.isfinite(ends).all() and ends[0] < ends[1]):
        raise InvalidInputError(f"`interval`: got {interval}; expected two finite numbers, the lower one first")
    low, high = ends.tolist()
    asked = problem(model, inputs, targets, loss)
    moving = motion(model, asked.network, direction)
    centre, half = _origin(low, high)
    line = moving.rescaled(centre, half)
    span = (low - centre) / half, (high - centre) / half
    degree = degrees(line)[line.network.output]
    tally = FlipCounts()
    numbers = min(available_memory() // 64, 1 << 24)
    if loss == "squared":
        pieces: Any = polynomial_pieces(line, asked.inputs, asked.targets, span, numbers, tally)
    else:
        pieces = softmax_pieces(line, asked.inputs, asked.targets, span, numbers, tally)
    found, kinds = pieces.turning_points
    at = centre + half * found
    turns = [Extremum(float(t), float(value)) for t, value in zip(at, pieces.values(found), strict=True)]
    return LossLine(
        (low, high),
        centre + half * pieces.points,
        tuple(turn for turn, kind in zip(turns, kinds, strict=True) if kind > 0),
        tuple(turn for turn, kind in zip(turns, kinds, strict=True) if kind < 0),
        dict(tally.flips),
        degree,
        pieces.doubts,
        tally.decided,
        tally.undecided,
        _deviation(line, span, pieces, asked.inputs, asked.targets, loss),
        loss,
        pieces,
    )


def _origin(low: float, high: float) -> tuple[float, float]:
    """Where s is 0, and the length of its unit: the place of the interval next to t = 0.

    There, at the parameters given, all terms but one vanish, so that nothing cancels.
    """
    centre = min(max(0.0, low), high)
    return centre, max(high - centre, centre - low)


def _deviation(
    line: Motion, span: tuple[float, float], pieces: Any, inputs: Tensor, targets: Tensor, loss: str
) -> float:
    """Largest difference from the loss of the moved network itself, by the largest of these losses."""
    places = np.random.default_rng(0).uniform(*span, CHECKS)
    found = pieces.values(places)
    worst, size = 0.0, float(np.finfo(np.float64).tiny)
    with torch.no_grad():
        for s, value in zip(places, found, strict=True):
            outputs = forward(line.at(float(s)), inputs).reshape(len(inputs), -1)
            direct = float(sample_losses(outputs, targets, loss).mean())
            worst, size = max(worst, abs(float(value) - direct)), max(size, abs(direct))
    return worst / size


__all__ = ["Extremum", "LossLine", "Pieces", "Polynomials", "loss_line"]
