"""The gates of any module: its activations' arguments, seen while it runs.

A gate is an activation that is, or is a smoothed version of, one that folds at zero: ReLU and its relatives, GELU,
SiLU and the like. For ReLU the sign of its argument is the piece; for smooth gates it is a proxy: nothing folds there,
but on either side the gate is nearly closed or nearly open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from splinescope.errors import InvalidInputError

GATES: dict[Any, str] = {
    **dict.fromkeys((functional.relu, functional.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), "relu"),
    **dict.fromkeys((functional.leaky_relu, functional.leaky_relu_), "leaky_relu"),
    **dict.fromkeys((functional.rrelu, functional.rrelu_), "rrelu"),
    **dict.fromkeys((functional.elu, functional.elu_), "elu"),
    **dict.fromkeys((functional.selu, functional.selu_), "selu"),
    **dict.fromkeys((functional.celu, functional.celu_), "celu"),
    functional.prelu: "prelu",
    torch.prelu: "prelu",
    functional.relu6: "relu6",
    functional.hardswish: "hardswish",
    functional.gelu: "gelu",
    functional.silu: "silu",
    functional.mish: "mish",
    functional.softplus: "softplus",
}
"""Functions of torch that are gates at zero. Others are found as modules: see `_is_gate`."""

_WORDS = ("relu", "gelu", "silu", "swish", "mish")
"""Modules without parameters whose class has one of these words in its name are gates, whatever they call."""


class Gates(TorchFunctionMode):
    """Shows the argument of each gate while a model runs inside the block.

    Args:
        show: Called with the gate's name and its argument, before the gate can overwrite it.
    """

    def __init__(self, show: Callable[[str, Tensor], None]) -> None:
        super().__init__()
        self._show = show
        self.path: list[str] = []
        self.seen = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every call of a function of torch."""
        name = GATES.get(func) or _clamped_at_zero(func, args, kwargs or {})
        if name is not None:
            argument = args[0] if args else kwargs["input"]
            self.report(name, argument)
        return func(*args, **(kwargs or {}))

    def report(self, name: str, argument: Tensor) -> None:
        """Show the argument of a gate."""
        self.seen += 1
        with torch._C.DisableTorchFunction():
            self._show(": ".join(part for part in (self.path[-1] if self.path else "", name) if part), argument)


@contextmanager
def watched(model: Callable[..., Any], show: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Run a model inside this block, in eval mode, and see each of its gates.

    The hooks that know in which module a gate is are taken off at the end, and modes are put back.

    Args:
        model: A module, or any function of tensors.
        show: Called with each gate's name and argument.
    """
    gates = Gates(show)
    modules = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
    training = [module for module in modules.values() if module.training]
    handles = []
    try:
        for name, module in modules.items():
            for register, hook in _hooks(gates, name, module):
                handles.append(register(hook))
        for module in training:
            module.training = False
        with gates:
            yield
    finally:
        for handle in handles:
            handle.remove()
        for module in training:
            module.training = True


def _hooks(gates: Gates, name: str, module: nn.Module) -> list[tuple[Callable[..., Any], Callable[..., Any]]]:
    """Hooks that keep the path, and see gates that are modules of their own kind."""
    before: list[int] = []
    arguments: list[Tensor] = []

    def enter(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        gates.path.append(name)
        if _is_gate(module) and inputs and isinstance(inputs[0], Tensor):
            before.append(gates.seen)
            arguments.append(inputs[0])

    def leave(*_: Any) -> None:
        if before and arguments:
            argument, seen = arguments.pop(), before.pop()
            if gates.seen == seen:  # no function of torch in it was recognised
                gates.report(type(module).__name__, argument)
        gates.path.pop()

    return [(module.register_forward_pre_hook, enter), (module.register_forward_hook, leave)]


def _is_gate(module: nn.Module) -> bool:
    """Whether a module without parameters and children is a gate by the name of its class."""
    leaf = not any(True for _ in module.children()) and not any(True for _ in module.parameters())
    return leaf and any(word in type(module).__name__.lower() for word in _WORDS)


def _clamped_at_zero(func: Any, args: Any, kwargs: Any) -> str | None:
    """Clamping from below at zero is ReLU by another name."""
    if func in (torch.clamp, Tensor.clamp, torch.clamp_, Tensor.clamp_, torch.clip, Tensor.clip):
        low = kwargs.get("min", args[1] if len(args) > 1 else None)
        high = kwargs.get("max", args[2] if len(args) > 2 else None)
    elif func in (torch.clamp_min, Tensor.clamp_min, torch.clamp_min_, Tensor.clamp_min_):
        low, high = kwargs.get("min", args[1] if len(args) > 1 else None), None
    else:
        return None
    return "relu" if isinstance(low, int | float) and low == 0 and high is None else None


def by_point(name: str, argument: Tensor, points: int) -> Tensor:
    """A gate's argument with one row for each input.

    Args:
        name: The gate.
        argument: Its argument; its first axis is the batch, or begins with it.
        points: Number of inputs.

    Returns:
        [points, units].

    Raises:
        InvalidInputError: If its first axis is no multiple of the batch.
    """
    if not argument.ndim or len(argument) % points:
        raise InvalidInputError(
            f"`model`: the gate {name!r} has an argument of shape {tuple(argument.shape)} for a batch of {points}; "
            "expected the batch to come first"
        )
    return argument.reshape(points, -1)
