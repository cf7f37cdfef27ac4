"""Bent paths on which a network keeps a class: elastic bands and strings, all pivots of all pairs in one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.paths.band import check_share, forces, spaced
from splinescope.paths.bent import BentPaths
from splinescope.paths.certify import Check
from splinescope.paths.polyline import Polylines
from splinescope.paths.refinement import BUDGET
from splinescope.paths.search import Options, Search, Weakest
from splinescope.paths.steps import longest, polyak

Move = Callable[[Polylines, Tensor, Tensor, Tensor], Polylines]
"""A step of all paths, from the losses and gradients at their vertices and the floor of each vertex."""


def nudged_elastic_band(
    network: Network,
    x: Any,
    y: Any,
    target: Any,
    layer: int | str | None = None,
    *,
    pivots: int = 9,
    spring: float = 1.0,
    climbing: bool = True,
    box: tuple[Any, Any] | None = None,
    until: Any = "certified",
    max_steps: int = 200,
    certify_every: int = 5,
    method: str = "auto",
    verify: str = "values",
    budget: int = BUDGET,
    keep_cells: bool = False,
    tolerance: Tolerance | None = None,
    dtype: torch.dtype = torch.float32,
) -> BentPaths:
    r"""Join pairs of points by polylines on which a network keeps its class, $\arg\min_p \max_{z \in p} L(z)$.

    L is the cross-entropy of the class. Each path starts as the straight line and is returned as such where this is
    certified. Otherwise pivots are moved by the force across the path (improved tangent, see `splinescope.paths.band`)
    with Polyak's step length, and along it to keep the spacing; neither has a unit. Pivots whose loss is no
    more than that of the better end are left alone.

    A path is done when the whole polyline is certified (see `certify_polyline`), not when its pivots have the class.
    Where these have and the polyline has not, its weakest point becomes a further pivot. The search is in float32, the
    check in float64.

    Args:
        network: The network.
        x: [S, *input_shape] starts, or one start.
        y: [S, *input_shape] ends, or one end.
        target: The class of all paths, or of each.
        layer: Where the paths lie: what `splinescope.network.split` takes; None for the input.
        pivots: Vertices between the ends at the start.
        spring: Share of the unevenness of the spacing that a step removes, from 0 to 1.
        climbing: Whether the highest pivot climbs along the path.
        box: Least and greatest value of a coordinate: numbers, arrays that broadcast to the shape, or None for no
            bound.
        until: "certified", or the largest loss that each path may have, to go on to a lower barrier; no less than that
            of the worse end, which no path undercuts.
        max_steps: Steps after which to give up.
        certify_every: Steps between checks of a path that failed one.
        method: How polylines are checked: "exact", "refine" or "auto"; see `straight`.
        verify: Level of the cells' certificate.
        budget: Forward passes for each segment where the check refines.
        keep_cells: Whether to keep the cells of the final paths.
        tolerance: What counts as rounding error.
        dtype: Type in which pivots are moved.

    Returns:
        A path for each pair. Those with an end of another class are returned straight and refuted.

    Raises:
        InvalidInputError: If shapes don't fit, there is no such class or layer, both ends are one point, or an end lies
            outside of the box.
        CertificateError: If a check of the cells fails.

    Cost: in each step one gradient for each pivot of the pairs that are still open.
    """
    check_share("spring", spring)
    check = Check(method, verify, budget, keep_cells, tolerance or Tolerance())
    search = Search(network, x, y, target, layer, Options(until, max_steps, certify_every, box, dtype, check))

    def move(lines: Polylines, losses: Tensor, gradients: Tensor, floor: Tensor) -> Polylines:
        climbs = torch.full((len(lines),), climbing)
        found = forces(lines, losses, gradients, climbs)
        moves = polyak(losses, gradients, found.across, floor, longest(lines))
        return lines.moved(lines.points + moves + spaced(found, spring))

    return _relaxed(search, pivots, max_steps, certify_every, move, "band")


def string_method(
    network: Network,
    x: Any,
    y: Any,
    target: Any,
    layer: int | str | None = None,
    *,
    pivots: int = 9,
    box: tuple[Any, Any] | None = None,
    until: Any = "certified",
    max_steps: int = 200,
    certify_every: int = 5,
    method: str = "auto",
    verify: str = "values",
    budget: int = BUDGET,
    keep_cells: bool = False,
    tolerance: Tolerance | None = None,
    dtype: torch.dtype = torch.float32,
) -> BentPaths:
    """Join pairs of points by strings: pivots go downhill freely, and are put back to equal arc length after each step.

    This is the simplified string method of E, Ren and Vanden-Eijnden (2007), J. Chem. Phys. 126, 164103, with linear
    interpolation and Polyak's step length. In the limit of an infinitely stiff spring a band becomes one.

    Args:
        network: See `nudged_elastic_band`, also for all other arguments.
        x: Starts.
        y: Ends.
        target: Class or classes.
        layer: Where the paths lie.
        pivots: Vertices between the ends.
        box: Least and greatest value of a coordinate.
        until: "certified", or the largest loss.
        max_steps: Steps after which to give up.
        certify_every: Steps between checks.
        method: How polylines are checked.
        verify: Level of the cells' certificate.
        budget: Forward passes for each segment where the check refines.
        keep_cells: Whether to keep the cells.
        tolerance: What counts as rounding error.
        dtype: Type in which pivots are moved.

    Returns:
        A path for each pair.

    Raises:
        InvalidInputError: As `nudged_elastic_band`.
        CertificateError: If a check of the cells fails.
    """
    check = Check(method, verify, budget, keep_cells, tolerance or Tolerance())
    search = Search(network, x, y, target, layer, Options(until, max_steps, certify_every, box, dtype, check))

    def move(lines: Polylines, losses: Tensor, gradients: Tensor, floor: Tensor) -> Polylines:
        moves = polyak(losses, gradients, -gradients, floor, longest(lines))
        return lines.moved(search.inside(lines.points + moves)).resampled(lines.counts)

    return _relaxed(search, pivots, max_steps, certify_every, move, "string")


def _relaxed(search: Search, pivots: int, max_steps: int, certify_every: int, move: Move, method: str) -> BentPaths:
    """Move all open paths until each is done."""
    if pivots < 1:
        raise InvalidInputError(f"`pivots`: got {pivots}; expected at least 1")
    search.straight()
    lines = search.lines(pivots)
    due = torch.zeros(len(lines), dtype=torch.int64)
    for step in range(max_steps):
        if not len(lines):
            return search.result()
        inner = lines.interior
        values, part = search.gradients(lines.points[inner], search.open[lines.paths[inner]])
        ready = (search.good(values, lines.paths[inner]) & (due <= step)).nonzero()[:, 0]
        done, weakest = search.settle(lines.select(ready), search.open[ready], step, method)
        losses, gradients = _with_ends(search, lines, values.losses, part)
        due[ready[~done]] = step + certify_every
        failed = lines.offsets[ready[~done]] - ready[~done]
        weak = weakest.segments - _first_segments(lines.select(ready))[~done] + failed
        moved = move(lines, losses, gradients, search.floor[search.open][lines.paths])
        moved = moved.moved(torch.where(_wide(inner, lines.points), search.inside(moved.points), lines.points))
        moved = _with_pivots(moved, Weakest(weak, weakest.t))
        keep = torch.ones(len(lines), dtype=torch.bool)
        keep[ready[done]] = False
        left = keep.nonzero()[:, 0]
        lines, search.open, due = moved.select(left), search.open[left], due[left]
    search.finish(lines, torch.ones(len(lines), dtype=torch.bool), max_steps, method)
    return search.result()


def _with_ends(search: Search, lines: Polylines, losses: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
    """Losses and gradients at all vertices; no gradient is needed at the ends."""
    inner, ends = lines.interior, search.end_losses[search.open].to(losses.dtype)
    values, slopes = losses.new_empty(len(lines.points)), torch.zeros_like(lines.points)
    values[inner], slopes[inner] = losses, gradients
    values[lines.offsets[:-1]], values[lines.offsets[1:] - 1] = ends[:, 0], ends[:, 1]
    return values, slopes


def _with_pivots(lines: Polylines, weakest: Weakest) -> Polylines:
    """One more pivot on some segments, unless it would lie on a vertex."""
    within = (weakest.t > 0) & (weakest.t < 1)
    segments, t = weakest.segments[within], _wide(weakest.t[within].to(lines.points.dtype), lines.points)
    starts = lines.segment_starts[segments]
    return lines.inserted(segments, (1 - t) * lines.points[starts] + t * lines.points[starts + 1])


def _first_segments(lines: Polylines) -> Tensor:
    """First segment of each path."""
    return lines.offsets[:-1] - torch.arange(len(lines))


def _wide(numbers: Tensor, like: Tensor) -> Tensor:
    return numbers.reshape(-1, *(1,) * (like.ndim - 1))
