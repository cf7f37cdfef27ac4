"""Entropies of discrete variables from counts, in bits."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int


def entropy(labels: Int[np.ndarray, " N"]) -> float:
    r"""Entropy $-\sum_k p_k \log_2 p_k$ of the observed frequencies of labels, in bits.

    Args:
        labels: Non-negative numbers.

    Returns:
        The entropy. Sums are exact but for the logarithms.
    """
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    return math.log2(len(labels)) - math.fsum(counts * np.log2(counts)) / len(labels)


def conditional_entropy(labels: Int[np.ndarray, " N"], given: Int[np.ndarray, " N"]) -> float:
    r"""Entropy $\sum_g p_g H(\text{labels} \mid g)$ that is left when another variable is known, in bits.

    It is summed value by value of the other, not a difference of two entropies.

    Args:
        labels: Non-negative numbers.
        given: The other variable.

    Returns:
        The conditional entropy, at least 0.
    """
    joint = np.unique(np.stack([given, labels]), axis=1, return_counts=True)
    (groups, _), counts = joint
    total = np.bincount(given)[groups]
    return math.fsum(counts * np.log2(total / counts)) / len(labels)


def mutual_information(labels: Int[np.ndarray, " N"], other: Int[np.ndarray, " N"]) -> tuple[float, float]:
    r"""Information that two variables share, in bits: the plug-in value, and that less its leading bias.

    The plug-in value of $N$ samples is too large by $(K_{xy} - K_x - K_y + 1) / (2 N \ln 2)$ bits to first order, with
    the numbers of values that occur. Source: Miller (1955); Roulston (1999).

    Args:
        labels: Non-negative numbers.
        other: The other variable.

    Returns:
        Both values; the corrected one can be negative, and means little where most values occur once.
    """
    plain = entropy(other) - conditional_entropy(other, labels)
    pairs = np.unique(np.stack([labels, other]), axis=1).shape[1]
    bias = (pairs - len(np.unique(labels)) - len(np.unique(other)) + 1) / (2 * len(labels) * math.log(2))
    return plain, plain - bias
