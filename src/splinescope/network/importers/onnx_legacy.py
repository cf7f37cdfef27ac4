"""What ONNX ops meant before version 7 of the operator set: broadcasting by `broadcast` and `axis`.

Before version 7 the second argument was broadcast to the first one only with `broadcast=1`, and then its shape was a
contiguous part of the first one's, from `axis` on, or at the end if there was no `axis`.
"""

from __future__ import annotations

import math
from typing import Any

from splinescope.errors import InvalidInputError

LAST = 6
"""The last version of the operator set that broadcasts so."""

BINARY = ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less")
"""The ops that had these attributes."""

ATTRIBUTES = ("broadcast", "axis", "consumed_inputs")


def aligned_shape(
    op: str, node: str, shape: tuple[int, ...], other: tuple[int, ...], attributes: dict[str, Any]
) -> tuple[int, ...]:
    """The shape in which the second argument broadcasts with the first one as it does today.

    Args:
        op: One of the ops, or PRelu.
        node: Name of the node.
        shape: Shape of the first argument.
        other: Shape of the second argument.
        attributes: The node's attributes.

    Returns:
        As many numbers as `other` has, in a shape of at most as many axes as `shape`.

    Raises:
        InvalidInputError: If the shapes do not fit.
    """
    if op == "PRelu":
        channels = shape[1] if len(shape) > 1 else shape[0] if shape else 1
        if len(other) > 1 or math.prod(other) not in (1, channels):
            raise _misfit(op, node, shape, other, "expected one slope, or one for each channel")
        single = len(other) == 0 or other == (1,) or len(shape) < 2
        return other if single else (channels, *(1,) * (len(shape) - 2))
    if not attributes.get("broadcast"):
        if shape != other:
            raise _misfit(op, node, shape, other, "expected equal shapes, since it does not say broadcast=1")
        return other
    if math.prod(other) == 1:
        return (1,) * min(len(other), len(shape))
    start = len(shape) - len(other)
    axis = attributes.get("axis")
    if axis is not None:
        if axis < 0 and axis + len(shape) != start:
            raise _misfit(op, node, shape, other, f"what its axis={axis} means is not defined; expected axis >= 0")
        start = axis if axis >= 0 else start
    inner = other
    if shape[max(0, start) : max(0, start) + len(other)] != other:
        # Files have 1-axes that stand for themselves beside those that are equal.
        fits = start >= 0 and start + len(other) <= len(shape)
        fits = fits and all(n in (1, m) for n, m in zip(other, shape[start:], strict=False))
        if not fits:
            raise _misfit(op, node, shape, other, f"expected a part of the first shape, from axis {start} on")
    return (*inner, *(1,) * (len(shape) - start - len(other)))


def _misfit(op: str, node: str, shape: tuple[int, ...], other: tuple[int, ...], expected: str) -> InvalidInputError:
    return InvalidInputError(
        f"`model`: node `{node}` ({op}) of an operator set before version 7 has arguments of shapes {shape} and "
        f"{other}: {expected}"
    )
