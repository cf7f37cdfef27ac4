"""How well margins are known: in float64, and in the float32 of most models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.network.graph import Network
from splinescope.numerics import UNIT_ROUNDOFF, Tolerance
from splinescope.tessellation.rounding import running_bounds

FLOAT32_ROUNDOFF = 2.0**-24
"""Half the spacing of float32 numbers around one."""
_SAMPLED = 64
"""Paths whose ends and middles tell how large the values inside a network are."""


@dataclass(frozen=True)
class MarginRounding:
    """Rounding errors of margins, by running-error analysis with independent errors (see `Tolerance`).

    Attributes:
        float64: [S] what a margin computed in float64 may be off.
        float32: [S] what a model in float32 may be off, for inputs that are rounded to float32.
    """

    float64: Float[np.ndarray, " S"]
    float32: Float[np.ndarray, " S"]


def margin_rounding(
    network: Network, starts: np.ndarray, ends: np.ndarray, targets: Int[np.ndarray, " S"], tolerance: Tolerance
) -> MarginRounding:
    """Estimates of the rounding errors of margins along some paths.

    Args:
        network: The network.
        starts: [S, *input_shape] starts of the paths.
        ends: [S, *input_shape] their ends.
        targets: The class of each.
        tolerance: Its `safety` multiplies the estimates.

    Returns:
        One number for each path; the largest values of all paths count for each of them.
    """
    some = np.unique(np.linspace(0, len(starts) - 1, min(len(starts), _SAMPLED)).astype(np.int64))
    inputs = np.concatenate([starts[some], 0.5 * (starts[some] + ends[some]), ends[some]])
    bounds = running_bounds(network, inputs)[network.output]
    errors = bounds.error + UNIT_ROUNDOFF * bounds.magnitude
    if len(errors) == 1:
        own = np.full(len(targets), errors[0])
    else:
        largest = np.argsort(errors)[::-1]
        rival = np.where(targets == largest[0], errors[largest[1]], errors[largest[0]])
        own = errors[targets] + rival
    double = tolerance.safety * own
    return MarginRounding(double, double * (FLOAT32_ROUNDOFF / UNIT_ROUNDOFF))
