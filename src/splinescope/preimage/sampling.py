"""Points drawn uniformly from a union of polytopes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.preimage.boxes import uniform
from splinescope.preimage.preimage import Preimage


def draw(preimage: Preimage, count: int, generator: np.random.Generator) -> Float[np.ndarray, "count d"]:
    """Points of the pieces of the highest dimension; see `Preimage.sample`."""
    inside = np.flatnonzero(preimage.left.inside)
    highest = preimage.dimension if len(inside) else int(preimage.dimensions.max(initial=-1))
    pieces = np.flatnonzero(preimage.dimensions == highest)
    if not len(pieces) and not len(inside):
        raise InvalidInputError("`sample`: the preimage has no piece that was found; there is nothing to draw from")
    weights = np.concatenate([_weights(preimage, pieces, generator), preimage.left_measures[inside]])
    chosen = generator.choice(len(weights), count, p=weights / weights.sum())
    points = np.empty((count, preimage.dimension))
    for number in np.unique(chosen):
        where = np.flatnonzero(chosen == number)
        if number < len(pieces):
            points[where] = preimage[int(pieces[number])].polytope.sample(len(where), generator)
        else:
            box = inside[number - len(pieces)]
            low, high = preimage.left.low[box], preimage.left.high[box]
            points[where] = low + (high - low) * generator.random((len(where), len(low)))
    return points


def _weights(preimage: Preimage, pieces: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Measures of pieces; where they are unknown, how many of some random points of the domain hit each."""
    measures = preimage.measures[pieces]
    if not np.isnan(measures).any():
        return measures if measures.sum() > 0 else np.ones(len(measures))
    hits = preimage.locate(uniform(preimage.domain, 20_000, generator))
    counts = np.bincount(hits[hits >= 0], minlength=len(preimage))[pieces].astype(np.float64)
    return counts if counts.sum() else np.ones(len(pieces))
