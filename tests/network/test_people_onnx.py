"""ONNX models as people have them: quantised weights, old operator sets, comparisons, classical models, recurrence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from splinescope import Slice
from splinescope.errors import UnsupportedOpError
from splinescope.network import Network, from_onnx
from tests.network.agreement import check_cells, inputs, onnx_model

RNG = np.random.default_rng(0)
ZERO, ONE = np.float32(0), np.float32(1)


def reals(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def bytes_of(*shape: int, kind: Any = np.int8) -> np.ndarray:
    return RNG.integers(0, 127, size=shape).astype(kind)


def node(op: str, names: str, output: str = "y", **attributes: Any) -> onnx.NodeProto:
    """A node with inputs by name; a dot stands for none."""
    return helper.make_node(op, [n.strip(".") for n in names.split()], output.split(), **attributes)


def quantised(opset: int, constants: dict[str, Any], **attributes: Any) -> onnx.ModelProto:
    nodes = [node("DequantizeLinear", " ".join(constants), "w", **attributes), node("MatMul", "x w", "h")]
    return onnx_model([*nodes, node("Relu", "h")], ["N", 4], constants, opset)


def four_bits() -> onnx.ModelProto:
    model = quantised(21, {"s": np.float32(0.02)})
    model.graph.initializer.append(helper.make_tensor("q", TensorProto.INT4, [4, 3], list(range(-6, 6))))
    model.graph.node[0].input[:] = ["q", "s"]
    return model


def behind_relu(nodes: list[onnx.NodeProto], shape: list[int], constants: dict[str, Any], opset: int = 13) -> Any:
    """Nodes that read `r`, which is max(x, 0) - 1."""
    before = [node("Relu", "x", "p"), node("Sub", "p one", "r")]
    return onnx_model([*before, *nodes], ["N", *shape], {"one": ONE, **constants}, opset)


def round_of_a_loop() -> onnx.GraphProto:
    """The next is max(last - k * number of the round, 0)."""
    nodes = [
        node("Cast", "i", "f", to=1),
        node("Mul", "f k", "m"),
        node("Sub", "s m", "d"),
        node("Relu", "d", "t"),
        node("Identity", "t", "u"),
        node("Identity", "c", "again"),
    ]
    kinds = {"i": (TensorProto.INT64, []), "c": (TensorProto.BOOL, []), "again": (TensorProto.BOOL, [])}
    stated = [
        [helper.make_tensor_value_info(name, *kinds.get(name, (TensorProto.FLOAT, ["N", 4]))) for name in names]
        for names in (("i", "c", "s"), ("again", "t", "u"))
    ]
    return helper.make_graph(nodes, "body", *stated)


def resized(scale: float, **attributes: Any) -> onnx.ModelProto:
    scales = np.float32([1, 1, scale, 1])
    return behind_relu([node("Resize", "r . scales", **attributes)], [1, 5, 2], {"scales": scales})


REGIONS = np.array([[0, 0, 3, 4], [1.25, 0.25, 7.5, 3.5], [-4, -3, 9, 9], [2, 2, 2, 2], [30, 30, 40, 40]], np.float32)
"""Regions with the image, partly outside, without extent and wholly outside of it."""


def aligned(opset: int, regions: np.ndarray = REGIONS, **attributes: Any) -> onnx.ModelProto:
    """Regions of two channels of 3 x 3 numbers, side by side in one sample."""
    nodes = [
        node("RoiAlign", "r regions images", "a", output_height=2, output_width=1, spatial_scale=0.5, **attributes),
        node("Reshape", "a row"),
    ]
    images, row = np.zeros(len(regions), np.int64), np.array([1, -1])
    return behind_relu(nodes, [2, 3, 3], {"regions": regions, "images": images, "row": row}, opset)


def classical(op: str, **attributes: Any) -> onnx.ModelProto:
    model = onnx_model([node(op, "x", domain="ai.onnx.ml", **attributes)], ["N", 4], {}, 13)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    return model


WEIGHTS = RNG.normal(size=8).tolist()
RNN = {"w": reals(2, 3, 4), "k": reals(2, 3, 3), "b": reals(2, 6)}
TWO = {"w": reals(1, 3, 4), "k": reals(1, 3, 3)}

MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "int8 of version 10": lambda: quantised(10, {"q": bytes_of(4, 3), "s": np.float32(0.02), "z": np.int8(3)}),
    "uint8 of version 10": lambda: quantised(
        10, {"q": bytes_of(4, 3, kind=np.uint8), "s": np.float32(0.02), "z": np.uint8(9)}
    ),
    "along an axis": lambda: quantised(
        13, {"q": bytes_of(4, 3), "s": np.abs(reals(3)) + ONE, "z": bytes_of(3)}, axis=1
    ),
    "version 19": lambda: quantised(19, {"q": bytes_of(4, 3), "s": np.abs(reals(4)) + ONE, "z": bytes_of(4)}, axis=0),
    "in blocks": lambda: quantised(
        21, {"q": bytes_of(4, 3), "s": np.abs(reals(2, 3)) + ONE, "z": bytes_of(2, 3)}, axis=0, block_size=2
    ),
    "int4": four_bits,
    "int32": lambda: quantised(13, {"q": bytes_of(4, 3, kind=np.int32), "s": np.float32(0.02)}),
    **{
        f"PRelu of version {opset}, {name}": lambda o=opset, s=slope: onnx_model(
            [node("PRelu", "x s")], ["N", 3, 4], {"s": s}, o
        )
        for opset in (7, 8, 9)
        for name, slope in (("channels", reals(3, 1)), ("one", reals(1)), ("last axis", reals(4)))
    },
    **{
        f"Resize {mode} {scale}": lambda m=mode, s=scale: resized(
            s, mode=m, coordinate_transformation_mode="align_corners"
        )
        for mode in ("linear", "cubic", "nearest")
        for scale in (0.6, 1.5, 2.3)
    },
    **{
        f"Resize cubic, {mode}": lambda m=mode, e=outside: resized(
            1.7, mode="cubic", coordinate_transformation_mode=m, cubic_coeff_a=-0.5, exclude_outside=e
        )
        for mode, outside in (
            ("half_pixel", 1), ("pytorch_half_pixel", 0), ("asymmetric", 1), ("half_pixel_symmetric", 0)
        )
    },
    "Compress": lambda: behind_relu([node("Compress", "r c", axis=1)], [4], {"c": np.array([True, False, True])}),
    "a sequence": lambda: behind_relu(
        [
            node("SequenceConstruct", "r one4", "s"), node("SequenceInsert", "s r zero", "t"),
            node("SequenceErase", "t two", "u"), node("ConcatFromSequence", "u", axis=1, new_axis=1),
        ],
        [4], {"one4": np.ones((1, 4), np.float32), "zero": np.array(0), "two": np.array(2)},
    ),
    "parts of a sequence": lambda: behind_relu(
        [
            node("SplitToSequence", "r n", "s", axis=1), node("SequenceAt", "s last", "a"),
            node("SequenceAt", "s zero", "b"), node("SequenceLength", "s", "l"), node("Cast", "l", "m", to=1),
            node("Mul", "b m", "c"), node("Add", "a c"),
        ],
        [4], {"n": np.array([2, 2]), "last": np.array(-1), "zero": np.array(0)},
    ),
    "GridSample": lambda: behind_relu(
        [node("GridSample", "r g", align_corners=1, padding_mode="border")], [1, 3, 2],
        {"g": RNG.uniform(-1, 1, (1, 2, 3, 2)).astype(np.float32)}, 16,
    ),
    "RoiAlign of version 10": lambda: aligned(10, sampling_ratio=0),
    "RoiAlign of version 16": lambda: aligned(16, sampling_ratio=2),
    "RoiAlign, output_half_pixel": lambda: aligned(16, coordinate_transformation_mode="output_half_pixel"),
    "RoiAlign of maxima of version 10": lambda: aligned(10, REGIONS[1:2], mode="max", sampling_ratio=1),
    "RoiAlign of maxima": lambda: aligned(16, REGIONS[1:2], mode="max", sampling_ratio=1),
    "Col2Im": lambda: behind_relu(
        [node("Col2Im", "r size block", dilations=[1, 2], strides=[1, 2], pads=[0, 1, 1, 0])], [12, 6],
        {"size": np.array([3, 6]), "block": np.array([2, 3])}, 18,
    ),
    "MaxUnpool": lambda: behind_relu(
        [node("MaxUnpool", "r places", kernel_shape=[2, 2], strides=[2, 2])], [1, 2, 2],
        {"places": np.array([[[[5, 2], [8, 15]]]])}, 11,
    ),
    "Loop": lambda: behind_relu(
        [node("Loop", "n . r", "last all", body=round_of_a_loop()), node("Add", "last all", "s"),
         node("ReduceSum", "s axes", keepdims=0)],
        [4], {"n": np.array(3), "k": np.float32(0.3), "axes": np.array([0])}, 16,
    ),
    "EyeLike": lambda: onnx_model([node("EyeLike", "x", "e", k=1), node("Add", "x e", "h"), node("Relu", "h")], [3, 3],
                                  {}, 13),
    "optional": lambda: behind_relu(
        [node("Optional", "r", "o"), node("OptionalGetElement", "o", "g"), node("Neg", "g")], [4], {}, 15
    ),
    "Resize nearest of ties": lambda: resized(2.3, mode="nearest"),
    "Where": lambda: onnx_model(
        [node("Greater", "x z", "c"), node("Mul", "x k", "m"), node("Where", "c x m")],
        ["N", 4],
        {"z": ZERO, "k": np.float32(0.1)},
        13,
    ),
    "mask": lambda: onnx_model(
        [node("LessOrEqual", "z x", "c"), node("Cast", "c", "m", to=1), node("Mul", "x m")], ["N", 4], {"z": ZERO}, 16
    ),
    "logic": lambda: onnx_model(
        [
            node("Less", "x one", "a"), node("Greater", "x z", "b"), node("And", "a b", "c"), node("Not", "b", "d"),
            node("Where", "c x one", "e"), node("Where", "d z e"),
        ],
        ["N", 4], {"z": ZERO, "one": ONE}, 13,
    ),
    "larger of two": lambda: onnx_model(
        [node("Split", "x", "a b", axis=1), node("Greater", "a b", "c"), node("Where", "c a b")], ["N", 4], {}, 11
    ),
    "IsNaN": lambda: onnx_model([node("IsNaN", "x", "n"), node("Where", "n z x", "w"), node("Relu", "w")], ["N", 4],
                                {"z": ZERO}, 13),
    "Sign": lambda: onnx_model([node("Sign", "x", "s"), node("Mul", "x s")], ["N", 4], {}, 13),
    "TopK": lambda: behind_relu([node("TopK", "r k", "y i", axis=1)], [5], {"k": np.array([2])}),
    "TopK of version 9": lambda: behind_relu([node("TopK", "r", "y i", axis=1, k=2)], [5], {}, 9),
    "CumSum": lambda: behind_relu([node("CumSum", "r k", exclusive=1, reverse=1)], [5], {"k": np.array(1)}),
    "LpPool": lambda: behind_relu([node("LpPool", "r", kernel_shape=[3], p=1, strides=[2], pads=[1, 0])], [2, 6], {}),
    "GlobalLpPool": lambda: behind_relu([node("GlobalLpPool", "r", p=1)], [2, 6], {}),
    "Pow": lambda: behind_relu([node("Pow", "r one")], [4], {}),
    "Softplus": lambda: behind_relu([node("Softplus", "r")], [4], {}),
    "Exp": lambda: behind_relu([node("Exp", "r")], [4], {}),
    "2 tanh": lambda: behind_relu([node("Tanh", "r", "t"), node("Mul", "t k", "u"), node("Add", "u k")], [4],
                                  {"k": reals(4)}),
    "two sigmoids": lambda: behind_relu(
        [node("Gemm", "r v", "g"), node("Sigmoid", "g", "s"), node("Sub", "one s", "t"), node("Concat", "t s", axis=1)],
        [4], {"v": reals(4, 1)},
    ),
    "RNN": lambda: onnx_model(
        [node("RNN", "x w k b", hidden_size=3, activations=["Relu", "Relu"], direction="bidirectional")],
        [2, 1, 4], RNN, 14,
    ),
    "last state of an RNN": lambda: onnx_model(
        [node("RNN", "x w k", "h y", hidden_size=3, activations=["Relu"], direction="reverse")], [2, 1, 4], TWO, 14
    ),
    "Scaler": lambda: classical("Scaler", offset=[0.5, 1.0, -1.0, 0.0], scale=[2.0, 1.0, 0.5, 3.0]),
    "LinearRegressor": lambda: classical("LinearRegressor", coefficients=WEIGHTS, intercepts=[0.5, -1.0], targets=2),
}  # fmt: skip


def run(path: Path, network: Network, x: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of inputs one by one, without optimising what it was given."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    lead = (1,) * (len(session.get_inputs()[0].shape) - len(network.input_shape))
    return np.stack([session.run(["y"], {"x": row.reshape(*lead, *row.shape)})[0] for row in x])


@pytest.mark.parametrize("name", MODELS)
def test_model_agrees_with_onnxruntime_and_its_cells_are_proved(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(MODELS[name](), path)
    network = from_onnx(path)
    assert network.import_report.reference == "onnxruntime"
    for scale in (0.1, 1.0, 10.0):
        x = scale * inputs(network.input_shape).float()
        y = network(x.double())
        y = (y if network.head is None else network.head(y)).numpy()
        expected = run(path, network, x.numpy()).reshape(y.shape)
        finite = np.isfinite(expected)
        np.testing.assert_allclose(y[finite], expected[finite], rtol=1e-5, atol=1e-5 * np.abs(expected[finite]).max())
    corners = np.random.default_rng(1).normal(size=(3, *network.input_shape))
    check_cells(network, Slice.through(*corners, margin=1.0))


REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "jump": (
        lambda: onnx_model(
            [node("Greater", "x z", "c"), node("Where", "c x one")], ["N", 4], {"z": ZERO, "one": ONE}, 13
        ),
        r"node `y` \(Where\): it jumps from 1 to 0 where `x` is 0$",
    ),
    "activations": (
        lambda: onnx_model([node("QuantizeLinear", "x s", "q"), node("DequantizeLinear", "q s")], ["N", 4], {"s": ONE}),
        r"\(QuantizeLinear\): it jumps",
    ),
    **{
        f"batch-norm of version {opset} in training": (
            lambda o=opset, a=attributes, n=names: onnx_model(
                [node("BatchNormalization", "x s s s s", n, **a)], [1, 3], {"s": np.ones(3, np.float32)}, o
            ),
            r"\(BatchNormalization\): it normalises by statistics of its own input",
        )
        for opset, attributes, names in ((15, {"training_mode": 1}, "y a b"), (9, {}, "y a b c d"))
    },
    "LSTM": (
        lambda: onnx_model(
            [node("LSTM", "x w r", hidden_size=2)], [2, 1, 4], {"w": reals(1, 8, 4), "r": reals(1, 8, 2)}
        ),
        r"\(LSTM\): it multiplies",
    ),
    "tanh cells": (
        lambda: onnx_model([node("RNN", "x w k", hidden_size=3)], [2, 1, 4], TWO),
        r"\(RNN\): its activation is Tanh",
    ),
    "many steps": (
        lambda: onnx_model([node("RNN", "x w k", hidden_size=3, activations=["Relu"])], [1001, 1, 4], TWO),
        r"\(RNN\): it has 1,001 steps; splinescope writes out at most 1,000",
    ),
    "place in a sequence": (
        lambda: onnx_model(
            [
                node("ArgMax", "x", "i", axis=1, keepdims=0),
                node("Squeeze", "i", "j"),
                node("SequenceConstruct", "x x", "s"),
                node("SequenceAt", "s j"),
            ],
            [1, 4],
            {},
            13,
        ),
        r"\((ArgMax|SequenceAt)\): it",
    ),
    "regions": (
        lambda: onnx_model(
            [
                node("Slice", "x from to", "corners"),
                node("Reshape", "corners four", "regions"),
                node("RoiAlign", "x regions images"),
            ],
            [1, 1, 2, 2],
            {
                "from": np.zeros(4, np.int64),
                "to": np.array([1, 1, 2, 2]),
                "four": np.array([1, 4]),
                "images": np.zeros(1, np.int64),
            },
        ),
        r"\(RoiAlign\): its regions depend on the input",
    ),
    "Normalizer": (lambda: classical("Normalizer"), r"\(Normalizer\): it normalises"),
    "trees": (lambda: classical("TreeEnsembleRegressor"), "does not know this op of the operator set ai.onnx.ml"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_true_line(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    onnx.save(make(), tmp_path / "model.onnx")
    with pytest.raises(UnsupportedOpError, match=reason) as caught:
        from_onnx(tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_names_of_classes_may_lead_to_probabilities(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", "x w", "s"), node("Softmax", "s", "p"), node("ArgMax", "p", "label", axis=1, keepdims=0),
        node("ZipMap", "p", "named", domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]),
    ]  # fmt: skip
    model = onnx_model(nodes, ["N", 4], {"w": reals(4, 3)}, 13)
    del model.graph.output[:]
    mapping = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]))
    model.graph.output.append(helper.make_value_info("named", helper.make_sequence_type_proto(mapping)))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    onnx.save(model, tmp_path / "model.onnx")
    network = from_onnx(tmp_path / "model.onnx", output="named")
    assert (network.import_report.reference, network.output_shape) == ("onnxruntime", (3,))


@pytest.mark.parametrize(("slope", "told"), [(0.1, True), (None, True), (0.25, False)])
def test_slopes_that_float32_rounds_are_told(slope: float | None, told: bool, tmp_path: Path) -> None:
    attributes = {} if slope is None else {"alpha": slope}
    onnx.save(onnx_model([node("LeakyRelu", "x", **attributes)], ["N", 4]), tmp_path / "model.onnx")
    network = from_onnx(tmp_path / "model.onnx")
    stored = float(np.float32(0.01 if slope is None else slope))
    assert network(np.full(4, -1.0)).tolist() == [-stored] * 4
    notes = " ".join(network.import_report.notes)
    assert (f"of `y` as the float32 {stored!r}; a torch module" in notes) == told


@pytest.mark.parametrize("opset", range(6, onnx.defs.onnx_opset_version() + 1))
def test_operator_sets_agree(opset: int, tmp_path: Path) -> None:
    """One small graph of what every version has, in each version that onnxruntime runs."""
    nodes = [
        node("Conv", "x w b", "c", kernel_shape=[2]),
        node("Relu", "c", "r"),
        node("MaxPool", "r", "m", kernel_shape=[2]),
        node("Transpose", "m", "t", perm=[0, 2, 1]),
        node("Flatten", "t", "f"),
        node("Gemm", "f v d", transB=1),
    ]
    attributes = {"broadcast": 1} if opset < 7 else {}
    nodes[-1].attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    constants = {"w": reals(3, 2, 2), "b": reals(3), "v": reals(2, 12), "d": reals(2)}
    model = onnx_model(nodes, ["N", 2, 6], constants, opset)
    onnx.save(model, tmp_path / "model.onnx")
    network = from_onnx(tmp_path / "model.onnx")
    assert network.import_report.reference in ("onnxruntime", "onnx reference")
    assert network.num_units == 27
    assert numpy_helper.to_array(model.graph.initializer[0]).shape == (3, 2, 2)
