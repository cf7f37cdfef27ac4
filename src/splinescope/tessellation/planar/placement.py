"""Vertices whose position float64 knows worse than their edges are long: placed anew, exactly and rounded once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numba import njit

from splinescope.geometry.planar.halfedges import ORIGIN
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.network.evaluate import forward, products
from splinescope.tessellation.planar.assembly import FinishedPiece
from splinescope.tessellation.planar.judge import PlanarJudge
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.predicates import coordinates, values_at
from splinescope.tessellation.thresholds import Columns

_COARSE = 2.0**-8
"""Uncertainty of a vertex as a share of its shortest edge from which it is placed anew."""
_MIDDLE, _PRODUCTS = 2.0**-22, 1 << 23
"""Uncertainty from which this is done in small complexes, as far as the forms on their cells take so many products."""
_FINE = 2.0**-36
"""Uncertainty from which this is done in small complexes, for a few vertices, the worst ones first."""
_SMALL, _FEW = 1 << 11, 64
"""So many vertices are a few; complexes with more than so many have only the coarse ones placed anew."""
_LARGE = 1 << 26
"""Products of a forward pass from which exact forms take minutes: then the coarse ones alone are placed anew."""
_DEAR, _BEARABLE = 1 << 28, 1 << 22
"""Products of a forward pass from which exact outputs take hours: then float64 evaluates them at vertices that are
placed, and only those are whose edges take no more than so many products."""
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
    affordable = _PRODUCTS // cost
    vertices = _coarse(finished.subdivision, plan.extents, affordable, _FEW if cost < _LARGE else 0)
    if finished.subdivision.num_vertices <= min(_SMALL, affordable) and _vague(finished, plan):
        vertices = np.arange(finished.subdivision.num_vertices)
    if not len(vertices):
        return finished
    judge = PlanarJudge(plan, finished.subdivision, finished.codes, Columns(plan.network.output, 0, 1))
    points, outputs = finished.subdivision.points.copy(), finished.outputs.copy()
    units = np.arange(plan.network.nodes[plan.network.output].size)
    if cost > _DEAR:
        vertices = np.array([vertex for vertex in vertices.tolist() if judge.affords(vertex, _BEARABLE)], np.int64)
    for vertex in vertices.tolist():
        point = judge.point(vertex)
        points[vertex] = coordinates(point)
        if cost <= _DEAR:
            values = plan.forms.values(judge.pattern_at(vertex), plan.network.output, units)
            outputs[vertex] = values_at(values, point)
    if cost > _DEAR and len(vertices):
        x = torch.from_numpy(plan.domain.embed(points[vertices])).reshape(-1, *plan.network.input_shape)
        with torch.no_grad():
            outputs[vertices] = forward(plan.network, x).reshape(len(vertices), -1).numpy()
    return replace(finished, subdivision=replace(finished.subdivision, points=points), outputs=outputs)


def _vague(finished: FinishedPiece, plan: Plan) -> bool:
    """Whether outputs are what is left of much larger values, so that float64 knows none of them."""
    error = plan.bounds(plan.network.output, finished.subdivision.points).error
    sizes = np.abs(finished.outputs)
    # The largest may be nothing but error itself.
    return bool(
        ((error > _VAGUE * sizes.max(axis=0)) | (error > _COARSE * np.median(sizes, axis=0)) & (error > 0)).any()
    )


def _coarse(subdivision: Subdivision, extents: np.ndarray, affordable: int, few: int) -> np.ndarray:
    """Vertices whose uncertainty is more than a small share of their shortest edge; lengths are shares of extents."""
    shortest = np.full(subdivision.num_vertices, np.inf)
    _shortest(subdivision.halves, subdivision.points, extents, shortest)
    uncertainty = subdivision.uncertainty
    seen = (uncertainty > _ILL) | (uncertainty > _COARSE * shortest)
    fine = np.flatnonzero(seen & (uncertainty > _FINE * shortest))
    if not len(fine):
        return fine
    with np.errstate(divide="ignore", over="ignore"):  # edges may have no length, or next to none
        share = uncertainty[fine] / shortest[fine]
    order = np.argsort(-share, kind="stable")
    number = int((share > _COARSE).sum())
    if subdivision.num_vertices <= _SMALL:
        number = max(number, few, min(int((share > _MIDDLE).sum()), affordable))
    return np.sort(fine[order[:number]])


@njit(cache=True, nogil=True)
def _shortest(halves: np.ndarray, points: np.ndarray, extents: np.ndarray, out: np.ndarray) -> None:
    """Length of the shortest edge of each vertex, at most what `out` holds."""
    for half in range(0, len(halves), 2):
        tail, head = halves[half, ORIGIN], halves[half + 1, ORIGIN]
        across = abs(points[head, 0] - points[tail, 0]) / extents[0]
        length = max(across, abs(points[head, 1] - points[tail, 1]) / extents[1])
        out[tail], out[head] = min(out[tail], length), min(out[head], length)
