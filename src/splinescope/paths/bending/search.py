"""What all searches for bent paths share: pairs that are still open, when they are done, and what is recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.copies import placed
from splinescope.network.load import ModelLike
from splinescope.network.splits import split
from splinescope.numerics import Tolerance
from splinescope.paths.bending.bent import BentPath, BentPaths
from splinescope.paths.bending.polyline import Polylines, straight_lines
from splinescope.paths.energy import ClassEnergy, ClassValues
from splinescope.paths.pairs import ends_of, network_at, targets_of
from splinescope.paths.proof.certify import Check, PolylineCertificate, certify_polylines
from splinescope.paths.proof.refinement import BUDGET
from splinescope.tessellation.metric import check_choice

_SAMPLES = 32
"""Points of a path that are looked at, about, before all of its breakpoints are."""


class SearchOptions(TypedDict, total=False):
    """Keywords of all searches for bent paths: where to search, until when, in which type, and how paths are checked.

    Attributes:
        box: Least and greatest value of a coordinate: numbers, arrays that broadcast to the shape, or None for no
            bound.
        until: "certified", or the largest loss that each path may have, to go on to a lower barrier; no less than that
            of the worse end, which no path undercuts.
        method: How polylines are checked: "exact", "refine" or "auto"; see `straight`.
        verify: Level of the cells' certificate.
        budget: Forward passes for each segment where the check refines.
        keep_cells: Whether to keep the cells of the final paths.
        tolerance: What counts as rounding error.
        dtype: Type in which pivots are moved; checks are in float64.
        progress: Whether to show a bar on long checks.
    """

    box: tuple[Any, Any] | None
    until: Any
    method: str
    verify: str
    budget: int
    keep_cells: bool
    tolerance: Tolerance | None
    dtype: torch.dtype
    progress: bool


@dataclass(frozen=True)
class Options:
    """How bent paths are searched for: `SearchOptions` with their defaults, and numbers of steps.

    Attributes:
        max_steps: Steps after which to give up.
        certify_every: Steps between checks of a path that failed one.
    """

    max_steps: int
    certify_every: int = 1
    box: tuple[Any, Any] | None = None
    until: Any = "certified"
    method: str = "auto"
    verify: str = "values"
    budget: int = BUDGET
    keep_cells: bool = False
    tolerance: Tolerance | None = None
    dtype: torch.dtype = torch.float32
    progress: bool = False

    def __post_init__(self) -> None:
        for name, least in (("max_steps", 0), ("certify_every", 1)):
            if getattr(self, name) < least:
                raise InvalidInputError(f"`{name}`: got {getattr(self, name)}; expected at least {least}")
        if isinstance(self.until, str) and self.until != "certified":
            raise InvalidInputError(f"`until`: got {self.until!r}; expected 'certified' or a loss")
        check_choice("method", self.method, ("exact", "refine", "auto"))

    @property
    def check(self) -> Check:
        """How polylines are checked."""
        tolerance = self.tolerance or Tolerance()
        return Check(self.method, self.verify, self.budget, self.keep_cells, tolerance, self.progress)


@dataclass(frozen=True, eq=False)
class Weakest:
    """Where some paths are worst.

    Attributes:
        segments: [k] segment of each path, from 0 at its start.
        t: [k] where on it.
    """

    segments: Int[Tensor, " k"]
    t: Float[Tensor, " k"]

    def of(self, which: Tensor) -> Weakest:
        """The places on some of the paths: a mask, or numbers."""
        return Weakest(self.segments[which], self.t[which])


class Search:
    """Pairs of points, those that are still open, and what is known of the others.

    Attributes:
        energy: What is to be kept low, in the type of the search.
        open: Numbers of the pairs that are open.
        end_losses: [S, 2] loss of both ends.
        options: How to search.
        floor: [S] loss below which pivots of each pair are left alone: that of its better end.
        evaluations: [S] gradients computed for each pair.
    """

    def __init__(
        self, network: ModelLike, x: Any, y: Any, target: Any, layer: int | str | None, options: Options
    ) -> None:
        """Cut the network, and look at the ends."""
        parts = split(network_at(network, x, "x"), 0 if layer is None else layer)
        self._parts, self.options = parts, options
        self._starts, self._ends = ends_of(parts, x, y)
        count = len(self._starts)
        self._targets = targets_of(parts.after, target, count)
        self._limit = _limits(options.until, count)
        self._box = _box(options.box, parts.boundary.shape, self._starts, self._ends)
        self.energy = ClassEnergy(placed(parts.after, dtype=options.dtype), torch.from_numpy(self._targets))
        self.open = torch.arange(count)
        self.evaluations = np.zeros(count, np.int64)
        ends, exact = (
            torch.from_numpy(np.concatenate([self._starts, self._ends])),
            replace(self.energy, network=parts.after),
        )
        values = exact.values(ends, self.open.repeat(2))
        self.end_losses = values.losses.reshape(2, -1).T
        self.floor = self.end_losses.amin(1).to(options.dtype)
        if self._limit is not None:
            # No path lies lower than its worse end; the search sees that end's loss within its own rounding.
            slack = 1 + torch.finfo(options.dtype).eps ** 0.5
            self._limit = torch.maximum(self._limit, slack * self.end_losses.amax(1))
        self._hopeless = ~self._good(values, self.open.repeat(2)).reshape(2, -1).all(0)
        self._found: list[BentPath | None] = [None] * count

    def straight(self) -> None:
        """Close the pairs that the straight line joins, and those with an end where no path can be good."""
        lines = self.lines(0)
        bad, good = (which.nonzero()[:, 0] for which in (self._hopeless, ~self._hopeless))
        done, _ = self.settle(lines.select(good), good, 0, "straight")
        self.finish(lines.select(bad), bad, torch.zeros_like(bad), "straight")
        self.open = good[~done]

    def lines(self, pivots: int) -> Polylines:
        """Straight lines between the open pairs, in the type of the search."""
        rows = self.open.numpy()
        starts, ends = (torch.from_numpy(points[rows]).to(self.options.dtype) for points in (self._starts, self._ends))
        return straight_lines(starts, ends, pivots)

    def gradients(self, points: Float[Tensor, "M ..."], pairs: Int[Tensor, " M"]) -> tuple[ClassValues, Tensor]:
        """Losses, margins and gradients at points of some pairs; they are counted."""
        self.evaluations += np.bincount(pairs.numpy(), minlength=len(self.evaluations))
        return self.energy.with_gradients(points, pairs)

    def good(self, values: ClassValues, paths: Int[Tensor, " M"], pairs: Int[Tensor, " S"]) -> Bool[Tensor, " S"]:
        """Which paths, between some pairs, are good at all of their points."""
        bad = paths[~self._good(values, pairs[paths])]
        return torch.bincount(bad, minlength=len(pairs)) == 0

    def inside(self, points: Float[Tensor, "P ..."]) -> Float[Tensor, "P ..."]:
        """The nearest points of the box."""
        if self._box is None:
            return points
        return points.clamp(*(bound.to(points.dtype) for bound in self._box))

    def settle(
        self, lines: Polylines, pairs: Int[Tensor, " S"], step: int, method: str
    ) -> tuple[Bool[Tensor, " S"], Weakest]:
        """Look at a few points of whole polylines, and where these are good at all breakpoints; record what is done.

        Args:
            lines: Polylines whose vertices are good.
            pairs: Their pairs.
            step: The step.
            method: The method.

        Returns:
            Which are done, and where each is worst.
        """
        good, weakest = self.sampled(lines, pairs)
        chosen = good.nonzero()[:, 0]
        done, exact = self.checked(lines.select(chosen), pairs[chosen], torch.full_like(chosen, step), method)
        good[chosen], weakest.segments[chosen], weakest.t[chosen] = done, exact.segments, exact.t
        return good, weakest

    def sampled(self, lines: Polylines, pairs: Int[Tensor, " S"]) -> tuple[Bool[Tensor, " S"], Weakest]:
        """Which paths are good at a few points of each segment, and where each is worst among these."""
        if not len(lines):
            return torch.ones(0, dtype=torch.bool), Weakest(pairs[:0], torch.zeros(0, dtype=torch.float64))
        starts, segments = lines.segment_starts, lines.counts - 1
        each = max(1, -(-_SAMPLES // int(segments.max())))
        t = torch.arange(1, each + 1, dtype=torch.float64) / (each + 1)
        weight = t.to(lines.points.dtype).reshape(1, -1, *(1,) * (lines.points.ndim - 1))
        points = torch.lerp(lines.points[starts, None], lines.points[starts + 1, None], weight)
        owner = lines.paths[starts].repeat_interleave(each)
        values = self.energy.values(points.flatten(0, 1), pairs[owner])
        table = torch.full((len(lines), each * int(segments.max())), -torch.inf, dtype=values.losses.dtype)
        table[owner, torch.arange(len(owner)) - (each * lines.first_segments)[owner]] = values.losses
        worst = table.argmax(1)
        return self.good(values, owner, pairs), Weakest(worst // each, t[worst % each])

    def checked(
        self, lines: Polylines, pairs: Int[Tensor, " S"], steps: Int[Tensor, " S"], method: str
    ) -> tuple[Bool[Tensor, " S"], Weakest]:
        """Check whole polylines, and record those that are done.

        Args:
            lines: Polylines that look good.
            pairs: Their pairs.
            steps: Steps that each has taken.
            method: The method.

        Returns:
            Which are done, and where each is worst.
        """
        found = self._certified(lines, pairs)
        done = torch.zeros(len(lines), dtype=torch.bool)
        for path, (points, known) in enumerate(found):
            done[path] = self._enough(known, int(pairs[path]))
            if done[path]:
                self._record(int(pairs[path]), points, known, int(steps[path]), method)
        segments = torch.tensor([known.segment for _, known in found], dtype=torch.int64)
        return done, Weakest(segments, torch.tensor([known.t for _, known in found], dtype=torch.float64))

    def finish(self, lines: Polylines, pairs: Int[Tensor, " S"], steps: Int[Tensor, " S"], method: str) -> None:
        """Record paths as they are."""
        found = self._certified(lines, pairs)
        for pair, step, (points, known) in zip(pairs.tolist(), steps.tolist(), found, strict=True):
            self._record(pair, points, known, step, method)

    def result(self) -> BentPaths:
        """All paths."""
        assert all(path is not None for path in self._found)
        return BentPaths(self._parts.after, self._parts.boundary, tuple(path for path in self._found if path))

    def _good(self, values: ClassValues, pairs: Tensor) -> Tensor:
        """Points that do."""
        if self._limit is None:
            return values.margins > 0
        return values.losses <= self._limit[pairs]

    def _enough(self, known: PolylineCertificate, pair: int) -> bool:
        return known.certified if self._limit is None else known.max_loss <= float(self._limit[pair])

    def _certified(self, lines: Polylines, pairs: Tensor) -> list[tuple[np.ndarray, PolylineCertificate]]:
        """Polylines in float64, with the ends that were given, and what is known about each."""
        if not len(lines):
            return []
        rows = pairs.numpy()
        exact = lines.moved(self.inside(lines.points.double()))
        exact = exact.with_ends(torch.from_numpy(self._starts[rows]), torch.from_numpy(self._ends[rows]))
        points, offsets = exact.points.numpy(), exact.offsets.numpy()
        known = certify_polylines(self._parts.after, points, offsets, self._targets[rows], self.options.check)
        return [(exact[i].numpy().copy(), one) for i, one in enumerate(known)]

    def _record(self, pair: int, points: np.ndarray, known: PolylineCertificate, step: int, method: str) -> None:
        end_loss, cost = float(self.end_losses[pair].max()), int(self.evaluations[pair])
        self._found[pair] = BentPath(points, int(self._targets[pair]), known, end_loss, step, cost, method)


def _limits(until: Any, count: int) -> Tensor | None:
    """Largest loss of each path; None where certificates are wanted."""
    if isinstance(until, str):
        return None
    limits = np.asarray(until, np.float64)
    if limits.ndim > 1 or limits.size not in (1, count) or not (limits > 0).all():
        raise InvalidInputError(f"`until`: got {until!r}; expected 'certified' or positive losses, one or {count}")
    return torch.from_numpy(np.broadcast_to(limits.reshape(-1), (count,)).copy())


def _box(
    box: tuple[Any, Any] | None, shape: tuple[int, ...], starts: np.ndarray, ends: np.ndarray
) -> tuple[Tensor, Tensor] | None:
    """Bounds of each coordinate; all ends must lie within."""
    if box is None:
        return None
    sides = (-np.inf if box[0] is None else box[0], np.inf if box[1] is None else box[1])
    try:
        low, high = (np.broadcast_to(np.asarray(side, np.float64), shape).copy() for side in sides)
    except ValueError as error:
        raise InvalidInputError(f"`box`: {error}; expected bounds that broadcast to {shape}") from error
    for name, points in (("x", starts), ("y", ends)):
        outside = np.flatnonzero(((points < low) | (points > high)).reshape(len(points), -1).any(axis=1))
        if len(outside):
            raise InvalidInputError(
                f"`{name}`: point {outside[0]} lies outside of `box`; give the range of your inputs"
            )
    return torch.from_numpy(low), torch.from_numpy(high)
