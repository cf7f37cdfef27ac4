"""Values of points at all layers of a network, or of a sequence of modules that need not be piecewise affine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.differentials import as_parameters
from splinescope.network.evaluate import walk
from splinescope.network.importers.module_copy import first_line, working_copy
from splinescope.network.load import as_network
from splinescope.network.module_layers import passages, values_at
from splinescope.network.splits import boundaries


@dataclass(frozen=True, eq=False)
class Layers:
    """What computes the values at all layers, through each of which everything passes.

    Attributes:
        names: Names of the layers; the input first, the output last.
        through: From [n, *shape] inputs to the values at all layers.
        points: The points as it takes them.
    """

    names: tuple[str, ...]
    through: Callable[[Tensor], list[Tensor]]
    points: Tensor

    @staticmethod
    def of(model: Any, points: Any) -> Layers:
        """The layers of a model.

        Args:
            model: A `torch.nn.Sequential`, whose parts are the layers, and parts of sequences in it; or a network, a
                module or file of one, whose layers are its boundaries; or any other module, whose layers are the parts
                that everything passes through.
            points: [n, *shape] points.

        Returns:
            The layers. Cost: a copy of the module, or its import.

        Raises:
            InvalidInputError: If the points are no batch, or none that the model takes, or the model is none of these.
        """
        x = points if isinstance(points, Tensor) else torch.as_tensor(np.asarray(points))
        if x.ndim < 2 or x.is_complex():
            raise InvalidInputError(f"`points`: got shape {tuple(x.shape)}; expected [n, *shape] real numbers")
        if isinstance(model, nn.Sequential) and _is_plain(model):
            return _of_sequence(model, x)
        try:
            network = as_network(model, tuple(x.shape[1:]), "model")
        except UnsupportedOpError:
            if not isinstance(model, nn.Module):
                raise
            return _of_module(model, x)
        places = boundaries(network)
        wanted = {place.node for place in places}

        def through(x: Tensor) -> list[Tensor]:
            return [value for node, value in walk(network, x) if node in wanted]

        names = ("input", *(place.name for place in places[1:]))
        return Layers(names, through, x.double().cpu().reshape(len(x), *network.input_shape))

    @property
    def sizes(self) -> list[int]:
        """Numbers of one value at each layer."""
        with torch.no_grad():
            return [value[0].numel() for value in self.through(self.points[:1])]

    def values(self) -> list[np.ndarray]:
        """Values of all points at all layers.

        Returns:
            [n, size] flat values in float64, for each layer.
        """
        with torch.no_grad():
            return [value.flatten(1).double().cpu().numpy() for value in self.through(self.points)]


def _of_sequence(model: nn.Sequential, x: Tensor) -> Layers:
    copied = working_copy(model)
    stages = list(_stages(copied, ""))

    def through(x: Tensor) -> list[Tensor]:
        values = [x]
        for _, stage in stages:
            values.append(stage(values[-1].clone()))  # which it may change in place
        return values

    taken = as_parameters(x if x.is_floating_point() else x.double(), copied)
    with _told(x), torch.no_grad():
        through(taken[:1])
    return Layers(("input", *(name for name, _ in stages)), through, taken)


def _of_module(model: nn.Module, x: Tensor) -> Layers:
    """Those of a module that is no piecewise affine network."""
    copied = working_copy(model).requires_grad_(False)
    taken = as_parameters(x if x.is_floating_point() else x.double(), copied)
    with _told(x):
        calls = passages(copied, taken[:1])
    names = ("input", *(name if not again else f"{name} ({again + 1})" for name, again in calls), "output")
    return Layers(names, lambda x: [x, *values_at(copied, x, calls)], taken)


@contextmanager
def _told(points: Tensor) -> Iterator[None]:
    """Say in one line that a module fails on points."""
    try:
        yield
    except Exception as error:
        raise InvalidInputError(
            f"`model`: it fails on a batch of shape {(1, *points.shape[1:])}: {first_line(error)}; expected points "
            "that it takes"
        ) from error


def _is_plain(module: nn.Module) -> bool:
    """Whether a module is what its parts are, one after the other, and nothing else."""
    changed = module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
    return type(module).forward is nn.Sequential.forward and not changed


def _stages(module: nn.Module, prefix: str) -> list[tuple[str, nn.Module]]:
    """Parts of a sequence, and of sequences in it, by their names."""
    found: list[tuple[str, nn.Module]] = []
    parts = {name: part for name, part in module._modules.items() if part is not None}  # also those that stand twice
    for name, part in parts.items():
        own = f"{prefix}{name}"
        found += _stages(part, f"{own}.") if _is_plain(part) else [(own, part)]
    return found
