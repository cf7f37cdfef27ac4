r"""How well float64 knows the polynomials of a line: bounds of the errors of coefficients, interval by interval.

A layer maps coefficients $c_k \mapsto W c_k + D c_{k-1}$. Of each power one number bounds the error of all of a node's
values: with the largest sums of absolute weights $|W|$ and $|D|$, the largest coefficients $x_k$ and what they are
known to, errors are at most $|W| e_k + |D| e_{k-1}$, and rounding adds $\gamma (|W| x_k + |D| x_{k-1} + |b|)$. So a
sign is certain wherever a value is larger than its bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.landscape.parameters import Motion
from splinescope.numerics import UNIT_ROUNDOFF


@dataclass(frozen=True)
class Norms:
    """Sizes of an op, of a fold on any of its pieces, and of its step.

    Attributes:
        linear: Largest sum of absolute weights of an output.
        offset: Largest absolute offset.
        step: The same of the step; 0 if the layer stays.
        moved: That of the step's offset.
        roundoff: Relative rounding error of a sum of so many products.
    """

    linear: float
    offset: float
    step: float
    moved: float
    roundoff: float

    def mapped(
        self, sizes: Float[np.ndarray, "R size"], errors: Float[np.ndarray, "R size"], length: int
    ) -> Float[np.ndarray, "R length"]:
        """Errors of the coefficients of the op's values.

        Args:
            sizes: Largest absolute coefficients of what it reads, by powers.
            errors: Bounds of their errors.
            length: Number of powers of its values.

        Returns:
            Bounds.
        """
        found = np.zeros((len(sizes), length))
        known = sizes + errors
        powers = sizes.shape[1]
        found[:, :powers] += self.linear * (errors + self.roundoff * known)
        found[:, 0] += self.roundoff * self.offset
        if length > powers:
            found[:, 1:] += self.step * (errors + self.roundoff * known)
            found[:, 1] += self.roundoff * self.moved
        return found


def layer_norms(motion: Motion) -> tuple[Norms, ...]:
    """Sizes of all ops.

    Args:
        motion: The moving network.

    Returns:
        One for each node.
    """
    found = [Norms(1.0, 0.0, 0.0, 0.0, 0.0)]
    for index, node in enumerate(motion.network.nodes[1:], 1):
        shapes = [motion.network.nodes[source].shape for source in node.inputs]
        ones = [torch.ones(1, *shape, dtype=torch.float64) for shape in shapes]
        zeros = [torch.zeros_like(one) for one in ones]
        step = moved = 0.0
        if index in motion.steps:
            step = float(motion.steps[index].carried(*ones).max())
            moved = float(motion.steps[index].magnitude(*zeros).max())
        roundoff = 1.01 * (node.op.addends + 4) * UNIT_ROUNDOFF
        size, offset = float(node.op.carried(*ones).max()), float(node.op.magnitude(*zeros).max())
        found.append(Norms(size, offset, step, moved, roundoff))
    return tuple(found)


def largest(values: Sequence[Float[Tensor, "R ..."]], length: int) -> Float[np.ndarray, "R length"]:
    """Largest absolute coefficients, by powers.

    Args:
        values: Coefficients of some nodes.
        length: Number of powers.

    Returns:
        One for each interval and power; zeros for powers that are not there.
    """
    found = np.zeros((len(values[0]), length))
    for value in values:
        own = value.reshape(len(value), value.shape[1], -1).abs().amax(dim=2).numpy()
        found[:, : own.shape[1]] = np.maximum(found[:, : own.shape[1]], own)
    return found


def padded(errors: Sequence[Float[np.ndarray, "R _"]], length: int) -> Float[np.ndarray, "R length"]:
    """Largest errors of some nodes, by powers."""
    found = np.zeros((len(errors[0]), length))
    for own in errors:
        found[:, : own.shape[1]] = np.maximum(found[:, : own.shape[1]], own)
    return found
