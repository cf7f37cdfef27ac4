"""The image of a spatial complex as tetrahedra with lengths, for bounds of distances from below and from above."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import null_space
from scipy.sparse import coo_array, csr_array, hstack
from scipy.sparse.csgraph import connected_components

from splinescope.errors import InvalidInputError
from splinescope.geometry.geodesics.cones import Watch
from splinescope.geometry.geodesics.potential import LengthProof, SimplexGradients, Steepest, rounds_watched, steepest
from splinescope.geometry.geodesics.simplex_cuts import cut_longest_edges
from splinescope.progress import Report, reporting
from splinescope.riemannian.quadratic import corner_gradients
from splinescope.shown import Shown
from splinescope.tessellation.factors import DEFICIENT, cell_factors
from splinescope.tessellation.simplices import simplices
from splinescope.tessellation.spatial.complex import SpatialComplex


@dataclass(frozen=True, eq=False)
class Solid(Shown):
    """Tetrahedra, each with the factor of the metric of its cell.

    Attributes:
        points: Their vertices, in the domain's coordinates.
        corners: Vertices of each.
        cells: Cell of each.
        factors: [F, 3, 3] coordinates of each cell in which it has the lengths of its image.
        flat: [F] whether the map of each cell has a rank below three.
        ends: The two points between which distances are asked.
    """

    points: Float[np.ndarray, "P 3"]
    corners: Int[np.ndarray, "T 4"]
    cells: Int[np.ndarray, " T"]
    factors: Float[np.ndarray, "F 3 3"]
    flat: Bool[np.ndarray, " F"]
    ends: tuple[int, int]

    @staticmethod
    def of(cells: SpatialComplex, ends: list[np.ndarray]) -> Solid:
        """The cells of a complex of three dimensions, with two points among the vertices.

        Args:
            cells: The complex.
            ends: The points.

        Returns:
            The solid.

        Raises:
            InvalidInputError: If a point is not in the domain.
        """
        factors = cell_factors(cells)
        values = np.linalg.svd(factors, compute_uv=False)
        flat = ~(values[:, -1] > DEFICIENT * values[:, 0])
        parts = simplices(cells, flat=True)
        solid = Solid(np.asarray(cells.vertices), parts.corners, parts.cells, factors, flat, (0, 0))
        numbers = []
        for place in ends:
            solid, number = solid._with_point(place)
            numbers.append(number)
        return Solid(solid.points, solid.corners, solid.cells, factors, flat, (numbers[0], numbers[1]))

    def _with_point(self, place: np.ndarray) -> tuple[Solid, int]:
        """The same with a point among the vertices: tetrahedra that hold it are cut into four, or fewer."""
        extent = float(np.ptp(self.points, axis=0).max())
        near = np.abs(self.points - place).max(axis=1)
        if near.min() <= 1e-13 * extent:
            return self, int(near.argmin())
        shares = self.shares(place)
        deepest = float(shares.min(axis=1).max())
        if deepest < -1e-9:
            raise InvalidInputError(f"`points`: {place.tolist()} is not in the domain; expected points of the complex")
        holding = np.flatnonzero(shares.min(axis=1) >= min(deepest, 0.0) - 1e-12)
        number = len(self.points)
        corners, cells = [np.delete(self.corners, holding, axis=0)], [np.delete(self.cells, holding)]
        for tetrahedron in holding.tolist():
            for k in np.flatnonzero(shares[tetrahedron] > 1e-12).tolist():
                corner = self.corners[tetrahedron].copy()
                corner[k] = number
                corners.append(corner[None])
                cells.append(self.cells[tetrahedron : tetrahedron + 1])
        points = np.vstack([self.points, place])
        return Solid(points, np.concatenate(corners), np.concatenate(cells), self.factors, self.flat, self.ends), number

    def shares(self, place: np.ndarray) -> Float[np.ndarray, "T 4"]:
        """Barycentric coordinates of a point in all tetrahedra.

        Args:
            place: The point.

        Returns:
            Four numbers with sum one for each.
        """
        first = self.points[self.corners[:, 0]]
        u, v, w = (self.points[self.corners[:, k]] - first for k in (1, 2, 3))
        step = place - first
        volume = (u * np.cross(v, w)).sum(axis=1)
        parts = [(step * np.cross(*pair)).sum(axis=1) for pair in ((v, w), (w, u), (u, v))]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.stack(parts, axis=1) / volume[:, None]
            shares = np.column_stack([1 - found.sum(axis=1), found])
        return np.where(np.isfinite(shares).all(axis=1, keepdims=True), shares, -np.inf)

    def bisected(self, chosen: Bool[np.ndarray, " T"]) -> Solid:
        """Cut the longest edges of some tetrahedra in half, as their images have lengths.

        Args:
            chosen: Which tetrahedra.

        Returns:
            The solid, in which old vertices keep their numbers.
        """
        pairs = np.array(list(itertools.combinations(range(4), 2)))
        steps = self.points[self.corners[:, pairs[:, 1]]] - self.points[self.corners[:, pairs[:, 0]]]
        lengths = np.linalg.norm(np.einsum("tij,tej->tei", self.factors[self.cells], steps), axis=2)
        corners, owners, middles = cut_longest_edges(self.corners, lengths, chosen, len(self.points))
        points = np.vstack([self.points, self.points[middles].mean(axis=1)])
        return Solid(points, corners, self.cells[owners], self.factors, self.flat, self.ends)

    def proved(self, rounds: int = 6, most: int = 3_000, progress: bool | Report = False) -> LengthProof:
        """A bound of the distance of the two ends from below, by a function that is quadratic on tetrahedra.

        Where a cell is flattened, functions are affine, and constant along the directions that vanish.

        Args:
            rounds: How often tetrahedra where it matters are cut in half.
            most: Tetrahedra above which none are cut.
            progress: Whether to show a bar, or a function to call with the share done and the number of tetrahedra.

        Returns:
            The bound; interrupting leaves what is proved so far.
        """
        solid, best, finished = self, 0.0, True
        with reporting(progress, "tetrahedra", phase="proving") as report:
            try:
                for round_ in range(rounds + 1):
                    last = round_ == rounds or len(solid.corners) > most
                    watch = rounds_watched(report, round_, rounds + 1, len(solid.corners))
                    found = solid._bound(_FINELY if last else _ROUGHLY, watch)
                    if found is None:
                        break
                    best, finished = max(best, found.bound), found.finished
                    if last or not finished:
                        break
                    flow = found.flow.reshape(-1, 4).sum(axis=1)
                    solid = solid.bisected((flow > _MATTERS * flow.max()) & ~solid.flat[solid.cells])
            except KeyboardInterrupt:
                finished = False
        return LengthProof(best, finished)

    def _bound(self, tolerance: float, watch: Watch) -> Steepest | None:
        """The bound on these tetrahedra; None if the ends have one image."""
        corners = self.corners
        steps = self.points[corners[:, 1:]] - self.points[corners[:, :1]]
        edges = np.einsum("tij,tej->tei", self.factors[self.cells], steps)
        left, values, right = np.linalg.svd(edges)
        known = (values > _THIN * values[:, :1]) & (values > 0)
        known[:, -1] &= ~self.flat[self.cells]
        free = _values_with(corners, left, known, len(self.points))
        source, goal = self.ends
        rise = free[[goal]] - free[[source]]
        if not rise.nnz or np.abs(rise.data).max() < 1e-12:
            return None
        inverse = np.einsum(
            "tik,tk,tjk->tij",
            right.transpose(0, 2, 1),
            np.divide(1.0, values, out=np.zeros_like(values), where=known),
            left,
        )
        slopes = np.concatenate([-inverse.sum(axis=2, keepdims=True), inverse], axis=2)
        plain, bent = corner_gradients(corners, slopes, np.asarray(known.all(axis=1)), len(self.points))
        heights = np.where(known, values, np.inf).min(axis=1)
        gradients = SimplexGradients(
            tuple(csr_array(hstack([one @ free, other])) for one, other in zip(plain, bent, strict=True)),
            np.repeat(heights / 4, 4),  # numbers at edges count four times
            float(values.max()),
        )
        rises = np.concatenate([rise.toarray().ravel(), np.zeros(bent[0].shape[1])])
        return steepest(gradients, rises, tolerance, watch)


_ROUGHLY, _FINELY = 1e-3, 1e-6
"""How near to the optimum programs are solved that say where to cut, and that prove."""
_MATTERS = 1e-2
"""Share of the largest flow of multipliers from which on tetrahedra are cut."""
_MOST_BOUND = 3000
"""Vertices of flattened cells up to which a basis of all functions that are constant where they must be is made."""
_THIN = 1e-9
"""Ratio of a tetrahedron's thickness to its length below which functions are constant across it."""


def _values_with(
    corners: Int[np.ndarray, "T 4"], left: np.ndarray, known: Bool[np.ndarray, "T 3"], number: int
) -> csr_array:
    """A basis of the functions that are constant along directions that vanish, by their values at the vertices."""
    tetrahedra, which = np.nonzero(~known)
    used, places = np.unique(corners[tetrahedra], return_inverse=True)
    places = places.reshape(-1, 4)
    others = np.setdiff1d(np.arange(number), used)
    if len(used) > _MOST_BOUND:  # constant on each flattened part, which is stricter
        graph = coo_array((np.ones(places.size), (np.repeat(places[:, 0], 4), places.ravel())), shape=(len(used),) * 2)
        basis = np.eye(len(used))[connected_components(graph, directed=False)[1]]
        basis = basis[:, basis.any(axis=0)]
    else:
        rules = np.zeros((len(tetrahedra), len(used)))
        combination = left[tetrahedra, :, which]
        np.add.at(rules, (np.arange(len(rules))[:, None], places[:, 1:]), combination)
        np.add.at(rules, (np.arange(len(rules)), places[:, 0]), -combination.sum(axis=1))
        basis = null_space(rules) if len(used) else np.empty((0, 0))
    rows = np.concatenate([others, np.repeat(used, basis.shape[1])])
    columns = np.concatenate([np.arange(len(others)), len(others) + np.tile(np.arange(basis.shape[1]), len(used))])
    entries = np.concatenate([np.ones(len(others)), basis.ravel()])
    return csr_array(coo_array((entries, (rows, columns)), shape=(number, len(others) + basis.shape[1])))
