"""`splinescope sample` does what its help says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from splinescope.cli import main
from splinescope.generative.pool import Pool
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
    drawn = np.load(tmp_path / "out" / "samples.npz")
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
    other = run(model, "--prior", "box", "--pool", "5000", "--rho", "-1", "--json", out=out)
    assert other["expected_log_volume"] == pytest.approx(-1.455, abs=0.2)
    assert {path.name: path.stat().st_mtime_ns for path in (out / "pool").iterdir()} == times


def test_a_smooth_module_makes_images(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(CODE)
    out = tmp_path / "out"
    words = (f"{tmp_path}/code.py:smooth", "--rho", "2", "--pool", "300", "--number", "9")
    for way in ("pool", "rejection", "metropolis"):
        facts = run(*words, "--way", way, out=out)
        assert facts["network"] is None
        assert facts["output_shape"] == [64]
    assert facts["accepted"] > 0
    assert (out / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert np.load(out / "samples.npz")["latents"].shape == (9, 3)
    assert len({row.tobytes() for row in np.load(out / "samples.npz")["latents"]}) > 1
    assert run(*words, "--no-replacement", out=out)["distinct"] == 9


def test_interrupted_and_gone_on_with(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    chunk = Pool._chunk

    def stopped(pool: Pool, index: int) -> Any:
        if index == 2 and 2 not in computed:
            computed.append(2)
            raise KeyboardInterrupt
        computed.append(index)
        return chunk(pool, index)

    monkeypatch.setattr(Pool, "_chunk", stopped)
    words = ["sample", model, "--pool", "4000", "--out", str(tmp_path / "out")]
    assert main(words) == 130
    assert main(words) == 0
    assert computed == [0, 1, 2, 2, 3]
    assert main([*words[:-1], str(tmp_path / "whole")]) == 0
    one, two = (np.load(tmp_path / name / "samples.npz") for name in ("out", "whole"))
    np.testing.assert_array_equal(one["latents"], two["latents"])


BAD = {
    "four latents": (["--prior", "box", "--way", "exact"], "4 latents; expected one to three"),
    "exact needs a box": (["--way", "exact"], "expected `--prior box`"),
    "scale": (["--scale", "0"], "`--scale`: got 0.0; expected a positive"),
    "cut": (["--cut", "-1"], "`--cut`: got -1.0"),
    "cut of a box": (["--prior", "box", "--cut", "1"], "only a Gaussian prior is cut off"),
    "rho": (["--rho", "nan"], "`rho`: got nan"),
    "top": (["--top", "9", "--pool", "10"], "`top`: got 9; expected from 1 to 4"),
    "more than there are": (["--pool", "10", "--number", "11", "--no-replacement"], "expected at most 10 without"),
    "output shape": (["--pool", "10", "--output-shape", "3,3"], "one output has the shape"),
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


def test_a_pool_of_another_generator(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    run(model, "--pool", "100", out=out)
    assert main(["sample", model, "--pool", "100", "--scale", "2", "--out", str(out)]) == 2
    assert "is of another generator, prior or seed" in capsys.readouterr().err
