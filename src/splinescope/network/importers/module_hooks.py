"""Hooks of a user's module: which of them belong to the weights, and copies that touch nothing of the user's."""

from __future__ import annotations

import copy
import dis
import functools
import inspect
import io
import threading
import types
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils.prune import BasePruningMethod

from splinescope.errors import InvalidInputError

PRE, POST = "_forward_pre_hooks", "_forward_hooks"
HOOKS = (
    POST,
    PRE,
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
)
_FLAGS = {
    PRE: ("_forward_pre_hooks_with_kwargs",),
    POST: ("_forward_hooks_with_kwargs", "_forward_hooks_always_called"),
}
_WEIGHT_HOOKS = ("WeightNorm", "SpectralNorm")
"""Hooks of torch itself that compute a layer's weight, beside those of pruning."""
_LOCKS = {type(make()): make for make in (threading.Lock, threading.RLock)}
_UNCOPYABLE = (*_LOCKS, types.GeneratorType, types.ModuleType, io.IOBase)
"""What has no copy: a lock gets a new one, and a module of Python is the only one of its kind; the rest is left out."""
_CONTAINERS = (list, dict, set, deque)


def weight_hooks(child: nn.Module) -> set[int]:
    """Keys of the forward pre-hooks that compute attributes of a module anew before each pass, as pruning does.

    Torch's own are known. One of the user's counts if the module has a tensor that is neither a parameter nor a buffer,
    or lacks one that its class declares, such as a weight: then something must compute it.

    Args:
        child: A module.

    Returns:
        Keys of its `_forward_pre_hooks`.
    """
    hooks = child.__dict__.get(PRE, {})
    known = {key: name for key, hook in hooks.items() if (name := _computed_name(hook))}
    computed = {name for name, value in child.__dict__.items() if isinstance(value, Tensor)} | _missing(child)
    return set(known) if computed <= set(known.values()) else set(hooks)


def _computed_name(hook: object) -> str | None:
    """Name of the attribute that a hook of torch computes."""
    if isinstance(hook, BasePruningMethod):
        return hook._tensor_name
    if type(hook).__name__ in _WEIGHT_HOOKS and type(hook).__module__.startswith("torch.nn.utils"):
        return str(hook.name)  # type: ignore[attr-defined]
    return None


def _missing(child: nn.Module) -> set[str]:
    """Tensors that a module's class declares, and that it does not have yet."""
    notes = [note for kind in type(child).__mro__ for note in inspect.get_annotations(kind).items()]
    declared = {name for name, kind in notes if kind in (Tensor, "Tensor", "torch.Tensor")}
    held = {*child.__dict__, *child.__dict__.get("_parameters", {}), *child.__dict__.get("_buffers", {})}
    return {name for name in declared - held if not hasattr(type(child), name)}


def other_hooks(module: nn.Module) -> int:
    """Number of hooks of the user that a forward pass of the module would run, but for those that compute weights."""
    return sum(
        len(child.__dict__.get(POST, {})) + len(child.__dict__.get(PRE, {})) - len(weight_hooks(child))
        for child in module.modules()
    )


@contextmanager
def global_hooks_off() -> Iterator[int]:
    """Let no hook run inside a block that the user has put on all modules at once.

    Yields:
        Number of such hooks.
    """
    groups = [torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks]
    kept = [list(group.items()) for group in groups]
    for group in groups:
        group.clear()
    try:
        yield sum(map(len, kept))
    finally:
        for group, items in zip(groups, kept, strict=True):
            group.clear()
            group.update(items)


def copied_with_hooks(module: nn.Module, *, all_hooks: bool) -> nn.Module:
    """A deep copy whose hooks are copies, too, with copies of what they write to; no hook of the user's is called.

    Functions are rebuilt with copies of what they close over, and of the lists, dictionaries and sets among their
    globals, so that a hook that keeps a record writes into a copy of it.

    Args:
        module: The user's module.
        all_hooks: Whether to keep all forward hooks, or those only that compute weights. Backward hooks go.

    Returns:
        The copy, in the mode of the module.

    Raises:
        InvalidInputError: If a copy is the original.
        Exception: Whatever a hook, or what it holds, raises when it is copied.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return copy.deepcopy(module)
    memo: dict[int, Any] = {}
    kept: list[tuple[dict[int, Any], OrderedDict[int, Any]]] = []
    for child in module.modules():
        for name in HOOKS:
            if child.__dict__.get(name) is not None:
                memo[id(child.__dict__[name])] = OrderedDict()
        for name in (PRE, POST):
            hooks = child.__dict__.get(name) or {}
            keys = set(hooks) if all_hooks else weight_hooks(child) if name == PRE else set()
            kept.append(({key: hooks[key] for key in hooks if key in keys}, memo.get(id(hooks), OrderedDict())))
            for flag in _FLAGS[name]:
                flags = child.__dict__.get(flag) or {}
                memo.get(id(flags), {}).update({key: value for key, value in flags.items() if key in keys})
        _remember_computed(child.__dict__, memo)
    twin = copy.deepcopy(module, memo)
    if {id(child) for child in module.modules()} & {id(child) for child in twin.modules()}:
        raise InvalidInputError(
            "`module`: it, or a submodule, returns itself when it is copied, so that it cannot be run without changing "
            "it; expected a module that `copy.deepcopy` copies"
        )
    for hooks, place in kept:
        place.update({key: _cloned(hook, memo) for key, hook in hooks.items()})
    return twin


def _remember_computed(value: Any, memo: dict[int, Any], depth: int = 4) -> None:
    """Note copies of what does not copy itself: tensors that were computed, locks, generators, files."""
    if isinstance(value, Tensor):
        if not value.is_leaf:
            memo.setdefault(id(value), value.detach().clone())
    elif isinstance(value, _UNCOPYABLE):
        memo.setdefault(id(value), _renewed(value))
    elif depth and isinstance(value, dict | list | tuple | set | deque):
        for part in value.values() if isinstance(value, dict) else value:
            _remember_computed(part, memo, depth - 1)


def _renewed(value: Any) -> Any:
    if type(value) in _LOCKS:
        return _LOCKS[type(value)]()
    return value if isinstance(value, types.ModuleType) else None


def _cloned(value: Any, memo: dict[int, Any]) -> Any:
    """A deep copy, of functions as well."""
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, types.FunctionType):
        return _cloned_function(value, memo)
    if isinstance(value, types.MethodType):
        return types.MethodType(value.__func__, _cloned(value.__self__, memo))
    if isinstance(value, functools.partial):
        words = {name: _cloned(part, memo) for name, part in value.keywords.items()}
        return functools.partial(_cloned(value.func, memo), *(_cloned(part, memo) for part in value.args), **words)
    _remember_computed(value, memo)
    _remember_computed(getattr(value, "__dict__", None), memo)
    return copy.deepcopy(value, memo)


def _cloned_function(function: types.FunctionType, memo: dict[int, Any]) -> types.FunctionType:
    code, known = function.__code__, function.__globals__
    names = {name for part in _codes(code) for name in part.co_names}
    written = {n: _cloned(known[n], memo) for n in names if isinstance(known.get(n), _CONTAINERS)}
    own = {**known, **written} if written or _sets_globals(code) else known
    cells = tuple(types.CellType() for _ in function.__closure__ or ())
    twin = types.FunctionType(code, own, function.__name__, None, cells)
    memo[id(function)] = twin
    twin.__defaults__ = None if function.__defaults__ is None else _cloned(function.__defaults__, memo)
    twin.__kwdefaults__ = None if function.__kwdefaults__ is None else _cloned(function.__kwdefaults__, memo)
    twin.__dict__.update({name: _cloned(value, memo) for name, value in function.__dict__.items()})
    for cell, source in zip(cells, function.__closure__ or (), strict=True):
        try:
            content = source.cell_contents
        except ValueError:  # a name that has no value yet
            continue
        cell.cell_contents = _cloned(content, memo)
    return twin


def _codes(code: types.CodeType) -> list[types.CodeType]:
    """A function's code, and that of the functions that it makes."""
    return [code, *(inner for part in code.co_consts if isinstance(part, types.CodeType) for inner in _codes(part))]


def _sets_globals(code: types.CodeType) -> bool:
    return any(step.opname == "STORE_GLOBAL" for part in _codes(code) for step in dis.get_instructions(part))
