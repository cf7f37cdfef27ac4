"""Polylines of different numbers of points in one array, so that all of them go through a network together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class Polylines(Shown):
    """Some polylines, one after another.

    Attributes:
        points: [P, *shape] vertices of all; path `s` has the rows `offsets[s]:offsets[s + 1]`, its ends included.
        offsets: [S + 1] where each begins.
    """

    points: Float[Tensor, "P ..."]
    offsets: Int[Tensor, " _"]

    def __len__(self) -> int:
        """Number of paths."""
        return len(self.offsets) - 1

    def __getitem__(self, path: int) -> Float[Tensor, "k ..."]:
        """Vertices of one path."""
        return self.points[int(self.offsets[path]) : int(self.offsets[path + 1])]

    @property
    def counts(self) -> Int[Tensor, " S"]:
        """Vertices of each path."""
        return self.offsets.diff()

    @cached_property
    def paths(self) -> Int[Tensor, " P"]:
        """Path of each vertex."""
        return torch.repeat_interleave(torch.arange(len(self), device=self.offsets.device), self.counts)

    @cached_property
    def interior(self) -> Bool[Tensor, " P"]:
        """Which vertices are no ends."""
        inside = torch.ones(len(self.points), dtype=torch.bool, device=self.offsets.device)
        inside[self.offsets[:-1]] = False
        inside[self.offsets[1:] - 1] = False
        return inside

    @cached_property
    def segment_starts(self) -> Int[Tensor, " G"]:
        """Vertex at which each segment starts; it ends at the next one."""
        first = torch.ones(len(self.points), dtype=torch.bool, device=self.offsets.device)
        first[self.offsets[1:] - 1] = False
        return first.nonzero()[:, 0]

    @property
    def first_segments(self) -> Int[Tensor, " S"]:
        """First segment of each path, counted through all paths."""
        return self.offsets[:-1] - torch.arange(len(self), device=self.offsets.device)

    @cached_property
    def differences(self) -> Float[Tensor, "_ n"]:
        """Each vertex but the first minus the one before it, flat; also from the end of one path to the next one."""
        return self.points.flatten(1).diff(dim=0)

    @cached_property
    def segment_lengths(self) -> Float[Tensor, " G"]:
        """Euclidean length of each segment."""
        return torch.linalg.vector_norm(self.differences, dim=1)[self.segment_starts]

    @property
    def lengths(self) -> Float[Tensor, " S"]:
        """Length of each path."""
        zeros = torch.zeros(len(self), dtype=self.points.dtype, device=self.points.device)
        return zeros.index_add(0, self.paths[self.segment_starts], self.segment_lengths)

    def moved(self, points: Float[Tensor, "P ..."]) -> Polylines:
        """The same paths with other vertices."""
        return replace(self, points=points)

    def select(self, which: Int[Tensor, " _"]) -> Polylines:
        """Some of the paths, in the order given."""
        if len(which) == len(self) and bool((which == torch.arange(len(self), device=which.device)).all()):
            return self
        counts = self.counts[which]
        offsets = _offsets(counts)
        within = torch.arange(int(offsets[-1]), device=offsets.device) - torch.repeat_interleave(offsets[:-1], counts)
        return Polylines(self.points[torch.repeat_interleave(self.offsets[which], counts) + within], offsets)

    def inserted(self, segments: Int[Tensor, " k"], points: Float[Tensor, "k ..."]) -> Polylines:
        """The paths with one more vertex on each of some segments.

        Args:
            segments: Different segments, counted through all paths.
            points: The new vertices.

        Returns:
            The longer paths.
        """
        if not len(segments):
            return self
        starts = self.segment_starts[segments]
        key = torch.cat([torch.arange(len(self.points), device=starts.device).double(), starts + 0.5])
        more = torch.bincount(self.paths[starts], minlength=len(self))
        return Polylines(torch.cat([self.points, points])[key.argsort()], _offsets(self.counts + more))

    def resampled(self, count: int | Int[Tensor, " S"]) -> Polylines:
        """Polylines with vertices at equal steps of the arc length of these.

        Args:
            count: Vertices of each, at least 2.

        Returns:
            Other polylines with the same ends, bit for bit.
        """
        counts = torch.as_tensor(count, device=self.offsets.device).expand(len(self))
        offsets = _offsets(counts)
        path = torch.repeat_interleave(torch.arange(len(self), device=offsets.device), counts)
        within = torch.arange(len(path), device=offsets.device) - offsets[path]
        wanted = path + within.double() / (counts[path] - 1)
        travelled = self._travelled()
        segment = torch.searchsorted(travelled, wanted, right=True) - 1
        segment = segment.clamp(self.offsets[path], self.offsets[path + 1] - 2)
        span = travelled[segment + 1] - travelled[segment]
        t = torch.where(span > 0, (wanted - travelled[segment]) / torch.where(span > 0, span, 1.0), 0.0)
        points = _between(self.points[segment], self.points[segment + 1], t.clamp(0, 1))
        result = Polylines(points, offsets)
        return result.with_ends(self.points[self.offsets[:-1]], self.points[self.offsets[1:] - 1])

    def with_ends(self, starts: Float[Tensor, "S ..."], ends: Float[Tensor, "S ..."]) -> Polylines:
        """The same paths with other ends."""
        points = self.points.clone()
        points[self.offsets[:-1]], points[self.offsets[1:] - 1] = starts, ends
        return self.moved(points)

    def _travelled(self) -> Float[Tensor, " P"]:
        """Number of each vertex's path, plus its share of the arc length."""
        starts, path = self.segment_starts, self.paths
        steps = torch.zeros(len(self.points), dtype=torch.float64, device=self.points.device)
        steps[starts + 1] = self.segment_lengths.double()
        sums = steps.cumsum(0)
        sums = sums - sums[self.offsets[:-1]][path]
        whole = sums[self.offsets[1:] - 1][path]
        # Vertices that all coincide lie at the start; those of any other path end at exactly 1.
        return path + sums / torch.where(whole > 0, whole, 1.0)


def joined(parts: Sequence[Polylines]) -> Polylines:
    """Polylines of several arrays in one.

    Args:
        parts: At least one.

    Returns:
        All of them, in order.
    """
    counts = torch.cat([part.counts for part in parts])
    return Polylines(torch.cat([part.points for part in parts]), _offsets(counts))


def straight_lines(starts: Float[Tensor, "S ..."], ends: Float[Tensor, "S ..."], pivots: int = 0) -> Polylines:
    """Straight lines with equidistant vertices.

    Args:
        starts: Where they start.
        ends: Where they end.
        pivots: Vertices between the ends.

    Returns:
        The polylines.
    """
    points = torch.stack([starts, ends], dim=1).flatten(0, 1)
    return Polylines(points, _offsets(torch.full((len(starts),), 2, device=points.device))).resampled(pivots + 2)


def _offsets(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _between(starts: Tensor, ends: Tensor, t: Tensor) -> Tensor:
    weight = t.to(starts.dtype).reshape(-1, *(1,) * (starts.ndim - 1))
    return (1 - weight) * starts + weight * ends
