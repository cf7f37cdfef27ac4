"""Vertices whose position float64 knows worse than their edges are long: placed anew, exactly and rounded once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numba import njit

from splinescope.geometry.planar.halfedges import ORIGIN
from splinescope.network.evaluate import forward, products
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.planar.assembly import FinishedPiece
from splinescope.tessellation.planar.judge import PlanarJudge
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.planar.residuals import residuals
from splinescope.tessellation.predicates import coordinates, values_at
from splinescope.tessellation.thresholds import Columns

_COARSE = 2.0**-8
"""Uncertainty of a vertex as a share of its shortest edge from which it is placed anew."""
_MIDDLE, _PRODUCTS = 2.0**-22, 1 << 23
"""Uncertainty from which this is done in small complexes, as far as the forms on their cells take so many products."""
_FINE = 2.0**-36
"""Uncertainty from which this is done in small complexes, for a few vertices, the worst ones first, where a forward
pass shows them that far off, too."""
_SMALL, _FEW = 1 << 11, 64
"""So many vertices are a few; complexes with more than so many have only the coarse ones placed anew."""
_ALL = 1 << 28
"""Products that forward passes at those few may take: the form of an edge takes about as many in exact numbers."""
_DEAR = 1 << 22
"""Products of a forward pass from which exact outputs take a second each: then float64 evaluates them at vertices that
are placed."""
_HUGE, _BEARABLE = 1 << 28, 1 << 22
"""Products of a forward pass from which only vertices are placed whose edges take no more than so many products."""
_NEAREST = 2.0**-53
"""Doubt of an output, as a share of it, up to which it is as good as the nearest float64 number."""
_VAGUE = 2.0**-33
"""Doubt of an output, as a share of the largest, from which all vertices are placed anew, if they are few."""
_ILL = 2.0**-40
"""Uncertainty, as a share of the domain, up to which only short edges show what a vertex may be off."""


def placed(finished: FinishedPiece, plan: Plan) -> FinishedPiece:
    """The piece with exact positions and outputs at vertices whose uncertainty is seen beside their edges.

    A vertex at a flat crossing may be off along its edge by much more than a rounding. That does no harm but in cells
    that are as small as this, which it would turn inside out.
    """
    cost = max(1, sum(products(plan.network)))
    vertices = _chosen(finished, plan, cost)
    if not len(vertices):
        return finished
    output = plan.network.output
    judge = PlanarJudge(plan, finished.subdivision, finished.slices, finished.codes, Columns(output, 0, 1))
    points, outputs = finished.subdivision.points.copy(), finished.outputs.copy()
    if cost > _HUGE:
        vertices = np.array([vertex for vertex in vertices.tolist() if judge.affords(vertex, _BEARABLE)], np.int64)
    spots = judge.spots(vertices, output if cost <= _DEAR else -1)
    extents = np.broadcast_to(plan.slices.extents_at(finished.subdivision, finished.slices), points.shape)[vertices]
    small = spots.radii / extents <= _FINE * _shortest_at(finished, plan)[vertices, None]
    known = (small | (spots.radii <= UNIT_ROUNDOFF * np.abs(spots.points))).all(axis=1)
    known &= (spots.doubts <= _NEAREST * np.abs(spots.values)).all(axis=1)
    points[vertices[known]] = spots.points[known]
    if cost <= _DEAR:
        outputs[vertices[known]] = spots.values[known]
    for vertex in vertices[~known].tolist():
        point = judge.point(vertex)
        points[vertex] = coordinates(point)
        if cost <= _DEAR:
            outputs[vertex] = values_at(judge.values(vertex, output), point)
    exact = replace(finished, subdivision=replace(finished.subdivision, points=points), outputs=outputs)
    if cost > _DEAR and len(vertices):
        x = torch.from_numpy(_embedded(exact, plan)[vertices]).reshape(-1, *plan.network.input_shape)
        with torch.no_grad():
            outputs[vertices] = forward(plan.network, x).reshape(len(vertices), -1).numpy()
    return exact


def _embedded(finished: FinishedPiece, plan: Plan) -> np.ndarray:
    """[V, *input_shape] the vertices as inputs."""
    return plan.slices.embed(plan.slices.points(finished.subdivision, finished.slices))


def _chosen(finished: FinishedPiece, plan: Plan, cost: int) -> np.ndarray:
    """Vertices to place anew, ascending: coarse ones, fine ones of small slices, all where outputs are vague."""
    affordable, few = _PRODUCTS // cost, min(_FEW, _ALL // cost)
    of_vertex = plan.slices.of_vertices(finished.subdivision, finished.slices)
    vertices = np.bincount(of_vertex, minlength=len(plan.slices))
    coarse, fine = _coarse(finished, plan)
    chosen = [coarse]
    small = (vertices <= _SMALL) & (max(few, affordable) > 0)
    fine = fine[small[of_vertex[fine]]]
    if len(fine):
        share = residuals(plan.network, finished.subdivision, _embedded(finished, plan))[fine]
        fine, share = fine[share > _FINE], share[share > _FINE]
        worst = fine[np.argsort(-share, kind="stable")]
        middle = np.bincount(of_vertex[fine[share > _MIDDLE]], minlength=len(vertices))
        for number in np.unique(of_vertex[fine]).tolist():
            most = max(few, min(int(middle[number]), affordable))
            chosen.append(worst[of_vertex[worst] == number][:most])
    few_vertices = vertices <= min(_SMALL, affordable)
    if few_vertices.any():
        chosen.append(np.flatnonzero((few_vertices & _vague(finished, plan, of_vertex))[of_vertex]))
    return np.unique(np.concatenate(chosen))


def _coarse(finished: FinishedPiece, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Vertices whose uncertainty is more than a small share of their shortest edge, and those of a very small one."""
    shortest, uncertainty = _shortest_at(finished, plan), finished.subdivision.uncertainty
    coarse = uncertainty > _COARSE * shortest
    fine = ~coarse & (uncertainty > _ILL) & (uncertainty > _FINE * shortest)
    return np.flatnonzero(coarse), np.flatnonzero(fine)


def _shortest_at(finished: FinishedPiece, plan: Plan) -> np.ndarray:
    """[V] length of the shortest edge of each vertex, as a share of the domain's extents."""
    subdivision = finished.subdivision
    shortest = np.full(subdivision.num_vertices, np.inf)
    _shortest(subdivision.halves, subdivision.points / plan.slices.extents_at(subdivision, finished.slices), shortest)
    return shortest


def _vague(finished: FinishedPiece, plan: Plan, of_vertex: np.ndarray) -> np.ndarray:
    """[S] of which slices outputs are what is left of much larger values, so that float64 knows none of them.

    Where a bound of their errors says so, errors are measured.
    """
    order = np.argsort(of_vertex, kind="stable")
    starts = np.flatnonzero(np.diff(of_vertex[order], prepend=-1))
    counts, sizes = np.diff(starts, append=len(order)), np.abs(finished.outputs[order])
    largest = np.maximum.reduceat(sizes, starts)

    def beyond(error: np.ndarray) -> np.ndarray:
        # The largest may be nothing but error itself: then half of them are not much larger.
        near = np.add.reduceat(_COARSE * sizes < error, starts, axis=0, dtype=np.int64)
        return np.asarray(((error > 0) & ((error > _VAGUE * largest) | (2 * near >= counts[:, None]))).any(axis=1))

    output, out = plan.network.output, np.zeros(len(plan.slices), bool)
    vague = beyond(plan.bounds(output, finished.subdivision, finished.slices).error)
    if vague.any():
        points = plan.slices.points(finished.subdivision, finished.slices)
        vague &= beyond(plan.calibration.near(output, points, plan.slices.embed).error)
    out[of_vertex[order[starts]]] = vague
    return out


@njit(cache=True, nogil=True)
def _shortest(halves: np.ndarray, points: np.ndarray, out: np.ndarray) -> None:
    """Length of the shortest edge of each vertex, at most what `out` holds."""
    for half in range(0, len(halves), 2):
        tail, head = halves[half, ORIGIN], halves[half + 1, ORIGIN]
        length = max(abs(points[head, 0] - points[tail, 0]), abs(points[head, 1] - points[tail, 1]))
        out[tail], out[head] = min(out[tail], length), min(out[head], length)
