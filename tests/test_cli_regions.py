"""`splinescope regions` does what its help says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.cli import main
from tests.seeds import large
from tests.sweeps.test_kills import children
from tests.workers.test_pool import ROOT, alive

AXES = 5


@pytest.fixture
def model(tmp_path: Path) -> str:
    """|x_i| of five inputs: 2^5 cells, each with five neighbours."""
    path = tmp_path / "net.npz"
    np.savez(path, W0=np.eye(AXES), b0=np.zeros(AXES), W1=np.ones((2, AXES)), b1=np.zeros(2))
    return str(path)


def summary(out: Path) -> dict[str, object]:
    return json.loads((out / "summary.json").read_text())


def test_a_box(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["regions", model, "--out", str(out), "--verify", "proof"]) == 0
    told = capsys.readouterr()
    assert told.err == "" or told.err.startswith("compiling")
    assert "32 in 5 dimensions" in told.out
    assert "that is all of them" in told.out
    assert "5: 32" in told.out
    facts = summary(out)
    assert (facts["cells"], facts["complete"], facts["lower_bound"], facts["upper_bound"]) == (32, True, 32, 32)
    assert facts["mean_degree"] == 5.0
    assert facts["degrees"] == {"5": 32}
    assert facts["facets"] == 80
    assert facts["certificate"]["level"] == "proof"  # type: ignore[index]
    graph = splinescope.open(out / "graph.npz")
    assert len(graph) == 32
    assert sorted(path.name for path in out.iterdir()) == ["graph.npz", "picture.png", "summary.json"]


def test_json_is_all_that_is_printed(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    low, high = "-1,-1,0.5,0.5,0.5", "1,1,0.5,0.5,1"
    assert main(["regions", model, "--box", low, high, "--out", str(out), "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out) == summary(out)
    assert (json.loads(told.out)["cells"], json.loads(told.out)["dimension"]) == (4, 3)


def test_stopped_and_resumed(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, file = tmp_path / "out", tmp_path / "search.npz"
    assert main(["regions", model, "--out", str(out), "--max-cells", "7", "--checkpoint", str(file)]) == 0
    assert "7 in 5 dimensions" in (told := capsys.readouterr().out)
    assert "incomplete" in told
    assert "at most 32" in told
    assert summary(out)["complete"] is False
    assert main(["regions", model, "--out", str(out), "--resume", str(file)]) == 0
    assert summary(out)["cells"] == 32
    assert main(["regions", model, "--out", str(out), "--time-limit", "60", "--force"]) == 0


def test_workers(model: str, tmp_path: Path) -> None:
    assert main(["regions", model, "--out", str(tmp_path), "--workers", "2", "--force"]) == 0
    assert summary(tmp_path)["cells"] == 32


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
@pytest.mark.parametrize("killed", [large("driver"), large("worker")])
def test_kills_lose_no_work(killed: str, tmp_path: Path) -> None:
    """Of a worker, the search goes on; of the driver, its workers end and the checkpoint is there."""
    model, file, out = tmp_path / "net.npz", tmp_path / "search.npz", tmp_path / "out"
    rng, widths = np.random.default_rng(0), (6, 24, 24, 2)
    weights = {f"W{i}": rng.standard_normal((widths[i + 1], widths[i])) for i in range(3)}
    np.savez(model, **weights, **{f"b{i}": rng.standard_normal(widths[i + 1]) for i in range(3)})
    code = "import sys; from splinescope.cli import main; sys.exit(main())"
    words = ["regions", str(model), "--workers", "2", "--checkpoint", str(file), "--out", str(out)]
    limits = ["--verify", "topology", "--max-cells", "20000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    driver = subprocess.Popen(
        [sys.executable, "-c", code, *words, *limits], env=environment, stderr=subprocess.PIPE, text=True
    )
    while not file.exists():
        assert driver.poll() is None
        time.sleep(0.05)
    workers = children(driver.pid)
    os.kill(driver.pid if killed == "driver" else workers[0], signal.SIGKILL)
    _, told = driver.communicate()
    if killed == "worker":
        assert driver.returncode == 0
        assert "Traceback" not in told
        assert summary(out)["cells"] == 20000
        return
    ended = time.monotonic()
    while any(map(alive, workers)):
        assert time.monotonic() - ended < 5
        time.sleep(0.02)
    assert main(["regions", str(model), "--resume", str(file), "--max-cells", "1", "--out", str(out)]) == 0
    assert summary(out)["cells"] >= 1


def test_around_a_point(model: str, tmp_path: Path) -> None:
    point = tmp_path / "point.npy"
    np.save(point, [0.1, 0.2, 2.0, 2.0, 2.0])
    assert main(["regions", model, "--point", str(point), "--radius", "1", "--out", str(tmp_path)]) == 0
    assert summary(tmp_path)["cells"] == 4
    starts = tmp_path / "starts.npy"
    np.save(starts, [[0.5, 0.5, 1.5, 1.5, 1.5], [-0.5, 0.5, 1.5, 1.5, 1.5]])
    options = ["--start", str(starts), "--max-cells", "2"]
    assert (
        main(["regions", model, "--point", str(point), "--radius", "1", "--out", str(tmp_path), *options, "--force"])
        == 0
    )
    assert summary(tmp_path)["cells"] == 2


@pytest.mark.parametrize(("options", "dimension"), [([], 2), (["--dimension", "3"], 3), (["--dimension", "4"], 4)])
def test_slices(model: str, tmp_path: Path, options: list[str], dimension: int) -> None:
    files = []
    for number, point in enumerate(np.eye(AXES)[:3] - 0.4):
        files.append(str(tmp_path / f"{number}.npy"))
        np.save(files[-1], point)
    assert main(["regions", model, "--through", *files, *options, "--out", str(tmp_path)]) == 0
    assert summary(tmp_path)["dimension"] == dimension
    assert summary(tmp_path)["complete"] is True
    domain = summary(tmp_path)["domain"]
    assert domain["kind"] == "Slice"  # type: ignore[index]


BAD = {
    "`--point`, `--box`: both were given": ["--box", "-1", "1", "--point", "point.npy"],
    "`--radius`: one point needs one": ["--point", "point.npy"],
    "`--radius`: got -1.0": ["--point", "point.npy", "--radius", "-1"],
    "`--dimension`: it goes with points": ["--dimension", "3"],
    "`--box`: got 2 numbers; expected one, or one for each of 5 inputs": ["--box", "-1,0", "1"],
    "`low`, `high`: 1.0 is above -1.0": ["--box", "1", "-1"],
    "`--data`, `--indices`: only one": ["--data", "digits"],
    "`--point`: got 5 points": ["--point", "point.npy"] * 5,
    "`--point`: none.npy does not exist": ["--point", "none.npy"],
    "`--resume`: none.npz does not exist": ["--resume", "none.npz"],
    "`time_limit`: got -1.0": ["--time-limit", "-1"],
    "outside the domain": ["--start", "far.npy"],
    "`starts`, `resume`: both": ["--start", "point.npy", "--resume", "point.npy"],
}


@pytest.mark.parametrize("message", BAD)
def test_complaints(
    message: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("point.npy", np.zeros(AXES))
    np.save("far.npy", np.full(AXES, 9.0))
    assert main(["regions", model, "--out", "out", *BAD[message]]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert message in told.err
