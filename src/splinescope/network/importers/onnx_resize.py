"""Resize and Upsample of ONNX, one axis at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.onnx_handlers import Call
from splinescope.network.importers.views import Value, Variable
from splinescope.storage import check_content

_OPSET = 18


def resize(b: Builder, c: Call) -> Value:
    """Nearest, linear or cubic interpolation along each axis that changes."""
    x = b.variable(c.value(0))
    options = {name: value for name, value in c.attributes.items() if name not in ("axes", "scales")}
    if options.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        raise b.refusal("splinescope does not know its mode tf_crop_and_resize")
    if options.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise b.refusal("splinescope does not know its keep_aspect_ratio_policy")
    scales, sizes = _targets(b, c)
    if c.op == "Upsample" or c.opset < 11:
        options = {"mode": options.get("mode", "nearest"), "coordinate_transformation_mode": "asymmetric"}
        options["nearest_mode"] = "floor"
    options.pop("keep_aspect_ratio_policy", None)
    axes = [int(a) % len(x.shape) for a in c.attributes.get("axes", range(len(x.shape)))]
    nearest = options.get("mode", "nearest") == "nearest"
    matrices: dict[int, Tensor] = {}
    _check_size(b, x.shape, axes, scales, sizes)
    for i, axis in enumerate(axes):
        scale, size = None if scales is None else scales[i], None if sizes is None else sizes[i]
        if (scale if size is None else size / x.shape[axis]) == 1:
            continue
        if options.get("coordinate_transformation_mode") == "align_corners" and scale is not None:
            scale, size = None, int(np.floor(np.float32(scale) * x.shape[axis]))
        if nearest:
            x = _taken(b, x, _nearest(x.shape[axis], options, scale, size), axis)
        else:
            rows = [_along(row, options, scale, size) for row in np.eye(x.shape[axis])]
            matrices[axis] = torch.from_numpy(np.stack(rows, axis=1))
    return affine.along_axes(b, x, matrices)


def _check_size(
    b: Builder, shape: tuple[int, ...], axes: list[int], scales: list[float] | None, sizes: list[int] | None
) -> None:
    """Refuse what would not fit in memory before it is made; inference of shapes knows no scales of other types."""
    grown = [float(n) for n in shape]
    for i, axis in enumerate(axes):
        grown[axis] = float(sizes[i]) if sizes is not None else grown[axis] * (1.0 if scales is None else scales[i])
    size = 32 * math.prod(grown)
    check_content(int(size) if math.isfinite(size) else 1 << 62, f"`model`: node `{b.origin}` ({b.op})")


def _taken(b: Builder, x: Variable, places: np.ndarray, axis: int) -> Variable:
    return b.rearrange(lambda array: np.take(array, places, axis=axis), x)[0]


def _targets(b: Builder, c: Call) -> tuple[list[float] | None, list[int] | None]:
    """Scales, or sizes, whichever the node gives."""
    if "scales" in c.attributes:
        return [float(s) for s in c.attributes["scales"]], None
    first = 1 if c.op == "Upsample" or c.opset < 11 else 2
    scales = c.constant(b, first)
    if scales is not None and scales.numel():
        return [float(s) for s in scales.reshape(-1).tolist()], None
    sizes = c.constant(b, 3)
    assert sizes is not None
    return None, [int(n) for n in sizes.reshape(-1).tolist()]


def _nearest(n: int, options: dict[str, object], scale: float | None, size: int | None) -> np.ndarray:
    """Positions of the numbers that are taken, found in float32 like onnxruntime's, which decides ties."""
    mode, one = options.get("coordinate_transformation_mode", "half_pixel"), np.float32(1)
    if mode not in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"):
        return _along(np.arange(n, dtype=np.float64), options, scale, size).astype(np.int64)
    factor = np.float32(size) / np.float32(n) if scale is None else np.float32(scale)
    count = int(np.floor(factor * np.float32(n))) if size is None else size
    at = np.arange(count, dtype=np.float32)
    if mode == "asymmetric":
        at = at / factor
    elif mode == "align_corners":
        at = at * np.float32(n - 1) / np.float32(max(1, count - 1))
    else:
        at = (at + one / 2) / factor - one / 2
        at = at if mode == "half_pixel" or count > 1 else np.zeros_like(at)
    rounding: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_ceil": lambda x: np.floor(x + one / 2),
        "round_prefer_floor": lambda x: np.ceil(x - one / 2),
    }
    return np.clip(rounding[str(options.get("nearest_mode", "round_prefer_floor"))](at), 0, n - 1).astype(np.int64)


def _along(row: np.ndarray, options: dict[str, object], scale: float | None, size: int | None) -> np.ndarray:
    """Resize a vector, by the reference implementation of ONNX."""
    names = ["x", "", "scales"] if size is None else ["x", "", "", "sizes"]
    node = onnx.helper.make_node("Resize", names, ["y"], **options)
    kind = onnx.TensorProto.DOUBLE
    graph = onnx.helper.make_graph(
        [node],
        "resize",
        [onnx.helper.make_tensor_value_info("x", kind, [len(row)])],
        [onnx.helper.make_tensor_value_info("y", kind, None)],
        [
            onnx.numpy_helper.from_array(np.array([scale], np.float32), "scales")
            if size is None
            else onnx.numpy_helper.from_array(np.array([size], np.int64), "sizes")
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", _OPSET)])
    return np.asarray(ReferenceEvaluator(model).run(None, {"x": row})[0], np.float64)
