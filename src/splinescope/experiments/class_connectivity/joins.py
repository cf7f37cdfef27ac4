"""Pairs of points asked whether they are joined: straight, bent, or not within the steps that were allowed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from splinescope.network import Boundary, Network, split
from splinescope.paths import BentPath, certify_polyline, nudged_elastic_band, straight, string_method
from splinescope.paths.components import components, false_verdicts, join_components

STRAIGHT, BENT, NONE, UNDECIDED = "straight", "bent", "none", "undecided"
FEW = 25
"""Pairs of the source's table."""


@dataclass(frozen=True, eq=False)
class Bending:
    """How paths are bent.

    Attributes:
        pivots: Inner vertices.
        steps: Most steps.
        budget: Forward passes for each segment of a network with too many breakpoints to list.
        box: Least and largest values that a vertex may have; None for any.
    """

    pivots: int
    steps: int
    budget: int
    box: tuple[np.ndarray, np.ndarray] | None = None


def bend(network: Network, ends: np.ndarray, targets: np.ndarray, layer: Boundary, bending: Bending) -> list[BentPath]:
    """Bend the paths of pairs into their classes: by a nudged elastic band, and where that fails by a string.

    Args:
        network: The network.
        ends: [S, 2, *input_shape] both ends of each path.
        targets: [S] the class of each.
        layer: Where the paths lie.
        bending: How.

    Returns:
        One path per pair.
    """
    box: tuple[Any, Any] | None = bending.box
    if layer.index > 0 and split(network, layer.index).before(ends.reshape(-1, *network.input_shape)).min() >= 0:
        box = (0.0, None)  # activations of ReLUs: nothing else can come before this layer
    options: dict[str, Any] = {
        "pivots": bending.pivots,
        "max_steps": bending.steps,
        "budget": bending.budget,
        "box": box,
    }
    paths = list(nudged_elastic_band(network, ends[:, 0], ends[:, 1], targets, layer.index, **options))
    left = [number for number, path in enumerate(paths) if not path.certified]
    if left:
        others = string_method(network, ends[left, 0], ends[left, 1], targets[left], layer.index, **options)
        for number, other in zip(left, others, strict=True):
            paths[number] = other if other.certified else paths[number]
    return paths


def join_pairs(
    network: Network,
    ends: np.ndarray,
    targets: np.ndarray,
    layer: Boundary,
    bending: Bending,
    samples: Sequence[int],
) -> dict[str, Any]:
    """What became of pairs at a layer.

    Args:
        network: The network.
        ends: [S, 2, *input_shape] both ends of each pair.
        targets: [S] class of each.
        layer: Where the paths lie.
        bending: How paths are bent that are not straight.
        samples: Points of the sampled checks.

    Returns:
        Plain values: how each pair is joined, false verdicts of sampled checks, times; see `together`.
    """
    clock = time.perf_counter()
    paths = straight(network, ends[:, 0], ends[:, 1], targets, layer.index, budget=bending.budget)
    seconds = time.perf_counter() - clock
    how = np.where(paths.certified, STRAIGHT, NONE).astype(object)
    rows = np.flatnonzero(~paths.certified)
    clock = time.perf_counter()
    bent = bend(network, ends[rows], targets[rows], layer, bending) if len(rows) else []
    bent_seconds = time.perf_counter() - clock
    certified = np.array([path.certified for path in bent], bool)
    how[rows[certified]] = BENT
    open_ = np.array([path.verdict == UNDECIDED for path in bent], bool) | (paths.verdicts[rows] == UNDECIDED)
    how[rows[open_ & ~certified]] = UNDECIDED
    away = []
    if paths.misclassified is not None:
        wrong = paths.misclassified
        away = np.bincount(wrong.segments, wrong.lengths, minlength=len(paths))[paths.refuted].tolist()
    rates = {points: false_verdicts(paths, points) for points in samples}
    good = [path for path in bent if path.certified]
    return {
        "units": paths.network.num_units,
        "method": paths.method,
        "joined": how.tolist(),
        "straight_undecided": int((~paths.certified & ~paths.refuted).sum()),
        "below_rounding": int(np.sum(paths.below_rounding)),
        "minimum_margin": paths.minimum_margin.tolist(),
        "misclassified_lengths": away,
        "passes": paths.evaluations.tolist() if paths.method == "refine" else [],
        "sampled": {
            str(points): {"wrong": rate.of_seen.successes, "of_seen": rate.of_seen.trials}
            | {"of_refuted": rate.of_refuted.trials}
            for points, rate in rates.items()
        },
        "bent_largest_loss": [path.max_loss for path in good],
        "bent_methods": [path.method for path in good],
        "bent_steps": [path.steps for path in good],
        "seconds": {"straight": seconds, "bent": bent_seconds},
    }


def together(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What became of pairs that were looked at in several parts, with counts of all and of the first 25.

    Args:
        found: What `join_pairs` found out of each part.

    Returns:
        The same of all of them: numbers are added up, lists put one after another.
    """
    whole = dict(found[0])
    for other in found[1:]:
        whole = {key: _both(key, value, other[key]) for key, value in whole.items()}
    how = np.array(whole["joined"], dtype=object)
    return whole | {"pairs": len(how), "counts": _counts(how), "few": _counts(how[:FEW])}


def _both(key: str, one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        return {name: _both(name, value, other[name]) for name, value in one.items()}
    return one if key in ("units", "method") else one + other


def _counts(how: np.ndarray) -> dict[str, int]:
    return {name: int((how == name).sum()) for name in (STRAIGHT, BENT, NONE, UNDECIDED)}


def components_of_classes(
    network: Network, classes: Mapping[str, tuple[int, np.ndarray]], layer: Boundary, bending: Bending
) -> dict[str, Any]:
    """Components of points of each class, by straight paths alone and with bent ones.

    Args:
        network: The network.
        classes: Number and points of each class.
        layer: Where the paths lie.
        bending: How paths are bent.

    Returns:
        Sizes of the components, by class.
    """
    before = split(network, layer.index).before
    found = {}
    for name, (label, points) in classes.items():
        values = before(points).reshape(len(points), -1)
        distances = np.linalg.norm(values[:, None] - values, axis=2)
        by_lines = join_components(distances, partial(_straight, network, points, label, layer, bending))
        linked = [[int(np.flatnonzero(by_lines.labels == c)[0]), int(i)]
                  for c in range(len(by_lines)) for i in np.flatnonzero(by_lines.labels == c)]  # fmt: skip
        for other in range(1, len(by_lines)):
            ours, theirs = (np.flatnonzero(by_lines.labels == c) for c in (0, other))
            nearest = np.unravel_index(distances[np.ix_(ours, theirs)].argmin(), (len(ours), len(theirs)))
            pair = np.array([ours[nearest[0]], theirs[nearest[1]]])
            if bend(network, points[pair][None], np.array([label]), layer, bending)[0].certified:
                linked.append(pair.tolist())
        found[name] = {
            "points": len(points),
            "straight": by_lines.sizes.tolist(),
            "bent": components(len(points), linked).sizes.tolist(),
        }
    return found


def _straight(
    network: Network, points: np.ndarray, label: int, layer: Boundary, bending: Bending, pairs: np.ndarray
) -> np.ndarray:
    starts, ends = points[pairs[:, 0]], points[pairs[:, 1]]
    return straight(network, starts, ends, label, layer.index, budget=bending.budget).certified


def join_under_both(
    networks: tuple[Network, Network], ends: np.ndarray, targets: np.ndarray, bending: Bending
) -> dict[str, Any]:
    """Pairs under two networks: paths in the input that stay in the class of either one, or of both.

    Args:
        networks: Two networks that put the ends into the same classes.
        ends: [S, 2, *input_shape] both ends of each pair.
        targets: [S] class of each.
        bending: How paths are bent.

    Returns:
        Counts: straight in each, in both; bent paths of each that stay in the class of the other one, too.
    """
    certified = [straight(network, ends[:, 0], ends[:, 1], targets).certified for network in networks]
    both = certified[0] & certified[1]
    joined = both.copy()
    carried, tried = [0, 0], [0, 0]
    for own, other in ((0, 1), (1, 0)):
        rows = np.flatnonzero(~certified[own])
        layer = Boundary(0, 0, "input", networks[own].input_shape)
        paths = bend(networks[own], ends[rows], targets[rows], layer, bending) if len(rows) else []
        for row, path in zip(rows, paths, strict=True):
            if path.certified:
                keeps = certify_polyline(networks[other], path.points, int(targets[row])).certified
                tried[own] += 1
                carried[own] += int(keeps)
                joined[row] |= keeps
    return {
        "pairs": len(targets),
        "straight": [int(mask.sum()) for mask in certified],
        "straight_in_both": int(both.sum()),
        "straight_in_one": int((certified[0] ^ certified[1]).sum()),
        "bent": tried,
        "bent_kept_by_other": carried,
        "joined_in_both": int(joined.sum()),
    }
