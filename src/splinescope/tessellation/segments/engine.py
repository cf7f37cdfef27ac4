"""The exact cells of a network along segments, one or thousands at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock

import numpy as np
from numpy.typing import ArrayLike

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.inputs import in_shape
from splinescope.network.load import ModelLike, as_network
from splinescope.numerics import Tolerance, available_memory, in_blocks, number_of_threads
from splinescope.profiling import spent
from splinescope.progress import reporting
from splinescope.tessellation.arguments import question
from splinescope.tessellation.certificate import certified
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.domains import Segment
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.segments.arbiter import Tally
from splinescope.tessellation.segments.assembly import FinishedSegments, join
from splinescope.tessellation.segments.batch import SegmentBatch, Segments, batch_of
from splinescope.tessellation.segments.certificate import certify_segments
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.grouping import groups_of, reordered
from splinescope.tessellation.segments.routing import doubtful_distances
from splinescope.tessellation.segments.run import SegmentsRun
from splinescope.tessellation.segments.steps import SegmentsPlan

_LARGEST_BUDGET = 1 << 29
"""Bytes of values beyond which more of them at once save no time."""
_TOGETHER = 256
"""Segments that one thread takes through the network together, at least, if there are that many."""


def tessellate_segment(
    network: ModelLike,
    segment: Segment,
    *,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    tolerance: Tolerance | None = None,
    progress: bool | Callable[[float, int], None] = False,
) -> SegmentComplex:
    """The cells of a network along one segment; `tessellate` calls this.

    Args:
        network: The network, or a module or file of one.
        segment: The segment.
        verify: Level of the certificate.
        max_cells: Find only so many cells, those at the start of the segment; the result then says `truncated` and
            which interval it covers.
        memory_budget: Bytes for values at breakpoints.
        tolerance: What is in doubt, and is decided in exact arithmetic.
        progress: Progress bar, or a function of (share done, cells found).

    Returns:
        The complex, with its certificate.

    Raises:
        InvalidInputError: If the segment's input shape is not the network's, or an option is out of range.
        CertificateError: If a check fails; it names the cells.

    Cost: that of `tessellate_segments` for one segment.

    Example:
        >>> import torch
        >>> from splinescope.network import from_torch
        >>> network = from_torch(torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.ReLU()), input_shape=(1,))
        >>> cells = tessellate_segment(network, Segment([-9.0], [9.0]))
        >>> len(cells) == 1 + len(cells.breakpoints) <= 4
        True
    """
    asked = question(network, segment, verify, max_cells, memory_budget)
    domain = Segments(asked.domain.embed(np.array([[0.0]])), asked.domain.embed(np.array([[1.0]])))
    options = (max_cells, memory_budget, tolerance, progress)
    cells = replace(_tessellated(asked.network, domain, *options)[0], domain=asked.domain)
    return certified(cells, verify)


def tessellate_segments(
    network: ModelLike,
    starts: ArrayLike,
    ends: ArrayLike,
    *,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    tolerance: Tolerance | None = None,
    progress: bool | Callable[[float, int], None] = False,
) -> SegmentBatch:
    """The cells of a network along many segments at once.

    Args:
        network: The network; or a module or the path of a file, which is imported with the points' shape where it does
            not tell its own.
        starts: [S, *input_shape] starts of the segments; each may be flat.
        ends: [S, *input_shape] their ends.
        verify: Level of the certificate: see `tessellate`.
        max_cells: Find only so many cells of each segment, those at its start; `truncated` then says of which segments
            cells are missing.
        memory_budget: Bytes for values at breakpoints; by default a quarter of the free memory or 512 MiB.
        tolerance: What is in doubt, and is decided in exact arithmetic.
        progress: Show a progress bar on long work, or a function of (share done, cells found).

    Returns:
        The cells of all segments, with one certificate.

    Raises:
        InvalidInputError: If the shapes don't fit, a number is not finite, or a segment has no length.
        CertificateError: If a check fails; it names the cells.

    Cost: of each layer one product for each breakpoint of the layers before the last one, and two columns of its matrix
    for each breakpoint of the last one; without certificate less than evaluating the network at all breakpoints.

    Example:
        >>> import torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU())
        >>> _ = module[0].weight.data.fill_(1.0), module[0].bias.data.zero_()
        >>> tessellate_segments(module, [[-1.0], [1.0]], [[1.0], [2.0]]).cells_per_segment.tolist()
        [2, 1]
    """
    a, b = finite("starts", starts), finite("ends", ends)
    network = as_network(network, a.shape[1:])
    a, b = points_of(network, "starts", a), points_of(network, "ends", b)
    if len(a) != len(b):
        raise InvalidInputError(f"`starts`, `ends`: got {len(a)} and {len(b)} points; expected as many")
    same = np.flatnonzero((a == b).reshape(len(a), -1).all(axis=1))
    if len(same):
        raise InvalidInputError(f"`starts`, `ends`: both ends of segment {same[0]} are the same point")
    question(network, Segment(a[0], b[0]), verify, max_cells, memory_budget)
    batch = _tessellated(network, Segments(a, b), max_cells, memory_budget, tolerance, progress)
    with spent("checking"):
        return replace(batch, certificate=certify_segments(batch, verify))


def points_of(network: Network, name: str, points: np.ndarray) -> np.ndarray:
    """A batch of points in a network's input shape.

    Args:
        network: The network.
        name: The argument, for the error.
        points: [S, *input_shape] or [S, n_in] finite numbers.

    Returns:
        [S, *input_shape].

    Raises:
        InvalidInputError: If they have another shape, or there are none.
    """
    shaped = in_shape(points, network.input_shape, batched=True) if points.ndim > 1 and len(points) else None
    if shaped is None:
        expected = ", ".join(["S", *map(str, network.input_shape)])
        raise InvalidInputError(f"`{name}`: got shape {points.shape}; expected [{expected}] with S at least 1")
    return shaped


def _tessellated(
    network: Network,
    domain: Segments,
    max_cells: int | None,
    memory_budget: int | None,
    tolerance: Tolerance | None,
    progress: bool | Callable[[float, int], None],
) -> SegmentBatch:
    """All cells, without certificate."""
    plan, tally = SegmentsPlan.of(network, tolerance or Tolerance()), Tally()
    budget = memory_budget or min(available_memory() // 4, _LARGEST_BUDGET)
    starts, ends = (points.reshape(len(domain), -1) for points in (domain.starts, domain.ends))
    with spent("cutting"), reporting(progress) as report:
        if len(domain) == 1:
            finished = SegmentsRun(plan, budget, max_cells, report, tally=tally).through_network(starts, ends)
        else:
            groups = groups_of(starts, ends)
            done = _Done(report, len(domain), tally)
            parts: list[FinishedSegments] = []
            for group in groups:
                first = sum(len(part.segments) for part in parts)
                parts += _in_blocks(plan, starts[group], ends[group], first, budget, max_cells, done)
            finished = join(parts)
            if len(groups) > 1:
                finished = reordered(finished, np.argsort(np.concatenate(groups)))
    decisions = Decisions(tally.signs, tally.exact, undecided=tally.undecided)
    return batch_of(finished, network, domain, plan.tolerance, decisions)


class _Done:
    """Counts finished segments, on any thread."""

    def __init__(self, report: Callable[[float, int], None], segments: int, tally: Tally) -> None:
        self._report = report
        self._tally = tally
        self._segments = segments
        self._lock = Lock()
        self._done = self._cells = 0

    def add(self, finished: FinishedSegments, tally: Tally) -> None:
        """Note some finished segments, and report."""
        with self._lock:
            self._tally.add(tally)
            self._done += len(finished.segments)
            self._cells += len(finished.t) - len(finished.segments)
            self._report(self._done / self._segments, self._cells)


def _in_blocks(
    plan: SegmentsPlan,
    starts: np.ndarray,
    ends: np.ndarray,
    first: int,
    budget: int,
    max_cells: int | None,
    done: _Done,
) -> list[FinishedSegments]:
    """Every thread takes some segments through the whole network."""
    share = max(1, budget // number_of_threads())
    together = max(1, min(_TOGETHER, len(starts) // number_of_threads()))
    bounds = doubtful_distances(plan.network, starts, ends, plan.tolerance)

    def block(start: int, stop: int) -> list[FinishedSegments]:
        found = []
        for low in range(start, stop, together):
            high = min(low + together, stop)
            run = SegmentsRun(plan, share, max_cells, bounds=bounds)
            found.append(run.through_network(starts[low:high], ends[low:high], first + low))
            done.add(found[-1], run.tally)
        return found

    return [part for found in in_blocks(block, len(starts), grain=together) for part in found]
