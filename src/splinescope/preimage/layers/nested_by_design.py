r"""Layers that are completely nested while they train: kernels are projected to a cone of M-matrices.

A row with nothing positive off the diagonal and a positive sum, $w_{ii} > \sum_{j \ne i} |w_{ij}|$, makes a strictly
diagonally dominant matrix, a nonsingular M-matrix; with biases that are nowhere positive the layer is completely
nested. Of a convolution that keeps the image's size, every unit of a channel has the same row, up to entries that zero
padding leaves out, which only enlarges the sum. The rows form a closed convex cone (its sum at least a margin), and the
nearest row has a closed form: with the $n$ smallest entries off the diagonal summing to $S_n$,
$$\lambda = \max(0, \max_n \frac{m - w_{ii} - S_n}{1 + n}),\quad v_{ii} = w_{ii} + \lambda,\quad
v_{ij} = \min(0, w_{ij} + \lambda).$$
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from splinescope.errors import InvalidInputError

L = TypeVar("L", bound=nn.Module)

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def nearest_nested(weight: Float[Tensor, "out in *window"], margin: float = 1e-3) -> Float[Tensor, "out in *window"]:
    """The nearest weights of a diagonally dominant layer with nothing positive off the diagonal.

    Args:
        weight: [out, in, *window] weights of a dense layer, or of a convolution whose window is centred on its unit; as
            many outputs as inputs.
        margin: Least sum of each row.

    Returns:
        The weights, nearest in the Euclidean norm. Cost: a sort of each row.

    Raises:
        InvalidInputError: If there is no diagonal, or the margin is not positive.

    Example:
        >>> nearest_nested(torch.tensor([[1.0, 0.5], [-2.0, 1.0]]), margin=0.5).tolist()
        [[1.0, 0.0], [-1.25, 1.75]]
    """
    out, inputs, *window = weight.shape
    if out != inputs or any(size % 2 == 0 for size in window):
        raise InvalidInputError(
            f"`weight`: got shape {tuple(weight.shape)}; expected as many outputs as inputs, and odd windows"
        )
    if not 0 < margin < math.inf:
        raise InvalidInputError(f"`margin`: got {margin}; expected a positive number")
    rows = weight.reshape(out, -1)
    area = math.prod(window)
    centres = torch.arange(out, device=weight.device) * area + area // 2
    diagonal = rows.gather(1, centres[:, None])
    others = rows.scatter(1, centres[:, None], math.inf)
    sums = others.clamp(max=0.0).sort(dim=1).values.cumsum(dim=1)
    counts = torch.arange(2, sums.shape[1] + 2, device=weight.device, dtype=weight.dtype)
    short = torch.cat([margin - diagonal, (margin - diagonal - sums) / counts], dim=1)
    raised = short.amax(dim=1, keepdim=True).clamp(min=0.0)
    return (rows + raised).clamp(max=0.0).scatter(1, centres[:, None], diagonal + raised).reshape(weight.shape)


def nested_(layer: L, margin: float = 1e-3) -> L:
    """Keep a layer completely nested while it trains, in place.

    Its weights become the nearest ones of the cone (`nearest_nested`), its biases at most 0. Gradients go to the
    weights before they are projected, as they are at the projected ones, so that entries at the border may leave it
    (dual averaging: Nesterov, Math. Program. 2009; Xiao, JMLR 2010).
    `torch.nn.utils.parametrize.remove_parametrizations` makes it a plain layer again, with the weights of then.

    Args:
        layer: A linear layer with as many outputs as inputs; or a convolution of stride 1 that keeps the number of
            channels and the size of the image, zero-padded or wrapping around.
        margin: Least sum of each row. The larger, the farther from singular.

    Returns:
        The same layer.

    Raises:
        InvalidInputError: If the layer is of another kind.

    Cost: a sort of the weights for each forward pass.

    Example:
        >>> import splinescope
        >>> from splinescope.preimage import network_nesting
        >>> _ = torch.manual_seed(0)
        >>> layer = nested_(torch.nn.Conv2d(2, 2, 3, padding=1))
        >>> [row.nesting.complete for row in network_nesting(splinescope.load(layer, input_shape=(2, 4, 4)))]
        [True]
    """
    _check(layer)
    nearest_nested(layer.weight.detach(), margin)  # type: ignore[operator]
    parametrize.register_parametrization(layer, "weight", _Weights(margin))
    if layer.bias is not None:
        parametrize.register_parametrization(layer, "bias", _Biases())
    return layer


def _check(layer: nn.Module) -> None:
    if not isinstance(layer, _LAYERS):
        raise InvalidInputError(f"`layer`: got {type(layer).__name__}; expected a linear layer or a convolution")
    if isinstance(layer, nn.Linear):
        return
    window = layer.kernel_size
    same = layer.padding == "same" or tuple(layer.padding) == tuple(size // 2 for size in window)
    plain = set(layer.stride) == {1} and set(layer.dilation) == {1} and layer.groups == 1
    if not (same and plain and layer.padding_mode in ("zeros", "circular")):
        raise InvalidInputError(
            f"`layer`: got {layer}; expected stride 1, no groups, and padding by half the window with zeros or around"
        )


class _Weights(nn.Module):
    """Weights projected to the cone."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self._margin = margin

    def forward(self, weight: Tensor) -> Tensor:
        found: Tensor = _Straight.apply(weight, nearest_nested(weight.detach(), self._margin))  # type: ignore[no-untyped-call]
        return found

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight


class _Biases(nn.Module):
    """Biases that are nowhere positive."""

    def forward(self, bias: Tensor) -> Tensor:
        found: Tensor = _Straight.apply(bias, bias.detach().clamp(max=0.0))  # type: ignore[no-untyped-call]
        return found

    def right_inverse(self, bias: Tensor) -> Tensor:
        return bias


class _Straight(torch.autograd.Function):
    """The second argument, with the gradient of the first."""

    @staticmethod
    def forward(_context: Any, _raw: Tensor, projected: Tensor) -> Tensor:
        return projected.clone()

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None
