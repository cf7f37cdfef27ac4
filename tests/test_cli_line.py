"""The command line without friction: what is asked for is found, and what is wrong is said at once and in words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.cli import main
from splinescope.cli.descriptions import certificate_line
from splinescope.cli.run import title_of
from splinescope.cli.values import duration, size_in_words


@pytest.fixture
def controller(tmp_path: Path) -> Path:
    """Four inputs, three outputs."""
    generator, path = np.random.default_rng(3), tmp_path / "controller.npz"
    shapes = {"W0": (6, 4), "b0": (6,), "W1": (3, 6), "b1": (3,)}
    np.savez(path, **{name: generator.standard_normal(shape) for name, shape in shapes.items()})
    return path


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command says when it refuses."""
    assert main([str(word) for word in words]) == 2
    return capsys.readouterr().err


def test_a_box_in_which_two_inputs_vary(controller: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = ["slice", controller, "--box", "-1,0,-2,0.5", "1,0,2,0.5", "--names", "distance (m),speed (m/s)"]
    assert main([*map(str, words), "--out", str(out), "--class-names", "left,right,none", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["domain"]["names"] == ["distance (m)", "speed (m/s)"]
    assert summary["network"]["classes"] == ["left", "right", "none"]
    cells = splinescope.open(out / "complex.npz")
    inputs = cells.domain.embed(cells.vertices)
    assert (inputs[:, 1] == 0).all()
    assert (inputs[:, 3] == 0.5).all()
    assert summary["area"] == pytest.approx(8.0)
    said = told(capsys, "slice", controller, "--box", "-1", "1", "--out", tmp_path / "no")
    assert "`--box`: 4 of 4 inputs vary; a plane has two; say which by `--vary I,J`" in said
    assert not (tmp_path / "no").exists()


def test_the_box_of_a_property(controller: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import gzip

    lines = [f"(declare-const X_{i} Real)" for i in range(4)] + [f"(declare-const Y_{i} Real)" for i in range(3)]
    lines += [f"(assert (>= X_{i} {-i - 1}))\n(assert (<= X_{i} {i + 3}))" for i in range(4)] + [
        "(assert (<= Y_0 Y_1))"
    ]
    spec = tmp_path / "prop.vnnlib.gz"
    spec.write_bytes(gzip.compress("\n".join(lines).encode()))
    out = tmp_path / "out"
    words = ["slice", controller, "--vnnlib", spec, "--vary", "0,2", "--out", out, "--json", "--color", "norm", "--log"]
    assert main([*map(str, words), "--cmap", "magma"]) == 0
    assert json.loads(capsys.readouterr().out)["area"] == pytest.approx(4.0 * 8.0)
    origin = splinescope.open(out / "complex.npz").domain.origin
    assert origin.ravel().tolist() == [0.0, 1.0, 0.0, 1.0]
    assert "there is no colour map 'magmma'; did you mean magma" in told(
        capsys, "slice", controller, "--vnnlib", spec, "--vary", "0,2", "--cmap", "magmma", "--out", tmp_path / "x"
    )
    assert "`--vary`: got 0,9; expected two inputs from 0 to 3" in told(
        capsys, "slice", controller, "--vnnlib", spec, "--vary", "0,9", "--out", tmp_path / "x"
    )


def test_a_result_is_overwritten_by_force_only(
    controller: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    words = ["slice", str(controller), "--box", "-1,0,-1,0", "1,0,1,0", "--out", str(out), "--json"]
    assert main(words) == 0
    assert f"`--out`: {out} has a result already" in told(capsys, *words)
    assert main([*words, "--force"]) == 0


def test_failed_runs_leave_no_folders(controller: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    point = tmp_path / "three.npy"
    np.save(point, np.zeros(3))
    said = told(capsys, "slice", controller, "--point", point, "--out", tmp_path / "deep" / "out")
    assert f"{point} of shape (3,); the model's input has the shape (4,)" in said
    assert not (tmp_path / "deep").exists()
    blocked = tmp_path / "file"
    blocked.touch()
    assert f"cannot be made a folder: {blocked} is a file" in told(
        capsys, "slice", controller, "--box", "-1,0,-1,0", "1,0,1,0", "--out", blocked / "out"
    )


def test_words_that_were_meant_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, weights = tmp_path / "net.npz", tmp_path / "net.th"
    model.touch()
    weights.touch()
    assert "No such option: --throuhg; did you mean --through" in told(capsys, "slice", model, "--throuhg", "a")
    assert "no experiment 'grokkin'; did you mean grokking?" in told(capsys, "reproduce", "grokkin")
    assert "`--through`: got 2 of 3 values" in told(capsys, "slice", model, "--through", "a", "b", "--out", "x")
    assert "holds weights without the network" in told(capsys, "slice", weights)
    assert main(["slice", "-h"]) == 0
    assert "Usage: splinescope slice" in capsys.readouterr().out


def test_missing_files_are_missed_before_torch_is_loaded(tmp_path: Path) -> None:
    code = "import sys; from splinescope.cli import main; print(main(sys.argv[1:]), 'torch' in sys.modules)"
    cases = {
        ("slice", "nosuch.onnx"): "`MODEL`: nosuch.onnx does not exist",
        ("segment", "nosuch.onnx", "--from", "a.npy"): "`--from`: a.npy does not exist",
    }
    for words, message in cases.items():
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=tmp_path)
        assert done.stdout.strip() == "2 False"
        assert message in done.stderr


def test_a_full_disk_names_the_path(
    controller: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from splinescope.cli import run

    def full(path: Path, facts: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    words = ["slice", controller, "--box", "-1,0,-1,0", "1,0,1,0", "--out", tmp_path / "out"]
    monkeypatch.setattr(run, "write_json", full)
    assert f"{tmp_path / 'out' / 'summary.json'}: No space left on device; free some space" in told(capsys, *words)


def test_certificates_sizes_and_titles_in_words() -> None:
    facts = {"level": "values", "requested": "values", "truncated": False, "measure_error": 0.0}
    facts["euler_characteristic"] = 1
    assert certificate_line(facts) == "values; the cells fill the domain exactly, Euler characteristic 1"
    assert "to 2e-16 of it" in certificate_line({**facts, "measure_error": 2e-16})
    short = certificate_line({**facts, "truncated": True, "measure_error": 0.75, "level": "topology"})
    assert short == "topology (values was asked for); the cells cover 25.0% of the domain"
    assert (duration(42.0), duration(540.0), duration(9000.0)) == ("42 s", "9 min", "2 h")
    assert (size_in_words(3e8), size_in_words(2e9)) == ("300 MB", "2.0 GB")
    assert len(title_of("ACASXU_run2a_1_1_batch_2000_and_more.onnx")) < 30
