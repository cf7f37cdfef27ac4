"""Linear layers with given weights."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


def affine_layer(
    weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"], dtype: torch.dtype
) -> nn.Linear:
    """A linear layer with the given weights.

    Args:
        weight: Matrix.
        bias: Offset.
        dtype: Type of the layer's weights.

    Returns:
        The layer; it owns copies.
    """
    layer = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
