"""A private copy of a user's module, and what can be said about the module without running it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from splinescope.errors import InvalidInputError
from splinescope.network.importers.module_hooks import copied_with_hooks


def copy_module(module: nn.Module, dtype: torch.dtype | None) -> nn.Module:
    """A copy in eval mode that shares nothing with the module, without its gradients, and without hooks of the user.

    Args:
        module: The user's module.
        dtype: Type to convert to; None to keep the types.

    Returns:
        The copy, on the CPU.
    """
    copied = duplicate(module).cpu()
    return copied if dtype is None else copied.to(dtype)


def duplicate(module: nn.Module) -> nn.Module:
    """A copy in eval mode that shares nothing with the module, without its gradients, where the module is.

    Of its hooks those stay that compute weights, since the weights that it holds may be older than what they are
    computed from; the others go.

    Args:
        module: The user's module.

    Returns:
        The copy, each tensor on its device and in its type.

    Raises:
        InvalidInputError: If it holds what cannot be copied.
    """
    return _duplicated(module, all_hooks=False)


def _duplicated(module: nn.Module, all_hooks: bool) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of what programs of torch.export hold
        try:
            twin = copied_with_hooks(module, all_hooks=all_hooks)
        except InvalidInputError:
            raise
        except Exception as error:
            raise InvalidInputError(
                f"`module`: it cannot be copied ({first_line(error)}); expected a module that `copy.deepcopy` copies"
            ) from error
    return _frozen(twin)


def working_copy(module: nn.Module) -> nn.Module:
    """A copy in eval mode that computes what the module does, with all its forward hooks, where the module is.

    Args:
        module: The user's module.

    Returns:
        The copy, without gradients; each tensor on its device and in its type.

    Raises:
        InvalidInputError: If it holds what cannot be copied.
    """
    return _duplicated(module, all_hooks=True)


def faithful_copy(module: nn.Module, dtype: torch.dtype | None) -> nn.Module:
    """A copy in eval mode that computes what the module does: with all its forward hooks, and checked to be equal.

    Args:
        module: The user's module.
        dtype: Type to convert to; None to keep the types.

    Returns:
        The copy, on the CPU.

    Raises:
        UncopyableError: If a hook cannot be copied.
        InvalidInputError: If the copy differs from the module, as one may that copies itself.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            twin = copied_with_hooks(module, all_hooks=True)
        except InvalidInputError:
            raise
        except Exception as error:
            raise UncopyableError(first_line(error)) from error
    _check_equal(module, twin)
    copied = _frozen(twin).cpu()
    return copied if dtype is None else copied.to(dtype)


def _frozen(module: nn.Module) -> nn.Module:
    """The module itself in eval mode, without gradients; a script lets only its weights be told."""
    for weight in module.parameters():
        weight.requires_grad_(False)
    return module.eval()


_NUMBERS_OF_OBJECTS = ("_torchdynamo_wrapper_id",)
"""Attributes in which torch says which object something is, and so another one for each copy."""


class UncopyableError(Exception):
    """A hook of a module, or what it holds, cannot be copied."""


def _check_equal(module: nn.Module, twin: nn.Module) -> None:
    """Refuse a copy that has other submodules, weights, buffers or settings than its original."""
    children, twins = dict(module.named_modules()), dict(twin.named_modules())
    names = [name for name in {**children, **twins} if (name in children) != (name in twins)]
    for name, child in children.items():
        if name in twins:
            names += [f"{name}.{key}".lstrip(".") for key in _differences(child, twins[name])]
    if names:
        raise InvalidInputError(
            f"`module`: a deep copy of it differs from it in `{names[0]}`, so that what it computes cannot be found "
            "out without changing it; expected a module that `copy.deepcopy` copies"
        )


def _differences(child: nn.Module, twin: nn.Module) -> list[str]:
    graphs = isinstance(child, torch.fx.GraphModule) and isinstance(twin, torch.fx.GraphModule)
    if type(child).__name__ != type(twin).__name__ and not graphs:  # each graph has a class of its own
        return ["__class__"]
    found = ["code"] if graphs and child.code != twin.code else []
    for group in ("_parameters", "_buffers"):
        own, other = child.__dict__.get(group) or {}, twin.__dict__.get(group) or {}
        found += [key for key in {**own, **other} if not _same_tensor(own.get(key), other.get(key))]
    for key, value in child.__dict__.items():
        plain = isinstance(value, bool | int | float | str)
        if plain and not graphs and key not in _NUMBERS_OF_OBJECTS and repr(twin.__dict__.get(key)) != repr(value):
            found.append(key)
    return found


def _same_tensor(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    if is_lazy(one) or is_lazy(other) or one.layout != torch.strided or one.is_quantized:
        return type(one) is type(other)
    if one.shape != other.shape or one.dtype != other.dtype or one.device != other.device:
        return False
    return bool(torch.equal(one, other)) or bool(((one == other) | ((one != one) & (other != other))).all())


def check_numbers(module: nn.Module) -> None:
    """Refuse a module whose weights have no numbers yet, or no real ones.

    Args:
        module: The user's module.

    Raises:
        InvalidInputError: If a weight is lazy, on the device `meta`, or complex.
    """
    for name, weight in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(weight):
            raise InvalidInputError(f"`module`: its weight `{name}` is lazy and has no shape yet; run it once before")
        if weight.is_meta:
            raise InvalidInputError(
                f"`module`: its weight `{name}` is on the device meta and has no numbers; load its weights before, as "
                "by load_state_dict(..., assign=True)"
            )
        if weight.is_complex():
            raise InvalidInputError(f"`module`: its weight `{name}` is complex; expected real numbers")


@contextmanager
def weights_uncached() -> Iterator[None]:
    """Let parametrized weights be computed anew inside a block, also where the user is in `parametrize.cached()`."""
    enabled, cache = parametrize._cache_enabled, parametrize._cache
    parametrize._cache_enabled, parametrize._cache = 0, {}
    try:
        yield
    finally:
        parametrize._cache_enabled, parametrize._cache = enabled, cache


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
            continue
        inner = module.__dict__.get("_modules", {})  # of a script no dict; and no `__getattr__` of the user's is asked
        if "_orig_mod" not in inner:
            return module
        module = inner["_orig_mod"]


_LONGEST = 160


def first_line(error: BaseException) -> str:
    """The first line that an exception says, with its type, and cut where it is long."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
