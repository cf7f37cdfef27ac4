"""Sound branch and bound along segments, for networks with too many breakpoints to list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from splinescope.network.graph import Network
from splinescope.paths.results import CERTIFIED, REFUTED, UNDECIDED
from splinescope.paths.zonotopes import Enclosure, Zonotopes, folds_between

BUDGET = 1 << 14
"""Forward passes for each path."""
_SYMBOLS = 256
"""Errors of a piece that are followed one by one."""
_PROBES = 33
"""Points of each path at which the margin is looked at first: cheap refutations."""
_NUMBERS = 1 << 23
"""Numbers that the enclosures of one node may hold at once."""
_MOST_PARTS = 256
"""Parts into which a piece is cut at most."""
_CHEAP = 5
"""Forward passes of an attempt without symbols: the zonotope's three, and one at each end."""


@dataclass(frozen=True, eq=False)
class Refinement:
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
    network: Network,
    starts: Float[np.ndarray, "S ..."],
    ends: Float[np.ndarray, "S ..."],
    targets: Int[np.ndarray, " S"],
    *,
    budget: int = BUDGET,
    error: Float[np.ndarray, " S"],
    symbols: int = _SYMBOLS,
    progress: bool = False,
) -> Refinement:
    """Decide whether a class leads on segments, by bounds on ever smaller pieces.

    On each piece the margin against every rival is bounded from below (`splinescope.paths.zonotopes`), first without
    symbols, which takes three forward passes. Where that is not enough, the piece is either cut, or bounded once more
    with a symbol for every fold, whatever promises to take fewer passes: the error of the first bound shrinks at least
    with the square of the piece, and the second one takes as many passes as there are folds. Bounds become exact as
    pieces shrink, so that with enough budget every path is decided whose least margin is not zero.

    Args:
        network: The network.
        starts: Starts of the segments.
        ends: Their ends.
        targets: The class of each.
        budget: Forward passes for each path.
        error: What margins in float64 may be off; bounds must exceed it.
        symbols: Errors that are followed one by one on each piece.
        progress: Whether to show a bar on long work.

    Returns:
        The verdicts.
    """
    search = _Search(network, starts, ends, targets, error, symbols)
    search.probe()
    with tqdm(total=len(starts), unit=" paths", delay=1.0, disable=not progress, leave=False) as bar:
        while len(search.open):
            search.step(budget)
            bar.update(min(search.proved, len(starts)) - bar.n)
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


def _margin_bounds(output: Zonotopes, targets: Tensor) -> Tensor:
    """[B] lower bounds of the margin on each piece."""
    if output.centre.shape[1] == 1:
        sign = 2.0 * targets - 1.0
        return sign * output.centre[:, 0] - output.reach[:, 0]
    place = targets[:, None]
    centre = output.centre.gather(1, place) - output.centre
    lines = output.lines.gather(2, place[:, None].expand(-1, output.lines.shape[1], -1)) - output.lines
    least = centre - lines.abs().sum(dim=1) - (output.box.gather(1, place) + output.box)
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

    def joined(self, other: _Pieces) -> _Pieces:
        """These and others."""
        pairs = ((self.path, other.path), (self.low, other.low), (self.high, other.high))
        return _Pieces(*(np.concatenate(pair) for pair in pairs))

    def cut(self, parts: np.ndarray) -> _Pieces:
        """Each in so many equal parts."""
        piece = np.repeat(np.arange(len(self)), parts)
        number = np.arange(len(piece)) - np.repeat(np.cumsum(parts) - parts, parts)
        width = ((self.high - self.low) / parts)[piece]
        first = self.low[piece] + number * width
        last = np.where(number + 1 == parts[piece], self.high[piece], self.low[piece] + (number + 1) * width)
        return _Pieces(self.path[piece], first, last)


class _Search:
    """The open pieces of all paths, and what is known."""

    def __init__(
        self,
        network: Network,
        starts: np.ndarray,
        ends: np.ndarray,
        targets: np.ndarray,
        error: np.ndarray,
        symbols: int,
    ) -> None:
        count = len(starts)
        self._network, self._starts, self._ends, self._targets = network, starts, ends, targets
        self._error, self._symbols = error, symbols
        self._plain, self._precise = Enclosure(network, 0), Enclosure(network, symbols)
        self._widest = max(node.size for node in network.nodes)
        self.open = _Pieces(np.arange(count), np.zeros(count), np.ones(count))
        self.proved = 0.0
        self._refuted, self._stuck = np.zeros(count, bool), np.zeros(count, bool)
        self._minimum, self._bound = np.full(count, np.inf), np.full(count, np.inf)
        self._t, self._rivals = np.zeros(count), np.zeros(count, np.int64)
        self._evaluations, self._pieces = np.zeros(count, np.int64), np.zeros(count, np.int64)

    def probe(self) -> None:
        """Look at some points of all paths."""
        count = len(self._targets)
        path, t = np.repeat(np.arange(count), _PROBES), np.tile(np.linspace(0, 1, _PROBES), count)
        margin, rivals = margins_at(self._network, self._starts, self._ends, self._targets, path, t)
        self._note(path, t, margin, rivals)
        self._evaluations += _PROBES
        self.open = self._undecided(self.open)

    def step(self, budget: int) -> None:
        """Bound some of the open pieces, and cut what stays open."""
        rows = self._rows(0)
        pieces, self.open = self.open.taken(slice(rows)), self.open.taken(slice(rows, None))
        self._pieces += np.bincount(pieces.path, minlength=len(self._pieces))
        bounds = self._bounds(pieces, self._plain)
        folds, margin = self._ends_of(pieces)
        left = np.flatnonzero(~self._accept(pieces, bounds))
        pieces, folds = pieces.taken(left), folds[left]
        shortfall = np.maximum(margin[left] - bounds[left], 0.0) / np.maximum(margin[left], self._error[pieces.path])
        parts = np.ceil(np.sqrt(shortfall)) + 1
        precise = (folds < _CHEAP * parts) & (2 * folds <= self._symbols)
        parts = np.where(folds < _CHEAP * parts, np.ceil(2 * folds / max(1, self._symbols)), parts)
        self._split(pieces.taken(~precise), parts[~precise])
        self._bound_precisely(pieces.taken(precise), budget)
        self._stuck[np.unique(self.open.path[self._evaluations[self.open.path] >= budget])] = True
        self.open = self._undecided(self.open)

    def result(self) -> Refinement:
        """What was found out."""
        decided = np.where(self._refuted, REFUTED, np.where(self._stuck, UNDECIDED, CERTIFIED))
        bound = np.where(decided == CERTIFIED, self._bound - self._error, -np.inf)
        seen = (self._minimum, self._t, self._rivals, bound, self._evaluations, self._pieces)
        return Refinement(decided, *seen)

    def _rows(self, symbols: int) -> int:
        return max(1, _NUMBERS // ((3 + symbols) * self._widest))

    def _bound_precisely(self, pieces: _Pieces, budget: int) -> None:
        """Bound pieces with a symbol for every fold, and halve those that stay open."""
        rows = self._rows(self._symbols)
        for start in range(0, len(pieces), rows):
            some = pieces.taken(slice(start, start + rows))
            wanted = self._evaluations[some.path] < budget
            self._stuck[some.path[~wanted]] = True
            some = self._undecided(some)
            if len(some):
                left = some.taken(~self._accept(some, self._bounds(some, self._precise)))
                self._split(left, np.full(len(left), 2.0))

    def _bounds(self, pieces: _Pieces, enclosure: Enclosure) -> np.ndarray:
        """Lower bounds of the margin on pieces."""
        path = pieces.path
        start, end = (torch.from_numpy(x.reshape(len(x), -1)[path]) for x in (self._starts, self._ends))
        middle = torch.from_numpy(0.5 * (pieces.low + pieces.high))[:, None]
        half = torch.from_numpy(0.5 * (pieces.high - pieces.low))[:, None]
        found = enclosure((1 - middle) * start + middle * end, half * (end - start))
        np.add.at(self._evaluations, path, found.passes)
        return _margin_bounds(found.output, torch.from_numpy(self._targets[path])).numpy()

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

    def _accept(self, pieces: _Pieces, bounds: np.ndarray) -> np.ndarray:
        """Which pieces are proved."""
        fine = np.asarray(bounds > self._error[pieces.path])
        np.minimum.at(self._bound, pieces.path[fine], bounds[fine])
        self.proved += float((pieces.high - pieces.low)[fine].sum())
        return fine

    def _split(self, pieces: _Pieces, parts: np.ndarray) -> None:
        """Put pieces back, in parts."""
        cut = pieces.cut(np.clip(parts, 2, _MOST_PARTS).astype(np.int64))
        # A piece that float64 cannot cut has a margin that it cannot tell from zero.
        self._stuck[cut.path[cut.low >= cut.high]] = True
        self.open = self.open.joined(cut)

    def _undecided(self, pieces: _Pieces) -> _Pieces:
        """The pieces of paths that are neither refuted nor given up."""
        return pieces.taken(~(self._refuted | self._stuck)[pieces.path])
