"""Take segments through a network, depth first, so that memory stays bounded.

Intervals are refined node by node: after each fold the values at all breakpoints so far are needed for the next layer.
When they would exceed the memory budget, the segments at hand are halved, and a single segment at its middle
breakpoint; the first half is finished before the second goes on. A border is a breakpoint that is there anyway, so that
the parts join without a seam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from splinescope.tessellation.calibration import Calibration
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.segments.arbiter import Arbiter, Tally
from splinescope.tessellation.segments.assembly import FinishedSegments, finish, join
from splinescope.tessellation.segments.grouping import terms_of
from splinescope.tessellation.segments.part import Numbers, SegmentsPart, halves_of, start_of
from splinescope.tessellation.segments.placement import place
from splinescope.tessellation.segments.routing import doubt_safety, doubtful_distances
from splinescope.tessellation.segments.steps import SegmentsPlan, Work, advance
from splinescope.tessellation.segments.values import SettledValues


@dataclass
class SegmentsRun:
    """State of the tessellation of some segments, on one thread.

    Attributes:
        plan: The network.
        memory_budget: Bytes for values at points.
        max_cells: Largest number of cells of each segment, or None.
        report: What to call with the share done and the cells found.
        bounds: What is in doubt at each node; measured on the segments if None.
        tally: How facts were decided so far.
    """

    plan: SegmentsPlan
    memory_budget: int
    max_cells: int | None = None
    report: Callable[[float, int], None] = lambda share, cells: None
    bounds: tuple[Bounds, ...] | None = None
    tally: Tally = field(default_factory=Tally)

    def through_network(self, starts: np.ndarray, ends: np.ndarray, first: int = 0) -> FinishedSegments:
        """Tessellate segments.

        Args:
            starts: [s, n] flat inputs at their starts.
            ends: [s, n] flat inputs at their ends.
            first: Number of the first segment.

        Returns:
            All of them, or of each the cells from its start that the budget of cells allows.
        """
        bounds = self.bounds or doubtful_distances(self.plan.network, starts, ends, self.plan.tolerance)
        arbiter = Arbiter(self.plan.network, starts, ends, first, self.plan.integers)
        calibration = Calibration(self.plan.network, bounds, doubt_safety(self.plan.tolerance), terms_of(starts, ends))
        work = Work(self.plan, calibration, arbiter, Numbers(2 * len(starts)), self.memory_budget)
        cells = np.zeros(len(starts), np.int64)
        waiting, done, share = [_whole(starts, ends, first)], list[FinishedSegments](), 0.0
        try:
            while waiting:
                part = self._within_cell_budget(waiting.pop(), cells, first)
                while part is not None and part.position < len(self.plan.network.nodes):
                    if self._too_large(part) or not advance(part, work):
                        waiting.extend(reversed(halves_of(part)))
                        break
                    part = self._within_cell_budget(part, cells, first)
                    under_way = waiting if part is None else [*waiting, part]
                    self.report(share + self._share_of(under_way, len(starts)), int(cells.sum()) + _cells(part))
                else:
                    if part is not None:
                        place(
                            part, arbiter, self.plan.network.output, work.bounds(part, self.plan.network.output).error
                        )
                        done.append(finish(part, self.plan.network.output))
                        cells[part.segments - first] += np.diff(part.offsets) - 1
                        share += _share(part, len(starts))
            self.report(1.0, int(cells.sum()))
        except KeyboardInterrupt:
            if len(starts) > 1 or not done:
                raise
        self.tally.add(arbiter.tally)
        return join(done)

    def _share_of(self, parts: list[SegmentsPart], segments: int) -> float:
        """Share of the work that is done in parts under way: of each, the nodes that it has passed."""
        nodes = len(self.plan.network.nodes)
        return sum(_share(part, segments) * part.position / nodes for part in parts)

    def _within_cell_budget(self, part: SegmentsPart, cells: np.ndarray, first: int) -> SegmentsPart | None:
        """The part without the cells that exceed the budget; several segments in one part have no cells elsewhere."""
        if self.max_cells is None:
            return part
        left = self.max_cells - int(cells[part.segments[0] - first])
        if left < 1:
            return None
        return part if part.cells <= left else start_of(part, left)

    def _too_large(self, part: SegmentsPart) -> bool:
        """Whether the next node may need more memory than the budget, and the part can be split."""
        if len(part.segments) == 1 and part.cells < 2:
            return False
        needed = 8 * self.plan.network.nodes[part.position].size * len(part.t)
        return 2 * (part.nbytes + needed) > self.memory_budget


def _whole(starts: np.ndarray, ends: np.ndarray, first: int) -> SegmentsPart:
    """The segments with their ends only."""
    rows = np.empty((2 * len(starts), starts.shape[1]))
    rows[0::2], rows[1::2] = starts, ends
    return SegmentsPart(
        first + np.arange(len(starts)),
        np.arange(0, len(rows) + 1, 2),
        np.tile([0.0, 1.0], len(starts)),
        np.arange(len(rows)),
        np.zeros(len(rows)),
        np.full(len(rows), -1, np.int32),
        np.tile(np.array([0, 1]), len(starts)),
        {0: SettledValues(rows)},
    )


def _cells(part: SegmentsPart | None) -> int:
    return 0 if part is None else part.cells


def _share(part: SegmentsPart, segments: int) -> float:
    """Share of all segments that a part covers."""
    lengths = part.t[part.offsets[1:] - 1] - part.t[part.offsets[:-1]]
    return float(lengths.sum()) / segments
