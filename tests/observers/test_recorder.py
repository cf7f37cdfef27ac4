"""The recorder: leaves no trace in the run, and keeps its rules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.observers import Accuracy, CellCount, Recorder, read_log
from tests.network.test_untouched import assert_same, module_with_everything, snapshot
from tests.observers.runs import SQUARE, quadrants

ROOT = Path(__file__).resolve().parents[2]


def net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 2))


def weight(model: Any) -> dict[str, float]:
    """The sum of the first layer's weights."""
    return {"sum": float(model.module[0].weight.sum())}


def test_training_is_the_same_bit_for_bit_with_and_without() -> None:
    """In a process of its own, since the checks of annotations under pytest draw from Python's generator."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.observers.untouched"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    plain, recorded = json.loads(done.stdout)
    assert len(plain) == 64
    assert plain == recorded


def test_module_and_torch_stay_as_they_were(tmp_path: Path) -> None:
    module = module_with_everything()
    x = torch.rand(3, 1, 6, 6)
    recorder = Recorder({"train": Accuracy(x, torch.zeros(3))}, range(9), tmp_path / "log")
    before, state = snapshot(module), torch.get_rng_state()
    assert recorder.record(module, 3) is not None
    assert_same(before, snapshot(module))
    assert torch.equal(state, torch.get_rng_state())


def test_forward_hooks_belong_to_the_model(tmp_path: Path) -> None:
    module, seen = net(), []
    module[0].register_forward_hook(lambda _, __, output: seen.append(output) or 3 * output)
    x = torch.rand(5, 2)
    expected = float(module(x).detach().sum())
    recorder = Recorder({"sum": lambda model: {"value": float(model(x).sum())}}, range(9), tmp_path / "log")
    row = recorder.record(module, 0)
    assert row is not None
    assert row["sum/value"] == expected
    assert len(seen) == 1


def test_hooks_that_cannot_be_copied_are_left_out_and_that_is_said_once(tmp_path: Path) -> None:
    class Stubborn:
        def __call__(self, _: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
            return 3 * output

        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("no copy of a connection")

    module, x = net(), torch.rand(5, 2)
    expected = float(module(x).detach().sum())
    module.register_forward_hook(Stubborn())
    recorder = Recorder({"sum": lambda model: {"value": float(model(x).sum())}}, range(9), tmp_path / "log")
    with pytest.warns(UserWarning, match=r"measured without its forward hooks: .*no copy of a connection") as told:
        rows = [recorder.record(module, step) for step in range(3)]
    assert len(told) == 1
    assert [row and row["sum/value"] for row in rows] == [expected] * 3


def test_inference_mode_is_no_obstacle(tmp_path: Path) -> None:
    recorder = Recorder({"slice": CellCount(SQUARE)}, range(9), tmp_path / "log")
    with torch.inference_mode():
        assert recorder.record(net(), 0) is not None
        assert torch.is_inference_mode_enabled()


def test_rows_are_of_wanted_steps_once(tmp_path: Path) -> None:
    model, log = net(), tmp_path / "log"
    recorder = Recorder({"weight": weight}, lambda step: step % 2 == 0, log)
    row = recorder.record(model, 2)
    assert row is not None
    assert list(row) == ["step", "time", "weight/sum"]
    assert row["weight/sum"] == float(model[0].weight.detach().sum())
    assert recorder.record(model, 2) is None
    assert recorder.record(model, 3) is None
    with torch.no_grad():
        model[0].weight.add_(1.0)
    second = recorder.record(model, 4)
    assert second is not None
    assert second["weight/sum"] == pytest.approx(row["weight/sum"] + 12, abs=1e-5)
    assert read_log(log) == [row, second] == list(recorder.rows)
    with pytest.raises(InvalidInputError, match=r"`step`: got 0 after 4; .* `rewind\(0\)`"):
        recorder.record(model, 0)
    recorder.rewind(2)
    assert read_log(log) == [row]
    assert recorder.record(model, 4) is not None


def test_plain_loop(tmp_path: Path) -> None:
    model = net()
    recorder = Recorder({"weight": weight}, {0, 2, 5, 7}, tmp_path / "log")
    with recorder.watching(model) as watch:
        rows = [watch.step() for _ in range(5)]
        assert watch.count == 5
    assert [row and row["step"] for row in rows] == [None, 2, None, None, 5]
    assert [row["step"] for row in recorder.rows] == [0, 2, 5]
    with recorder.watching(model, start=2) as watch:
        assert [row["step"] for row in recorder.rows] == [0, 2]
        for _ in range(5):
            watch.step()
    assert [row["step"] for row in read_log(tmp_path / "log")] == [0, 2, 5, 7]


def test_wrappers_are_looked_through_and_the_view_sees_the_model(tmp_path: Path) -> None:
    class Wrapped(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = torch.compile(inner, backend="eager")

        def forward(self, x: Any, mask: Any) -> Any:
            return self.inner(x) * mask

    x, y = quadrants()
    inner = net()
    wanted = Recorder({"train": Accuracy(x, y), "slice": CellCount(SQUARE)}, {0}, tmp_path / "a").record(inner, 0)
    outer = torch.compile(nn.DataParallel(Wrapped(inner)), backend="eager")
    recorder = Recorder(
        {"train": Accuracy(x, y), "slice": CellCount(SQUARE)}, {0}, tmp_path / "b", view=lambda model: model.inner
    )
    found = recorder.record(outer, 0)
    assert wanted is not None
    assert found is not None
    assert wanted | {"time": 0} == found | {"time": 0}


def test_other_processes_of_a_distributed_run_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder({"weight": weight}, range(9), tmp_path / "log")
    recorder.record(net(), 0)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert recorder.record(net(), 1) is None
    recorder.rewind(-1)
    assert len(read_log(tmp_path / "log")) == 1


def test_an_error_of_a_measure_is_the_users_and_leaves_no_row(tmp_path: Path) -> None:
    def fails(model: Any) -> dict[str, float]:
        torch.set_default_dtype(torch.float64)
        raise ZeroDivisionError

    recorder = Recorder({"weight": weight, "fails": fails}, range(9), tmp_path / "log")
    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        recorder.record(net(), 0)
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(state, torch.get_rng_state())
    assert read_log(tmp_path / "log") == []


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="`measures`: got none"):
        Recorder({}, range(9), tmp_path / "log")
    with pytest.raises(InvalidInputError, match="`measures`: 'a' is a int; expected a function"):
        Recorder({"a": 3}, range(9), tmp_path / "log")
    with pytest.raises(InvalidInputError, match="`steps`: got int; expected a container"):
        Recorder({"weight": weight}, 9, tmp_path / "log")
    with pytest.raises(InvalidInputError, match="`view`: gave int"):
        Recorder({"weight": weight}, range(9), tmp_path / "log", view=lambda _: 3).record(net(), 0)
    with pytest.raises(InvalidInputError, match="`model`: got int"):
        Recorder({"weight": weight}, range(9), tmp_path / "log").record(3, 0)
    with pytest.raises(InvalidInputError, match="no folder"):
        Recorder({"weight": weight}, range(9), tmp_path / "none" / "log")
