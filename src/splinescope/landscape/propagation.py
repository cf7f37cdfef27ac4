r"""Takes samples through a network whose layers move on a line, interval by interval.

On an interval of the line on which no unit changes its piece, every value is a polynomial in t, whose degree grows by
one with each layer that moves. Values are kept as coefficients of powers of s, t scaled into [-1, 1]: a layer that
stays maps coefficients one by one, a layer $W + s D$ that moves maps $c_k$ to $W c_k + D c_{k-1}$, and where units
fold the intervals are cut. What was read is forgotten, and where intervals grow too many for the memory, half of them
wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.landscape.arbiter import LineArbiter, no_decisions, with_both
from splinescope.landscape.coefficient_errors import Norms, largest, layer_norms, padded
from splinescope.landscape.parameters import Motion, split_op
from splinescope.landscape.polynomials import MOST_DEGREE
from splinescope.landscape.splitting import (
    fold_events,
    maximum_events,
    on_activation_pieces,
    on_maximum_pieces,
    split_rows,
)
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Node
from splinescope.network.ops import Activation, Maximum

_ROUNDS = 5
"""How often doubts are decided: a decision changes pieces behind it, which may leave others in doubt."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals of the line for samples, those of one sample one after the other, and values on them.

    Attributes:
        position: Index of the next node.
        samples: [R] sample of each.
        starts: [R] where it starts, by s.
        ends: [R] where it ends.
        values: For each node that is still needed its [R, degree + 1, *shape] coefficients.
        errors: For each of these [R, degree + 1] bounds of the errors of all of its coefficients, by powers.
    """

    position: int
    samples: Int[np.ndarray, " R"]
    starts: Float[np.ndarray, " R"]
    ends: Float[np.ndarray, " R"]
    values: dict[int, Tensor]
    errors: dict[int, np.ndarray]

    def __len__(self) -> int:
        return len(self.samples)

    def taken(self, rows: slice | Tensor, position: int | None = None) -> Intervals:
        """Some of them."""
        chosen = rows if isinstance(rows, slice) else rows.numpy()
        values = {node: value[rows] for node, value in self.values.items()}
        errors = {node: error[chosen] for node, error in self.errors.items()}
        place = self.position if position is None else position
        return Intervals(place, self.samples[chosen], self.starts[chosen], self.ends[chosen], values, errors)

    @property
    def fresh(self) -> np.ndarray:
        """[R] whether each is not the continuation of the one before."""
        found = np.ones(len(self), bool)
        found[1:] = (self.samples[1:] != self.samples[:-1]) | (self.starts[1:] != self.ends[:-1])
        return found


@dataclass
class FlipCounts:
    """What happened on the way.

    Attributes:
        flips: For the name of each node that folds how often a unit of it changed its piece.
        decided: Units on intervals with a sign within the bound of its rounding error, decided in exact arithmetic.
        undecided: Those that were not, since they were too many.
    """

    flips: dict[str, int] = field(default_factory=dict)
    decided: int = 0
    undecided: int = 0


def degrees(motion: Motion) -> list[int]:
    """Degree of the value of each node as a polynomial on the line."""
    found: list[int] = []
    for index, node in enumerate(motion.network.nodes):
        below = max((found[source] for source in node.inputs), default=0)
        found.append(below + (index in motion.steps))
    return found


def propagated(
    motion: Motion,
    inputs: Float[Tensor, "N ..."],
    span: tuple[float, float],
    numbers: int,
    tally: FlipCounts,
    arbiter: LineArbiter,
    together: int = 64,
) -> Iterator[Intervals]:
    """Take samples through the network.

    Args:
        motion: The moving network, by s.
        inputs: [N, *input_shape] samples.
        span: Range of s, within [-1, 1].
        numbers: Numbers that may be held at once.
        tally: Where to count.
        arbiter: Who decides what float64 does not know.
        together: Samples that are taken together at first.

    Yields:
        Finished intervals, in ascending order of samples and s; their only value is that of the output.

    Raises:
        InvalidInputError: If the degree is too high.
    """
    degree = degrees(motion)[motion.network.output]
    if degree > MOST_DEGREE // 2:
        raise InvalidInputError(
            f"`direction`: {degree} layers move one behind the other, so that the outputs are polynomials of that "
            f"degree on the line; expected at most {MOST_DEGREE // 2}"
        )
    last, norms = last_uses(motion.network), layer_norms(motion)
    for first in range(0, len(inputs), together):
        part = inputs[first : first + together]
        samples = np.arange(first, first + len(part))
        starts, ends = np.full(len(part), span[0]), np.full(len(part), span[1])
        waiting = [Intervals(1, samples, starts, ends, {0: part[:, None]}, {0: np.zeros((len(part), 1))})]
        while waiting:
            state = waiting.pop()
            if state.position > motion.network.output:
                yield state
                continue
            if len(state) > 1 and len(state) * _held(motion, state) > numbers:
                half = len(state) // 2
                waiting += [state.taken(slice(half, None)), state.taken(slice(None, half))]
                continue
            waiting.append(_advanced(motion, state, last, norms[state.position], tally, arbiter))


def _held(motion: Motion, state: Intervals) -> int:
    """Numbers that one interval takes at the next node."""
    nodes = motion.network.nodes
    known = sum(value[:1].numel() for value in state.values.values())
    size = max(value.shape[1] for value in state.values.values()) + 1
    return known + 3 * size * nodes[state.position].size


def _advanced(
    motion: Motion, state: Intervals, last: tuple[int, ...], norms: Norms, tally: FlipCounts, arbiter: LineArbiter
) -> Intervals:
    """The next node."""
    index = state.position
    node = motion.network.nodes[index]
    read = [state.values[source] for source in node.inputs]
    length = max(value.shape[1] for value in read)
    errors = padded([state.errors[source] for source in node.inputs], length)
    found = norms.mapped(largest(read, length), errors, length + (index in motion.steps))
    kept = {source: value for source, value in state.values.items() if last[source] > index}
    known = {source: state.errors[source] for source in kept}
    state = Intervals(index + 1, state.samples, state.starts, state.ends, kept, known)
    if node.fold is not None:
        state.errors[index] = found
        state, value = _folded(node, state, read[0], errors, tally, arbiter)
    else:
        value = _mapped(motion, index, read)
        state.errors[index] = found
    if last[index] > index:
        state.values[index] = value
    return state


def _mapped(motion: Motion, index: int, read: list[Tensor]) -> Tensor:
    """The value of a node that does not fold."""
    node = motion.network.nodes[index]
    size = max(value.shape[1] for value in read)
    padded = [_padded(value, size) for value in read]
    flat = [value.reshape(-1, *value.shape[2:]) for value in padded]
    rows = len(padded[0])
    if node.affine is not None and node.affine.offset is None and index not in motion.steps:
        return node.op.evaluate(*flat).reshape(rows, size, *node.shape)
    shape = motion.network.nodes[node.inputs[0]].shape
    linear, offset = split_op(node.op, shape)
    value = linear.evaluate(*flat).reshape(rows, size, *node.shape)
    value[:, 0] += offset
    if index in motion.steps:
        step, moved = split_op(motion.steps[index], shape)
        value = _padded(value, size + 1)
        value[:, 1:] += step.evaluate(*flat).reshape(rows, size, *node.shape)
        value[:, 1] += moved
    return value


def _padded(value: Tensor, size: int) -> Tensor:
    """Coefficients with zeros for higher powers."""
    if value.shape[1] == size:
        return value
    zeros = value.new_zeros(len(value), size - value.shape[1], *value.shape[2:])
    return torch.cat([value, zeros], dim=1)


def _folded(
    node: Node, state: Intervals, x: Tensor, errors: np.ndarray, tally: FlipCounts, arbiter: LineArbiter
) -> tuple[Intervals, Tensor]:
    """Cut the intervals where units of a node change their piece; the value on the pieces."""
    values = np.ascontiguousarray(x.reshape(*x.shape[:2], -1).numpy())
    pieces = np.empty((len(state), node.size), np.int16)
    rows, places, which, steps = _events(node, state, values, errors, pieces, tally, arbiter)
    op = node.op
    order = np.lexsort((places, rows))
    events = (rows[order], places[order], which[order], steps[order])
    parents, starts, ends, found = split_rows(state.starts, state.ends, pieces, *events)
    if isinstance(op, Activation):
        _, slopes, intercepts = op.tables(node.size)
        value = on_activation_pieces(values, parents, found, slopes, intercepts)
    else:
        assert isinstance(op, Maximum)
        value = on_maximum_pieces(values, parents, found, op.index.numpy())
    cut = state.taken(torch.from_numpy(parents))
    cut = Intervals(state.position, cut.samples, starts, ends, cut.values, cut.errors)
    return cut, torch.from_numpy(value).reshape(len(parents), x.shape[1], *node.shape)


def _events(
    node: Node,
    state: Intervals,
    values: np.ndarray,
    errors: np.ndarray,
    pieces: np.ndarray,
    tally: FlipCounts,
    arbiter: LineArbiter,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where units of a node change their piece; what float64 does not know is decided, and all is done again."""
    op, decisions = node.op, no_decisions()
    for _ in range(_ROUNDS):
        common = (values, errors, state.starts, state.ends, state.fresh, tuple(decisions))
        if isinstance(op, Activation):
            *found, doubtful = fold_events(*common, op.tables(node.size).breakpoints, pieces)
        else:
            assert isinstance(op, Maximum)
            *found, doubtful = maximum_events(*common, op.index.numpy(), pieces)
        if not len(doubtful) or arbiter.exhausted:
            break
        # The node that folds is the one before the position.
        new = arbiter.decided(state.position - 1, state.samples, state.starts, state.ends, doubtful)
        decisions = with_both(decisions, new)
    rows, places, which, steps = found
    tally.flips[node.name] = tally.flips.get(node.name, 0) + len(rows)
    tally.decided += len(decisions.rows)
    tally.undecided += len(doubtful)
    return rows, places, which, steps
