"""Planar slices side by side: one run of the engine takes all of them through the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.network.graph import Network
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.rounding import groups_alike, probes

_INSIDE = 2
"""Points inside each of several slices at which the network is tried, beside the corners."""


@dataclass(frozen=True, eq=False)
class Slices:
    """Planar slices of inputs of one shape.

    A point of them is the number of its slice with its coordinates there, three numbers in all.

    Attributes:
        domains: The slices.
    """

    domains: tuple[Slice, ...]

    def __len__(self) -> int:
        return len(self.domains)

    @cached_property
    def origins(self) -> np.ndarray:
        """[S, n_in] origin of each."""
        return np.stack([np.asarray(domain.origin).ravel() for domain in self.domains])

    @cached_property
    def bases(self) -> np.ndarray:
        """[S, 2, n_in] directions of each."""
        return np.stack([np.asarray(domain.basis).reshape(2, -1) for domain in self.domains])

    @cached_property
    def corners(self) -> np.ndarray:
        """[C, 3] corners of all of them, one slice after the other."""
        polygons = [domain.polygon for domain in self.domains]
        number = np.repeat(np.arange(len(self), dtype=np.float64), [len(polygon) for polygon in polygons])
        return np.column_stack([number, np.concatenate(polygons)])

    @cached_property
    def offsets(self) -> np.ndarray:
        """[S + 1] first corner of each."""
        return np.concatenate([[0], np.cumsum([len(domain.polygon) for domain in self.domains])])

    @cached_property
    def extents(self) -> np.ndarray:
        """[S, 2] size of each along its coordinates."""
        corners, starts = self.corners[:, 1:], self.offsets[:-1]
        return np.maximum.reduceat(corners, starts) - np.minimum.reduceat(corners, starts)

    @cached_property
    def areas(self) -> np.ndarray:
        """[S] area of each in its coordinates."""
        return np.array([domain.area for domain in self.domains])

    @cached_property
    def terms(self) -> np.ndarray:
        """[*input_shape] to what inputs are rounded relatively, as the largest of all of them; see `Domain.terms`."""
        return np.max([domain.terms for domain in self.domains], axis=0)

    def centre(self, number: int) -> np.ndarray:
        """[2] point of a slice around which cells are kept where there are too many."""
        return np.asarray(self.domains[number].polygon.mean(axis=0))

    def embed(self, points: np.ndarray) -> np.ndarray:
        """Inputs at points: [n, 3] to [n, *input_shape]."""
        if len(self) == 1:
            return self.domains[0].embed(points[:, 1:])
        number = points[:, 0].astype(np.int64)
        flat = self.origins[number]
        for axis in range(2):
            flat += points[:, [axis + 1]] * self.bases[number, axis]
        return flat.reshape(-1, *self.domains[0].origin.shape)

    def probes(self, network: Network) -> np.ndarray:
        """Inputs at which a network is tried: at the corners, and inside."""
        if len(self) == 1:
            domain = self.domains[0]
            return domain.embed(probes(domain.polygon, network))
        weights = np.random.default_rng(0).dirichlet(np.full(3, 0.7), (_INSIDE, len(self)))
        starts = self.offsets[:-1]
        thirds = [self.corners[starts + place] for place in (0, 1, 2)]
        inside = [sum(w[:, [k]] * third for k, third in enumerate(thirds)) for w in weights]
        for points in inside:
            points[:, 0] = np.arange(len(self))
        return self.embed(np.concatenate([self.corners, *inside]))

    def of_vertices(self, subdivision: Subdivision, slices: np.ndarray) -> np.ndarray:
        """[V] the slice of each vertex, where that of each face is given."""
        out = np.zeros(subdivision.num_vertices, np.int32)
        if len(self) > 1:
            inside = np.flatnonzero(subdivision.face != OUTSIDE)
            out[subdivision.origin[inside]] = slices[subdivision.face[inside]]
        return out

    def points(self, subdivision: Subdivision, slices: np.ndarray) -> np.ndarray:
        """[V, 3] the vertices as points."""
        return np.column_stack([self.of_vertices(subdivision, slices), subdivision.points])

    def extents_at(self, subdivision: Subdivision, slices: np.ndarray) -> np.ndarray:
        """[2] extents of the only slice, or [V, 2] those of the slice of each vertex."""
        return self.extents[0] if len(self) == 1 else self.extents[self.of_vertices(subdivision, slices)]


def groups_of(domains: Sequence[Slice]) -> list[np.ndarray]:
    """Numbers of the slices whose inputs are of similar size, group by group: rounding errors of each are shared.

    Args:
        domains: The slices.

    Returns:
        Groups of ascending numbers; usually there is only one.
    """
    return groups_alike(np.array([domain.terms.max(initial=0.0) for domain in domains]))
