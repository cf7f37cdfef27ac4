"""Smooth functions that end a network: kept apart, since everything before them is piecewise affine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

HeadName = Literal["softmax", "log_softmax", "sigmoid", "log_sigmoid", "tanh", "softplus", "exp"]


@dataclass(frozen=True)
class Head:
    r"""A smooth function of a network's outputs, $y \mapsto a \odot g(y) + b$.

    Attributes:
        name: Which function $g$ is.
        axis: Axis of the softmax, counted without the batch; None for elementwise functions.
        shape: Shape of the head's outputs without the batch; that of its inputs unless the original reshapes them.
        scale: The factor $a$: one number for each output of the head, flat; None for 1.
        shift: The offset $b$, likewise; None for 0.

    Example:
        >>> import torch
        >>> Head("tanh", None, (1,), scale=(2.0,), shift=(1.0,))(torch.zeros(1, 1)).item()
        1.0
    """

    name: HeadName
    axis: int | None
    shape: tuple[int, ...]
    scale: Sequence[float] | None = None
    shift: Sequence[float] | None = None

    @property
    def formula(self) -> str:
        """The head as a formula of the network's outputs f; of more than four different numbers, the first three.

        Example:
            >>> Head("tanh", None, (1,), scale=(2.0,), shift=(-1.0,)).formula
            '2 * tanh(f) - 1'
            >>> Head("sigmoid", None, (2,), scale=(2.0, 0.5)).formula
            '(2, 0.5) * sigmoid(f)'
        """
        text = f"{self.name}(f)" if self.scale is None else f"{_written(self.scale)} * {self.name}(f)"
        if self.shift is None:
            return text
        shift = _written(self.shift)
        return f"{text} - {shift[1:]}" if shift.startswith("-") else f"{text} + {shift}"

    def __call__(self, y: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Apply the head.

        Args:
            y: [batch, *output_shape] outputs of the network.

        Returns:
            [batch, *shape] what the original model returns.
        """
        result = self._function(y).reshape(len(y), *self.shape)
        if self.scale is not None:
            result = result * self._table(self.scale, y)
        return result if self.shift is None else result + self._table(self.shift, y)

    def _table(self, numbers: Sequence[float], like: Tensor) -> Tensor:
        return torch.tensor(numbers, dtype=like.dtype, device=like.device).reshape(self.shape)

    def _function(self, y: Tensor) -> Tensor:
        if self.axis is not None:
            return torch.softmax(y, self.axis + 1) if self.name == "softmax" else torch.log_softmax(y, self.axis + 1)
        return _ELEMENTWISE[self.name](y)


def _written(numbers: Sequence[float]) -> str:
    """Numbers in brackets; one alone where all are equal."""
    if len(set(numbers)) == 1:
        return f"{numbers[0]:g}"
    shown = [f"{number:g}" for number in (numbers if len(numbers) <= _SHOWN else numbers[: _SHOWN - 1])]
    return f"({', '.join(shown)}{', ...' if len(numbers) > _SHOWN else ''})"


_SHOWN = 4

_ELEMENTWISE = {
    "sigmoid": torch.sigmoid,
    "log_sigmoid": torch.nn.functional.logsigmoid,
    "tanh": torch.tanh,
    "softplus": torch.nn.functional.softplus,
    "exp": torch.exp,
}
