"""`splinescope sample` does what its help says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import splinescope
from splinescope.cli import main
from splinescope.cli.plane_result import fitting_color
from splinescope.generative import volume
from splinescope.generative.pool import Pool
from splinescope.network.splits import split
from tests.arrays import arrays_of
from tests.generative.nets import formula_net

CODE = """
import torch
from torch import nn

torch.manual_seed(0)
smooth = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Linear(8, 64), nn.Sigmoid())
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    """The formula net [2, 8, 3] of seed 0, whose surface has area 2.8577."""
    net = formula_net([2, 8, 3], 0)
    first, last = net[0], net[2]
    arrays = {
        f"{letter}{number}": getattr(layer, name).detach().numpy()
        for number, layer in enumerate((first, last))
        for letter, name in (("W", "weight"), ("b", "bias"))
    }
    np.savez(tmp_path / "net.npz", **arrays)
    return str(tmp_path / "net.npz")


def run(*words: str, out: Path) -> dict[str, Any]:
    assert main(["sample", *words, "--out", str(out)]) == 0
    return json.loads((out / "summary.json").read_text())


def test_exact(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = run(model, "--prior", "box", "--way", "exact", "--number", "500", out=tmp_path / "out")
    assert facts["volume"] == pytest.approx(2.857701165374, rel=1e-11)
    assert facts["expected_log_volume"] == pytest.approx(-0.03243381, rel=1e-6)
    assert facts["certificate"]["level"] == "values"
    assert "manifold" in capsys.readouterr().out
    drawn = arrays_of(tmp_path / "out" / "samples.npz")
    outputs = formula_net([2, 8, 3], 0)(torch.from_numpy(drawn["latents"])).detach().numpy()
    np.testing.assert_allclose(drawn["outputs"], outputs, atol=1e-12)


def test_a_pool(model: str, tmp_path: Path) -> None:
    """The pool's mean log volume agrees with the exact one; another exponent computes nothing anew."""
    out = tmp_path / "out"
    facts = run(model, "--prior", "box", "--pool", "5000", "--number", "30", out=out)
    assert facts["expected_log_volume"] == pytest.approx(-0.03243381, abs=0.05)
    assert 1000 < facts["effective_sample_size"] <= 5000
    assert facts["network"]["units"] == 8
    times = {path.name: path.stat().st_mtime_ns for path in (out / "pool").iterdir()}
    assert len(times) == 5
    other = run(model, "--prior", "box", "--pool", "5000", "--rho", "-1", "--json", "--force", out=out)
    assert other["expected_log_volume"] == pytest.approx(-1.455, abs=0.2)
    assert {path.name: path.stat().st_mtime_ns for path in (out / "pool").iterdir()} == times


def test_a_smooth_module_makes_images(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(CODE)
    out = tmp_path / "out"
    words = (f"{tmp_path}/code.py:smooth", "--rho", "2", "--pool", "300", "--number", "9")
    for way in ("pool", "rejection", "metropolis"):
        facts = run(*words, "--way", way, "--force", out=out)
        assert facts["network"] is None
        assert facts["output_shape"] == [64]
    assert facts["accepted"] > 0
    assert (out / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert arrays_of(out / "samples.npz")["latents"].shape == (9, 3)
    assert len({row.tobytes() for row in arrays_of(out / "samples.npz")["latents"]}) > 1
    assert run(*words, "--no-replacement", "--force", out=out)["distinct"] == 9


def test_interrupted_and_gone_on_with(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    chunk = Pool._chunk

    def stopped(pool: Pool, index: int, progress: Any = False) -> Any:
        if index == 2 and 2 not in computed:
            computed.append(2)
            raise KeyboardInterrupt
        computed.append(index)
        return chunk(pool, index, progress)

    monkeypatch.setattr(Pool, "_chunk", stopped)
    words = ["sample", model, "--pool", "4000", "--out", str(tmp_path / "out")]
    assert main(words) == 130
    assert main(words) == 0
    assert computed == [0, 1, 2, 2, 3]
    assert main([*words[:-1], str(tmp_path / "whole")]) == 0
    one, two = (arrays_of(tmp_path / name / "samples.npz") for name in ("out", "whole"))
    np.testing.assert_array_equal(one["latents"], two["latents"])


BAD = {
    "four latents": (["--prior", "box", "--way", "exact"], "4 latents; expected one to three"),
    "exact needs a box": (["--way", "exact"], "expected `--prior box`"),
    "scale": (["--scale", "0"], "`--scale`: got 0.0; expected a positive"),
    "cut": (["--cut", "-1"], "`--cut`: got -1.0"),
    "cut of a box": (["--prior", "box", "--cut", "1"], "only a Gaussian prior is cut off"),
    "rho": (["--rho", "nan"], "`rho`: got nan"),
    "top": (["--top", "9", "--pool", "10"], "`--top`: got 9; expected from 1 to 4"),
    "more than there are": (["--pool", "10", "--number", "11", "--no-replacement"], "expected at most 10, the pool"),
    "output shape": (["--pool", "10", "--output-shape", "3,3"], "one output has 8 numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = BAD[case]
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "four.npz", W0=rng.standard_normal((8, 4)), b0=np.ones(8), W1=np.eye(8), b1=np.zeros(8))
    assert main(["sample", str(tmp_path / "four.npz"), *words, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert expected in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_is_refused_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused by the volumes of a pool, which is begun by then; what was there before stays."""
    np.savez(tmp_path / "positive.npz", W0=np.eye(4), b0=np.zeros(4), W1=np.eye(4), b1=np.zeros(4))
    np.savez(tmp_path / "flat.npz", W0=np.eye(4)[[0, 1, 2, 2]], b0=np.zeros(4), W1=np.eye(4), b1=np.zeros(4))
    out = tmp_path / "new" / "out"
    for name, words, expected in (
        ("positive", ["--number", "400", "--no-replacement"], "without replacement"),
        ("flat", [], "no latent of the pool has volume"),
    ):
        command = ["sample", str(tmp_path / f"{name}.npz"), "--pool", "500", *words, "--out", str(out)]
        assert main(command) == 2
        assert expected in capsys.readouterr().err
        assert not out.parent.exists()
    out.mkdir(parents=True)
    (out / "mine.txt").write_text("kept")
    assert main(command) == 2
    assert [path.name for path in out.rglob("*")] == ["mine.txt"]
    run(str(tmp_path / "positive.npz"), "--pool", "1000", "--number", "5", out=out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    words = ["--pool", "2500", "--number", "2000", "--no-replacement", "--force"]
    assert main(["sample", str(tmp_path / "positive.npz"), *words, "--out", str(out)]) == 2
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_pool_of_another_generator(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    run(model, "--pool", "100", out=out)
    words = ["sample", model, "--pool", "100", "--scale", "2", "--out", str(out)]
    assert main(words) == 2
    assert "has a result already" in capsys.readouterr().err
    (out / "summary.json").unlink()
    assert main(words) == 2
    assert "is the pool of another generator, prior or seed" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0


@pytest.mark.parametrize("words", [["--top", "1"], ["--method", "svd"], ["--no-replacement"]])
def test_exact_draws_have_no_options_of_pools(
    words: list[str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", model, "--prior", "box", "--way", "exact", *words, "--out", str(tmp_path / "out")]) == 2
    assert f"`{words[0]}`: exact draws take no such option" in capsys.readouterr().err


CONDITIONAL = """
import torch
from torch import nn


class Conditional(nn.Module):
    def __init__(self):
        super().__init__()
        self.classes = nn.Embedding(10, 4)
        self.layers = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 64))

    def forward(self, z, label):
        return self.layers(torch.cat([z, self.classes(label)], 1))


torch.manual_seed(0)
module = Conditional()
"""


def test_class_by_class(tmp_path: Path) -> None:
    """A module that takes a class after the latents: as with the class written into its first layer."""
    (tmp_path / "code.py").write_text(CONDITIONAL)
    words = (f"{tmp_path}/code.py:module", "--input-shape", "3", "--pool", "200", "--number", "9")
    code: dict[str, Any] = {}
    exec(CONDITIONAL, code)
    for label in (3, 8):
        out = tmp_path / str(label)
        assert run(*words, "--label", str(label), out=out)["label"] == label
        with np.load(out / "samples.npz") as arrays:
            drawn = dict(arrays)
        z = torch.from_numpy(drawn["latents"]).float()
        outputs = code["module"](z, torch.full((9,), label)).detach().numpy()
        np.testing.assert_allclose(drawn["outputs"], outputs, atol=1e-6)
        J = torch.func.jacrev(lambda x, k=label: code["module"](x[None], torch.tensor([k]))[0])(z[0]).detach()
        assert drawn["log_volumes"][0] == pytest.approx(0.5 * float(torch.logdet(J.T @ J)), abs=1e-4)
    assert main(["sample", *words, "--label", "10", "--out", str(tmp_path / "10")]) == 2
    assert not (tmp_path / "10").exists()


def test_a_condition_within_the_input(tmp_path: Path) -> None:
    """One number of three given: what is left is a plane of the same generator, with an exact area."""
    rng = np.random.default_rng(0)
    arrays = {"W0": rng.standard_normal((8, 3)), "b0": rng.standard_normal(8)}
    arrays |= {
        "W1": rng.standard_normal((4, 8)),
        "b1": np.zeros(4),
        "W2": rng.standard_normal((1, 4)),
        "b2": np.zeros(1),
    }
    np.savez(tmp_path / "net.npz", **arrays)
    words = (str(tmp_path / "net.npz"), "--condition", "1=0.5", "--prior", "box", "--number", "9")
    facts = run(*words, "--layer", "layer1", "--way", "exact", out=tmp_path / "exact")
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    area = splinescope.Slice(np.array([0.0, 0.5, 0.0]), np.eye(3)[[0, 2]], corners)
    part = split(splinescope.load(tmp_path / "net.npz"), "layer1").before
    assert facts["volume"] == pytest.approx(volume(splinescope.tessellate(part, area)), rel=1e-12)
    assert facts["latent_shape"] == [2]


def test_conditions_that_are_none(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["--condition", "0"], "expected PLACE=NUMBER"), (["--condition", "2=1"], "expected some from 0 to 1"),
        (["--condition", "0=nan"], "expected a finite number"), (["--label", "1"], "only modules of Python code"),
        (["--layer", "none"], "no node or module `none`"),
    ):  # fmt: skip
        assert main(["sample", model, *words, "--out", str(tmp_path / "out")]) == 2
        told = capsys.readouterr().err
        assert expected in told
        assert told.count("\n") == 1


def test_slices_of_generators_show_volumes(model: str, tmp_path: Path) -> None:
    """More outputs than the slice has dimensions: colours are log volumes; of a classifier they stay classes."""
    assert main(["slice", model, "--out", str(tmp_path / "slice")]) == 0
    cells = splinescope.open(tmp_path / "slice" / "complex.npz")
    assert volume(cells) > 0
    assert fitting_color(cells) == "log-volume"
    assert (tmp_path / "slice" / "picture.png").read_bytes().startswith(b"\x89PNG")
    square = splinescope.Slice.box([-1, -1], [1, 1])
    classifier = splinescope.tessellate(formula_net([2, 8, 2], 0), square)
    assert fitting_color(classifier) == "class"
    softmax = torch.nn.Sequential(formula_net([2, 8, 3], 0), torch.nn.Softmax(1))
    assert fitting_color(splinescope.tessellate(softmax, square)) == "class"
