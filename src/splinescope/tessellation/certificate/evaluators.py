"""How a network is evaluated for a certificate: in float64 with proved or measured errors, or in more digits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from splinescope.tessellation.certificate.digits import BITS, precise
from splinescope.tessellation.certificate.forms import work
from splinescope.tessellation.certificate.forward import Passed, forward
from splinescope.tessellation.certificate.shared import CALIBRATION
from splinescope.tessellation.certificate.subject import Subject

SMALL = 1e-6
"""Largest resolution with which a level counts as reached: units closer than that to zero are not told apart."""

PLACEMENT = 16.0
"""Multiple of measured errors of float64 by which what it found may be off, where more digits are used."""

_SAMPLE = 32
"""Points at which errors are measured."""

_SMALL = 1 << 18
"""Numbers that a forward pass at all interior points may hold for it to be made at all of them from the start."""

_AFFORDABLE = 1e9
"""Products of digits that forward passes at interior points may take: some seconds."""

_AT_CORNERS = 20
"""How much more a look at all corners may take, which is asked for by name."""

_MOST = 1024
"""Digits beyond which no network is evaluated."""

_SPLIT = 4
"""Digits that a float64 weight has, or few more."""


class Evaluator(ABC):
    """Forward passes at coordinates of a subject.

    Attributes:
        errors: "proved" or "measured".
    """

    errors = "proved"

    @abstractmethod
    def passes(self, coordinates: np.ndarray) -> Iterator[Passed]:
        """Values before every folding node, then the outputs, with bounds of their errors."""

    def inside(self, cells: np.ndarray, points: np.ndarray) -> Iterator[Passed]:
        """The same at the interior points of some cells, which are given, too."""
        return self.passes(points)

    @abstractmethod
    def closer(self, coordinates: np.ndarray) -> Iterator[Passed] | None:
        """The same with smaller bounds, None if there are none."""

    def placement(self, node: int) -> np.ndarray | float:
        """[n] by how much what float64 found (vertices on folds; outputs) may be off, beside the errors of `passes`."""
        return 0.0


@dataclass(frozen=True)
class Float(Evaluator):
    """Float64 with running bounds.

    Attributes:
        subject: The cells.
        known: What it found at the interior points of all cells, in order, where it has been there; else nothing.
    """

    subject: Subject
    known: tuple[Passed, ...] = ()

    def passes(self, coordinates: np.ndarray) -> Iterator[Passed]:
        """Bounds that all points share."""
        place = self.subject.place
        return forward(self.subject.network, place.embed(coordinates), place.errors(coordinates))

    def inside(self, cells: np.ndarray, points: np.ndarray) -> Iterator[Passed]:
        """What is known already, if all cells are asked for."""
        return iter(self.known) if self.known and len(cells) == len(self.subject) else self.passes(points)

    def closer(self, coordinates: np.ndarray) -> Iterator[Passed] | None:
        """Bounds of each point's own."""
        place = self.subject.place
        return forward(self.subject.network, place.embed(coordinates), place.errors(coordinates), pointwise=True)


@dataclass(frozen=True)
class Precise(Evaluator):
    """More digits.

    Attributes:
        subject: The cells.
        digits: How many, of 18 bits each.
        placing: [n] errors that float64 has, by folding node.
    """

    subject: Subject
    digits: int
    placing: dict[int, np.ndarray] = field(default_factory=dict)

    def passes(self, coordinates: np.ndarray) -> Iterator[Passed]:
        """Errors of what is cut off."""
        return precise(self.subject.network, self.subject.place.terms(coordinates), self.digits)

    def closer(self, coordinates: np.ndarray) -> Iterator[Passed] | None:
        """There is nothing closer but exact arithmetic."""
        return None

    def placement(self, node: int) -> np.ndarray | float:
        """Errors of float64, as measured."""
        return self.placing.get(node, 0.0)


@dataclass(frozen=True)
class Calibrated(Evaluator):
    """Float64, with errors that were measured at a sample of points.

    Attributes:
        subject: The cells.
        measured: [1, n] errors allowed at each folding node, and at the output (-1).
        exact: More digits, for few points.
        few: Number of points that are few.
    """

    subject: Subject
    measured: dict[int, np.ndarray]
    exact: Precise
    few: int
    errors = "measured"

    def passes(self, coordinates: np.ndarray) -> Iterator[Passed]:
        """Measured errors instead of bounds."""
        place = self.subject.place
        for passed in forward(self.subject.network, place.embed(coordinates), place.errors(coordinates)):
            yield Passed(passed.index, passed.values, self.measured[passed.index], passed.lowest, passed.highest)

    def closer(self, coordinates: np.ndarray) -> Iterator[Passed] | None:
        """More digits, where that is affordable; else measured errors that are none where a unit sleeps."""
        if len(coordinates) <= self.few:
            return self.exact.passes(coordinates)
        place = self.subject.place
        return forward(self.subject.network, place.embed(coordinates), place.errors(coordinates), True, self.measured)


def resolution(passed: Passed) -> float:
    """Largest error of a unit relative to its values, of the units that the bound decides anywhere."""
    size = np.maximum(passed.highest, -passed.lowest)
    error = passed.errors.max(axis=0)
    told = size > error
    return float((error[told] / size[told]).max(initial=0.0))


def choose(subject: Subject, points: int, corners: bool = False) -> Evaluator:
    """The quickest way to evaluate a network that tells signs apart well enough.

    Args:
        subject: The cells.
        points: Number of points at which it will be evaluated.
        corners: Whether corners of cells will be looked at, too.

    Returns:
        Float64 with proved errors where their bounds are small; more digits where these are affordable; float64 with
        measured errors elsewhere.
    """
    sample = subject.points[:: max(1, len(subject) // _SAMPLE)][:_SAMPLE]
    plain = Float(subject)
    small = len(subject) * sum(node.size for node in subject.network.nodes) <= _SMALL
    passes = plain.passes(subject.points if small else sample)
    found = tuple(passes) if small else ()
    seen = [_bluntness(passed) for passed in (found or passes)]
    if not any(blunt for blunt, _ in seen):
        return replace(plain, known=found)
    growth = max(ratio for _, ratio in seen)  # of errors, relative to values
    budget = _AFFORDABLE * (_AT_CORNERS if corners else 1)
    cost = float(work(subject.network)) * _SPLIT
    digits = _digits(growth)
    few = sample[: max(1, int(min(len(sample), _AFFORDABLE / (cost * digits))))]
    if budget < cost * digits * min(points, 2):  # one pass takes long: bounds of its point's own say with how many
        closer = plain.closer(few)
        assert closer is not None
        digits = min(digits, _digits(max(_bluntness(passed)[1] for passed in closer)))
    while True:
        exact = Precise(subject, digits)
        measured = _measured(plain, exact, few)
        if measured is not None:
            break
        digits *= 2
        few = few[: max(1, int(_AFFORDABLE / (cost * digits)))]
    affordable = int(budget / (cost * digits))
    if points <= affordable:
        return replace(exact, placing={node: PLACEMENT * error for node, error in measured.items()})
    allowed = {node: CALIBRATION * error[None] for node, error in measured.items()}
    return Calibrated(subject, allowed, exact, affordable)


def _digits(growth: float) -> int:
    """Digits with which errors are small, where float64 has a relative error."""
    return int((np.log2(growth) + 93) / BITS) + 2 if np.isfinite(growth) else 4 * _SPLIT


def _bluntness(passed: Passed) -> tuple[bool, float]:
    """Whether errors are too large for the level to be reached with them, and how large they are."""
    size = np.maximum(passed.highest, -passed.lowest)
    error = passed.errors.max(axis=0)
    alive = size > 64 * np.finfo(float).eps * size.max(initial=0.0)
    ratio = error[alive] / size[alive]
    return bool((ratio > SMALL).mean() > 0.02) if alive.any() else False, float(ratio.max(initial=0.0))


def _measured(plain: Float, exact: Precise, points: np.ndarray) -> dict[int, np.ndarray] | None:
    """[n] errors of float64 at a sample; at least those typical of their node. None if more digits are needed."""
    out = {}
    for rough, fine in zip(plain.passes(points), exact.passes(points), strict=True):
        if exact.digits <= _MOST and _bluntness(fine)[0]:
            return None
        error = np.abs(rough.values - fine.values).max(axis=0)
        size = np.maximum(fine.highest, -fine.lowest)
        floor = max(float(np.median(error)), float(np.finfo(np.float64).eps * np.median(size)))
        out[rough.index] = np.maximum(error, floor)
    return out
