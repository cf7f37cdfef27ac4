"""Whatever a task does ends as its own row; stores notice what was lost or changed; complaints are one clear line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from splinescope import sweeps
from splinescope.errors import InvalidInputError, StoreError, StoreWarning
from splinescope.sweeps.identity import earlier, version_of
from tests.seeds import thorough
from tests.sweeps.functions import ODD, area, draw, odd, wait
from tests.workers.test_pool import ROOT, alive

RAISED = ("mute", "leaving", "generator", "surrogate error")
WHAT = ["first", *RAISED, *ODD, "last"]


def check_rows(sweep: sweeps.Sweep) -> None:
    """All tasks have ended, those that cannot be kept with an error and where it was raised."""
    assert sweep.complete
    assert [row["what"] for row in sweep.rows if row["error"] is None] == ["first", "last"]
    for row in sweep.failed:
        assert "\n" not in row["error"]
        assert "Traceback (most recent call last)" in row["traceback"]
        (row["error"] + row["traceback"]).encode()  # has no surrogates


def test_whatever_a_task_does_is_its_own_row(tmp_path: Path) -> None:
    sweep = sweeps.map(odd, {"what": WHAT}, store=tmp_path / "store", workers=0)
    check_rows(sweep)
    errors = {row["what"]: row["error"] for row in sweep.failed}
    assert errors["mute"] == "MuteError: its message cannot be read, which raises a RuntimeError"
    assert errors["date"].endswith("it returned 'value', a datetime64; expected numbers, texts and arrays")
    assert errors["number as name"].endswith("it returned the name 3, an int; expected a text")
    assert errors["object"].endswith("'value', an object; expected numbers, texts and arrays")
    assert errors["surrogate error"] == "ValueError: \\ud83d\\ude00"
    for again in (sweeps.read(tmp_path / "store"), sweeps.map(odd, {"what": WHAT}, workers=0)):
        pandas.testing.assert_frame_equal(again.table(), sweep.table(), check_exact=True)


@contextmanager
def joblib_executor() -> Iterator[Any]:
    yield pytest.importorskip("joblib", reason="joblib is not installed").Parallel(n_jobs=2)


@contextmanager
def dask_client() -> Iterator[Any]:
    distributed = pytest.importorskip("dask.distributed", reason="Dask is not installed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


ENGINES: dict[str, Callable[[], Any]] = {
    "threads": lambda: ThreadPoolExecutor(2),
    "spawned": lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")),
    "pool": lambda: sweeps.WorkerPool(2),
    "joblib": joblib_executor,
    "dask": dask_client,
}


@pytest.mark.parametrize("name", ["threads", *(pytest.param(name, marks=thorough) for name in list(ENGINES)[1:])])
def test_whoever_does_it(name: str, tmp_path: Path) -> None:
    """A task that raises what Ctrl-C raises is one of its rows, where it is not Ctrl-C."""
    what = [*WHAT[:-1], "interrupt", "last"]
    with warnings.catch_warnings(), ENGINES[name]() as engine:
        warnings.simplefilter("ignore")  # of other packages, as they start and end
        sweep = sweeps.map(odd, {"what": what}, store=tmp_path, executor=engine)
        check_rows(sweep)
        assert {row["what"]: row["error"] for row in sweep.failed}["interrupt"].startswith("KeyboardInterrupt")
        rows = sweeps.map(draw, [{"x": 1}] * 4, executor=engine).rows
        assert [row["task"] for row in rows] == [0, 1, 2, 3]
        assert len({row["value"] for row in rows}) == 4, "rows that are equal are calls of their own"


def test_arrays_of_any_name_come_back(tmp_path: Path) -> None:
    names = ("file", "record", "allow_pickle", "a/b", "..", "a.npy", "é", "")
    found = {name: np.arange(number + 1.0) for number, name in enumerate(names)}
    sweep = sweeps.map(lambda x: found, {"x": [1]}, store=tmp_path, workers=0)
    assert sweep.failed == ()
    for name, array in sweep.arrays(0).items():
        assert array.tobytes() == found[name].tobytes()
    assert set(sweep.arrays(0)) == set(names)


def test_arrays_in_memory_are_those_of_the_moment() -> None:
    used = np.zeros(2)

    def fill(x: int) -> np.ndarray:
        used[:] = x
        return used

    sweep = sweeps.map(fill, {"x": [1, 2]}, workers=0)
    assert [sweep.arrays(task)["value"][0] for task in (0, 1)] == [1, 2]


def test_texts_that_utf_8_cannot_write_are_exported(tmp_path: Path) -> None:
    sweep = sweeps.map(len, [{"x": 1}], workers=0)  # fails, which has to be told as well
    assert sweep.export(tmp_path / "a.csv").read_text().startswith("task,x,error\n0,1,TypeError")
    names = ["a\udcff.npz", "b.npz"]
    sweep = sweeps.map(lambda name: len(name), {"name": names}, store=tmp_path / "store", workers=0)
    assert [row["name"] for row in sweeps.read(tmp_path / "store").rows] == names
    assert sweep.export(tmp_path / "b.csv").read_text() == "task,name,value,error\n0,a\\udcff.npz,6,\n1,b.npz,5,\n"


def test_equal_rows_are_tasks_of_their_own(tmp_path: Path) -> None:
    rows = [{"width": 1, "height": 3}] * 2 + [{"width": 4, "height": 3}]
    for _ in range(2):
        sweep = sweeps.map(area, rows, store=tmp_path, workers=0)
        assert [(row["task"], row["area"]) for row in sweep.rows] == [(0, 3.0), (1, 3.0), (2, 6.0)]
        assert len(sweep.arrays(1)["line"]) == 2


def test_lost_shards_are_noticed(tmp_path: Path) -> None:
    grid = {"width": [4, 5], "height": [2, 3]}
    whole = sweeps.map(area, grid, store=tmp_path, workers=0)
    lost = [tmp_path / whole.rows[task]["shard"] for task in (0, 2)]
    others = {path: path.stat().st_mtime_ns for path in (tmp_path / "shards").rglob("*.npz") if path not in lost}
    for path in lost:
        path.unlink()
    with pytest.warns(StoreWarning, match=r"has lost shards \(2\); their tasks are done again"):
        again = sweeps.map(area, grid, store=tmp_path, workers=0)
    pandas.testing.assert_frame_equal(again.table(), whole.table(), check_exact=True)
    assert again.arrays(2)["line"].tolist() == [0, 1, 2, 3, 4, 5]
    assert {path: path.stat().st_mtime_ns for path in others} == others, "the others were not done again"
    assert len((tmp_path / "sweep.jsonl").read_text().splitlines()) == 1 + 4
    sweeps.map(area, grid, store=tmp_path, workers=0)  # without a word


def of_code(body: str) -> Callable[..., Any]:
    """A function `f` of a text."""
    names: dict[str, Any] = {}
    exec(body, names)  # the texts stand below
    function: Callable[..., Any] = names["f"]
    return function


def test_rows_of_an_earlier_version_are_said(tmp_path: Path) -> None:
    grid, log = {"x": [1, 2]}, tmp_path / "sweep.jsonl"
    old, new = of_code("def f(x): return x"), of_code("def f(x): return x + 1")
    sweeps.map(old, grid, store=tmp_path, workers=0)
    sweeps.map(of_code("\n\ndef f(x):\n    return x  # the same"), grid, store=tmp_path, workers=0)
    with pytest.warns(StoreWarning, match=r"has rows of an earlier version of .*\.f, which are kept"):
        sweeps.map(new, grid, store=tmp_path, workers=0)
    sweeps.map(old, grid, store=tmp_path, workers=0)  # nothing was done by the other one
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    with pytest.warns(StoreWarning, match="earlier version"):
        mixed = sweeps.map(new, grid, store=tmp_path, workers=0)
    assert [row["value"] for row in mixed.rows] == [1, 3]
    for function in (old, new):
        with pytest.warns(StoreWarning, match="earlier version"):
            sweeps.map(function, grid, store=tmp_path, workers=0)
    sweeps.map(new, grid, store=tmp_path, workers=0, resume=False)
    assert len(json.loads(log.read_text().splitlines()[0])["code"]) == 1
    header, *rows = log.read_text().splitlines(keepends=True)
    plain = {name: value for name, value in json.loads(header).items() if name not in ("code", "axes", "values")}
    log.write_text(json.dumps(plain) + "\n" + "".join(rows))
    assert sweeps.map(old, grid, store=tmp_path, workers=0).complete  # as stores were before


def test_versions_of_code() -> None:
    def closing(over: Any) -> Callable[..., Any]:
        return lambda x: (x, over)

    assert version_of(closing(1)) != version_of(closing(2))
    assert version_of(closing(of_code("def f(x): return 1"))) != version_of(closing(of_code("def f(x): return 2")))
    assert version_of(of_code("def f(x, y=1): return y")) != version_of(of_code("def f(x, y=2): return y"))
    assert version_of(of_code("def f(x): return [x + 1 for x in x]")) != version_of(
        of_code("def f(x): return [x + 2 for x in x]")
    )
    assert version_of(max) is None
    assert earlier(["cpython-1:a", "cpython-2:b"], ["cpython-2:c"]) == ["cpython-2:b"]
    code = (
        "from splinescope.sweeps.identity import version_of\n"
        "print(version_of(lambda x: x in {'a', 'b', 'c', ('d', 'e')}))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1, "sets have another order in each process"


def scaled(factor: float, offset: float, x: float) -> float:
    return factor * x + offset


@pytest.mark.parametrize(
    ("function", "grid", "told"),
    [
        (partial(scaled, 3.0, offset=1), {"x": [1, 2]}, "its factor is 2.0, here 3.0"),
        (partial(scaled, 2.0, offset=5), {"x": [1, 2]}, "its offset is 1, here 5"),
        (partial(scaled, 2.0, offset=1), {"x": [1, 3]}, "its x is 1, 2 (2 values), here 1, 3 (2 values)"),
        (partial(scaled, 2.0, offset=1), [{"x": 1}, {"x": 3}], "its x of task 1 is 2, here 3"),
        (partial(scaled, 2.0, offset=1), [{"x": 1}, {"x": 2}, {"x": 3}], "its number of tasks is 2, here 3"),
        (partial(area, 2.0), {"x": [1, 2]}, "its function is 'tests.sweeps.test_faults.scaled', here "),
        (
            partial(scaled, 2.0),
            {"offset": [1], "x": [1]},
            "its list of arguments is 'x', here 'offset', 'x' (2 values)",
        ),
    ],
)
def test_another_sweep_is_told_in_words(function: Any, grid: Any, told: str, tmp_path: Path) -> None:
    sweeps.map(partial(scaled, 2.0, offset=1), {"x": [1, 2]}, store=tmp_path, workers=0)
    with pytest.raises(StoreError) as raised:
        sweeps.map(function, grid, store=tmp_path, workers=0)
    assert told in str(raised.value)
    assert len(sweeps.read(tmp_path)) == 2


GRIDS = {
    "None": "got None, a NoneType; expected the values of each argument by name, or rows",
    "'abc'": "got 'abc', a str; expected the values of each argument by name, or rows",
    "{3: [1]}": "got the argument 3, an int; expected its name, a text",
    "[{3: 1}]": "got the argument 3, an int; expected its name, a text",
    "{'x y': [1]}": "got the argument 'x y'; expected a name that Python has for arguments",
    "{'x': object()}": "'x' is an object; expected several values, or one in a list",
    "{'x': numpy.array(1)}": "'x' is an ndarray; expected several values, or one in a list",
    "{'shard': [1]}": "expected another name, since every table has columns that are called task, error, traceback,",
}


def test_grids_that_are_none() -> None:
    """In a process of its own, since here annotations are checked before."""
    code = "import numpy\nfrom splinescope import sweeps, errors\n" + "".join(
        f"try:\n    sweeps.map(len, {grid}, workers=0)\nexcept errors.InvalidInputError as error:\n    print(error)\n"
        for grid in GRIDS
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(GRIDS)
    for line, told in zip(lines, GRIDS.values(), strict=True):
        assert line.startswith(
            f"`grid`: {told}" if "another" not in told else "`grid`: got the argument 'shard'; " + told
        )


def test_nothing_stays_of_a_store_without_rows(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be sent"):
        sweeps.map(partial(scaled, threading.Lock()), {"offset": [1], "x": [1]}, store=tmp_path / "a" / "b", workers=1)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "sweep.jsonl").write_text("this is none\n")
    with pytest.raises(StoreError, match="damaged"):
        sweeps.map(area, {"width": [1], "height": [2]}, store=tmp_path, workers=0)
    assert (tmp_path / "sweep.jsonl").read_text() == "this is none\n"


PROGRAM = """
import signal, sys
from splinescope import sweeps
from tests.sweeps.functions import wait
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
    engine = sys.argv[2]
    if engine == "joblib":
        import joblib
        sweep = sweeps.map(wait, {"x": range(6)}, store=sys.argv[1], executor=joblib.Parallel(n_jobs=2))
    else:
        sweep = sweeps.map(wait, {"x": range(6)}, store=sys.argv[1], workers=int(engine))
    print(sweep.complete)
"""


def below(pid: int) -> list[int]:
    """All processes that a process has started, and those that these have."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [one for text in listed if text for one in (int(text), *below(int(text)))]


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
@pytest.mark.parametrize("engine", ["0", *(pytest.param(name, marks=thorough) for name in ("2", "joblib"))])
def test_ctrl_c_within_a_task(engine: str, tmp_path: Path) -> None:
    """What is finished is there, the task that was under way is not, nobody is left, and not a word is said."""
    if engine == "joblib":
        pytest.importorskip("joblib", reason="joblib is not installed")
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    driver = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), engine],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = tmp_path / "sweep.jsonl"
    while not log.exists() or log.read_bytes().count(b"\n") < 1 + 3:
        assert driver.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    started = below(driver.pid)
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.communicate(timeout=30) == ("False\n", "")
    assert driver.returncode == 0
    time.sleep(0.5)
    assert not any(map(alive, started))
    assert [row["x"] for row in sweeps.read(tmp_path).rows] == [0, 1, 2]
    assert wait(2) == 2
