"""On which side of a level the vertices of a complex are, proved apart from how a surface was extracted.

Forward passes at the vertices bound their own rounding errors, and what the positions of the vertices are uncertain by
goes through the network as an error of its inputs: first with bounds that many vertices share, then with those of each.
What these leave open is the sign of the exact form of the output at the exact crossing of the facets of a cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch

from splinescope.network.evaluate import walk
from splinescope.network.graph import Network, Node
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.evaluators import Float
from splinescope.tessellation.certificate.forms import ScaledIntegers
from splinescope.tessellation.certificate.forward import forward, gamma, rounded
from splinescope.tessellation.certificate.places import DomainPlace
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.settlement import Settlement
from splinescope.tessellation.certificate.subject import RESOLUTION, CornerFacets
from splinescope.tessellation.certificate.subjects import sides_of, subject_of
from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.spatial.complex import SpatialComplex

PLACED = 2.0**-29
"""Share of the domain's extent by which the engine leaves vertices where float64 puts them, twice over."""

SEVERAL = 4.0
"""Errors that add up where a forward pass is compared with the level: its own, those of the two values between which
the position is interpolated, and that of the position."""

_CHUNK = 1 << 18
"""Numbers of the widest node that one pass holds."""


@dataclass(frozen=True)
class Combination:
    """A combination of outputs less a level.

    Attributes:
        weights: [n_out] coefficients of the outputs.
        level: The level.
    """

    weights: np.ndarray
    level: float

    def of(self, outputs: np.ndarray) -> np.ndarray:
        """[N] its values where the outputs are [N, n_out]."""
        return np.asarray(outputs @ self.weights - self.level)

    def bounds(self, outputs: np.ndarray, errors: np.ndarray) -> np.ndarray:
        """[N] bounds of their errors, where those of the outputs are [1 or N, n_out]."""
        size = np.abs(self.weights)
        return np.asarray(
            errors @ size + gamma(int(np.count_nonzero(size)) + 2) * (np.abs(outputs) @ size + abs(self.level))
        )


def placement(cells: VertexComplex) -> np.ndarray:
    """[d] how far vertices may be from where facets cross, along each axis."""
    corners = np.asarray(cells.domain.corners)
    return np.maximum(PLACED * np.ptp(corners, axis=0), 2048 * UNIT_ROUNDOFF * np.abs(corners).max(axis=0))


def bounded(
    cells: VertexComplex, points: np.ndarray, height: Combination, placed: np.ndarray, pointwise: bool
) -> tuple[np.ndarray, np.ndarray]:
    """A combination of outputs at some points, with bounds of its errors.

    Args:
        cells: The complex whose network and domain it is.
        points: [N, d] points of the domain.
        height: The combination.
        placed: [d] how far each point may be from where it is meant, along each axis.
        pointwise: Whether each point has a bound of its own.

    Returns:
        [N] values and [N] bounds.
    """
    outputs, errors = known_outputs(cells, points, placed, pointwise)
    return height.of(outputs), np.nan_to_num(height.bounds(outputs, errors), nan=np.inf)


def known_outputs(
    cells: VertexComplex, points: np.ndarray, placed: np.ndarray, pointwise: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs at some points, with bounds of their errors.

    Args:
        cells: The complex whose network and domain it is.
        points: [N, d] points of the domain.
        placed: [d] how far each point may be from where it is meant, along each axis.
        pointwise: Whether each point has bounds of its own.

    Returns:
        [N, n_out] outputs and [N, n_out] bounds.
    """
    network, place = cells.network, DomainPlace(cells.domain)
    moved = placed @ np.abs(np.asarray(cells.domain.basis).reshape(len(placed), -1))
    step, size = _step(network), network.nodes[network.output].size
    outputs, bounds = np.empty((len(points), size)), np.empty((len(points), size))
    for start in range(0, len(points), step):
        some = slice(start, start + step)
        errors = place.errors(points[some]) + moved
        (passed,) = forward(network, place.embed(points[some]), errors, pointwise, folds=False)
        outputs[some], bounds[some] = passed.values, passed.errors
    return outputs, bounds


def last_roundings(cells: VertexComplex, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs at some points by forward passes, and what the last op adds to their errors.

    Args:
        cells: The complex whose network and domain it is.
        points: [N, d] points of the domain.

    Returns:
        [N, n_out] outputs and [N, n_out] bounds of the last op's own roundings.
    """
    network, step = cells.network, _step(cells.network)
    last, *moves = reversed(_ends(network))
    size = network.nodes[network.output].size
    outputs, errors = np.empty((len(points), size)), np.zeros((len(points), size))
    for start in range(0, len(points), step):
        some = slice(start, start + step)
        inputs = torch.from_numpy(np.ascontiguousarray(cells.domain.embed(points[some])))
        known = {index: value for index, value in walk(network, inputs) if index in (*last.inputs, network.output)}
        outputs[some] = known[network.output].reshape(len(inputs), -1).numpy()
        if last.inputs and last.op.rounds:
            fresh = rounded(last.op, [known[source] for source in last.inputs])
            for node in moves:
                fresh = node.op.carried(fresh)
            errors[some] = fresh.reshape(len(inputs), -1).numpy()
    return outputs, errors


def resolution(cells: VertexComplex) -> np.ndarray:
    """[d] how well float64 coordinates say where a vertex is, along each axis."""
    return np.asarray(RESOLUTION * np.abs(np.asarray(cells.domain.corners)).max(axis=0))


def off_level(cells: VertexComplex, points: np.ndarray, height: Combination) -> tuple[np.ndarray, np.ndarray]:
    """How far a combination of outputs is from zero at some points of its zero set, and how far it may be.

    Args:
        cells: The complex whose network and domain it is.
        points: [N, d] points of the domain.
        height: The combination.

    Returns:
        [N] distances by forward passes, and [N] what they are held to: some times what the last op's own roundings are;
        where that does not suffice, some times a bound of all errors, those of the coordinates among them.
    """
    outputs, errors = last_roundings(cells, points)
    values, allowed = height.of(outputs), np.where(errors.any(axis=1), SEVERAL * height.bounds(outputs, errors), 0.0)
    left = np.flatnonzero(~(np.abs(values) <= allowed))
    if len(left):
        _, bounds = bounded(cells, points[left], height, resolution(cells), pointwise=True)
        allowed[left] = SEVERAL * bounds
    return np.abs(values), allowed


def _ends(network: Network) -> list[Node]:
    """The last nodes, from the output back to the first one that does not only move numbers of another one."""
    ends = [network.nodes[network.output]]
    while len(ends[-1].inputs) == 1 and ends[-1].fold is None and not ends[-1].op.rounds:
        ends.append(network.nodes[ends[-1].inputs[0]])
    return ends


def _step(network: Network) -> int:
    """Number of points of one pass."""
    return max(1, _CHUNK // max(node.size for node in network.nodes))


def checked_signs(cells: SpatialComplex, height: Combination, recorded: np.ndarray) -> tuple[np.ndarray, int]:
    """Signs of a combination at all vertices.

    Args:
        cells: The complex.
        height: The combination.
        recorded: [V] signs that a surface was made of.

    Returns:
        [V] the signs, and how many of them are those that were recorded, since exact arithmetic would take too long.

    Raises:
        CertificateError: If another sign was recorded where it is proved.
    """
    placed, signs = placement(cells), np.zeros(len(cells.vertices), np.int8)
    left = np.arange(len(cells.vertices))
    for pointwise in (False, True):
        values, bounds = bounded(cells, cells.vertices[left], height, placed, pointwise)
        signs[left] = np.sign(values)
        left = left[~((np.abs(values) > bounds) | ((values == 0) & (bounds == 0)))]
    undecided = 0
    for vertex, sign in zip(left.tolist(), _exactly(cells, height, left), strict=True):
        undecided += sign is None
        signs[vertex] = recorded[vertex] if sign is None else sign
    wrong = np.flatnonzero(signs != recorded)
    if len(wrong):
        at = np.isin(cells.cell_vertices, wrong)
        owner = np.repeat(np.arange(len(cells)), np.diff(cells.cell_offsets))
        fail("heights", np.unique(owner[at]), f"{len(wrong)} vertices are on another side of the level")
    return signs, undecided


def _exactly(cells: SpatialComplex, height: Combination, vertices: np.ndarray) -> Iterator[int | None]:
    """Signs at some vertices in exact arithmetic; None where cells do not say where they are, or it takes too long."""
    if not len(vertices):
        return
    offsets, items = cells.face_loops()
    places = np.flatnonzero(np.isin(items, vertices))
    facet = np.searchsorted(offsets, places, side="right") - 1
    subject = replace(subject_of(cells, vertices=False), facets=_facets(cells, offsets, items, np.unique(facet)))
    settlement, found = Settlement(subject, Float(subject)), dict[int, int]()
    beside = cells.facet_cells[facet].T.ravel()
    order = np.argsort(beside, kind="stable")
    beside, facet, vertex = beside[order], np.tile(facet, 2)[order], np.tile(items[places], 2)[order]
    corners = np.flatnonzero(np.isin(cells.cell_vertices, vertices))
    owners, starts, counts = np.unique(subject.owner[corners], return_index=True, return_counts=True)
    for k in np.argsort(-counts, kind="stable").tolist():
        all_of_it = corners[starts[k] : starts[k] + counts[k]].tolist()
        mine = [corner for corner in all_of_it if int(cells.cell_vertices[corner]) not in found]
        if not mine or not settlement.affords():
            continue
        first, last = np.searchsorted(beside, [owners[k], owners[k] + 1]).tolist()
        own = slice(first, last)
        forms = settlement.forms(int(owners[k]), {-1, *(int(op) for op in cells.facet_op[facet[own]] if op >= 0)})
        row = _form(height, forms[-1])
        for corner in mine:
            number = int(cells.cell_vertices[corner])
            around, anywhere = np.unique(facet[own][vertex[own] == number]), not any(row[:-1])
            point = [Fraction(1)] if anywhere else settlement.crossing(corner, int(owners[k]), around, forms)
            if point is not None:
                value = sum(a * x for a, x in zip(row[-len(point) :], point, strict=True))
                found[number] = (value > 0) - (value < 0)
    yield from (found.get(number) for number in vertices.tolist())


def _facets(cells: SpatialComplex, offsets: np.ndarray, items: np.ndarray, wanted: np.ndarray) -> CornerFacets:
    """The facets of a complex without lists for corners; of those wanted, the sides of the domain that they are on."""
    wanted = wanted[(cells.facet_cells[wanted] < 0).any(axis=1) & (cells.facet_op[wanted] < 0)]
    sizes = np.diff(offsets)[wanted]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    ring = items[np.repeat(offsets[wanted] - starts[:-1], sizes) + np.arange(starts[-1])]
    side = np.full(len(cells.facet_op), -1)
    side[wanted] = sides_of(cells.domain, cells.vertices, starts, ring, cells.facet_cells[wanted].max(axis=1))
    none = np.zeros(0, np.int64)
    return CornerFacets(cells.facet_cells, cells.facet_op, cells.facet_unit, side, none, none)


def _form(height: Combination, outputs: ScaledIntegers) -> list[Fraction]:
    """[d + 1] the combination as a form on a cell."""
    unit = Fraction(2) ** -outputs.bits
    row = [Fraction(0)] * outputs.numbers.shape[-1]
    for k in np.flatnonzero(height.weights).tolist():
        factor = Fraction(float(height.weights[k])) * unit
        row = [known + factor * number for known, number in zip(row, outputs.flat().numbers[k].tolist(), strict=True)]
    return [*row[:-1], row[-1] - Fraction(height.level)]
