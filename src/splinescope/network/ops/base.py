"""What every op of a network is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array, vstack
from torch import Tensor

_ROW_NUMBERS = 1 << 23
"""Numbers of a matrix that are written down at once before its zeros are left out."""


class Op(ABC):
    """One operation of a network: a continuous piecewise affine map of its inputs.

    An op takes and returns batches. It never writes to its inputs, autograd goes through it, and all of its numbers
    are float64 on the CPU.
    """

    @abstractmethod
    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Apply the op.

        Args:
            *inputs: [batch, *shape] values of the nodes that it reads.

        Returns:
            [batch, *shape] the value of the op's own node.
        """


class Affine(Op):
    r"""An affine map of one variable, $x \mapsto W x + b$."""

    @abstractmethod
    def magnitude(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The sum of absolute terms $|W| x + |b|$ for non-negative `x`, which bounds the rounding error.

        Args:
            x: [batch, *shape] values, none negative.

        Returns:
            [batch, *shape] sums.
        """

    @abstractmethod
    def spread(self, v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        r"""$(W \circ W) v$ for non-negative `v`: how variances of the inputs come out, if independent.

        Args:
            v: [batch, *shape] variances.

        Returns:
            [batch, *shape] variances of the node's value.
        """

    def rows(self, units: Int[np.ndarray, " k"], shape: tuple[int, ...]) -> csr_array:
        """Rows of $W$, to the last bit: derivatives of single outputs, in which nothing is rounded.

        Args:
            units: Flat indices of outputs.
            shape: Shape of the input, without the batch.

        Returns:
            [k, n_in] sparse matrix over the flat input.
        """
        width = int(np.prod(shape, dtype=np.int64))
        step = max(1, _ROW_NUMBERS // max(1, width))
        parts = [csr_array((0, width))]
        for start in range(0, len(units), step):
            chosen = torch.from_numpy(np.asarray(units[start : start + step], np.int64))
            x = torch.zeros(len(chosen), *shape, dtype=torch.float64, requires_grad=True)
            with torch.enable_grad():
                out = flat(self.evaluate(x)).gather(1, chosen[:, None]).sum()
                (gradient,) = torch.autograd.grad(out, x)
            parts.append(csr_array(flat(gradient).numpy()))
        return csr_array(vstack(parts))

    def offsets(self, shape: tuple[int, ...]) -> Float[np.ndarray, " out"]:
        """The offset $b$, flat: the value at zero, in which nothing is rounded.

        Args:
            shape: Shape of what the op reads, without the batch.

        Returns:
            One number for each output.
        """
        return flat(self.evaluate(torch.zeros(1, *shape, dtype=torch.float64)))[0].numpy()


@dataclass(frozen=True, eq=False)
class Input(Op):
    """The input of the network."""

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The input itself."""
        (x,) = inputs
        return x


def flat(x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch numbers"]:
    """All but the batch in one axis, in row-major order.

    Args:
        x: A batch.

    Returns:
        The batch of vectors, a view where possible.
    """
    return x.reshape(len(x), x[:1].numel() if len(x) else int(x.new_empty(1, *x.shape[1:]).numel()))
