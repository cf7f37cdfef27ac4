"""Models of several outputs and inputs: one output is chosen, others are fixed, and the original is compared."""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network import from_onnx, from_torch, load
from tests.network.agreement import inputs
from tests.network.test_computed_weights import seeded

Pair = collections.namedtuple("Pair", ["policy", "value"])


@dataclasses.dataclass
class Answer:
    policy: Tensor
    value: Tensor


WRAPPERS: dict[str, Any] = {
    "tuple": lambda p, v: (p, v),
    "list": lambda p, v: [p, v],
    "dict": lambda p, v: {"policy": p, "value": v},
    "named": Pair,
    "dataclass": Answer,
}


class Actor(nn.Module):
    """Two heads on one body."""

    def __init__(self, wrap: Any = Pair) -> None:
        super().__init__()
        self.body, self.policy, self.value = nn.Linear(3, 8), nn.Linear(8, 2), nn.Linear(8, 1)
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        h = self.body(x).relu()
        return self.wrap(self.policy(h), self.value(h).exp() * h.square().sum(1, keepdim=True))


@pytest.mark.parametrize("kind", WRAPPERS)
def test_chosen_output_is_imported_and_compared(kind: str) -> None:
    module = seeded(lambda: Actor(WRAPPERS[kind])).eval()
    name = "0" if kind in ("tuple", "list") else "policy"
    expected = module.policy(module.body(inputs((3,)).float()).relu()).detach().double()
    for output in (name, 0, -2):
        network = from_torch(module, output=output)
        torch.testing.assert_close(network(inputs((3,))), expected, rtol=1e-5, atol=1e-4)
        assert network.import_report.reference == "module float64, module float32"
    assert network.import_report.notes == (
        f"It is the output `{name}` of 2: `0`, `1`."
        if name == "0"
        else "It is the output `policy` of 2: `policy`, `value`.",
    )


def test_choice_is_asked_for_and_checked() -> None:
    module = seeded(Actor)
    with pytest.raises(UnsupportedOpError, match=r"has 2 outputs \(`policy`, `value`\); choose one .* output='policy'"):
        from_torch(module)
    with pytest.raises(InvalidInputError, match="`output`: got 'q'; the module has 2 outputs by name or index:"):
        from_torch(module, output="q")
    with pytest.raises(InvalidInputError, match="`output`: got 2; the module has 2 outputs"):
        load(module, output=2)
    with pytest.raises(UnsupportedOpError, match="it takes powers of its input"):
        from_torch(module, output="value")


class Controller(nn.Module):
    """A state, a goal and a flag."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 3)

    def forward(self, state: Tensor, goal: Tensor, *, scale: float = 1.0, mask: Tensor | None = None) -> Tensor:
        y = self.linear(torch.cat([state, goal], dim=1)).relu() * scale
        return y if mask is None else y * mask


def test_further_inputs_are_fixed() -> None:
    module = seeded(Controller).eval()
    x, goal, mask = inputs((3,)), np.array([0.5, -1.0]), torch.tensor([1.0, 0.0, 2.0])
    network = from_torch(module, (3,), fixed={"goal": goal, "scale": 2.0, "mask": mask})
    given = torch.as_tensor(goal).float().expand(len(x), 2)
    expected = module(x.float(), given, scale=2.0, mask=mask).detach().double()
    torch.testing.assert_close(network(x), expected, rtol=1e-5, atol=1e-4)
    assert network.import_report.reference == "module float64, module float32"
    assert network.import_report.notes == ("Fixed inputs: `goal`, `scale`, `mask`.",)
    other = from_torch(module, (2,), fixed={"state": [0.1, 0.2, 0.3]})
    state = torch.tensor([0.1, 0.2, 0.3]).expand(len(x), 3)
    expected = module(state, x[:, :2].float()).detach().double()
    torch.testing.assert_close(other(x[:, :2]), expected, rtol=1e-5, atol=1e-4)


def test_inputs_to_fix_are_named() -> None:
    module = seeded(Controller)
    with pytest.raises(
        UnsupportedOpError, match=r"takes 2 inputs \(`state`, `goal`\); fix all but one: fixed={'goal': v"
    ):
        from_torch(module, (3,))
    with pytest.raises(InvalidInputError, match="`fixed`: the module has no input `target`; it has `state`, `goal`"):
        from_torch(module, (3,), fixed={"target": np.zeros(2)})
    fixed = {"state": np.zeros(3), "goal": np.zeros(2), "scale": 1.0, "mask": None}
    with pytest.raises(InvalidInputError, match="all inputs of the module are fixed"):
        from_torch(module, (3,), fixed=fixed)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_exported_programs_have_choices(tmp_path: Path) -> None:
    module = seeded(Controller).eval()
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3), torch.zeros(1, 2))), path)
    network = load(path, fixed={"goal": [0.5, -1.0]}, trust=True)
    x = inputs((3,)).float()
    expected = module(x, torch.tensor([0.5, -1.0]).expand(len(x), 2)).detach().double()
    torch.testing.assert_close(network(x.double()), expected, rtol=1e-5, atol=1e-4)
    assert network.import_report.reference == "module float64, module float32"
    torch.export.save(torch.export.export(seeded(lambda: Actor(WRAPPERS["dict"])).eval(), (torch.zeros(1, 3),)), path)
    assert load(path, output="policy", trust=True).output_shape == (2,)


def two_heads(batch: str | int = "N") -> onnx.ModelProto:
    """Outputs `label`, which jumps, and `scores`; inputs `x`, `goal`, and `unused`; nodes out of order."""
    generator = np.random.default_rng(0)
    nodes = [
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        helper.make_node("Gemm", ["h", "w1"], ["scores"]),
        helper.make_node("Relu", ["a"], ["h"]),
        helper.make_node("Gemm", ["both", "w0", "b0"], ["a"]),
        helper.make_node("Concat", ["x", "goal"], ["both"], axis=1),
    ]
    weights = {"w0": generator.normal(size=(5, 6)), "b0": generator.normal(size=6), "w1": generator.normal(size=(6, 2))}
    floats = [("x", 3), ("goal", 2), ("unused", 4)]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, size]) for name, size in floats],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [batch]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 2]),
        ],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("batch", ["N", 1])
def test_onnx_output_and_fixed_inputs(batch: str | int, tmp_path: Path) -> None:
    import onnxruntime

    path = tmp_path / "model.onnx"
    onnx.save(two_heads(batch), path)
    goal = np.float32([0.5, -1.0])
    network = from_onnx(path, output="scores", fixed={"goal": goal})
    assert network.import_report.reference == "onnxruntime"
    assert (network.input_shape, network.num_units) == ((3,), 6)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = inputs((3,)).float().numpy()
    rows = [
        session.run(["scores"], {"x": row[None], "goal": goal[None], "unused": np.zeros((1, 4), np.float32)})[0]
        for row in x
    ]
    np.testing.assert_allclose(network(x), np.concatenate(rows), rtol=1e-5, atol=1e-4)
    assert "It is the output `scores` of 2: `label`, `scores`." in network.import_report.notes


def test_onnx_choices_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(two_heads(), path)
    with pytest.raises(UnsupportedOpError, match=r"the model has 2 outputs \(`label`, `scores`\); choose one"):
        from_onnx(path)
    with pytest.raises(UnsupportedOpError, match=r"the model takes 2 inputs \(`x`, `goal`\); fix all but one"):
        from_onnx(path, output=1)
    with pytest.raises(InvalidInputError, match=r"`fixed`: `goal` has the shape \(3,\); .* has \[\?, 2\]"):
        from_onnx(path, output=1, fixed={"goal": np.zeros(3)})
    with pytest.raises(UnsupportedOpError, match=r"\(ArgMax\): it jumps"):
        from_onnx(path, output="label", fixed={"goal": np.zeros(2)})
    np.savez(tmp_path / "net.npz", W0=np.ones((2, 3)))
    with pytest.raises(InvalidInputError, match=r"`output`, `fixed`: .* has one input and one output"):
        load(tmp_path / "net.npz", output=1)


def test_onnx_node_that_needs_itself_is_refused(tmp_path: Path) -> None:
    model = two_heads()
    model.graph.node[3].input[0] = "scores"
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    with pytest.raises(InvalidInputError, match="needs its own result"):
        from_onnx(path, output=1, fixed={"goal": np.zeros(2)})
