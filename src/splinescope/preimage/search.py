"""Branch and bound over boxes of a domain: bounds decide them, and what they leave open is cut into cells."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from splinescope.network.graph import Network
from splinescope.preimage.boxes import Boxes, Bounding, halved, part_of, taken_rows
from splinescope.preimage.cells import WITH_VERTICES, Part, cuts_of, pieces_of
from splinescope.preimage.targets.marks import Marks
from splinescope.progress import Report
from splinescope.tessellation.domains import Domain

FOLDS = (40, 16)
"""Units that may fold in a box before it is halved: where cells have vertices, and where they have none."""

_AT_ONCE = 64
"""Boxes that are bounded in one batch."""

_OPEN = 4096
"""Boxes that may be open at once; beyond it the largest are kept as they are."""

_HALVING = 0.5
"""Share of the time after which boxes are cut into cells, whether small enough or not."""


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
    """

    parts: tuple[Part, ...]
    left: Boxes
    cells: int
    boxes: int


class Search:
    """One search; see `Budget` and `Searched`.

    Args:
        network: The network.
        marked: The same with its target.
        domain: The domain.
        budget: When to stop.
        verify: Level of the cells' certificates.
        report: Is told of the share done and the number of pieces.
    """

    def __init__(
        self, network: Network, marked: Marks, domain: Domain, budget: Budget, verify: str, report: Report
    ) -> None:
        self._marked, self._domain, self._verify, self._report = marked, domain, verify, report
        self._bounding = Bounding(network, marked, domain)
        self._budget, self._started = budget, time.monotonic()
        self._cells = self._boxes = 0
        self._folds = FOLDS[0] if domain.dimension <= WITH_VERTICES else FOLDS[1]

    def run(self, boxes: Boxes) -> Searched:
        """Search some boxes.

        Args:
            boxes: Boxes that are around all that is to be searched, and do not overlap.

        Returns:
            What was found. Interrupting (Ctrl-C) ends it early, too.
        """
        parts: list[Part] = []
        left = boxes
        try:
            left = self._leaves(boxes)
            order = np.argsort(-np.prod(left.high - left.low, axis=1), kind="stable")
            left = left.taken(order[np.argsort(left.inside[order], kind="stable")])
            total = len(left)
            while len(left):
                if self._spent():
                    break
                found = self._cut(left.low[0], left.high[0])
                if found is None:
                    break
                parts += found
                left = left.taken(np.arange(1, len(left)))
                self._report(1.0 - len(left) / total, len(parts))
        except KeyboardInterrupt:
            pass
        return Searched(tuple(parts), left, self._cells, self._boxes)

    def _leaves(self, boxes: Boxes) -> Boxes:
        """Halve boxes until bounds decide them or few units fold in them; those outside are gone."""
        done = Boxes.none(self._domain.dimension)
        while len(boxes):
            if self._spent(_HALVING):
                return done.joined(boxes)
            batch, boxes = boxes.taken(np.arange(min(_AT_ONCE, len(boxes)))), boxes.taken(np.arange(_AT_ONCE, len(boxes)))
            self._boxes += len(batch)
            verdicts = self._bounding(batch)
            batch = Boxes(batch.low, batch.high, batch.inside | verdicts.inside)
            inner = batch.inside & ~verdicts.outside
            done = done.joined(batch.taken(inner))
            unsure = ~(inner | verdicts.outside)
            if not unsure.any():
                continue
            open_, bounds = batch.taken(unsure), taken_rows(verdicts.bounds, unsure)
            small = self._bounding.folds(open_) <= self._folds
            if self._domain.dimension == 1 or len(done) + len(boxes) > _OPEN:
                small[:] = True
            done = done.joined(open_.taken(small))
            if not small.all():
                boxes = boxes.joined(halved(open_.taken(~small), taken_rows(bounds, ~small)))
        return done

    def _cut(self, low: np.ndarray, high: np.ndarray) -> list[Part] | None:
        """The pieces in one box; None if the budget ended before they were complete."""
        part = part_of(self._domain, low, high)
        if part is None:
            return []
        found = pieces_of(
            self._marked,
            part,
            cuts_of(self._domain, part, low, high),
            max_cells=None if self._budget.cells is None else max(1, self._budget.cells - self._cells),
            time_limit=None if self._budget.seconds is None else max(0.01, self._remaining()),
            verify=self._verify,
        )
        self._cells += found.cells
        return list(found.parts) if found.complete else None

    def _remaining(self) -> float:
        limit = math.inf if self._budget.seconds is None else self._budget.seconds
        return limit - (time.monotonic() - self._started)

    def _spent(self, share: float = 1.0) -> bool:
        cells = math.inf if self._budget.cells is None else self._budget.cells
        seconds = math.inf if self._budget.seconds is None else self._budget.seconds
        return self._cells >= cells or time.monotonic() - self._started >= share * seconds
