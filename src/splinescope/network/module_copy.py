"""A private copy of a user's module, and what can be said about the module without running it."""

from __future__ import annotations

import copy
import random
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
)
_WEIGHT_HOOKS = ("WeightNorm", "SpectralNorm")
"""Hooks of torch itself that compute a layer's weight, and so belong to the model."""


def copy_module(module: nn.Module, dtype: torch.dtype | None) -> nn.Module:
    """A copy in eval mode that shares nothing with the module, without its hooks and gradients.

    Args:
        module: The user's module.
        dtype: Type to convert to; None to keep the types.

    Returns:
        The copy, on the CPU.
    """
    copied = duplicate(module).cpu()
    return copied if dtype is None else copied.to(dtype)


def duplicate(module: nn.Module) -> nn.Module:
    """A copy in eval mode that shares nothing with the module, without its hooks and gradients, where the module is.

    Args:
        module: The user's module.

    Returns:
        The copy, each tensor on its device and in its type.
    """
    memo: dict[int, Any] = {}
    for child in module.modules():
        for name in _HOOKS:
            hooks = child.__dict__.get(name)
            if hooks is not None:
                memo[id(hooks)] = OrderedDict((k, hook) for k, hook in hooks.items() if _computes_weight(hook))
        for value in child.__dict__.values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of what programs of torch.export hold
        twin = copy.deepcopy(module, memo)
    return twin.eval().requires_grad_(False)


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Put back, at the end, the states of all global generators, which torch.export may use."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - to put it back
    # A device that has drawn nothing yet is left asleep: reading its state would wake it.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=list(devices)):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside the wrappers of torch.compile and of parallel training.

    Args:
        module: The user's module.

    Returns:
        What is inside; the module itself if it is not wrapped.
    """
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif isinstance(getattr(module, "_orig_mod", None), nn.Module):
            module = module._orig_mod  # type: ignore[assignment]
        else:
            return module


def _computes_weight(hook: object) -> bool:
    return type(hook).__name__ in _WEIGHT_HOOKS and type(hook).__module__.startswith("torch.nn.utils")


def forward_hooks(module: nn.Module) -> int:
    """Number of hooks of the user that a forward pass of the module would run."""
    return sum(
        not _computes_weight(hook)
        for child in module.modules()
        for name in ("_forward_hooks", "_forward_pre_hooks")
        for hook in child.__dict__.get(name, {}).values()
    )


def first_line(error: BaseException) -> str:
    """The first line that an exception says, with its type."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
