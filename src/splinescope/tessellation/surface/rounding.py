"""How well the outputs of a network are known in float64."""

from __future__ import annotations

import numpy as np

from splinescope.network.graph import Network
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.rounding import Bounds, measured_bounds, probes


def output_error(bounds: Bounds, weights: np.ndarray, level: float) -> float:
    """Rounding error of a combination of outputs less a level."""
    terms = UNIT_ROUNDOFF * (np.count_nonzero(weights) + 1)
    return float(np.abs(weights) @ (bounds.error + terms * bounds.magnitude) + UNIT_ROUNDOFF * abs(level))


def doubtful_outputs(network: Network, domain: Domain, safety: float, points: np.ndarray | None = None) -> Bounds:
    """Magnitude of the outputs on a domain and how near to each other or to a level they are in doubt.

    A proved bound of rounding errors, those of coordinates among them; where it is too large to be of use, a measured
    error (see `measured_bounds`).

    Args:
        network: The network.
        domain: The domain.
        safety: Multiple of measured errors.
        points: [n, d] points that count beside corners and some others.
    """
    some = probes(domain.corners, network)
    inputs = domain.embed(some if points is None else np.concatenate([some, points]))
    return measured_bounds(network, inputs, domain.terms, safety)[network.output]
