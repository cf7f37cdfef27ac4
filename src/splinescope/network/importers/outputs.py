"""What a user's module returns, as tensors: alone, or in a list, a dictionary, a dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors that a value holds, in its own order.

    Args:
        value: A tensor, or lists, tuples, dictionaries, dataclasses and whatever else torch takes apart, of such.

    Returns:
        The tensors; what is no tensor is left out.
    """
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list | tuple | set):
        parts = list(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
    else:
        parts = [leaf for leaf in pytree.tree_leaves(value) if leaf is not value]
    return [tensor for part in parts for tensor in tensors_in(part)]


def one_tensor(value: Any) -> Tensor:
    """The one tensor that a value holds.

    Raises:
        TypeError: If it holds none or several.
    """
    found = tensors_in(value)
    if len(found) != 1:
        raise TypeError(f"the module returns {len(found)} tensors; expected one")
    return found[0]


def taking_apart(module: nn.Module) -> nn.Module:
    """Let a module of our own return its tensors in a plain tuple, unless it returns one alone."""

    def flattened(child: nn.Module, inputs: Any, output: Any) -> Any:
        return None if isinstance(output, Tensor) else tuple(tensors_in(output))

    module.register_forward_hook(flattened)
    return module


def outputs_of(function: Callable[[Tensor], Any], x: Tensor, *, together: bool = False) -> Tensor:
    """The one tensor that a function returns, of inputs one by one or all at once.

    Args:
        function: A module, or anything else that takes batches.
        x: [N, ...] inputs.
        together: Whether to pass them as one batch.

    Returns:
        [N, ...] outputs; with all at once, in the shape that comes.
    """
    if together:
        return one_tensor(function(x)).detach()
    return torch.stack([one_tensor(function(row[None])).detach() for row in x])
