"""What every op of a network is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array, vstack
from torch import Tensor
from torch.autograd import forward_ad

from splinescope.network.ops.sparse_products import SparseRows

_FEW = 1 << 18
"""Numbers of a weight up to which its absolute values are kept: 2 MiB."""
_ROW_NUMBERS = 1 << 23
"""Numbers of a matrix that are written down at once before its zeros are left out."""


class Op(ABC):
    """One operation of a network: a continuous piecewise affine map of its inputs.

    An op takes and returns batches. It never writes to its inputs, autograd goes through it, and all of its numbers
    are float64 on the CPU. It is an `AffineOp`, a `Fold`, or the `Input`: engines handle these, and ask the op for all
    else.
    """

    @abstractmethod
    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Apply the op.

        Args:
            *inputs: [batch, *shape] values of the nodes that it reads.

        Returns:
            [batch, *shape] the value of the op's own node.
        """

    @abstractmethod
    def magnitude(self, *x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """A bound of its absolute values from those of its inputs: the sum of the absolute terms that it adds up.

        Args:
            *x: [batch, *shape] absolute values of its inputs.

        Returns:
            [batch, *shape] bounds.
        """

    @abstractmethod
    def carried(self, *errors: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """By how much its value may change where each number of its inputs changes by at most so much.

        Args:
            *errors: [batch, *shape] largest changes of its inputs.

        Returns:
            [batch, *shape] largest changes of its value.
        """

    @property
    def addends(self) -> int:
        """Largest number of products that one output sums, stage by stage; an offset counts as one."""
        return 1

    def write(self, out: Float[Tensor, "batch _"], *inputs: Float[Tensor, "batch ..."]) -> None:
        """Apply the op and put the result where it is wanted; autograd does not go through it.

        Args:
            out: [batch, numbers] where the flat result goes.
            *inputs: [batch, *shape] values of the nodes that it reads.
        """
        out.copy_(self.evaluate(*inputs).reshape(out.shape))

    def stacked(self, count: int, size: int) -> Op:
        """The op for values with one more axis in front, along which each slice is treated as one value is here.

        Args:
            count: Length of that axis.
            size: Numbers that the op reads of one slice.

        Returns:
            The op; itself if it asks for no shape.
        """
        return self

    @property
    def reads_flat(self) -> bool:
        """Whether it reads all numbers of a value as one row, whatever their shape."""
        return False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its tensors in which its value is affine, and which training would move."""
        return ()

    @property
    def rounds(self) -> bool:
        """Whether its numbers are rounded. Else each of them is a copy of an input or of a constant."""
        return True

    @property
    def label(self) -> str:
        """What the op is, for tables."""
        return type(self).__name__

    def terms(
        self, inputs: Sequence[Float[Tensor, "batch ..."]], value: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch ..."]:
        """Sums of the absolute values of the terms that it adds up, to which rounding errors are relative.

        Args:
            inputs: Values of the nodes that it reads.
            value: Its own value there.

        Returns:
            Non-negative numbers in the shape of the value; zeros where nothing is rounded.
        """
        return value.abs()


class AffineOp(Op):
    r"""An affine map of its inputs, $(x_1, \dots, x_k) \mapsto \sum_i W_i x_i + b$."""

    @property
    def weights(self) -> Tensor | None:
        """The one tensor in which its outputs are linear; None if it only moves numbers, or has several `stages`."""
        return None

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        """The linear part with other weights.

        Args:
            weights: What takes the place of `weights`, in its shape; None if these are.

        Returns:
            An op without offset.
        """
        assert weights is None
        return self

    @property
    def stages(self) -> tuple[AffineOp, ...]:
        """Ops whose weights are single tensors, of which this one is the composition, first to last."""
        return (self,)

    @property
    def offset(self) -> Tensor | None:
        """The offset $b$, as it broadcasts with one output; None if there is none."""
        return None

    @cached_property
    def linear(self) -> AffineOp:
        """The op without its offset; itself if it has none."""
        return self if self.offset is None else self.reweighted(self.weights)

    @property
    def matrix(self) -> Float[Tensor, "out in"] | None:
        """The matrix $W$ of one flat input, if that is how the op keeps it; None of all others."""
        return None

    @cached_property
    def columns(self) -> np.ndarray:
        """[in, out] the numbers of `matrix`, one column after the other in memory."""
        assert self.matrix is not None
        return np.ascontiguousarray(self.matrix.detach().numpy().T)

    @property
    def nonzeros(self) -> SparseRows | None:
        """The numbers of `matrix` that are not zero, if it is large and nearly all zero."""
        return None

    @property
    def is_local(self) -> bool:
        """Whether each input reaches few outputs, those of its `stencils`."""
        return False

    def stencils(self, units: Int[np.ndarray, " k"], shape: tuple[int, ...]) -> csr_array:
        """Columns of $W$, to the last bit: what single inputs add to the outputs. Only of ops that are local.

        Args:
            units: Flat indices of inputs.
            shape: Shape of the input, without the batch.

        Returns:
            [k, n_out] sparse matrix over the flat outputs.
        """
        raise NotImplementedError

    @property
    def keeps_order(self) -> bool:
        """Whether its flat value is that of its one input."""
        return False

    def magnitude(self, *x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        r"""The sum of absolute terms $\sum_i |W_i| x_i + |b|$ for non-negative inputs, which bounds rounding errors.

        Args:
            *x: [batch, *shape] values, none negative.

        Returns:
            [batch, *shape] sums.
        """
        total = self._through(torch.abs, x)
        return total if self.offset is None else total + self.offset.abs()

    def spread(self, *v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        r"""$\sum_i (W_i \circ W_i) v_i$ for non-negative inputs: how variances come out, if independent.

        Args:
            *v: [batch, *shape] variances.

        Returns:
            [batch, *shape] variances of its value.
        """
        return self._through(torch.square, v)

    def carried(self, *errors: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Op`: the linear part with absolute weights."""
        return self._through(torch.abs, errors) if self._absolute is None else self._absolute.evaluate(*errors)

    @cached_property
    def _absolute(self) -> AffineOp | None:
        """The linear part with absolute weights where these are few; bounds ask for it again and again."""
        if len(self.stages) > 1 or self.weights is None or self.weights.numel() > _FEW:
            return None
        with torch.inference_mode(False):
            return self.reweighted(self.weights.detach().abs())

    def _through(self, change: Callable[[Tensor], Tensor], x: tuple[Tensor, ...]) -> Tensor:
        """The linear part with all weights changed."""
        for stage in self.stages:
            x = (stage.reweighted(None if stage.weights is None else change(stage.weights)).evaluate(*x),)
        return x[0]

    def terms(
        self, inputs: Sequence[Float[Tensor, "batch ..."]], value: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch ..."]:
        """See `Op`."""
        return self.magnitude(*(x.abs() for x in inputs)) if self.rounds else torch.zeros_like(value)

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """Rows of $W$, to the last bit: derivatives of single outputs, in which nothing is rounded.

        Args:
            units: Flat indices of outputs.
            *shapes: Shapes of the inputs, without the batch.

        Returns:
            [k, n_in] sparse matrix over the flat inputs, one after the other.
        """
        width = sum(math.prod(shape) for shape in shapes)
        step = max(1, _ROW_NUMBERS // max(1, width))
        parts = [csr_array((0, width))]
        for start in range(0, len(units), step):
            chosen = torch.from_numpy(np.asarray(units[start : start + step], np.int64))
            x = [torch.zeros(len(chosen), *shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
            with torch.enable_grad():
                out = flat(self.evaluate(*x)).gather(1, chosen[:, None]).sum()
                gradients = torch.autograd.grad(out, x)
            parts.append(csr_array(torch.cat([flat(gradient) for gradient in gradients], dim=1).numpy()))
        return csr_array(vstack(parts))

    def offsets(self, *shapes: tuple[int, ...]) -> Float[np.ndarray, " out"]:
        """The offset $b$, flat: the value at zero, in which nothing is rounded.

        Args:
            *shapes: Shapes of what it reads, without the batch.

        Returns:
            One number for each output.
        """
        return flat(self.evaluate(*(torch.zeros(1, *shape, dtype=torch.float64) for shape in shapes)))[0].numpy()


class Affine(AffineOp):
    r"""An affine map of one variable, $x \mapsto W x + b$."""


@dataclass(frozen=True, eq=False)
class Input(Op):
    """The input of the network."""

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The input itself."""
        (x,) = inputs
        return x

    def magnitude(self, *x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Op`."""
        return x[0]

    def carried(self, *errors: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Op`."""
        return errors[0]


def copies(places: Int[np.ndarray, " k"], width: int) -> csr_array:
    """Rows of ones, at most one in each.

    Args:
        places: Column of each row's one; -1 for none.
        width: Number of columns.

    Returns:
        [k, width] sparse matrix.
    """
    present = places >= 0
    starts = np.concatenate([[0], np.cumsum(present)])
    return csr_array((np.ones(starts[-1]), places[present], starts), shape=(len(places), width))


def places_of_slices(index: Int[Tensor, "..."], count: int, size: int) -> Int[Tensor, "count ..."]:
    """Positions in the flat values of several slices, one after the other, from those in one.

    Args:
        index: Positions; -1 stays.
        count: Number of slices.
        size: Numbers of one.

    Returns:
        The positions, slice by slice.
    """
    offsets = (torch.arange(count) * size).reshape(count, *(1,) * index.ndim)
    return torch.where(index < 0, index, index + offsets)


def flat(x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch numbers"]:
    """All but the batch in one axis, in row-major order.

    Args:
        x: A batch.

    Returns:
        The batch of vectors, a view where possible.
    """
    if x.ndim == 2:
        return x
    return x.reshape(len(x), x[:1].numel() if len(x) else int(x.new_empty(1, *x.shape[1:]).numel()))


def is_plain(*tensors: Tensor) -> bool:
    """Whether these are numbers in float64 that no derivative, transform or tracing follows.

    Args:
        *tensors: What a compiled kernel is to read.
    """
    followed = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    plain = all(type(t) in (Tensor, torch.nn.Parameter) and t.dtype == torch.float64 and t.is_cpu for t in tensors)
    return plain and not followed and not any(_is_wrapped(tensor) for tensor in tensors)


def _is_wrapped(tensor: Tensor) -> bool:
    """Whether a transform of `torch.func` or a forward derivative is at work on a tensor."""
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor) or forward_ad.unpack_dual(tensor).tangent is not None
