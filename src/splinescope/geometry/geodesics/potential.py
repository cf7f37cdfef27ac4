r"""Lower bounds of distances: functions that rise by at most one for each unit of length.

For any function $\psi$ that is affine on triangles with gradients of norm at most one, every path from $a$ to $b$ has
at least the length $\psi(b) - \psi(a)$. The largest such difference is a convex program; whatever comes out of it, also
if it is interrupted, is divided by the largest gradient and is a bound, which owes nothing to the search for the path.
Gradients are those in the lengths of the surface, so that functions are constant where it is flattened to a point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array, diags_array, vstack
from scipy.sparse.csgraph import connected_components

from splinescope.geometry.geodesics.bisection import bisected
from splinescope.geometry.geodesics.cones import Watch, climb
from splinescope.geometry.geodesics.polyhedral import PolyhedralSurface
from splinescope.progress import Report, reporting

_TOLERANCE, _FINE = 1e-6, 1e-10
"""How near to the optimum programs are solved, relative to it: on triangles, and where there are only loose edges."""
_GAIN = 1e-4
"""What finer triangles have to add, relative to the bound, for still finer ones to be tried."""
_NOTHING = 2.0**-40
"""Length of loose edges, relative to the longest, at whose ends functions are kept equal."""
_ROUNDOFF = 2.0**-46
"""What sums and products of a gradient may be off by, relative to their largest part."""


@dataclass(frozen=True)
class LengthProof:
    """A length below which there is no path.

    Attributes:
        bound: The length.
        finished: False if somebody interrupted the work (Ctrl-C): the bound is proved, and there may be larger ones.
    """

    bound: float
    finished: bool = True

    def within(self, least: float, most: float) -> LengthProof:
        """The same with what else is known: no path is shorter than `least`, and one is as short as `most`.

        Args:
            least: A length below which there is no path.
            most: The length of a path.

        Returns:
            The better bound.
        """
        return LengthProof(min(max(self.bound, least), most), self.finished)


def lower_bound(
    surface: PolyhedralSurface,
    source: int,
    goal: int,
    *,
    rounds: int = 12,
    most: int = 20_000,
    progress: bool | Report = False,
) -> LengthProof:
    """Prove a distance between two vertices from below.

    Args:
        surface: The surface.
        source: One vertex.
        goal: The other one.
        rounds: How often triangles where it matters are cut in half, at most, for a better bound.
        most: Triangles above which none are cut.
        progress: Whether to show a bar, or a function to call with the share done and the number of triangles.

    Returns:
        A length below which there is no path; interrupting ends the work early. Cost: in each round some twenty
        factorizations of a sparse matrix.
    """
    best, finished = 0.0, True
    with reporting(progress, "triangles", phase="proving") as report:
        try:
            for round_ in range(rounds + 1):
                triangles = len(surface.corners)
                gradients, vertices = surface_gradients(surface)
                rise = np.zeros(gradients.components[0].shape[1])
                rise[vertices[goal]] += 1.0
                rise[vertices[source]] -= 1.0
                watch = rounds_watched(report, round_, rounds + 1, triangles)
                found = steepest(gradients, rise, _TOLERANCE if triangles else _FINE, watch)
                enough = round_ > 3 and found.bound < best * (1 + _GAIN)
                best, finished = max(best, found.bound), found.finished
                if enough or not finished or triangles > most or not triangles or not rise.any():
                    break
                if round_ < rounds:
                    surface = bisected(surface, where_it_matters(found.flow[:triangles]))
        except KeyboardInterrupt:
            finished = False
    return LengthProof(best, finished)


def rounds_watched(report: Report, number: int, rounds: int, simplices: int) -> Watch:
    """How far one of several rounds is, as a share of all.

    Args:
        report: Who is told.
        number: Which round.
        rounds: How many there are at most.
        simplices: How many simplices it has.

    Returns:
        A function of the share of the round.
    """
    return lambda share: report((number + share) / rounds, simplices)


def where_it_matters(flow: Float[np.ndarray, " T"]) -> Bool[np.ndarray, " T"]:
    """Simplices through which the multipliers of the constraints flow.

    Args:
        flow: How much flows through each.

    Returns:
        Those to cut.
    """
    return (flow >= np.quantile(flow, 0.7)) & (flow > 1e-3 * flow.max())


@dataclass(frozen=True, eq=False)
class SimplexGradients:
    """Gradients of functions that are affine on simplices, as matrices, in coordinates that have lengths.

    Attributes:
        components: For each coordinate, from values at vertices to one number for each simplex.
        heights: The least height of each simplex; gradients are known as well as these.
        length: A length of the whole.
    """

    components: tuple[csr_array, ...]
    heights: Float[np.ndarray, " simplices"]
    length: float

    def of(self, values: Float[np.ndarray, " V"]) -> Float[np.ndarray, "d simplices"]:
        """Gradients of a function.

        Args:
            values: Its values at the vertices.

        Returns:
            One component in each row.
        """
        return np.stack([component @ values for component in self.components])

    def slope(self, values: Float[np.ndarray, " V"]) -> float:
        """Bound of the norms of a function's gradients, rounding included, and at least one.

        Args:
            values: Its values at the vertices.

        Returns:
            The bound.
        """
        size = float(np.ptp(values)) + self.length
        error = _ROUNDOFF * size / np.maximum(self.heights, np.finfo(np.float64).tiny)
        slopes = np.sqrt((self.of(values) ** 2).sum(axis=0))
        return float((slopes * (1 + error) + error).max(initial=1.0))


def surface_gradients(surface: PolyhedralSurface) -> tuple[SimplexGradients, Int[np.ndarray, " V"]]:
    """Gradients along the longest side of each triangle and across it, and along loose edges.

    Args:
        surface: The surface.

    Returns:
        The gradients of triangles, then those of loose edges, larger by as much as lengths may be shorter than they
        seem; and for each vertex the number that is its value. Vertices that loose edges of next to no length join have
        one number: rounding knows no gradient along these.
    """
    longest, number = np.argmax(surface.lengths[surface.sides], axis=1), surface.num_vertices
    rows = np.arange(len(longest))
    corners = surface.corners[rows[:, None], (longest[:, None] + np.arange(3)) % 3]
    length = surface.lengths[surface.sides[rows, longest]]
    x, y = surface.apexes[3 * rows + longest].T
    loose = np.ones(len(surface.lengths), bool)
    loose[surface.sides.ravel()] = False
    short = loose & (surface.lengths <= max(_NOTHING * surface.lengths.max(initial=0.0), 4 * surface.give))
    loose &= ~short
    one, two = surface.ends[short].T
    graph = csr_array((np.ones(len(one)), (one, two)), shape=(number, number))
    count, vertices = connected_components(graph, directed=False)
    values = csr_array((np.ones(number), (np.arange(number), vertices)), shape=(number, count))
    ends, sizes = surface.ends[loose], surface.lengths[loose]
    steep = 1.0 / np.maximum(y, np.finfo(np.float64).tiny)
    along = _rows(np.stack([-1 / length, 1 / length], axis=1), corners[:, :2], number)
    across = _rows(np.stack([(x / length - 1) * steep, -x / length * steep, steep], axis=1), corners, number)
    edges = _rows(np.stack([-1 / sizes, 1 / sizes], axis=1), ends, number)
    nothing = csr_array((len(sizes), number))
    larger = diags_array(1 + np.concatenate([surface.doubts, 4 * surface.give / sizes]))
    gradients = SimplexGradients(
        (csr_array(larger @ vstack([along, edges]) @ values), csr_array(larger @ vstack([across, nothing]) @ values)),
        np.concatenate([y, sizes]),
        float(surface.lengths.max(initial=0.0)),
    )
    return gradients, vertices.astype(np.int64)


def _rows(values: np.ndarray, columns: Int[np.ndarray, "n k"], number: int) -> csr_array:
    indices = np.repeat(np.arange(len(values)), values.shape[1])
    return csr_array((values.ravel(), (indices, columns.ravel())), shape=(len(values), number))


@dataclass(frozen=True, eq=False)
class Steepest:
    """A function that rises as much as it can.

    Attributes:
        bound: What the best function that was found proves, its rise divided by its slope.
        flow: How much of the multipliers of the constraints flows through each simplex.
        finished: Whether nobody interrupted the search for it.
    """

    bound: float
    flow: Float[np.ndarray, " simplices"]
    finished: bool = True


def steepest(
    gradients: SimplexGradients, rise: Float[np.ndarray, " V"], tolerance: float, watch: Watch | None = None
) -> Steepest:
    """How much a function can rise from one point to another if its gradients are at most one.

    Args:
        gradients: Gradients on the simplices, by the numbers that make a function.
        rise: What the function rises by, by the same numbers.
        tolerance: How near to the most it is to come, relative to it.
        watch: Called now and then with the share done.

    Returns:
        What the best function proves, whether or not it came so near.
    """
    proved, flow = 0.0, np.zeros(len(gradients.heights))
    if not len(flow) or not rise.any():
        return Steepest(proved, flow)
    found = climb(gradients.components, rise, tolerance=tolerance, watch=watch)
    slope = gradients.slope(found.values)
    if np.isfinite(slope):
        proved = max(0.0, float(rise @ found.values) / slope * (1 - _ROUNDOFF))
    return Steepest(proved, np.nan_to_num(np.sqrt((found.multipliers**2).sum(axis=0))), found.finished)
