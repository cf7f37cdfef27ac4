"""`splinescope reproduce`: lists, runs, and answers mistakes in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from splinescope.cli import main
from splinescope.experiments import EXPERIMENTS

KNOWN = ", ".join(found.name for found in EXPERIMENTS)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--list"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    for name in KNOWN.split(", "):
        assert name in told.out
    assert "paper" in told.out
    assert "min" in told.out
    assert main(["reproduce", "--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert ", ".join(row["name"] for row in rows) == KNOWN
    assert all(row["shows"] and row["source"] and set(row["minutes"]) == {"smoke", "paper"} for row in rows)


def test_list_is_quick() -> None:
    code = """
import json, sys
from splinescope.cli import main
status = main(["reproduce", "--list", "--json"])
print(json.dumps([status, [name for name in ("torch", "matplotlib", "sklearn", "scipy") if name in sys.modules]]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fold"], "there is no experiment 'fold'; did you mean manifold?"),
        ([], f"no experiment named; expected one of {KNOWN}"),
        (["cats", "--preset", "huge"], "'huge' is not one of 'smoke', 'paper'"),
        (["cats", "--preset", "paper"], "`data`: got none; expected where CIFAR-10 is"),
        (["tessellation-toy", "--data", "x"], "`data`: got 'x'; this experiment makes its own data"),
        (["tessellation-toy", "--seed", "-1"], "--seed"),
        (["grokking", "--set", "width"], "`--set`: got 'width'; expected KEY=VALUE, such as width=32"),
        (["grokking", "--set", "depth=3"], "`set`: there is no setting 'depth'; expected one of activation"),
        (["grokking", "--judge", "x", "--set", "width=3"], "`--judge`: takes no other option but --json: it judges"),
        (["grokking", "--set", "width=x"], "`set`: got 'x' for 'width'; expected a whole number, such as 96"),
    ],
)
def test_mistakes(words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", *words, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert message in told.err


@pytest.mark.slow
def test_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "toy"
    assert main(["reproduce", "tessellation-toy", "--out", str(out), "--seed", "2"]) == 0
    told = capsys.readouterr()
    assert told.err == "" or told.err.startswith("compiling")  # nothing once the kernels are in the cache
    assert "tessellation-toy, preset smoke" in told.out
    assert "summary.json" in told.out
    assert main(["reproduce", "tessellation-toy", "--out", str(out), "--seed", "2", "--json"]) == 0
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert summary["parts_computed"] == 0
    assert summary["config"]["seed"] == 2
    assert {claim["verdict"] for claim in summary["claims"]} == {"reproduced", "not comparable"}
    written = json.loads((out / "summary.json").read_text())
    assert written["claims"] == summary["claims"]


def test_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finished run is judged again from its file, or from its folder, with or without its name."""
    words = ["tessellation-toy", "--set", "width=3", "--set", "layers=2", "--json"]
    assert main(["reproduce", *words, "--out", str(tmp_path)]) == 0
    claims = json.loads(capsys.readouterr().out)["claims"]
    picture = (tmp_path / "tessellation.png").read_bytes()
    (tmp_path / "tessellation.png").unlink()
    assert main(["reproduce", "tessellation-toy", "--judge", str(tmp_path / "numbers.json"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["claims"] == claims
    assert (summary["parts_computed"], summary["parts_reused"]) == (0, 0)
    assert (tmp_path / "tessellation.png").read_bytes() == picture
    assert main(["reproduce", "--judge", str(tmp_path)]) == 0
    assert f"left in {tmp_path}" in capsys.readouterr().out.replace("\n", "")
    for words, message in (
        (["cats", "--judge", str(tmp_path)], "is of 'tessellation-toy'; expected a run of 'cats'"),
        (["--judge", str(tmp_path / "nowhere")], "expected the folder of a finished run, or its numbers.json"),
    ):
        assert main(["reproduce", *words]) == 2
        assert message in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--help"]) == 0
    assert "--list" in capsys.readouterr().out


def test_set_changes_a_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tessellation-toy", "--set", "width=3", "--set", "bias-deviation=0.25", "--json"]
    assert main(["reproduce", *words, "--out", str(tmp_path)]) == 0
    config = json.loads(capsys.readouterr().out)["config"]
    assert (config["width"], config["bias_deviation"], config["layers"]) == (3, 0.25, 3)
