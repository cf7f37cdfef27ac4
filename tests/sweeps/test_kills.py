"""`kill -9` of the driver, of a worker, and of both again and again: no lost and no doubled rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest

from splinescope import sweeps
from tests.seeds import large, thorough
from tests.sweeps.functions import slowly
from tests.workers.test_pool import ROOT, alive

CODE = """
import sys
from splinescope import sweeps
from tests.sweeps.functions import slowly
if __name__ == "__main__":
    sweeps.map(slowly, {"x": range(int(sys.argv[2])), "marks": [sys.argv[3]]}, store=sys.argv[1], workers=2)
"""


def children(pid: int) -> list[int]:
    """Workers of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdecimal() else 0
            if parent == pid and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (OSError, IndexError):
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
@pytest.mark.parametrize(("tasks", "kills"), [(60, 1), large(200, 4)])
def test_kills_lose_nothing(tasks: int, kills: int, tmp_path: Path) -> None:
    store, marks = tmp_path / "store", tmp_path / "marks"
    marks.mkdir()
    command = [sys.executable, "-c", CODE, str(store), str(tasks), str(marks)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    for kill in range(1, kills + 1):
        driver = subprocess.Popen(command, env=environment)
        wanted = kill * tasks // (kills + 2)
        while len(list(marks.iterdir())) < wanted:
            assert driver.poll() is None
            time.sleep(0.01)
        workers = children(driver.pid)
        os.kill(workers[0], signal.SIGKILL)
        while len(list(marks.iterdir())) < wanted + 5:
            assert driver.poll() is None
            time.sleep(0.01)
        workers = children(driver.pid)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        ended = time.monotonic()
        while any(map(alive, workers)):
            assert time.monotonic() - ended < 5, "workers outlive their driver"
            time.sleep(0.01)
        part = sweeps.read(store)
        assert 0 < len(part) < tasks
    finished = {row["x"] for row in part.rows}
    before = {x: (marks / str(x)).read_text() for x in finished}
    assert subprocess.run(command, env=environment).returncode == 0
    whole = sweeps.read(store)
    assert [row["task"] for row in whole.rows] == list(range(tasks))
    assert whole.failed == ()
    assert {x: (marks / str(x)).read_text() for x in finished} == before, "what was finished was not done again"
    other = sweeps.map(slowly, {"x": range(tasks), "marks": [str(marks)]}, workers=0)
    pandas.testing.assert_frame_equal(whole.table(), other.table(), check_exact=True)
    for task in (0, tasks - 1):
        assert whole.arrays(task)["values"].tobytes() == other.arrays(task)["values"].tobytes()


@thorough
@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    """All processes of a terminal get it; the driver ends well, its workers without a word."""
    store, marks = tmp_path / "store", tmp_path / "marks"
    marks.mkdir()
    command = [sys.executable, "-c", CODE, str(store), "2000", str(marks)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    driver = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while len(list(marks.iterdir())) < 20:
        assert driver.poll() is None
        time.sleep(0.01)
    workers = children(driver.pid)
    os.killpg(driver.pid, signal.SIGINT)
    _, told = driver.communicate(timeout=60)
    assert (driver.returncode, told) == (0, "")
    assert not any(map(alive, workers))
    assert 10 < len(sweeps.read(store)) < 2000
