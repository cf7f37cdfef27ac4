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
