"""Values that leave torch while a module runs: through NumPy, or as numbers of Python, to conditions among them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils.weak import WeakTensorKeyDictionary

_CALLS = {
    "numpy": ".numpy()",
    "__array__": "NumPy",
    "tolist": ".tolist()",
    "item": ".item()",
    "__float__": "float()",
    "__int__": "int()",
    "__index__": "an index",
    "__bool__": "a condition",
    "__format__": "a text",
    "__dlpack__": "DLPack",
    "backward": ".backward()",
    "grad": "torch.autograd.grad",
}
"""Functions that hand values out of torch, with the words for them; gradients are values of another kind."""

_MOST_PLACES = 16
_ENDLESS = 10, 1000
"""A run has no end if it calls that many times as many functions as the first one, and so many more."""
_CONDITION = "__bool__"
_GRADIENTS = ("backward", "grad")
_UNCHANGED = (*_GRADIENTS, "__dlpack__")
"""Those whose results cannot be changed in order to see what depends on them."""

_CHANGES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda a: ~a if a.dtype == np.bool_ else -a - 1 if a.dtype.kind in "iu" else -1.5 * a - 0.25,
    lambda a: ~a if a.dtype == np.bool_ else a + 1 if a.dtype.kind in "iu" else a * 0.75 + 0.125,
    lambda a: ~a if a.dtype == np.bool_ else a * 0 if a.dtype.kind in "iu" else a * 1e12,
)
"""Other values for what leaves torch."""

_TURNED: tuple[Callable[[int], bool], ...] = (lambda _: True, lambda time: not time, lambda time: time > 0)
"""Of a condition that is asked several times, as in a loop, which answers are turned into their opposites."""


@dataclass(frozen=True)
class Escape:
    """A place in a module's code at which a value that depends on the input leaves torch.

    Attributes:
        call: Name of the function.
        place: File and line of the code that called it.
    """

    call: str
    place: str

    @property
    def reason(self) -> str:
        """Why a module cannot be imported that goes on with the value, and what to do."""
        looks = f"it looks at a value that depends on the input, by {_CALLS[self.call]} ({self.place})"
        if self.call == _CONDITION:
            return f"{looks}, to decide its course; write this with torch.where, or import one of its ways alone"
        if self.call in _GRADIENTS:
            return f"it takes a gradient inside, by {_CALLS[self.call]} ({self.place}); import what it differentiates"
        return f"{looks}, and goes on with it outside torch, where it is lost; write this with functions of torch"


@dataclass(frozen=True)
class Escapes:
    """What leaves torch while a module runs.

    Attributes:
        matters: The first value that comes back: that changes what the module computes if it is another one.
        harmless: Number of numbers that are read and change nothing; None if the module computes something else each
            time, so that nothing can be said.
    """

    matters: Escape | None = None
    harmless: int | None = None


def escapes(copies: Callable[[], nn.Module], example: Tensor) -> Escapes:
    """Look at the values that leave torch while a module runs.

    The module is run again with every such value changed, and what it calls and returns is compared. What is only
    printed or kept matters to nothing; nor does a condition that leads to an exception.

    Args:
        copies: Makes copies of the module.
        example: [1, ...] an input.

    Returns:
        What leaves torch.
    """
    try:
        first, again = _run(copies(), example), _run(copies(), example)
    except Exception:  # noqa: BLE001 - what does not run, or not in this way, is found out when it is traced
        return Escapes()
    if first.trace != again.trace:
        return Escapes()
    for escape in list(first.found)[:_MOST_PLACES]:
        if escape.call in _UNCHANGED or _matters(copies, example, escape, first.trace):
            return Escapes(escape)
    if len(first.found) > _MOST_PLACES:
        return Escapes(list(first.found)[_MOST_PLACES])
    return Escapes(None, first.numbers)


def _matters(copies: Callable[[], nn.Module], example: Tensor, escape: Escape, trace: list[Any]) -> bool:
    """Whether a module computes anything else if what leaves torch at a place is changed."""
    raised = 0
    for way in range(len(_CHANGES)):
        try:
            if _run(copies(), example, _Changed(escape, way, _ENDLESS[0] * len(trace) + _ENDLESS[1])).trace != trace:
                return True
        except _EndlessError:
            return True
        except Exception:  # noqa: BLE001 - the user's code, which may check what it is given
            raised += 1
    return raised == len(_CHANGES) and escape.call != _CONDITION


@dataclass
class _Run:
    """What a run of a module called and returned, and the places at which values left torch."""

    trace: list[Any] = field(default_factory=list)
    found: dict[Escape, None] = field(default_factory=dict)
    numbers: int = 0


@dataclass(frozen=True, eq=False)
class _Changed:
    """What is changed in a run, in which way, and after how many calls the run is given up."""

    escape: Escape
    way: int
    limit: int


class _EndlessError(Exception):
    """A module does not come to an end with values that were changed."""


def _run(module: nn.Module, example: Tensor, changed: _Changed | None = None) -> _Run:
    watch = _Watch(example, changed)
    with watch:
        result = module(example)
    watch.run.trace.append(_marks(result))
    return watch.run


class _Watch(TorchFunctionMode):
    """Follows what depends on an input through torch's functions, and changes what leaves torch at one place."""

    def __init__(self, example: Tensor, changed: _Changed | None) -> None:
        super().__init__()
        self.run = _Run()
        self._dependent = WeakTensorKeyDictionary({example: True})
        self._changed = changed
        self._calls = self._asked = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self._calls += 1
        if self._changed is not None and self._calls > self._changed.limit:
            raise _EndlessError
        given = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        dependent = any(self._dependent.get(leaf) for leaf in given)
        name = getattr(func, "__name__", "")
        if dependent and name in _CALLS:
            return self._left(func, args, kwargs)
        result = func(*args, **kwargs)
        self.run.trace.append((name, _marks((args, kwargs)), _marks(result)))
        if dependent and not _tells_nothing(name):
            written = given[:1] if name.startswith("__set") or name.endswith("_") else []
            for leaf in (*pytree.tree_leaves(result), *written):
                if isinstance(leaf, Tensor):
                    self._dependent[leaf] = True
        return result

    def _left(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What leaves torch, changed if it does so at the place that is looked at."""
        escape = Escape(func.__name__, _place())
        self.run.found[escape] = None
        if escape.call not in ("numpy", "__array__", *_UNCHANGED):
            self.run.numbers += args[0].numel() if escape.call == "tolist" else 1
        if self._changed is None or escape != self._changed.escape:
            return func(*args, **kwargs)
        if escape.call == _CONDITION:
            self._asked += 1
            return bool(func(*args, **kwargs)) != _TURNED[self._changed.way](self._asked - 1)
        value = args[0].detach()
        other = torch.from_numpy(np.ascontiguousarray(_CHANGES[self._changed.way](value.cpu().numpy()))).to(value)
        return func(other.reshape(value.shape), *args[1:], **kwargs)


def _tells_nothing(name: str) -> bool:
    """Whether a function's result is the same for all inputs that are finite."""
    return name.endswith("_like") or name in _SAME


_SAME = "isnan isinf isfinite isposinf isneginf new_zeros new_ones new_empty".split()


def _marks(values: Any) -> list[Any]:
    """What tells whether values are the same: shapes and sums of tensors, and all plain numbers."""
    marks: list[Any] = []
    for leaf in pytree.tree_leaves(values):
        if isinstance(leaf, Tensor):
            marks.append((tuple(leaf.shape), str(leaf.dtype), _sum(leaf)))
        elif isinstance(leaf, bool | int | float | str):
            marks.append(repr(leaf))
    return marks


def _sum(tensor: Tensor) -> str:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        return str(tensor.layout)
    weights = torch.arange(1, tensor.numel() + 1, dtype=torch.float64) % 97
    return repr(float(tensor.detach().double().reshape(-1) @ weights))


_OTHERS = ("torch", "numpy", "splinescope", "jaxtyping", "beartype")
"""Packages whose code is not the user's; the last two check types in tests."""


def _place() -> str:
    """File and line of the user's code that is running."""
    for frame in _frames():
        name = str(frame.f_globals.get("__name__"))
        if name.split(".")[0] not in _OTHERS and not frame.f_code.co_filename.startswith("<@"):
            return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
    return "torch's code"


def _frames() -> Iterator[Any]:
    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back  # type: ignore[assignment]
