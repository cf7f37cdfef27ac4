"""Comparison of an import with its original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from splinescope import Slice, tessellate
from splinescope.network import Network, from_onnx, from_torch
from splinescope.network.evaluate import walk


def inputs(shape: tuple[int, ...], samples: int = 24) -> Tensor:
    """Random inputs around zero, some of them large."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(samples, *shape, generator=generator, dtype=torch.float64)
    return x * torch.logspace(-1, 1, samples, dtype=torch.float64).reshape(-1, *(1,) * len(shape))


def check_module(module: nn.Module, shape: tuple[int, ...]) -> Network:
    """Import a module, and compare it in float64 sample by sample; the network."""
    module = module.double().eval()
    network = from_torch(module, input_shape=shape)
    x = inputs(shape)
    y = network(x)
    actual = y if network.head is None else network.head(y)
    expected = torch.stack([module(row[None]) for row in x]).detach().reshape(actual.shape)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12 * float(expected.abs().max()))
    return network


def check_cells(network: Network, plane: Slice) -> None:
    """Prove the cells of a slice, and find the pattern of each point of a grid among theirs."""
    cells = tessellate(network, plane, verify="proof")
    assert cells.certificate.level == "proof"
    side = np.linspace(-0.4, 0.4, 20) + 0.0137
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    found = patterns(network, plane.embed(points))
    known = {code.tobytes() for code in patterns(network, plane.embed(cells.interior_points))}
    assert {code.tobytes() for code in found} <= known


def patterns(network: Network, x: np.ndarray) -> np.ndarray:
    """[N, units] the pieces of all units, by evaluating the network."""
    values: dict[int, Tensor] = {}
    found = [np.zeros((len(x), 0), np.int64)]
    for index, value in walk(network, torch.from_numpy(x).reshape(-1, *network.input_shape)):
        values[index] = value
        fold = network.nodes[index].fold
        if fold is not None:
            found.append(fold.pieces(values[network.nodes[index].inputs[0]]).reshape(len(x), -1).numpy())
    return np.concatenate(found, axis=1)


def onnx_model(
    nodes: list[onnx.NodeProto],
    shape: list[int | str],
    constants: dict[str, np.ndarray] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """A model from `x` to `y` of float32."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def check_onnx(model: onnx.ModelProto, folder: Path, input_shape: tuple[int, ...] | None = None) -> Network:
    """Import a model, and compare it with onnxruntime sample by sample; the network."""
    import onnxruntime

    path = folder / "model.onnx"
    onnx.save(model, path)
    network = from_onnx(path, input_shape)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    x = inputs(network.input_shape).float()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    y = network(x)
    actual = (y if network.head is None else network.head(y)).numpy()
    lead = (1,) * (len(dims) - len(network.input_shape))
    expected = np.stack([session.run(None, {"x": row.reshape(*lead, *row.shape).numpy()})[0] for row in x])
    np.testing.assert_allclose(actual, expected.reshape(actual.shape), rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    return network
