"""Smooth functions that end a network: kept apart, since everything before them is piecewise affine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

HeadName = Literal["softmax", "log_softmax", "sigmoid", "tanh"]


@dataclass(frozen=True)
class Head:
    """A smooth function of a network's outputs.

    Attributes:
        name: Which function.
        axis: Axis of the softmax, counted without the batch; None for elementwise functions.
        shape: Shape of the head's outputs without the batch; that of its inputs unless the original reshapes them.
    """

    name: HeadName
    axis: int | None
    shape: tuple[int, ...]

    def __call__(self, y: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Apply the head.

        Args:
            y: [batch, *output_shape] outputs of the network.

        Returns:
            [batch, *shape] what the original model returns.
        """
        return self._function(y).reshape(len(y), *self.shape)

    def _function(self, y: Tensor) -> Tensor:
        if self.name == "sigmoid":
            return torch.sigmoid(y)
        if self.name == "tanh":
            return torch.tanh(y)
        assert self.axis is not None
        return torch.softmax(y, self.axis + 1) if self.name == "softmax" else torch.log_softmax(y, self.axis + 1)
