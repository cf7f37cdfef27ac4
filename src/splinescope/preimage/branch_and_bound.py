"""Branch and bound over boxes of a domain: bounds drop them, few cells settle them, and others are halved.

A box that bounds do not drop is cut into cells, of which those go that cannot meet the target; only if too many are
left at once it is halved, and each half begins anew with tighter bounds. Most often there is one box only.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from splinescope.network.graph import Network
from splinescope.preimage.boxes import Bounding, Boxes, halved, part_of
from splinescope.preimage.parts import PreimagePart, cuts_of, pieces_of
from splinescope.preimage.polytopes import MEASURED
from splinescope.preimage.pruning import NEVER
from splinescope.preimage.targets.marks import Marks
from splinescope.progress import Report
from splinescope.tessellation.domains import Domain

MOST = {2: 1_000_000, 3: 50_000, 4: 20_000, 5: 8_000}
"""Cells that the first box may have at once before it is halved, by dimension; `_MOST` above."""

_MOST = 4_000


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


class PreimageSearch:
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
        self._network, self._marked, self._domain, self._verify = network, marked, domain, verify
        self._report, self._most = report, float(budget.cells or NEVER)
        self._bounding = Bounding(network, marked, domain)
        self._deadline = NEVER if budget.seconds is None else time.monotonic() + budget.seconds
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
        left, whole = boxes, float(_volumes(boxes).sum())
        try:
            while len(left) and not self._spent():
                order = np.argsort(-_volumes(left), kind="stable")
                box, others = left.taken(order[:1]), left.taken(order[1:])
                found, open_ = self._opened(box)
                parts += found
                left = others.joined(open_)
                self._report(1.0 - float(_volumes(left).sum()) / whole, len(parts))
                if len(open_) == 1:  # the budget is spent
                    break
        except KeyboardInterrupt:
            pass
        return Searched(tuple(parts), left, self._cells, self._boxes, (self._least, self._largest))

    def _opened(self, box: Boxes) -> tuple[list[PreimagePart], Boxes]:
        """The pieces in one box, or what is left of it: two halves if it has too many cells, itself if it is late."""
        self._boxes += 1
        verdicts = self._bounding(box)
        if verdicts.outside[0]:
            return [], Boxes.none(self._domain.dimension)
        box = Boxes(box.low, box.high, box.inside | verdicts.inside)
        part = part_of(self._domain, box.low[0], box.high[0])
        if part is None:
            return [], Boxes.none(self._domain.dimension)
        d = self._domain.dimension
        found = pieces_of(
            self._network,
            self._marked,
            part,
            cuts_of(self._domain, part, box.low[0], box.high[0]),
            most=min(self._allowed(box), self._most - self._cells),
            deadline=self._deadline,
            verify=self._verify,
        )
        self._cells += found.cells
        if found.complete:
            if d > MEASURED and found.parts:
                self._least += part.measure if found.whole else 0.0
                self._largest += part.measure
            return list(found.parts), Boxes.none(d)
        return [], box if self._spent() or d == 1 else halved(box, verdicts.bounds)

    def _allowed(self, box: Boxes) -> float:
        """Cells that a box may have: more where it is smaller, as there are always 2^k where k folds meet."""
        d = self._domain.dimension
        if d == 1:
            return NEVER
        smaller = float(_volumes(Boxes.around(self._domain))[0] / _volumes(box)[0])
        return MOST.get(d, _MOST) * math.sqrt(smaller)

    def _spent(self) -> bool:
        return self._cells >= self._most or time.monotonic() >= self._deadline


def _volumes(boxes: Boxes) -> np.ndarray:
    return np.asarray(np.prod(boxes.high - boxes.low, axis=1))
