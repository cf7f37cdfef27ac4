r"""How like the data a generator's samples are, by balls around nearest neighbours in a space of features.

Sources: Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models" (NeurIPS 2019,
arXiv 1904.06991); Naeem et al., "Reliable fidelity and diversity metrics for generative models" (ICML 2020, arXiv
2002.09797).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist

from splinescope.errors import InvalidInputError
from splinescope.numerics import check_number
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite

_PAIRS = 1 << 22
"""Distances that are held at once."""


@dataclass(frozen=True)
class Quality(Shown):
    """Likeness of samples to data.

    Attributes:
        precision: Share of the samples that lie in a ball around one of the data, which reaches to its k-th neighbour
            among the data.
        recall: Share of the data that lie in such a ball around a sample, which reaches to its k-th neighbour among the
            samples.
        density: Mean number of balls around data in which a sample lies, divided by k; may exceed 1.
        coverage: Share of the data in whose ball a sample lies.
        neighbours: The number k.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    neighbours: int


def quality(data: Any, samples: Any, neighbours: int = 5) -> Quality:
    r"""Precision, recall, density and coverage of samples.

    A ball around $x_i$ is closed and reaches to its k-th nearest other point of its own set. Compare numbers only where
    there are as many samples, as many data and the same k: with few data the balls are large.

    Args:
        data: [n, *shape] features of data.
        samples: [m, *shape] features of samples.
        neighbours: The number k.

    Returns:
        The four measures. Cost: all distances, n x n, m x m and n x m, in bounded memory.

    Raises:
        InvalidInputError: If shapes don't fit, or there are not more points than neighbours in both sets.

    Example:
        >>> x = np.arange(10.0)[:, None]
        >>> quality(x, x[:6], 1)
        Quality(precision=1, recall=0.7, density=2.83333, coverage=0.7, neighbours=1)
    """
    real, made = _flat("data", data), _flat("samples", samples)
    if real.shape[1] != made.shape[1]:
        raise InvalidInputError(
            f"`samples`: got {made.shape[1]} features; expected {real.shape[1]}, as many as the data have"
        )
    fewest = min(len(real), len(made))
    if fewest < 2:
        raise InvalidInputError(
            f"`data`, `samples`: got {len(real)} and {len(made)} points; expected two or more of each"
        )
    neighbours = check_number("neighbours", neighbours, 1, fewest - 1)
    scale = 2.0 ** -np.frexp(max(np.abs(real).max(), np.abs(made).max()))[1].astype(float)  # squares of 1e200 overflow
    real, made = real * scale, made * scale
    around_real, around_made = _radii(real, neighbours), _radii(made, neighbours)
    inside = np.zeros(len(made))
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    step = max(1, _PAIRS // len(made))
    for start in range(0, len(real), step):
        part = slice(start, start + step)
        distances = cdist(real[part], made)
        near = distances <= around_real[part, None]
        inside += near.sum(axis=0)
        covered[part] = near.any(axis=1)
        recalled[part] = (distances <= around_made).any(axis=1)
    return Quality(
        precision=float((inside > 0).mean()),
        recall=float(recalled.mean()),
        density=float(inside.mean() / neighbours),
        coverage=float(covered.mean()),
        neighbours=neighbours,
    )


def _flat(name: str, values: Any) -> Float[np.ndarray, "n features"]:
    array = finite(name, values)
    if array.ndim < 2 or not array[:1].size:
        raise InvalidInputError(f"`{name}`: got shape {array.shape}; expected [n, *shape], n at least 1")
    return array.reshape(len(array), -1)


def _radii(points: np.ndarray, neighbours: int) -> Float[np.ndarray, " n"]:
    """Distance of each point to its k-th nearest other point."""
    step = max(1, _PAIRS // len(points))
    rows = [
        np.partition(cdist(points[start : start + step], points), neighbours, axis=1)[:, neighbours]
        for start in range(0, len(points), step)
    ]
    return np.concatenate(rows)
