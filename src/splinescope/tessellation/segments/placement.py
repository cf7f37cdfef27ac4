"""Points whose position, or the outputs there, float64 knows badly: placed anew, exactly and rounded once."""

from __future__ import annotations

import numpy as np

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.predicates import nearest, values_at
from splinescope.tessellation.segments.arbiter import Arbiter, View
from splinescope.tessellation.segments.part import SegmentsPart
from splinescope.tessellation.segments.values import SettledValues

_ILL = 64 * UNIT_ROUNDOFF
"""Uncertainty up to which a point is where a few roundings put it."""
_FINE = 2.0**-34
"""Uncertainty as a share of the shortest cell beside a point from which it is placed anew."""
_VAGUE, _PRODUCTS = 2.0**-33, 1 << 24
"""Doubt of an output, as a share of the largest, from which all points are placed anew; and how many products the forms
on their cells may take."""
_SMALL, _FEW = 1 << 11, 64
"""So many points are placed anew, the worst ones first, of parts that have no more than so many."""


def place(part: SegmentsPart, arbiter: Arbiter, output: int, doubt: np.ndarray) -> None:
    """Give the worst points their exact places, and the outputs there.

    Where outputs are what is left of much larger values, float64 knows none of them: all points are looked at.

    Args:
        part: A part behind the last node; changed in place.
        arbiter: The exact forms.
        output: The node of the outputs.
        doubt: [n] distance within which an output is in doubt.
    """
    sizes = np.abs(part.values[output].rows).max(axis=0, initial=0.0)
    points = _coarse(part)
    if (doubt > _VAGUE * sizes).any() and len(part.t) <= _SMALL and arbiter.cost(output) * len(part.t) <= _PRODUCTS:
        points = np.arange(len(part.t))
    if not len(points) or not arbiter.affords(output):
        return
    view = View(arbiter, part)
    t, rows = part.t.copy(), np.array(part.values[output].rows)
    units = np.arange(rows.shape[1])
    for point in points.tolist():
        exact, forms = view.place(point), arbiter.forms(view.segment(point), output)
        if exact is None or forms is None:
            continue
        t[point] = min(max(nearest(exact), 0.0), 1.0)
        values = forms.values(view.pieces(view.cell(point)), output, units)
        rows[point] = values_at(values, [exact.p, exact.q])
    for low, high in zip(part.offsets[:-1], part.offsets[1:], strict=True):
        np.maximum.accumulate(t[low:high], out=t[low:high])  # those beside are where float64 puts them
    part.t, part.values[output] = t, SettledValues(rows)


def _coarse(part: SegmentsPart) -> np.ndarray:
    """Points whose uncertainty is more than a small share of the cells beside them."""
    if len(part.t) > _SMALL:
        return np.empty(0, np.int64)
    lengths = np.abs(np.diff(part.t))
    beside = np.minimum(np.append(lengths, np.inf), np.append(np.inf, lengths))
    with np.errstate(divide="ignore", invalid="ignore"):  # cells may have no length
        share = np.where((part.ops >= 0) & (part.uncertainty > _ILL), part.uncertainty / beside, 0.0)
    coarse = np.flatnonzero(share > _FINE)
    return np.sort(coarse[np.argsort(-share[coarse], kind="stable")][:_FEW])
