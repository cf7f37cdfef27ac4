"""The Hessian of the loss of any torch module by its parameters, through products with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.landscape.block import LayerHessian
from splinescope.landscape.factors import layer_names, layer_node
from splinescope.landscape.functional import (
    Batches,
    LossFunction,
    batches_of,
    chosen_parameters,
    loss_function,
    mean_loss,
    private,
)
from splinescope.landscape.losses import LOSSES
from splinescope.landscape.problem import problem
from splinescope.landscape.span import Span, spanned
from splinescope.landscape.spectrum import SpectralDensity, hutch_plus_plus, lanczos_density

SMALL = 400
"""Parameters up to which the matrix is written down for eigenvalues."""

_WHICH = {"largest": "LA", "smallest": "SA", "magnitude": "LM"}


class _Products:
    """Products with the Hessian of a copy; gradients of one batch are kept, with their graph, and made once."""

    def __init__(self, module: nn.Module, data: Batches, loss: LossFunction, parameters: dict[str, Tensor]) -> None:
        self._module, self._data, self._loss = module, data, loss
        self.parameters = {name: value.clone().requires_grad_(True) for name, value in parameters.items()}
        self.sizes = [value.numel() for value in parameters.values()]
        self.count = 0
        self._kept: list[tuple[list[Tensor], list[int]]] | None = None

    def __call__(self, vector: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
        first = next(iter(self.parameters.values()))
        parts = torch.as_tensor(vector).to(first).split(self.sizes)
        along = [part.reshape(value.shape) for part, value in zip(parts, self.parameters.values(), strict=True)]
        total = [torch.zeros_like(value) for value in self.parameters.values()]
        self.count += 1
        for share, (gradients, which) in zip(self._data.shares, self._gradients(), strict=True):
            if not gradients:
                continue
            found = torch.autograd.grad(
                gradients,
                list(self.parameters.values()),
                [along[i] for i in which],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            for sum_, part in zip(total, found, strict=True):
                sum_ += share * part
        return torch.cat([part.reshape(-1) for part in total]).double().numpy()

    def _gradients(self) -> Any:
        """Gradients of each batch that depend on the parameters, and which these are."""
        if self._kept is not None:
            return self._kept
        found = (self._gradient(x, y) for x, y in zip(self._data.inputs, self._data.targets, strict=True))
        if len(self._data.inputs) > 1:
            return found
        self._kept = list(found)
        return self._kept

    def _gradient(self, x: Tensor, y: Tensor) -> tuple[list[Tensor], list[int]]:
        with torch.enable_grad():
            value = mean_loss(self._module, self.parameters, x, y, self._loss)
            own = list(self.parameters.values())
            gradients = torch.autograd.grad(value, own, create_graph=True, allow_unused=True)
        which = [i for i, g in enumerate(gradients) if g is not None and g.requires_grad]
        return [gradients[i] for i in which], which


class LossHessian(LinearOperator):
    """The Hessian of the loss by the parameters of a module: a symmetric operator that is never formed.

    Attributes:
        names: Names of the parameters, in the order in which they are flattened.
        samples: Number of samples.
        shape: (P, P), by numbers of parameters.
        reduced: Number of coordinates in which products are computed: fewer than P where the first layer is wider than
            the span of the data; the other eigenvalues are zero.
    """

    def __init__(self, products: _Products, span: Span | None, names: Sequence[str], closed: Any, samples: int) -> None:
        self._products, self._span, self._closed = products, span, closed
        self.names, self.samples = tuple(names), samples
        self.reduced = sum(products.sizes)
        count = self.reduced if span is None else span.full
        super().__init__(np.dtype(np.float64), (count, count))

    def __repr__(self) -> str:
        inside = "" if self._span is None else f", in {self.reduced} coordinates"
        return f"LossHessian({self.shape[0]} parameters{inside}, {self.samples} samples)"

    @property
    def products(self) -> int:
        """How many products with it were computed so far."""
        return self._products.count

    def _matvec(self, x: np.ndarray) -> Float[np.ndarray, " P"]:
        vector = np.asarray(x, np.float64).ravel()
        if self._span is None:
            return self._products(vector)
        return self._span.lift(self._products(self._span.project(vector)))

    def _adjoint(self) -> LossHessian:
        return self

    @property
    def _inner(self) -> LinearOperator:
        """The operator in the coordinates in which products are computed."""
        return LinearOperator((self.reduced, self.reduced), matvec=self._products, dtype=np.float64)

    def dense(self) -> Float[np.ndarray, "P P"]:
        """The matrix, by one product for each coordinate; for tests and small modules.

        Returns:
            [P, P].
        """
        inner = np.stack([self._products(row) for row in np.eye(self.reduced)])
        inner = (inner + inner.T) / 2
        return inner if self._span is None else self._span.lift(self._span.lift(inner).T)

    def eigenvalues(self, k: int = 10, which: str = "largest") -> Float[np.ndarray, " k"]:
        """Some eigenvalues, to rounding.

        Args:
            k: How many.
            which: "largest" first, "smallest" (most negative) first, or largest "magnitude" first.

        Returns:
            [k] eigenvalues.

        Raises:
            InvalidInputError: If `k` or `which` is out of range.

        Cost: some ten products for each eigenvalue, by Lanczos' iteration with restarts.
        """
        values, _ = self._eigenpairs(k, which)
        absent = np.zeros(min(k, self.shape[0] - self.reduced))
        values = np.concatenate([values, absent])
        key = {"largest": -values, "smallest": values, "magnitude": -np.abs(values)}[which]
        return values[np.argsort(key, kind="stable")][:k]

    def eigenvectors(self, k: int = 10, which: str = "largest") -> Float[np.ndarray, "P k"]:
        """Unit eigenvectors in columns, of the eigenvalues that are not zero by themselves: see `eigenvalues`.

        Args:
            k: How many.
            which: Which ones.

        Returns:
            [P, k].

        Raises:
            InvalidInputError: If `k` or `which` is out of range.
        """
        _, vectors = self._eigenpairs(k, which)
        return vectors if self._span is None else self._span.lift(vectors)

    def _eigenpairs(self, k: int, which: str) -> tuple[np.ndarray, np.ndarray]:
        if which not in _WHICH:
            raise InvalidInputError(f"`which`: got {which!r}; expected {', '.join(map(repr, _WHICH))}")
        if not 1 <= k <= self.reduced:
            raise InvalidInputError(f"`k`: got {k}; expected 1 to {self.reduced}")
        if self.reduced <= SMALL or k > self.reduced // 3:
            inner = np.stack([self._products(row) for row in np.eye(self.reduced)])
            values, vectors = np.linalg.eigh((inner + inner.T) / 2)
        else:
            start = np.random.default_rng(0).standard_normal(self.reduced)
            size = min(self.reduced - 1, max(3 * k, 30))
            values, vectors = eigsh(self._inner, k, which=_WHICH[which], v0=start, ncv=size)
        key = {"largest": -values, "smallest": values, "magnitude": -np.abs(values)}[which]
        order = np.argsort(key)[:k]
        return values[order], vectors[:, order]

    def trace(self, products: int | None = None, generator: np.random.Generator | None = None) -> float:
        """Sum of the eigenvalues.

        Where the module is piecewise affine, the loss has a name and every parameter belongs to a layer that is applied
        once, it is the sum of the traces of the layers' blocks, in closed form. Else it is estimated by Hutch++ (Meyer,
        Musco, Musco and Woodruff 2021).

        Args:
            products: Estimate it by so many products; None for the closed form where there is one, else 99.
            generator: Source of the random vectors; None for a fixed one.

        Returns:
            The trace.
        """
        known = self._closed() if products is None else None
        if known is not None:
            return float(known)
        rng = generator or np.random.default_rng(0)
        return hutch_plus_plus(self._products, self.reduced, products or 99, rng)

    def density(
        self, steps: int = 80, probes: int = 4, generator: np.random.Generator | None = None
    ) -> SpectralDensity:
        """The density of the eigenvalues, by stochastic Lanczos quadrature with full reorthogonalisation.

        Args:
            steps: Products for each probe; the tails are exact where Lanczos' iteration has converged.
            probes: Random start vectors.
            generator: Source of these; None for a fixed one.

        Returns:
            The density; eigenvalues that are zero by themselves are in it.
        """
        rng = generator or np.random.default_rng(0)
        found = lanczos_density(self._products, self.reduced, min(steps, self.reduced), probes, rng)
        return found.with_zeros(self.shape[0] - self.reduced)


def hessian(
    model: nn.Module,
    loss: str | LossFunction,
    data: Any,
    *,
    parameters: Sequence[str] | None = None,
    train: bool = False,
    chunk: int | None = None,
    dtype: torch.dtype | None = torch.float64,
) -> LossHessian:
    """The Hessian of the loss of any torch module, piecewise affine or smooth.

    The module is copied, so that nothing of it changes. Where its first dense layer reads the data themselves and is
    at least twice as wide as there are samples, products are computed in the span of the data: the loss does not depend
    on the rest, so that eigenvalues other than zero are the same.

    Args:
        model: The module, of one input.
        loss: "squared", "cross-entropy", or a function of (outputs, targets) that returns the mean of a batch.
        data: A pair (inputs, targets), or an iterable of such pairs, as a loader is; batches count by their size.
        parameters: Names of the parameters that count; all if None.
        train: Whether batch-norm and dropout are in train mode; statistics are then those of the batches as given.
        chunk: Samples that are taken at once, for a pair; all if None, which is the fastest where memory allows.
        dtype: Type in which it is computed; None for the module's own.

    Returns:
        The operator.

    Raises:
        InvalidInputError: If something does not fit.

    Cost: a product is about two backward passes; with one batch the forward pass is done once.

    Example:
        >>> import torch
        >>> net = torch.nn.Linear(2, 1, bias=False)
        >>> hessian(net, "squared", (torch.eye(2), torch.zeros(2, 1))).eigenvalues(1).round(12).tolist()
        [1.0]
    """
    function = loss_function(loss)
    copied = private(model, dtype, train=train)
    batches = batches_of(data, dtype, None if train else chunk)
    wanted = chosen_parameters(copied, parameters)

    def closed() -> float | None:
        if isinstance(loss, str) and loss in LOSSES and not train:
            return _closed_trace(model, list(wanted), batches, loss)
        return None

    span = None if train else spanned(copied, batches, wanted)
    if span is not None:
        copied, inside = span.module, span.parameters
        return LossHessian(_Products(copied, batches, function, inside), span, list(wanted), closed, len(batches))
    return LossHessian(_Products(copied, batches, function, wanted), None, list(wanted), closed, len(batches))


def _closed_trace(model: nn.Module, names: list[str], batches: Batches, loss: str) -> float | None:
    """The sum of the traces of the blocks of all layers; None where these are not all there is."""
    own = dict(model.named_parameters(remove_duplicate=False))
    if len({id(value) for value in own.values()}) < len(own):
        return None
    inputs, targets = torch.cat(batches.inputs), torch.cat(batches.targets)
    try:
        asked = problem(model, inputs, targets, loss)
        nodes = {name: layer_node(asked.network, name) for name in layer_names(asked.network)}
    except (InvalidInputError, UnsupportedOpError):
        return None
    total, left = 0.0, set(names)
    for name, node in nodes.items():
        op: Any = asked.network.nodes[node].op
        weight = own.get(f"{name}.weight")
        if f"{name}.weight" not in left or weight is None or weight.shape != op.weight.shape:
            continue
        block = LayerHessian(asked, node, bias=f"{name}.bias" in left)
        total += block.trace()
        left -= {f"{name}.weight", f"{name}.bias"}
    return None if left else total
