r"""How a class hangs together: components by certified pairs, shares with their uncertainty, and what samples miss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import binomtest

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.paths.proof.results import StraightPaths
from splinescope.shown import Shown

_POINTS_TOGETHER = 1 << 26
"""Numbers in all values of a network, of the points that it is evaluated at together."""


@dataclass(frozen=True)
class Proportion(Shown):
    """A share that was counted, with Wilson's interval for the probability behind it.

    Attributes:
        successes: How many of them.
        trials: Out of how many.
        low: Lower end of the interval.
        high: Upper end.
        confidence: Its level.
    """

    successes: int
    trials: int
    low: float
    high: float
    confidence: float

    @property
    def share(self) -> float:
        """Successes over trials; NaN if there was no trial."""
        return self.successes / self.trials if self.trials else float("nan")

    def __contains__(self, value: float) -> bool:
        """Whether a probability lies in the interval."""
        return self.low <= value <= self.high


def proportion(successes: int, trials: int, confidence: float = 0.95) -> Proportion:
    """A share with Wilson's score interval (Wilson 1927), which holds for few trials and for shares of 0 and 1, too.

    Args:
        successes: How many.
        trials: Out of how many; without any the interval is everything, [0, 1].
        confidence: Level of the interval.

    Returns:
        The share.

    Raises:
        InvalidInputError: If there are more successes than trials, or the level is not between 0 and 1.

    Cost: nothing that grows.

    Example:
        >>> found = proportion(19, 25)
        >>> f"{found.share:.2f} [{found.low:.2f}, {found.high:.2f}]"
        '0.76 [0.57, 0.89]'
    """
    if not 0 <= successes <= trials:
        raise InvalidInputError(f"`successes`: got {successes} of {trials}; expected a number from 0 to {trials}")
    if not 0 < confidence < 1:
        raise InvalidInputError(f"`confidence`: got {confidence}; expected a level between 0 and 1")
    if not trials:
        return Proportion(0, 0, 0.0, 1.0, confidence)
    interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return Proportion(successes, trials, float(interval.low), float(interval.high), confidence)


@dataclass(frozen=True)
class Components(Shown):
    """Points that are joined by chains of pairs.

    Attributes:
        labels: [n] component of each point; the largest component is 0.
        sizes: Number of points of each, falling.
    """

    labels: Int[np.ndarray, " n"]
    sizes: Int[np.ndarray, " components"]

    def __len__(self) -> int:
        """Number of components."""
        return len(self.sizes)


def components(points: int, pairs: Any) -> Components:
    """Components of points under pairs that are joined.

    With certified paths for pairs, two points of one component are joined by a path inside the class. Points of two
    components may be joined by a path that nobody looked for: the number of components is an upper bound.

    Args:
        points: Number of points.
        pairs: [m, 2] both ends of each pair that is joined.

    Returns:
        The components.

    Raises:
        InvalidInputError: If a pair names a point that there is not.

    Example:
        >>> components(5, [[0, 3], [3, 4]]).sizes.tolist()
        [3, 1, 1]
    """
    ends = np.asarray(pairs, np.int64).reshape(-1, 2)
    if points < 1 or (len(ends) and not 0 <= ends.min() <= ends.max() < points):
        raise InvalidInputError(f"`pairs`: got a point that is none of the {points}; expected pairs of their numbers")
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(points, points))
    count, labels = connected_components(graph, directed=False)
    sizes = np.bincount(labels, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return Components(rank[labels], sizes[order].astype(np.int64))


def join_components(
    distances: Any, joined: Callable[[np.ndarray], np.ndarray], budget: int | None = None
) -> Components:
    """Components of points, found with few questions: only pairs of different components are asked for, nearest first.

    Args:
        distances: [n, n] distances of the points.
        joined: Says for [m, 2] pairs of points whether each is joined.
        budget: Number of pairs that may be asked for; all if None. Then the components are those of the graph of all
            joined pairs.

    Returns:
        The components.

    Raises:
        InvalidInputError: If the distances are no square matrix.

    Cost: the pairs that are asked for, n - 1 if all are joined; sorting the n (n - 1) / 2 distances.

    Example:
        Four points on a line, of which only neighbours are joined:

        >>> distances = abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
        >>> join_components(distances, lambda pairs: abs(pairs[:, 0] - pairs[:, 1]) == 1).sizes.tolist()
        [4]
    """
    lengths = np.asarray(distances, np.float64)
    points = len(lengths)
    if lengths.shape != (points, points) or not points:
        raise InvalidInputError(f"`distances`: got shape {lengths.shape}; expected [n, n]")
    rows, columns = np.triu_indices(points, 1)
    order = np.argsort(lengths[rows, columns], kind="stable")
    waiting = np.column_stack([rows, columns])[order]
    found, links, together = components(points, []), np.empty((0, 2), np.int64), 1
    left = len(waiting) if budget is None else budget
    while len(found) > 1 and left > 0:
        ends = np.sort(found.labels[waiting], axis=1)
        apart = ends[:, 0] != ends[:, 1]
        waiting, ends = waiting[apart], ends[apart]
        if not len(waiting):
            break
        chosen = _first_of_each(ends[:, 0] * points + ends[:, 1], together)[:left]
        asked = waiting[chosen]
        links = np.vstack([links, asked[np.asarray(joined(asked), bool)]])
        waiting, left, together = np.delete(waiting, chosen, axis=0), left - len(asked), 2 * together
        found = components(points, links)
    return found


def _first_of_each(keys: np.ndarray, count: int) -> np.ndarray:
    """Places of the first few of each key, in order."""
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    start = np.searchsorted(sorted_keys, sorted_keys)
    return np.sort(order[np.arange(len(keys)) - start < count])


def seen_joined(paths: StraightPaths, points: int) -> Bool[np.ndarray, " S"]:
    """What a sampled check says of straight paths: whether the class leads at so many equally spaced points.

    Args:
        paths: Straight paths.
        points: Number of points on each path, both ends among them.

    Returns:
        [S] whether no other class leads at any of them.

    Raises:
        InvalidInputError: If there are fewer than two points.
    """
    if points < 2:
        raise InvalidInputError(f"`points`: got {points}; expected at least both ends")
    network, t = paths.network, np.linspace(0.0, 1.0, points)
    per_point = sum(node.size for node in network.nodes)
    step = max(1, _POINTS_TOGETHER // (points * per_point))
    results = []
    for low in range(0, len(paths), step):
        rows = slice(low, low + step)
        weight = t.reshape(1, -1, *(1,) * (paths.starts.ndim - 1))
        values = (1 - weight) * paths.starts[rows, None] + weight * paths.ends[rows, None]
        leading = _leading(network, values.reshape(-1, *network.input_shape)).reshape(-1, points)
        results.append((leading == paths.targets[rows, None]).all(axis=1))
    return np.concatenate(results)


def _leading(network: Network, points: np.ndarray) -> np.ndarray:
    """The class that leads at each point; one output is class 1 against the class 0, by its sign."""
    outputs = network(points).reshape(len(points), -1)
    return (outputs[:, 0] > 0).astype(np.int64) if outputs.shape[1] == 1 else outputs.argmax(axis=1)


@dataclass(frozen=True)
class FalseVerdicts(Shown):
    """Pairs that a sampled check calls joined and the exact check does not.

    Attributes:
        points: Points of the sampled check on each path.
        of_seen: Share of the false ones among all that the sampled check calls joined.
        of_refuted: Share of the false ones among all that are not joined.
    """

    points: int
    of_seen: Proportion
    of_refuted: Proportion


def false_verdicts(paths: StraightPaths, points: int, confidence: float = 0.95) -> FalseVerdicts:
    """How often equally spaced points miss that a straight path leaves its class.

    Args:
        paths: Straight paths; those that are undecided don't count.
        points: Number of points on each path, both ends among them.
        confidence: Level of the intervals.

    Returns:
        The shares.

    Raises:
        InvalidInputError: If there are fewer than two points, or the level is not between 0 and 1.

    Cost: one forward pass for each point of each path.

    Example:
        The function abs(x) - 0.5 is negative around 0 only, which two points don't see, and five do:

        >>> import splinescope, torch
        >>> from splinescope.paths import straight
        >>> net = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU(), torch.nn.Linear(2, 1))
        >>> for p, v in zip(net.parameters(), ([[1.0], [-1.0]], [[1.0, 1.0]], [-0.5]), strict=True):
        ...     p.data = torch.tensor(v)
        >>> found = straight(splinescope.load(net), [[-2.0], [1.0]], [[2.0], [3.0]], 1)
        >>> [false_verdicts(found, points).of_refuted.share for points in (2, 5)]
        [1.0, 0.0]
    """
    seen, refuted = seen_joined(paths, points), paths.refuted
    wrong = int((seen & refuted).sum())
    decided = int((seen & (refuted | paths.certified)).sum())
    return FalseVerdicts(
        points, proportion(wrong, decided, confidence), proportion(wrong, int(refuted.sum()), confidence)
    )
