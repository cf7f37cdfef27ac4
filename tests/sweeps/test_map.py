"""A function over a grid: what is kept, what is read back, and that nothing of it depends on who did the work."""

from __future__ import annotations

import sys
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
import torch

from splinescope import sweeps
from splinescope.errors import InvalidInputError, StoreError, WorkerError
from splinescope.storage import claimed
from tests.seeds import thorough
from tests.sweeps.functions import area, die

GRID = {"width": [1, 2, 3.5], "height": range(4)}


def test_results_come_back_to_the_last_bit(tmp_path: Path) -> None:
    sweep = sweeps.map(area, GRID, store=tmp_path, workers=0)
    assert repr(sweep) == f"<Sweep: 12 of 12 tasks, 1 failed in {str(tmp_path)!r}>"
    assert [row["task"] for row in sweep.rows] == list(range(12))
    for again in (sweeps.read(tmp_path), sweeps.map(area, GRID, workers=0)):
        pandas.testing.assert_frame_equal(again.table(), sweep.table(), check_exact=True)
        assert again.arrays(11)["line"].tolist() == [0, 1, 2, 3, 4]
    table = sweep.table()
    assert list(table.columns) == ["task", "width", "height", "area", "whole", "odd", "error"]
    assert table["odd"].tolist()[:2] == [np.inf, -np.inf]
    assert table["whole"].dtype == "Int64"
    assert table["error"].tolist()[5] == "ValueError: too flat"
    (failed,) = sweep.failed
    assert (failed["width"], failed["height"]) == (2, 1)
    assert "raise ValueError" in failed["traceback"]
    with pytest.raises(InvalidInputError, match="ended well"):
        sweep.arrays(5)
    pandas.testing.assert_frame_equal(
        pandas.read_csv(sweep.export(tmp_path / "table.csv")), table, check_dtype=False, check_exact=True
    )
    assert "seconds" in sweep.table(seconds=True)
    with pytest.raises(InvalidInputError, match=r"\.csv or \.parquet"):
        sweep.export(tmp_path / "table.xls")


def test_any_executor(tmp_path: Path) -> None:
    expected = sweeps.map(area, GRID, workers=0).table()
    with ThreadPoolExecutor(2) as pool:
        pandas.testing.assert_frame_equal(sweeps.map(area, GRID, executor=pool).table(), expected)
        client = SimpleNamespace(get_executor=lambda pure: pool)
        pandas.testing.assert_frame_equal(sweeps.map(area, GRID, executor=client).table(), expected)
        ray = SimpleNamespace(__name__="ray", remote=lambda function: _Remote(function, pool))
        pandas.testing.assert_frame_equal(sweeps.map(area, GRID, executor=ray).table(), expected)
        pandas.testing.assert_frame_equal(
            sweeps.map(area, GRID, executor=SimpleNamespace(submit=pool.submit)).table(), expected
        )
    with pytest.raises(InvalidInputError, match="`executor`: got int"):
        sweeps.map(area, GRID, executor=3)


class _Remote:
    """What Ray makes of a function."""

    def __init__(self, function, pool: Executor) -> None:  # type: ignore[no-untyped-def]
        self._function, self._pool = function, pool

    def options(self, max_retries: int) -> _Remote:
        assert max_retries == 2
        return self

    def remote(self, packed: bytes) -> SimpleNamespace:
        future = self._pool.submit(self._function, packed)
        return SimpleNamespace(future=lambda: future)


@thorough
def test_processes_and_a_killer() -> None:
    sweep = sweeps.map(die, {"x": range(6)}, workers=2)
    assert sweep.table()["value"].tolist()[3:] == [9, 16, 25]
    (failed,) = sweep.failed
    assert failed["x"] == 2
    assert failed["error"].startswith("WorkerError: its worker died 3 times")


@thorough
def test_joblib() -> None:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    sweep = sweeps.map(die, {"x": range(6)}, executor=joblib.Parallel(n_jobs=2))
    assert [row["x"] for row in sweep.failed] == [2]
    assert sweep.table()["value"].tolist()[3:] == [9, 16, 25]


class _Interrupted(Executor):
    """Does some tasks, and is interrupted."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, function, /, *arguments, **options):  # type: ignore[no-untyped-def]
        self.count += 1
        future: Future = Future()
        if self.count > 7:
            raise KeyboardInterrupt
        future.set_result(function(*arguments, **options))
        return future


def test_interrupting_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splinescope.sweeps.mapping.AHEAD", 3)
    reports: list[tuple[float, int]] = []
    part = sweeps.map(
        area, GRID, store=tmp_path, executor=_Interrupted(), progress=lambda *given: reports.append(given)
    )
    assert not part.complete
    assert len(part) == 6
    assert reports == [(3 / 12, 3), (6 / 12, 6)]
    whole = sweeps.map(area, GRID, store=tmp_path, workers=0)
    pandas.testing.assert_frame_equal(whole.table(), sweeps.map(area, GRID, workers=0).table())


def test_an_executor_that_breaks_is_said(tmp_path: Path) -> None:
    from concurrent.futures import BrokenExecutor

    class Broken(_Interrupted):
        def submit(self, function, /, *arguments, **options):  # type: ignore[no-untyped-def]
            future = super().submit(function, *arguments, **options)
            if self.count == 3:
                future = Future()
                future.set_exception(BrokenExecutor())
            return future

    with pytest.raises(WorkerError, match=r"`executor`: one of its workers died.*WorkerPool"):
        sweeps.map(area, {"width": [1], "height": [2, 3, 4]}, store=tmp_path, executor=Broken())
    assert [row["height"] for row in sweeps.read(tmp_path).rows] == [2, 3]


def test_stores_are_of_one_sweep(tmp_path: Path) -> None:
    sweeps.map(area, GRID, store=tmp_path, workers=0)
    with pytest.raises(StoreError, match="holds another sweep"):
        sweeps.map(area, {**GRID, "height": range(5)}, store=tmp_path, workers=0)
    with pytest.raises(StoreError, match="its function is"):
        sweeps.map(die, GRID, store=tmp_path, workers=0)
    assert len(sweeps.map(area, {"width": [1], "height": [2]}, store=tmp_path, workers=0, resume=False)) == 1
    assert [path.name for path in (tmp_path / "shards").rglob("*.npz")] == ["000000000.npz"]
    with pytest.raises(StoreError, match="no sweep in"):
        sweeps.read(tmp_path / "shards")
    if sys.platform != "win32":
        with claimed(tmp_path), pytest.raises(StoreError, match="another process is writing"):
            sweeps.map(area, {"width": [1], "height": [2]}, store=tmp_path, workers=0)


def test_what_failed_is_tried_again_if_asked(tmp_path: Path) -> None:
    class Moody:
        fails = True

        def __call__(self, x: int) -> int:
            if self.fails and x == 1:
                raise RuntimeError("not yet")
            return x

    moody = Moody()
    assert len(sweeps.map(moody, {"x": range(3)}, store=tmp_path, workers=0).failed) == 1
    moody.fails = False
    assert len(sweeps.map(moody, {"x": range(3)}, store=tmp_path, workers=0).failed) == 1
    assert len(sweeps.map(moody, {"x": range(3)}, store=tmp_path, workers=0, retry=True).failed) == 0
    assert [row["value"] for row in sweeps.read(tmp_path).rows] == [0, 1, 2]


def test_values_of_any_kind(tmp_path: Path) -> None:
    nets = {"small": torch.nn.Linear(2, 1), "large": torch.nn.Linear(4, 1)}
    grid = {"net": nets, "scale": [np.float64(0.5)], "at": [np.zeros(3), np.ones(3)], "file": [Path("a.pt")]}
    sweep = sweeps.map(_inputs, grid, workers=0, store=tmp_path)
    assert [row["value"] for row in sweep.rows] == [2.0, 2.5, 4.0, 4.5]
    assert [(row["net"], row["at"], row["file"]) for row in sweep.rows[1:3]] == [
        ("small", 1, "a.pt"),
        ("large", 0, "a.pt"),
    ]
    nets["small"].weight.data += 1
    with pytest.raises(StoreError, match="its grid has other values"):
        sweeps.map(_inputs, grid, workers=0, store=tmp_path)
    rows = [{"width": 1, "height": 2}, {"width": 2, "height": 5}]
    assert [row["height"] for row in sweeps.map(area, rows, workers=0).rows] == [2, 5]


def _inputs(net: torch.nn.Linear, scale: float, at: np.ndarray, file: Path) -> float:
    return net.in_features + scale * at[0]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"x": 3}, "'x' is an int; expected several values"),
        ({"x": []}, "it has no tasks"),
        ([], "it has no tasks"),
        ({"task": [1]}, "got the argument 'task'"),
        ([{"x": 1}, {"y": 1}], "rows of the same arguments"),
    ],
)
def test_complaints(grid: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        sweeps.map(die, grid, workers=0)  # type: ignore[arg-type]


def test_tables_for_other_programs(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    sweep = sweeps.map(area, GRID, workers=0)
    again = pandas.read_parquet(sweep.export(tmp_path / "table.parquet"))
    pandas.testing.assert_frame_equal(again, sweep.table(), check_exact=True)


@pytest.mark.parametrize("found", [{"x": 1}, {"error": 1}, {"thing": object()}, {3: 1}])
def test_results_that_are_none(found: object) -> None:
    (row,) = sweeps.map(lambda x: found, {"x": [1]}, workers=0).rows
    assert row["error"].startswith("InvalidInputError: `function`: it returned")
