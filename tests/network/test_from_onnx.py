"""Small ONNX graphs of all supported ops agree with onnxruntime."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from splinescope.errors import InvalidInputError
from splinescope.network import from_onnx
from splinescope.network.ops import Dense, Maximum, PiecewiseAffine
from tests.network.agreement import check_onnx, onnx_model

RNG = np.random.default_rng(0)


def reals(*shape: int) -> np.ndarray:
    """Fixed random weights."""
    return RNG.normal(size=shape).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    """Integers."""
    return np.array(values, np.int64)


Case = tuple[str, list[int], dict[str, np.ndarray], dict[str, Any], int]
"""Op, shape of `x` without the batch, constants in the order of the op's further inputs, attributes, opset."""

CASES: list[Case] = [
    ("Gemm", [4], {"w": reals(3, 4), "c": reals(3)}, {"transB": 1, "alpha": 0.5, "beta": 2.0}, 13),
    ("Gemm", [4], {"w": reals(4, 3), "c": reals(1, 3)}, {}, 9),
    ("Gemm", [4], {"w": reals(4, 3)}, {}, 13),
    ("MatMul", [3, 4], {"w": reals(4, 5)}, {}, 13),
    ("MatMul", [1, 3, 4], {"w": reals(2, 4, 5)}, {}, 13),
    ("Einsum", [3, 4], {"w": reals(4, 5)}, {"equation": "bij,jk->bki"}, 13),
    ("Add", [3, 4], {"c": reals(4)}, {}, 13),
    ("Sub", [3, 4], {"c": reals(3, 1)}, {}, 7),
    ("Mul", [3, 4], {"c": reals(1, 3, 4)}, {}, 13),
    ("Div", [3, 4], {"c": reals(4)}, {}, 13),
    ("Sum", [4], {"c": reals(4), "d": reals(1)}, {}, 13),
    ("Mean", [4], {"c": reals(4), "d": reals(1, 4)}, {}, 13),
    ("Max", [4], {"c": reals(4), "d": reals(1)}, {}, 13),
    ("Min", [4], {"c": reals(4)}, {}, 13),
    ("Conv", [2, 9], {"w": reals(3, 2, 3), "b": reals(3)}, {"pads": [2, 0], "strides": [2]}, 11),
    ("Conv", [4, 6, 7], {"w": reals(4, 2, 3, 2)}, {"group": 2, "dilations": [2, 1], "pads": [1, 0, 2, 1]}, 11),
    ("Conv", [2, 6, 7], {"w": reals(3, 2, 3, 2)}, {"auto_pad": "SAME_UPPER", "strides": [2, 3]}, 11),
    ("Conv", [2, 6, 7], {"w": reals(3, 2, 4, 4)}, {"auto_pad": "SAME_LOWER"}, 11),
    ("Conv", [1, 4, 4, 4], {"w": reals(2, 1, 2, 2, 2)}, {}, 11),
    ("ConvTranspose", [2, 4], {"w": reals(2, 3, 3), "b": reals(3)},
     {"strides": [2], "pads": [1, 0], "output_padding": [1]}, 11),
    ("ConvTranspose", [4, 4, 3], {"w": reals(4, 3, 3, 3)}, {"group": 2, "dilations": [2, 1], "strides": [2, 2]}, 11),
    ("ConvTranspose", [2, 4, 4], {"w": reals(2, 3, 3, 3)}, {"strides": [2, 2], "output_shape": [8, 8]}, 11),
    ("ConvTranspose", [2, 4, 4], {"w": reals(2, 3, 3, 3)}, {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, 11),
    ("BatchNormalization", [3, 4, 4], {"s": reals(3), "b": reals(3), "m": reals(3), "v": reals(3) ** 2},
     {"epsilon": 0.1}, 15),
    ("BatchNormalization", [3], {"s": reals(3), "b": reals(3), "m": reals(3), "v": reals(3) ** 2}, {}, 9),
    ("AveragePool", [2, 7], {}, {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}, 11),
    ("AveragePool", [2, 6, 7], {}, {"kernel_shape": [3, 2], "pads": [1, 1, 1, 0], "count_include_pad": 1}, 11),
    ("AveragePool", [2, 6, 7], {}, {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, 11),
    ("GlobalAveragePool", [2, 6, 7], {}, {}, 11),
    ("MaxPool", [2, 9], {}, {"kernel_shape": [3], "strides": [2], "pads": [1, 0]}, 12),
    ("MaxPool", [2, 6, 7], {}, {"kernel_shape": [2, 2], "dilations": [2, 2]}, 12),
    ("MaxPool", [2, 6, 7], {}, {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, 12),
    ("MaxPool", [2, 6, 7], {}, {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}, 12),
    ("GlobalMaxPool", [2, 6, 7], {}, {}, 12),
    ("ReduceSum", [3, 4], {"axes": whole(1)}, {"keepdims": 0}, 13),
    ("ReduceSum", [3, 4], {}, {"axes": [2]}, 11),
    ("ReduceMean", [3, 4], {"axes": whole(1, 2)}, {}, 18),
    ("ReduceMax", [3, 4], {}, {"axes": [1], "keepdims": 0}, 13),
    ("ReduceMin", [3, 4], {"axes": whole(-1)}, {}, 18),
    ("ReduceL1", [3, 4], {}, {"axes": [-1]}, 13),
    ("Relu", [4], {}, {}, 14),
    ("LeakyRelu", [4], {}, {"alpha": 0.3}, 16),
    ("PRelu", [3, 4], {"s": reals(3, 1)}, {}, 16),
    ("Abs", [4], {}, {}, 13),
    ("Neg", [4], {}, {}, 13),
    ("Clip", [4], {"low": np.float32(-0.5), "high": np.float32(0.7)}, {}, 13),
    ("Clip", [4], {}, {"min": -0.5, "max": 0.7}, 6),
    ("Clip", [4], {}, {"min": 0.0}, 6),
    ("HardSigmoid", [4], {}, {"alpha": 0.3, "beta": 0.4}, 6),
    ("ThresholdedRelu", [4], {}, {"alpha": 0.0}, 10),
    ("Shrink", [4], {}, {"bias": 0.4, "lambd": 0.4}, 9),
    ("Identity", [4], {}, {}, 13),
    ("Dropout", [4], {}, {}, 13),
    ("Cast", [4], {}, {"to": onnx.TensorProto.FLOAT}, 13),
    ("Flatten", [3, 4], {}, {"axis": 2}, 13),
    ("Flatten", [3, 4], {}, {"axis": 0}, 13),
    ("Reshape", [3, 4], {"shape": whole(0, -1, 2)}, {}, 13),
    ("Squeeze", [3, 1], {"axes": whole(2)}, {}, 13),
    ("Squeeze", [3, 1], {}, {"axes": [2]}, 11),
    ("Unsqueeze", [3], {"axes": whole(1)}, {}, 13),
    ("Unsqueeze", [3], {}, {"axes": [1]}, 11),
    ("Transpose", [3, 4], {}, {"perm": [0, 2, 1]}, 13),
    ("Slice", [5, 4], {"starts": whole(4, 1), "ends": whole(-9, 9), "axes": whole(1, 2), "s": whole(-2, 1)}, {}, 13),
    ("Slice", [5, 4], {}, {"starts": [1], "ends": [3], "axes": [1]}, 9),
    ("Gather", [5, 4], {"i": whole(3, 0, -1)}, {"axis": 1}, 13),
    ("Gather", [5, 4], {"i": np.array(2)}, {"axis": 2}, 13),
    ("GatherElements", [2, 3], {"i": np.array([[[1, 0, 1]]])}, {"axis": 1}, 13),
    ("Expand", [1, 4], {"shape": whole(1, 3, 4)}, {}, 13),
    ("Tile", [2, 3], {"repeats": whole(1, 2, 2)}, {}, 13),
    ("Pad", [3, 4], {"pads": whole(0, 1, 0, 0, 0, 2), "value": np.float32(1.5)}, {}, 13),
    ("Pad", [3, 4], {"pads": whole(0, 0, 1, 0, -1, 2)}, {"mode": "reflect"}, 13),
    ("Pad", [3, 4], {}, {"pads": [0, 1, 0, 0, 0, 2], "mode": "edge"}, 10),
    ("DepthToSpace", [8, 2, 3], {}, {"blocksize": 2, "mode": "CRD"}, 13),
    ("SpaceToDepth", [2, 4, 6], {}, {"blocksize": 2}, 13),
    ("Trilu", [3, 3], {}, {"upper": 0}, 14),
    ("Upsample", [2, 3, 4], {"scales": np.float32([1, 1, 2, 3])}, {}, 9),
    ("Upsample", [2, 3, 4], {}, {"scales": [1.0, 1.0, 2.0, 2.0]}, 7),
    ("Softmax", [4], {}, {}, 13),
    ("Softmax", [3, 4], {}, {}, 11),
    ("LogSoftmax", [3, 4], {}, {"axis": 1}, 13),
    ("Sigmoid", [4], {}, {}, 13),
    ("Tanh", [4], {}, {}, 13),
]  # fmt: skip


def one_node(case: Case) -> onnx.ModelProto:
    """The model of a case."""
    op, shape, constants, attributes, opset = case
    return onnx_model(
        [helper.make_node(op, ["x", *constants], ["y"], name="n", **attributes)], ["N", *shape], constants, opset
    )


@pytest.mark.parametrize("case", CASES, ids=[f"{op}-{opset}-{i}" for i, (op, _, _, _, opset) in enumerate(CASES)])
def test_op(case: Case, tmp_path: Path) -> None:
    network = check_onnx(one_node(case), tmp_path)
    assert network.import_report.reference == "onnxruntime"
    assert network.import_report.max_relative < 1e-5


RESIZES: list[dict[str, Any]] = [
    {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
    {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
    {"mode": "cubic", "coordinate_transformation_mode": "half_pixel"},
]


@pytest.mark.parametrize("attributes", RESIZES, ids=lambda a: "-".join(a.values()))
@pytest.mark.parametrize("scaled", [True, False])
def test_resize(attributes: dict[str, Any], scaled: bool, tmp_path: Path) -> None:
    names = ["x", "", "scales"] if scaled else ["x", "", "", "sizes"]
    constants = {"scales": np.float32([1, 1, 2, 1.5])} if scaled else {"sizes": whole(1, 2, 8, 6)}
    model = onnx_model([helper.make_node("Resize", names, ["y"], **attributes)], [1, 2, 4, 4], constants, 13)
    check_onnx(model, tmp_path)


def relu_mlp(shape: list[Any]) -> onnx.ModelProto:
    """Two layers, with a head."""
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"], name="first"),
        helper.make_node("Add", ["a", "b0"], ["b"], name="bias"),
        helper.make_node("Relu", ["b"], ["c"], name="fold"),
        helper.make_node("Gemm", ["c", "w1", "b1"], ["d"], name="second"),
        helper.make_node("Softmax", ["d"], ["y"], name="head"),
    ]
    weights = {"w0": reals(3, 5), "b0": reals(5), "w1": reals(5, 2), "b1": reals(2)}
    return onnx_model(nodes, shape, weights)


def test_names_fusion_and_head(tmp_path: Path) -> None:
    network = check_onnx(relu_mlp(["N", 3]), tmp_path)
    assert [node.name for node in network.nodes] == ["x", "first", "fold", "second"]
    assert [type(node.op) for node in network.nodes[1:]] == [Dense, PiecewiseAffine, Dense]
    assert network.head is not None
    assert network.head.name == "softmax"


@pytest.mark.parametrize("batch", ["N", 1])
def test_batch_may_be_symbolic_or_one(batch: str | int, tmp_path: Path) -> None:
    assert check_onnx(relu_mlp([batch, 3]), tmp_path).input_shape == (3,)


def test_batch_may_be_missing(tmp_path: Path) -> None:
    model = onnx_model([helper.make_node("MatMul", ["x", "w"], ["y"])], [3], {"w": reals(3, 2)})
    network = check_onnx(model, tmp_path)
    assert (network.input_shape, network.output_shape) == ((3,), (2,))
    model = onnx_model([helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2])], [2, 3, 6])
    network = check_onnx(model, tmp_path)
    assert (network.input_shape, network.output_shape) == ((2, 3, 6), (2, 3, 5))


def test_unknown_sizes_are_asked_for(tmp_path: Path) -> None:
    model = onnx_model([helper.make_node("Relu", ["x"], ["y"])], ["N", 3, "height", "width"])
    with pytest.raises(InvalidInputError, match=r"`x` has the shape \[\?, 3, \?, \?\]; give the unknown sizes"):
        check_onnx(model, tmp_path)
    assert check_onnx(model, tmp_path, (3, 4, 5)).num_units == 60
    with pytest.raises(InvalidInputError, match=r"`input_shape`: got \(4, 4, 5\); the model's input `x`"):
        check_onnx(model, tmp_path, (4, 4, 5))


def test_shape_arithmetic_is_folded(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axis"], ["m"]),
        helper.make_node("Concat", ["m", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["r"]),
        helper.make_node("ConstantOfShape", ["t0"], ["z"]),
        helper.make_node("Max", ["r", "z"], ["y"]),
    ]
    constants = {"zero": np.array(0), "axis": whole(0), "rest": whole(-1), "t0": whole(12)}
    network = check_onnx(onnx_model(nodes, ["N", 3, 4], constants), tmp_path)
    assert network.output_shape == (12,)
    assert network.num_units == 12


def test_branches_splits_and_maxima_of_variables(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Split", ["x", "sizes"], ["a", "b", "unused"], axis=1),
        helper.make_node("Relu", ["a"], ["c"]),
        helper.make_node("Concat", ["c", "b", "k"], ["d"], axis=1),
        helper.make_node("Neg", ["d"], ["e"]),
        helper.make_node("Max", ["d", "e", "x"], ["f"]),
        helper.make_node("Min", ["f", "x"], ["g"]),
        helper.make_node("Where", ["mask", "g", "x"], ["y"]),
    ]
    mask = np.array([[True, False, True, True, False, True]])
    model = onnx_model(nodes, [1, 6], {"sizes": whole(2, 3, 1), "k": reals(1, 1), "mask": mask}, 13)
    assert any(isinstance(node.op, Maximum) for node in check_onnx(model, tmp_path).nodes)


def test_constant_condition_picks_its_branch(tmp_path: Path) -> None:
    branches = {
        name: helper.make_graph(
            [helper.make_node(op, ["x"], [f"y_{name}"])], name, [], [helper.make_empty_tensor_value_info(f"y_{name}")]
        )
        for name, op in (("then_branch", "Relu"), ("else_branch", "Exp"))
    }
    model = onnx_model([helper.make_node("If", ["flag"], ["y"], **branches)], ["N", 3], {"flag": np.array(True)})
    onnx.save(model, tmp_path / "model.onnx")
    network = from_onnx(tmp_path / "model.onnx")
    assert network.num_units == 3


def test_local_functions_are_written_out(tmp_path: Path) -> None:
    opset = helper.make_opsetid("", 17)
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Add", ["a", "b"], ["c"])]
    function = helper.make_function("mine", "Twice", ["a"], ["c"], body, [opset])
    model = onnx_model([helper.make_node("Twice", ["x"], ["y"], domain="mine")], ["N", 3])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert check_onnx(model, tmp_path).num_units == 3


def test_compressed_files_and_half_precision(tmp_path: Path) -> None:
    plain, packed = tmp_path / "model.onnx", tmp_path / "model.onnx.gz"
    onnx.save(relu_mlp(["N", 3]), plain)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    x = np.ones((2, 3))
    assert (from_onnx(packed)(x) == from_onnx(plain)(x)).all()
    weight = reals(3, 2).astype(np.float16)
    model = onnx_model([helper.make_node("MatMul", ["x", "w"], ["y"])], ["N", 3], {"w": weight})
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(model, plain)
    np.testing.assert_array_equal(from_onnx(plain)(x), x @ weight.astype(np.float64))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    for name, content in (("text.onnx", b"not a model"), ("empty.onnx", b""), ("cut.onnx.gz", b"\x1f\x8b\x08")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInputError, match=f"`model`: .*{name}"):
            from_onnx(tmp_path / name)
    with pytest.raises(InvalidInputError, match=r"`path`: there is no file .*none\.onnx"):
        from_onnx(tmp_path / "none.onnx")


def test_gemm_with_variables_on_other_sides(tmp_path: Path) -> None:
    left = [helper.make_node("Gemm", ["w", "x"], ["y"], transB=1)]
    check_onnx(onnx_model(left, [1, 3], {"w": reals(2, 3)}), tmp_path)
    offset = [helper.make_node("Gemm", ["x", "w", "x"], ["y"], beta=0.5)]
    check_onnx(onnx_model(offset, ["N", 3], {"w": reals(3, 3)}), tmp_path)
    across = [helper.make_node("Gemm", ["x", "w"], ["y"], transA=1)]
    check_onnx(onnx_model(across, [4, 3], {"w": reals(4, 2)}), tmp_path)


def test_clip_to_variables(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMin", ["x"], ["low"], axes=[0, 1], keepdims=0),
        helper.make_node("Neg", ["x"], ["z"]),
        helper.make_node("Clip", ["z", "low"], ["y"]),
    ]
    check_onnx(onnx_model(nodes, [1, 4], opset=13), tmp_path)


def test_what_onnxruntime_cannot_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(relu_mlp(["N", 3]), path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    report = from_onnx(path).import_report
    assert (report.reference, report.samples) == ("onnx reference", 4)
    monkeypatch.undo()
    model = relu_mlp(["N", 3])
    model.opset_import[0].version = 9999
    onnx.save(model, path)
    report = from_onnx(path).import_report
    assert report.reference == "none"
    assert report.notes[0].startswith("onnxruntime does not run the model: ")
