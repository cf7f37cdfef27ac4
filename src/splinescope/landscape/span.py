"""Works in the span of the data where a dense first layer is wider than it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from splinescope.landscape.functional import Batches


class _Inside(nn.Module):
    """A linear layer whose weight is known by its values on a subspace."""

    basis: Tensor

    def __init__(self, layer: nn.Linear, basis: Tensor) -> None:
        super().__init__()
        self.register_buffer("basis", basis)
        self.weight = nn.Parameter((layer.weight @ basis).detach(), requires_grad=False)
        self.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x @ self.basis, self.weight, self.bias)


@dataclass(frozen=True, eq=False)
class Span:
    """A module whose first layer is written in an orthonormal basis of the data.

    Attributes:
        module: The module.
        parameters: Its parameters that count, in order.
        basis: [D, r] the basis.
        start: Where the layer's weight begins among the flattened parameters.
        rows: Number of outputs of the layer.
        full: Number of all parameters that count.
    """

    module: nn.Module
    parameters: dict[str, Tensor]
    basis: Float[np.ndarray, "D r"]
    start: int
    rows: int
    full: int

    def project(self, vectors: Float[np.ndarray, "P ..."]) -> Float[np.ndarray, "reduced ..."]:
        """Coordinates of vectors of parameters."""
        return self._mapped(vectors, self.basis.T)

    def lift(self, vectors: Float[np.ndarray, "reduced ..."]) -> Float[np.ndarray, "P ..."]:
        """Vectors of parameters with given coordinates."""
        return self._mapped(vectors, self.basis)

    def _mapped(self, vectors: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        width, stop = matrix.shape[1], self.start + self.rows * matrix.shape[1]
        own = vectors[self.start : stop].reshape(self.rows, width, -1)
        moved = (matrix @ own).reshape(-1, *vectors.shape[1:])
        return np.concatenate([vectors[: self.start], moved, vectors[stop:]])


def spanned(module: nn.Module, batches: Batches, parameters: dict[str, Tensor]) -> Span | None:
    """The module in the span of the data, where its first dense layer is at least twice as wide.

    Args:
        module: A private copy, in which the layer is replaced.
        batches: The data.
        parameters: The parameters that count.

    Returns:
        What is needed; None where there is no such layer, or its weight does not count.
    """
    flat = [x.reshape(len(x), -1) for x in batches.inputs]
    width = flat[0].shape[1]
    if 2 * len(batches) > width or not flat[0].is_floating_point():
        return None
    name = _first_layer(module, batches.inputs[0])
    if name is None or f"{name}.weight" not in parameters:
        return None
    layer = module.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    if sum(value is layer.weight for _, value in module.named_parameters(remove_duplicate=False)) > 1:
        return None
    _, values, rows = torch.linalg.svd(torch.cat(flat), full_matrices=False)
    rank = int((values > values[0] * width * torch.finfo(values.dtype).eps).sum())
    basis = rows[:rank].T.contiguous()
    key = f"{name}.weight"
    before = list(parameters)[: list(parameters).index(key)]
    replaced = _Inside(layer, basis)
    module.set_submodule(name, replaced)
    inside = {**parameters, key: replaced.weight.detach()}
    full = sum(value.numel() for value in parameters.values())
    start = sum(parameters[other].numel() for other in before)
    return Span(module, inside, basis.double().numpy(), start, layer.out_features, full)


def _first_layer(module: nn.Module, x: Tensor) -> str | None:
    """The one linear layer that reads the inputs themselves, flat, and is applied once; None if there is none."""
    seen: list[tuple[str, bool]] = []
    flat = x.reshape(len(x), -1)

    def look(name: str) -> object:
        def hook(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            argument = arguments[0]
            seen.append((name, argument.shape == flat.shape and torch.equal(argument, flat)))

        return hook

    linear = {name: child for name, child in module.named_modules() if name and type(child) is nn.Linear}
    handles = [child.register_forward_pre_hook(look(name)) for name, child in linear.items()]  # type: ignore[arg-type]
    try:
        with torch.no_grad():
            module(x)
    finally:
        for handle in handles:
            handle.remove()
    readers = [name for name, reads in seen if reads]
    applied = [name for name, _ in seen]
    return readers[0] if len(readers) == 1 and applied.count(readers[0]) == 1 else None
