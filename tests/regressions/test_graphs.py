"""ONNX graphs that were imported though no runtime takes them, and one that was blamed on the import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from splinescope.errors import InvalidInputError
from splinescope.network import from_onnx
from tests.network.agreement import onnx_model


def node(op: str, inputs: Sequence[str] = ("x",), output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), [output], name=f"n{output}", **attributes)


SIGNED = [node("Sign", ["x"], "s"), node("Mul", ["x", "s"], "z")]
ONE = {"lengths": np.array([2]), "at": np.zeros((1, 2), np.int64), "new": np.float32([0.5]), "one": np.float32(1)}
PADS = {"pads": np.array([0, 2, 0, 0])}

CASES: dict[str, tuple[list[onnx.NodeProto], list[int], dict[str, Any], int, str]] = {
    "pool without axes": ([node("GlobalMaxPool")], [4], {}, 18, r"\(GlobalMaxPool\) has an input of shape \(1, 4\)"),
    "after a sign": ([*SIGNED, node("GlobalAveragePool", ["z"])], [4], {}, 18, r"\(GlobalAveragePool\) has an input"),
    "lengths of another batch": (
        [node("ReverseSequence", ["x", "lengths"], batch_axis=1, time_axis=2)], [3, 4], ONE, 18,
        r"\(ReverseSequence\) has lengths of shape \(1,\); expected one for each of 3",
    ),
    "lengths beyond the end": (
        [node("ReverseSequence", ["x", "lengths"], batch_axis=0, time_axis=1)], [1, 4], ONE, 18, "a length of 2; ex",
    ),
    "updates that do not fit": ([node("ScatterND", ["x", "at", "new"])], [3, 4], ONE, 18, r"updates of shape \(1,\)"),
    "reflection beyond the end": (
        [node("Pad", ["x", "pads"], mode="reflect")], [2], PADS, 18, "has 2 numbers to reflect at axis 1 of 2",
    ),
    "dilated and padded by itself": (
        [node("MaxPool", ["x"], kernel_shape=[2], dilations=[2], auto_pad="SAME_UPPER")], [2, 6], {}, 18,
        "has dilations with auto_pad SAME_UPPER, where onnxruntime does not keep to the definition",
    ),
    "an axis too many": ([node("CumSum", ["x", "three"])], [2, 2], {"three": np.array(3)}, 18, "has the axis 3;"),
    "a layer of images": (
        [node("Gemm", ["x", "w"], "z"), node("Abs", ["z"])], [2, 4], {"w": np.eye(4, dtype=np.float32)}, 18, r"\(Gemm",
    ),
    "an op of later versions": (
        [node("CastLike", ["x", "one"])], [3], ONE, 13, "version 13 of the operator set has no CastLike",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "sizes", "constants", "opset", "message"), CASES.values(), ids=CASES)
def test_graph_is_refused(
    nodes: list[onnx.NodeProto], sizes: list[int], constants: Any, opset: int, message: str, tmp_path: Path
) -> None:
    used = {name: constants[name] for name in constants if any(name in n.input for n in nodes)}
    onnx.save(onnx_model(nodes, ["N", *sizes], used, opset), tmp_path / "model.onnx")
    with pytest.raises(InvalidInputError, match=message):
        from_onnx(tmp_path / "model.onnx")


def test_small_values_of_a_sigmoid_are_known_absolutely(tmp_path: Path) -> None:
    """Those of onnxruntime are off by 1e-8 where a sigmoid is 1e-13: that was more than round-off explained."""
    shift = {"c": np.float32([-30.0])}
    onnx.save(onnx_model([node("Add", ["x", "c"], "z"), node("Sigmoid", ["z"])], ["N", 3], shift), tmp_path / "s.onnx")
    network = from_onnx(tmp_path / "s.onnx")
    assert network.import_report is not None
    assert network.import_report.max_absolute < 1e-6
