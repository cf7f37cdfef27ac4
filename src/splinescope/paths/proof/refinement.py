"""Sound branch and bound along segments, for networks with too many breakpoints to list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.network.copies import placed
from splinescope.network.evaluate import last_uses, walk
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike, as_network
from splinescope.paths.proof.marching import March, Part
from splinescope.paths.proof.results import CERTIFIED, REFUTED, UNDECIDED
from splinescope.paths.proof.rounding import MarginRounding
from splinescope.progress import Advance, counting
from splinescope.shown import Shown
from splinescope.tessellation.enclosure import AffineBounds, Enclosure

BUDGET = 1 << 17
"""Forward passes for each path."""
_PROBES = 33
"""Points of each path at which the margin is looked at first: cheap refutations."""
_NUMBERS = 1 << 23
"""Numbers that the enclosures of one node may hold at once."""
_MOST_PARTS = 256
"""Parts into which a piece is cut at most."""
_PASSES = 3
"""Forward passes that the bounds of a piece take: its middle, its direction, and the radius."""
_ATTEMPT = _PASSES + 2
"""Forward passes of an attempt to bound a piece: those of the bounds, and one at each end."""


@dataclass(frozen=True, eq=False)
class Refinement(Shown):
    """What the refinement found out about S paths.

    Attributes:
        verdicts: "certified", "refuted" or "undecided".
        minimum: Least margin that a forward pass saw.
        t: Where.
        rivals: The class that comes nearest there.
        bound: What the margin is proved not to be below; minus infinity where nothing is proved.
        evaluations: Forward passes that each path took.
        pieces: Pieces that each path was cut into.
    """

    verdicts: np.ndarray
    minimum: Float[np.ndarray, " S"]
    t: Float[np.ndarray, " S"]
    rivals: Int[np.ndarray, " S"]
    bound: Float[np.ndarray, " S"]
    evaluations: Int[np.ndarray, " S"]
    pieces: Int[np.ndarray, " S"]


def refine(
    network: ModelLike,
    starts: Float[np.ndarray, "S ..."],
    ends: Float[np.ndarray, "S ..."],
    targets: Int[np.ndarray, " S"],
    *,
    budget: int = BUDGET,
    rounding: MarginRounding,
    progress: bool = False,
) -> Refinement:
    """Decide whether a class leads on segments, by bounds on ever smaller pieces.

    On each piece the margin against every rival is bounded from below (see `Enclosure`), which takes three forward
    passes. Where that is not enough, the piece is either cut, or evaluated at all of its breakpoints
    (`paths.proof.marching`), whatever promises to take fewer passes: the error of the bound shrinks at least with
    the square of the piece, and a breakpoint takes about half a pass. So every path is decided with enough budget whose
    least margin is not zero.

    Both are done in float32 first. A margin that exceeds what float32 may be off needs nothing better; the others are
    found once more in float64. What is refuted is confirmed by a forward pass in float64.

    Args:
        network: The network.
        starts: Starts of the segments.
        ends: Their ends.
        targets: The class of each.
        budget: Forward passes for each path.
        rounding: What margins may be off in either type; bounds must exceed it.
        progress: Whether to show a bar on long work.

    Returns:
        The verdicts.

    Cost: at most `budget` forward passes for each path, give or take the last ones.

    Example:
        Between both ends of the first segment the leading class changes; on the second it stays:

        >>> import splinescope, torch
        >>> from splinescope.numerics import Tolerance
        >>> from splinescope.paths.proof.rounding import margin_rounding
        >>> network = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> question = np.array([[1.0, 0.5], [1.0, 0.5]]), np.array([[0.5, 1.0], [2.0, 1.0]]), np.array([0, 0])
        >>> rounding = margin_rounding(network, *question, Tolerance())
        >>> refine(network, *question, rounding=rounding).verdicts.tolist()
        ['refuted', 'certified']
    """
    network = as_network(network, starts.shape[1:])
    shown = f"{len(starts):,} segments: {{percentage:.1f}} % proved |{{bar}}| {{elapsed}}<{{remaining}}"
    with counting(len(starts), "segments", progress, shown) as advance:
        search = _Search(network, starts, ends, targets, rounding, advance)
        search.probe()
        while len(search.open):
            search.step(budget)
    return search.result()


def margins_at(
    network: Network, starts: np.ndarray, ends: np.ndarray, targets: np.ndarray, path: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Margins at points of paths, by a forward pass.

    Args:
        network: The network.
        starts: [S, *shape] starts of the paths.
        ends: [S, *shape] ends.
        targets: [S] classes.
        path: [k] path of each point.
        t: [k] where on it.

    Returns:
        [k] margins, and [k] the rivals.
    """
    outputs = network(_points(starts, ends, path, t))
    return _margins(torch.from_numpy(outputs), targets[path])


@torch.no_grad()
def folds_between(
    network: Network, low: Float[Tensor, "B ..."], high: Float[Tensor, "B ..."]
) -> tuple[Int[Tensor, " B"], Float[Tensor, "B2 ..."]]:
    """How many units are on different pieces at two points, and the outputs there.

    Args:
        network: The network.
        low: One point of each pair.
        high: The other one.

    Returns:
        [B] numbers of units; and [2 B, *output_shape] outputs at all first points, then at all second ones.
    """
    different = torch.zeros(len(low), dtype=torch.int64)
    values: dict[int, Tensor] = {}
    last = last_uses(network)
    for index, value in walk(network, torch.cat([low, high])):
        values[index] = value
        node = network.nodes[index]
        if node.fold is not None:
            one, other = node.fold.pieces(values[node.inputs[0]].flatten(1)).split(len(low))
            different += (one != other).flatten(1).sum(dim=1)
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del values[source]
    return different, values[network.output]


def _points(starts: np.ndarray, ends: np.ndarray, path: np.ndarray, t: np.ndarray) -> np.ndarray:
    """[k, *shape] points of paths."""
    weight = t.reshape(-1, *(1,) * (starts.ndim - 1))
    return np.asarray((1 - weight) * starts[path] + weight * ends[path])


def _margins(outputs: Tensor, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[k] margins of outputs, and [k] the rivals."""
    outputs = _competing(outputs)
    rows, wanted = torch.arange(len(outputs)), torch.from_numpy(targets)
    own = outputs[rows, wanted].clone()
    outputs[rows, wanted] = -torch.inf
    best, rivals = outputs.max(dim=1)
    return (own - best).numpy(), rivals.numpy()


def _competing(outputs: Tensor) -> Tensor:
    """[..., classes] values that compete; one output is class 1 against the class 0, which is zero."""
    outputs = outputs.reshape(len(outputs), -1)
    return torch.cat([torch.zeros_like(outputs), outputs], dim=1) if outputs.shape[1] == 1 else outputs.clone()


def _margin_bounds(output: AffineBounds, targets: Tensor) -> Tensor:
    """[B] lower bounds of the margin on each piece."""
    if output.centre.shape[1] == 1:
        sign = 2.0 * targets - 1.0
        return sign * output.centre[:, 0] - output.reach[:, 0]
    place = targets[:, None]
    own = output.taken(place)
    least = own.centre - output.centre - (own.slopes - output.slopes).abs().sum(dim=1) - (own.radius + output.radius)
    return least.scatter(1, place, torch.inf).min(dim=1).values


@dataclass(frozen=True)
class _Pieces:
    """Pieces of paths.

    Attributes:
        path: [k] path of each.
        low: [k] where it starts.
        high: [k] where it ends.
    """

    path: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __len__(self) -> int:
        return len(self.path)

    def taken(self, which: np.ndarray | slice) -> _Pieces:
        """Some of them."""
        return _Pieces(self.path[which], self.low[which], self.high[which])

    def cut(self, parts: np.ndarray) -> _Pieces:
        """Each in so many equal parts."""
        piece = np.repeat(np.arange(len(self)), parts)
        number = np.arange(len(piece)) - np.repeat(np.cumsum(parts) - parts, parts)
        width = ((self.high - self.low) / parts)[piece]
        first = self.low[piece] + number * width
        last = np.where(number + 1 == parts[piece], self.high[piece], self.low[piece] + (number + 1) * width)
        return _Pieces(self.path[piece], first, last)


def _together(parts: list[_Pieces]) -> _Pieces:
    """Pieces from several places."""
    paths = np.concatenate([np.empty(0, np.int64), *(part.path for part in parts)])
    low, high = (np.concatenate([np.empty(0), *(getattr(part, side) for part in parts)]) for side in ("low", "high"))
    return _Pieces(paths, low, high)


class _Search:
    """The open pieces of all paths, and what is known."""

    def __init__(
        self,
        network: Network,
        starts: np.ndarray,
        ends: np.ndarray,
        targets: np.ndarray,
        rounding: MarginRounding,
        advance: Advance,
    ) -> None:
        count = len(starts)
        self._network, self._starts, self._ends, self._targets = network, starts, ends, targets
        self._rounding, self._advance = rounding, advance
        self._enclosure = Enclosure(placed(network, dtype=torch.float32))
        self._marches = ((March(network, torch.float32), rounding.float32), (March(network), rounding.float64))
        self._widest = max(node.size for node in network.nodes)
        self.open = _Pieces(np.arange(count), np.zeros(count), np.ones(count))
        self._refuted, self._stuck = np.zeros(count, bool), np.zeros(count, bool)
        self._minimum, self._bound = np.full(count, np.inf), np.full(count, np.inf)
        self._t, self._rivals = np.zeros(count), np.zeros(count, np.int64)
        self._evaluations, self._pieces = np.zeros(count), np.zeros(count, np.int64)

    def probe(self) -> None:
        """Look at some points of all paths."""
        count = len(self._targets)
        path, t = np.repeat(np.arange(count), _PROBES), np.tile(np.linspace(0, 1, _PROBES), count)
        margin, rivals = margins_at(self._network, self._starts, self._ends, self._targets, path, t)
        self._note(path, t, margin, rivals)
        self._evaluations += _PROBES
        self.open = self._undecided(self.open)

    def step(self, budget: int) -> None:
        """Bound some of the open pieces, and cut or march along what stays open."""
        rows = max(1, _NUMBERS // (_PASSES * self._widest))
        pieces, self.open = self.open.taken(slice(rows)), self.open.taken(slice(rows, None))
        self._pieces += np.bincount(pieces.path, minlength=len(self._pieces))
        bounds = self._bounds(pieces)
        folds, margin = self._ends_of(pieces)
        left = np.flatnonzero(~self._accept(pieces, bounds, self._rounding.float32))
        pieces, folds = pieces.taken(left), folds[left]
        known = np.maximum(margin[left], self._rounding.float64[pieces.path])
        parts = np.ceil(np.sqrt(np.maximum(margin[left] - bounds[left], 0.0) / known)) + 1
        few = folds < _ATTEMPT * parts
        self._split(pieces.taken(~few), parts[~few])
        self._march(pieces.taken(few), budget)
        self._stuck[np.unique(self.open.path[self._evaluations[self.open.path] >= budget])] = True
        self.open = self._undecided(self.open)

    def result(self) -> Refinement:
        """What was found out."""
        decided = np.where(self._refuted, REFUTED, np.where(self._stuck, UNDECIDED, CERTIFIED))
        bound = np.where(decided == CERTIFIED, self._bound, -np.inf)
        passes = np.ceil(self._evaluations).astype(np.int64)
        return Refinement(decided, self._minimum, self._t, self._rivals, bound, passes, self._pieces)

    def _march(self, pieces: _Pieces, budget: int) -> None:
        """Evaluate pieces at all of their breakpoints, in float64 where float32 is not enough."""
        for march, error in self._marches:
            each = (pieces.taken(slice(row, row + 1)) for row in range(len(pieces)))
            pieces = _together([part for piece in each for part in self._marched(piece, march, error, budget)])
        # What is left has a margin that float64 cannot tell from zero, or it has spent the budget.
        self._stuck[pieces.path] = True

    def _marched(self, piece: _Pieces, march: March, error: np.ndarray, budget: int) -> list[_Pieces]:
        """Evaluate one piece at its breakpoints; parts of it whose margins may not be positive."""
        path = int(piece.path[0])
        start, end = (torch.from_numpy(x[path]) for x in (self._starts, self._ends))
        left: list[_Pieces] = []
        for part in march(start, end, float(piece.low[0]), float(piece.high[0])):
            if self._refuted[path]:
                return []
            self._evaluations[path] += part.passes
            here = _Pieces(piece.path, part.t[:1].numpy(), part.t[-1:].numpy())
            if self._evaluations[path] >= budget:
                return [*left, _Pieces(piece.path, here.low, piece.high)]
            if not self._accept(here, self._least(path, part), error)[0]:
                left.append(here)
        return left

    def _least(self, path: int, part: Part) -> np.ndarray:
        """[1] least margin at the breakpoints of a part, which is found once more in float64."""
        margin, _ = _margins(part.outputs, np.full(len(part.t), self._targets[path]))
        worst = margin.argmin()
        one, t = np.array([path]), part.t[worst : worst + 1].numpy()
        self._note(one, t, *margins_at(self._network, self._starts, self._ends, self._targets, one, t))
        self._evaluations[path] += 1
        return margin[worst : worst + 1].astype(np.float64)

    def _bounds(self, pieces: _Pieces) -> np.ndarray:
        """Lower bounds of the margin on pieces, in float32."""
        path = pieces.path
        start, end = (torch.from_numpy(x.reshape(len(x), -1)[path]) for x in (self._starts, self._ends))
        middle = torch.from_numpy(0.5 * (pieces.low + pieces.high))[:, None]
        half = torch.from_numpy(0.5 * (pieces.high - pieces.low))[:, None]
        centre, line = ((1 - middle) * start + middle * end).float(), (half * (end - start)).float()
        found = self._enclosure(AffineBounds(centre, line[:, None], torch.zeros_like(centre)))
        np.add.at(self._evaluations, path, _PASSES)
        bounds = _margin_bounds(found, torch.from_numpy(self._targets[path])).double().numpy()
        return np.nan_to_num(bounds, nan=-np.inf, neginf=-np.inf)  # boxes of deep networks may be infinite

    def _ends_of(self, pieces: _Pieces) -> tuple[np.ndarray, np.ndarray]:
        """Number of folds between the ends of pieces that are seen from there, and the lesser margin of both."""
        path = pieces.path
        low, high = (torch.from_numpy(_points(self._starts, self._ends, path, t)) for t in (pieces.low, pieces.high))
        folds, outputs = folds_between(self._network, low, high)
        np.add.at(self._evaluations, path, 2)
        both = np.concatenate([path, path])
        margin, rivals = _margins(outputs, self._targets[both])
        self._note(both, np.concatenate([pieces.low, pieces.high]), margin, rivals)
        return folds.numpy(), margin.reshape(2, -1).min(axis=0)

    def _note(self, path: np.ndarray, t: np.ndarray, margin: np.ndarray, rivals: np.ndarray) -> None:
        """Note margins that were seen."""
        order = np.lexsort((t, margin, path))
        first = order[np.unique(path[order], return_index=True)[1]]
        better = first[margin[first] < self._minimum[path[first]]]
        self._minimum[path[better]] = margin[better]
        self._t[path[better]], self._rivals[path[better]] = t[better], rivals[better]
        self._refuted |= self._minimum <= 0

    def _accept(self, pieces: _Pieces, bounds: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Which pieces are proved by bounds of the margin that may be off by an error."""
        bounds = bounds - error[pieces.path]
        fine = np.asarray(bounds > 0)
        np.minimum.at(self._bound, pieces.path[fine], bounds[fine])
        self._advance(float((pieces.high - pieces.low)[fine].sum()))
        return fine

    def _split(self, pieces: _Pieces, parts: np.ndarray) -> None:
        """Put pieces back, in parts."""
        cut = pieces.cut(np.clip(parts, 2, _MOST_PARTS).astype(np.int64))
        # A piece that float64 cannot cut has a margin that it cannot tell from zero.
        self._stuck[cut.path[cut.low >= cut.high]] = True
        self.open = _together([self.open, cut])

    def _undecided(self, pieces: _Pieces) -> _Pieces:
        """The pieces of paths that are neither refuted nor given up."""
        return pieces.taken(~(self._refuted | self._stuck)[pieces.path])
