"""Boxes of a domain: those that cannot meet a target go before they are cut into cells, others are halved or kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import HalfspaceIntersection, QhullError

from splinescope.network.graph import Network
from splinescope.preimage.polytopes import polytope
from splinescope.preimage.targets.marks import Marks
from splinescope.shown import Shown
from splinescope.tessellation.domains import Box, Domain, Slice
from splinescope.tessellation.enclosure import AffineBounds, Enclosure, over_boxes

_SHARE = 0.4871
"""Where boxes are cut: not in the middle, where networks made by hand fold, and cells would end at the cut as well."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes in a domain's coordinates.

    Attributes:
        low: [boxes, d] least coordinates.
        high: [boxes, d] greatest ones.
        inside: [boxes] whether all of the box is certainly in the preimage.
    """

    low: Float[np.ndarray, "boxes d"]
    high: Float[np.ndarray, "boxes d"]
    inside: Bool[np.ndarray, " boxes"]

    def __len__(self) -> int:
        return len(self.low)

    def taken(self, which: np.ndarray) -> Boxes:
        """Some of the boxes."""
        return Boxes(self.low[which], self.high[which], self.inside[which])

    def joined(self, other: Boxes) -> Boxes:
        """These boxes and others."""
        pairs = ((self.low, other.low), (self.high, other.high), (self.inside, other.inside))
        return Boxes(*(np.concatenate(pair) for pair in pairs))

    @classmethod
    def around(cls, domain: Domain) -> Boxes:
        """The one box around a domain."""
        low, high = domain.bounds if isinstance(domain, Box) else _ends(domain)
        return cls(low[None], high[None], np.zeros(1, bool))

    @classmethod
    def none(cls, dimension: int) -> Boxes:
        """No boxes."""
        return cls(np.empty((0, dimension)), np.empty((0, dimension)), np.empty(0, bool))


def _ends(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    return domain.corners.min(axis=0), domain.corners.max(axis=0)


@dataclass(frozen=True, eq=False)
class Verdicts(Shown):
    """What bounds say of some boxes.

    Attributes:
        outside: [boxes] whether a box certainly does not meet the target.
        inside: [boxes] whether all of it is certainly mapped into the target.
        bounds: Enclosures of the target's rows, all alternatives one after the other.
    """

    outside: Bool[np.ndarray, " boxes"]
    inside: Bool[np.ndarray, " boxes"]
    bounds: AffineBounds


class Bounding:
    """Asks bounds of a network about boxes of a domain.

    Args:
        network: The network.
        marked: The target behind it.
        domain: Whose coordinates the boxes have.
    """

    def __init__(self, network: Network, marked: Marks, domain: Domain) -> None:
        self._domain = domain
        self._enclosure = Enclosure(network)
        self._alternatives = marked.alternatives
        parts = [np.vstack([one.halfspaces, one.equalities]) for one in marked.alternatives]
        self._rows = np.vstack(parts)
        self._starts = np.cumsum([0, *map(len, parts)])

    def __call__(self, boxes: Boxes) -> Verdicts:
        """What bounds say; sound, rounding included. Cost: see `Enclosure`."""
        inputs = over_boxes(boxes.low, boxes.high, self._domain)
        bounds = self._enclosure.combined(inputs, self._rows[:, :-1], self._rows[:, -1])
        low, high = (side.numpy() for side in bounds.ends())
        outside, inside = np.ones(len(boxes), bool), np.zeros(len(boxes), bool)
        for one, start, stop in zip(self._alternatives, self._starts[:-1], self._starts[1:], strict=True):
            count = len(one.halfspaces)
            least, most = low[:, start:stop], high[:, start:stop]
            missed = (least[:, :count] > 0) | (one.strict & (least[:, :count] >= 0))
            apart = (least[:, count:] > 0) | (most[:, count:] < 0)
            outside &= missed.any(axis=1) | apart.any(axis=1)
            held = np.where(one.strict, most[:, :count] < 0, most[:, :count] <= 0)
            inside |= held.all(axis=1) & (count == stop - start)
        return Verdicts(outside, inside, bounds)


def halved(boxes: Boxes, bounds: AffineBounds) -> Boxes:
    """Each box cut in two, across the coordinate on which the target's rows depend most.

    Args:
        boxes: The boxes.
        bounds: Enclosures of the rows over them.

    Returns:
        The lower parts, then the upper ones.
    """
    width = boxes.high - boxes.low
    share = width / np.maximum(width.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    depends = bounds.slopes.abs().numpy() + share[:, :, None] * bounds.radius.numpy()[:, None]
    axis = np.where(width > 0, depends.max(axis=2), -1.0).argmax(axis=1)
    rows = np.arange(len(boxes))
    cut = boxes.low[rows, axis] + _SHARE * width[rows, axis]
    low, high = np.concatenate([boxes.low] * 2), np.concatenate([boxes.high] * 2)
    high[rows, axis] = low[len(boxes) + rows, axis] = cut
    return Boxes(low, high, np.concatenate([boxes.inside] * 2))


def part_of(domain: Domain, low: np.ndarray, high: np.ndarray) -> Domain | None:
    """The part of a domain in a box of its coordinates.

    Args:
        domain: The domain.
        low: [d] least coordinates.
        high: [d] greatest ones.

    Returns:
        The domain itself if the box is around all of it; None if they have no interior in common.
    """
    if isinstance(domain, Box):
        ends = domain.embed(np.stack([low, high]))
        return Box(ends[0], ends[1], domain.names)
    least, most = _ends(domain)
    if (low <= least).all() and (high >= most).all():
        return domain
    identity = np.eye(len(low))
    sides = np.vstack([np.column_stack([-identity, low]), np.column_stack([identity, -high])])
    rows = np.vstack([domain.halfspaces, sides])
    found = polytope(rows)
    if found is None or found.dimension < len(low) or not found.radius > 0:
        return None
    moved = np.column_stack([rows[:, :-1], (rows[:, :-1] @ found.witness + rows[:, -1]) / found.radius])
    try:
        corners = HalfspaceIntersection(moved, np.zeros(len(low))).intersections * found.radius
    except QhullError:
        return None
    if len(low) == 2:
        corners = np.unique(corners, axis=0)
        corners = corners[np.argsort(np.arctan2(corners[:, 1], corners[:, 0]))]
    return Slice(domain.origin, domain.basis, corners + found.witness, names=domain.names)


def uniform(domain: Domain, count: int, generator: np.random.Generator) -> Float[np.ndarray, "count d"]:
    """Points drawn uniformly from a domain, in its coordinates.

    Args:
        domain: The domain.
        count: How many.
        generator: Of random numbers.

    Returns:
        The points.
    """
    if isinstance(domain, Box):
        low, high = domain.bounds
        return low + (high - low) * generator.random((count, domain.dimension))
    shape = polytope(domain.halfspaces)
    assert shape is not None
    return shape.sample(count, generator)
