"""Outputs of a module's parts through which all of its output passes, found in the graph that autograd records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Call = tuple[str, int]
"""Name of a part, and which of its calls: a part may be called several times."""


def passages(module: nn.Module, x: Tensor) -> list[Call]:
    """Calls of parts whose outputs everything passes through, in the order in which it does.

    Args:
        module: A module, whose parameters need no gradients.
        x: [1, *shape] a point.

    Returns:
        The calls but for those that give the module's output; of a part and of the parts that it ends with, which have
        one output, the innermost. Cost: one forward pass.
    """
    values: dict[Call, Tensor] = {}
    with torch.enable_grad(), _watched(module, lambda call, value: values.setdefault(call, value)):
        output = module(x.clone().requires_grad_(True))
    if not isinstance(output, Tensor) or output.grad_fn is None:
        return []
    needed = _needed(output.grad_fn)
    step = output.grad_fn
    while step is not None and type(step).__name__ == "CloneBackward0":  # a part's output is the module's
        (step,) = _sources(step)
        needed.pop(step, None)
    found: dict[int, Call] = {}
    for call, value in values.items():
        if value.grad_fn in needed:
            found.setdefault(needed[value.grad_fn], call)
    return [found[place] for place in sorted(found)]


def values_at(module: nn.Module, x: Tensor, calls: list[Call]) -> list[Tensor]:
    """Outputs of some calls, and of the module.

    Args:
        module: The module.
        x: [n, *shape] points.
        calls: Calls of its parts.

    Returns:
        The outputs, the module's last.
    """
    values: dict[Call, Tensor] = {}

    def keep(call: Call, value: Tensor) -> None:
        if call in wanted:
            values[call] = value

    wanted = set(calls)
    with _watched(module, keep):
        output = module(x)
    return [*(values[call] for call in calls), output]


@contextmanager
def _watched(module: nn.Module, show: Callable[[Call, Tensor], Any]) -> Iterator[None]:
    """Show the outputs of all parts that are tensors; a copy of them goes on, which may be changed in place."""
    counts: dict[str, int] = {}

    def hook_of(name: str) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(part: nn.Module, inputs: Any, output: Any) -> Any:
            counts[name] = counts.get(name, -1) + 1
            if not isinstance(output, Tensor):
                return None
            show((name, counts[name]), output)
            return output.clone()

        return hook

    hooks = [part.register_forward_hook(hook_of(name)) for name, part in module.named_modules() if name]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _needed(output: Any) -> dict[Any, int]:
    """Steps of a recorded computation without which nothing gets to its output, and their places from the input on."""
    order, readers = _ordered(output)
    # From the output back, an edge is open from the step that reads to the one that is read.
    open_edges, found = 0, []
    for step in order:
        open_edges -= readers[step]
        if open_edges == 0:
            found.append(step)
        open_edges += len(_sources(step))
    return {step: len(found) - place for place, step in enumerate(found)}


def _ordered(output: Any) -> tuple[list[Any], dict[Any, int]]:
    """Steps, each one before what it reads, and how often each is read."""
    readers = {output: 0}
    waiting = [output]
    while waiting:
        for source in _sources(waiting.pop()):
            if source not in readers:
                readers[source] = 0
                waiting.append(source)
            readers[source] += 1
    left, order, waiting = dict(readers), list[Any](), [output]
    while waiting:
        step = waiting.pop()
        order.append(step)
        for source in _sources(step):
            left[source] -= 1
            if not left[source]:
                waiting.append(source)
    return order, readers


def _sources(step: Any) -> list[Any]:
    """What a step reads."""
    return [source for source, _ in step.next_functions if source is not None]
