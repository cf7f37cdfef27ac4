"""The loss of any torch module as a function of its parameters, on a private copy: the user's module is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from splinescope.errors import InvalidInputError
from splinescope.landscape.losses import LOSSES, one_hot, sample_losses
from splinescope.network.importers.module_copy import first_line, unwrapped, working_copy

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""Takes outputs and targets of a batch, and returns the mean over its samples."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Data in batches.

    Attributes:
        inputs: The inputs of each batch.
        targets: Their targets.
    """

    inputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]

    def __len__(self) -> int:
        """Number of samples."""
        return sum(len(part) for part in self.inputs)

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of each batch in all samples."""
        return tuple(len(part) / len(self) for part in self.inputs)


def batches_of(data: Any, dtype: torch.dtype | None, chunk: int | None = None) -> Batches:
    """Read data: a pair of inputs and targets, or an iterable of such pairs, as a loader is.

    Args:
        data: The data; a loader is read once.
        dtype: Type of inputs, and of targets of floating point; None keeps theirs.
        chunk: Samples of a batch, for a pair; None for all of them.

    Returns:
        The batches.

    Raises:
        InvalidInputError: If it is none of these, or there is no sample.
    """
    pair = isinstance(data, tuple | list) and len(data) == 2 and not isinstance(data[0], tuple | list)
    pairs: Iterable[Any] = [data] if pair else data
    inputs, targets = [], []
    try:
        for x, y in pairs:
            one, other = _tensor(x, dtype), _tensor(y, dtype)
            if one.ndim == 0 or len(one) != len(other):
                raise InvalidInputError(
                    f"`data`: got inputs of shape {tuple(one.shape)} and targets of shape {tuple(other.shape)}; "
                    "expected as many of both"
                )
            size = chunk if pair and chunk else max(1, len(one))
            inputs += one.split(size)
            targets += other.split(size)
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"`data`: got {type(data).__name__}; expected a pair (inputs, targets) or an iterable of such pairs"
        ) from error
    if not any(len(part) for part in inputs):
        raise InvalidInputError("`data`: there are no samples; expected some")
    return Batches(tuple(inputs), tuple(targets))


def _tensor(values: Any, dtype: torch.dtype | None) -> Tensor:
    tensor = values.detach() if isinstance(values, Tensor) else torch.from_numpy(np.array(values))
    return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor


def loss_function(loss: str | LossFunction) -> LossFunction:
    """A loss by its name, or as it is.

    Args:
        loss: "squared", "cross-entropy", or a function of outputs and targets.

    Returns:
        A function.

    Raises:
        InvalidInputError: If there is no such loss.
    """
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise InvalidInputError(f"`loss`: got {loss!r}; expected {' or '.join(map(repr, LOSSES))}, or a function")

    def named(outputs: Tensor, targets: Tensor) -> Tensor:
        flat = outputs.reshape(len(outputs), -1)
        labels = targets.ndim == 1 and not targets.is_floating_point() and flat.shape[1] > 1
        wanted = one_hot(targets.long(), flat.shape[1]).to(flat) if labels else targets.reshape(flat.shape).to(flat)
        return sample_losses(flat, wanted, loss).mean()

    return named


def private(module: nn.Module, dtype: torch.dtype | None, *, train: bool = False) -> nn.Module:
    """A copy with its forward hooks and without gradients, in eval mode unless asked.

    Args:
        module: The user's module.
        dtype: Type of its numbers; None keeps theirs.
        train: Whether it is in train mode.

    Returns:
        The copy.

    Raises:
        InvalidInputError: If it is no module.
    """
    if not isinstance(module, nn.Module):
        raise InvalidInputError(f"`model`: got {type(module).__name__}; expected a torch.nn.Module")
    copied = working_copy(unwrapped(module))
    return (copied if dtype is None else copied.to(dtype)).train(train)


def chosen_parameters(module: nn.Module, names: Sequence[str] | None) -> dict[str, Tensor]:
    """Parameters of a module by name; of those that have several names, under the first.

    Args:
        module: The module.
        names: Those wanted; all if None.

    Returns:
        Detached copies.

    Raises:
        InvalidInputError: If there is no such parameter, or there are none.
    """
    known = {name: value.detach().clone() for name, value in module.named_parameters() if value.is_floating_point()}
    absent = [name for name in names or () if name not in known]
    if absent or not known:
        raise InvalidInputError(f"`parameters`: got {absent}; expected some of {', '.join(map(repr, known)) or 'none'}")
    return known if names is None else {name: known[name] for name in names}


def mean_loss(module: nn.Module, parameters: dict[str, Tensor], x: Tensor, y: Tensor, loss: LossFunction) -> Tensor:
    """The loss of a batch, with some parameters or buffers replaced.

    Args:
        module: The module, which stays as it is but for the state of batch-norm in train mode.
        parameters: Parameters and buffers by name.
        x: Inputs.
        y: Targets.
        loss: The loss.

    Returns:
        A number.

    Raises:
        InvalidInputError: If the loss fails, or is not one number.
    """
    outputs = functional_call(module, parameters, (x,))
    try:
        value = loss(outputs, y)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise InvalidInputError(
            f"`data`: the loss fails for outputs of shape {tuple(outputs.shape)} and targets of shape "
            f"{tuple(y.shape)}: {first_line(error)}"
        ) from error
    if value.numel() != 1:
        raise InvalidInputError(f"`loss`: it returned the shape {tuple(value.shape)}; expected the mean of a batch")
    return value.reshape(())
