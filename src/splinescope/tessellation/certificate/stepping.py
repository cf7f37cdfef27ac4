"""Generators that keep their state to themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np
import torch

_P = ParamSpec("_P")
_T = TypeVar("_T")


def without_gradients(function: Callable[_P, Iterator[_T]]) -> Callable[_P, Iterator[_T]]:
    """A generator that runs without gradients and warnings of numpy, and leaves both alone while it waits.

    Around a `yield`, `torch.no_grad()` would hold for whoever reads the generator, too, and for everybody after them
    where it is never read to its end.
    """

    @wraps(function)
    def stepwise(*arguments: _P.args, **options: _P.kwargs) -> Iterator[_T]:
        steps = function(*arguments, **options)
        while True:
            with torch.no_grad(), np.errstate(all="ignore"):
                try:
                    item = next(steps)
                except StopIteration:
                    return
            yield item

    return stepwise
