"""Paths of few segments: the point where a polyline is worst is moved until it is good, and becomes a vertex."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.load import ModelLike
from splinescope.paths.bending.bent import BentPaths
from splinescope.paths.bending.polyline import Polylines
from splinescope.paths.bending.search import Options, Search, SearchOptions, Weakest
from splinescope.paths.bending.steps import polyak

_REACH = 0.25
"""Longest step, as a share of the length of the segment."""
_CLOSEST = 2.0**-10
"""Nearest that a new vertex may come to the end of its segment, as a share of the segment."""


def insert_highest(
    network: ModelLike,
    x: Any,
    y: Any,
    target: Any,
    layer: int | str | None = None,
    *,
    bends: int = 16,
    max_steps: int = 20,
    **options: Unpack[SearchOptions],
) -> BentPaths:
    """Join pairs of points by polylines with as few vertices as this greedy method finds.

    The worst point of the polyline is moved downhill, in the hyperplane through it that is orthogonal to its segment,
    and becomes a vertex; and so on until the whole polyline is certified (Vrabel et al. 2025, Input space mode
    connectivity, arXiv 2409.05800). All pairs advance together.

    Args:
        network: See `nudged_elastic_band`, also for the arguments that are not explained here.
        x: Starts.
        y: Ends.
        target: Class or classes.
        layer: Where the paths lie.
        bends: Vertices that are inserted into a path at most.
        max_steps: Steps in which one point is moved.
        **options: The box, on which points are projected, if need be off the hyperplane; when a path is done, the type,
            and how paths are checked: see `SearchOptions`.

    Returns:
        A path for each pair; `steps` counts the vertices that were inserted.

    Raises:
        InvalidInputError: As `nudged_elastic_band`.
        CertificateError: If a check of the cells fails.

    Cost: for each vertex that is inserted a check of the polyline, and at most `max_steps` gradients.

    Example:
        Around the square $|x| + |y| < 1$, on which the class is another one, one bend is enough:

        >>> import splinescope, torch
        >>> up, down = torch.nn.Linear(2, 4, bias=False), torch.nn.Linear(4, 1)
        >>> up.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> down.weight.data, down.bias.data = torch.ones(1, 4), torch.tensor([-1.0])
        >>> network = splinescope.load(torch.nn.Sequential(up, torch.nn.ReLU(), down))
        >>> paths = insert_highest(network, [-2.0, 0.1], [2.0, 0.3], 1)
        >>> paths.verdicts.tolist(), len(paths[0].points)
        (['certified'], 3)
    """
    if bends < 0:
        raise InvalidInputError(f"`bends`: got {bends}; expected at least 0")
    search = Search(network, x, y, target, layer, Options(max_steps, **options))
    search.straight()
    lines = search.lines(0)
    for bend in range(bends + 1):
        done, weakest = search.settle(lines, search.open, bend, "insertion")
        left = (~done).nonzero()[:, 0]
        lines, weakest, search.open = lines.select(left), weakest.of(left), search.open[left]
        if not len(lines) or bend == bends:
            break
        lowered = _lowered(search, lines, weakest, max_steps)
        lines = lines.inserted(weakest.segments + lines.first_segments, lowered)
    search.finish(lines, search.open, torch.full_like(search.open, bends), "insertion")
    return search.result()


def _lowered(search: Search, lines: Polylines, weakest: Weakest, max_steps: int) -> Float[Tensor, "S ..."]:
    """The best points found from the worst point of each path, in the hyperplane orthogonal to its segment."""
    segments = weakest.segments + lines.first_segments
    starts = lines.points[lines.segment_starts[segments]]
    ends = lines.points[lines.segment_starts[segments] + 1]
    t = weakest.t.clamp(_CLOSEST, 1 - _CLOSEST).to(starts.dtype)
    points = (1 - _wide(t, starts)) * starts + _wide(t, starts) * ends
    lengths = lines.segment_lengths[segments]
    along = (ends - starts) / _wide(torch.where(lengths > 0, lengths, 1.0), starts)
    enough, floor = search.end_losses[search.open].amax(1).to(t.dtype), search.floor[search.open]
    best, lowest, rows = points.clone(), torch.full_like(t, torch.inf), torch.arange(len(points))
    for _ in range(max_steps + 1):
        values, gradients = search.gradients(points[rows], search.open[rows])
        better = values.losses < lowest[rows]
        best[rows[better]], lowest[rows[better]] = points[rows[better]], values.losses[better]
        # A point that is as good as the worse end does not raise the path's loss.
        going = values.losses > enough[rows]
        rows, gradients, losses = rows[going], gradients[going], values.losses[going]
        if not len(rows):
            break
        slope = (gradients * along[rows]).flatten(1).sum(1)
        force = _wide(slope, gradients) * along[rows] - gradients
        moves = polyak(losses, gradients, force, floor[rows], _REACH * lengths[rows])
        points[rows] = search.inside(points[rows] + moves)
    return best


def _wide(numbers: Tensor, like: Tensor) -> Tensor:
    return numbers.reshape(-1, *(1,) * (like.ndim - 1))
