"""Exact mean and covariance of the outputs of a generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from splinescope.generative.draws import shares
from splinescope.shown import Shown
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.simplices import simplices

_NUMBERS = 1 << 24
"""Numbers of outputs that are held at once."""


@dataclass(frozen=True)
class Moments(Shown):
    """Mean and covariance of the output.

    Attributes:
        mean: Of the flat output.
        covariance: Of the flat output.
    """

    mean: Float[np.ndarray, " outputs"]
    covariance: Float[np.ndarray, "outputs outputs"]


def moments(cells: PolyhedralComplex, rho: float = 0.0) -> Moments:
    r"""Exact mean and covariance of the output, for latents drawn with density proportional to $v^\rho$.

    On a simplex with outputs $y_0, \dots, y_d$ at its corners the mean of $y$ is $\bar y = \frac{1}{d+1}\sum_i y_i$,
    and that of $yy^T$ is $\frac{1}{(d+1)(d+2)}(\sum_i y_iy_i^T + (d+1)^2\bar y\bar y^T)$.

    Args:
        cells: A complex with vertices, of a generator.
        rho: 0 for uniform latents, 1 for uniform on the manifold.

    Returns:
        The moments. Cost: one product of matrices, [outputs, simplices] by its transpose.

    Raises:
        InvalidInputError: If the complex has no vertices, or cells are missing.

    Example:
        >>> import splinescope, torch
        >>> moments(splinescope.tessellate(torch.nn.Identity(), splinescope.Segment([0.0], [1.0]))).mean.tolist()
        [0.5]
    """
    parts = simplices(cells)
    weights, values = shares(cells, parts, rho), cells.vertex_outputs  # type: ignore[attr-defined]
    count = parts.corners.shape[1]
    mean = np.zeros(values.shape[1])
    for corner in range(count):
        mean += weights @ values[parts.corners[:, corner]] / count
    # the sums over simplices are sums over vertices and over means of simplices, centred so that nothing cancels
    own = np.zeros(len(values))
    np.add.at(own, parts.corners, weights[:, None])
    centred = values - mean
    second = (centred * own[:, None]).T @ centred
    step = max(1, _NUMBERS // values.shape[1])
    for start in range(0, len(parts), step):
        part = centred[parts.corners[start : start + step]].mean(axis=1)
        second += count**2 * (part * weights[start : start + step, None]).T @ part
    return Moments(mean, second / (count * (count + 1)))
