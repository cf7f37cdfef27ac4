"""Ops of old versions for the reference implementation of ONNX, which itself knows their present meaning only."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

_FUNCTIONS: dict[str, Any] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Equal": np.equal,
    "Greater": np.greater,
    "Less": np.less,
}
_COMPARES = ("Equal", "Greater", "Less")


def reference_ops() -> list[type[OpRun]]:
    """The ops that were broadcast by attributes, with what they meant then.

    Returns:
        Their classes, for `onnx.reference.ReferenceEvaluator`.
    """
    return [*(_binary(op, function) for op, function in _FUNCTIONS.items()), _prelu()]


def _binary(op: str, function: Any) -> type[OpRun]:
    def run(self: OpRun, a: np.ndarray, b: np.ndarray, **attributes: Any) -> tuple[np.ndarray]:
        # In words of its own, not by `aligned_shape`, which this is to check: index by index.
        if attributes.get("broadcast") and b.size > 1:
            axis = attributes.get("axis")
            start = a.ndim - b.ndim if axis is None or axis < 0 else int(axis)
            letters = "abcdefghijklmnopqrstuvwxyz"[: a.ndim]
            mine = letters[start : start + b.ndim]
            full = np.broadcast_to(b, a.shape[start : start + b.ndim])
            b = np.einsum(f"{mine},{letters}->{letters}", full, np.ones(a.shape, b.dtype))
        return (np.asarray(function(a, b), np.bool_ if b.dtype == np.bool_ or op in _COMPARES else a.dtype),)

    return type(op, (OpRun,), {"op_domain": "", "_run": run})


def _prelu() -> type[OpRun]:
    def run(self: OpRun, x: np.ndarray, slope: np.ndarray, **attributes: Any) -> tuple[np.ndarray]:
        if slope.size == 1:
            return (np.where(x > 0, x, x * slope.reshape(())).astype(x.dtype),)
        channels = [np.where(part > 0, part, part * s) for part, s in zip(np.moveaxis(x, 1, 0), slope, strict=True)]
        return (np.stack(channels, axis=1).astype(x.dtype),)

    return type("PRelu", (OpRun,), {"op_domain": "", "_run": run})
