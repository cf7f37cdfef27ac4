"""The commands `geodesic` and `topology`: what they leave and say, and what they refuse in one line."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from splinescope.cli import main
from splinescope.riemannian import geodesic
from tests.arrays import arrays_of
from tests.generative.nets import cells_of, formula_net
from tests.seeds import thorough


def save(path: str, sizes: list[int], seed: int) -> None:
    """A network by formula as a file."""
    dense = list(formula_net(sizes, seed))[::2]
    arrays = {f"W{i}": part.weight.detach().numpy() for i, part in enumerate(dense)}
    np.savez(path, **arrays, **{f"b{i}": part.bias.detach().numpy() for i, part in enumerate(dense)})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with decoders, a classifier and points, as the working directory."""
    monkeypatch.chdir(tmp_path)
    save("decoder.npz", [2, 8, 3], 0)
    save("images.npz", [4, 6, 64], 1)
    save("ring.npz", [2, 12, 3], 3)
    save("space.npz", [3, 3, 3], 0)
    for name, corner in (("a3", [-0.5, -0.4, 0.3]), ("b3", [0.6, 0.4, 0.1])):
        np.save(f"{name}.npy", np.array(corner))
    np.save("a.npy", np.array([-0.5, -0.5]))
    np.save("b.npy", np.array([0.5, 0.5]))
    for seed, name in enumerate(("p", "q", "r")):
        np.save(f"{name}.npy", np.random.default_rng(seed).normal(size=4))
    np.save("cloud.npy", np.random.default_rng(0).normal(size=(50, 2)))
    np.save("others.npy", np.random.default_rng(1).normal(size=(50, 2)))
    np.save("labels.npy", np.arange(50) % 2)
    return tmp_path


def summary(place: Path, folder: str) -> dict:
    return json.loads((place / folder / "summary.json").read_text())


def test_a_geodesic(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["geodesic", "decoder.npz", "--from", "a.npy", "--to", "b.npy", "--distances"]) == 0
    said = capsys.readouterr().out
    names = {"picture.png", "distances.png", "geodesic.npz", "summary.json"}
    assert {file.name for file in (place / "geodesic").iterdir()} == names
    facts = summary(place, "geodesic")
    assert facts["length"] == pytest.approx(2.521847655853, rel=1e-12)
    assert 2.5 < facts["lower_bound"] <= facts["length"]
    assert facts["straight_length"] == pytest.approx(3.486522620)
    assert facts["largest_refraction_error"] < 1e-11
    assert "27.7% shorter" in said
    arrays = arrays_of(place / "geodesic" / "geodesic.npz")
    path = geodesic(cells_of(formula_net([2, 8, 3], 0), 2), [-0.5, -0.5], [0.5, 0.5])
    np.testing.assert_allclose(arrays["points"], path.points, atol=1e-12)


def test_a_geodesic_in_a_plane_of_latents(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["geodesic", "images.npz", "--from", "p.npy", "--to", "q.npy", "--plane", "r.npy", "--no-bound", "--json"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts["files"]) == {"picture", "images", "arrays", "summary"}
    assert facts["chord"] <= facts["length"] <= facts["straight_length"]
    assert facts["lower_bound"] is None
    arrays = arrays_of(place / "geodesic" / "geodesic.npz")
    np.testing.assert_allclose(arrays["latents"][0], np.load("p.npy"))
    np.testing.assert_allclose(arrays["latents"][-1], np.load("q.npy"))
    assert main(["geodesic", "images.npz", "--from", "p.npy", "--to", "q.npy", "--seed", "3", "--force"]) == 0


SPACE = ["geodesic", "space.npz", "--space", "--from", "a3.npy", "--to", "b3.npy"]


def test_a_path_of_three_latents(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SPACE) == 0
    facts = summary(place, "geodesic")
    assert facts["chord"] <= facts["lower_bound"] * (1 + 1e-12)
    assert facts["lower_bound"] <= facts["length"] <= facts["straight_length"] * (1 + 1e-9)
    assert facts["network_length"] == pytest.approx(facts["length"], rel=1e-9)
    assert facts["finished"] is True
    assert {"picture.png", "geodesic.npz"} <= {file.name for file in (place / "geodesic").iterdir()}
    np.testing.assert_allclose(arrays_of(place / "geodesic" / "geodesic.npz")["points"][0], [-0.5, -0.4, 0.3])
    assert "nothing is shorter than" in capsys.readouterr().out


def test_a_head_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lengths are those of the outputs before it."""
    Path("nets.py").write_text(
        "from torch import nn\n"
        "def decoder(): return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Sigmoid())\n"
    )
    words = ["nets.py:decoder", "--input-shape", "2", "--from", "a.npy", "--to", "b.npy"]
    assert main(["geodesic", *words]) == 0
    assert "before its sigmoid" in capsys.readouterr().out
    assert summary(place, "geodesic")["head"] == "sigmoid"


def test_regions(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topology", "ring.npz"]) == 0
    said = capsys.readouterr().out
    facts = summary(place, "topology")
    assert set(facts["regions"]) == {"0", "1", "2"}
    assert sum(sum(one["measures"]) for one in facts["regions"].values()) == pytest.approx(4.0)
    assert "regions are" in said
    assert main(["topology", "ring.npz", "--above", "0.5", "--output", "1", "--closed", "--out", "b"]) == 0
    assert list(summary(place, "b")["regions"]) == ["above 0.5"]


def test_data_through_layers(place: Path) -> None:
    assert main(["topology", "ring.npz", "--data", "cloud.npy", "--labels", "labels.npy"]) == 0
    facts = summary(place, "topology")
    assert len(facts["layers"]) == 4
    assert facts["classes"] == [0, 1]
    assert np.array(facts["largest_stretches"])[0].tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["geodesic", "decoder.npz", "--from", "a.npy"], "`--to`: not given"),
        (["geodesic", "decoder.npz", "--from", "cloud.npy", "--to", "others.npy"], "got 50 points; expected one"),
        (["geodesic", "decoder.npz", "--from", "a.npy", "--to", "b.npy", "--plane", "a.npy"], "two inputs"),
        (["geodesic", "decoder.npz", "--from", "a.npy", "--to", "b.npy", "--box", "-0.1", "0.1"], "not in the domain"),
        (["geodesic", "images.npz", "--from", "p.npy", "--to", "q.npy", "--box", "-1", "1"], "it is for two inputs"),
        (["geodesic", "decoder.npz", "--from", "a.npy", "--to", "b.npy", "--margin", "-3"], "`margin`: got -3"),
        (
            ["geodesic", "decoder.npz", "--space", "--from", "a.npy", "--to", "b.npy"],
            "`--space`: the model's input has",
        ),
        (
            ["geodesic", "space.npz", "--space", "--from", "a3.npy", "--to", "b3.npy", "--distances"],
            "`--space`: it goes neither with",
        ),
        (["topology", "images.npz"], "`--through`: no points were given"),
        (["topology", "ring.npz", "--data", "digits", "--labels", "labels.npy"], "has its own"),
        (["topology", "images.npz", "--data", "cloud.npy"], "`--data`: got points of 2 numbers; the model's input has"),
        (["topology", "ring.npz", "--data", "cloud.npy", "--above", "0"], "`--above`: is about regions"),
        pytest.param(
            ["topology", "ring.npz", "--data", "cloud.npy", "--degree", "1"],
            "splinescope[topology]",
            marks=pytest.mark.skipif(find_spec("ripser") is not None, reason="ripser is installed"),
        ),
    ],
)
def test_refusals(place: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (
            "splinescope.riemannian.geodesic.spread_from",
            ["geodesic", "decoder.npz", "--from", "a.npy", "--to", "b.npy"],
        ),
        ("splinescope.topology.profile.spanning_tree", ["topology", "decoder.npz", "--data", "cloud.npy"]),
    ],
    ids=["geodesic", "topology"],
)
def test_interrupted(
    where: str, words: list[str], place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, the status of shells, and no file that looks finished."""

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    module, _, name = where.rpartition(".")  # a function of its package has the name of one of the modules
    monkeypatch.setattr(importlib.import_module(module), name, stopped)
    assert main(words) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
    assert not list((place / words[0]).glob("*"))


def interrupt_at(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, in whose call of some number Ctrl-C arrives."""
    calls = iter(range(number))

    def called(*words: Any, **named: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return function(*words, **named)

    return called


@pytest.mark.parametrize(
    ("where", "after", "words", "kept"),
    [
        ("splinescope.topology.region_topology", 2, ["ring.npz"], "2 of 3 regions are counted"),
        ("splinescope.topology.profile.spanning_tree", 3, ["ring.npz", "--data", "cloud.npy"], "2 of 4 layers"),
    ],
    ids=["regions", "data"],
)
def test_what_is_counted_is_kept(
    where: str, after: int, words: list[str], kept: str, place: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, name = where.rpartition(".")
    home = importlib.import_module(module)
    monkeypatch.setattr(home, name, interrupt_at(after, getattr(home, name)))
    assert main(["topology", *words]) == 130
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "interrupted"
    assert kept in said.out
    facts = summary(place, "topology")
    assert facts["finished"] is False
    assert len(facts.get("regions", facts.get("layers"))) == 2
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert main(["topology", *words, "--force"]) == 0
    whole = summary(place, "topology")
    assert whole["finished"] is True
    key = "regions" if "regions" in whole else "betti"
    rows = whole[key] if key == "betti" else list(whole[key].values())
    assert rows[:2] == (facts[key] if key == "betti" else list(facts[key].values()))


@pytest.mark.parametrize("words", [["geodesic", "decoder.npz", "--from", "a.npy", "--to", "b.npy"], SPACE])
def test_a_proof_that_is_interrupted_is_kept(
    words: list[str], place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    potential = importlib.import_module("splinescope.geometry.geodesics.potential")
    monkeypatch.setattr(potential, "climb", interrupt_at(2, potential.climb))
    assert main(words) == 130
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "interrupted"
    assert "more may be provable" in said.out
    facts = summary(place, "geodesic")
    assert facts["finished"] is False
    assert 0 < facts["lower_bound"] <= facts["length"]


CODE = """
import sys
from splinescope import topology
from splinescope.cli import main

count = topology.region_topology

def counted(*words, **named):
    found = count(*words, **named)
    print("counted", flush=True)
    return found

topology.region_topology = counted
sys.exit(main(["topology", "many.npz", "--out", "many"]))
"""


@thorough
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent to a process")
def test_ctrl_c_for_real(place: Path) -> None:
    """A process of its own, as shells start it; the classes that are counted are left, and it ends within seconds."""
    save("many.npz", [2, 64, 64, 200], 0)
    root = Path(__file__).resolve().parents[1]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    command = subprocess.Popen(
        [sys.executable, "-c", CODE], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "counted\n"
    command.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, error = command.communicate(timeout=60)
    assert time.monotonic() - started < 30
    assert command.returncode == 130
    assert error.splitlines()[-1] == "interrupted"
    facts = summary(place, "many")
    assert facts["finished"] is False
    assert 1 <= len(facts["regions"]) < 200
