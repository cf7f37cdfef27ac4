"""What a user's module returns, as tensors: alone, or in a list, a dictionary, a dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree


def named_tensors(value: Any, name: str = "") -> dict[str, Tensor]:
    """All tensors that a value holds, in its own order, by the names that lead to them.

    Args:
        value: A tensor, or lists, tuples, dictionaries, dataclasses and whatever else torch takes apart, of such.
        name: Name of the value itself.

    Returns:
        The tensors; what is no tensor is left out. Their names are keys, names of fields and places, with dots between.
    """
    if isinstance(value, Tensor):
        return {name or "output": value}
    found: dict[str, Tensor] = {}
    for key, part in _parts(value).items():
        found.update(named_tensors(part, f"{name}.{key}".lstrip(".")))
    return found


def _parts(value: Any) -> dict[str, Any]:
    """What a value is made of, by name."""
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if isinstance(value, list | tuple | set):
        return {str(place): part for place, part in enumerate(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    leaves = [leaf for leaf in pytree.tree_leaves(value) if leaf is not value]
    return {str(place): leaf for place, leaf in enumerate(leaves)}


def one_tensor(value: Any) -> Tensor:
    """The one tensor that a value holds.

    Raises:
        TypeError: If it holds none or several.
    """
    found = list(named_tensors(value).values())
    if len(found) != 1:
        raise TypeError(f"the module returns {len(found)} tensors; expected one")
    return found[0]


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


_PATIENCE = 8


class Guarded:
    """A module that returns NaN for one input where it raises: one may refuse some inputs, but not all.

    Attributes:
        failure: What it raised last.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype, size: int) -> None:
        """Guard a module.

        Args:
            module: The module.
            dtype: Type of its inputs.
            size: Numbers that it returns for one input.
        """
        self.failure: Exception | None = None
        self._module, self._dtype, self._size = module, dtype, size
        self._failures = self._successes = 0

    def __call__(self, rows: Tensor) -> Tensor:
        """[N, ...] inputs to [N, size] outputs, or as many numbers as come."""
        try:
            value = one_tensor(self._module(rows.to(self._dtype))).reshape(len(rows), -1)
        except Exception as error:
            self._failures += 1
            if len(rows) > 1 or (self._failures >= _PATIENCE and not self._successes):
                raise
            self.failure = error
            return torch.full((1, self._size), torch.nan, dtype=self._dtype)
        self._successes += 1
        return value
