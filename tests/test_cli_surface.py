"""The command `surface`: what it leaves, what it prints, and what it says of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from splinescope.cli import main


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small networks, as the working directory."""
    monkeypatch.chdir(tmp_path)
    axes = np.vstack([np.eye(3), -np.eye(3)])
    np.savez("octahedron.npz", W0=axes, b0=np.zeros(6), W1=np.ones((1, 6)), b1=-np.ones(1))
    rng = np.random.default_rng(2)
    np.savez("three.npz", W0=rng.normal(size=(6, 3)), b0=rng.normal(size=6), W1=rng.normal(size=(3, 6)), b1=np.zeros(3))
    np.savez("five.npz", W0=rng.normal(size=(7, 5)), b0=rng.normal(size=7), W1=rng.normal(size=(2, 7)), b1=np.zeros(2))
    np.savez("two.npz", W0=np.eye(2), b0=np.zeros(2), W1=np.ones((1, 2)), b1=np.zeros(1))
    for index in range(5):
        np.save(f"point{index}.npy", rng.normal(size=5))
    return tmp_path


def summary_of(folder: str) -> dict[str, object]:
    return json.loads((Path(folder) / "summary.json").read_text())


def test_closed_surface(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["surface", "octahedron.npz", "--box", "-2", "2"]) == 0
    told = capsys.readouterr().out
    for words in ("8 polygons, 6 vertices", "Euler characteristic 2, watertight", "enclosing 1.33333", "surface.ply"):
        assert words in told
    assert sorted(path.name for path in Path("surface").iterdir()) == ["picture.png", "summary.json", "surface.ply"]
    facts = summary_of("surface")
    assert facts["watertight"] is True
    assert facts["area"] == pytest.approx(4 * np.sqrt(3))
    assert facts["certificate"]["value_error"] < 1e-14
    assert facts["largest_parts"][0]["polygons"] == 8
    assert facts["bounds"] == [[-1, -1, -1], [1, 1, 1]]
    assert imread("surface/picture.png").shape[0] > 500


def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "octahedron.npz",
        "--box",
        "-2,-2,0",
        "2,2,2",
        "--level",
        "0.5",
        "--format",
        "stl",
        "--no-picture",
        "--json",
    ]
    assert main(["surface", *words, "--out", "half"]) == 0
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert told.err == ""
    assert facts == summary_of("half")
    assert facts["files"] == {"mesh": "surface.stl", "summary": "summary.json"}
    assert (facts["polygons"], facts["border_edges"], facts["watertight"], facts["volume"]) == (4, 4, False, None)


def test_decision_surface_in_a_slice(capsys: pytest.CaptureFixture[str]) -> None:
    points = [word for index in range(4) for word in ("--point", f"point{index}.npy")]
    words = ["five.npz", *points, "--decision", "--color", "class", "--format", "obj", "--out", "five", "--json"]
    assert main(["surface", *words]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [entry["classes"] for entry in facts["decision"]] == [[0, 1]]
    assert "level" not in facts
    assert sorted(path.name for path in Path("five").iterdir()) == ["picture.png", "summary.json", "surface.obj"]


def test_classes_imply_a_decision(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["surface", "three.npz", "--classes", "0,2", "--no-picture", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [entry["classes"] for entry in facts["decision"]] == [[0, 2]]


def test_triangles() -> None:
    words = ["octahedron.npz", "--box", "-2", "2", "--level", "0.5", "--no-picture", "--out"]
    assert main(["surface", *words, "polygons"]) == 0
    assert main(["surface", *words, "triangles", "--triangles"]) == 0
    before, after = (Path(name, "surface.ply").read_bytes() for name in ("polygons", "triangles"))
    assert b"element face 8\n" in before
    assert int(after.split(b"element face ")[1].split()[0]) >= 8


def test_box_with_fixed_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["five.npz", "--box", "0.5,-1,-1,0,-1", "0.5,1,1,0,1", "--no-picture", "--json"]
    assert main(["surface", *words]) == 0
    assert json.loads(capsys.readouterr().out)["certificate"]["holes"] == 0


def test_value_that_is_not_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["surface", "octahedron.npz", "--level", "50"]) == 0
    assert "empty: the value is not taken" in capsys.readouterr().out
    assert summary_of("surface")["polygons"] == 0


BAD = {
    "two inputs": (["two.npz"], "`--point`: no points were given"),
    "two inputs in a box": (["two.npz", "--box", "-1", "1"], "`--box`: 2 of its coordinates vary; expected three"),
    "numbers": (
        ["three.npz", "--box", "0,1", "1"],
        "`--box`: got 2 numbers; expected one, or one for each of 3 inputs",
    ),
    "both": (["five.npz", "--box", "0", "1", "--point", "point0.npy"], "`--point`, `--box`: both were given"),
    "output": (["three.npz", "--output", "3"], "`output`: got 3; the network has the outputs 0 to 2"),
    "classes": (["three.npz", "--classes", "0,7"], "`classes`: got [0, 7]"),
    "colour": (["three.npz", "--color", "class"], "`--color`: `class` goes with `--decision`"),
    "up": (["three.npz", "--up", "0"], "`--up`: got 0"),
    "many points": (
        ["five.npz", *[w for i in range(5) for w in ("--point", f"point{i}.npy")]],
        "`--point`: got 5 points; expected one to four",
    ),
    "radius": (["five.npz", "--point", "point0.npy", "--radius", "-1"], "`--radius`: got -1.0"),
    "model": (["absent.npz"], "absent.npz does not exist"),
    "level": (["three.npz", "--level", "nan"], "`level`: got nan"),
    "format": (["three.npz", "--format", "off"], "--format"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_line_and_status_two(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, message = BAD[name]
    assert main(["surface", *words]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.err.count("\n") == 1
    assert "Traceback" not in told.err
    assert not list(Path().glob("surface/*"))


def test_help_names_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["surface", "--help"]) == 0
    told = capsys.readouterr().out
    for option in ("--box", "--level", "--decision", "--format", "--no-picture", "--json"):
        assert option in told
