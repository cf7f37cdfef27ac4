"""`splinescope preimage` does what its help says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from splinescope.cli import main
from splinescope.preimage import open_preimage

SPEC = """
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (<= X_0 1))
(assert (>= X_0 -1))
(assert (<= X_1 1))
(assert (>= X_1 -1))
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    """max(x, 0) of two inputs."""
    path = tmp_path / "net.npz"
    np.savez(path, W0=np.eye(2), b0=np.zeros(2), W1=np.eye(2), b1=np.zeros(2))
    return str(path)


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "summary.json").read_text())


def test_a_class(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["preimage", model, "--target", "class:1", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "37.500000% of the domain" in told
    assert "verdict" not in told
    facts = summary(out)
    assert facts["volume"] == pytest.approx(1.5)
    assert facts["certificate"]["samples"] > 0
    names = ["picture.png", "polytopes.json", "preimage.npz", "summary.json"]
    assert sorted(path.name for path in out.iterdir()) == names
    found = open_preimage(out / "preimage.npz")
    assert found.volume == facts["volume"]
    polytopes = json.loads((out / "polytopes.json").read_text())["polytopes"]
    assert len(polytopes) == len(found) == 2
    assert sum(one["measure"] for one in polytopes) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("unsafe", "verdict", "share"), [("(>= Y_0 2)", "holds", 0.0), ("(>= Y_0 0.5)", "violated", 0.25)]
)
def test_a_specification(
    unsafe: str, verdict: str, share: float, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, out = tmp_path / "a.vnnlib", tmp_path / "out"
    spec.write_text(f"{SPEC}(assert {unsafe})")
    assert main(["preimage", model, "--spec", str(spec), "--out", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == summary(out)
    assert (facts["verdict"], facts["share"]) == (verdict, pytest.approx(share))
    if verdict == "violated":
        assert facts["counterexample"]["input"][0] >= 0.5
        assert facts["confirmed"] == "the network"


def test_several_boxes_and_a_limit(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "a.vnnlib"
    spec.write_text(f"{SPEC}(assert (or (and (<= X_0 0) (>= Y_0 1)) (and (>= X_0 0.5) (>= Y_0 0.75))))")
    assert main(["preimage", model, "--spec", str(spec), "--out", str(tmp_path / "a"), "--time-limit", "60"]) == 0
    facts = summary(tmp_path / "a")
    assert facts["verdict"] == "violated"
    assert [one["verdict"] for one in facts["questions"]] == ["holds", "violated"]
    assert (tmp_path / "a" / "preimage-2.npz").is_file()
    capsys.readouterr()
    arguments = ["--spec", str(spec), "--box", "-1", "0.25", "--out", str(tmp_path / "b")]
    assert main(["preimage", model, *arguments]) == 0
    assert "holds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "`--target`, `--spec`: expected one of them"),
        (["--target", "class:5"], "`--target`: got 5; expected a class from 0 to 1"),
        (["--target", "best"], "`--target`: got 'best'; expected class:K or smallest:K"),
        (["--spec", "none.vnnlib"], "`--spec`: none.vnnlib does not exist"),
        (["--target", "class:0", "--box", "1,1", "0,0"], "expected low <= high"),
    ],
)
def test_one_clear_line(
    arguments: list[str], message: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preimage", model, *arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_specification_of_another_size(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "a.vnnlib"
    spec.write_text(SPEC.replace("(declare-const Y_1 Real)\n", "") + "(assert (>= Y_0 2))")
    assert main(["preimage", model, "--spec", str(spec), "--out", str(tmp_path / "out")]) == 2
    assert "is of 2 inputs and 1 outputs; the model has 2 and 2" in capsys.readouterr().err


@pytest.fixture
def folded(tmp_path: Path) -> str:
    """A network with some hundred cells."""
    rng = np.random.default_rng(0)
    path = tmp_path / "folded.npz"
    sizes = ((12, 2), (12, 12), (2, 12))
    weights = {f"W{k}": rng.normal(size=size) for k, size in enumerate(sizes)}
    np.savez(path, **weights, **{f"b{k}": rng.uniform(-1, 1, size[0]) for k, size in enumerate(sizes)})
    return str(path)


def test_a_run_that_was_cut_short_goes_on(folded: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, part = str(tmp_path / "whole"), str(tmp_path / "part")
    words = ["preimage", folded, "--target", "class:1", "--box", "-3", "3", "--no-picture"]
    assert main([*words, "--out", whole]) == 0
    assert main([*words, "--out", part, "--max-cells", "20"]) == 0
    few, all_ = summary(tmp_path / "part"), summary(tmp_path / "whole")
    assert not few["complete"]
    assert few["volume_bounds"][0] <= all_["volume"] <= few["volume_bounds"][1]
    assert main([*words, "--resume", part, "--out", part, "--workers", "1"]) == 0
    facts = summary(tmp_path / "part")
    assert facts["complete"]
    assert facts["volume"] == pytest.approx(all_["volume"], rel=1e-12)
    capsys.readouterr()
    for changed in (["--target", "class:0"], ["--box", "-2", "3"]):
        assert main([*words, *changed, "--resume", part, "--out", str(tmp_path / "other")]) == 2
        assert "`resume`: it is a preimage of another" in capsys.readouterr().err
    assert main([*words, "--resume", str(tmp_path), "--out", str(tmp_path / "other")]) == 2
    assert "expected the folder of an earlier run" in capsys.readouterr().err
