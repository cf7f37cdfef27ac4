"""Small valid files of each kind, and who reads them."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import splinescope
from splinescope import Box, Network, datasets
from splinescope.cli.points import read_array
from splinescope.tessellation.region_graph import region_graph

SQUARE = Box([-1.0, -1.0], [1.0, 1.0])


@dataclass(frozen=True)
class Original:
    """A valid file.

    Attributes:
        name: Its name, whose ending is that of the kind.
        content: Its bytes.
        read: What reads such a file.
    """

    name: str
    content: bytes
    read: Callable[[Path], Any]


def originals(folder: Path) -> list[Original]:
    """All of them; some are written to a folder on the way."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    network = splinescope.load(nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 3)))
    resumed = partial(_resumed, network)
    models = [model.SerializeToString() for model in _models(rng)]
    return [
        *(Original(f"{number}.onnx", content, splinescope.load) for number, content in enumerate(models)),
        Original("chosen.onnx", _chosen(rng).SerializeToString(),
                 partial(splinescope.load, output="y", fixed={"goal": [0.5, -1.0]})),
        Original("net.onnx.gz", gzip.compress(models[0]), splinescope.load),
        Original("net.npz", _archive({"W0": rng.normal(size=(4, 2)), "b0": np.ones(4), "W1": np.ones((2, 4))}),
                 splinescope.load),
        Original("surface.npz", _archive({"0000.dense.A": np.ones((2, 3)), "0000.dense.b": np.ones(3),
                                          "0001.relu._": np.zeros(0), "0002.dense.A": np.ones((3, 1)),
                                          "0002.dense.b": np.ones(1)}), splinescope.load),
        Original("net.nnet", NNET.encode(), splinescope.load),
        Original("weights.pt", _saved(nn.Linear(2, 2).state_dict()), splinescope.load),
        Original("program.pt2", _program(), splinescope.load),
        Original("plane.npz", splinescope.tessellate(network, SQUARE).save(folder / "plane.npz").read_bytes(), _opened),
        Original("graph.npz", region_graph(network, SQUARE).save(folder / "graph.npz").read_bytes(), _opened),
        Original("search.npz", _search(network, folder / "search.npz"), resumed),
        Original("point.npy", _saved_array(rng.normal(size=(2, 2))), partial(read_array, "--point")),
        Original("points.npz", _archive({"x": rng.normal(size=(3, 2))}, compress=True), partial(read_array, "--point")),
        Original("point.csv", b"0.5,-1,2e-3\n1,2,3\n", partial(read_array, "--point")),
        Original("images.gz", gzip.compress(struct.pack(">iiii", 2051, 2, 3, 3) + bytes(range(18))), datasets.mnist),
    ]  # fmt: skip


NNET = "// a comment\n3,3,1,3,\n3,2,2,1,\n0,\n-1,-1,-1,\n1,1,1,\n0,0,0,0,\n1,1,1,1,\n" + (
    "1,2,0.5,\n-1,0.5,1,\n0.5,\n-0.5,\n1,1,\n0,2,\n0,\n0.25,\n1,-2,\n0.25,\n"
)


def _resumed(network: Network, path: Path) -> Any:
    return region_graph(network, SQUARE, resume=path, max_cells=40)


def _opened(path: Path) -> Any:
    """Cells, asked as their readers would."""
    cells = splinescope.open(path)
    return cells.patterns, cells.facets, cells.locate(cells.interior_points[:1])


def _search(network: Network, path: Path) -> bytes:
    region_graph(network, SQUARE, max_cells=5, checkpoint=path)
    return path.read_bytes()


def _archive(arrays: dict[str, np.ndarray], compress: bool = False) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(stream, **arrays)
    return stream.getvalue()


def _saved(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def _saved_array(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _program() -> bytes:
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).eval()
    stream = io.BytesIO()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 2),)), stream)
    return stream.getvalue()


def _models(rng: np.random.Generator) -> list[onnx.ModelProto]:
    def reals(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(op, [n.replace("-", "") for n in inputs.split()], outputs.split(), **attributes)

    dense = [node("Gemm", "x w b", "h", transB=1, alpha=0.5), node("Relu", "h", "r"), node("MatMul", "r v", "y")]
    images = [
        node("Conv", "x k c", "h", pads=[1, 1, 1, 1], strides=[2, 2]), node("LeakyRelu", "h", "r", alpha=0.1),
        node("MaxPool", "r", "m", kernel_shape=[2, 2], strides=[1, 1]), node("BatchNormalization", "m s s s t", "n"),
        node("AveragePool", "n", "a", kernel_shape=[2, 2]), node("Flatten", "a", "y"),
    ]  # fmt: skip
    moved = [
        node("Split", "x sizes", "a e", axis=1), node("Transpose", "a", "q", perm=[0, 2, 1]),
        node("Reshape", "q shape", "u"), node("Pad", "e pads value", "p", mode="constant"),
        node("Slice", "p from to on", "z"),
        node("Concat", "z z", "cc", axis=-1), node("Gather", "cc which", "g", axis=2), node("Clip", "g low high", "d"),
        node("ReduceSum", "d on", "o", keepdims=0), node("Max", "u f", "mx"), node("Sub", "mx one", "sb"),
        node("ReduceMean", "sb", "rm", axes=[1], keepdims=0), node("Resize", "g - scales", "rs", mode="linear"),
        node("ReduceMax", "rs", "rx", axes=[1, 2], keepdims=0), node("Add", "rm rx", "y"),
    ]  # fmt: skip
    double = helper.make_function(
        "f", "Twice", ["a"], ["b"], [node("Abs", "a", "c"), node("Add", "a c", "b")], [helper.make_opsetid("", 13)]
    )
    called = [helper.make_node("Twice", ["x"], ["h"], domain="f"), helper.make_node("Twice", ["h"], ["y"], domain="f")]
    weights = {"w": reals(4, 3), "b": reals(4), "v": reals(4, 2)}
    kernels = {"k": reals(3, 1, 3, 3), "c": reals(3), "s": np.ones(3, np.float32), "t": np.ones(3, np.float32)}
    places = {
        "sizes": np.array([1, 2]), "shape": np.array([0, -1]), "pads": np.array([0, 0, 1, 0, 0, 1]),
        "value": np.float32(1), "from": np.array([1]), "to": np.array([9]), "on": np.array([1]),
        "which": np.array([0, 2, 1]), "low": np.float32(-1), "high": np.float32(1), "f": reals(4),
        "one": np.float32(1), "scales": np.float32([1, 1, 2]),
    }  # fmt: skip
    steps = {"K": reals(1, 2, 4), "R": reals(1, 2, 2), "zero": np.float32(0), "tenth": np.float32(0.1)}
    states = [
        node("RNN", "x K R", "all last", hidden_size=2, activations=["Relu"]), node("Squeeze", "last", "h"),
        node("Greater", "h zero", "over"), node("Mul", "h tenth", "low"), node("Where", "over h low", "w"),
        node("TopK", "w two", "best place", axis=0), node("LpPool", "all", "p", kernel_shape=[1, 2], p=1),
        node("Squeeze", "p", "sp"), node("ReduceSum", "sp", "s", keepdims=0), node("Add", "best s", "y"),
    ]  # fmt: skip
    steps["two"] = np.array([2])
    return [
        _model(states, [1, 4], steps),
        _model(dense, [3], weights),
        _model(images, [1, 6, 6], kernels),
        _model(moved, [3, 4], places),
        _model(called, [3], {}, [double]),
    ]


def _chosen(rng: np.random.Generator) -> onnx.ModelProto:
    """Quantised weights, two inputs, two outputs, a scaler of classical models, a head."""
    nodes = [
        helper.make_node("ArgMax", ["y"], ["label"], axis=1),
        helper.make_node("Scaler", ["x"], ["xs"], domain="ai.onnx.ml", offset=[0.5], scale=[2.0]),
        helper.make_node("Concat", ["xs", "goal"], ["both"], axis=1),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["w"], axis=1),
        helper.make_node("MatMul", ["both", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Softmax", ["r"], ["y"], axis=1),
    ]
    weights = {"q": rng.integers(-9, 9, (5, 3)).astype(np.int8), "scale": np.float32([0.1, 0.2, 0.3]),
               "zero": np.int8([0, 1, 2])}  # fmt: skip
    model = _model(nodes, [3], weights)
    model.graph.input.append(helper.make_tensor_value_info("goal", TensorProto.FLOAT, ["N", 2]))
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, None))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    return model


def _model(
    nodes: list[onnx.NodeProto], sizes: list[int], constants: dict[str, Any], functions: Any = ()
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *sizes])]
    graph = helper.make_graph(
        nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], tensors
    )
    sets = [helper.make_opsetid("", 13), helper.make_opsetid("f", 1)]
    return helper.make_model(graph, opset_imports=sets, functions=list(functions), ir_version=8)
