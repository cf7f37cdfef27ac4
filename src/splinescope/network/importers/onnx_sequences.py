"""ONNX ops that put tensors into sequences and optional values, and take them out again: they compute nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers.builder import Builder
from splinescope.network.importers.rearrangements import move
from splinescope.network.importers.views import DEPENDENT

_WHERE = "its place in a sequence depends on the input, so that its result may jump"


@dataclass(frozen=True, eq=False)
class Listed:
    """A sequence of tensors.

    Attributes:
        items: The tensors, constants or not.
    """

    items: tuple[Any, ...]


def _place(b: Builder, value: Any, count: int) -> int:
    """A constant place in a sequence."""
    if isinstance(value, DEPENDENT):
        raise b.refusal(_WHERE)
    place = int(value)
    if not -count <= place < count:
        raise b.refusal(f"it asks for place {place} in a sequence of {count}")
    return place % count


def _construct(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """A sequence of tensors, which are passed on as they are."""
    return Listed(inputs)


def _at(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """The tensor at a constant place of a sequence."""
    return inputs[0].items[_place(b, inputs[1], len(inputs[0].items))]


def _insert(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """The sequence with one more tensor at a constant place."""
    items = list(inputs[0].items)
    place = len(items) if len(inputs) == len(("sequence", "tensor")) else _place(b, inputs[2], len(items) + 1)
    items.insert(place, inputs[1])
    return Listed(tuple(items))


def _erase(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """The sequence without the tensor at a constant place."""
    items = list(inputs[0].items)
    items.pop(-1 if len(inputs) == 1 else _place(b, inputs[1], len(items)))
    return Listed(tuple(items))


def _length(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """The number of tensors in a sequence."""
    return torch.tensor(len(inputs[0].items))


def _concatenated(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """The tensors of a sequence side by side, or stacked."""
    values, axis = list(inputs[0].items), int(attributes["axis"])
    join: Callable[..., np.ndarray] = np.stack if attributes.get("new_axis") else np.concatenate
    if not any(isinstance(value, DEPENDENT) for value in values):
        return torch.from_numpy(join([value.numpy() for value in values], axis=axis))
    return move(b, lambda *arrays: join(arrays, axis=axis), values)


def _split(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """The slices of a tensor along an axis, as a sequence."""
    x, axis = inputs[0], int(attributes.get("axis", 0))
    total, sizes = tuple(x.shape)[axis], inputs[1] if len(inputs) > 1 else None
    if isinstance(sizes, DEPENDENT):
        raise b.refusal(_WHERE)
    if sizes is None or sizes.ndim == 0:
        step = 1 if sizes is None else int(sizes)
        cuts = np.arange(step, total, step)
    else:
        cuts = np.cumsum(sizes.tolist())[:-1]

    def function(array: np.ndarray) -> list[np.ndarray]:
        parts = np.split(array, cuts, axis=axis)
        dropped = sizes is None and not attributes.get("keepdims", 1)
        return [part.squeeze(axis) for part in parts] if dropped else parts

    if isinstance(x, Tensor):
        return Listed(tuple(torch.from_numpy(part) for part in function(x.numpy())))
    made = move(b, function, [x])
    return Listed(tuple(made if isinstance(made, list) else [made]))


def _optional(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """A value that may be absent, which is passed on as it is."""
    return inputs[0] if inputs else None


def _has_element(b: Builder, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """Whether there is a value."""
    return torch.tensor(bool(inputs) and inputs[0] is not None)


SEQUENCES: dict[str, Callable[[Builder, tuple[Any, ...], dict[str, Any]], Any]] = {
    "SequenceConstruct": _construct,
    "SequenceEmpty": _construct,
    "SequenceAt": _at,
    "SequenceInsert": _insert,
    "SequenceErase": _erase,
    "SequenceLength": _length,
    "ConcatFromSequence": _concatenated,
    "SplitToSequence": _split,
    "Optional": _optional,
    "OptionalGetElement": _optional,
    "OptionalHasElement": _has_element,
}
"""What becomes of their arguments, which may be sequences."""
