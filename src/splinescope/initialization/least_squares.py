r"""How well the hyperplanes of each layer fit the data: the total-least-squares distance, and its minimum.

Unit $k$ of a layer with inputs $z_1, \dots, z_n$ has the hyperplane $\{z : w_k \cdot z = m_k\}$. In the layer's own
input space the sum of squared distances of the data to it is

$$ L_k(m) = \sum_i \frac{(w_k \cdot z_i - m)^2}{\|w_k\|^2}, \qquad
   \operatorname{argmin} L_k = \mu_k = \frac1n \sum_i w_k \cdot z_i, \qquad
   \min L_k = \frac{n \sigma_k^2}{\|w_k\|^2}, $$

with the biased variance $\sigma_k^2$ of $w_k \cdot z_i$. Batch-norm subtracts exactly $\mu_k$: among all parallel
hyperplanes it takes the one of least squared distance (Balestriero and Baraniuk 2022, arXiv 2209.14778).
With a learned $\gamma, \beta$ the fold is at $w_k \cdot z = \mu_k - \beta_k \nu_k / \gamma_k$, where $\nu_k^2 =
\sigma_k^2 + \epsilon$, so that its mean squared distance is $(\sigma_k^2 + \beta_k^2 \nu_k^2 / \gamma_k^2) /
\|w_k\|^2$.

A unit of a convolution is one channel; its data are all patches of all inputs, zeros of the padding included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from splinescope.initialization.modules import batch_of, network_of, units_last
from splinescope.network.evaluate import chunk_rows, walk
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.network.ops import Activation, Convolution, Dense, SharedDense
from splinescope.shown import Shown

_KINDS = (Dense, SharedDense, Convolution)


@dataclass(frozen=True, eq=False)
class LayerFit(Shown):
    r"""How the hyperplanes of one layer lie to the data, in the layer's own input space.

    Units with zero weights have no hyperplane; their numbers are NaN.

    Attributes:
        name: Name of the layer.
        node: Its node in the network.
        folds: Whether an activation with its fold at 0 reads the layer directly, so that hyperplanes are folds.
        samples: Number n of vectors, or patches, that the layer sees.
        norms: Norm of each unit's weights, with what is folded into them.
        offsets: Distance of each hyperplane from the origin, along the weights: $m_k / \|w_k\|$.
        best: The same of the parallel hyperplane of least squared distance: $\mu_k / \|w_k\|$.
        least: Mean squared distance to that one: $\sigma_k^2 / \|w_k\|^2$.
        both_sides: Whether there are data on both sides of the hyperplane.
    """

    name: str
    node: int
    folds: bool
    samples: int
    norms: Float[np.ndarray, " units"]
    offsets: Float[np.ndarray, " units"]
    best: Float[np.ndarray, " units"]
    least: Float[np.ndarray, " units"]
    both_sides: Bool[np.ndarray, " units"]

    @property
    def mean_squared(self) -> Float[np.ndarray, " units"]:
        """Mean squared distance of the data to each hyperplane, the least one plus the square of the offset's error."""
        return self.least + (self.offsets - self.best) ** 2

    @property
    def excess(self) -> float:
        """Total squared distance of all units over the least possible; 1 is the optimum."""
        least = float(np.nansum(self.least))
        return float(np.nansum(self.mean_squared)) / least if least > 0 else float("nan")


def total_least_squares(model: ModelLike, batch: Any) -> tuple[LayerFit, ...]:
    """Mean squared distance of a batch to the hyperplane of each unit, layer by layer, and the least possible.

    Args:
        model: A network, or a module or file of one, which is imported in eval mode: batch-norm with its running
            statistics. For those of the batch fold them first:
            `total_least_squares(fold_batchnorm(module, batch), batch)`.
        batch: [N, *input_shape] inputs.

    Returns:
        One entry for each dense or convolutional layer, with the scales that follow it folded in. Transposed
        convolutions have no patches and are left out. Cost: one forward pass.

    Raises:
        InvalidInputError: If the batch does not fit the model.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.ReLU()).double()
        >>> x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        >>> from splinescope.initialization import fold_batchnorm
        >>> given = fold_batchnorm(net, x)
        >>> total_least_squares(net, x)[0].excess > 1.0, round(total_least_squares(given, x)[0].excess, 9)
        (True, 1.0)
    """
    inputs = batch_of(None, batch)
    network = network_of(model, tuple(inputs.shape[1:]))
    chosen = [i for i, node in enumerate(network.nodes) if isinstance(node.op, _KINDS)]
    sums = {i: _Sums(network, i) for i in chosen}
    with torch.no_grad():
        for part in inputs.split(chunk_rows(network)):
            for index, value in walk(network, part):
                if index in sums:
                    sums[index].add(value)
    return tuple(sums[i].fit() for i in chosen)


class _Sums:
    """Running mean and squared deviations of one layer's values, part of a batch by part (Chan et al. 1979)."""

    def __init__(self, network: Network, node: int) -> None:
        op = network.nodes[node].op
        assert isinstance(op, _KINDS)
        self._node, self._name, self._bias = node, network.nodes[node].name, op.bias.numpy()
        self._axis = -op.weight.ndim + 1 if isinstance(op, Convolution) else -1
        self._norms = op.weight.flatten(1).norm(dim=1).numpy()
        self._folds = any(
            node in reader.inputs and isinstance(reader.op, Activation) and not bool(reader.op.breakpoints.any())
            for reader in network.nodes
        )
        units = len(self._bias)
        self._count, self._mean, self._squares = 0, np.zeros(units), np.zeros(units)
        self._low, self._high = np.full(units, np.inf), np.full(units, -np.inf)

    def add(self, values: torch.Tensor) -> None:
        rows = units_last(values, self._axis).flatten(0, 1).numpy()
        mean, squares = rows.mean(axis=0), ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
        total = self._count + len(rows)
        step = mean - self._mean
        self._squares += squares + step**2 * (self._count * len(rows) / total)
        self._mean += step * (len(rows) / total)
        self._count = total
        self._low = np.minimum(self._low, rows.min(axis=0))
        self._high = np.maximum(self._high, rows.max(axis=0))

    def fit(self) -> LayerFit:
        with np.errstate(divide="ignore", invalid="ignore"):
            norms = np.where(self._norms > 0, self._norms, np.nan)
        return LayerFit(
            self._name,
            self._node,
            self._folds,
            self._count,
            self._norms,
            -self._bias / norms,
            (self._mean - self._bias) / norms,
            self._squares / self._count / norms**2,
            (self._low < 0) & (self._high > 0),
        )
