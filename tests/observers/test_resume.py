"""A run that is killed and resumed leaves the log of a run that was not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from splinescope.observers import log_spaced_steps, read_log, saved_frames
from tests.observers.runs import train

ROOT = Path(__file__).resolve().parents[2]


def timeless(path: Path) -> list[dict[str, Any]]:
    """Rows without the time, NaN as None."""
    return [
        {key: None if value != value else value for key, value in row.items() if key != "time"}
        for row in read_log(path)
    ]


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The run in a process of its own."""
    code = f"from pathlib import Path; from tests.observers import runs; runs.train(Path({str(folder)!r}), "
    code += "measures=runs.deadly)"
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was left in peace."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder


def assert_same_run(folder: Path, whole: Path) -> None:
    assert timeless(folder / "run.jsonl") == timeless(whole / "run.jsonl")
    (header, *_), (expected, *_) = ((f / "run.jsonl").read_text().splitlines() for f in (folder, whole))
    assert header == expected
    assert list(saved_frames(folder / "frames")) == list(saved_frames(whole / "frames"))
    for step, path in saved_frames(folder / "frames").items():
        with np.load(path) as mine, np.load(saved_frames(whole / "frames")[step]) as theirs:
            assert all(np.array_equal(mine[name], theirs[name]) for name in theirs.files)


def test_the_whole_run_has_all_steps(whole: Path) -> None:
    rows = timeless(whole / "run.jsonl")
    assert tuple(row["step"] for row in rows) == log_spaced_steps(40, per_decade=8)
    assert rows[0]["churn/units"] is None
    assert all(row["churn/units"] > 0 for row in rows[1:])
    assert rows[-1]["train/accuracy"] > rows[0]["train/accuracy"]


def test_a_run_killed_while_it_records(tmp_path: Path, whole: Path) -> None:
    # The checkpoint is of step 10, the log has a row of step 13, and the process dies while it records step 18.
    with start(tmp_path) as process:
        assert process.wait(timeout=600) == -signal.SIGKILL
    assert [row["step"] for row in read_log(tmp_path / "run.jsonl")] == [0, 1, 2, 3, 4, 6, 7, 10, 13]
    assert max(saved_frames(tmp_path / "frames")) == 18
    with open(tmp_path / "run.jsonl", "ab") as file:
        file.write(b'{"step": 18, "time": 17')  # as if it had died while it wrote the row
    train(tmp_path)
    assert_same_run(tmp_path, whole)
