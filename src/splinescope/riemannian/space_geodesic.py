"""Short paths in three dimensions of latents, between bounds from both sides: there is no exact algorithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.geometry.geodesics.potential import LengthProof
from splinescope.progress import Report
from splinescope.riemannian.proofs import Provable
from splinescope.riemannian.solids import Solid
from splinescope.riemannian.steiner import short_path
from splinescope.shown import Shown
from splinescope.tessellation.domains.samples import embedded
from splinescope.tessellation.spatial.complex import SpatialComplex


@dataclass(frozen=True, eq=False)
class SpaceGeodesic(Provable, Shown):
    """A short path between two points of a space, as a network measures it, and a bound that no path is below.

    Attributes:
        cells_of_space: The tessellation.
        points: Corners of the path in the domain's coordinates.
        cells: Cell in which each straight piece lies.
        lengths: Length of each piece in the space of outputs.
        straight_length: Length of the straight line between the points.
        chord: Distance of the outputs of the points.
        finished: Whether nobody interrupted the search: else the path is the best so far, and others may be shorter.
    """

    cells_of_space: SpatialComplex
    points: Float[np.ndarray, "k 3"]
    cells: Int[np.ndarray, " pieces"]
    lengths: Float[np.ndarray, " pieces"]
    straight_length: float
    chord: float
    finished: bool
    _solid: Solid

    def __repr__(self) -> str:
        """One line."""
        return (
            f"SpaceGeodesic(length {self.length:.6g} in {len(self.cells)} pieces, straight line "
            f"{self.straight_length:.6g}, outputs {self.chord:.6g} apart)"
        )

    @property
    def length(self) -> float:
        """Length of the path in the space of outputs, which the distance of the points is at most."""
        return float(np.sum(self.lengths))

    @property
    def network_length(self) -> float:
        """Length of the path from the network's outputs at its corners, which is `length` by other means."""
        found = self.cells_of_space.network(embedded(self.cells_of_space.domain, self.points))
        outputs = np.asarray(found).reshape(len(self.points), -1)
        return float(np.linalg.norm(np.diff(outputs, axis=0), axis=1).sum())

    def _bounded(self, progress: bool | Report) -> LengthProof:
        return self._solid.proved(progress=progress)

    @property
    def gap(self) -> float:
        """What is not known, as a share of the length."""
        return 1.0 - self.lower_bound / self.length if self.length > 0 else 0.0


def space_geodesic(
    cells: SpatialComplex, ends: list[np.ndarray], straight: float, progress: bool | Report = False
) -> SpaceGeodesic:
    """A short path between two points of a space.

    Args:
        cells: The tessellation of a domain of three dimensions.
        ends: The two points.
        straight: Length of the straight line between them.
        progress: Whether to show a bar, or a function to call with the share done and the number of tetrahedra.

    Returns:
        The path; the straight line, if nothing shorter was found.

    Raises:
        InvalidInputError: If a point is not in the domain.
    """
    solid = Solid.of(cells, ends)
    one, two = (np.asarray(cells.network(embedded(cells.domain, np.array([end])))).ravel() for end in ends)
    found = short_path(solid, progress=progress)
    points, owners = found.points, found.cells
    steps = np.einsum("kij,kj->ki", solid.factors[owners], np.diff(points, axis=0))
    lengths = np.linalg.norm(steps, axis=1)
    chord = float(np.linalg.norm(one - two))
    return SpaceGeodesic(cells, points, owners, lengths, straight, chord, found.finished, solid)
