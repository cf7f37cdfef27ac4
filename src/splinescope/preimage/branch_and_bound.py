"""Branch and bound over boxes of a domain: bounds drop them, few cells settle them, and others are halved.

A box that bounds do not drop is cut into cells, of which those go that cannot meet the target; only if too many are
left at once it is halved, and each half begins anew with tighter bounds. Most often there is one box only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from splinescope.network.graph import Network
from splinescope.preimage.boxes import Bounding, Boxes, halved, part_of
from splinescope.preimage.parts import PreimagePart, cuts_of, pieces_of
from splinescope.preimage.polytopes import MEASURED
from splinescope.preimage.pruning import NEVER
from splinescope.preimage.targets.marks import Marks
from splinescope.progress import Report
from splinescope.tessellation.domains import Domain
from splinescope.workers import in_order

MOST = {2: 1_000_000, 3: 50_000, 4: 20_000, 5: 8_000}
"""Cells that the first box may have at once before it is halved, by dimension; `_MOST` above."""

_MOST = 4_000

_AT_ONCE = 16
"""Boxes that an executor is given at once."""

_UNHURRIED = 2_000.0
"""Cells of a plane that are cut at once before it is known how long that takes."""


@dataclass(frozen=True)
class Budget:
    """When to stop.

    Attributes:
        cells: Most cells to look at.
        seconds: Most seconds.
    """

    cells: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search found.

    Attributes:
        parts: Pieces, each within its box.
        left: Boxes that were not cut into cells.
        cells: How many cells were looked at.
        boxes: How many boxes were bounded.
        unmeasured: Between which the volume lies of the pieces that have too many dimensions to be measured.
    """

    parts: tuple[PreimagePart, ...]
    left: Boxes
    cells: int
    boxes: int
    unmeasured: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Opened:
    """What came of one box.

    Attributes:
        parts: Its pieces.
        left: What is left of it: nothing, two halves if it had too many cells, itself if it was late.
        cells: How many cells were looked at.
        unmeasured: Between which the volume of its pieces lies, if these are not measured.
    """

    parts: tuple[PreimagePart, ...]
    left: Boxes
    cells: int = 0
    unmeasured: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class BoxOpener:
    """Opens boxes, here or in another process.

    Attributes:
        network: The network.
        marked: The same with its target.
        domain: The domain.
        verify: Level of the cells' certificates.
    """

    network: Network
    marked: Marks
    domain: Domain
    verify: str

    @cached_property
    def bounding(self) -> Bounding:
        """Who asks bounds of the network."""
        return Bounding(self.network, self.marked, self.domain)

    def __getstate__(self) -> dict[str, Any]:
        """Its fields alone: what it remembers is made anew elsewhere."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __call__(self, box: Boxes, most: float, seconds: float) -> Opened:
        """Bound a box, and cut it into cells unless it is outside.

        Args:
            box: One box.
            most: Cells that it may have at once.
            seconds: Time that is left.

        Returns:
            What came of it.
        """
        deadline, d = time.monotonic() + seconds, self.domain.dimension
        verdicts = self.bounding(box)
        part = None if verdicts.outside[0] else part_of(self.domain, box.low[0], box.high[0])
        if part is None:
            return Opened((), Boxes.none(d))
        box = Boxes(box.low, box.high, box.inside | verdicts.inside)
        found = pieces_of(
            self.network,
            self.marked,
            part,
            cuts_of(self.domain, part, box.low[0], box.high[0]),
            most=most,
            deadline=deadline,
            verify=self.verify,
        )
        if not found.complete:
            late = time.monotonic() >= deadline or d == 1
            return Opened((), box if late else halved(box, verdicts.bounds), found.cells)
        unmeasured = (
            (part.measure if found.whole else 0.0, part.measure) if d > MEASURED and found.parts else (0.0, 0.0)
        )
        return Opened(found.parts, Boxes.none(d), found.cells, unmeasured)

    def split(self, boxes: Boxes, count: int) -> Boxes:
        """Halve the largest boxes that are not outside, until there are enough to be opened side by side.

        Args:
            boxes: The boxes.
            count: How many there should be.

        Returns:
            Boxes that have all of theirs that may meet the target.
        """
        while 0 < len(boxes) < count and self.domain.dimension > 1:
            verdicts = self.bounding(boxes)
            order = np.argsort(-np.where(verdicts.outside, -1.0, _volumes(boxes)), kind="stable")
            kept = boxes.taken(order[~verdicts.outside[order]])
            if not len(kept):
                return kept
            first = kept.taken(np.arange(1))
            boxes = kept.taken(np.arange(1, len(kept))).joined(halved(first, self.bounding(first).bounds))
        return boxes


class PreimageSearch:
    """One search; see `Budget` and `Searched`.

    Args:
        opener: Who opens boxes.
        budget: When to stop.
        report: Is told of the share done and the number of pieces.
        executor: Where boxes are opened; None for here.
    """

    def __init__(self, opener: BoxOpener, budget: Budget, report: Report, executor: Executor | None = None) -> None:
        self._opener, self._executor = opener, executor
        self._report, self._most = report, float(budget.cells or NEVER)
        self._started = time.monotonic()
        self._deadline = NEVER if budget.seconds is None else self._started + budget.seconds
        self._cells = self._boxes = 0
        self._least = self._largest = 0.0

    def run(self, boxes: Boxes) -> Searched:
        """Search some boxes, the largest first.

        Args:
            boxes: Boxes that are around all that is to be searched, and do not overlap.

        Returns:
            What was found. Interrupting (Ctrl-C) ends it early, too.
        """
        parts: list[PreimagePart] = []
        left, whole, at_once = boxes, float(_volumes(boxes).sum()), 1
        if self._executor is not None:
            left, at_once = self._opener.split(boxes, _AT_ONCE), _AT_ONCE
        try:
            while len(left) and not self._spent():
                order = np.argsort(-_volumes(left), kind="stable")
                lot = [left.taken(order[at : at + 1]) for at in range(min(at_once, len(left)))]
                others, late = left.taken(order[at_once:]), False
                for number, opened in enumerate(self._opened(lot)):
                    parts += opened.parts
                    self._take(opened)
                    others = others.joined(opened.left)
                    late |= len(opened.left) == 1  # the budget is spent
                    waiting = float(_volumes(others).sum() + sum(_volumes(box)[0] for box in lot[number + 1 :]))
                    self._report(1.0 - waiting / max(whole, np.finfo(np.float64).tiny), len(parts))
                left = others
                if late:
                    break
        except KeyboardInterrupt:
            pass
        return Searched(tuple(parts), left, self._cells, self._boxes, (self._least, self._largest))

    def _opened(self, lot: Sequence[Boxes]) -> Iterator[Opened]:
        """What came of some boxes, here one by one or by the executor."""
        seconds = self._deadline - time.monotonic()
        asked = [(box, min(self._allowed(box), self._most - self._cells), seconds) for box in lot]
        if self._executor is None:
            return (self._opener(*one) for one in asked)
        return in_order(self._executor, self._opener, asked)

    def _take(self, opened: Opened) -> None:
        self._boxes += 1
        self._cells += opened.cells
        self._least += opened.unmeasured[0]
        self._largest += opened.unmeasured[1]

    def _allowed(self, box: Boxes) -> float:
        """Cells that a box may have: more where it is smaller, as there are always 2^k where k folds meet."""
        domain = self._opener.domain
        if domain.dimension == 1:
            return NEVER
        whole = Boxes.around(domain)
        smaller = float(np.prod((whole.high - whole.low)[0] / (box.high - box.low)[0]))  # volumes under- or overflow
        allowed = MOST.get(domain.dimension, _MOST) * math.sqrt(smaller)
        if domain.dimension == 2 and self._deadline < NEVER:  # what is late is lost
            now = time.monotonic()
            rate = self._cells / max(now - self._started, 1e-3)
            allowed = min(allowed, max(_UNHURRIED, 0.25 * rate * (self._deadline - now)))
        return allowed

    def _spent(self) -> bool:
        return self._cells >= self._most or time.monotonic() >= self._deadline


def _volumes(boxes: Boxes) -> np.ndarray:
    return np.asarray(np.prod(boxes.high - boxes.low, axis=1))
