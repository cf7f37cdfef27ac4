"""Where cells lie, in float64 with bounds of the rounding errors and in exact arithmetic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from functools import cached_property

import numpy as np

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.elimination import hyperplane_through
from splinescope.tessellation.certificate.forms import ScaledIntegers, exactly, total
from splinescope.tessellation.certificate.forward import gamma
from splinescope.tessellation.certificate.hulls import Hull, hull
from splinescope.tessellation.domains import Box, Domain, Segment
from splinescope.tessellation.planar.slices import Slices
from splinescope.tessellation.segments.batch import Segments

_ON_SIDE = 1e-9
"""Distance of a corner from a side, over the domain's width across it, up to which it is a corner of this side."""


class Place(ABC):
    """A domain, or several segments or slices."""

    @property
    @abstractmethod
    def reach(self) -> np.ndarray:
        """[d] largest absolute coordinate on each axis; of several slices [S, d]."""

    @property
    def directions(self) -> np.ndarray | None:
        """[d, n_in] by how much inputs change with each coordinate, if that is the same everywhere."""
        return None

    @abstractmethod
    def embed(self, coordinates: np.ndarray) -> np.ndarray:
        """Inputs at coordinates."""

    @abstractmethod
    def errors(self, coordinates: np.ndarray) -> np.ndarray:
        """[1, n_in] bounds of the rounding errors of `embed` at some coordinates."""

    @abstractmethod
    def terms(self, coordinates: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pairs of factors, [N, 1] and [1 or N, n_in], whose products sum to the exact inputs."""

    @abstractmethod
    def entry(self, coordinates: np.ndarray) -> ScaledIntegers:
        """[*input_shape, d + 1] exact forms of the input near some coordinates."""

    @abstractmethod
    def side(self, number: int, coordinates: np.ndarray) -> np.ndarray:
        """[d + 1] exact form that vanishes on a side of the domain."""

    @abstractmethod
    def outline(self, coordinates: np.ndarray) -> Hull:
        """The domain, or the one of several in which some coordinates are, as an exact polytope."""


class DomainPlace(Place):
    """The affine image of a domain."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._basis = np.asarray(domain.basis, np.float64).reshape(domain.dimension, -1)
        self._origin = np.asarray(domain.origin, np.float64).ravel()
        self._rounded = _rounded(self._basis, self._origin)

    @property
    def directions(self) -> np.ndarray | None:
        """[d, n_in] by how much inputs change with each coordinate; `embed` of a segment blends its ends instead."""
        return None if isinstance(self._domain, Segment) else self._basis

    @property
    def reach(self) -> np.ndarray:
        """[d] largest absolute coordinate on each axis."""
        return np.abs(np.asarray(self._domain.corners, np.float64)).max(axis=0)

    def embed(self, coordinates: np.ndarray) -> np.ndarray:
        """Inputs at coordinates."""
        return self._domain.embed(coordinates)

    def errors(self, coordinates: np.ndarray) -> np.ndarray:
        """[1, n_in] bounds of the rounding errors of `embed` at some coordinates."""
        if isinstance(self._domain, Segment):
            ends = np.abs(np.asarray(self._domain.a).ravel()) + np.abs(np.asarray(self._domain.b).ravel())
            return 2 * gamma(4) * ends[None]
        size = np.abs(coordinates).max(axis=0, initial=0.0)
        bound = gamma(len(self._basis) + 2) * (np.abs(self._origin) + size @ np.abs(self._basis))
        return np.where(self._rounded, bound, 0.0)[None]

    def terms(self, coordinates: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pairs of factors, [N, 1] and [1, n_in], whose products sum to the exact inputs."""
        pairs = [(coordinates[:, [axis]], self._basis[[axis]]) for axis in range(len(self._basis))]
        return [*pairs, (np.ones((len(coordinates), 1)), self._origin[None])]

    def entry(self, coordinates: np.ndarray) -> ScaledIntegers:
        """[*input_shape, d + 1] exact forms of the input."""
        domain = self._domain
        if isinstance(domain, Segment):
            return _between(np.asarray(domain.a), np.asarray(domain.b))
        shape = domain.input_shape
        directions = exactly(np.moveaxis(self._basis.reshape(-1, *shape), 0, -1))
        origin = exactly(np.asarray(domain.origin)[..., None])
        bits = max(directions.bits, origin.bits)
        return ScaledIntegers(np.concatenate([directions.at(bits), origin.at(bits)], axis=-1), bits)

    def side(self, number: int, coordinates: np.ndarray) -> np.ndarray:
        """[d + 1] exact form that vanishes on a side of the domain: the line through two corners in a plane.

        In space it is the hyperplane through the side's corners, where these are exactly on one, on every side; else
        what the coefficients of the half-space say.
        """
        domain = self._domain
        if domain.dimension == 2 and not isinstance(domain, Box):
            corners = exactly(np.asarray(domain.corners))
            (ax, ay), (bx, by) = corners.numbers[number], corners.numbers[(number + 1) % len(corners.numbers)]
            unit = Fraction(1, 1 << corners.bits) if corners.bits >= 0 else Fraction(1 << -corners.bits)
            return np.array([ay - by, bx - ax, (ax * by - ay * bx) * unit], object)
        if self._hyperplanes:
            return np.array(self._hyperplanes[number], object)
        row = exactly(np.asarray(domain.halfspaces)[number])
        return row.numbers

    @cached_property
    def _hyperplanes(self) -> list[list[Fraction]]:
        """Of each side of a polytope the hyperplane through its corners; none at all if one has no such hyperplane."""
        domain, found = self._domain, list[list[Fraction]]()
        if isinstance(domain, Box | Segment):
            return found
        corners, rows = np.asarray(domain.corners), np.asarray(domain.halfspaces)
        heights = corners @ rows[:, :-1].T + rows[:, -1]
        points = [[*(Fraction(float(x)) for x in corner), Fraction(1)] for corner in corners]
        for height in heights.T:
            on = np.flatnonzero(height >= height.max() - _ON_SIDE * np.ptp(height))
            form = hyperplane_through([points[i] for i in on])
            if form is None:
                return []
            found.append(form)
        return found

    def outline(self, coordinates: np.ndarray) -> Hull:
        """The domain as an exact polytope."""
        return _outline(self._domain)


def _outline(domain: Domain) -> Hull:
    """A domain with its corners as they are; to which sides they belong, rounded half-spaces say."""
    corners = np.asarray(domain.corners, np.float64)
    if domain.dimension == 2 and not isinstance(domain, Box):  # corners in order
        first = np.eye(len(corners), dtype=bool)
        return hull(corners, first | np.roll(first, -1, axis=1))
    rows = np.asarray(domain.halfspaces)
    allowed = 64 * UNIT_ROUNDOFF * (np.abs(rows[:, :-1]) @ np.abs(corners).max(axis=0) + np.abs(rows[:, -1]))
    return hull(corners, np.abs(corners @ rows[:, :-1].T + rows[:, -1]) <= allowed)


def _rounded(basis: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """[n_in] which inputs of a domain are rounded: what is one coordinate of the domain, or a constant, is copied."""
    ones = np.isin(basis, (0.0, 1.0, -1.0)).all(axis=0)
    summands = (basis != 0).sum(axis=0) + (origin != 0)
    return np.asarray(~ones | (summands > 1))


class SegmentsPlace(Place):
    """Several segments; coordinates are pairs of a segment's number and its parameter."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._starts = segments.starts.reshape(len(segments), -1)
        self._ends = segments.ends.reshape(len(segments), -1)

    @property
    def reach(self) -> np.ndarray:
        """[1] the largest parameter."""
        return np.ones(1)

    def embed(self, coordinates: np.ndarray) -> np.ndarray:
        """Inputs at coordinates."""
        return self._segments.embed(coordinates)

    def errors(self, coordinates: np.ndarray) -> np.ndarray:
        """[1, n_in] bounds of the rounding errors of `embed` at some coordinates."""
        which = np.unique(coordinates[:, 0].astype(np.int64))
        ends = np.abs(self._starts[which]) + np.abs(self._ends[which])
        return 2 * gamma(4) * ends.max(axis=0, initial=0.0)[None]

    def terms(self, coordinates: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pairs of factors, [N, 1] and [N, n_in], whose products sum to the exact inputs."""
        which, t = coordinates[:, 0].astype(np.int64), coordinates[:, 1:]
        start, end = self._starts[which], self._ends[which]
        return [(t, end), (-t, start), (np.ones_like(t), start)]

    def entry(self, coordinates: np.ndarray) -> ScaledIntegers:
        """[*input_shape, 2] exact forms of the input on the segment of some coordinates."""
        which = int(coordinates[0])
        return _between(self._segments.starts[which], self._segments.ends[which])

    def side(self, number: int, coordinates: np.ndarray) -> np.ndarray:
        """[2] the form that vanishes at an end, which is where work ended if cells are missing."""
        return np.array([1, -Fraction(float(coordinates[1]))], object)

    def outline(self, coordinates: np.ndarray) -> Hull:
        """The parameters of a segment."""
        return hull(np.array([[0.0], [1.0]]), np.eye(2, dtype=bool))


class SlicesPlace(Place):
    """Several slices; coordinates are the number of a slice and the coordinates there."""

    def __init__(self, slices: Slices) -> None:
        self._slices = slices
        self._rounded = np.stack([_rounded(*frame) for frame in zip(slices.bases, slices.origins, strict=True)])

    @cached_property
    def reach(self) -> np.ndarray:
        """[S, 2] largest absolute coordinate on each axis of each slice."""
        corners = np.abs(self._slices.corners[:, 1:])
        return np.maximum.reduceat(corners, self._slices.offsets[:-1])

    def embed(self, coordinates: np.ndarray) -> np.ndarray:
        """Inputs at coordinates."""
        return self._slices.embed(coordinates)

    def errors(self, coordinates: np.ndarray) -> np.ndarray:
        """[1, n_in] bounds of the rounding errors of `embed` at some coordinates."""
        which, row = np.unique(coordinates[:, 0].astype(np.int64), return_inverse=True)
        size = np.zeros((len(which), 2))
        np.maximum.at(size, row, np.abs(coordinates[:, 1:]))
        bases = np.abs(self._slices.bases[which])
        sizes = np.abs(self._slices.origins[which]) + size[:, [0]] * bases[:, 0] + size[:, [1]] * bases[:, 1]
        return np.where(self._rounded[which].any(axis=0), gamma(4) * sizes.max(axis=0, initial=0.0), 0.0)[None]

    def terms(self, coordinates: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pairs of factors, [N, 1] and [N, n_in], whose products sum to the exact inputs."""
        number = coordinates[:, 0].astype(np.int64)
        pairs = [(coordinates[:, [1 + axis]], self._slices.bases[number, axis]) for axis in range(2)]
        return [*pairs, (np.ones((len(coordinates), 1)), self._slices.origins[number])]

    def entry(self, coordinates: np.ndarray) -> ScaledIntegers:
        """[*input_shape, 3] exact forms of the input on the slice of some coordinates."""
        return self._place(coordinates).entry(coordinates[1:])

    def side(self, number: int, coordinates: np.ndarray) -> np.ndarray:
        """[3] exact form that vanishes on a side of the slice of some coordinates."""
        return self._place(coordinates).side(number, coordinates[1:])

    def outline(self, coordinates: np.ndarray) -> Hull:
        """The slice of some coordinates as an exact polytope."""
        return self._place(coordinates).outline(coordinates[1:])

    def _place(self, coordinates: np.ndarray) -> DomainPlace:
        return DomainPlace(self._slices.domains[int(coordinates[0])])


def _between(start: np.ndarray, end: np.ndarray) -> ScaledIntegers:
    """Exact forms of `start + t (end - start)`."""
    one, other = exactly(start[..., None]), exactly(end[..., None])
    step = total([other, ScaledIntegers(-one.numbers, one.bits)])
    bits = max(step.bits, one.bits)
    return ScaledIntegers(np.concatenate([step.at(bits), one.at(bits)], axis=-1), bits)
