"""ONNX files that are invalid, absurdly large or made to crash: refused with the node, before anything is run."""

from __future__ import annotations

import gzip
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from splinescope.errors import InvalidInputError, SplinescopeError
from splinescope.network import load
from splinescope.network.importers import onnx_runners


def node(op: str, inputs: Sequence[str] = ("x",), outputs: Sequence[str] = ("y",), **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def model(
    nodes: list[onnx.NodeProto],
    sizes: Sequence[int | str],
    constants: dict[str, Any] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model of one input `x` [N, *sizes] and one output `y`."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    inputs = [helper.make_tensor_value_info("x", kind, ["N", *sizes])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", kind, None)], tensors)
    sets = [helper.make_opsetid("", 13), helper.make_opsetid("f", 1)]
    return helper.make_model(graph, opset_imports=sets, functions=list(functions), ir_version=8)


def chain(count: int, name: str) -> onnx.FunctionProto:
    """A function that calls the next one twice."""
    call = f"f{count + 1}"
    calls = [helper.make_node(call, ["a"], ["c"], domain="f"), helper.make_node(call, ["c"], ["b"], domain="f")]
    body = calls if count < 60 else [node("Relu", ["a"], ["b"])]
    return helper.make_function(
        "f", name, ["a"], ["b"], body, [helper.make_opsetid("", 13), helper.make_opsetid("f", 1)]
    )


CALL = helper.make_node("f0", ["x"], ["y"], domain="f")
SELF = helper.make_function(
    "f", "f0", ["a"], ["b"], [helper.make_node("f0", ["a"], ["b"], domain="f")], [helper.make_opsetid("f", 1)]
)
DOUBLING = [node("Concat", [f"v{i}"] * 2, [f"v{i + 1}"], axis=1) for i in range(40)]
BIG = "would take .* which is more than 0.2 GiB"

CASES: dict[str, tuple[onnx.ModelProto, str]] = {
    "an input left out": (model([node("Max", ["x", ""])], [3]), r"node `y` \(Max\) leaves out an input"),
    "too many inputs": (model([node("Relu", ["x", "x"])], [3]), r"\(Relu\) has 2 inputs and 1 outputs"),
    "bounds": (
        model([node("Clip", ["x", "l"])], [3], {"l": np.zeros(3, np.float32)}), r"\(Clip\) has a bound of shape"
    ),
    "split": (
        model([node("Split", ["x", "s"], ["a", "b"], axis=1), node("Concat", ["a", "b"], axis=1)], [5], {"s": [2, 2]}),
        r"node `a` \(Split\): .*the sum of 'split' \(4\)",
    ),
    "axis": (model([node("Concat", ["x", "x"], axis=7)], [3]), r"node `y` \(Concat\)"),
    "rank": (model([node("MaxPool", kernel_shape=[2, 2])], [3, 5]), r"\(MaxPool\): .*kernel_shape has incorrect size"),
    "dilations": (
        model([node("MaxPool", kernel_shape=[2], dilations=[2**62])], [3, 5]), r"dilations \[4611686018427387904\]"),
    "empty": (model([node("MaxPool", kernel_shape=[7])], [3, 5]), r"\(MaxPool\)"),
    "one name": (model([node("Relu"), node("Abs")], [3]), "the name `y` stands for several values"),
    "no such output": (model([node("Relu", ["x"], ["z"])], [3]), "its output `y` is made by no node"),
    "shapes": (model([node("Gemm", ["x", "w"])], [3], {"w": np.ones((4, 5), np.float32)}), r"node `y` \(Gemm\)"),
    "padding": (model([node("Pad", ["x", "p"])], [3], {"p": [0, 0, 0, 10**9]}), rf"\(Pad\) {BIG}"),
    "resizing": (
        model([node("Resize", ["x", "", "s"])], [1, 2, 2], {"s": np.float32([1, 1, 1e5, 1e5])}), rf"\(Resize\) {BIG}"),
    "kernel": (
        model([node("AveragePool", kernel_shape=[10**9], pads=[10**9] * 2)], [1, 5]), rf"\(AveragePool\) {BIG}"),
    "input": (model([node("Relu")], [2**40, 2**40]), f"an input of shape .* {BIG}"),
    "range": (
        model([node("Range", ["a", "b", "c"], ["r"]), node("Cast", ["r"], ["q"], to=1), node("ReduceMax", ["q"], ["m"]),
               node("Add", ["x", "m"])], [3], {"a": 0, "b": 10**12, "c": 1}),
        rf"\(Range\) {BIG}",
    ),
    "doubling": (model([node("Concat", ["x"] * 2, ["v0"], axis=1), *DOUBLING, node("Relu", ["v40"])], [1 << 10]), BIG),
    "functions": (model([CALL], [3], None, [chain(i, f"f{i}") for i in range(61)]),
                  "stand for more than 200,000 nodes"),
    "recursion": (model([CALL], [3], None, [SELF]), "call each other more than 100 deep"),
    "texts": (model([node("Identity", ["t"], ["u"]), node("Add", ["x", "u"])], [3], {"t": np.array(["a"], object)}),
              r"node `u` \(Identity\): it takes texts"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_is_refused_at_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLINESCOPE_CONTENT_LIMIT", str(200 << 20))
    graph, reason = CASES[name]
    onnx.save(graph, tmp_path / "model.onnx")
    started = time.process_time()
    with pytest.raises(SplinescopeError, match=reason):
        load(tmp_path / "model.onnx")
    assert time.process_time() - started < 10


def test_where_onnxruntime_has_no_kernel_shapes_have_to_be_right(tmp_path: Path) -> None:
    right = model([node("HardSigmoid")], [3], kind=TensorProto.DOUBLE)
    onnx.save(right, tmp_path / "model.onnx")
    assert load(tmp_path / "model.onnx").import_report.reference == "onnx reference"
    for size in (1, 5):
        right.graph.output[0].type.tensor_type.shape.dim.add().dim_value = size
    onnx.save(right, tmp_path / "model.onnx")
    with pytest.raises(InvalidInputError, match=r"its output `y` has the shape \(1, 3\); the file states"):
        load(tmp_path / "model.onnx")


def test_weights_lie_beside_a_compressed_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, factor in (("there", 1), ("here", 7)):
        (tmp_path / folder).mkdir()
        graph = model([node("MatMul", ["x", "w"])], [3], {"w": factor * np.eye(3, dtype=np.float32)})
        onnx.save(
            graph, tmp_path / folder / "model.onnx", save_as_external_data=True, location="weights", size_threshold=0
        )
    content = (tmp_path / "there" / "model.onnx").read_bytes()
    (tmp_path / "there" / "model.onnx.gz").write_bytes(gzip.compress(content))
    monkeypatch.chdir(tmp_path / "here")
    network = load(Path("..") / "there" / "model.onnx.gz")
    np.testing.assert_array_equal(network(np.array([1.0, 2.0, 3.0])), [1, 2, 3])
    assert network.import_report.reference == "onnxruntime"


def test_compressed_bombs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.onnx.gz").write_bytes(gzip.compress(bytes(1 << 22)))
    monkeypatch.setenv("SPLINESCOPE_CONTENT_LIMIT", "1000000")
    with pytest.raises(InvalidInputError, match=r"the content of .*model.onnx.gz would take"):
        load(tmp_path / "model.onnx.gz")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no signals to end a process with")
def test_a_crash_of_onnxruntime_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(model([node("Relu")], [3]), tmp_path / "model.onnx")
    send = onnx_runners.send
    killed = []

    def crash(stream: Any, kind: bytes, content: bytes = b"") -> None:
        process = onnx_runners._child(os.getpid())._process
        assert process is not None
        if not killed:
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGSEGV)
            process.wait()
        send(stream, kind, content)

    monkeypatch.setattr(onnx_runners, "send", crash)
    report = load(tmp_path / "model.onnx").import_report
    assert (report.reference, len(killed)) == ("onnx reference", 1)
    assert report.notes[0] == "onnxruntime does not run the model: it crashed (exit status -11)"
    assert load(tmp_path / "model.onnx").import_report.reference == "onnxruntime"


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 $x$.onnx")
    path.write_bytes(model([node("Relu")], [3]).SerializeToString())
    assert load(path).import_report.reference == "onnxruntime"
