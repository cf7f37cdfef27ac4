"""Which rounding errors to reckon with: bounds where they are small enough, else estimates held against exact rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from flint import fmpq

from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.tessellation.branches.errors import Errors
from splinescope.tessellation.branches.halfspaces import Rows, half_spaces, patterns_beyond
from splinescope.tessellation.branches.layout import Layout
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.domains.samples import bounding_box, embedded, inside
from splinescope.tessellation.region_graph.exact_branch import RationalNetwork
from splinescope.tessellation.region_graph.programs.rational import to_float

SMALL = 2.0**-30
"""Share of a unit's size below which a bound of its error is of use: what is nearer is decided exactly."""

_CELLS = 24
"""Cells in which errors are looked at."""

_MARGIN = 8.0
"""How much larger than the largest error that was measured an error may be."""


@dataclass(frozen=True, eq=False)
class _Sample:
    """Rows in some cells."""

    patterns: np.ndarray
    points: np.ndarray
    rows: Rows


def errors_for(network: Network, domain: Domain, layout: Layout, tolerance: Tolerance, seed: int = 0) -> Errors:
    """How rounding errors come through a network on a domain.

    Args:
        network: The network.
        domain: The domain.
        layout: Its folding nodes.
        tolerance: Its `safety` multiplies estimates, at least.
        seed: Where the cells come from in which errors are looked at.

    Returns:
        Bounds; or estimates, where bounds are too large to be of use in half of the units of a node. Estimates are
        multiplied so that they are far above the errors that rational arithmetic finds, where it is affordable.
    """
    low, high = bounding_box(domain)
    proved = Errors(network, domain, high - low, proved=True, safety=1.0)
    if not layout.foldings:
        return proved
    points = inside(domain, _CELLS, np.random.default_rng(seed))
    sample = _sampled(proved, layout, points)
    if _usable(sample, layout, high - low):
        return proved
    estimated = replace(proved, proved=False, safety=tolerance.safety)
    rational = RationalNetwork(network, domain, layout)
    if not rational.affordable:
        return estimated
    ratio = _worst(_sampled(estimated, layout, points), rational, high - low)
    return replace(estimated, safety=max(tolerance.safety, _MARGIN * ratio * tolerance.safety), calibrated=True)


def _sampled(errors: Errors, layout: Layout, points: np.ndarray) -> _Sample:
    """Rows at some points."""
    network, domain = errors.network, errors.domain
    directions = np.tile(np.ones(domain.dimension) / np.sqrt(domain.dimension), (len(points), 1))
    along = (directions @ domain.basis.reshape(domain.dimension, -1)).reshape(-1, *domain.input_shape)
    ray = replace(errors, widths=errors.widths[:1])
    patterns = patterns_beyond(network, layout, embedded(domain, points), along, ray, points)
    return _Sample(patterns, points, half_spaces(network, layout, domain, patterns, points, 0, errors))


def _usable(sample: _Sample, layout: Layout, widths: np.ndarray) -> bool:
    """Whether bounds are small beside what the rows are on the domain, for half of the rows of each node."""
    rows = sample.rows
    there = np.isfinite(rows.values)
    size = np.abs(np.where(there, rows.values, 0.0)) + np.einsum("cjr,j->cr", np.abs(rows.gradients), widths)
    share = np.divide(rows.errors, size, out=np.zeros_like(size), where=size > 0)
    for start, stop in zip(layout.row_starts[:-1], layout.row_starts[1:], strict=True):
        mine = share[:, start:stop][there[:, start:stop] & (size[:, start:stop] > 0)]
        if len(mine) and not np.median(mine) <= SMALL:
            return False
    return True


def _worst(sample: _Sample, rational: RationalNetwork, widths: np.ndarray) -> float:
    """Largest error of a row on the domain, as a multiple of its estimate."""
    worst = 0.0
    for pattern, point, gradients, values, errors in zip(
        sample.patterns, sample.points, sample.rows.gradients, sample.rows.values, sample.rows.errors, strict=True
    ):
        exact = [fmpq(*float(t).as_integer_ratio()) for t in point]
        for row, form, scale in rational.scaled_rows(pattern):
            if not (np.isfinite(values[row]) and 0 < errors[row] < np.inf):
                continue
            factor = fmpq(1, 1 << scale)
            at = factor * (sum((g * t for g, t in zip(form, exact, strict=False)), fmpq(form[-1])))
            off = abs(to_float(at - _exactly(values[row])))
            for j, width in enumerate(widths.tolist()):
                off += width * abs(to_float(factor * form[j] - _exactly(gradients[j, row])))
            worst = max(worst, off / errors[row])
    return worst


def _exactly(number: float) -> fmpq:
    return fmpq(*float(number).as_integer_ratio())
