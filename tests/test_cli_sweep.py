"""`splinescope sweep` does what its help says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from splinescope import sweeps
from splinescope.cli import main
from splinescope.sweeps import mapping
from tests.seeds import thorough

CODE = """
import torch
def Net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
"""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks are done in this process; that others do them is tested beside the pool."""
    monkeypatch.setattr(mapping, "_engine", lambda *given: nullcontext())


@pytest.fixture
def model(tmp_path: Path) -> str:
    """|x_i| of three inputs."""
    (tmp_path / "models").mkdir()
    for name in ("a", "b"):
        np.savez(tmp_path / "models" / f"{name}.npz", W0=np.eye(3), b0=np.zeros(3), W1=np.eye(3)[:2], b1=np.zeros(2))
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(6, 3)))
    return str(tmp_path / "models")


def test_a_folder_of_models_in_several_planes(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, data = tmp_path / "out", str(tmp_path / "points.npy")
    words = ["sweep", model, "--data", data, "--indices", "0,1,2 3,4,5", "--out", str(out)]
    assert main(words) == 0
    assert "4 of 4" in capsys.readouterr().out
    table = pandas.read_csv(out / "table.csv")
    assert list(table["points"]) == ["0,1,2", "3,4,5"] * 2
    assert table["cells"].tolist()[:2] == table["cells"].tolist()[2:]
    assert (table["certificate"] == "values").all()
    assert table["error"].isna().all()
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["tasks"], summary["complete"], summary["failed"]) == (4, True, 0)
    before = (out / "sweep.jsonl").read_bytes()
    assert main([*words, "--json"]) == 0  # again: nothing is left to do
    assert json.loads(capsys.readouterr().out)["finished"] == 4
    assert (out / "sweep.jsonl").read_bytes() == before
    assert main([*words, "--margin", "0.5"]) == 2
    assert "holds another sweep" in capsys.readouterr().err
    assert main([*words, "--margin", "0.5", "--no-resume"]) == 0


def test_pairs_of_a_data_set(model: str, tmp_path: Path) -> None:
    words = ["sweep", f"{model}/a.npz", "--data", str(tmp_path / "points.npy"), "--random", "5", "--segments"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    sweep = sweeps.read(tmp_path / "out")
    points = np.load(tmp_path / "points.npy")
    for row in sweep.rows:
        start, end = (points[int(index)] for index in row["points"].split(","))
        assert row["cells"] == 1 + np.sum(np.sign(start) != np.sign(end))
        assert row["length"] == pytest.approx(np.linalg.norm(end - start))
    assert len({row["points"] for row in sweep.rows}) == 5


def test_checkpoints_one_of_which_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nets.py").write_text(CODE)
    (tmp_path / "run").mkdir()
    for step in (1, 2, 10):
        state = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2 + (step == 2)))
        torch.save(state.state_dict(), tmp_path / "run" / f"step-{step}.pt")
    words = [str(tmp_path / "nets.py") + ":Net", "--checkpoints", str(tmp_path / "run"), "--input-shape", "2"]
    assert main(["sweep", *words, "--out", str(tmp_path / "out")]) == 0
    assert "failed" in capsys.readouterr().out
    rows = sweeps.read(tmp_path / "out").rows
    assert [Path(row["checkpoint"]).name for row in rows] == ["step-1.pt", "step-2.pt", "step-10.pt"]
    assert [row["error"] is None for row in rows] == [True, False, True]
    assert "does not fit the model" in rows[1]["error"]


BAD = {
    "`--data`: expected `--indices` with it": ["--data", "digits"],
    "`--indices`, `--random`: expected one": ["--data", "digits", "--indices", "1,2,3", "--random", "3"],
    "`--segments`: expected pairs": ["--data", "digits", "--indices", "1,2,3", "--segments"],
    "`--checkpoints`: none is no folder": ["--checkpoints", "none"],
    "`--random`: points.npy has 6 points": ["--data", "points.npy", "--random", "121"],
    "has no file of type .pt": ["--checkpoints", "models"],
    "`--memory`: got 'much'": ["--memory", "much"],
}


@pytest.mark.parametrize("message", BAD)
def test_complaints(
    message: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", model, "--out", "out", *BAD[message]]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_model_that_is_not_there_or_cannot_be_read(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and status 2, whether it is seen at once or by every row; nothing stays."""
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert main(["sweep", "none.npz"]) == 2
    assert capsys.readouterr().err.startswith("splinescope: `MODEL`: none.npz does not exist")
    assert set(tmp_path.iterdir()) == before
    np.savez("nan.npz", W0=np.full((3, 2), np.nan), b0=np.zeros(3), W1=np.ones((1, 3)), b1=np.zeros(1))
    before = set(tmp_path.iterdir())
    assert main(["sweep", "nan.npz", "--box", "-1", "1", "--out", "new/out"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith("splinescope: `model`: ")
    assert "NaN" in told
    assert set(tmp_path.iterdir()) == before


def test_rows_that_all_fail_without_fault_of_the_input_stay(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def short(*arguments: object, **named: object) -> None:
        raise MemoryError("too little")

    monkeypatch.setattr("splinescope.cli.sweep_task._network", short)
    words = [f"{model}/a.npz", "--data", str(tmp_path / "points.npy"), "--indices", "0,1,2"]
    assert main(["sweep", *words, "--out", str(tmp_path / "out")]) == 2
    assert "failed; the first: MemoryError: too little" in " ".join(capsys.readouterr().err.split())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"sweep.jsonl", "summary.json", "table.csv"}


DIFFERENT = {
    "`--margin` was 0.2, here 0.5": ["--indices", "0,1,2", "--margin", "0.5"],
    "`--max-cells` was not given, here 9": ["--indices", "0,1,2", "--max-cells", "9"],
    "`--indices` or `--random` was '0,1,2', here '3,4,5'": ["--indices", "3,4,5"],
    "`--seed` or `--seeds` was 0, here 0, 1 (2 values)": ["--indices", "0,1,2", "--seeds", "2"],
}


def test_another_sweep_is_told_in_words_of_the_command(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", f"{model}/a.npz", "--data", str(tmp_path / "points.npy"), "--out", str(tmp_path / "out")]
    assert main([*words, "--indices", "0,1,2"]) == 0
    capsys.readouterr()
    for told, others in DIFFERENT.items():
        assert main([*words, *others]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"holds another sweep: {told}; give the same, another folder, or `--no-resume` to replace it" in line
    np.savez(f"{model}/a.npz", W0=2 * np.eye(3), b0=np.zeros(3), W1=np.eye(3)[:2], b1=np.zeros(2))
    assert main([*words, "--indices", "0,1,2"]) == 2
    assert "files of its models have changed" in capsys.readouterr().err
    assert main([*words, "--indices", "3,4,5", "--no-resume"]) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux alone")
def test_names_of_files_that_are_no_text(model: str, tmp_path: Path) -> None:
    name = os.fsdecode(b"c\xff.npz")
    Path(model, "b.npz").rename(Path(model, name))
    words = ["--data", str(tmp_path / "points.npy"), "--indices", "0,1,2", "--out", str(tmp_path / "out")]
    for _ in range(2):
        assert main(["sweep", model, *words]) == 0
    assert [row["model"] for row in sweeps.read(tmp_path / "out").rows] == [f"{model}/a.npz", f"{model}/{name}"]
    assert pandas.read_csv(tmp_path / "out" / "table.csv")["model"].tolist()[1] == f"{model}/c\\udcff.npz"


def program(*words: str, **options: Any) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    code = "import sys; from splinescope.cli import main; sys.exit(main())"
    return subprocess.Popen([sys.executable, "-c", code, "sweep", *words], text=True, **options)


@thorough
@pytest.mark.skipif(sys.platform != "linux", reason="a pipe that is closed and Ctrl-C are others elsewhere")
def test_a_closed_pipe_and_ctrl_c(model: str, tmp_path: Path) -> None:
    """Neither ends in a traceback, and what is finished stays."""
    place = ["--data", str(tmp_path / "points.npy"), "--random", "100", "--segments", "--workers", "1", "--seeds", "50"]
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    log = tmp_path / "out" / "sweep.jsonl"
    with program(f"{model}/a.npz", *place[:3], "20", *place[4:], "--out", str(tmp_path / "out"), **options) as running:
        while not log.exists() or log.read_bytes().count(b"\n") < 3:
            assert running.poll() is None
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=60)
        assert (running.returncode, err.splitlines()[-1].split(";")[0]) == (130, "interrupted")
        assert "the same command goes on" in out
    few = [f"{model}/a.npz", "--data", place[1], "--random", "3", "--segments", "--workers", "1"]
    with program(*few, "--out", str(tmp_path / "few"), **options) as running:
        assert running.stdout is not None
        running.stdout.close()  # as `head` does
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()
    assert (tmp_path / "few" / "table.csv").is_file()
    assert sweeps.read(tmp_path / "few").complete
