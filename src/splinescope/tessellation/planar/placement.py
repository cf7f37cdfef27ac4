"""Vertices whose position float64 knows worse than their edges are long: placed anew, exactly and rounded once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splinescope.geometry.subdivision import Subdivision
from splinescope.tessellation.planar.assembly import Finished
from splinescope.tessellation.planar.judge import ExactJudge
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.predicates import coordinates, values_at

_COARSE = 2.0**-10
"""Uncertainty of a vertex as a share of its shortest edge from which it is placed anew."""
_FINE = 2.0**-34
"""Uncertainty from which this is done in small complexes, for a few vertices, the worst ones first."""
_SMALL, _FEW = 1 << 11, 64
"""So many vertices are a few; complexes with more than so many have only the coarse ones placed anew."""
_ILL = 2.0**-46
"""Uncertainty, as a share of the domain, up to which a vertex is as well known as its coordinates say."""


def placed(finished: Finished, plan: Plan) -> Finished:
    """The piece with exact positions and outputs at vertices whose uncertainty is seen beside their edges.

    A vertex at a flat crossing may be off along its edge by much more than a rounding. That does no harm but in cells
    that are as small as this, which it would turn inside out.
    """
    vertices = _coarse(finished.subdivision, plan.extents)
    if not len(vertices):
        return finished
    judge = ExactJudge(plan, finished.subdivision, finished.codes, plan.network.output, lambda _, column: column)
    points, outputs = finished.subdivision.points.copy(), finished.outputs.copy()
    units = np.arange(plan.network.nodes[plan.network.output].size)
    for vertex in vertices.tolist():
        point = judge.point(vertex)
        points[vertex] = coordinates(point)
        values = plan.forms.values(judge.pattern_at(vertex), plan.network.output, units)
        outputs[vertex] = values_at(values, point)
    return replace(finished, subdivision=replace(finished.subdivision, points=points), outputs=outputs)


def _coarse(subdivision: Subdivision, extents: np.ndarray) -> np.ndarray:
    """Vertices whose uncertainty is more than a small share of their shortest edge; lengths are shares of extents."""
    ill = subdivision.uncertainty > _ILL
    if not ill.any():
        return np.empty(0, np.int64)
    ends = subdivision.origin.reshape(-1, 2)
    ends = ends[ill[ends].any(axis=1)]
    lengths = (np.abs(subdivision.points[ends[:, 0]] - subdivision.points[ends[:, 1]]) / extents).max(axis=1)
    shortest = np.full(subdivision.num_vertices, np.inf)
    for side in range(2):
        np.minimum.at(shortest, ends[:, side], lengths)
    with np.errstate(divide="ignore", invalid="ignore"):  # edges may have no length
        share = np.where(ill, subdivision.uncertainty / shortest, 0.0)
    fine = np.flatnonzero(share > _FINE)
    fine = fine[np.argsort(-share[fine], kind="stable")]
    few = _FEW if subdivision.num_vertices <= _SMALL else 0
    return np.sort(fine[: max(few, int((share > _COARSE).sum()))])
