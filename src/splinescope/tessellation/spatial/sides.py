"""The sides of a domain as exact affine forms, and its corners and the inputs there to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from flint import fmpz, fmpz_mat

from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.tessellation.domains import Box, Domain
from splinescope.tessellation.dyadics import Dyadic, Form, dyadic
from splinescope.tessellation.predicates import exact_point, sign_at


def exact_sides(domain: Domain, on: np.ndarray) -> Dyadic:
    """Forms that vanish on the sides of a domain.

    Those of a box are exact. A side of another polytope is the hyperplane through its corners, if these are on one
    exactly, on every side of it: simplices, and boxes along the axes of a slice. Else the sides are what their float64
    coefficients say, and the corners their crossings.

    Args:
        domain: The domain.
        on: [corners, sides] which corners are on which side.

    Returns:
        One form for each of the domain's half-spaces.
    """
    if isinstance(domain, Box):
        return dyadic(domain.halfspaces)
    points = [exact_point(corner) for corner in domain.corners]
    rows = [_hyperplane([points[i] for i in np.flatnonzero(column)]) for column in on.T]
    known = [row for row in rows if row is not None]
    return Dyadic(known, 0) if len(known) == len(rows) else dyadic(domain.halfspaces)


def _hyperplane(points: Sequence[Form]) -> Form | None:
    """The form that vanishes at some points, if there is just one."""
    d = len(points[0]) - 1
    for chosen in combinations(points, d):
        form = []
        for k in range(d + 1):
            minor = fmpz_mat([[row[j] for j in range(d + 1) if j != k] for row in chosen]).det()
            form.append(minor if k % 2 == 0 else -minor)
        if any(form[:-1]):
            return form if not any(sign_at(form, point) for point in points) else None
    return None


def inputs_at(inputs: Dyadic, points: Sequence[Form]) -> np.ndarray:
    """Inputs of the network at exact points.

    Args:
        inputs: [n_in, d + 1] inputs as forms.
        points: k points.

    Returns:
        [k, n_in] nearest float64 numbers; 0.0 is exact.
    """
    out = np.empty((len(points), len(inputs.rows)))
    up, down = max(inputs.exponent, 0), max(-inputs.exponent, 0)
    for i, point in enumerate(points):
        weight = int(point[-1] << down)
        for k, row in enumerate(inputs.rows):
            total = int(sum((a * x for a, x in zip(row, point, strict=True)), fmpz(0)) << up)
            out[i, k] = (total / weight or UNPROVED) if total else 0.0
    return out
