"""Sets of outputs: points, boxes, polytopes, classes and unions, all of them unions of polyhedra."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from splinescope.errors import InvalidInputError
from splinescope.numerics import check_number
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite


@dataclass(frozen=True, eq=False)
class Alternative(Shown):
    """One polyhedron of outputs `y`; of its inequalities some may be strict.

    Attributes:
        halfspaces: [m, n + 1] rows `(c, b)` for `c @ y + b <= 0`.
        strict: [m] whether it is `< 0`.
        equalities: [k, n + 1] rows `(c, b)` for `c @ y + b == 0`.
    """

    halfspaces: Float[np.ndarray, "m _"]
    strict: Bool[np.ndarray, " m"]
    equalities: Float[np.ndarray, "k _"]

    def holds(self, outputs: Float[np.ndarray, "N n"], slack: float = 0.0) -> Bool[np.ndarray, " N"]:
        """Whether outputs are in it.

        Args:
            outputs: The outputs.
            slack: How far beyond counts, too.

        Returns:
            One answer for each.
        """
        below = outputs @ self.halfspaces[:, :-1].T + self.halfspaces[:, -1]
        beside = np.abs(outputs @ self.equalities[:, :-1].T + self.equalities[:, -1])
        inside = np.where(self.strict & (slack == 0), below < 0, below <= slack)
        return inside.all(axis=1) & (beside <= slack).all(axis=1)


class Target(ABC):
    """A set of outputs, before the network's head."""

    @abstractmethod
    def alternatives(self, outputs: int) -> tuple[Alternative, ...]:
        """The polyhedra whose union it is.

        Args:
            outputs: Number of outputs of the network.

        Returns:
            At least one.

        Raises:
            InvalidInputError: If it is a set of other outputs.
        """

    def contains(self, outputs: Any, slack: float = 0.0) -> Bool[np.ndarray, " N"]:
        """Whether outputs are in the set.

        Args:
            outputs: [N, n] outputs.
            slack: How far beyond counts, too.

        Returns:
            One answer for each.
        """
        y = np.asarray(outputs, np.float64)
        y = y.reshape(len(y), -1)
        return np.any([one.holds(y, slack) for one in self.alternatives(y.shape[1])], axis=0)


@dataclass(frozen=True, eq=False)
class PolytopeTarget(Target):
    """A polytope `C y <= d`, and `E y == e` where it is flat.

    Attributes:
        C: [m, n] normals.
        d: [m] offsets.
        E: [k, n] normals of equalities, or None.
        e: [k] their offsets, or None.

    Raises:
        InvalidInputError: If shapes don't agree or a number is not finite.
    """

    C: Any
    d: Any
    E: Any = None
    e: Any = None

    def __post_init__(self) -> None:
        C, d = finite("C", self.C), finite("d", self.d)
        if C.ndim != 2 or d.shape != (len(C),):
            raise InvalidInputError(f"`C`, `d`: got shapes {C.shape} and {d.shape}; expected [m, n] and [m]")
        E = np.empty((0, C.shape[1])) if self.E is None else finite("E", self.E)
        e = np.empty(0) if self.e is None else finite("e", self.e)
        if E.ndim != 2 or E.shape[1] != C.shape[1] or e.shape != (len(E),):
            raise InvalidInputError(f"`E`, `e`: got shapes {E.shape} and {e.shape}; expected [k, {C.shape[1]}] and [k]")
        for name, value in (("C", C), ("d", d), ("E", E), ("e", e)):
            object.__setattr__(self, name, value)

    def alternatives(self, outputs: int) -> tuple[Alternative, ...]:
        """See `Target`."""
        _check("C", self.C.shape[1], outputs)
        rows = np.column_stack([self.C, -self.d])
        return (Alternative(rows, np.zeros(len(rows), bool), np.column_stack([self.E, -self.e])),)


@dataclass(frozen=True, eq=False)
class BoxTarget(Target):
    """Outputs between two ends, which may be infinite; equal ends fix an output.

    Attributes:
        low: [n] least outputs.
        high: [n] greatest ones.

    Raises:
        InvalidInputError: If they are no ends of a box.
    """

    low: Any
    high: Any

    def __post_init__(self) -> None:
        low, high = np.asarray(self.low, np.float64).ravel(), np.asarray(self.high, np.float64).ravel()
        if low.shape != high.shape or not (low <= high).all() or (low == np.inf).any() or (high == -np.inf).any():
            raise InvalidInputError("`low`, `high`: expected as many numbers in both, low <= high everywhere")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def alternatives(self, outputs: int) -> tuple[Alternative, ...]:
        """See `Target`."""
        _check("low", len(self.low), outputs)
        unit, fixed = np.eye(outputs), self.low == self.high
        below, above = np.isfinite(self.high) & ~fixed, np.isfinite(self.low) & ~fixed
        rows = np.vstack(
            [np.column_stack([unit, -self.high])[below], np.column_stack([-unit, self.low])[above]],
        )
        return (Alternative(rows, np.zeros(len(rows), bool), np.column_stack([unit, -self.low])[fixed]),)


@dataclass(frozen=True, eq=False)
class PointTarget(Target):
    """One output.

    Attributes:
        output: [n] the output.

    Raises:
        InvalidInputError: If a number is not finite.
    """

    output: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "output", finite("output", self.output).ravel())

    def alternatives(self, outputs: int) -> tuple[Alternative, ...]:
        """See `Target`."""
        return BoxTarget(self.output, self.output).alternatives(outputs)


@dataclass(frozen=True, eq=False)
class ClassTarget(Target):
    """Outputs of which one is the largest; where several are, the first of them counts, as for `numpy.argmax`.

    Of a network with one output, class 1 is where it is positive and class 0 where it is not.

    Attributes:
        label: The class.
        smallest: Whether the smallest output wins, as in ACAS Xu.
        margin: By how much it has to be ahead of all others, at least.

    Raises:
        InvalidInputError: If the class is negative, or the margin is no number of at least 0.
    """

    label: int
    smallest: bool = False
    margin: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", check_number("label", self.label))
        if not 0 <= self.margin < np.inf:
            raise InvalidInputError(f"`margin`: got {self.margin}; expected a number of at least 0")

    def alternatives(self, outputs: int) -> tuple[Alternative, ...]:
        """See `Target`."""
        none = np.empty((0, outputs + 1))
        if self.label >= max(2, outputs):
            raise InvalidInputError(f"`label`: got class {self.label}; the network has {max(2, outputs)}")
        if outputs == 1:
            sign = 1.0 if self.label == 0 else -1.0
            sign = -sign if self.smallest else sign
            ties_lose = sign < 0 and self.margin == 0
            return (Alternative(np.array([[sign, self.margin]]), np.array([ties_lose]), none),)
        others = np.delete(np.arange(outputs), self.label)
        rows = np.zeros((len(others), outputs + 1))
        rows[np.arange(len(others)), others] = 1.0
        rows[:, self.label] = -1.0
        rows = -rows if self.smallest else rows
        rows[:, -1] = self.margin
        return (Alternative(rows, (others < self.label) & (self.margin == 0), none),)


@dataclass(frozen=True, eq=False)
class UnionTarget(Target):
    """A union of sets.

    Attributes:
        parts: The sets.

    Raises:
        InvalidInputError: If there is none.
    """

    parts: Sequence[Target]

    def __post_init__(self) -> None:
        if not self.parts or not all(isinstance(part, Target) for part in self.parts):
            raise InvalidInputError(f"`parts`: got {self.parts!r}; expected at least one set, and nothing else")
        object.__setattr__(self, "parts", tuple(self.parts))

    def alternatives(self, outputs: int) -> tuple[Alternative, ...]:
        """See `Target`."""
        return tuple(one for part in self.parts for one in part.alternatives(outputs))


def _check(name: str, given: int, outputs: int) -> None:
    if given != outputs:
        raise InvalidInputError(f"`target`: its `{name}` is of {given} outputs; the network has {outputs}")
