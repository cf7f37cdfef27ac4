"""Directions of parameters: which layers of a network they move, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from splinescope.errors import InvalidInputError
from splinescope.landscape.factors import Layer, layer_names
from splinescope.network import ModelLike, Network
from splinescope.network.copies import linear_part
from splinescope.network.inputs import real_numbers
from splinescope.network.ops import Op, Scale


@dataclass(frozen=True, eq=False)
class Motion:
    r"""Layers of a network that move on a straight line, $op(t) = op + t\,step$.

    Attributes:
        network: The network at t = 0.
        steps: For the index of each node that moves the op that is added, times t.
    """

    network: Network
    steps: dict[int, Op]

    def at(self, t: float) -> Network:
        """The network at one place of the line."""
        nodes = list(self.network.nodes)
        for index, step in self.steps.items():
            nodes[index] = dataclasses.replace(nodes[index], op=_moved(nodes[index].op, step, t))
        return dataclasses.replace(self.network, nodes=tuple(nodes))

    def rescaled(self, centre: float, half: float) -> Motion:
        """The same line by s, where t = centre + half s."""
        moved = self.at(centre)
        steps = {index: _moved(linear_part_and_zero(step), step, half) for index, step in self.steps.items()}
        return Motion(moved, steps)


def linear_part_and_zero(op: Op) -> Op:
    """An op of the same shape whose numbers are all zero."""
    return dataclasses.replace(op, **{name: torch.zeros_like(getattr(op, name)) for name in op.parameters})  # type: ignore[type-var]


def _moved(op: Op, step: Op, t: float) -> Op:
    changes = {name: getattr(op, name) + t * getattr(step, name) for name in op.parameters}
    return dataclasses.replace(op, **changes)  # type: ignore[type-var]


def motion(model: ModelLike, network: Network, direction: Mapping[str, Any]) -> Motion:
    """Read a direction of parameters.

    Args:
        model: What the network was made of.
        network: The network, with a node for each layer.
        direction: For names of parameters, as in `module.named_parameters()`, the step of each; other parameters stay.
            Of a network: `"NODE.weight"` and `"NODE.bias"` of its layers.

    Returns:
        The line.

    Raises:
        InvalidInputError: If a parameter is not known, is none of a dense layer, a convolution or a batch-norm, or has
            another shape.
    """
    if not isinstance(direction, Mapping) or not direction:
        what = "an empty one" if isinstance(direction, Mapping) else type(direction).__name__
        raise InvalidInputError(f"`direction`: got {what}; expected a mapping of names of parameters to tensors")
    module = model if isinstance(model, nn.Module) else None
    known = {} if module is None else dict(module.named_parameters(remove_duplicate=False))
    steps: dict[int, Op] = {}
    for name, value in direction.items():
        step = torch.as_tensor(real_numbers(value, f"direction[{name!r}]")).detach()
        if not bool(torch.isfinite(step).all()):
            raise InvalidInputError(f"`direction`: {name!r} has numbers that are NaN or infinite; expected finite ones")
        for own in _names(known, name, module is not None):
            _add(steps, network, module, own, step)
    if not any(bool((getattr(op, name) != 0).any()) for op in steps.values() for name in op.parameters):
        raise InvalidInputError("`direction`: all of its numbers are zero; expected a direction")
    return Motion(network, steps)


def _names(known: dict[str, nn.Parameter], name: str, of_module: bool) -> list[str]:
    """A parameter under all of its names."""
    if not of_module:
        return [name]
    if name not in known:
        raise InvalidInputError(
            f"`direction`: there is no parameter {name!r}; expected some of {', '.join(map(repr, known))}"
        )
    return [other for other, parameter in known.items() if parameter is known[name]]


def _add(steps: dict[int, Op], network: Network, module: nn.Module | None, name: str, step: Tensor) -> None:
    """Add the step of one parameter to the layers that it is of."""
    path, _, field = name.rpartition(".")
    found = [
        index
        for index, node in enumerate(network.nodes)
        if isinstance(node.op, Layer | Scale) and _is_of(node.name, path) and field in ("weight", "bias")
    ]
    owner = module.get_submodule(path) if module is not None and path else module
    if not path:
        found = [index for index, node in enumerate(network.nodes) if isinstance(node.op, Layer)]
        found = found if len(found) == 1 and isinstance(owner, nn.Linear | nn.modules.conv._ConvNd) else []
    for index in found:
        op = network.nodes[index].op
        start = steps.get(index, linear_part_and_zero(op))
        if isinstance(op, Scale):
            if not isinstance(owner, _BatchNorm):
                found = []
                break
            steps[index] = _scale_step(start, owner, field, name, step)
            continue
        own = getattr(op, field)
        if step.shape != own.shape:
            raise _misshaped(name, step, tuple(own.shape))
        if owner is not None and not torch.equal(getattr(owner, field).detach().cpu().double(), own):
            found = []  # a weight that is computed from others
            break
        steps[index] = dataclasses.replace(start, **{field: getattr(start, field) + step})  # type: ignore[type-var]
    if not found and bool(step.any()):  # what does not move may be of any module
        raise InvalidInputError(
            f"`direction`: {name!r} is no weight or bias of a dense layer, a convolution or a batch-norm by its "
            f"module; the network has the layers {', '.join(map(repr, layer_names(network)))}"
        )


def _is_of(node: str, path: str) -> bool:
    """Whether a node is an application of a module."""
    return bool(path) and (node == path or (node.startswith(f"{path}:") and node[len(path) + 1 :].isdigit()))


def _scale_step(start: Op, owner: _BatchNorm, field: str, name: str, step: Tensor) -> Op:
    """What a step of a batch-norm's weight or bias adds to its scale and shift."""
    assert isinstance(start, Scale)
    assert owner.running_mean is not None
    assert owner.running_var is not None
    if step.shape != owner.running_mean.shape:
        raise _misshaped(name, step, tuple(owner.running_mean.shape))
    slope = (owner.running_var.double() + owner.eps).rsqrt()
    scale = step * slope if field == "weight" else torch.zeros_like(step)
    shift = -owner.running_mean.double() * scale if field == "weight" else step
    return Scale(
        start.scale + scale.reshape(start.scale.shape if start.scale.ndim else (1,)),
        start.shift + shift.reshape(start.shift.shape if start.shift.ndim else (1,)),
    )


def _misshaped(name: str, step: Tensor, shape: tuple[int, ...]) -> InvalidInputError:
    return InvalidInputError(f"`direction`: {name!r} has the shape {tuple(step.shape)}; expected {shape}")


def split_op(op: Op, shape: tuple[int, ...]) -> tuple[Op, Tensor]:
    """The linear part of an op, and its offset.

    Args:
        op: An op of one variable that does not fold.
        shape: Shape of what it reads, without the batch.

    Returns:
        The linear op and the value at zero, in a batch of one.
    """
    return linear_part(op), op.evaluate(torch.zeros(1, *shape, dtype=torch.float64))
