"""TensorBoard shows what is in the log, whatever happened before; read with TensorBoard's own reader."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from splinescope.errors import MissingDependencyError
from splinescope.observers import Recorder

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def third(snapshot: Any) -> dict[str, float]:
    """A number that TensorBoard's float32 rounds, and one that is none."""
    return {"value": snapshot.step / 3, "none": math.nan}


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars in a folder."""
    events = event_accumulator.EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_scalars_are_those_of_the_log(tmp_path: Path) -> None:
    model, folder = torch.nn.Linear(1, 1), tmp_path / "board"
    recorder = Recorder({"third": third}, range(100), tmp_path / "log", tensorboard=folder)
    for step in (0, 4, 9):
        recorder.record(model, step)
    expected = [(step, pytest.approx(step / 3)) for step in (0, 4, 9)]
    assert shown(folder) == {"third/value": expected}  # at once, without closing
    recorder.rewind(4)
    assert shown(folder) == {"third/value": expected[:2]}
    recorder.record(model, 5)
    recorder.close()
    # Killed, and resumed from a checkpoint of step 4.
    again = Recorder({"third": third}, range(100), tmp_path / "log", tensorboard=str(folder))
    assert [step for step, _ in shown(folder)["third/value"]] == [0, 4, 5]
    again.rewind(4)
    again.record(model, 7)
    again.close()
    assert [step for step, _ in shown(folder)["third/value"]] == [0, 4, 7]


def test_a_writer_of_the_users(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "board")) as writer:
        recorder = Recorder({"third": third}, range(100), tmp_path / "log", tensorboard=writer)
        recorder.record(torch.nn.Linear(1, 1), 3)
        recorder.close()
        writer.add_scalar("mine", 1.0, 4)
    assert shown(tmp_path / "board") == {"third/value": [(3, 1.0)], "mine": [(4, 1.0)]}


def test_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'splinescope\[tensorboard\]'"):
        Recorder({"third": third}, range(100), tmp_path / "log", tensorboard=tmp_path / "board")
