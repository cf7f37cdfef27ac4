"""Imports that were wrong, or compared with nothing, without saying so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn.utils import prune

from splinescope import Slice, tessellate
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network import from_onnx, from_torch
from tests.network.agreement import onnx_model


def pruned() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    prune.l1_unstructured(module[0], "weight", 0.5)
    prune.l1_unstructured(module[2], "weight", 0.5)
    return module


def test_pruned_module_after_its_weights_were_loaded() -> None:
    """`weight` is computed from `weight_orig` and the mask by a hook; the copy had lost the hook."""
    module = pruned()
    state = {name: t if "mask" in name else t + 0.3 for name, t in module.state_dict().items()}
    module.load_state_dict(state)
    stale = module[0].weight.detach().clone()
    network = from_torch(module)
    assert torch.equal(module[0].weight, stale)
    x = torch.randn(32, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x), module(x).detach().double(), rtol=1e-5, atol=1e-5)
    assert not torch.equal(module[0].weight, stale)


def test_pruned_module_after_a_step() -> None:
    module = pruned()
    optimiser = torch.optim.SGD(module.parameters(), lr=1.0)
    x = torch.randn(32, 2, generator=torch.Generator().manual_seed(0))
    module(x).pow(2).sum().backward()
    optimiser.step()
    network = from_torch(module)
    torch.testing.assert_close(network(x), module(x).detach().double(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("op", "function"), [("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply)])
def test_axis_of_old_onnx_files(op: str, function: Any, tmp_path: Path) -> None:
    """With as many channels as columns, the constant went along the columns."""
    c = np.array([1.0, -2.0, 3.0], np.float32)
    nodes = [helper.make_node(op, ["x", "c"], ["z"], broadcast=1, axis=1), helper.make_node("Relu", ["z"], ["y"])]
    onnx.save(onnx_model(nodes, ["N", 3, 3], {"c": c}, 6), tmp_path / "old.onnx")
    network = from_onnx(tmp_path / "old.onnx")
    x = np.random.default_rng(0).normal(size=(4, 3, 3))
    np.testing.assert_allclose(network(x), np.maximum(function(x, c[:, None]), 0.0), rtol=1e-12)
    assert network.import_report.reference == "onnx reference"


def test_slopes_of_onnx_files_of_version_seven(tmp_path: Path) -> None:
    """From version 7 on, slopes are broadcast at the end; they went along the channels up to version 8."""
    s = np.array([0.5, -2.0, 3.0], np.float32)
    onnx.save(onnx_model([helper.make_node("PRelu", ["x", "s"], ["y"])], ["N", 3, 3], {"s": s}, 7), tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(4, 3, 3))
    np.testing.assert_allclose(from_onnx(tmp_path / "m.onnx")(x), np.where(x > 0, x, x * s), rtol=1e-12)


@pytest.mark.parametrize("wrap", [lambda y: {"logits": y}, lambda y: [y], lambda y: (y,)], ids=["dict", "list", "1"])
def test_wrapped_output_was_compared_with_nothing(wrap: Any) -> None:
    class Wrapped(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return wrap(super().forward(x).relu())

    report = from_torch(Wrapped(3, 2), input_shape=(3,)).import_report
    assert report.reference == "module float64, module float32"
    assert report.max_relative < 1e-6


def test_comparison_of_deep_networks_says_something() -> None:
    """The sum of absolute terms of a residual network of twenty layers is 1e20: no difference was larger than that."""
    from splinescope.network.importers.reports import Agreement, absolute_terms

    layers: list[nn.Module] = []
    for _ in range(60):
        layers += [nn.Linear(16, 16), nn.ReLU()]
    module = nn.Sequential(*layers)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for layer in layers[::2]:
            layer.weight.copy_(torch.randn(16, 16, generator=generator) * (2 / 16) ** 0.5)
            layer.bias.zero_()
        network = from_torch(module)
        comparison = Agreement(network)
        rows = torch.arange(len(comparison.x))
        largest = network(comparison.x).abs().max()
        assert absolute_terms(network, comparison.x).max() > 1e15 * largest
        assert comparison.tolerances(rows, 2.0**-52).max() < 1e-9 * largest


WRONG_SHAPE = """
from torch import nn
from splinescope import from_torch
from splinescope.errors import InvalidInputError
try:
    from_torch(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), (5,))
except InvalidInputError as error:
    print(error)
"""


def test_a_wrong_shape_is_one_error_and_no_traceback_of_torch() -> None:
    done = subprocess.run([sys.executable, "-c", WRONG_SHAPE], capture_output=True, text=True, check=True)
    assert "input_shape" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("whole", [False, True])
def test_compiled_modules_are_imported(whole: bool) -> None:
    """torch gives each copy of a compiled module another number, which was taken for a difference."""
    inner = torch.compile(nn.Sequential(nn.Linear(6, 8), nn.ReLU()), backend="eager")
    report = from_torch(inner if whole else nn.Sequential(inner, nn.Linear(8, 2)), (6,)).import_report
    assert report.max_relative < 1e-6


@pytest.mark.parametrize("offset", [1e5, 1e8, 1e11, 1e13])
def test_large_offsets_that_cancel_are_rounding(offset: float) -> None:
    """In float32 both units are the offset and nothing else, so that it says nothing of what float64 rounds."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    with torch.no_grad():
        module[0].weight[0], module[0].weight[1] = torch.tensor([0.3, 0.1, 0.0]), torch.tensor([0.2, -0.4, 0.0])
        module[0].weight[2] = torch.tensor([0.0, 0.0, offset])
        module[0].bias[:2], module[0].bias[2] = offset, 0.0
        module[2].weight[:, 1] = -module[2].weight[:, 0]
    assert from_torch(module).import_report.max_relative < 1e-16 * offset


class Called(nn.Module):
    """A function of two layers' outputs."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.one, self.two = function, nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Any:
        return self.function(self.one(x), self.two(x))


def assigned(y: Tensor, kind: torch.dtype) -> Tensor:
    whole = torch.zeros(y.shape, dtype=kind)
    whole[:] = y
    return whole.to(y.dtype)


@pytest.mark.parametrize(
    "function",
    [
        lambda y, z: y + (z * 1e10).type_as(torch.tensor(1)).to(y.dtype) / 1e10,
        lambda y, z: y + assigned(torch.relu(z - 1e4), torch.bool),
        lambda y, z: y + assigned(torch.relu(z - 1e4), torch.int8),
        lambda y, z: y + z.unsqueeze(1).sum(1, dtype=torch.int64).to(y.dtype),
    ],
)
def test_numbers_kept_as_whole_ones_are_refused(function: Any) -> None:
    """These casts were read as nothing; fine steps, and those beyond the compared scales, showed in no comparison."""
    with pytest.raises(UnsupportedOpError, match="it rounds to"):
        from_torch(Called(function), (3,))


@pytest.mark.parametrize(
    ("function", "output", "place"),
    [
        (lambda y, z: (None, y, z), 1, 1),
        (lambda y, z: (None, y, z), 2, 2),
        (lambda y, z: (y, [z, 2 * z], 3 * z), 2, 2),
        (lambda y, z: {1: y, 0: z}, 1, 1),
        (lambda y, z: {"b": y, "a": z}, 1, "a"),
        (lambda y, z: (y, None, z), -1, 2),
    ],
)
def test_an_index_is_that_of_the_element(function: Any, output: int, place: Any) -> None:
    """Elements that are no tensors were not counted."""
    torch.manual_seed(0)
    module, x = Called(function).double(), torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(from_torch(module, (3,), output=output)(x), module(x)[place].detach())


def test_an_element_that_is_no_tensor() -> None:
    with pytest.raises(InvalidInputError, match="by name or index"):
        from_torch(Called(lambda y, z: (y, [z, 2 * z])), (3,), output=1)


def test_graph_modules_are_copied() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    x = torch.randn(5, 4)
    found = from_torch(torch.fx.symbolic_trace(module), (4,))
    torch.testing.assert_close(found(x), module(x).detach().double(), rtol=1e-5, atol=1e-6)


def test_a_list_of_one() -> None:
    torch.manual_seed(0)
    module, x = Called(lambda y, z: torch.gradient(y, dim=1)[0]).double(), torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(from_torch(module, (3,))(x), module(x).detach())


@pytest.mark.parametrize("reduction", ["add", "max", "mul"])
def test_what_is_scattered_is_not_reduced_in_silence(tmp_path: Path, reduction: str) -> None:
    """Reductions were ignored, which showed only within the compared scales."""
    node = helper.make_node("ScatterElements", ["d", "i", "x"], ["y"], axis=1, reduction=reduction)
    data, places = np.full((1, 3), -1e5, np.float32), np.array([[0, 1, 2]])
    path = tmp_path / "scatter.onnx"
    onnx.save(onnx_model([node], [1, 3], {"d": data, "i": places}, opset=18), path)
    with pytest.raises(UnsupportedOpError, match="reduces by"):
        from_onnx(path)


def test_a_weight_that_is_zero() -> None:
    """Rows of a scale shared memory with the units that were asked for, and dropped one of these."""
    module = Called(lambda y, z: torch.relu(y) * torch.tensor([-2.0, 0.0, 2.0]))
    plane = Slice.through([1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0])
    assert tessellate(from_torch(module, (3,)), plane, verify="proof").certificate.level == "proof"


def test_a_fixed_value_that_is_no_number() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, goal: Tensor) -> Tensor:
            return (x + goal).relu()

    with pytest.raises(InvalidInputError, match="`fixed`: the value of `goal`"):
        from_torch(Two(), (2,), fixed={"goal": [0.3, float("nan")]})
