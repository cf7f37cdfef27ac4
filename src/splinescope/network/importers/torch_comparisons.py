"""Torch ops that compare, and those that choose by what is compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers import lower_steps as stepping
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.refusals import COMPARISON
from splinescope.network.importers.torch_handlers import Arguments, Handler, tensor_of
from splinescope.network.importers.views import Step, Value, Variable


def comparison(name: str) -> Handler:
    """The handler of `gt`, `ge`, `lt` or `le`."""

    def compare(b: Builder, a: Arguments) -> Value:
        """A comparison; continuous where what is chosen by it meets."""
        x, y = tensor_of(a["self"]), tensor_of(a["other"])
        return stepping.compare(b, *((x, y) if name[0] == "g" else (y, x)), strict=name[1] == "t")

    return compare


def equality(b: Builder, a: Arguments) -> Value:
    """Whether two values are equal, of a value and itself or infinity; else refused."""
    x, y = tensor_of(a["self"]), tensor_of(a["other"])
    if not _alike(x, y) and not (isinstance(y, Tensor) and bool(torch.isinf(y).all())):
        raise b.refusal(COMPARISON)
    shape = np.broadcast_shapes(tuple(x.shape), tuple(y.shape))
    return torch.full(shape, _alike(x, y) == (".eq" in b.op))


def _alike(x: Value, y: Value) -> bool:
    """Whether two values are the same numbers of one node."""
    if not (isinstance(x, Variable) and isinstance(y, Variable)) or (x.node, x.shape) != (y.node, y.shape):
        return False
    return np.array_equal(x.positions(), y.positions()) and np.array_equal(x.offsets(), y.offsets())


def finiteness(b: Builder, a: Arguments) -> Value:
    """What holds of real numbers: they are finite."""
    return torch.full(tuple(a["self"].shape), "isfinite" in b.op)


def logical(function: Any) -> Handler:
    """The handler of a logical function of one value or of two."""

    def combine(b: Builder, a: Arguments) -> Value:
        """A logical function of comparisons of the same number."""
        values = [a[name] for name in ("self", "other") if name in a]
        return stepping.logical(b, values, function)

    return combine


def sign(b: Builder, a: Arguments) -> Value:
    """1 where x is positive, -1 where it is negative."""
    zero = torch.zeros((), dtype=torch.float64)
    positive, negative = (stepping.compare(b, *pair, strict=True) for pair in ((a["self"], zero), (zero, a["self"])))
    return stepping.add(b, positive, negative, -1.0)


def step(b: Builder, a: Arguments) -> Value:
    """1 where x is positive, else 0: what it is at 0 says nothing of what is continuous."""
    return stepping.compare(b, a["self"], torch.zeros((), dtype=torch.float64), strict=True)


def where(b: Builder, a: Arguments) -> Value:
    """x where a condition holds, else y."""
    x, y = tensor_of(a["self"]), tensor_of(a["other"])
    return choose(b, a["condition"], x, y)


def masked_fill(b: Builder, a: Arguments) -> Value:
    """A value where a mask is set."""
    return choose(b, a["mask"], tensor_of(a["value"]), a["self"])


def choose(b: Builder, condition: Value, x: Value, y: Value) -> Value:
    """x where a condition holds, which is constant or decided by a comparison, else y."""
    if isinstance(condition, Step):
        return stepping.choose(b, condition, x, y)
    if isinstance(condition, Tensor):
        chosen = condition.bool().numpy()
        return b.rearrange(lambda p, q: np.where(chosen, p, q), x, y)[0]
    return stepping.choose(b, stepping.logical(b, [condition], lambda c: c), x, y)
