"""The command `segment`: what it leaves and says, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.cli import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small classifier and some points, as the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    layers = {
        "W0": rng.normal(size=(12, 4)),
        "b0": rng.normal(size=12),
        "W1": rng.normal(size=(3, 12)),
        "b1": np.zeros(3),
    }
    np.savez("net.npz", **layers)
    for name in "abc":
        np.save(f"{name}.npy", rng.normal(size=4))
    np.save("many.npy", rng.normal(size=(5, 4)))
    np.save("more.npy", rng.normal(size=(5, 4)))
    np.save("long.npy", np.zeros(7))
    return tmp_path


def test_leaves_picture_arrays_and_summary(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "net.npz", "--from", "a.npy", "--to", "b.npy", "--verify", "proof"]) == 0
    said = capsys.readouterr().out
    assert {path.name for path in (place / "segment").iterdir()} == {"picture.png", "segment.npz", "summary.json"}
    facts = json.loads((place / "segment" / "summary.json").read_text())
    cells = splinescope.tessellate(splinescope.load("net.npz"), splinescope.Segment(np.load("a.npy"), np.load("b.npy")))
    assert facts["cells"] == len(cells)
    assert facts["certificate"]["level"] == "proof"
    assert facts["covered"] == [1.0]
    assert sum(row["flips"] for row in facts["flips_per_layer"]) == len(cells.flip_op)
    assert facts["classes"][0]["start"] == 0.0
    assert facts["classes"][-1]["stop"] == 1.0
    with np.load(place / "segment" / "segment.npz") as arrays:
        np.testing.assert_allclose(arrays["t"], cells.t, atol=1e-12)
        np.testing.assert_array_equal(arrays["flip_unit"], cells.flip_unit)
        assert arrays["class_start"].tolist() == [row["start"] for row in facts["classes"]]
    again = splinescope.open(place / "segment" / "segment.npz")[0]
    np.testing.assert_array_equal(again.patterns, cells.patterns)
    assert "least margin" in said
    assert "ends of cells" in said


def test_many_segments_at_once_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["segment", "net.npz", "--from", "many.npy", "--to", "more.npy", "--target", "2", "--json", "--out", "all"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["segments"] == 5
    assert len(facts["margin"]["minimum"]) == 5
    assert facts["margin"]["targets"] == [2] * 5
    assert facts["files"] == {"picture": "picture.png", "arrays": "segment.npz", "summary": "summary.json"}
    assert main([*words[:-3], "--no-picture"]) == 0
    assert "of 5 segments" in capsys.readouterr().out
    assert "keep their class" not in (place / "segment" / "summary.json").read_text()
    assert not (place / "segment" / "picture.png").exists()


def test_data_by_index_and_normalisation(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    np.savez("digits.npz", W0=rng.normal(size=(9, 64)), b0=np.zeros(9), W1=rng.normal(size=(10, 9)), b1=np.zeros(10))
    words = ["segment", "digits.npz", "--data", "digits", "--indices", "0,1,5,7", "--mean", "0.5", "--std", "0.25"]
    assert main([*words, "--json", "--format", "svg"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["segments"] == 2
    assert (place / "segment" / "picture.svg").is_file()
    points = splinescope.datasets.digits().take([0, 1]).numpy().reshape(2, -1)
    distance = np.linalg.norm(points[1] - points[0]) / 0.25
    assert facts["lengths"]["segments"][0] == pytest.approx(distance, rel=1e-6)


def test_a_budget_says_what_is_covered(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["segment", "net.npz", "--from", "a.npy", "--to", "b.npy", "--max-cells", "2", "--memory", "1M"]
    assert main(words) == 0
    assert "truncated" in capsys.readouterr().out
    facts = json.loads((place / "segment" / "summary.json").read_text())
    assert facts["truncated"]
    assert 0 < facts["covered"][0] < 1


def test_images_as_outputs_have_no_classes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("generator.py").write_text(
        "import torch\n"
        "def make():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 16),\n"
        "        torch.nn.Unflatten(1, (1, 4, 4)))\n"
    )
    assert main(["segment", "generator.py:make", "--from", "a.npy", "--to", "b.npy", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert "margin" not in facts
    assert (place / "segment" / "picture.png").is_file()


BAD = {
    "no ends": (["--from", "a.npy"], "`--to`: not given"),
    "nothing": ([], "`--from`: not given"),
    "one point": (["--from", "a.npy", "--to", "a.npy"], "both ends of pair 0 are the same point"),
    "other counts": (["--from", "a.npy", "--to", "many.npy"], "got 1 and 5 points"),
    "other shape": (["--from", "a.npy", "--to", "long.npy"], "got a point of shape"),
    "no file": (["--from", "a.npy", "--to", "z.npy"], "`--to`: z.npy does not exist"),
    "no such class": (["--from", "a.npy", "--to", "b.npy", "--target", "3"], "expected a class from 0 to 2"),
    "odd indices": (["--data", "digits", "--indices", "1,2,3"], "got 3 points; expected a start and an end"),
    "no indices": (["--data", "digits"], "`--data`, `--indices`: only one was given"),
    "both": (["--data", "digits", "--indices", "1,2", "--from", "a.npy"], "both were given"),
    "memory": (["--from", "a.npy", "--to", "b.npy", "--memory", "much"], "`--memory`"),
    "mean": (["--from", "a.npy", "--to", "b.npy", "--mean", "x"], "`--mean`"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_in_one_line(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = BAD[name]
    assert main(["segment", "net.npz", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert expected in said.err
    assert said.err.count("\n") == 1
