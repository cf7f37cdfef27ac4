"""Imports are compared at inputs at which their units are awake, and say how many never were."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.cli.app import main
from splinescope.errors import SplinescopeError
from splinescope.network import Network, from_torch, load
from splinescope.network.evaluate import forward
from splinescope.network.importers.module_copy import copy_module
from splinescope.network.importers.probes import LARGEST, SAMPLES, probe
from splinescope.network.importers.sides import Sides
from tests.network.test_computed_weights import seeded


def shifted(at: float, sharpness: float = 1.0, units: int = 12) -> nn.Sequential:
    """Units that fold at a distance from zero, in random directions."""
    generator = torch.Generator().manual_seed(1)
    module = nn.Sequential(nn.Linear(4, units), nn.ReLU(), nn.Linear(units, 2))
    with torch.no_grad():
        rows = torch.randn(units, 4, generator=generator)
        module[0].weight.copy_(sharpness * rows / rows.norm(dim=1, keepdim=True))
        module[0].bias.fill_(-at * sharpness)
        module[2].weight.copy_(torch.randn(2, units, generator=generator))
        module[2].bias.zero_()
    return module


def seen_by_hand(network: Network, x: Tensor) -> float:
    """Share of the ReLU units of which some inputs show one side only, by plain evaluation."""
    values = [x]
    asleep = total = 0
    for node in network.nodes[1:]:
        arguments = [values[source] for source in node.inputs]
        if node.units:
            z = arguments[0].reshape(len(x), -1)
            asleep += int((~((z > 0).any(0) & (z <= 0).any(0))).sum())
            total += node.units
        values.append(node.op.evaluate(*arguments))
    return asleep / total


@pytest.mark.parametrize("at", [0.0, 1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3, 1e5])
def test_units_are_woken_wherever_they_fold(at: float) -> None:
    network = from_torch(shifted(at))
    assert network.import_report.units_never_woken == 0.0
    probes = probe(network)
    assert seen_by_hand(network, probes.inputs) == 0.0
    assert float(probes.inputs.abs().max()) <= LARGEST
    assert torch.equal(probes.inputs, probes.inputs.float().double())
    torch.testing.assert_close(probes.outputs, forward(network, probes.inputs), rtol=1e-12, atol=1e-12)


def test_natural_scale_is_that_of_the_folds() -> None:
    scales = [from_torch(shifted(at, units=64)).import_report.natural_scale for at in (0.5, 50.0)]
    assert scales == [1.0, 100.0]
    narrow = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    with torch.no_grad():
        narrow[0].weight.copy_(torch.tensor([[1.0, 0.0]]))
        narrow[0].bias.fill_(0.0)
    assert from_torch(narrow).import_report.natural_scale == 1.0


@pytest.mark.parametrize("at", [1e-4, 300.0, 3e4])
def test_what_is_wrong_where_units_wake_late_is_found_out(at: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At inputs of size one, both modules are the same affine map."""
    module = shifted(at)

    def other(original: nn.Module, dtype: torch.dtype | None) -> nn.Module:
        twin = copy_module(original, dtype)
        with torch.no_grad():
            twin[2].weight[:, 3].mul_(1.001)
        return twin

    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    if at > 1:
        assert torch.equal(other(module, None)(x), module(x))
    monkeypatch.setattr(importlib.import_module("splinescope.network.importers.from_torch"), "copy_module", other)
    with pytest.raises(SplinescopeError, match="the import is wrong"):
        from_torch(module)


def test_error_at_small_inputs_is_not_hidden_by_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeded(lambda: nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)))

    def moved(original: nn.Module, dtype: torch.dtype | None) -> nn.Module:
        twin = copy_module(original, dtype)
        with torch.no_grad():
            twin[2].bias.add_(1e-9)
        return twin

    monkeypatch.setattr(importlib.import_module("splinescope.network.importers.from_torch"), "copy_module", moved)
    with pytest.raises(SplinescopeError, match="the import is wrong"):
        from_torch(module.double())


def test_units_that_cannot_be_woken_are_counted() -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.ReLU())
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        module[0].bias.copy_(torch.tensor([-1.0, 1.0, 0.0, 0.5]))
    # Two constant units; behind a ReLU, all four but the live two stay, whose arguments reach zero and above.
    assert from_torch(module).import_report.units_never_woken == pytest.approx(4 / 8)
    assert from_torch(nn.Linear(2, 2)).import_report.units_never_woken == 0.0


ACTIVATIONS: list[nn.Module] = [
    nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.2, 0.1), nn.LeakyReLU(0.1), nn.PReLU(12), nn.Softshrink(0.3),
    nn.Hardsigmoid(), nn.MaxPool1d(3),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
def test_all_pieces_of_all_kinds_of_units_are_seen(activation: nn.Module) -> None:
    module = seeded(lambda: nn.Sequential(nn.Linear(4, 12), activation))
    network = from_torch(module, input_shape=(4,))
    assert network.import_report.units_never_woken == 0.0
    sides = Sides(network)
    x = probe(network).inputs
    for index, node in enumerate(network.nodes):
        if index in sides.nodes:
            values = [x]
            for earlier in network.nodes[1:index]:
                values.append(earlier.op.evaluate(*(values[source] for source in earlier.inputs)))
            for row in values[node.inputs[0]]:
                sides.see_new(index, row[None])
    assert sides.share_asleep == 0.0


def test_slopes_that_are_one_do_not_fold() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.PReLU(4))
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([1.0, 0.5, 1.0, 0.2]))
        module[0].bias.copy_(torch.tensor([1e30, 0.0, 1e30, 0.0]))
    assert from_torch(module).import_report.units_never_woken == 0.0


def test_units_deep_inside_are_woken() -> None:
    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(4):
            layers += [nn.Linear(24, 24), nn.ReLU()]
        return nn.Sequential(nn.Linear(2, 24), nn.ReLU(), *layers, nn.Linear(24, 1))

    network = from_torch(seeded(make), input_shape=(2,))
    x = torch.randn(20000, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    x = x * torch.logspace(-2, 3, len(x), dtype=torch.float64).unsqueeze(1)
    share = network.import_report.units_never_woken
    assert share <= seen_by_hand(network, x) + 0.02
    assert share == pytest.approx(seen_by_hand(network, probe(network).inputs))


def test_probes_are_the_same_each_time_and_leave_generators_alone() -> None:
    network = from_torch(shifted(30.0))
    state = torch.get_rng_state()
    first, second = probe(network), probe(network)
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(state, torch.get_rng_state())
    assert SAMPLES <= len(first.inputs) <= 5 * SAMPLES


def test_range_of_an_nnet_file_is_used(tmp_path: Path) -> None:
    lines = [
        "// a network whose data lie around 500", "2,2,1,3,", "2,3,1,", "0,", "400.0,400.0,", "600.0,600.0,",
        "0.0,0.0,0.0,", "1.0,1.0,1.0,", "1.0,0.0,", "0.0,1.0,", "1.0,-1.0,", "-500.0,", "-500.0,", "0.0,",
        "1.0,1.0,1.0,", "0.0,",
    ]  # fmt: skip
    path = tmp_path / "net.nnet"
    path.write_text("\n".join(lines))
    report = load(path).import_report
    assert (report.units_never_woken, report.notes) == (0.0, ())
    assert 400.0 <= report.natural_scale <= 600.0


def test_parts_of_a_network_keep_the_report() -> None:
    network = from_torch(shifted(1.0))
    parts = splinescope.network.split(network, "1")
    assert parts.before.import_report.units_never_woken == 0.0
    assert parts.after.import_report.natural_scale == network.import_report.natural_scale
    assert math.isnan(Network(network.nodes, network.output).import_report.units_never_woken)


def test_info_prints_the_share(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights: dict[str, Any] = {"W0": np.array([[1.0, 0.0], [0.0, 0.0]]), "b0": np.array([0.5, -1.0])}
    np.savez(tmp_path / "net.npz", **weights, W1=np.ones((1, 2)), b1=np.zeros(1))
    assert main(["info", str(tmp_path / "net.npz")]) == 0
    assert "units never woken" in (text := capsys.readouterr().out)
    assert "50.00%" in text
    assert main(["info", str(tmp_path / "net.npz"), "--json"]) == 0
    assert '"units_never_woken": 0.5' in capsys.readouterr().out


def test_info_says_first_that_there_was_no_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nets.py"
    path.write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        assert torch.compiler.is_exporting()\n"
        "        return super().forward(x).relu()\n"
        "def net():\n"
        "    return Net(2, 2)\n"
    )
    assert main(["info", f"{path}:net", "--input-shape", "2"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if ":" in line or "compared" in line]
    assert "not compared with the original" in lines[0]
    assert main(["info", f"{path}:net", "--input-shape", "2", "--json"]) == 0
    assert '"not_compared": "The module does not run in torch.float64' in capsys.readouterr().out


def test_networks_that_take_long_are_compared_on_fewer_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    network = from_torch(shifted(0.5))
    monkeypatch.setattr("splinescope.network.importers.probes._COMPARE_WORK", 0)
    monkeypatch.setattr("splinescope.network.importers.probes._WAKE_WORK", 0)
    probes = probe(network)
    assert len(probes.inputs) == 8
    sizes = probes.inputs.abs().amax(dim=1).log10()
    assert sizes.max() - sizes.min() > 4  # of all sizes
    report = from_torch(shifted(0.5)).import_report
    assert report.samples == 8
    assert report.reference == "module float64, module float32"
