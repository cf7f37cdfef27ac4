"""What is not continuous piecewise affine is refused, with the node, its op, the true reason, and what is supported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from splinescope.errors import InvalidInputError, SplinescopeError, UnsupportedOpError
from splinescope.network import from_onnx, from_torch
from tests.network.agreement import onnx_model
from tests.network.test_from_torch import Function

SMOOTH, JUMPS = "smooth and curved, not piecewise affine", "it jumps: it is not continuous"
PRODUCT, COMPARISON = "multiplies values that depend on the input", "decides by a comparison"
STATISTICS, MIDDLE = "normalises by statistics of its own input", "smooth, not piecewise affine, and not the last op"

MODULES: list[tuple[nn.Module, str]] = [
    (nn.ELU(), SMOOTH),
    (nn.SELU(), SMOOTH),
    (nn.CELU(), SMOOTH),
    (nn.GELU(), SMOOTH),
    (nn.SiLU(), SMOOTH),
    (nn.Mish(), SMOOTH),
    (nn.Softplus(threshold=5), "its threshold is 5"),
    (nn.Sequential(nn.Softplus(), nn.ReLU()), MIDDLE),
    (nn.Hardswish(), "quadratic between -3 and 3"),
    (nn.Hardshrink(), JUMPS),
    (nn.Threshold(0.1, 20.0), r"it jumps from 20.0 to 0.1 at 0.1"),
    (nn.LayerNorm(4), STATISTICS),
    (nn.GroupNorm(3, 3), STATISTICS),
    (nn.InstanceNorm1d(3), STATISTICS),
    (nn.BatchNorm1d(3, track_running_stats=False), STATISTICS),
    (nn.LocalResponseNorm(2), PRODUCT),
    (nn.MultiheadAttention(4, 2, batch_first=True), "splinescope does not know|" + PRODUCT + "|positional"),
]
FUNCTIONS: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (lambda x: x * x, PRODUCT),
    (lambda x: x @ x.transpose(1, 2), PRODUCT),
    (lambda x: functional.scaled_dot_product_attention(x, x, x), PRODUCT),
    (lambda x: torch.einsum("bij,bij->b", x, x), PRODUCT),
    (lambda x: x / (x.abs() + 1), "it divides by a value that depends on the input"),
    (lambda x: 1 / x, "it is smooth and curved|it divides by a value"),
    (lambda x: x**2, "takes powers"),
    (lambda x: x.norm(dim=1), "takes powers"),
    (lambda x: x.sqrt(), SMOOTH),
    (lambda x: x.expm1(), SMOOTH),
    (lambda x: x.sin(), SMOOTH),
    (lambda x: x.sign(), "it jumps from -1 to .* where `input` is 0"),
    (lambda x: x.round(), JUMPS),
    (lambda x: x.floor() + x, JUMPS),
    (lambda x: torch.div(x, 2, rounding_mode="floor"), "it rounds, and so it jumps"),
    (lambda x: x.to(torch.int64), "it rounds to torch.int64"),
    (lambda x: torch.where(x > 0, x, x - 1), "it jumps from -1 to 0 where `input` is 0"),
    (lambda x: (x > 0) * 1.0, "it jumps from 0 to 1"),
    (lambda x: x.argmax(1), JUMPS),
    (lambda x: x.max(1)[1] + 0.0, "uses what node .* returns beside its value"),
    (lambda x: torch.arange(3.0)[x[:, 0].max(1)[1]], "uses what node .* returns beside its value"),
    (lambda x: x.sort(1)[1] * x, "uses what node .* returns beside its value"),
    (lambda x: x.argsort(1) * x, "the order of values jumps"),
    (lambda x: torch.softmax(x, 1) @ torch.ones(4, 2, dtype=x.dtype), MIDDLE + r": node `matmul` \(aten.matmul\)"),
    (lambda x: x.sigmoid() + x, MIDDLE),
    (lambda x: (x.tanh() + 1).abs(), MIDDLE),
    (lambda x: torch.softmax(x, 0), "softmax over the batch"),
    (lambda x: x + torch.randn_like(x), "draws random numbers"),
    (lambda x: x + torch.rand(4, dtype=x.dtype), "draws random numbers"),
    (lambda x: functional.dropout(x), "draws random numbers|stays active in eval mode"),
    (lambda x: x - x.mean(0), "depends on the other inputs of its batch"),
    (lambda x: x if x.sum() > 0 else -x, "looks at a value that depends on the input"),
    (lambda x: torch.fft.rfft(x).real, "it makes complex numbers"),
    (lambda x: torch.cumprod(x, 1), PRODUCT),
]


@pytest.mark.parametrize(("module", "reason"), MODULES, ids=[type(m).__name__ for m, _ in MODULES])
def test_layer_is_refused(module: nn.Module, reason: str) -> None:
    if isinstance(module, nn.MultiheadAttention):
        attention = module
        module = Function(lambda x: attention(x, x, x, need_weights=False)[0])
    with pytest.raises(UnsupportedOpError, match=reason):
        from_torch(module, input_shape=(3, 4))


@pytest.mark.parametrize(
    ("function", "reason"), FUNCTIONS, ids=[reason[:24] + str(i) for i, (_, reason) in enumerate(FUNCTIONS)]
)
def test_function_is_refused(function: Callable[[Tensor], Tensor], reason: str) -> None:
    with pytest.raises(UnsupportedOpError, match=reason):
        from_torch(Function(function), input_shape=(3, 4))


def test_message_names_node_and_op_in_one_line() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), nn.GELU()))
    with pytest.raises(
        UnsupportedOpError, match=r"^node `1\.1` \(aten\.gelu\): it is smooth and curved, not piecewise affine$"
    ):
        from_torch(model, input_shape=(3,))


def test_weights_that_are_not_finite_are_refused() -> None:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight[0, 1] = torch.nan
        layer.weight[1, 1] = torch.inf
    with pytest.raises(InvalidInputError, match=r"node `0` \(aten.linear\) has 2 weights that are NaN or infinite"):
        from_torch(nn.Sequential(layer), input_shape=(3,))


def test_more_than_one_input_or_output_is_refused() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(UnsupportedOpError, match=r"takes 2 inputs \(`x`, `y`\)"):
        from_torch(Two(), input_shape=(3,))
    with pytest.raises(UnsupportedOpError, match=r"has 2 outputs \(`0`, `1`\); choose one by name or index"):
        from_torch(Function(lambda x: (x, -x)), input_shape=(3,))
    with pytest.raises(InvalidInputError, match="output does not depend on its input"):
        from_torch(Function(lambda x: torch.ones(1, 2)), input_shape=(3,))


def node(op: str, *inputs: str, **attributes: object) -> list[onnx.NodeProto]:
    """One node from `x`, or from the given inputs, to `y`."""
    return [helper.make_node(op, list(inputs) or ["x"], ["y"], name="n1", **attributes)]


C = {"c": np.ones((3, 4), np.float32)}
GRAPHS: list[tuple[list[onnx.NodeProto], str]] = [
    (node("Elu"), SMOOTH),
    (node("Gelu"), SMOOTH),
    (node("Sin"), SMOOTH),
    (node("Celu"), SMOOTH),
    (node("HardSwish"), "quadratic"),
    (node("Sign"), "it jumps from -1"),
    (node("Round"), JUMPS),
    (node("ArgMax", axis=1), JUMPS),
    (node("Mul", "x", "x"), PRODUCT),
    (node("Div", "c", "x"), "divides by a value"),
    (node("MatMul", "x", "x"), PRODUCT),
    (node("Pow", "x", "t"), "takes powers"),
    (node("ReduceL2"), "takes powers"),
    (node("Greater", "x", "c"), "it jumps from 0 to 1 where `x` is 1"),
    (node("Equal", "x", "c"), COMPARISON),
    (node("Cast", to=TensorProto.INT64), "it rounds to INT64"),
    (node("ThresholdedRelu", alpha=1.0), r"it jumps from 0.0 to 1.0 at 1.0"),
    (node("Shrink", bias=0.0, lambd=0.5), "it jumps at 0.5, because its bias is 0.0"),
    (node("InstanceNormalization", "x", "s", "s"), STATISTICS),
    (node("LayerNormalization", "x", "r"), STATISTICS),
    (node("RandomNormalLike"), "draws random numbers"),
    (node("Gather", "c", "x"), "looks up positions that depend on the input"),
    (node("Add", "x", "i"), "reads `i`, which does not exist"),
    (node("Det"), "splinescope does not know this op"),
    (node("Softmax", axis=0), "softmax over the batch"),
    ([*node("Softmax")[:0], helper.make_node("Softmax", ["x"], ["h"], name="n0"), *node("Relu", "h")],
     r"node `n0` \(Softmax\): it is smooth, not piecewise affine, and not the last op: node `n1` \(Relu\)"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "reason"), GRAPHS, ids=[nodes[0].op_type for nodes, _ in GRAPHS])
def test_node_is_refused(nodes: list[onnx.NodeProto], reason: str, tmp_path: Path) -> None:
    constants = {**C, "s": np.ones(3, np.float32), "r": np.ones(4, np.float32), "t": np.float32([2])}
    onnx.save(onnx_model(nodes, ["N", 3, 4], constants, opset=20), tmp_path / "model.onnx")
    with pytest.raises(SplinescopeError, match=reason):
        from_onnx(tmp_path / "model.onnx")


def test_onnx_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    weight = np.array([[1.0, np.inf]], np.float32)
    onnx.save(onnx_model(node("MatMul", "x", "w"), ["N", 1], {"w": weight}), tmp_path / "model.onnx")
    with pytest.raises(InvalidInputError, match=r"node `n1` \(MatMul\) has 1 weights that are NaN or infinite"):
        from_onnx(tmp_path / "model.onnx")


def test_onnx_of_two_inputs_or_outputs_is_refused(tmp_path: Path) -> None:
    model = onnx_model(node("Add", "x", "z"), ["N", 3])
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 3]))
    onnx.save(model, tmp_path / "two.onnx")
    with pytest.raises(UnsupportedOpError, match=r"the model takes 2 inputs \(`x`, `z`\)"):
        from_onnx(tmp_path / "two.onnx")
    model = onnx_model(node("Relu"), ["N", 3])
    model.graph.output.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3]))
    onnx.save(model, tmp_path / "outputs.onnx")
    with pytest.raises(UnsupportedOpError, match=r"the model has 2 outputs \(`y`, `x`\)"):
        from_onnx(tmp_path / "outputs.onnx")


def test_onnx_of_integers_or_of_an_unknown_operator_set_is_refused(tmp_path: Path) -> None:
    model = onnx_model(node("Relu"), ["N", 3])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(model, tmp_path / "integers.onnx")
    with pytest.raises(UnsupportedOpError, match="the model's input `x` has the type int64"):
        from_onnx(tmp_path / "integers.onnx")
    custom = onnx_model([helper.make_node("Relu", ["x"], ["y"], name="n1", domain="my.ops")], ["N", 3])
    onnx.save(custom, tmp_path / "custom.onnx")
    with pytest.raises(
        UnsupportedOpError, match=r"node `n1` \(Relu\): splinescope does not know this op of the operator set my.ops"
    ):
        from_onnx(tmp_path / "custom.onnx")


def test_onnx_reshape_for_another_batch_is_refused(tmp_path: Path) -> None:
    shape = {"shape": np.array([5, 3])}
    onnx.save(onnx_model(node("Reshape", "x", "shape"), ["N", 3], shape), tmp_path / "model.onnx")
    with pytest.raises(InvalidInputError, match=r"node `n1` \(Reshape\) does not fit the input of one sample"):
        from_onnx(tmp_path / "model.onnx")


def test_onnx_weights_may_come_from_a_graph_of_constants(tmp_path: Path) -> None:
    values = numpy_helper.from_array(np.ones((2, 3), np.float32), "value")
    nodes = [
        helper.make_node("Constant", [], ["w"], value=values),
        helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        *node("MatMul", "x", "t"),
    ]
    onnx.save(onnx_model(nodes, ["N", 3]), tmp_path / "model.onnx")
    assert from_onnx(tmp_path / "model.onnx").output_shape == (2,)
