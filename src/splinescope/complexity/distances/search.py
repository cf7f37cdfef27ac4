r"""The nearest decision boundary, or fold of a layer, from a point of an input space of any dimension.

Cells are searched in the order of their distance. On a cell everything is affine, so that the nearest boundary point in
it is the projection of the point to a polyhedron (`projection`). The search starts in the point's own cell; for each
wall of a cell that it takes up, the distance of the point to that facet is computed in the same way, and the cell
behind it waits with this number as its key. Along the segment from the point to its nearest boundary point every cell
is entered through a facet that is no farther than that point. So while cells wait, no boundary is nearer than their
least key; when that reaches the distance of a boundary point that was found, it is the nearest one.

A search that ends early still has these two numbers as a lower and an upper bound. Source: Jordan, Lewis and Dimakis
(2019), arXiv 1903.08778; see also Croce, Andriushchenko and Hein (2019), arXiv 1810.07481.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike

from splinescope.complexity.distances.descent import first_boundary_point
from splinescope.complexity.distances.local_formula import inputs_of, network_at
from splinescope.complexity.distances.projection import RESOLUTION, project
from splinescope.complexity.distances.targets import ClassChange, FoldOf, SearchTarget, class_of
from splinescope.complexity.metric import Frame, frame_of
from splinescope.complexity.walls import Branches, BranchForms
from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.shown import Shown
from splinescope.tessellation.branches.walk import pieces_at
from splinescope.tessellation.domains import Domain

EXACT = 2.0**-20
"""Relative difference up to which the two bounds agree."""

_MARGINS = (2.0**-45, 2.0**-35, 2.0**-25)
"""How far behind a computed boundary the network's own class is asked, relative to the best distance so far."""

_AT_ONCE = 8
"""Walls of a cell that are dealt with before another cell gets its turn."""

_WORTH_THREADS = 1 << 16
"""Numbers of the largest value of a branch from which on several threads are worth while."""

_REMEMBERED = 1 << 28
"""Bytes of values of early layers that cells share."""


@dataclass(frozen=True, eq=False)
class NearestPoint(Shown):
    """The nearest point of a decision boundary or of folds, or bounds for its distance.

    Attributes:
        lower: Nothing is nearer than this, up to rounding (some eight digits).
        upper: Distance of `point`; infinite if none was found.
        exact: Whether both agree, to six digits: the search came to its end, and met no place where outputs only touch.
        point: Input at that distance, on the boundary or just behind it; None if none was found.
        label: Class behind the boundary, or unit of the fold; -1 if none was found.
        cells: Number of cells that were taken up.
        local: What the local formula says at the start.
    """

    lower: float
    upper: float
    exact: bool
    point: Float[np.ndarray, "..."] | None
    label: int
    cells: int
    local: float


def nearest_boundary(
    network: ModelLike,
    x: ArrayLike,
    *,
    domain: Domain | None = None,
    max_cells: int = 1000,
    time_limit: int | float | None = None,
) -> NearestPoint:
    r"""Distance of an input to the decision boundary, $\min \{\|y - x\|_2 : \text{class}(y) \ne \text{class}(x)\}$.

    Args:
        network: The network; or a module or the path of a file, which is imported with the shape of `x` where it does
            not tell its own. With one output the classes are those of its sign.
        x: An input of the network's input shape, or flat, or its coordinates if a domain is given.
        domain: Look in this domain only; the whole input space if None. Each projection costs the cube of the number
            of the domain's walls that it touches: boxes of hundreds of pixels take minutes.
        max_cells: Cells that may be taken up.
        time_limit: Seconds after which the search ends with what it has.

    Returns:
        The distance in the metric of the input space, or bounds. An upper bound is always the distance of an input
        that the network itself puts into another class. Cost: for each cell d + 1 forward passes, and one small
        projection for each wall nearer than the upper bound. The number of cells grows exponentially with that of the
        folds that are nearer than the boundary.

    Raises:
        InvalidInputError: If `x` has another shape, is outside the domain, or a budget is not positive.
        DegenerateArrangementError: If walls contradict each other in so many ways that float64 cannot decide it.

    Example:
        >>> import splinescope, torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1)).double()
        >>> with torch.no_grad():
        ...     for p, v in zip(module.parameters(), ([[1, 0], [0, 1]], [0, 0], [[1, 1]], [-1])):
        ...         _ = p.copy_(torch.tensor(v, dtype=torch.float64))
        >>> found = nearest_boundary(splinescope.load(module), [-1.0, -1.0])  # max(x, 0) + max(y, 0) = 1
        >>> found.exact, round(found.upper, 9), found.label
        (True, 2.0, 1)
    """
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    network = network_at(network, np.array(x, np.float64)[None], domain)
    start = _start(network, x, domain, max_cells, time_limit)
    target, frame = ClassChange(class_of(network, start)), frame_of(network, domain, base=x)
    with _few_threads(network, frame):
        search = _CellSearch(network, start, target, frame)
        step = first_boundary_point(network, start, frame, target, deadline)
        if step is not None and frame.excess(step) <= 0:
            search.begin_near(step)
        return search.run(max_cells, deadline)


def nearest_fold(
    network: ModelLike,
    x: ArrayLike,
    op: int,
    unit: int | None = None,
    *,
    domain: Domain | None = None,
    max_cells: int = 1000,
    time_limit: int | float | None = None,
) -> NearestPoint:
    """Distance of an input to the nearest fold of one layer, or of one unit.

    Only the cells of the layers before matter. A place where a unit's argument reaches a breakpoint and turns back
    counts too. For the nearest fold of any layer see `local_distances`, whose formula is exact.

    Args:
        network: As in `nearest_boundary`.
        x: An input of the network's input shape, or flat, or its coordinates if a domain is given.
        op: Node whose folds count.
        unit: Flat index of the only unit that counts; all if None.
        domain: Look in this domain only; the whole input space if None.
        max_cells: Cells that may be taken up.
        time_limit: Seconds after which the search ends with what it has.

    Returns:
        The distance, or bounds, as from `nearest_boundary`.

    Raises:
        InvalidInputError: If `x` has another shape, is outside the domain, a budget is not positive, or there is no
            such node or unit.

    Cost: as `nearest_boundary`: for each cell of the layers before d + 1 forward passes and a few small projections;
    the number of cells grows exponentially with that of nearer folds.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> round(nearest_fold(relu, [3.0, 4.0], op=1).upper, 6)
        3.0
    """
    network = network_at(network, np.array(x, np.float64)[None], domain)
    if not 0 <= op < len(network.nodes) or not 0 <= (unit or 0) < network.nodes[op].units:
        raise InvalidInputError(f"`op`, `unit`: node {op} has no unit {unit or 0} that folds")
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    start = _start(network, x, domain, max_cells, time_limit)
    frame = frame_of(network, domain, base=x)
    with _few_threads(network, frame):
        return _CellSearch(network, start, FoldOf(op, unit), frame).run(max_cells, deadline)


@contextmanager
def _few_threads(network: Network, frame: Frame) -> Iterator[None]:
    """Torch on one thread where its products are too small for several, which would wait for each other at each one."""
    threads = torch.get_num_threads()
    numbers = (frame.dimension + 1) * max(node.size for node in network.nodes)
    try:
        torch.set_num_threads(1 if numbers < _WORTH_THREADS else threads)
        yield
    finally:
        torch.set_num_threads(threads)


def _start(
    network: Network, x: ArrayLike, domain: Domain | None, max_cells: int, time_limit: int | float | None
) -> torch.Tensor:
    """The starting point as a batch of one input; raises on bad arguments."""
    if max_cells < 1:
        raise InvalidInputError(f"`max_cells`: got {max_cells}; expected at least 1")
    if time_limit is not None and not time_limit > 0:
        raise InvalidInputError(f"`time_limit`: got {time_limit}; expected a positive number of seconds")
    array = np.array(x, dtype=np.float64)
    start = inputs_of(network, array[None], domain)
    if domain is not None:
        outside = float((domain.halfspaces[:, :-1] @ array + domain.halfspaces[:, -1]).max())
        if outside > RESOLUTION * domain.size:
            raise InvalidInputError(f"`x`: it is {outside} outside the domain; expected a point of the domain")
    return start


@dataclass(frozen=True, eq=False)
class _Walls:
    """The walls of one cell as rows of unit length, and what is behind each: column -1 for those of the domain."""

    normals: np.ndarray
    offsets: np.ndarray
    columns: np.ndarray
    beyond: np.ndarray

    def within(self, radius: float) -> _Walls:
        """The walls that a point of a ball around the start can violate."""
        near = self.offsets < radius
        return _Walls(self.normals[near], self.offsets[near], self.columns[near], self.beyond[near])

    def and_rows(self, normals: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normals and offsets with further rows."""
        return np.vstack([self.normals, normals]), np.append(self.offsets, offsets)


class _CellSearch:
    """A search under way.

    Attributes:
        upper: Distance of the nearest point found so far.
        step: The step to it.
        doubtful: Distance of the nearest place where the target may only be touched.
        heap: Cells that wait, by the distance of the facet through which they were reached, or of the next of their
            walls; and the number of their walls that were dealt with.
        keys: Least key of every cell that was reached, by its pattern.
    """

    def __init__(self, network: Network, start: torch.Tensor, target: SearchTarget, frame: Frame) -> None:
        self.network, self.start, self.target, self.frame = network, start, target, frame
        self.upper, self.doubtful, self.label, self.cells = math.inf, math.inf, -1, 0
        self.step: np.ndarray | None = None
        self.heap: list[tuple[float, bytes, int]] = []
        self.keys: dict[bytes, float] = {}
        self.columns: dict[int, slice] = {}
        at = 0
        for index, node in enumerate(network.nodes[: network.output + 1]):
            if node.units:
                self.columns[index] = slice(at, at + node.units)
                at += node.units
        self.relevant = set(target.nodes(network))
        self.branches = Branches(network, start, frame, _REMEMBERED)
        own = self._pattern(start)
        rows = target.rows(self._forms(own))
        norms = np.linalg.norm(rows.normals, axis=1)
        self.local = float((np.abs(rows.offsets[norms > 0]) / norms[norms > 0]).min(initial=math.inf))
        self._push(0.0, own)

    def begin_near(self, step: np.ndarray) -> None:
        """Take a step to a point of another class as the first upper bound, and look for a nearer one in its cell."""
        place = self.start + self.frame.embed(step)
        self.upper, self.step, self.label = float(np.linalg.norm(step)), step, class_of(self.network, place)
        forms = self._forms(self._pattern(place))
        self._look_in(forms, self._walls(forms))

    def run(self, max_cells: int, deadline: float) -> NearestPoint:
        """Take up cells until the least key reaches the upper bound, or a budget ends."""
        while self.heap and self.heap[0][0] < self.upper and time.monotonic() < deadline:
            key, name, done = self.heap[0]
            if not done and key <= self.keys[name]:
                if self.cells == max_cells:
                    break
                self.cells += 1
            heapq.heappop(self.heap)
            if done or key <= self.keys[name]:
                self._take_up(key, name, done, deadline)
        lower = min(self.upper, self.doubtful, self.heap[0][0] if self.heap else math.inf)
        point = None if self.step is None else (self.start + self.frame.embed(self.step))[0].numpy()
        exact = lower >= self.upper or lower >= self.upper * (1 - EXACT)
        return NearestPoint(lower, self.upper, exact, point, self.label, self.cells, self.local)

    def _take_up(self, key: float, name: bytes, done: int, deadline: float) -> None:
        """Look for the target in a cell, and let the cells behind its facets wait.

        Walls come in the order of the distances of their hyperplanes. Once that exceeds the least key, the cell waits
        with it as its key, and goes on from there when it is taken up again.
        """
        pattern = np.frombuffer(name, np.uint8)
        forms = self._forms(pattern)
        walls = self._walls(forms)
        if not done:
            self._look_in(forms, walls)
        walls = walls.within(self.upper)
        inner = np.flatnonzero(walls.columns >= 0)
        inner = inner[np.argsort(np.abs(walls.offsets[inner]), kind="stable")]
        for position in range(done, len(inner)):
            row = inner[position]
            least = max(key, abs(float(walls.offsets[row])))
            enough = position >= done + _AT_ONCE and self.heap and least > self.heap[0][0]
            if enough or time.monotonic() > deadline:
                heapq.heappush(self.heap, (least, name, position))
                return
            behind = pattern.copy()
            behind[walls.columns[row]] = walls.beyond[row]
            if least < min(self.upper, self.keys.get(behind.tobytes(), math.inf)):
                rows = walls.and_rows(-walls.normals[row][None], -walls.offsets[row][None])
                self._push(max(key, project(*rows, self.upper, RESOLUTION).distance), behind)

    def _look_in(self, forms: BranchForms, walls: _Walls) -> None:
        """The nearest point of the target in one cell, if it is nearer than the best so far."""
        rows = self.target.rows(forms)
        norms = np.linalg.norm(rows.normals, axis=1)
        for row in np.argsort(np.abs(rows.offsets)):
            size = norms[row] or 1.0
            normal, offset, label = rows.normals[row] / size, float(rows.offsets[row] / size), int(rows.labels[row])
            if norms[row] > 0 and rows.equal and abs(offset) < self.upper:
                self._look_for_zero(walls.within(self.upper), normal, offset, label)
            if not rows.equal and offset < (self.upper if norms[row] > 0 else np.nextafter(0.0, 1.0)):
                self._look_behind(walls.within(self.upper), normal, offset, label)

    def _look_for_zero(self, walls: _Walls, normal: np.ndarray, offset: float, label: int) -> None:
        """The nearest point of a cell where a form is zero."""
        found = project(*walls.and_rows(np.stack([normal, -normal]), np.array([offset, -offset])), self.upper)
        if found.distance < self.upper:
            self.upper, self.step, self.label = found.distance, found.point, label

    def _look_behind(self, walls: _Walls, normal: np.ndarray, offset: float, label: int) -> None:
        """The nearest point of a cell where a form is not positive, and one behind it where the network agrees.

        Where the form only touches zero, there is none behind it: in a corner, at the border of the domain, in a cell
        on which it is zero throughout. Such a place is in doubt: it counts for the lower bound only.
        """
        closed = project(*walls.and_rows(-normal[None], np.array([-offset])), self.upper, RESOLUTION)
        if closed.distance >= self.upper:
            return
        scale = self.upper if math.isfinite(self.upper) else max(1.0, closed.distance)
        constant = not normal.any()
        for margin in (part * scale for part in _MARGINS):
            # a constant form is behind everywhere: then the cell itself is entered by the margin
            shrunk = replace(walls, offsets=walls.offsets - margin) if constant else walls
            found = project(*shrunk.and_rows(-normal[None], np.array([-offset - (not constant) * margin])), self.upper)
            if found.distance < self.upper and self._is_behind(walls, found.point, normal, offset, margin):
                self.upper, self.step, self.label = found.distance, found.point, label
                break
        if self.upper > closed.distance * (1 + EXACT):
            self.doubtful = min(self.doubtful, closed.distance)

    def _is_behind(self, walls: _Walls, point: np.ndarray, normal: np.ndarray, offset: float, margin: float) -> bool:
        """Whether a point is in the cell and behind the form by more than the projection's tolerance lets pass."""
        behind = not normal.any() or normal @ point + offset < -0.75 * margin
        inside = (walls.normals @ point + walls.offsets).min(initial=0.0) > -0.1 * margin
        return bool(behind and inside and self.target.reached(self.network, self.start + self.frame.embed(point)))

    def _push(self, key: float, pattern: np.ndarray) -> None:
        name = pattern.tobytes()
        if key < min(self.upper, self.keys.get(name, math.inf)):
            self.keys[name] = key
            heapq.heappush(self.heap, (key, name, 0))

    def _pattern(self, place: torch.Tensor) -> np.ndarray:
        pieces = pieces_at(self.network, place)
        return np.concatenate([np.zeros(0, np.uint8), *(pieces[node].numpy()[0] for node in self.columns)])

    def _forms(self, pattern: np.ndarray) -> BranchForms:
        rows = torch.from_numpy(pattern.copy())[None]
        pieces = {node: rows[:, part] for node, part in self.columns.items()}
        return self.branches.forms(pieces)

    def _walls(self, forms: BranchForms) -> _Walls:
        """Walls of the units that matter and of the domain, as rows of unit length (or zero)."""
        kept = [(wall, np.flatnonzero(wall.present[0])) for wall in forms.walls if wall.node in self.relevant]
        d = self.frame.dimension
        normals = np.vstack([-self.frame.halfspaces[:, :d], *(wall.gradients[0].T[there] for wall, there in kept)])
        offsets = np.concatenate([-self.frame.halfspaces[:, d], *(wall.margins[0][there] for wall, there in kept)])
        none = np.full(len(self.frame.halfspaces), -1)
        columns = np.concatenate([none, *(self.columns[w.node].start + w.units[there] for w, there in kept)])
        beyond = np.concatenate([none, *(wall.beyond[0][there] for wall, there in kept)])
        norms = np.linalg.norm(normals, axis=1)
        scale = np.where(norms > 0, norms, 1.0)
        return _Walls(normals / scale[:, None], offsets / scale, columns, beyond)
