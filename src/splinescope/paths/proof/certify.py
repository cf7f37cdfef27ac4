"""Whether a network keeps its class on whole polylines, not only at their vertices."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.inputs import in_shape
from splinescope.network.load import ModelLike, as_network
from splinescope.numerics import Tolerance
from splinescope.paths.energy import ClassEnergy
from splinescope.paths.pairs import EXACT_UNITS
from splinescope.paths.proof.exact import exact_margins
from splinescope.paths.proof.refinement import BUDGET, margins_at, refine
from splinescope.paths.proof.results import CERTIFIED, REFUTED, UNDECIDED
from splinescope.paths.proof.rounding import margin_rounding
from splinescope.shown import Shown
from splinescope.tessellation.certificate import Certificate
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.metric import check_choice
from splinescope.tessellation.segments import SegmentBatch


@dataclass(frozen=True)
class Check:
    """How polylines are checked.

    Attributes:
        method: "exact", "refine" or "auto", as in `straight`.
        verify: Level of the cells' certificate.
        budget: Forward passes for each segment where the method is "refine".
        keep_cells: Whether to keep the cells.
        tolerance: What counts as rounding error.
        progress: Whether to show a bar on long work.
    """

    method: str = "auto"
    verify: str = "values"
    budget: int = BUDGET
    keep_cells: bool = False
    tolerance: Tolerance = field(default_factory=Tolerance)
    progress: bool = False

    def __post_init__(self) -> None:
        check_choice("method", self.method, ("exact", "refine", "auto"))

    def exact(self, network: Network) -> bool:
        """Whether all breakpoints of a network are listed."""
        return self.method == "exact" or (self.method == "auto" and network.num_units <= EXACT_UNITS)


@dataclass(frozen=True, eq=False)
class PolylineCertificate(Shown):
    r"""What is known about the margin and the loss of a class on a whole polyline.

    Between breakpoints the margin is concave and cross-entropy is convex, so that both are worst at breakpoints.

    Attributes:
        verdict: "certified": the class leads on the whole polyline, by more than float64 rounds. "refuted": at `t` of
            the segment `segment` it does not. "undecided": neither was shown.
        minimum_margin: Least margin; the least one seen where the method was "refine".
        margin_bound: What the margin is proved not to be below.
        segment: Segment with the least margin.
        t: Where on it that is.
        max_loss: Largest cross-entropy, in nats; the largest one seen where the method was "refine".
        loss_bound: What the cross-entropy is proved not to exceed.
        margins: [K - 1] least margin of each segment.
        losses: [K - 1] largest loss of each.
        rounding: How far a float32 model's margin may be from the exact one.
        method: "exact" or "refine".
        certificate: What was verified about the cells (of all polylines that were checked together).
        cells: The cells of the segments that have a length, if they were kept.
    """

    verdict: str
    minimum_margin: float
    margin_bound: float
    segment: int
    t: float
    max_loss: float
    loss_bound: float
    margins: Float[np.ndarray, " segments"]
    losses: Float[np.ndarray, " segments"]
    rounding: float
    method: str
    certificate: Certificate | None = None
    cells: SegmentBatch | None = None

    @property
    def certified(self) -> bool:
        """Whether the class was proved to lead everywhere."""
        return self.verdict == CERTIFIED


def certify_polyline(
    network: ModelLike,
    points: Any,
    target: int,
    *,
    method: str = "auto",
    verify: str = "values",
    budget: int = BUDGET,
    keep_cells: bool = False,
) -> PolylineCertificate:
    """Decide whether a class leads on a whole polyline.

    Args:
        network: The network (its rest behind a layer, for polylines there); or a module or the path of a file.
        points: [K, *input_shape] vertices; each may be flat.
        target: The class.
        method: "exact" lists all breakpoints, "refine" bounds margins; see `straight`.
        verify: Level of the certificate of the cells.
        budget: Forward passes for each segment where the method is "refine".
        keep_cells: Whether to keep the cells of the method "exact".

    Returns:
        The certificate.

    Raises:
        InvalidInputError: If shapes don't fit, there is no such class, or all points are one.
        CertificateError: If a check of the cells fails.

    Cost: "exact" that of `tessellate_segments` and a forward pass at each breakpoint; "refine" at most `budget` forward
    passes for each segment.

    Example:
        From -1 to 1 straight through zero abs(x) is not positive, and between two vertices a sample may miss it:

        >>> import splinescope, torch
        >>> up, down = torch.nn.Linear(1, 2, bias=False), torch.nn.Linear(2, 1, bias=False)
        >>> net = torch.nn.Sequential(up, torch.nn.ReLU(), down)
        >>> for p, v in zip(net.parameters(), ([[1.0], [-1.0]], [[1.0, 1.0]]), strict=True):
        ...     p.data = torch.tensor(v)
        >>> known = certify_polyline(splinescope.load(net), [[-3.0], [-1.0], [1.0]], 1)
        >>> known.verdict, known.segment, known.t, known.margins.tolist()
        ('refuted', 1, 0.5, [1.0, 0.0])
    """
    given = finite("points", points)
    network = as_network(network, given.shape[1:])
    vertices = in_shape(given, network.input_shape, batched=True) if len(given) > 1 else None
    if vertices is None:
        expected = ", ".join(["K", *map(str, network.input_shape)])
        raise InvalidInputError(f"`points`: got shape {given.shape}; expected [{expected}] with K at least 2")
    classes = max(2, math.prod(network.output_shape))
    if not 0 <= target < classes:
        raise InvalidInputError(f"`target`: got {target}; expected a class from 0 to {classes - 1}")
    check = Check(method, verify, budget, keep_cells)
    return certify_polylines(network, vertices, np.array([0, len(vertices)]), np.array([target]), check)[0]


def certify_polylines(
    network: Network,
    points: Float[np.ndarray, "P ..."],
    offsets: Int[np.ndarray, " _"],
    targets: Int[np.ndarray, " S"],
    check: Check,
) -> list[PolylineCertificate]:
    """Decide it for many polylines at once.

    Args:
        network: The network.
        points: [P, *input_shape] vertices of all polylines.
        offsets: [S + 1] where each begins.
        targets: The class of each.
        check: How.

    Returns:
        One certificate for each.
    """
    targets = np.asarray(targets, np.int64)
    first = np.ones(len(points), bool)
    first[offsets[1:] - 1] = False
    starts = np.flatnonzero(first)
    path = np.repeat(np.arange(len(targets)), np.diff(offsets) - 1)
    long = (points[starts] != points[starts + 1]).reshape(len(starts), -1).any(axis=1)
    if (np.bincount(path[long], minlength=len(targets)) == 0).any():
        raise InvalidInputError("`points`: all vertices of a polyline are the same point")
    rows, ends = starts[long], starts[long] + 1
    seen = _seen(network, points[rows], points[ends], targets[path[long]], check)
    # A segment without length is an end of its neighbours, which say all about it.
    spread = [np.full(len(starts), fill) for fill in (np.inf, np.inf, -np.inf, -np.inf, 0.0, 0.0)]
    for whole, part in zip(spread, seen.numbers, strict=True):
        whole[long] = part
    verdicts = np.full(len(starts), CERTIFIED, dtype=object)
    verdicts[long] = seen.verdicts
    limits = np.cumsum([0, *(np.diff(offsets) - 1)])
    kept = np.concatenate([[0], np.cumsum(long)])
    return [_one(spread, verdicts, seen, slice(low, high), kept) for low, high in pairwise(limits)]


@dataclass(frozen=True, eq=False)
class _Seen:
    """Verdicts of segments, and their margin, its bound, loss, its bound, place and float32 rounding."""

    verdicts: np.ndarray
    numbers: tuple[np.ndarray, ...]
    method: str
    certificate: Certificate | None = None
    cells: SegmentBatch | None = None


def _seen(network: Network, starts: np.ndarray, ends: np.ndarray, targets: np.ndarray, check: Check) -> _Seen:
    """What is known about segments."""
    known = margin_rounding(network, starts, ends, targets, check.tolerance)
    if not check.exact(network):
        found = refine(network, starts, ends, targets, budget=check.budget, rounding=known, progress=check.progress)
        most = math.log(max(1, math.prod(network.output_shape) - 1))
        bound = np.logaddexp(0.0, most - found.bound)
        places = (np.zeros(len(starts)), found.t, np.ones(len(starts)))
        loss = np.max([_losses(network, starts, ends, targets, t) for t in places], axis=0)
        return _Seen(found.verdicts, (found.minimum, found.bound, loss, bound, found.t, known.float32), "refine")
    cells = exact_margins(network, starts, ends, targets, known.float64, check.verify, check.keep_cells, check.progress)
    verdicts = np.full(len(starts), CERTIFIED, dtype=object)
    off = cells.confirmed.bound
    small = np.flatnonzero(~(cells.confirmed.leads & (cells.minimum > off)))
    if len(small):
        least, _ = margins_at(network, starts, ends, targets, small, cells.t[small])
        verdicts[small] = np.where(least <= 0, REFUTED, UNDECIDED)
    # The loss changes by at most as much as a margin does.
    numbers = (cells.minimum, cells.minimum - off, cells.losses, cells.losses + off, cells.t)
    return _Seen(verdicts, (*numbers, known.float32), "exact", cells.certificate, cells.batch)


def _losses(network: Network, starts: np.ndarray, ends: np.ndarray, targets: np.ndarray, t: np.ndarray) -> np.ndarray:
    weight = t.reshape(-1, *(1,) * (starts.ndim - 1))
    points = torch.from_numpy((1 - weight) * starts + weight * ends)
    return ClassEnergy(network, torch.from_numpy(targets)).values(points, torch.arange(len(points))).losses.numpy()


def _one(
    spread: list[np.ndarray], verdicts: np.ndarray, seen: _Seen, rows: slice, kept: np.ndarray
) -> PolylineCertificate:
    """One polyline's certificate from those of its segments."""
    margin, bound, loss, loss_bound, t, rounding = (values[rows] for values in spread)
    worst = int(margin.argmin())
    found = set(verdicts[rows])
    verdict = REFUTED if REFUTED in found else UNDECIDED if UNDECIDED in found else CERTIFIED
    own = np.arange(int(kept[rows.start]), int(kept[rows.stop]))
    return PolylineCertificate(
        verdict,
        float(margin[worst]),
        float(bound.min()),
        worst,
        float(t[worst]),
        float(loss.max()),
        float(loss_bound.max()),
        margin,
        loss,
        float(rounding.max()),
        seen.method,
        seen.certificate,
        None if seen.cells is None else seen.cells.select(own),
    )
