"""The log: whatever is cut off its end, it goes on; whatever else is wrong with it is said."""

from __future__ import annotations

import json
import resource
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import splinescope
from splinescope.errors import InvalidInputError, StoreError
from splinescope.observers import Recorder, read_log
from splinescope.observers.descriptions import describe
from splinescope.observers.log import RunLog


def row(step: int) -> dict[str, Any]:
    return {"step": step, "time": 1.5, "a/b": 0.1 + step}


def three(path: Path) -> RunLog:
    log = RunLog(path, {"a": "test"}, resume=True)
    for step in (0, 5, 7):
        log.append(row(step), {"codes": np.array([step])})
    return log


def test_every_cut_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "log"
    three(path)
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 4
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        rows = max(0, sum(end <= cut for end in ends) - 1)
        if cut >= ends[0]:
            assert read_log(path) == [row(0), row(5), row(7)][:rows]
        log = RunLog(path, {"a": "test"}, resume=True)
        assert log.rows == [row(0), row(5), row(7)][:rows]
        for step in (0, 5, 7)[rows:]:
            log.append(row(step), {})
        assert path.read_bytes() == whole


def test_a_tail_of_zeros_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log"
    three(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 512)
    RunLog(path, {"a": "test"}, resume=True)
    assert path.read_bytes() == whole


def test_membership_and_rewinding(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = three(path)
    assert [step for step in range(-1, 9) if step in log] == [0, 5, 7]
    assert log.last == 7
    assert log.memory() == {"codes": np.array([7])}
    log.rewind(6)
    assert log.last == 5
    assert log.memory() == {"codes": np.array([5])}
    assert sorted(p.name for p in tmp_path.glob("log.memory/*")) == ["000000000000.npz", "000000000005.npz"]
    log.append(row(6), {"codes": np.array([6])})
    assert read_log(path) == [row(0), row(5), row(6)]
    log.rewind(-1)
    assert (log.last, log.memory(), read_log(path)) == (None, None, [])
    (tmp_path / "log.memory").rmdir()


def test_numbers_that_json_lacks(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log", {}, resume=True)
    log.append({"step": 1, "time": 0.0, "a": np.nan, "b": np.inf, "c": 1e-300}, {})
    for line in (tmp_path / "log").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(name))
    (found,) = read_log(tmp_path / "log")
    assert np.isnan([found["a"], found["b"]]).all()
    assert found["c"] == 1e-300


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = three(path)
    whole = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for room in (0, 20):
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + room, limits[1]))
            with pytest.raises(StoreError, match="`log`: cannot write"):
                log.append(row(9), {})
            assert path.read_bytes() == whole
            assert log.last == 7
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log.append(row(9), {})
    assert read_log(path)[-1] == row(9)


def test_lost_memory_is_said(tmp_path: Path) -> None:
    log = three(tmp_path / "log")
    (tmp_path / "log.memory" / "000000000007.npz").unlink()
    with pytest.raises(StoreError, match=r"000000000007.npz' is missing"):
        log.memory()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data.replace(b'"step": 5', b'"step": 5#'), "line 3 of .* is damaged"),
        (lambda data: data.replace(b'"step": 5', b'"step": 7'), "not in order"),
        (lambda data: data.replace(b'"step": 5', b'"stop": 5'), "not in order"),
        (lambda data: data.replace(b'"format": 1', b'"format": 2'), "is no log of this version"),
        (lambda data: b"[1]\n", "is no log of this version"),
        (lambda data: b"", "is no log of this version"),
    ],
)
def test_damage_is_said(tmp_path: Path, damage: Any, message: str) -> None:
    path = tmp_path / "log"
    three(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreError, match=message):
        read_log(path)


def test_a_missing_log_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no file"):
        read_log(tmp_path / "log")


@dataclass(frozen=True, eq=False)
class Scaled:
    """A measure with a setting that matters and one that does not."""

    points: Any
    scale: float = 1.0
    folder: str = field(default="", compare=False)

    def __call__(self, model: Any) -> dict[str, float]:
        return {"sum": self.scale * float(model(self.points).sum())}


def test_a_log_of_other_measures_is_refused(tmp_path: Path) -> None:
    path, x = tmp_path / "log", torch.ones(3, 2)
    model = torch.nn.Linear(2, 1)
    recorder = Recorder({"a": Scaled(x, 2.0, "here")}, range(9), path)
    recorder.record(model, 0)
    assert len(Recorder({"a": Scaled(x.clone(), 2.0, "there")}, range(3), path).rows) == 1
    with pytest.raises(
        InvalidInputError, match=r"of other measures: `a.scale` is 2.0 there and 3.0 here; give another"
    ):
        Recorder({"a": Scaled(x, 3.0)}, range(9), path)
    with pytest.raises(InvalidInputError, match=r"`a.points` is 'float32\[3, 2\] [0-9a-f]{16}' there and 'float32"):
        Recorder({"a": Scaled(2 * x, 2.0)}, range(9), path)
    with pytest.raises(InvalidInputError, match="`b` is only here"):
        Recorder({"a": Scaled(x, 2.0), "b": Scaled(x)}, range(9), path)
    with pytest.raises(InvalidInputError, match="`a` is only there"):
        Recorder({"b": Scaled(x)}, range(9), path)
    assert Recorder({"b": Scaled(x)}, range(9), path, resume=False).rows == ()
    assert read_log(path) == []


def test_descriptions() -> None:
    square = splinescope.Slice.box([0, 0], [1, 1])
    assert describe([1, 2.5, "a"]) == [1, 2.5, "a"]
    assert describe(range(3)) == "builtins.range"
    assert describe(len) == "builtins.len"
    assert describe(partial(len, [1])) == {"kind": "partial", "func": "builtins.len", "args": [[1]], "keywords": {}}
    assert describe(partial(len, square)) != describe(partial(len, splinescope.Slice.box([0, 0], [1, 2])))
    assert describe({"x": None, 3: float("inf")}) == {"x": None, "3": "inf"}
    assert describe(list(range(20))) == describe(np.arange(20))
    assert describe([[1, 2], [3]]) == [[1, 2], [3]]
    assert describe(torch.arange(3)) == describe(np.arange(3))
    assert describe(torch.tensor(True)) == describe(np.array(True))
    assert describe(torch.ones(2, dtype=torch.bfloat16)).startswith("bfloat16[2] ")
    assert describe(square) == describe(splinescope.Slice.box([0, 0], [1, 1]))
    assert describe(square) != describe(splinescope.Slice.box([0, 0], [1, 2]))
    assert describe(Scaled(1, folder="a")) == {"kind": "Scaled", "points": 1, "scale": 1.0}
