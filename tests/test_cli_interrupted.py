"""Ctrl-C at any moment of a command keeps what is finished, and says what is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.cli import main, plane_result
from splinescope.plotting.figures import drawable


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two inputs, five outputs, so that cells have volumes."""
    rng, path = np.random.default_rng(0), tmp_path / "net.npz"
    shapes = {"W0": (8, 2), "b0": (8,), "W1": (5, 8), "b1": (5,)}
    np.savez(path, **{name: rng.normal(size=shape) for name, shape in shapes.items()})
    return path


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("at", "verb", "left"),
    [
        ("splinescope.plotting.plot_tessellation", "drawing picture.png", {"complex.npz", "boundary.npz"}),
        ("splinescope.viewer.explore", "drawing view.html", {"complex.npz", "boundary.npz", "picture.png"}),
        ("splinescope.tessellation.boundary.decision_boundary", "finding the decision boundary", {"complex.npz"}),
        ("splinescope.tessellation.statistics.summary", "measuring the cells", {"complex.npz"}),
    ],
)
def test_cells_are_kept(
    at: str,
    verb: str,
    left: set[str],
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(at, interrupt)
    out = tmp_path / "out"
    assert main(["slice", str(model), "--view", "--color", "norm", "--out", str(out), "--json"]) == 130
    summary = json.loads(capsys.readouterr().out)
    assert (summary["finished"], summary["interrupted"]) == (False, verb)
    assert {path.name for path in out.iterdir()} == left | {"summary.json"}
    assert set(summary["files"].values()) == left | {"summary.json"}
    cells = splinescope.open(out / "complex.npz")
    assert cells.certificate.level == "values"
    assert len(cells) == summary["cells"]


def test_arrays_are_written_again(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who interrupts while they are saved has them none the less."""
    from splinescope.tessellation.planar.complex import PlanarComplex

    save, calls = PlanarComplex.save, []

    def slow(cells: PlanarComplex, path: Path) -> object:
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return save(cells, path)

    monkeypatch.setattr(PlanarComplex, "save", slow)
    assert main(["slice", str(model), "--out", str(tmp_path / "out"), "--json"]) == 130
    assert len(splinescope.open(tmp_path / "out" / "complex.npz")) > 1
    assert not (tmp_path / "out" / "picture.png").exists()


def test_an_interruption_while_the_program_is_loaded() -> None:
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'splinescope.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from splinescope.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_page_of_each_colour_that_a_picture_has(model: Path, tmp_path: Path) -> None:
    """The default of a network with more outputs than inputs was none that pages had."""
    for color in (None, "log-volume", "corners", "class"):
        out = tmp_path / str(color)
        chosen = [] if color is None else ["--color", color]
        assert main(["slice", str(model), "--view", "--no-boundary", "--out", str(out), "--json", *chosen]) == 0
        assert (out / "view.html").stat().st_size > 10_000
    assert plane_result.fitting_color(splinescope.open(tmp_path / "class" / "complex.npz")) in ("class", "log-volume")


def test_pages_replace_pages_only(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["slice", str(model), "--out", str(out), "--json"]) == 0
    before = model.read_bytes()
    assert main(["view", str(out), "--no-open", "--out", str(model)]) == 2
    assert "is there and is no page" in capsys.readouterr().err
    assert model.read_bytes() == before
    assert main(["view", str(out), "--no-open", "--linked"]) == 2
    assert "`--linked`: got one result" in capsys.readouterr().err
    for _ in range(2):
        assert main(["view", str(out), "--no-open"]) == 0


def test_names_that_are_no_formulas(model: Path, tmp_path: Path) -> None:
    names = r"a,US$_{ to AU$,$x_1$,\$5 to \$6,e"
    words = ["slice", str(model), "--color", "class", "--class-names", names, "--names", "US$ a$ (m),$\\nosuch$"]
    assert main([*words, "--out", str(tmp_path / "out"), "--json"]) == 0
    assert (tmp_path / "out" / "picture.png").exists()
    assert drawable("$x_1$") == "$x_1$"
    assert drawable("US$") == "US$"
    assert drawable("US$_{ to AU$") == r"US\$_{ to AU\$"


@pytest.mark.parametrize(("low", "high"), [("1e300", "2e300"), ("1e-200", "2e-200")])
def test_areas_beyond_float64(
    low: str, high: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["slice", str(model), "--box", low, high, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "an area that float64 does not hold" in said


def test_narrow_terminals(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Values are below their names where there is no room beside."""
    monkeypatch.setenv("COLUMNS", "20")
    assert main(["info", str(model)]) == 0
    assert "units that fold\n  8" in capsys.readouterr().out
