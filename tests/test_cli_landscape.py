"""The command `landscape`: what it leaves and says, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import splinescope
from splinescope.cli import main
from splinescope.landscape import layer_directions, loss_plane
from tests.arrays import arrays_of

CODE = """
import torch
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4), torch.nn.ReLU(),
                          torch.nn.Linear(4, 3))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a classifier, inputs and labels, as the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    sizes = [(6, 3), (5, 6), (3, 5)]
    layers = {f"W{i}": rng.normal(size=size) for i, size in enumerate(sizes)}
    np.savez("net.npz", **layers, **{f"b{i}": rng.normal(size=size[0]) for i, size in enumerate(sizes)})
    np.save("inputs.npy", rng.normal(size=(9, 3)))
    np.save("labels.npy", rng.integers(0, 3, 9))
    np.save("wanted.npy", rng.normal(size=(9, 3)))
    (tmp_path / "code.py").write_text(CODE)
    return tmp_path


def test_what_it_leaves_is_the_plane(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "landscape",
        "net.npz",
        "--data",
        "inputs.npy",
        "--labels",
        "labels.npy",
        "--samples",
        "4",
        "--extent",
        "0.7",
    ]
    assert main([*words, "--verify", "proof", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    folder = place / "landscape"
    assert {path.name for path in folder.iterdir()} == {"picture.png", "complex.npz", "loss.npz", "summary.json"}
    facts = json.loads((folder / "summary.json").read_text())
    network = splinescope.load("net.npz")
    steps = layer_directions(network, facts["layer"], generator=torch.Generator().manual_seed(3))
    x, y = np.load("inputs.npy")[:4], np.load("labels.npy")[:4]
    plane = loss_plane(network, facts["layer"], steps, x, y, extent=0.7)
    assert facts["cells"] == len(plane) == len(splinescope.open(folder / "complex.npz"))
    assert facts["minima"] == len(plane.minima)
    assert facts["global_minimum"]["loss"] == plane.global_minimum.value
    outputs = np.asarray(network(x))
    assert facts["loss_of_model"] == pytest.approx(((outputs - np.eye(3)[y]) ** 2).sum(axis=1).mean(), rel=1e-12)
    assert np.array_equal(arrays_of(folder / "loss.npz")["hessians"], plane.hessians)
    assert facts["certificate"]["level"] == "proof"
    assert "least on the plane" in said


def test_cross_entropy_and_a_grid_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "landscape",
        "code.py:net",
        "--data",
        "inputs.npy",
        "--labels",
        "labels.npy",
        "--indices",
        "1,4,8",
        "--json",
    ]
    assert main([*words, "--loss", "cross-entropy", "--grid", "5", "--format", "svg", "--out", "both"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["loss"] == "cross-entropy"
    assert facts["samples"] == 3
    assert facts["layer"] == "2"
    kept = arrays_of(place / "both" / "grid.npz")
    assert kept["values"].shape == (5, 5)
    assert kept["values"][2, 2] == pytest.approx(facts["loss_of_model"], rel=1e-9)  # both planes go through the model
    assert (place / "both" / "grid.svg").is_file()


def test_digits_and_wanted_outputs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    np.savez(
        "digits.npz", W0=rng.normal(size=(4, 64)), b0=rng.normal(size=4), W1=rng.normal(size=(10, 4)), b1=np.zeros(10)
    )
    assert main(["landscape", "digits.npz", "--data", "digits", "--samples", "3", "--json", "--no-picture"]) == 0
    assert json.loads(capsys.readouterr().out)["files"].keys() == {"arrays", "loss", "summary"}
    words = ["landscape", "net.npz", "--data", "inputs.npy", "--labels", "wanted.npy", "--samples", "2", "--no-picture"]
    assert main([*words, "--out", "wanted"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["net.npz"], "`--data`: not given"),
        (["net.npz", "--data", "inputs.npy"], "`--labels`: not given"),
        (["net.npz", "--data", "inputs.npy", "--labels", "inputs.npy", "--samples", "0"], "--samples"),
        (["net.npz", "--data", "digits", "--labels", "labels.npy"], "`--labels`: digits has its own"),
        (["net.npz", "--data", "digits"], "`points`: got a point of shape (1, 8, 8)"),
        (["net.npz", "--data", "inputs.npy", "--labels", "labels.npy", "--indices", "9"], "`--indices`: got 9"),
        (["net.npz", "--data", "inputs.npy", "--labels", "labels.npy", "--layer", "x"], "there is no layer 'x'"),
        (["net.npz", "--data", "inputs.npy", "--labels", "labels.npy", "--extent", "0"], "`--extent`: got 0"),
        (["net.npz", "--data", "inputs.npy", "--labels", "labels.npy", "--grid", "4"], "`MODEL`: net.npz is a file"),
        (["nowhere.npz", "--data", "inputs.npy", "--labels", "labels.npy"], "nowhere.npz does not exist"),
    ],
)
def test_refusals(place: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(["landscape", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_images_come_to_modules_of_flat_inputs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A module that tells its input's length takes digits; few cells of many samples are drawn where they are."""
    (place / "flat.py").write_text(
        CODE.replace("Linear(3, 6)", "Linear(64, 6)").replace("Linear(4, 3)", "Linear(4, 10)")
    )
    words = ["landscape", "flat.py:net", "--data", "digits", "--samples", "40", "--max-cells", "50", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["truncated"]
    assert (place / "landscape" / "picture.png").exists()
    assert main(["landscape", "flat.py:net", "--data", "inputs.npy", "--labels", "labels.npy", "--out", "other"]) == 2
    assert "input has the shape (64,)" in capsys.readouterr().err
