"""What every op of a network is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


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
        """The sum of absolute terms $|W| x + |b|$ for non-negative `x`, which bounds the rounding error."""

    @abstractmethod
    def spread(self, v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        r"""$(W \circ W) v$ for non-negative `v`: how variances of the inputs come out, if independent."""


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
