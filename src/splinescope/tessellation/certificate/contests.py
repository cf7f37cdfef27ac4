"""Which output is the largest in cells and on the surfaces between them, proved apart from how these were found.

As with the sides of a level (`heights`), each point has bounds of its own, so that large outputs elsewhere excuse
nothing, and what is left open on a cell is decided by the exact forms of its outputs.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from splinescope.tessellation.certificate.evaluators import Float
from splinescope.tessellation.certificate.forward import gamma
from splinescope.tessellation.certificate.heights import SEVERAL, known_outputs, last_roundings, resolution
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.settlement import Settlement
from splinescope.tessellation.certificate.subjects import subject_of
from splinescope.tessellation.spatial.complex import SpatialComplex


def checked_winners(cells: SpatialComplex, winners: np.ndarray, labels: np.ndarray) -> int:
    """Hold the classes that cells are given to against outputs at their interior points.

    Args:
        cells: Cells of the network, cut where the class changes.
        winners: [F] class of each.
        labels: The classes that compete, in order.

    Returns:
        How many cells exact arithmetic would have taken too long for.

    Raises:
        CertificateError: If another output is larger in a cell; by more than its change over a rounding of the
            coordinates, since these say no better where the cell is. Or if one is equal to it that comes first.
    """
    outputs, errors = known_outputs(cells, cells.interior_points, np.zeros(cells.dimension), pointwise=True)
    own = winners[:, None]
    ahead = np.take_along_axis(outputs, own, axis=1) - outputs[:, labels]
    errors = np.nan_to_num(errors, nan=np.inf)
    sizes = np.abs(outputs) * gamma(2) + errors
    open_ = ~(ahead > np.take_along_axis(sizes, own, axis=1) + sizes[:, labels]) & (labels != own)
    subject = subject_of(cells, vertices=False)
    settlement = Settlement(subject, Float(subject))
    reach = [Fraction(float(x)) for x in resolution(cells)]
    undecided, wrong = 0, list[int]()
    for cell in np.flatnonzero(open_.any(axis=1)).tolist():
        if not settlement.affords():
            undecided += 1
            continue
        forms = settlement.forms(cell, {-1})[-1].flat()
        unit = Fraction(2) ** -forms.bits
        point = [*(Fraction(float(x)) for x in cells.interior_points[cell]), Fraction(1)]
        first = forms.numbers[winners[cell]]
        for rival in labels[open_[cell]].tolist():
            row = [unit * (int(a) - int(b)) for a, b in zip(first, forms.numbers[rival], strict=True)]
            value = sum((a * x for a, x in zip(row, point, strict=True)), Fraction(0))
            blur = sum((abs(a) * x for a, x in zip(row[:-1], reach, strict=True)), Fraction(0))
            if value < -blur or (rival < winners[cell] and not any(row)):
                wrong.append(cell)
    if wrong:
        fail("classes", np.array(wrong), "cells are given to other classes")
    return undecided


def off_contest(
    cells: SpatialComplex, points: np.ndarray, which: np.ndarray, pairs: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far the largest output is above the smaller one of two that lead together, and how far it may be.

    Args:
        cells: The complex whose network and domain it is.
        points: [N, d] points of the domain.
        which: [k] the point of each comparison.
        pairs: [k, 2] the two outputs of each.
        labels: The outputs that compete.

    Returns:
        [k] differences by forward passes, and [k] what they are held to, as in `off_level`.
    """
    outputs, errors = last_roundings(cells, points)
    values, bounds = _above(outputs, errors, which, pairs, labels)
    allowed = np.where(errors[which].any(axis=1), SEVERAL * bounds, 0.0)
    left = np.flatnonzero(~(values <= allowed))
    if len(left):
        some, inverse = np.unique(which[left], return_inverse=True)
        known = known_outputs(cells, points[some], resolution(cells), pointwise=True)
        _, bounds = _above(*known, inverse, pairs[left], labels)
        allowed[left] = SEVERAL * np.nan_to_num(bounds, nan=np.inf)
    return values, allowed


def _above(
    outputs: np.ndarray, errors: np.ndarray, which: np.ndarray, pairs: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[k] the largest output less the smaller one of each pair, and [k] bounds of the errors."""
    largest = labels[outputs[:, labels].argmax(axis=1)][which]
    smaller = np.take_along_axis(pairs, outputs[which[:, None], pairs].argmin(axis=1)[:, None], axis=1)[:, 0]
    high, low = outputs[which, largest], outputs[which, smaller]
    return high - low, errors[which, largest] + errors[which, smaller] + gamma(2) * (np.abs(high) + np.abs(low))
