r"""Curvature of one layer in closed form: the block of the Hessian of the loss by the weights of a layer.

With the other layers held fixed the outputs of a continuous piecewise affine network are affine in the weights and
biases of one layer, within a cell of parameter space. So the block of the Hessian *is* the Gauss-Newton block,

$$H = \frac1n \sum_i A_i^T S_i A_i, \qquad S_i = 2 I \text{ or } \mathrm{diag}(p_i) - p_i p_i^T,$$

with $A_i$ the derivatives of the outputs of sample i by the weights: $(M_i D_i) \otimes z_i^T$ for a dense layer, and
the sum of such products over the places where a convolution is applied. It is not an approximation, for cross-entropy
neither. (R. Riedi, R. Balestriero, R. Baraniuk, "Singular value perturbation and deep network optimization",
Constructive Approximation 2023.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import eigh, eigvalsh
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.landscape.factors import Factors, factors_in_parts, layer_node
from splinescope.landscape.losses import metric_roots
from splinescope.landscape.problem import Problem, problem
from splinescope.network import ModelLike
from splinescope.numerics import available_memory, check_number

GRAM_ROWS = 4096
"""Rows of a Gram matrix up to which all of its eigenvalues are computed when a few are asked for."""

LARGEST = 1 << 14
"""Rows of the largest matrix that is written down: 2 GiB."""


class LayerHessian(LinearOperator):
    r"""The block of the Hessian of the loss by the weights of one layer, a symmetric positive semi-definite operator.

    It is never formed: products with it go through the two factors of each sample's derivatives. Its non-zero
    eigenvalues are those of the smaller of two Gram matrices, one of parameters, one of samples and outputs. The order
    of the parameters is that of torch: weights in row-major order, then biases.

    Attributes:
        layer: Name of the layer.
        loss: "squared" or "cross-entropy".
        samples: Number of samples n.
        outputs: Number of outputs of the network.
        weight_shape: Shape of the layer's weight.
        bias: Whether the biases are parameters, too.
        shape: (P, P), by numbers of parameters.
    """

    def __init__(self, asked: Problem, node: int, *, bias: bool) -> None:
        op = asked.network.nodes[node].op
        weight: Tensor = op.weight  # type: ignore[attr-defined]
        self.layer, self.loss, self.bias = asked.network.nodes[node].name, asked.loss, bias
        self.samples, self.outputs = len(asked), asked.targets.shape[1]
        self.weight_shape = tuple(weight.shape)
        count = weight.numel() + (len(op.bias) if bias else 0)  # type: ignore[attr-defined]
        self._problem, self._node = asked, node
        self._kept: list[Factors] | None = None
        super().__init__(np.dtype(np.float64), (count, count))

    def __repr__(self) -> str:
        return (
            f"LayerHessian({self.layer!r}, {self.shape[0]} parameters, {self.loss} loss of {self.samples} samples "
            f"x {self.outputs} outputs)"
        )

    # -- products

    def _parts(self) -> Iterator[Factors]:
        r"""Factors of $L_i^T A_i / \sqrt n$, kept if they fit in memory, else computed again."""
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Factors] | None = []
        budget, held = available_memory() // 4, 0
        for factors, outputs in factors_in_parts(
            self._problem.network, self._node, self._problem.inputs, bias=self.bias
        ):
            part = factors.under(metric_roots(outputs, self._problem.loss) / math.sqrt(self.samples))
            held += 8 * (part.slopes.numel() + part.features.numel())
            kept = None if kept is None or held > budget else [*kept, part]
            yield part
        self._kept = kept

    def _matmat(self, X: np.ndarray) -> Float[np.ndarray, "P m"]:
        vectors = torch.from_numpy(np.array(X, np.float64))
        total = torch.zeros_like(vectors)
        for part in self._parts():
            total += part.back(part.along(vectors))
        return total.numpy()

    def _matvec(self, x: np.ndarray) -> Float[np.ndarray, " P"]:
        return self._matmat(np.reshape(x, (-1, 1)))[:, 0]

    def _adjoint(self) -> LayerHessian:
        return self

    # -- answers

    def dense(self) -> Float[np.ndarray, "P P"]:
        """The matrix, for small layers.

        Returns:
            [P, P].

        Raises:
            InvalidInputError: If there are more than 16,384 parameters.

        Cost: a product of [samples x outputs, P] matrices.
        """
        if self.shape[0] > LARGEST:
            raise InvalidInputError(
                f"a block of {self.shape[0]} parameters takes {8e-9 * self.shape[0] ** 2:.1f} GB; `dense` is for up to "
                f"{LARGEST}; products with it and `eigenvalues` need no matrix"
            )
        total = np.zeros(self.shape)
        for part in self._parts():
            rows = max(1, (1 << 25) // self.shape[0])
            for chunk in part.matrix().split(rows):
                total += (chunk.T @ chunk).numpy()
        return total

    def diagonal(self) -> Float[np.ndarray, " P"]:
        """[P] second derivatives by each parameter."""
        return sum((part.squares() for part in self._parts()), torch.zeros(self.shape[0], dtype=torch.float64)).numpy()

    def trace(self) -> float:
        """Sum of the eigenvalues, exact: the sum of the diagonal."""
        return float(self.diagonal().sum())

    def eigenvalues(self, k: int | None = None) -> Float[np.ndarray, " k"]:
        """The largest eigenvalues, largest first.

        Args:
            k: How many; None for all of the smaller Gram matrix: the others are zero.

        Returns:
            [k] eigenvalues, zeros among them where the rank is less.

        Raises:
            InvalidInputError: If `k` is out of range, or all are asked for where the smaller Gram matrix is too large.

        Cost: the eigenvalues of the smaller Gram matrix, or Lanczos' iteration where that has more than 4,096 rows, and
        for the largest one alone.
        """
        size = self._gram_size
        if k is not None:
            k = check_number("k", k, 1, self.shape[0])
        if k is not None and "_spectrum" not in self.__dict__ and k < size // 8 and (k == 1 or size > GRAM_ROWS):
            if self.trace() == 0.0:
                return np.zeros(k)
            start = np.random.default_rng(0).standard_normal(self.shape[0])
            return np.sort(eigsh(self, k, which="LA", v0=start, return_eigenvectors=False))[::-1]
        found = self._spectrum
        return found.copy() if k is None else np.concatenate([found, np.zeros(max(0, k - len(found)))])[:k]

    def eigenvectors(self, k: int) -> Float[np.ndarray, "P k"]:
        """Unit eigenvectors of the k largest eigenvalues, in columns.

        Args:
            k: How many, at most the rank.

        Returns:
            [P, k].

        Raises:
            InvalidInputError: If there are fewer non-zero eigenvalues.
        """
        if not 1 <= k <= self.rank():
            raise InvalidInputError(f"`k`: got {k}; expected 1 to {self.rank()}, the rank")
        size = self._gram_size
        values, vectors = eigh(self._gram(), subset_by_index=[size - k, size - 1])
        vectors = vectors[:, ::-1]
        if size == self.shape[0]:
            return vectors
        rows, lifted = 0, torch.zeros(self.shape[0], k, dtype=torch.float64)
        for part in self._parts():
            lifted += part.back(torch.from_numpy(vectors[rows : rows + part.rows].copy()))
            rows += part.rows
        return lifted.numpy() / np.sqrt(values[::-1])

    def rank(self, tolerance: float | None = None) -> int:
        """Number of eigenvalues that are not zero.

        Args:
            tolerance: Largest share of the largest eigenvalue that counts as zero; None for rounding: the number of
                rows of the smaller Gram matrix times the spacing of float64 numbers.

        Returns:
            The rank.

        Raises:
            InvalidInputError: If `tolerance` is no share, from 0 to less than 1.
        """
        if tolerance is not None and not 0 <= tolerance < 1:
            raise InvalidInputError(f"`tolerance`: got {tolerance}; expected a share of the largest, from 0 to 1")
        found = self._spectrum
        share = len(found) * np.finfo(np.float64).eps if tolerance is None else tolerance
        return int((found > share * found[0]).sum()) if len(found) and found[0] > 0 else 0

    def singular_values(self) -> Float[np.ndarray, " r"]:
        r"""Singular values of the derivatives of all outputs of all samples by the parameters, largest first.

        It is the linear map whose square is the block: for the squared loss the eigenvalues are $2 s_j^2 / n$. For one
        sample and a dense layer they are $s_j(M D) \|z\|$.

        Returns:
            As many as the smaller of the numbers of parameters, and of samples times outputs.
        """
        if self.loss == "squared":
            return np.sqrt(np.maximum(self._spectrum, 0.0) * self.samples / 2)
        asked = Problem(self._problem.network, self._problem.inputs, self._problem.targets, "squared")
        return LayerHessian(asked, self._node, bias=self.bias).singular_values()

    def condition_number(self, of: str = "all") -> float:
        """Ratio of the largest and the least eigenvalue; infinite where the least is zero, up to rounding.

        Args:
            of: Which eigenvalues count. "all": all parameters. "active": the block of those parameters by which some
                output changes for some sample: their unit is active and their input is not zero. "range": eigenvalues
                that are not zero, which is the condition number of the least-squares problem.

        Returns:
            The condition number.

        Raises:
            InvalidInputError: If `of` is none of these.
        """
        if of not in ("all", "active", "range"):
            raise InvalidInputError(f"`of`: got {of!r}; expected 'all', 'active' or 'range'")
        rank = self.rank()
        count = {"all": self.shape[0], "active": int((self.diagonal() > 0).sum()), "range": rank}[of]
        return float(self._spectrum[0] / self._spectrum[count - 1]) if 0 < count <= rank else math.inf

    # -- the smaller Gram matrix

    @property
    def _gram_size(self) -> int:
        return min(self.shape[0], self.samples * self.outputs)

    @cached_property
    def _spectrum(self) -> np.ndarray:
        """All eigenvalues of the smaller Gram matrix, largest first."""
        return eigvalsh(self._gram(), overwrite_a=True, check_finite=False)[::-1]

    def _gram(self) -> np.ndarray:
        size = self._gram_size
        if size > LARGEST:
            raise InvalidInputError(
                f"all eigenvalues of {size} rows are asked for (the smaller of {self.shape[0]} "
                f"parameters and {self.samples} samples x {self.outputs} outputs); expected at most {LARGEST}: "
                "take fewer samples, or `eigenvalues(k)`"
            )
        if size == self.shape[0]:
            return self.dense()
        gram, parts = np.empty((size, size)), list(self._parts())
        ends = np.cumsum([0, *(part.rows for part in parts)])
        for i, one in enumerate(parts):
            for j, other in enumerate(parts[: i + 1]):
                block = one.gram(other).numpy()
                gram[ends[i] : ends[i + 1], ends[j] : ends[j + 1]] = block
                gram[ends[j] : ends[j + 1], ends[i] : ends[i + 1]] = block.T
        return gram


def layer_hessian(
    model: ModelLike, layer_name: str, inputs: Any, targets: Any, loss: str = "squared", *, bias: bool = False
) -> LayerHessian:
    """The block of the Hessian of the loss by the weights of one layer, in closed form.

    It equals what automatic differentiation gives, at a small part of the cost, and costs no second derivative at all.
    It is the Hessian with *the other layers held fixed*; blocks between layers are another matter, see `hessian`.

    Args:
        model: A network, a module, or the path of a file. A module's layers keep their own weights, with batch-norm
            behind them as it is in eval mode; in a network that was loaded, scales are part of the layer beside them.
        layer_name: Name of a dense layer or a convolution, which has to be applied once.
        inputs: [N, *input_shape] inputs.
        targets: [N] labels, or [N, n_out] wanted outputs or probabilities.
        loss: "squared" (summed over outputs, mean over samples) or "cross-entropy" (of the softmax of the outputs).
        bias: Whether the layer's biases are parameters, too, behind its weights.

    Returns:
        The block, a `scipy.sparse.linalg.LinearOperator` in float64.

    Raises:
        InvalidInputError: If there is no such layer, or data and network do not fit.
        UnsupportedOpError: If the model is not piecewise affine.

    Cost: a forward pass and one backward pass for each output, once; 8 (units x outputs + inputs) bytes for each
    sample, or these passes again for each product where memory is short.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 1, bias=False)
        >>> block = layer_hessian(torch.nn.Sequential(layer), "0", torch.eye(2), torch.zeros(2, 1))
        >>> block.dense().tolist(), block.trace()
        ([[1.0, 0.0], [0.0, 1.0]], 2.0)
    """
    _check_own(model, layer_name)
    asked = problem(model, inputs, targets, loss)
    return LayerHessian(asked, layer_node(asked.network, layer_name), bias=bias)


def _check_own(model: ModelLike, layer_name: str) -> None:
    """Refuse a layer of a module whose weight another layer has, too."""
    if not isinstance(model, nn.Module):
        return
    named = dict(model.named_parameters(remove_duplicate=False))
    weight = named.get(f"{layer_name}.weight")
    homes = [name for name, parameter in named.items() if weight is not None and parameter is weight]
    if len(homes) > 1:
        raise InvalidInputError(
            f"`layer_name`: {layer_name!r} shares its weight ({', '.join(homes)}), so that the outputs are not affine "
            "in it; expected a layer with a weight of its own"
        )
