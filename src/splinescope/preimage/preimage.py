r"""Preimages: unions of polytopes in a domain that a network maps into a target."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.preimage.boxes import Boxes, uniform
from splinescope.preimage.parts import PreimagePart
from splinescope.preimage.piece import Piece
from splinescope.preimage.polytopes import Polytope
from splinescope.preimage.shares import Interval, proportion
from splinescope.preimage.targets.sets import Target
from splinescope.shown import Shown
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.queries import ask

_ROUNDINGS = 2.0**10
"""Roundings of the domain's measure in a sum of volumes that have vertices; those of Qhull are `_QHULL`."""

_QHULL = 2.0**17
"""The same above four dimensions, where Qhull finds vertices: about ten digits."""

_DRAWN = 20_000
"""Points that are drawn for a volume that cannot be summed."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Preimage(Shown):
    """All that a domain has of a target: polytopes in the domain's coordinates, each in one cell of the network.

    Pieces of full dimension have disjoint interiors. What meets a target without equalities in
    less than full dimension is left out: its measure is 0.

    Attributes:
        network: The network.
        domain: The domain.
        target: The set of outputs.
        halfspaces: [K, d + 1] half-spaces of all pieces, one piece after the other.
        halfspace_offsets: [P + 1] first half-space of each piece.
        equalities: [E, d + 1] equalities of all pieces.
        equality_offsets: [P + 1] first equality of each piece.
        patterns: [P, U] activation patterns.
        slopes: [P, n, d] linear parts of the network's map.
        constants: [P, n] its constants.
        witnesses: [P, d] a point in each piece.
        radii: [P] Chebyshev radii; NaN where they were not needed, see `Piece.radius`.
        measures: [P] measure of each piece in its own dimension; NaN above six dimensions.
        left: Boxes that were not explored; those that are `inside` belong to the preimage as a whole.
        left_measures: [boxes] measure of each within the domain.
        cells: How many cells were looked at.
        boxes: How many boxes were bounded before.
        way: "vertices" from two to five dimensions, where cells have them, else "programs".
        unmeasured: Between which the volume of the pieces of more than six dimensions lies.
        parts: What `resume` needs to go on; not saved, and empty if nothing is left.
    """

    network: Network
    domain: Domain
    target: Target
    halfspaces: Float[np.ndarray, "K _"]
    halfspace_offsets: Int[np.ndarray, " _"]
    equalities: Float[np.ndarray, "E _"]
    equality_offsets: Int[np.ndarray, " _"]
    patterns: UInt8[np.ndarray, "P U"]
    slopes: Float[np.ndarray, "P n d"]
    constants: Float[np.ndarray, "P n"]
    witnesses: Float[np.ndarray, "P d"]
    radii: Float[np.ndarray, " P"]
    measures: Float[np.ndarray, " P"]
    left: Boxes
    left_measures: Float[np.ndarray, " boxes"]
    cells: int
    boxes: int
    way: str
    unmeasured: tuple[float, float] = (0.0, 0.0)
    parts: tuple[PreimagePart, ...] = ()

    def __len__(self) -> int:
        """Number of pieces."""
        return len(self.witnesses)

    def __getitem__(self, piece: SupportsIndex) -> Piece:
        """One piece; negative numbers count from the end.

        Raises:
            IndexError: If there is no such piece.
        """
        at = index(piece)
        if not -len(self) <= at < len(self):
            raise IndexError(f"`piece`: got {at}; expected a number from {-len(self)} to {len(self) - 1}")
        return Piece(self, at % len(self))

    def __iter__(self) -> Iterator[Piece]:
        """The pieces one by one."""
        return (Piece(self, number) for number in range(len(self)))

    def __repr__(self) -> str:
        low, high = self.volume_bounds
        size = f"volume {low:.6g}" if self.complete else f"volume from {low:.6g} to {high:.6g}"
        return f"Preimage({len(self)} pieces in {self.dimension} dimensions, {size}, by {self.way})"

    @property
    def dimension(self) -> int:
        """Dimension of the domain."""
        return self.domain.dimension

    @property
    def complete(self) -> bool:
        """Whether no piece is missing."""
        return not len(self.left)

    @cached_property
    def dimensions(self) -> Int[np.ndarray, " P"]:
        """[P] dimension of each piece."""
        return self.dimension - np.diff(self.equality_offsets)

    @cached_property
    def _solid(self) -> np.ndarray:
        return self.dimensions == self.dimension

    @cached_property
    def volume(self) -> float:
        """Measure of the preimage in the domain's coordinates; the exact sum where all is known.

        What is left, and pieces of more than six dimensions, are estimated by 20,000 points (see `estimate`); certain
        are the `volume_bounds`.
        """
        known = self.measures[self._solid]
        if self.complete and self.unmeasured[0] == self.unmeasured[1]:
            return math.fsum(known[~np.isnan(known)]) + self.unmeasured[0]
        low, high = self.volume_bounds
        return min(max(self.estimate(_DRAWN).middle, low), high)

    @cached_property
    def volume_bounds(self) -> tuple[float, float]:
        """Between which the volume certainly lies; pieces and boxes inside count below, other boxes left above.

        Pieces of more than six dimensions count as much as the boxes around them, or nothing below unless these boxes
        are all preimage.
        """
        known = self.measures[self._solid]
        whole = self.domain.measure
        roundings = 0.0 if self.complete and not len(known) else whole * UNIT_ROUNDOFF
        roundings *= _ROUNDINGS if self.way == "vertices" else _QHULL
        certain = math.fsum(known[~np.isnan(known)]) + math.fsum(self.left_measures[self.left.inside])
        more = math.fsum(self.left_measures[~self.left.inside])
        least, most = self.unmeasured
        return max(0.0, certain + least - roundings), min(whole, certain + more + most + roundings)

    def estimate(self, count: int, generator: np.random.Generator | None = None, level: float = 0.95) -> Interval:
        """The volume by forward passes at random points of the domain.

        Args:
            count: How many.
            generator: Of random numbers; by default seed 0.
            level: Probability that the interval is right.

        Returns:
            The share times the domain's measure, with its interval (Clopper and Pearson).
        """
        points = uniform(self.domain, count, generator or np.random.default_rng(0))
        hits = int(self.target.contains(self.outputs(points)).sum())
        return proportion(hits, count, level).scaled(self.domain.measure)

    def outputs(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n outputs"]:
        """Outputs of the network, before its head.

        Args:
            points: Points in the domain's coordinates.

        Returns:
            One row for each.
        """
        values: np.ndarray = self.network(self.domain.embed(points))
        return values.reshape(len(points), -1)

    def coordinates(self, points: Any) -> Float[np.ndarray, "n d"]:
        """Points in the domain's coordinates.

        Args:
            points: [n, d] such points, which stay, or [n, *input_shape] inputs of the network, which are projected.

        Returns:
            The coordinates.

        Raises:
            InvalidInputError: If the shape is neither.
        """
        array = np.asarray(points.detach().cpu() if hasattr(points, "detach") else points, np.float64)
        if array.ndim == 2 and array.shape[1] == self.dimension:
            return array
        if array.ndim > 1 and array[:1].size == self.domain.origin.size:
            return self.domain.project(array)
        raise InvalidInputError(
            f"`points`: got shape {array.shape}; expected [n, {self.dimension}] coordinates of the domain, or inputs "
            f"of shape {self.domain.input_shape}"
        )

    def contains(self, points: Any) -> Bool[np.ndarray, " n"]:
        """Whether points lie in one of the pieces, or in a box that is left and belongs to the preimage.

        Args:
            points: [n, d] points in the domain's coordinates (of a box these are its inputs that are not fixed), or
                [n, *input_shape] inputs.

        Returns:
            True up to rounding at the pieces' facets. Cost: all half-spaces at all points.
        """
        t = self.coordinates(points)
        found = self._in_boxes(t, self.left.inside)
        return found | (self.locate(t) >= 0)

    def _in_boxes(self, t: np.ndarray, which: np.ndarray) -> np.ndarray:
        """[n] whether points are in some of the boxes that are left."""
        found = np.zeros(len(t), bool)
        for low, high in zip(self.left.low[which], self.left.high[which], strict=True):
            found |= ((t >= low) & (t <= high)).all(axis=1)
        return found

    def undecided(self, points: Any) -> Bool[np.ndarray, " n"]:
        """Whether points lie in boxes that were left and may or may not belong to it.

        Args:
            points: See `contains`.

        Returns:
            One answer for each.
        """
        return self._in_boxes(self.coordinates(points), ~self.left.inside)

    def holding(self, t: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "P n"]:
        """Which piece holds which point.

        Args:
            t: Points in the domain's coordinates.

        Returns:
            One row for each piece.
        """
        scale = 1.0 + np.abs(t).sum(axis=1)
        held = np.ones((len(self), len(t)), bool)
        inequality = (self.halfspaces, self.halfspace_offsets, 2.0**-44, False)
        equality = (self.equalities, self.equality_offsets, 2.0**-30, True)
        for rows, offsets, known, both in (inequality, equality):
            values = rows[:, :-1] @ t.T + rows[:, -1:]
            bad = (np.abs(values) if both else values) > known * scale
            some = np.flatnonzero(np.diff(offsets))
            if len(some):
                held[some] &= ~np.logical_or.reduceat(bad, offsets[some], axis=0)
        return held

    def locate(self, points: Any) -> Int[np.ndarray, " n"]:
        """The first piece that holds each point.

        Args:
            points: See `contains`.

        Returns:
            Numbers of pieces; -1 where none does.
        """
        t = self.coordinates(points)
        found = np.full(len(t), -1)
        step = max(1, (1 << 23) // max(1, len(self.halfspaces)))
        for start in range(0, len(t), step) if len(self) else ():
            held = self.holding(t[start : start + step])
            found[start : start + step] = np.where(held.any(axis=0), held.argmax(axis=0), -1)
        return found

    def sample(self, count: int, generator: np.random.Generator | None = None) -> Float[np.ndarray, "count d"]:
        """Points drawn uniformly from the pieces of the highest dimension, and from boxes left that belong to it.

        Args:
            count: How many.
            generator: Of random numbers; by default seed 0.

        Returns:
            Points in the domain's coordinates; `preimage.domain.embed` makes inputs of them. Above six dimensions
            pieces are chosen by the points of the domain that hit them, else equally.

        Raises:
            InvalidInputError: If there is nothing to draw from.
        """
        return ask("preimage.sampling", "draw")(self, count, generator or np.random.default_rng(0))

    def simplify(self) -> tuple[Polytope, ...]:
        """The same set in fewer polytopes, where unions of two are convex; see `simplify.simplified`."""
        found: tuple[Polytope, ...] = ask("preimage.simplify", "simplified")(self)
        return found

    def slice(self, halfspaces: Any, equalities: Any | None = None) -> Preimage:
        """Its part in further half-spaces and hyperplanes of the domain's coordinates.

        Args:
            halfspaces: [m, d + 1] rows `(n, b)` for `n @ t + b <= 0`.
            equalities: [k, d + 1] rows `(n, b)` for `n @ t + b == 0`.

        Returns:
            The part, complete in itself.
        """
        found: Preimage = ask("preimage.shapes", "sliced")(self, halfspaces, equalities)
        return found

    def project(self, axes: Any) -> list[np.ndarray]:
        """Shadows of the pieces on some coordinates; see `shapes.projected`.

        Args:
            axes: One, two or three of the domain's coordinates.

        Returns:
            Corners of each piece's shadow.
        """
        found: list[np.ndarray] = ask("preimage.shapes", "projected")(self, axes)
        return found

    def certify(self, **options: Any) -> Any:
        """Check it by forward passes; see `checks.certify`.

        Args:
            **options: Those of `checks.certify`.

        Returns:
            The certificate.
        """
        return ask("preimage.checks", "certify")(self, **options)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to one `.npz` file; `splinescope.preimage.open_preimage` reads it.

        Args:
            path: The file.

        Returns:
            The path.
        """
        written: Path = ask("preimage.saving", "save_preimage")(self, path)
        return written

    def taken(self, which: Int[np.ndarray, " some"]) -> Preimage:
        """Some of its pieces.

        Args:
            which: Their numbers.

        Returns:
            A preimage of these alone.
        """
        rows = [np.arange(*self.halfspace_offsets[[at, at + 1]]) for at in which]
        flat = [np.arange(*self.equality_offsets[[at, at + 1]]) for at in which]
        arrays = {name: getattr(self, name)[which] for name in _BY_PIECE}
        return replace(
            self,
            halfspaces=self.halfspaces[np.concatenate([*rows, np.empty(0, np.int64)]).astype(np.int64)],
            halfspace_offsets=np.cumsum([0, *map(len, rows)]),
            equalities=self.equalities[np.concatenate([*flat, np.empty(0, np.int64)]).astype(np.int64)],
            equality_offsets=np.cumsum([0, *map(len, flat)]),
            **arrays,
        )


_BY_PIECE = ("patterns", "slopes", "constants", "witnesses", "radii", "measures")
