"""What the study shares: layers of a module by name, batches in its own type, and networks of modules."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network import ModelLike, Network, as_network
from splinescope.network.importers.module_copy import unwrapped, working_copy

AFFINE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers whose units are hyperplanes of one input space: that of a vector, or of a patch."""

AffineLayer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
"""One of them."""

_NORMALISERS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)


def private_copy(module: nn.Module) -> nn.Module:
    """A copy in eval mode that shares nothing with the module.

    Args:
        module: The user's module.

    Returns:
        The copy, on the same device and in the same type.

    Raises:
        InvalidInputError: If it is no module.
        UnsupportedOpError: If it normalises each input by statistics of that input itself.
    """
    if not isinstance(module, nn.Module):
        raise InvalidInputError(f"`module`: got {type(module).__name__}; expected a torch.nn.Module")
    copied = working_copy(unwrapped(module))
    for name, child in copied.named_modules():
        own = isinstance(child, nn.modules.instancenorm._InstanceNorm) and not child.track_running_stats
        if own or isinstance(child, _NORMALISERS):
            raise UnsupportedOpError(
                f"{name or 'the module'} ({type(child).__name__}) divides by a deviation of each single input, also in "
                "eval mode, so that the network is not piecewise affine and has no folds; batch-norm does not"
            )
    return copied


def batchnorms(module: nn.Module) -> dict[str, _BatchNorm]:
    """The batch-norm layers of a module, by name.

    Args:
        module: A module.

    Returns:
        The layers; one that has several names comes under the first.
    """
    return {name: child for name, child in module.named_modules() if isinstance(child, _BatchNorm)}


def affine_layers(module: nn.Module) -> dict[str, AffineLayer]:
    """The linear and convolutional layers of a module, by name.

    Args:
        module: A module.

    Returns:
        The layers; transposed convolutions are none of them.
    """
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, AFFINE)}


def batch_of(module: nn.Module | None, batch: Any) -> Tensor:
    """A batch on the device and in the type of a module.

    Args:
        module: The module; None for a network, in float64 on the CPU.
        batch: [N, *input_shape] inputs, a tensor or an array.

    Returns:
        The batch.

    Raises:
        InvalidInputError: If there are no inputs, or a number is not finite.
    """
    tensor = torch.as_tensor(batch)
    own = torch.zeros((), dtype=torch.float64)
    if module is not None:
        tensors = itertools.chain(module.parameters(), module.buffers(), [tensor, torch.zeros(())])
        own = next(t for t in tensors if t.is_floating_point())
    tensor = tensor.to(device=own.device, dtype=own.dtype)
    if tensor.ndim < 2 or not len(tensor):
        raise InvalidInputError(f"`batch`: got the shape {tuple(tensor.shape)}; expected inputs [N, *input_shape]")
    if not bool(torch.isfinite(tensor).all()):
        raise InvalidInputError("`batch`: some numbers are NaN or infinite; expected finite numbers")
    return tensor


def network_of(model: ModelLike, shape: tuple[int, ...]) -> Network:
    """The network of a model.

    Args:
        model: A network, or a module or file of one, which is imported in eval mode.
        shape: Shape of one input.

    Returns:
        The network.

    Raises:
        InvalidInputError: If a network takes inputs of another shape.
    """
    network = as_network(model, tuple(shape), "model")
    if network.input_shape != tuple(shape):
        raise InvalidInputError(f"`model`: it takes inputs of shape {network.input_shape}; got some of {tuple(shape)}")
    return network


def units_last(values: Float[Tensor, "batch ..."], axis: int) -> Float[Tensor, "batch places units"]:
    """Values of a layer's units at each place where the layer is applied, in float64.

    Args:
        values: What the layer returns for a batch.
        axis: Axis of the units: 1 for images, -1 for vectors.

    Returns:
        One row of places for each input; a linear layer on vectors has one place.
    """
    moved = values.detach().double().movedim(axis, -1)
    return moved.reshape(len(values), -1, moved.shape[-1])


@contextmanager
def hooked(handles: list[RemovableHandle]) -> Iterator[None]:
    """Take hooks off again at the end.

    Args:
        handles: The hooks.
    """
    try:
        with torch.no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()
