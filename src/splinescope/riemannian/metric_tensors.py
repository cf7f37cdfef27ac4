r"""The metric that a network pulls back from its outputs, as factors: $g = F^TF$, never the matrix unless it is asked.

With $F$ the Jacobian (or the Jacobian after a factor of the metric of the outputs), traces, volumes, eigenvalues and
directions that vanish come from its singular values. A dense metric of a thousand images of 784 pixels is 4.9 GB, their
factors by ten outputs 63 MB.

Source: Hauser, Ray, "Principles of Riemannian geometry in neural networks" (NeurIPS 2017), section 4:
$g_l = J_l^T g_{l+1} J_l$.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.network.dense_chains import DenseChain
from splinescope.network.differentials import BUDGET, DifferentiableMap
from splinescope.network.graph import Network
from splinescope.network.layer_values import Layers
from splinescope.shown import Shown
from splinescope.tessellation.metric import check_choice

DENSE = 1 << 27
"""Numbers of matrices that are made at once, at most: 1 GiB."""


@dataclass(frozen=True, eq=False)
class Metrics(Shown):
    r"""Metrics at points: positive semi-definite forms $g = F^TF$ of rank at most that of F.

    Attributes:
        points: The points, flat.
        factors: F of each point: with Euclidean outputs the Jacobian.
        output: The metric of the outputs.
    """

    points: Float[np.ndarray, "n d"]
    factors: Float[np.ndarray, "n k d"]
    output: str

    def __len__(self) -> int:
        """Number of points."""
        return len(self.factors)

    @property
    def dimension(self) -> int:
        """Dimension of the space in which the points are."""
        return int(self.factors.shape[2])

    @property
    def traces(self) -> Float[np.ndarray, " n"]:
        """Sum of the eigenvalues of each metric."""
        return np.asarray(np.einsum("nkd,nkd->n", self.factors, self.factors))

    @cached_property
    def singular_values(self) -> Float[np.ndarray, "n m"]:
        """Singular values of the factors, largest first; m is the least of their sizes."""
        return np.asarray(np.linalg.svd(self.factors, compute_uv=False))

    @property
    def eigenvalues(self) -> Float[np.ndarray, "n m"]:
        """The largest eigenvalues of each metric, squares of `singular_values`; all further ones are zero."""
        return self.singular_values**2

    @property
    def ranks(self) -> Int[np.ndarray, " n"]:
        """Numerical rank, the number of singular values above rounding, max(k, d) 2^-52 of the largest."""
        return np.count_nonzero(self._known, axis=1)

    @property
    def log_volumes(self) -> Float[np.ndarray, " n"]:
        r"""Logarithm of the volume element $\sqrt{\det g}$; -inf where a direction vanishes."""
        return np.where(self.ranks == self.dimension, self.log_pseudo_volumes, -np.inf)

    @property
    def log_pseudo_volumes(self) -> Float[np.ndarray, " n"]:
        """The same of the directions that do not vanish, a sum over singular values above rounding."""
        return np.asarray(np.log(np.where(self._known, self.singular_values, 1.0)).sum(axis=1))

    @property
    def conditions(self) -> Float[np.ndarray, " n"]:
        """Largest eigenvalue divided by the least; infinite where a direction vanishes."""
        with np.errstate(divide="ignore"):
            ratios = (self.singular_values[:, 0] / self.singular_values[:, -1]) ** 2
        return np.where(self.ranks == self.dimension, ratios, np.inf)

    @property
    def _known(self) -> np.ndarray:
        limit = max(self.factors.shape[1:]) * 2.0**-52 * self.singular_values[:, :1]
        return np.asarray(self.singular_values > limit)

    def matrices(self) -> Float[np.ndarray, "n d d"]:
        """The metrics themselves.

        Returns:
            [n, d, d] symmetric matrices.

        Raises:
            InvalidInputError: If they would take more than 1 GiB: `factors` say the same.
        """
        if len(self) * self.dimension**2 > DENSE:
            size = 8e-9 * len(self) * self.dimension**2
            raise InvalidInputError(f"`matrices`: these are {size:.1f} GB; use `factors`, or fewer points")
        return np.asarray(np.einsum("nki,nkj->nij", self.factors, self.factors))

    def null_directions(self, point: int) -> Float[np.ndarray, "d null"]:
        """Directions in which nothing changes at one point.

        Args:
            point: Its number.

        Returns:
            Orthonormal columns; none where the metric is positive definite.
        """
        right = np.linalg.svd(self.factors[point], full_matrices=True)[2]
        return np.asarray(right[int(self.ranks[point]) :].T)

    def axes(self, radius: float = 1.0) -> Float[np.ndarray, "n m d"]:
        r"""Semi-axes of the balls of a radius, $\{v : v^Tgv \le \varepsilon^2\}$, the shortest first.

        Args:
            radius: The radius, in units of the outputs.

        Returns:
            Vectors of length radius / sqrt(eigenvalue), orthogonal; infinite where a direction vanishes.
        """
        right = np.linalg.svd(self.factors, full_matrices=False)[2]
        with np.errstate(divide="ignore"):
            lengths = np.where(self._known, radius / self.singular_values, np.inf)
        with np.errstate(invalid="ignore"):
            return np.asarray(right * lengths[:, :, None])


@dataclass(frozen=True)
class LayerMetrics(Shown):
    """Metrics at one layer.

    Attributes:
        index: Its place; 0 is the input.
        name: What it is called.
        metrics: Metrics at the values that the points have there, flat.
    """

    index: int
    name: str
    metrics: Metrics


def metrics(model: Any, points: Any, output: str | np.ndarray = "euclidean") -> Metrics:
    r"""The metric that a model pulls back from its outputs to its inputs: $g = J^T G J$.

    Args:
        model: A module, any differentiable function of a batch, a network or the path of one; networks before their
            head. Modules are evaluated in eval mode, in their own type, and are left as they are.
        points: [n, *shape] points; of piecewise affine models off the folds.
        output: The metric of the outputs: "euclidean", a symmetric positive semi-definite matrix G, or "fisher" for
            outputs that are logits, $G = \mathrm{diag}(p) - pp^T$ with $p$ their softmax.

    Returns:
        The metrics, as factors.

    Raises:
        InvalidInputError: If an argument is none of what is expected, or the model cannot be differentiated.

    Cost: one forward pass, and one pass for each dimension of the smaller of the two spaces, in parts of bounded
    memory.

    Example:
        >>> double = torch.nn.Linear(2, 3, dtype=torch.float64)
        >>> _ = double.weight.data.copy_(torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        >>> found = metrics(double, np.zeros((1, 2)))
        >>> found.matrices().tolist(), found.traces.tolist(), round(float(found.log_volumes[0]), 9)
        ([[[4.0, 0.0], [0.0, 1.0]]], [5.0], 0.693147181)
    """
    affine = isinstance(model, Network) or not (isinstance(model, nn.Module) or callable(model))
    map_ = DifferentiableMap.of(model, points, affine=affine)
    form = _form(output, map_.outputs)
    forward = map_.dimension < map_.outputs
    chain = None if forward else _chain(model, map_)
    if forward and not callable(form):
        parts = [_factors(None, J, form) for J in map_.jacobians()]
    elif chain is not None:
        parts = [_factors(*chain.rows(map_.points), form)]
    else:
        parts = [_factors(y, J, form) for y, J in map_.values_and_rows()]
    rows = form.shape[0] if isinstance(form, Tensor) else map_.outputs
    factors = parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, rows, map_.dimension)), *parts])
    return Metrics(map_.points.double().cpu().numpy(), factors, _name(output))


def _chain(model: Any, map_: DifferentiableMap) -> DenseChain | None:
    """The model as a chain of dense layers, if it is one that the map's points fit."""
    chain = DenseChain.of(model, map_.shape)
    fits = chain is not None and (chain.dimension, chain.outputs) == (map_.dimension, map_.outputs)
    return chain if fits and chain is not None and chain.dtype == map_.points.dtype else None


def layer_metrics(model: Any, points: Any, output: str | np.ndarray = "euclidean") -> tuple[LayerMetrics, ...]:
    r"""The metric at every layer, by the recursion $g_l = J_l^T g_{l+1} J_l$ from the outputs back.

    Args:
        model: A `torch.nn.Sequential`, whose parts are the layers; or a network, a module or file of one, whose layers
            are its boundaries (`splinescope.network.boundaries`); or any other module, whose layers are the parts that
            everything passes through.
        points: [n, *shape] points.
        output: The metric of the outputs, as in `metrics`.

    Returns:
        The layers, the input first and the output, whose metric is the given one, last. Where the width grows, ranks
        are at most the least width from the layer on.

    Raises:
        InvalidInputError: As `metrics`.

    Cost: one forward pass, and one backward pass for each output, for all layers together.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())
        >>> [(one.name, one.metrics.factors.shape) for one in layer_metrics(net, np.zeros((4, 3)))]
        [('input', (4, 2, 3)), ('0', (4, 2, 2)), ('1', (4, 2, 2))]
    """
    layers = Layers.of(model, points)
    names, x, sizes = layers.names, layers.points, layers.sizes
    form = _form(output, sizes[-1])
    step = max(1, BUDGET // max(1, sizes[-1] * sum(sizes)))
    parts: list[list[np.ndarray]] = [[] for _ in names]
    places: list[list[np.ndarray]] = [[] for _ in names]
    for start in range(0, len(x), step):
        values, rows = _pulled_back(layers, x[start : start + step])
        for layer, (value, J) in enumerate(zip(values, rows, strict=True)):
            parts[layer].append(_factors(values[-1], J, form))
            places[layer].append(value.double().cpu().numpy())
    return tuple(
        LayerMetrics(index, name, Metrics(np.concatenate(there), np.concatenate(found), _name(output)))
        for index, (name, there, found) in enumerate(zip(names, places, parts, strict=True))
    )


def _pulled_back(layers: Layers, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Values of all layers, flat, and Jacobians of the outputs by each."""
    x = x.clone().requires_grad_(True)
    with torch.enable_grad():
        values = layers.through(x)
        y = values[-1].flatten(1)
        rows: list[list[Tensor]] = [[] for _ in values]
        for j in range(y.shape[1]):
            found = torch.autograd.grad(y[:, j].sum(), values, retain_graph=True, allow_unused=True)
            for layer, (value, gradient) in enumerate(zip(values, found, strict=True)):
                rows[layer].append((torch.zeros_like(value) if gradient is None else gradient).flatten(1))
    return [value.detach().flatten(1) for value in values], [torch.stack(each, dim=1) for each in rows]


def _form(output: str | np.ndarray, outputs: int) -> Tensor | Callable[[Tensor], Tensor] | None:
    """A factor of the metric of the outputs: None for Euclidean, a matrix, or a function of the outputs."""
    if isinstance(output, str):
        check_choice("output", output, ("euclidean", "fisher"))
        return None if output == "euclidean" else _fisher
    matrix = np.asarray(output, np.float64)
    if matrix.shape != (outputs, outputs) or not np.allclose(matrix, matrix.T):
        raise InvalidInputError(
            f"`output`: got shape {matrix.shape}; expected a symmetric {outputs} x {outputs} matrix"
        )
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -1e-12 * max(values[-1], 1.0):
        raise InvalidInputError(
            f"`output`: got an eigenvalue {values[0]:.3g}; expected a positive semi-definite matrix"
        )
    return torch.from_numpy(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)


def _fisher(logits: Tensor) -> Tensor:
    """L of each row with L^T L = diag(p) - p p^T."""
    p = torch.softmax(logits, dim=1)
    root = p.sqrt()
    return torch.diag_embed(root) - root[:, :, None] * p[:, None, :]


def _factors(y: Tensor | None, J: Tensor, form: Tensor | Callable[[Tensor], Tensor] | None) -> np.ndarray:
    """Factors of the metric from Jacobians."""
    if form is None:
        return np.asarray(J.double().cpu().numpy())
    if isinstance(form, Tensor):
        return np.asarray((form.to(J.device) @ J.double()).cpu().numpy())
    assert y is not None
    return np.asarray((form(y.double()) @ J.double()).cpu().numpy())


def _name(output: str | np.ndarray) -> str:
    return output if isinstance(output, str) else "matrix"
