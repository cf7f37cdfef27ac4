"""A naive twin of cross-entropy along a line of parameters: loss and slope in decimal numbers of eighty digits.

Float64 numbers are decimal numbers, and so are parameters anywhere on a line. A forward pass carries a value and its
derivative by t; ReLUs look at the sign of the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from torch import nn

DIGITS = 80
Pair = tuple[Decimal, Decimal]
"""A value and its derivative."""


def numbers(values: Any) -> list[Any]:
    """Float64 numbers as decimal ones, nested as they are."""
    return [numbers(v) if hasattr(v, "__len__") else Decimal(float(v)) for v in values]


def outputs(module: nn.Sequential, direction: Mapping[str, Any], x: Sequence[float], t: Decimal) -> list[Pair]:
    """Outputs of dense layers and ReLUs, with their derivatives by t."""
    known = [(value, Decimal(0)) for value in numbers(x)]
    for index, layer in enumerate(module):
        if isinstance(layer, nn.ReLU):
            known = [(z, d) if z > 0 else (Decimal(0), Decimal(0)) for z, d in known]
            continue
        weight, step = _moved(layer.weight.detach().tolist(), direction.get(f"{index}.weight"))
        bias, shift = _moved([[0.0] * len(weight)] if layer.bias is None else [layer.bias.detach().tolist()],
                             None if f"{index}.bias" not in direction else [direction[f"{index}.bias"]])  # fmt: skip
        found = []
        for k in range(len(weight)):
            z, d = bias[0][k] + t * shift[0][k], shift[0][k]
            for w, v, (value, slope) in zip(weight[k], step[k], known, strict=True):
                z += (w + t * v) * value
                d += v * value + (w + t * v) * slope
            found.append((z, d))
        known = found
    return known


def _moved(start: list[list[float]], step: Any) -> tuple[list[list[Decimal]], list[list[Decimal]]]:
    own = numbers(start)
    zero = [[Decimal(0)] * len(row) for row in own]
    return own, zero if step is None else numbers(step)


def loss_and_slope(
    module: nn.Sequential, direction: Mapping[str, Any], inputs: Any, targets: Any, t: Decimal
) -> tuple[Decimal, Decimal]:
    """Mean cross-entropy of targets that are probabilities, and its derivative by t.

    Args:
        module: Dense layers and ReLUs.
        direction: Steps of parameters by name.
        inputs: [N, n_in].
        targets: [N, n_out].
        t: Where on the line.
    """
    with localcontext() as context:
        context.prec = DIGITS
        value = slope = Decimal(0)
        for x, wanted in zip(inputs, numbers(targets), strict=True):
            found = outputs(module, direction, x, t)
            top = max(z for z, _ in found)
            weights = [(z - top).exp() for z, _ in found]
            total = sum(weights, Decimal(0))
            for (z, d), weight, q in zip(found, weights, wanted, strict=True):
                value += q * (total.ln() + top - z)
                slope += sum(wanted, Decimal(0)) * weight / total * d - q * d
        return value / len(targets), slope / len(targets)
