"""The command `compare`: what it leaves and says, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.cli import main
from splinescope.trajectory import compare


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a classifier, its rounded copy and some points, as the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    layers = {"W0": rng.normal(size=(9, 3)), "b0": rng.normal(size=9), "W1": rng.normal(size=(3, 9)), "b1": np.zeros(3)}
    np.savez("net.npz", **layers)
    np.savez("rounded.npz", **{name: np.round(4 * values) / 4 for name, values in layers.items()})
    np.savez("other.npz", W0=np.ones((2, 3)), b0=np.zeros(2))
    for name in "abc":
        np.save(f"{name}.npy", rng.normal(size=3))
    return tmp_path


def test_a_plane(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "net.npz", "rounded.npz", "--through", "a.npy", "b.npy", "c.npy", "--verify", "proof"]) == 0
    said = capsys.readouterr().out
    assert {path.name for path in (place / "compare").iterdir()} == {"picture.png", "complex.npz", "summary.json"}
    facts = json.loads((place / "compare" / "summary.json").read_text())
    plane = splinescope.Slice.through(*(np.load(f"{name}.npy") for name in "abc"), margin=0.2)
    found = compare("net.npz", "rounded.npz", plane)
    assert facts["largest_deviation"] == found.largest_deviation > 0
    assert facts["changed_measure"] == found.changed_measure > 0
    assert sum(row["measure"] for row in facts["changes"]) == pytest.approx(found.changed_measure, rel=1e-12)
    assert facts["certificate"]["level"] == "proof"
    assert len(splinescope.open(place / "compare" / "complex.npz")) == len(found.cells) == facts["cells"]
    assert "classes differ" in said
    assert "largest deviation" in said


def test_a_segment_and_a_box_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "net.npz", "rounded.npz", "--json", "--format", "svg"]
    assert main([*words, "--from", "a.npy", "--to", "b.npy", "--out", "line"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["dimension"] == 1
    assert (place / "line" / "picture.svg").is_file()
    assert main([*words, "--box", "-1,-1,-1", "1,1,1", "--out", "box"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["dimension"] == 3
    assert "picture" not in facts["files"]
    assert 0 < facts["changed_measure"] < 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["net.npz", "other.npz", "--box", "-1", "1"], "`b`: its outputs have shape"),
        (["net.npz", "rounded.npz", "--from", "a.npy"], "`--from`, `--to`: one of them was given"),
        (["net.npz", "rounded.npz", "--from", "a.npy", "--to", "b.npy", "--box", "0", "1"], "another domain"),
        (["net.npz", "rounded.npz"], "`--through`: no points were given"),
        (["net.npz", "rounded.npz", "--point", "a.npy", "--output", "7"], "`--output`: got 7"),
        (["net.npz", "nothing.npz", "--box", "-1", "1"], "nothing.npz does not exist"),
    ],
)
def test_refusals(place: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(["compare", *words, "--out", "nowhere"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not Path("nowhere").exists()


def test_models_of_one_file_share_what_it_makes_at_random(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy of an untrained module in the same file is that of the module compared, not of one made anew."""
    code = (
        "import copy, torch\na = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))\n"
    )
    (place / "net.py").write_text(code + "b = copy.deepcopy(a)\n")
    words = ["compare", "net.py:a", "net.py:b", "--box", "-1", "1", "--input-shape", "2", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["largest_deviation"] == 0.0
