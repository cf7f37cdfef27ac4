r"""The loss on a plane of one layer's parameters: an exact tessellation with one quadratic on each cell.

Where one layer moves in a plane, its pre-activations are affine in the two coordinates, and all samples side by side
are one continuous piecewise affine network of two inputs. Its cells are tessellated like those of any other, with the
same certificate. On each, the squared loss of all samples together is one convex quadratic, and cross-entropy is
convex and smooth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.landscape.cell_minima import EQUAL, cell_minima
from splinescope.landscape.factors import layer_node
from splinescope.landscape.losses import sample_losses
from splinescope.landscape.parameters import motion
from splinescope.landscape.problem import Problem, problem
from splinescope.landscape.side_by_side import side_by_side
from splinescope.landscape.softmax_cells import softmax_cells
from splinescope.network import ModelLike
from splinescope.network.ops import Op
from splinescope.shown import Shown
from splinescope.tessellation import Slice, tessellate
from splinescope.tessellation.planar import PlanarComplex

_NUMBERS = 1 << 24

ONE_PLACE = 2.0**-40
"""Share of the window's size within which vertices are one place."""

Minima = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Points, values and sides, as `cell_minima` gives them."""


@dataclass(frozen=True)
class PlaneMinimum(Shown):
    """A local minimum of the loss on a plane.

    Attributes:
        point: Its coordinates.
        value: The loss.
        kind: Where it is: "cell" inside of a cell, "side" on a fold, "corner" where folds meet.
    """

    point: tuple[float, float]
    value: float
    kind: str


@dataclass(frozen=True, eq=False)
class LossPlane(Shown):
    """The loss on a plane of one layer's parameters.

    Attributes:
        cells: The tessellation of all samples together, with its certificate.
        values: [F] loss at the interior point of each cell.
        gradients: [F, 2] its gradient there.
        hessians: [F, 2, 2] its second derivatives there: of the squared loss those of the whole cell.
        cell_minima: Where each cell has its least loss, [F, 2]; the loss there, [F]; and on which side, [F], as the
            function `cell_minima` says.
        targets: [N, n_out] what the loss compares outputs with.
        loss: "squared" or "cross-entropy".
        deviation: Largest difference from a direct evaluation at some points, relative to the loss there.
        layer: Name of the layer that moves.
        samples: Number of samples.
    """

    cells: PlanarComplex
    values: Float[np.ndarray, " F"]
    gradients: Float[np.ndarray, "F 2"]
    hessians: Float[np.ndarray, "F 2 2"]
    cell_minima: tuple[Float[np.ndarray, "F 2"], Float[np.ndarray, " F"], Int[np.ndarray, " F"]]
    targets: Float[Tensor, "N n_out"]
    loss: str
    deviation: float
    layer: str
    samples: int

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.cells)

    def __repr__(self) -> str:
        return f"LossPlane({len(self)} cells, {len(self.minima)} minima, layer {self.layer!r}, {self.samples} samples)"

    def __call__(self, points: Any) -> Float[np.ndarray, " n"]:
        """The loss at points of the plane.

        Args:
            points: [n, 2] coordinates.

        Returns:
            [n] values; NaN outside of the cells.
        """
        given = np.asarray(points, np.float64).reshape(-1, 2)
        cell = self.cells.locate(given)
        if self.loss != "squared":
            return np.where(cell >= 0, _direct(self.cells, given, self.targets, self.loss), np.nan)
        steps = given - self.cells.interior_points[cell]
        bent = np.einsum("ni,nij,nj->n", steps, self.hessians[cell], steps) / 2
        value = self.values[cell] + np.einsum("ni,ni->n", self.gradients[cell], steps) + bent
        return np.where(cell >= 0, value, np.nan)

    @cached_property
    def eigenvalues(self) -> Float[np.ndarray, "F 2"]:
        """[F, 2] eigenvalues of each cell's second derivatives, the smaller one first; none below 0 but by rounding."""
        return np.linalg.eigvalsh(self.hessians)

    @cached_property
    def global_minimum(self) -> PlaneMinimum:
        """The least loss on the window, its border included; on a truncated complex, of what is covered."""
        points, least, sides = self.cell_minima
        best = int(least.argmin())
        return PlaneMinimum(_pair(points[best]), float(least[best]), self._kind(best, int(sides[best])))

    @cached_property
    def minima(self) -> tuple[PlaneMinimum, ...]:
        """All local minima in the open window, least first.

        A point is one if every cell that it is on has its least loss there: on each, the loss is convex. Where a cell
        has its least loss on a line, since the outputs stand still along it, or on all of it, this is one minimum: the
        middle of that, inside or on a side. For cross-entropy it is enough that all outputs of each sample move by the
        same there, since a softmax sees their differences; then the loss on the cell is a strictly convex function of
        one coordinate, and the line is where that is least. Slopes, or directions of them, that differ by less than
        2^-40 of the sample's largest one count as equal; for the squared loss, a determinant below 1e-14 of the trace's
        square counts as zero. Vertices within 2^-40 of the window's size are one place.
        """
        points, least, sides = self.cell_minima
        found: dict[tuple[Any, ...], PlaneMinimum] = {}
        for cell in np.argsort(least, kind="stable").tolist():
            around, key = self._around(cell, int(sides[cell]))
            if (around < 0).any() or (least[around] < least[cell] * (1 - EQUAL)).any():
                continue
            kind = self._kind(cell, int(sides[cell]))
            found.setdefault(key, PlaneMinimum(_pair(points[cell]), float(least[cell]), kind))
        return tuple(found.values())

    def _kind(self, cell: int, side: int) -> str:
        corners = self.cells.cell_offsets[cell + 1] - self.cells.cell_offsets[cell]
        return "cell" if side < 0 else ("side" if side < corners else "corner")

    def _around(self, cell: int, side: int) -> tuple[np.ndarray, tuple[Any, ...]]:
        """The other cells of a side or corner, -1 for the outside, and what names it."""
        low, high = self.cells.cell_offsets[cell : cell + 2]
        own, corners = self.cells.cell_vertices[low:high], int(high - low)
        places = np.unique(self._places[own])
        if side >= 0:
            ends = [side, (side + 1) % corners] if side < corners else [side - corners]
            places = np.unique(self._places[own[ends]])
        elif len(places) > 2:
            return np.empty(0, np.int64), ("cell", cell)
        edges = self._edges_at(int(places[0]))
        if len(places) == 2:
            edges = np.intersect1d(edges, self._edges_at(int(places[1])))
        return np.unique(self.cells.edge_cells[edges]), ("place", *places.tolist())

    @cached_property
    def _places(self) -> np.ndarray:
        """[V] number of the place of each vertex; where many folds meet in one, rounding leaves a few vertices."""
        corners = self.cells.domain.polygon
        pairs = cKDTree(self.cells.vertices).query_pairs(
            ONE_PLACE * np.ptp(corners, axis=0).max(), output_type="ndarray"
        )
        count = len(self.cells.vertices)
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
        return np.asarray(connected_components(graph, directed=False)[1])

    @cached_property
    def _incidence(self) -> tuple[np.ndarray, np.ndarray]:
        """Edges in the order of the places of their ends, and where those of each place begin."""
        ends = self._places[self.cells.edges].ravel()
        order = np.argsort(ends, kind="stable")
        return order // 2, np.searchsorted(ends[order], np.arange(len(self.cells.vertices) + 1))

    def _edges_at(self, place: int) -> np.ndarray:
        edges, starts = self._incidence
        return edges[starts[place] : starts[place + 1]]


def loss_plane(
    model: ModelLike,
    layer_name: str,
    directions: Sequence[Any],
    inputs: Any,
    targets: Any,
    loss: str = "squared",
    *,
    extent: float | Sequence[Sequence[float]] = 1.0,
    verify: str = "values",
    max_cells: int | None = 500_000,
    memory_budget: int | None = None,
    progress: bool = False,
) -> LossPlane:
    r"""The loss on a plane of one layer's parameters $\theta + u_1 d_1 + u_2 d_2$, exactly.

    Args:
        model: A module, a network, or the path of a file.
        layer_name: Name of the layer that moves; a dense layer or a convolution.
        directions: Two directions: each an array of the shape of the layer's weight, or a mapping with "weight" and
            "bias".
        inputs: [N, *input_shape] inputs: tens to hundreds, since every unit behind the layer folds the plane once or
            more for each sample.
        targets: [N] labels, or [N, n_out] wanted outputs or probabilities.
        loss: "squared" (summed over outputs) or "cross-entropy", means over samples.
        extent: The window: half its width around the origin, or ranges ((low, high), (low, high)).
        verify: Level of the certificate: see `splinescope.tessellate`.
        max_cells: Stop refining outwards from the window's centre once there are so many cells; the result then says
            `cells.truncated`.
        memory_budget: Bytes for values at vertices.
        progress: Show a progress bar.

    Returns:
        The loss, cell by cell, with all of its minima.

    Raises:
        InvalidInputError: If something does not fit.
        UnsupportedOpError: If the model is not piecewise affine.

    Cost: that of tessellating a network with N times the units, and one affine map for each cell and sample; with
    cross-entropy some tens of exponentials for each cell, sample and output.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.ReLU())
        >>> _ = net[0].weight.data.zero_()
        >>> plane = loss_plane(net, "0", ([[1.0, 0.0]], [[0.0, 1.0]]), torch.eye(2), [[0.5], [0.25]])
        >>> len(plane), plane.global_minimum.point, plane.global_minimum.value
        (4, (0.5, 0.25), 0.0)
    """
    asked = problem(model, inputs, targets, loss)
    node = layer_node(asked.network, layer_name)
    if len(directions) != 2:
        raise InvalidInputError(f"`directions`: got {len(directions)}; expected two")
    steps = tuple(_step(model, asked, node, layer_name, direction) for direction in directions)
    network = side_by_side(asked.network, node, steps, asked.inputs)
    low, high = _window(extent)
    window = Slice.box(low, high, names=("$u_1$ (steps along $d_1$)", "$u_2$ (steps along $d_2$)"))
    cells = tessellate(
        network, window, verify=verify, max_cells=max_cells, memory_budget=memory_budget, progress=progress
    )
    assert isinstance(cells, PlanarComplex)
    known = (_quadratics if loss == "squared" else _softmaxes)(cells, asked.targets)
    plane = LossPlane(cells, *known, asked.targets, loss, 0.0, asked.network.nodes[node].name, len(asked))
    return dataclasses.replace(plane, deviation=_deviation(plane))


def _step(model: ModelLike, asked: Problem, node: int, layer_name: str, direction: Any) -> Op:
    """A direction as an op of the layer's kind."""
    given = direction if isinstance(direction, Mapping) else {"weight": direction}
    named = {f"{layer_name}.{name}": value for name, value in given.items()}
    try:
        moving = motion(model, asked.network, named)
    except InvalidInputError as error:
        raise InvalidInputError(str(error).replace("`direction`", "`directions`")) from error
    return moving.steps[node]


def _window(extent: float | Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    ranges = [(-extent, extent)] * 2 if isinstance(extent, int | float) else [tuple(pair) for pair in extent]
    if len(ranges) != 2 or any(len(pair) != 2 or not pair[0] < pair[1] for pair in ranges):
        raise InvalidInputError(f"`extent`: got {extent}; expected a positive number, or two ranges (low, high)")
    return [float(pair[0]) for pair in ranges], [float(pair[1]) for pair in ranges]


def _quadratics(cells: PlanarComplex, targets: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray, Minima]:
    """Values and gradients at interior points, second derivatives and minima of the mean of squares, cell by cell."""
    count, wanted = len(targets), targets.reshape(-1).numpy()
    values, gradients, hessians = np.empty(len(cells)), np.empty((len(cells), 2)), np.empty((len(cells), 2, 2))
    step = max(1, _NUMBERS // (3 * len(wanted)))
    for start in range(0, len(cells), step):
        rows = np.arange(start, min(start + step, len(cells)))
        maps = cells.affine_maps(which=rows)
        rest = np.einsum("fki,fi->fk", maps.A, cells.interior_points[rows]) + maps.c - wanted
        values[rows] = (rest**2).sum(axis=1) / count
        gradients[rows] = 2 * np.einsum("fk,fki->fi", rest, maps.A) / count
        hessians[rows] = 2 * np.einsum("fki,fkj->fij", maps.A, maps.A) / count
    shape = (cells.vertices, cells.cell_vertices, cells.cell_offsets)
    least = cell_minima(*shape, cells.interior_points, values, gradients, hessians)
    return values, gradients, hessians, least


def _softmaxes(cells: PlanarComplex, targets: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray, Minima]:
    """The same of the mean of cross-entropies."""
    derivatives, wanted = np.empty((len(cells), 6)), targets.numpy()
    points, least, sides = np.empty((len(cells), 2)), np.empty(len(cells)), np.empty(len(cells), np.int64)
    step = max(1, _NUMBERS // (3 * wanted.size))
    for start in range(0, len(cells), step):
        part = slice(start, min(start + step, len(cells)))
        maps = cells.affine_maps(which=np.arange(part.start, part.stop))
        shape = (cells.vertices, cells.cell_vertices, cells.cell_offsets[part.start : part.stop + 1])
        out = derivatives[part], points[part], least[part], sides[part]
        softmax_cells(*shape, cells.interior_points[part], maps.A, maps.c, wanted, *out)
    hessians = derivatives[:, [3, 4, 4, 5]].reshape(-1, 2, 2)
    return derivatives[:, 0].copy(), derivatives[:, 1:3].copy(), hessians, (points, least, sides)


def _direct(cells: PlanarComplex, points: np.ndarray, targets: Tensor, loss: str) -> np.ndarray:
    """The loss by forward passes of all samples side by side."""
    found = np.empty(len(points))
    step = max(1, _NUMBERS // sum(node.size for node in cells.network.nodes))
    for start in range(0, len(points), step):
        part = slice(start, start + step)
        outputs = torch.as_tensor(cells.network(points[part])).reshape(-1, *targets.shape)
        every = sample_losses(outputs.flatten(0, 1), targets.repeat(len(outputs), 1), loss)
        found[part] = every.reshape(len(outputs), -1).mean(dim=1).numpy()
    return found


def _deviation(plane: LossPlane) -> float:
    """Largest relative difference from forward passes, at points of the plane; of cross-entropy, at each cell's own."""
    corners = plane.cells.domain.polygon
    points = np.random.default_rng(0).uniform(corners.min(axis=0), corners.max(axis=0), (16, 2))
    found = plane(points)
    if plane.loss != "squared":
        some = np.random.default_rng(0).choice(len(plane), min(16, len(plane)), replace=False)
        points, found = plane.cells.interior_points[some], plane.values[some]
    direct = _direct(plane.cells, points, plane.targets, plane.loss)
    return float(np.nanmax(np.abs(found - direct) / np.maximum(np.abs(direct), 1e-300), initial=0.0))


def _pair(point: np.ndarray) -> tuple[float, float]:
    return float(point[0]), float(point[1])
