"""Bent paths on which a network keeps a class: elastic bands and strings, all pivots of all pairs in one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import torch
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.load import ModelLike
from splinescope.paths.bending.band import check_share, forces, spaced
from splinescope.paths.bending.bent import BentPaths
from splinescope.paths.bending.polyline import Polylines, joined
from splinescope.paths.bending.search import Options, Search, SearchOptions, Weakest
from splinescope.paths.bending.steps import longest, polyak

Move = Callable[[Polylines, Tensor, Tensor, Tensor], Polylines]
"""A step of all paths, from the losses and gradients at their vertices and the floor of each vertex."""


def nudged_elastic_band(
    network: ModelLike,
    x: Any,
    y: Any,
    target: Any,
    layer: int | str | None = None,
    *,
    pivots: int = 9,
    spring: float = 1.0,
    climbing: bool = True,
    max_steps: int = 200,
    certify_every: int = 5,
    **options: Unpack[SearchOptions],
) -> BentPaths:
    r"""Join pairs of points by polylines on which a network keeps its class, $\arg\min_p \max_{z \in p} L(z)$.

    L is the cross-entropy of the class. Each path starts as the straight line and is returned as such where this is
    certified. Otherwise pivots are moved by the force across the path (improved tangent, see `minimise_band`) with
    Polyak's step length, and along it to keep the spacing; neither has a unit. Pivots whose loss is no more than that
    of the better end are left alone.

    A path is done when the whole polyline is certified (see `certify_polyline`), not when its pivots have the class.
    Where these have and the polyline has not, its weakest point becomes a further pivot. The search is in float32, the
    check in float64.

    Args:
        network: The network; or a module or the path of a file, which is imported with the points' shape where it does
            not tell its own.
        x: [S, *input_shape] starts, or one start.
        y: [S, *input_shape] ends, or one end.
        target: The class of all paths, or of each.
        layer: Where the paths lie: what `splinescope.network.split` takes; None for the input.
        pivots: Vertices between the ends at the start.
        spring: Share of the unevenness of the spacing that a step removes, from 0 to 1.
        climbing: Whether the highest pivot climbs along the path.
        max_steps: Steps after which to give up.
        certify_every: Steps between checks of a path that failed one.
        **options: The box, when a path is done, the type, and how paths are checked: see `SearchOptions`.

    Returns:
        A path for each pair. Those with an end of another class are returned straight and refuted.

    Raises:
        InvalidInputError: If shapes don't fit, there is no such class or layer, both ends are one point, or an end lies
            outside of the box.
        CertificateError: If a check of the cells fails.

    Cost: in each step one gradient for each pivot of the pairs that are still open.

    Example:
        Around the square $|x| + |y| < 1$, on which the class is another one:

        >>> import splinescope, torch
        >>> up, down = torch.nn.Linear(2, 4, bias=False), torch.nn.Linear(4, 1)
        >>> up.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> down.weight.data, down.bias.data = torch.ones(1, 4), torch.tensor([-1.0])
        >>> network = splinescope.load(torch.nn.Sequential(up, torch.nn.ReLU(), down))
        >>> paths = nudged_elastic_band(network, [-2.0, 0.1], [2.0, 0.3], 1)
        >>> paths.verdicts.tolist(), paths[0].length > 4
        (['certified'], True)
    """
    check_share("spring", spring)
    search = Search(network, x, y, target, layer, Options(max_steps, certify_every, **options))

    def move(lines: Polylines, losses: Tensor, gradients: Tensor, floor: Tensor) -> Polylines:
        climbs = torch.full((len(lines),), climbing)
        found = forces(lines, losses, gradients, climbs)
        moves = polyak(losses, gradients, found.across, floor, longest(lines))
        return lines.moved(lines.points + moves + spaced(found, spring))

    return _relaxed(search, pivots, move, "band")


def string_method(
    network: ModelLike,
    x: Any,
    y: Any,
    target: Any,
    layer: int | str | None = None,
    *,
    pivots: int = 9,
    max_steps: int = 200,
    certify_every: int = 5,
    **options: Unpack[SearchOptions],
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
        max_steps: Steps after which to give up.
        certify_every: Steps between checks of a path that failed one.
        **options: The box, when a path is done, the type, and how paths are checked: see `SearchOptions`.

    Returns:
        A path for each pair.

    Raises:
        InvalidInputError: As `nudged_elastic_band`.
        CertificateError: If a check of the cells fails.

    Source: E, Ren and Vanden-Eijnden (2007), as above.

    Cost: in each step one gradient for each pivot of the pairs that are still open.

    Example:
        Around the square $|x| + |y| < 1$, on which the class is another one:

        >>> import splinescope, torch
        >>> up, down = torch.nn.Linear(2, 4, bias=False), torch.nn.Linear(4, 1)
        >>> up.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> down.weight.data, down.bias.data = torch.ones(1, 4), torch.tensor([-1.0])
        >>> network = splinescope.load(torch.nn.Sequential(up, torch.nn.ReLU(), down))
        >>> string_method(network, [-2.0, 0.1], [2.0, 0.3], 1).verdicts.tolist()
        ['certified']
    """
    search = Search(network, x, y, target, layer, Options(max_steps, certify_every, **options))

    def move(lines: Polylines, losses: Tensor, gradients: Tensor, floor: Tensor) -> Polylines:
        moves = polyak(losses, gradients, -gradients, floor, longest(lines))
        return lines.moved(search.inside(lines.points + moves)).resampled(lines.counts)

    return _relaxed(search, pivots, move, "string")


@dataclass(frozen=True, eq=False)
class _Bands:
    """Paths on their way.

    Attributes:
        lines: The paths.
        pairs: [S] the pair that each joins.
        steps: [S] steps that each has taken.
        due: [S] steps before which none is checked.
    """

    lines: Polylines
    pairs: Tensor
    steps: Tensor
    due: Tensor

    def __len__(self) -> int:
        return len(self.pairs)

    def select(self, which: Tensor) -> _Bands:
        """Some of them: a mask."""
        if bool(which.all()):
            return self
        return _Bands(self.lines.select(which.nonzero()[:, 0]), self.pairs[which], self.steps[which], self.due[which])

    def with_pivots(self, which: Tensor, weakest: Weakest, later: int) -> _Bands:
        """One more pivot on some paths, unless it would lie on a vertex; they are due again some steps later."""
        due = self.due.clone()
        due[which] = self.steps[which] - 1 + later
        within = (weakest.t > 0) & (weakest.t < 1)
        segments = (weakest.segments + self.lines.first_segments[which])[within]
        t = _wide(weakest.t[within].to(self.lines.points.dtype), self.lines.points)
        starts = self.lines.segment_starts[segments]
        points = (1 - t) * self.lines.points[starts] + t * self.lines.points[starts + 1]
        return replace(self, lines=self.lines.inserted(segments, points), due=due)


@dataclass(frozen=True, eq=False)
class _Round:
    """What came of paths that were moved until each looked good.

    Attributes:
        good: Those that do.
        after: The same after one more step, to go on with if a check fails.
        over: Those that have taken all steps.
    """

    good: list[_Bands] = field(default_factory=list)
    after: list[_Bands] = field(default_factory=list)
    over: list[_Bands] = field(default_factory=list)


def _joined(parts: list[_Bands]) -> _Bands:
    """Some paths and others."""
    numbers = (torch.cat([getattr(part, name) for part in parts]) for name in ("pairs", "steps", "due"))
    return _Bands(joined([part.lines for part in parts]), *numbers)


def _relaxed(search: Search, pivots: int, move: Move, method: str) -> BentPaths:
    """Move all open paths until each is done.

    Checks wait until every path looks good at samples, so that all are checked at once.
    """
    if pivots < 1:
        raise InvalidInputError(f"`pivots`: got {pivots}; expected at least 1")
    search.straight()
    zeros = torch.zeros_like(search.open)
    bands, over = _Bands(search.lines(pivots), search.open, zeros, zeros), list[_Bands]()
    while len(bands):
        found = _until_good(search, bands, move)
        over += found.over
        if not found.good:
            break
        good, after = _joined(found.good), _joined(found.after)
        done, weakest = search.checked(good.lines, good.pairs, good.steps, method)
        bands = after.select(~done)
        bands = bands.with_pivots(torch.arange(len(bands)), weakest.of(~done), search.options.certify_every)
    if over:
        last = _joined(over)
        search.finish(last.lines, last.pairs, last.steps, method)
    return search.result()


def _until_good(search: Search, bands: _Bands, move: Move) -> _Round:
    """Move paths until each looks good at samples, or has taken all steps."""
    found = _Round()
    while len(bands):
        spent = bands.steps >= search.options.max_steps
        found.over.append(bands.select(spent))
        bands = bands.select(~spent)
        if not len(bands):
            break
        lines, pairs, inner = bands.lines, bands.pairs, bands.lines.interior
        values, part = search.gradients(lines.points[inner], pairs[lines.paths[inner]])
        ready = search.good(values, lines.paths[inner], pairs) & (bands.due <= bands.steps)
        chosen = bands.select(ready)
        good, weakest = search.sampled(chosen.lines, chosen.pairs)
        losses, gradients = _with_ends(search, bands, values.losses, part)
        moved = move(lines, losses, gradients, search.floor[pairs[lines.paths]])
        kept = torch.where(_wide(inner, lines.points), search.inside(moved.points), lines.points)
        after = replace(bands, lines=lines.moved(kept), steps=bands.steps + 1)
        rows = ready.nonzero()[:, 0]
        looks = torch.zeros_like(ready)
        looks[rows[good]] = True
        found.good.append(bands.select(looks))
        found.after.append(after.select(looks))
        bands = after.with_pivots(rows[~good], weakest.of(~good), search.options.certify_every).select(~looks)
    return found


def _with_ends(search: Search, bands: _Bands, losses: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
    """Losses and gradients at all vertices; no gradient is needed at the ends."""
    lines, inner = bands.lines, bands.lines.interior
    ends = search.end_losses[bands.pairs].to(losses.dtype)
    values, slopes = losses.new_empty(len(lines.points)), torch.zeros_like(lines.points)
    values[inner], slopes[inner] = losses, gradients
    values[lines.offsets[:-1]], values[lines.offsets[1:] - 1] = ends[:, 0], ends[:, 1]
    return values, slopes


def _wide(numbers: Tensor, like: Tensor) -> Tensor:
    return numbers.reshape(-1, *(1,) * (like.ndim - 1))
