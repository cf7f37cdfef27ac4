"""The command `path`: what it leaves and says, and what it refuses in one line."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.cli import main
from splinescope.paths import straight


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network that computes |x| - 1/2 + y, a classifier, and points, as the working directory."""
    monkeypatch.chdir(tmp_path)
    np.savez(
        "notch.npz",
        W0=np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]),
        b0=np.zeros(4),
        W1=np.array([[1.0, 1.0, 1.0, -1.0]]),
        b1=np.array([-0.5]),
    )
    for name, point in {"left": [-2.0, 0.0], "right": [2.0, 0.0], "up": [2.0, 1.0]}.items():
        np.save(f"{name}.npy", np.array(point))
    np.save("starts.npy", np.array([[-2.0, 0.0], [1.0, 0.0], [-2.0, 2.0]]))
    np.save("ends.npy", np.array([[2.0, 0.0], [2.0, 0.5], [2.0, 2.0]]))
    np.save("long.npy", np.zeros(7))
    rng = np.random.default_rng(1)
    sizes = [64, 9, 9, 10]
    layers = {f"W{i}": rng.normal(size=(b, a)) / 3 for i, (a, b) in enumerate(itertools.pairwise(sizes))}
    np.savez("digits.npz", **layers, **{f"b{i}": np.zeros(b) for i, b in enumerate(sizes[1:])})
    return tmp_path


def test_a_straight_path_is_refuted_with_the_place(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path", "notch.npz", "--from", "left.npy", "--to", "right.npy"]) == 0
    said = capsys.readouterr().out
    assert {file.name for file in (place / "path").iterdir()} == {"picture.png", "path.npz", "summary.json"}
    facts = json.loads((place / "path" / "summary.json").read_text())
    assert facts["targets"] == [1]
    assert facts["straight"]["verdicts"] == ["refuted"]
    assert facts["straight"]["minimum_margin"] == [pytest.approx(-0.5)]
    assert facts["straight"]["t"] == [pytest.approx(0.5)]
    (interval,) = facts["straight"]["misclassified"][0]
    assert (interval["start"], interval["stop"], interval["class"]) == (pytest.approx(3 / 8), pytest.approx(5 / 8), 0)
    assert facts["bent"] is None
    assert "refuted in class 1" in said
    assert "0 from 0.375 to 0.625" in said


def test_bending_finds_a_path_that_is_certified(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["path", "notch.npz", "--from", "left.npy", "--to", "right.npy", "--bend", "--format", "svg", "--force"])
        == 0
    )
    facts = json.loads((place / "path" / "summary.json").read_text())
    assert facts["bent"]["verdicts"] == ["certified"]
    assert facts["bent"]["methods"] == ["band"]
    assert facts["bent"]["minimum_margin"][0] > 0
    assert (place / "path" / "picture.svg").is_file()
    with np.load(place / "path" / "path.npz") as arrays:
        corners = arrays["bent_points"]
        assert arrays["bent_offsets"].tolist() == [0, len(corners)]
    np.testing.assert_array_equal(corners[[0, -1]], [[-2.0, 0.0], [2.0, 0.0]])
    weight = np.linspace(0, 1, 1001)[:, None]
    dense = np.concatenate([(1 - weight) * a + weight * b for a, b in itertools.pairwise(corners)])
    assert (np.abs(dense[:, 0]) - 0.5 + dense[:, 1]).min() == pytest.approx(
        facts["bent"]["minimum_margin"][0], abs=1e-3
    )
    assert "bent" in capsys.readouterr().out
    # Within a box that leaves no way around there is none, and nothing is claimed.
    words = [
        "path",
        "notch.npz",
        "--from",
        "left.npy",
        "--to",
        "right.npy",
        "--bend",
        "--json",
        "--max-steps",
        "20",
        "--force",
    ]
    assert main([*words, "--box", "none", "2", "--no-picture"]) == 0
    assert json.loads(capsys.readouterr().out)["bent"]["verdicts"] == ["certified"]
    np.savez("wall.npz", W0=np.array([[1.0], [-1.0]]), b0=np.zeros(2), W1=np.ones((1, 2)), b1=np.array([-0.5]))
    np.save("a.npy", np.array([-2.0]))
    np.save("b.npy", np.array([2.0]))
    assert (
        main(
            [
                *[{"notch.npz": "wall.npz", "left.npy": "a.npy", "right.npy": "b.npy"}.get(w, w) for w in words],
                "--force",
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["bent"]["verdicts"] == ["refuted"]


def test_many_paths_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["path", "notch.npz", "--from", "starts.npy", "--to", "ends.npy", "--bend", "--out", "all", "--force"]
    assert main([*words, "--json", "--force"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["paths"] == 3
    assert facts["straight"]["verdicts"] == ["refuted", "certified", "certified"]
    assert facts["bent"]["methods"][1:] == ["straight", "straight"]
    assert facts["files"] == {"picture": "picture.png", "arrays": "path.npz", "summary": "summary.json"}
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "2 certified, 1 refuted in class 1" in said
    assert "of path 0" in said


@pytest.mark.parametrize("layer", ["0", "2", "-2"])
def test_layers_of_digits(layer: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the command says is what the library says, and the path's ends are activations."""
    words = ["path", "digits.npz", "--data", "digits", "--indices", "0,1,5,7", "--mean", "0.5", "--std", "0.25"]
    assert main([*words, "--layer", layer, "--json", "--bend", "--method", "exact"]) == 0
    facts = json.loads(capsys.readouterr().out)
    network = splinescope.load("digits.npz")
    points = (splinescope.datasets.digits().take([0, 1, 5, 7]).double().numpy().reshape(4, -1) - 0.5) / 0.25
    targets = network(points[0::2]).argmax(axis=1)
    paths = straight(network, points[0::2], points[1::2], targets, int(layer))
    assert facts["straight"]["verdicts"] == paths.verdicts.tolist()
    np.testing.assert_allclose(facts["straight"]["minimum_margin"], paths.minimum_margin, rtol=1e-9)
    assert facts["layer"]["name"] == paths.boundary.name
    with np.load(place / "path" / "path.npz") as arrays:
        np.testing.assert_allclose(arrays["ends"], paths.ends, rtol=1e-12)
    assert (place / "path" / "picture.png").stat().st_size > 10_000


BAD = {
    "no ends": (["--from", "left.npy"], "`--to`: not given"),
    "nothing": ([], "`--from`: not given"),
    "one point": (["--from", "left.npy", "--to", "left.npy"], "both ends of pair 0 are the same point"),
    "other counts": (["--from", "left.npy", "--to", "ends.npy"], "got 1 and 3 points"),
    "other shape": (["--from", "left.npy", "--to", "long.npy"], "got a point of shape"),
    "no file": (["--from", "left.npy", "--to", "z.npy"], "`--to`: z.npy does not exist"),
    "no such class": (["--from", "left.npy", "--to", "right.npy", "--target", "3"], "expected a class from 0 to 1"),
    "odd indices": (["--data", "digits", "--indices", "1,2,3"], "got 3 points; expected a start and an end"),
    "no indices": (["--data", "digits"], "`--data`, `--indices`: only one was given"),
    "both": (["--data", "digits", "--indices", "1,2", "--from", "left.npy"], "both were given"),
    "no such layer": (["--from", "left.npy", "--to", "right.npy", "--layer", "99"], "got 99"),
    "no such name": (["--from", "left.npy", "--to", "right.npy", "--layer", "conv9"], "no node or module `conv9`"),
    "box": (["--from", "left.npy", "--to", "right.npy", "--box", "1", "0"], "`--box`: got 1 0; expected a lower"),
    "words": (["--from", "left.npy", "--to", "right.npy", "--box", "low", "1"], "`--box`: got 'low'"),
    "outside": (["--from", "left.npy", "--to", "right.npy", "--bend", "--box", "0", "1"], "lies outside of `box`"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_in_one_line(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = BAD[name]
    assert main(["path", "notch.npz", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert expected in said.err
    assert said.err.count("\n") == 1


def test_a_budget_leaves_paths_undecided(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The class is lost on an interval of width 2e-9 around a third, between all samples."""
    np.savez(
        "dip.npz", W0=np.array([[3.0], [-3.0]]), b0=np.array([-1.0, 1.0]), W1=np.ones((1, 2)), b1=np.array([-3e-9])
    )
    np.save("zero.npy", np.array([0.0]))
    np.save("one.npy", np.array([1.0]))
    words = ["path", "dip.npz", "--from", "zero.npy", "--to", "one.npy", "--method", "refine", "--json", "--no-picture"]
    verdicts = []
    for budget in (["--budget", "1"], []):
        assert main([*words, *budget, "--force"]) == 0
        verdicts += json.loads(capsys.readouterr().out)["straight"]["verdicts"]
    assert verdicts == ["undecided", "refuted"]
