"""Shapes and numbers of single ONNX ops that inference of shapes lets pass, though no runtime takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx
from torch import Tensor

_LEAST_RANK = 3
"""Axes of the batch and of channels, and one at least to pool over."""


def wrong_shapes(node: onnx.NodeProto, inputs: Sequence[Any]) -> str:
    """What does not fit in a node's arguments; empty if nothing.

    Args:
        node: The node.
        inputs: Its arguments, constants among them, None where one is left out.
    """
    check = _CHECKS.get(node.op_type)
    if check is None or any(value is None for value in inputs[:2]):
        return ""
    return check(node, inputs)


def _pool(node: onnx.NodeProto, inputs: Sequence[Any]) -> str:
    shape = tuple(inputs[0].shape)
    return f"an input of shape {shape}; expected batch, channels and more" if len(shape) < _LEAST_RANK else ""


def _padded_pool(node: onnx.NodeProto, inputs: Sequence[Any]) -> str:
    mode = next((a.s.decode(errors="replace") for a in node.attribute if a.name == "auto_pad"), "")
    dilated = any(n > 1 for a in node.attribute if a.name == "dilations" for n in a.ints)
    if not (dilated and mode.startswith("SAME")):
        return ""
    return f"dilations with auto_pad {mode}, where onnxruntime does not keep to the definition; expected pads instead"


def _sum(node: onnx.NodeProto, inputs: Sequence[Any]) -> str:
    axes, rank = inputs[1], len(inputs[0].shape)
    wrong = [n for n in axes.reshape(-1).tolist() if not -rank <= n < rank] if isinstance(axes, Tensor) else []
    return f"the axis {wrong[0]}; expected one of {rank} axes" if wrong else ""


def _reverse(node: onnx.NodeProto, inputs: Sequence[Any]) -> str:
    data, lengths = inputs[:2]
    axis, time = (_number(node, name, default) for name, default in (("batch_axis", 1), ("time_axis", 0)))
    if max(axis, time) >= len(data.shape) or not isinstance(lengths, Tensor):
        return ""
    if tuple(lengths.shape) != (data.shape[axis],):
        return f"lengths of shape {tuple(lengths.shape)}; expected one for each of {data.shape[axis]} sequences"
    wrong = [n for n in lengths.tolist() if not 0 <= n <= data.shape[time]]
    return f"a length of {wrong[0]}; expected lengths up to {data.shape[time]}" if wrong else ""


def _scatter(node: onnx.NodeProto, inputs: Sequence[Any]) -> str:
    data, places, updates = (tuple(value.shape) for value in inputs[:3])
    expected = (*places[:-1], *data[places[-1] :]) if places else updates
    return f"updates of shape {updates}; expected {expected}" if updates != expected else ""


def _pad(node: onnx.NodeProto, inputs: Sequence[Any]) -> str:
    mode = next((a.s.decode(errors="replace") for a in node.attribute if a.name == "mode"), "constant")
    pads = next((list(a.ints) for a in node.attribute if a.name == "pads"), None)
    if pads is None and len(inputs) > 1 and isinstance(inputs[1], Tensor):
        pads = inputs[1].reshape(-1).tolist()
    shape = tuple(inputs[0].shape)
    axes = range(len(shape))
    if len(inputs) > len(("data", "pads", "value")) and isinstance(inputs[3], Tensor):
        axes = [int(axis) % len(shape) for axis in inputs[3].reshape(-1).tolist()]  # type: ignore[assignment]
    if mode != "reflect" or pads is None or len(pads) != 2 * len(axes):
        return ""
    wrong = [(n, axis) for n, axis in zip(pads, [*axes, *axes], strict=True) if n >= shape[axis]]
    return f"{wrong[0][0]} numbers to reflect at axis {wrong[0][1]} of {shape[wrong[0][1]]}" if wrong else ""


def _number(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)


_CHECKS: dict[str, Callable[[onnx.NodeProto, Sequence[Any]], str]] = {
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), _pool),
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool"), _padded_pool),
    "CumSum": _sum,
    "ReverseSequence": _reverse,
    "ScatterND": _scatter,
    "Pad": _pad,
}
