"""What is known about straight paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from splinescope.network.graph import Network
from splinescope.network.splits import Boundary
from splinescope.shown import Shown
from splinescope.tessellation.certificate import Certificate
from splinescope.tessellation.segments import ClassIntervals, SegmentBatch

CERTIFIED, REFUTED, UNDECIDED = "certified", "refuted", "undecided"


@dataclass(frozen=True)
class StraightPath(Shown):
    """One straight path.

    Attributes:
        verdict: "certified", "refuted" or "undecided".
        target: The class.
        minimum_margin: Least margin that was found.
        margin_bound: What the margin is proved not to be below on the whole path.
        t: Where the least margin is.
        rival: The class that comes nearest there.
        misclassified: (start, stop, class) of each interval on which another class leads; None if they were not asked
            for.
        rounding: How far a float32 model's margin may be from the exact one.
    """

    verdict: str
    target: int
    minimum_margin: float
    margin_bound: float
    t: float
    rival: int
    misclassified: tuple[tuple[float, float, int], ...] | None
    rounding: float

    @property
    def below_rounding(self) -> bool:
        """Whether a float32 model may disagree with the verdict, since its rounding errors exceed the margin."""
        return not (self.margin_bound > self.rounding or self.minimum_margin < -self.rounding)


@dataclass(frozen=True, eq=False)
class StraightPaths(Shown):
    r"""Straight paths between pairs of points, and whether a network keeps its class on them.

    Margins are those of the outputs before the head, $f_y - \max_{j \ne y} f_j$.

    Attributes:
        network: The network from the boundary on.
        boundary: Where in the whole network the paths lie.
        starts: [S, *shape] their starts at the boundary.
        ends: [S, *shape] their ends.
        targets: The class of each.
        verdicts: "certified": the class leads on the whole path, by more than float64 rounds. "refuted": at `t` it does
            not, as a forward pass says. "undecided": neither was shown within the budget.
        minimum_margin: Least margin that was found: the exact minimum where the method was "exact".
        margin_bound: What the margin is proved not to be below on the whole path; minus infinity if nothing is proved.
        t: Where the least margin is, from 0 to 1.
        rivals: The class that comes nearest there.
        rounding: How far a float32 model's margin may be from the exact one.
        method: "exact" or "refine".
        evaluations: Forward passes that the method "refine" took; cells of the method "exact".
        misclassified: Intervals on which another class leads; None where the method was "refine".
        batch: The cells of all paths, if they were kept.
        certificate: What was verified about the cells; None where the method was "refine".
        proved: Whether what each margin may be off is a proved bound; else it is estimated. None where the method was
            "refine", which estimates.
    """

    network: Network
    boundary: Boundary
    starts: Float[np.ndarray, "S ..."]
    ends: Float[np.ndarray, "S ..."]
    targets: Int[np.ndarray, " S"]
    verdicts: np.ndarray
    minimum_margin: Float[np.ndarray, " S"]
    margin_bound: Float[np.ndarray, " S"]
    t: Float[np.ndarray, " S"]
    rivals: Int[np.ndarray, " S"]
    rounding: Float[np.ndarray, " S"]
    method: str
    evaluations: Int[np.ndarray, " S"]
    misclassified: ClassIntervals | None = None
    batch: SegmentBatch | None = None
    certificate: Certificate | None = None
    proved: Bool[np.ndarray, " S"] | None = None

    def __len__(self) -> int:
        """Number of paths."""
        return len(self.targets)

    def __getitem__(self, number: int) -> StraightPath:
        """One path."""
        number = range(len(self))[number]
        return StraightPath(
            str(self.verdicts[number]),
            int(self.targets[number]),
            float(self.minimum_margin[number]),
            float(self.margin_bound[number]),
            float(self.t[number]),
            int(self.rivals[number]),
            self._intervals(number),
            float(self.rounding[number]),
        )

    def __iter__(self) -> Iterator[StraightPath]:
        """The paths one by one."""
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        """One line."""
        counts = ", ".join(f"{int((self.verdicts == v).sum())} {v}" for v in (CERTIFIED, REFUTED, UNDECIDED))
        return f"StraightPaths({len(self)} paths at `{self.boundary.name}`: {counts}; {self.method})"

    @property
    def certified(self) -> Bool[np.ndarray, " S"]:
        """Whether the class was proved to lead on each whole path."""
        return self.verdicts == CERTIFIED

    @property
    def refuted(self) -> Bool[np.ndarray, " S"]:
        """Whether the class was seen not to lead on each path."""
        return self.verdicts == REFUTED

    @property
    def below_rounding(self) -> Bool[np.ndarray, " S"]:
        """Whether a float32 model may disagree with each verdict, since its rounding errors exceed the margin."""
        return ~((self.margin_bound > self.rounding) | (self.minimum_margin < -self.rounding))

    def points(self, t: Float[np.ndarray, " k"]) -> Float[np.ndarray, "S k ..."]:
        """Points of all paths at some parameters.

        Args:
            t: From 0 to 1.

        Returns:
            [S, k, *shape] values at the boundary; both ends are met exactly.
        """
        weight = np.asarray(t, np.float64).reshape(1, -1, *(1,) * (self.starts.ndim - 1))
        return np.asarray((1 - weight) * self.starts[:, None] + weight * self.ends[:, None])

    def _intervals(self, number: int) -> tuple[tuple[float, float, int], ...] | None:
        found = self.misclassified
        if found is None:
            return None
        rows = range(int(found.offsets[number]), int(found.offsets[number + 1]))
        return tuple((float(found.start[i]), float(found.stop[i]), int(found.classes[i])) for i in rows)
