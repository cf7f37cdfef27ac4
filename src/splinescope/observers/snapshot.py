"""A model at one step of its training, copied so that looking at it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from splinescope.complexity.distances.local_formula import inputs_of
from splinescope.network import Network, from_torch
from splinescope.network.importers.module_copy import random_states_kept
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.engine import tessellate

BATCH = 1024
"""Points that a model sees at once by default."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model at one step: what a measure gets.

    Call it like the model. All measures of a step share one snapshot, so that the import and each tessellation is done
    once; leave its module as it is.

    Attributes:
        module: A private copy of the model, in eval mode, on the model's device.
        step: Number of optimiser steps taken.
    """

    module: nn.Module
    step: int
    _networks: dict[tuple[int, ...] | None, Network] = field(default_factory=dict, repr=False)
    _cells: dict[int, Any] = field(default_factory=dict, repr=False)

    def __call__(self, x: Any) -> Any:
        """What the model gives, without a graph for gradients."""
        with torch.no_grad():
            return self.module(x)

    def network(self, input_shape: tuple[int, ...] | None = None) -> Network:
        """The model as a continuous piecewise affine network, in float64 on the CPU.

        Args:
            input_shape: Shape of one input, where the model does not tell.

        Returns:
            The network, imported when first asked for.

        Raises:
            UnsupportedOpError: If an op is not continuous piecewise affine.
        """
        if input_shape not in self._networks:
            self._networks[input_shape] = from_torch(self.module, input_shape)
        return self._networks[input_shape]

    def cells(self, domain: Domain) -> Any:
        """The tessellation of a domain, with the certificate "topology".

        Args:
            domain: The domain; the same object gives the same complex.

        Returns:
            A complex of the domain's dimension.
        """
        if id(domain) not in self._cells:
            network = self.network(domain.input_shape)
            self._cells[id(domain)] = tessellate(network, domain, verify="topology")
        return self._cells[id(domain)]

    def inputs(self, points: Any) -> Float[Tensor, "n ..."]:
        """Points as inputs of `network`.

        Args:
            points: [n, *input_shape] inputs, as an array or a tensor.

        Returns:
            The inputs in float64 on the CPU.
        """
        array = as_tensor(points).cpu().double().numpy()
        return inputs_of(self.network(array.shape[1:]), array, None)

    def outputs(self, points: Any) -> Shaped[Tensor, "n outputs"]:
        """Outputs at some points, in batches.

        Args:
            points: [n, *input_shape] inputs, as an array or a tensor.

        Returns:
            Flat outputs, on the model's device and in its type.
        """
        with torch.no_grad():
            parts = placed(self.module, points).split(BATCH)
            return torch.cat([logits_of(self.module, part) for part in parts])


def placed(module: nn.Module, points: Any) -> Tensor:
    """Points as a tensor on a module's device; those of floating point in the type of its weights.

    Args:
        module: The module.
        points: An array or a tensor.

    Returns:
        The tensor.
    """
    tensor = as_tensor(points)
    weight = next((p for p in module.parameters() if p.is_floating_point()), None)
    if weight is None:
        return tensor
    return tensor.to(weight.device, weight.dtype if tensor.is_floating_point() else None)


def as_tensor(points: Any) -> Tensor:
    """Points as a tensor, without loss of digits.

    Args:
        points: An array, a tensor or nested lists.

    Returns:
        The tensor, of the points' own type; float64 for lists.
    """
    return points.detach() if isinstance(points, Tensor) else torch.from_numpy(np.array(points))


def logits_of(module: nn.Module, x: Shaped[Tensor, "batch ..."]) -> Shaped[Tensor, "batch outputs"]:
    """Outputs of a module, flat; of a module that returns several things by name, its `logits`.

    Args:
        module: The module.
        x: Inputs.

    Returns:
        The outputs.
    """
    found = module(x)
    found = found["logits"] if isinstance(found, dict) else getattr(found, "logits", found)
    return found.reshape(len(x), -1)


@contextmanager
def unnoticed() -> Iterator[None]:
    """A block in which torch computes plainly: gradients can be taken, and no autocast is active.

    After it the global generators of Python, NumPy and torch (CPU and CUDA), the default type and the modes are as
    before, whatever was done within.

    Yields:
        Nothing.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(random_states_kept())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        stack.callback(torch.set_default_dtype, dtype)
        yield
