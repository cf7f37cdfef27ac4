"""How often a generator makes each class, with intervals, for any exponent of the volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri

from splinescope.errors import InvalidInputError
from splinescope.generative.arguments import check_numbers
from splinescope.generative.sampler import VolumeSampler
from splinescope.numerics import check_finite, check_number
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite


@dataclass(frozen=True, eq=False)
class Frequencies(Shown):
    """Shares of classes, or of the values of an attribute.

    Attributes:
        shares: Share of each class.
        low: Lower ends of intervals (Wilson's, for as many draws as the weights are worth).
        high: Upper ends.
        size: Number of draws, or effective sample size of weights.
    """

    shares: Float[np.ndarray, " classes"]
    low: Float[np.ndarray, " classes"]
    high: Float[np.ndarray, " classes"]
    size: float

    def imbalance(self, wanted: Any = None) -> float:
        """Total variation distance from other shares.

        Args:
            wanted: [classes] shares; equal ones if None.

        Returns:
            Half the sum of differences, from 0 (balanced) to 1.

        Raises:
            InvalidInputError: If there is not one share for each class, or they don't sum to 1.
        """
        count = len(self.shares)
        target = np.full(count, 1 / count) if wanted is None else finite("wanted", wanted)
        if target.shape != (count,) or target.min() < 0 or abs(target.sum() - 1) > 1e-6:
            raise InvalidInputError(
                f"`wanted`: got shape {target.shape} with sum {target.sum():.6g}; expected {count} shares, 1 in all"
            )
        return 0.5 * float(np.abs(self.shares - target).sum())


def frequencies(labels: Any, classes: int, log_weights: Any = None, confidence: float = 0.95) -> Frequencies:
    r"""Shares of classes among samples, which may have weights.

    Intervals are Wilson's, with $1/\sum w_i^2$ in place of the number of draws. They are of each class alone.

    Args:
        labels: [n] class of each sample.
        classes: How many there are.
        log_weights: [n] logarithms of weights, normalised or not; all the same if None.
        confidence: Of the intervals.

    Returns:
        The shares. Cost: linear in the number of samples.

    Raises:
        InvalidInputError: If labels are no classes, or no sample has weight.

    Example:
        >>> found = frequencies([0, 0, 0, 1], 2)
        >>> found.shares.tolist(), found.imbalance()
        ([0.75, 0.25], 0.25)
    """
    classes = check_number("classes", classes, 1, 1 << 31)
    found = np.asarray(labels)
    if found.ndim != 1 or not len(found) or found.dtype.kind not in "iub" or found.min() < 0 or found.max() >= classes:
        raise InvalidInputError(
            f"`labels`: got {found.dtype} of shape {found.shape}; expected an integer from 0 to {classes - 1} for each "
            "of several samples"
        )
    confidence = check_finite("confidence", confidence)
    if not 0 < confidence < 1:
        raise InvalidInputError(f"`confidence`: got {confidence}; expected a number between 0 and 1")
    logs = np.zeros(len(found)) if log_weights is None else check_numbers("log_weights", log_weights)
    if logs.shape != found.shape or not np.isfinite(logs.max()):
        raise InvalidInputError(f"`log_weights`: got shape {logs.shape}; expected one for each label, and one finite")
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    size = 1 / float(np.sum(weights**2))
    shares = np.bincount(found.astype(np.int64), weights, classes)
    z = float(ndtri(0.5 + confidence / 2))
    centre = (shares + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z * np.sqrt(shares * (1 - shares) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return Frequencies(shares, np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0), size)


def frequencies_by_rho(
    sampler: VolumeSampler, classify: Callable[[np.ndarray], Any], rhos: Sequence[float], classes: int
) -> list[Frequencies]:
    """Shares of classes for each exponent, by the weights of one pool.

    Args:
        sampler: A sampler; its base decides what exponents mean.
        classify: From [n, *shape] outputs to [n] classes, or values of an attribute counted from 0.
        rhos: Exponents.
        classes: Number of classes.

    Returns:
        Frequencies for each exponent. Cost: the pool, its outputs and their classes once.

    Raises:
        InvalidInputError: As `frequencies`.

    Example:
        >>> import torch
        >>> from splinescope.generative.priors import UniformBox
        >>> sampler = VolumeSampler(torch.nn.LeakyReLU(0.5), UniformBox((-1.0,), (1.0,)), pool=500)
        >>> found = frequencies_by_rho(sampler, lambda y: (y[:, 0] > 0).astype(int), [0.0, 30.0], 2)
        >>> bool(found[0].shares[1] < 0.6), bool(found[1].shares[1] > 0.99)
        (True, True)
    """
    if not isinstance(sampler, VolumeSampler):
        raise InvalidInputError(f"`sampler`: got {type(sampler).__name__}; expected a VolumeSampler")
    if not callable(classify):
        raise InvalidInputError(f"`classify`: got {type(classify).__name__}; expected a function of outputs")
    rhos = finite("rhos", rhos).ravel().tolist()
    labels: Int[np.ndarray, " pool"] = np.concatenate([np.ravel(classify(y)) for y in sampler.pool_outputs()])
    return [frequencies(labels, classes, sampler.with_rho(rho).log_weights) for rho in rhos]
