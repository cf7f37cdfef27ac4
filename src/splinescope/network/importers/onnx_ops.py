"""The table of ONNX ops: which handler imports which."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.importers import onnx_further as further
from splinescope.network.importers import onnx_handlers as handlers
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.module_copy import first_line
from splinescope.network.importers.onnx_handlers import Call, Handler
from splinescope.network.importers.onnx_recurrent import recurrent
from splinescope.network.importers.onnx_regions import region_align
from splinescope.network.importers.onnx_resize import resize
from splinescope.network.importers.onnx_sequences import SEQUENCES
from splinescope.network.importers.rearrangements import move
from splinescope.network.importers.refusals import reason_for
from splinescope.network.importers.views import DEPENDENT, Smooth, Step, Value

_FLOATS = {getattr(onnx.TensorProto, name) for name in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")}
_HALVES = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
_MOVED = {
    **dict.fromkeys(
        (
            "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Gather", "GatherElements",
            "GatherND", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Trilu", "CenterCropPad", "ReverseSequence",
            "Compress",
        ),
        (0,),
    ),
    "ScatterND": (0, 2),
    "ScatterElements": (0, 2),
}  # fmt: skip
"""Ops that only move numbers, and which of their inputs hold the numbers; None for all."""

_COMPARISONS = {"Greater": "gt", "GreaterOrEqual": "ge", "Less": "lt", "LessOrEqual": "le"}
_LOGIC = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Not": np.logical_not}
_CLASSICAL: dict[str, Handler] = {
    "Scaler": further.scaler,
    "LinearRegressor": further.linear_model,
    "LinearClassifier": further.linear_model,
    "Normalizer": further.normalised,
    "Imputer": further.imputer,
    "ZipMap": handlers.same,
}
"""Ops of the domain `ai.onnx.ml`; what `ZipMap` returns are the same numbers under names."""

_HANDLERS: dict[str, Handler] = {
    "Gemm": handlers.gemm,
    "MatMul": handlers.matmul,
    "Einsum": handlers.einsum,
    "Add": handlers.add,
    "Sub": handlers.subtract,
    "Mul": handlers.multiply,
    "Div": handlers.divide,
    "Neg": handlers.negate,
    "Sum": handlers.total,
    "Mean": handlers.total,
    "Conv": handlers.convolution,
    "ConvTranspose": handlers.convolution_transposed,
    "BatchNormalization": handlers.batch_norm,
    "AveragePool": handlers.average_pool,
    "GlobalAveragePool": handlers.global_average,
    "MaxPool": handlers.max_pool,
    "GlobalMaxPool": handlers.global_max,
    "ReduceSum": handlers.reduce_linear,
    "ReduceMean": handlers.reduce_linear,
    "ReduceL1": handlers.reduce_linear,
    "ReduceMax": handlers.reduce_extreme,
    "ReduceMin": handlers.reduce_extreme,
    "Max": handlers.extreme,
    "Min": handlers.extreme,
    "Clip": handlers.clip,
    "Relu": handlers.relu,
    "Abs": handlers.absolute,
    "LeakyRelu": handlers.leaky_relu,
    "PRelu": handlers.prelu,
    "HardSigmoid": handlers.hard_sigmoid,
    "ThresholdedRelu": handlers.thresholded_relu,
    "Shrink": handlers.shrink,
    "Softmax": handlers.head("softmax"),
    "LogSoftmax": handlers.head("log_softmax"),
    "Sigmoid": handlers.head("sigmoid"),
    "Tanh": handlers.head("tanh"),
    "Identity": handlers.same,
    "Dropout": handlers.same,
    "LogSigmoid": handlers.head("log_sigmoid"),
    "Softplus": handlers.head("softplus"),
    "Exp": handlers.head("exp"),
    "Where": further.where,
    **{name: further.comparison(short) for name, short in _COMPARISONS.items()},
    **{name: further.logical(function) for name, function in _LOGIC.items()},
    "IsNaN": further.finiteness,
    "IsInf": further.finiteness,
    "Sign": further.sign,
    "TopK": further.top,
    "CumSum": further.running_sum,
    "LpPool": further.norm_pool,
    "GlobalLpPool": further.norm_pool,
    "Pow": further.power,
    "DequantizeLinear": further.dequantize,
    "RNN": recurrent,
    "Pad": further.pad,
    "GridSample": further.grid_sample,
    "RoiAlign": region_align,
    "EyeLike": further.identity,
    "Col2Im": further.columns_to_image,
    "MaxUnpool": further.unpool,
    "Resize": resize,
    "Upsample": resize,
}


def described() -> dict[str, str]:
    """What each op becomes, in a line: the documentation's table."""
    lines = {name: (handler.__doc__ or "").splitlines()[0] for name, handler in _HANDLERS.items()}
    lines.update(dict.fromkeys((*_MOVED, "Concat"), "Only moves numbers."))
    lines.update(dict.fromkeys(("Shape", "Size"), "Only looks at the shape."))
    lines.update(dict.fromkeys(("Cast", "CastLike"), "A cast between types of real numbers, which changes nothing."))
    lines.update({name: (handler.__doc__ or "").splitlines()[0] for name, handler in SEQUENCES.items()})
    lines["If"] = "The branch of a constant condition."
    lines["Loop"] = "Its rounds one by one, where constants say how many."
    return lines


def handle(b: Builder, node: onnx.NodeProto, call: Call) -> list[Any]:
    """Import one node of which at least one argument depends on the input.

    Args:
        b: The builder.
        node: The node.
        call: Its arguments.

    Returns:
        Its outputs, values or None.
    """
    if node.domain not in ("", "ai.onnx"):
        known = _CLASSICAL if node.domain == "ai.onnx.ml" else {}
        if call.op not in known:
            raise b.refusal(f"splinescope does not know this op of the operator set {node.domain}")
        result = known[call.op](b, call)
        return list(result) if isinstance(result, tuple) else [result]
    if call.op in ("Shape", "Size"):
        return [_shape(call)]
    if call.op in ("Cast", "CastLike"):
        return [_cast(b, call)]
    if call.op in _MOVED or call.op == "Concat":
        return _moved(b, node, call)
    if call.op in _HANDLERS:
        result = _HANDLERS[call.op](b, call)
        return list(result) if isinstance(result, tuple) else [result]
    for value in call.inputs:
        if isinstance(value, Smooth):
            b.variable(value)
    raise b.refusal(reason_for(call.op))


def _shape(call: Call) -> Tensor:
    shape = call.value(0).shape
    if call.op == "Size":
        return torch.tensor(int(np.prod(shape, dtype=np.int64)))
    start, stop = call.attributes.get("start", 0), call.attributes.get("end")
    return torch.tensor(tuple(shape)[slice(start, stop)], dtype=torch.int64)


def _cast(b: Builder, call: Call) -> Value:
    """A cast between real types, which changes nothing here."""
    if isinstance(call.value(0), Step):
        return call.value(0)
    if call.op == "Cast" and call.attributes["to"] not in _FLOATS:
        kind = onnx.TensorProto.DataType.Name(call.attributes["to"])
        raise b.refusal(f"it rounds to {kind}, and so it jumps: it is not continuous")
    if call.op == "Cast" and call.attributes["to"] in _HALVES:
        b.unit = max(b.unit, 2.0**-7)
    return call.value(0)


def _moved(b: Builder, node: onnx.NodeProto, call: Call) -> list[Any]:
    """An op that only moves numbers: the reference implementation of ONNX moves the indices."""
    reduction = next((a.s.decode(errors="replace") for a in node.attribute if a.name == "reduction"), "none")
    if reduction != "none":
        raise b.refusal(f"it reduces by {reduction!r} what it scatters; expected numbers that are only moved")
    places = _MOVED.get(call.op) or tuple(range(len(call.inputs)))
    for place, value in enumerate(call.inputs):
        if place not in places and isinstance(value, DEPENDENT):
            raise b.refusal("it looks up positions that depend on the input, so that its result may jump")
    values = [call.value(place) for place in places]

    def function(*arrays: np.ndarray) -> np.ndarray | list[np.ndarray]:
        given = list(call.inputs)
        for place, array in zip(places, arrays, strict=True):
            given[place] = torch.from_numpy(np.ascontiguousarray(array))
        results = run_node(node, given, call.opset)
        return results if call.op == "Split" else results[0]

    result = move(b, function, values)
    return result if isinstance(result, list) else [result]


def run_node(node: onnx.NodeProto, inputs: list[Any], opset: int) -> list[np.ndarray]:
    """Run one node on constants, by the reference implementation of ONNX.

    Args:
        node: The node.
        inputs: Tensors, None where an optional one is left out.
        opset: Version of the default operator set.

    Returns:
        Its outputs.

    Raises:
        InvalidInputError: If it does not run.
    """
    fast = _FAST.get(node.op_type)
    arrays = [None if value is None else value.numpy() for value in inputs]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    try:
        if fast is not None:
            return [np.asarray(fast(arrays, attributes))]
        return _run_reference(node, arrays, opset)
    except Exception as error:
        raise InvalidInputError(
            f"`model`: node `{node.name or node.output[0]}` ({node.op_type}) does not fit the input of one sample: "
            f"{first_line(error)}; expected a model for a batch of 1 or of any size"
        ) from error


def _run_reference(node: onnx.NodeProto, arrays: list[Any], opset: int) -> list[np.ndarray]:
    feeds = {name: array for name, array in zip(node.input, arrays, strict=False) if array is not None}
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in feeds.items()}
    inputs = [onnx.helper.make_tensor_value_info(name, kinds[name], array.shape) for name, array in feeds.items()]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "node", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    return [np.asarray(result) for result in ReferenceEvaluator(model).run(None, feeds)]


def _reshape(arrays: list[Any], attributes: dict[str, Any]) -> np.ndarray:
    data = arrays[0]
    wanted = [int(n) for n in (arrays[1] if len(arrays) > 1 else attributes["shape"])]
    if not attributes.get("allowzero"):
        wanted = [data.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return data.reshape(wanted)


_FAST: dict[str, Any] = {
    "DequantizeLinear": further.dequantized,
    "Reshape": _reshape,
    "Transpose": lambda arrays, a: np.transpose(arrays[0], a.get("perm")),
    "Concat": lambda arrays, a: np.concatenate(arrays, axis=a.get("axis", 1)),
    "Gather": lambda arrays, a: np.take(arrays[0], arrays[1].astype(np.int64), axis=a.get("axis", 0)),
}
"""Common ops by numpy itself, since the reference implementation has other ideas of old versions."""
