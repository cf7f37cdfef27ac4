"""Recurrent ONNX networks with ReLU, unrolled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.onnx_handlers import Call
from splinescope.network.importers.refusals import PRODUCT
from splinescope.network.importers.views import Value, Variable

_WAYS = {"forward": (1,), "reverse": (-1,), "bidirectional": (1, -1)}


MOST_STEPS = 1000
"""Steps that are written out: each takes a few nodes."""


def recurrent(b: Builder, c: Call) -> Any:
    """All states of a recurrent network, and the last ones."""
    a = c.attributes
    activations = [name.decode() if isinstance(name, bytes) else name for name in a.get("activations", ["Tanh"])]
    if set(activations) != {"Relu"}:
        raise b.refusal(f"its activation is {activations[0]}; of recurrent networks splinescope reads those with Relu")
    if c.get(4) is not None or a.get("clip"):
        raise b.refusal("it has sequence_lens or clip, which splinescope does not know")
    by_sample = bool(a.get("layout"))
    x = b.variable(_swapped(b, c.value(0), by_sample))
    if x.shape[0] > MOST_STEPS:
        raise b.refusal(f"it has {x.shape[0]:,} steps; splinescope writes out at most {MOST_STEPS:,}")
    start = c.get(5)
    start = None if start is None else _swapped(b, start, by_sample)
    states, lasts = [], []
    for number, way in enumerate(_WAYS[a.get("direction", "forward")]):
        rows = _states(b, c, x, None if start is None else _taken(b, start, number), number, way)
        states.append(b.rearrange(lambda *parts: np.stack(parts), *rows[::way])[0])
        lasts.append(rows[-1])
    every = b.rearrange(lambda *parts: np.stack(parts, axis=1), *states)[0]  # [time, ways, batch, states]
    last = b.rearrange(lambda *parts: np.stack(parts), *lasts)[0]
    if by_sample:
        every = b.rearrange(lambda array: array.transpose(2, 0, 1, 3), every)[0]
    return every, _swapped(b, last, by_sample)


def _states(b: Builder, c: Call, x: Variable, start: Value | None, number: int, way: int) -> list[Value]:
    """The states of one direction, in the order in which it goes."""
    weight, inner, bias = (c.constant(b, place) for place in (1, 2, 3))
    assert weight is not None
    assert inner is not None
    size = int(c.attributes["hidden_size"])
    own = torch.zeros(2 * size, dtype=torch.float64) if bias is None else bias[number].double()
    h: Value | None = start
    states: list[Value] = []
    for t in range(x.shape[0])[::way]:
        total: Value = affine.linear(b, b.variable(_taken(b, x, t)), weight[number], own[:size] + own[size:])
        if isinstance(h, Tensor):
            total = affine.add_values(b, total, h.double() @ inner[number].double().T)
        elif h is not None:
            total = affine.add_values(b, total, affine.matrix_product(b, h, inner[number].double().T, PRODUCT))
        h = folding.relu(b, b.variable(total))
        states.append(h)
    return states


def _swapped(b: Builder, value: Value, swap: bool) -> Value:
    """The first two axes the other way round."""
    if not swap:
        return value
    if isinstance(value, Tensor):
        return value.transpose(0, 1)
    return b.rearrange(lambda array: np.swapaxes(array, 0, 1), b.variable(value))[0]


def _taken(b: Builder, value: Value, place: int) -> Value:
    """One entry along the first axis."""
    if isinstance(value, Tensor):
        return value[place]
    return b.rearrange(lambda array: array[place], b.variable(value))[0]
