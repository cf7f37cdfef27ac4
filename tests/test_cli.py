"""The command line does what its help says, and leaves what it promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread, imsave
from typer.main import get_command

import splinescope
from splinescope import models
from splinescope.cli import main
from splinescope.cli.app import app

FILES = ["boundary.npz", "complex.npz", "picture.png", "summary.json"]


@pytest.fixture
def plane_model(tmp_path: Path) -> Path:
    """A network of two inputs whose cells can be counted by hand: |x| and |y| make four."""
    path = tmp_path / "plane.npz"
    first = np.array([[1.0, 0.0], [0.0, 1.0]])
    np.savez(path, W0=first, b0=np.zeros(2), W1=np.array([[1.0, 2.0], [-1.0, 1.0]]), b1=np.array([0.1, 0.2]))
    return path


@pytest.fixture
def image_model(tmp_path: Path) -> str:
    """A network of 4 x 4 images, as Python code."""
    path = tmp_path / "nets.py"
    path.write_text(
        "import torch\n"
        "from splinescope import models\n"
        "def small():\n"
        "    return models.mlp([16, 12, 3], generator=torch.Generator().manual_seed(5))\n"
    )
    return f"{path}:small"


def points_of(folder: Path, count: int, shape: tuple[int, ...]) -> list[str]:
    """Files of random points."""
    generator = np.random.default_rng(0)
    names = [str(folder / f"point{number}.npy") for number in range(count)]
    for name in names:
        np.save(name, generator.standard_normal(shape))
    return names


def summary_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / "summary.json").read_text())


def test_plane_of_two_inputs(plane_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["slice", str(plane_model), "--out", str(out), "--verify", "proof"]) == 0
    told = capsys.readouterr()
    assert told.err == "" or told.err.startswith("compiling")  # nothing once the kernels are in the cache
    assert "certificate" in told.out
    assert "proof" in told.out
    assert sorted(path.name for path in out.iterdir()) == FILES
    summary = summary_of(out)
    assert summary["cells"] == 4
    assert summary["area"] == pytest.approx(4.0)
    assert summary["certificate"]["level"] == "proof"
    assert sum(summary["class_areas"].values()) == pytest.approx(4.0)
    assert imread(out / "picture.png").shape[0] > 500


def test_json_is_all_that_is_printed(plane_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["slice", str(plane_model), "--box", "0.5", "2", "--out", str(out), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == summary_of(out)
    assert json.loads(told.out)["cells"] == 1
    assert told.err == ""


def test_boundary_file_is_the_decision_boundary(plane_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["slice", str(plane_model), "--out", str(out)]) == 0
    network = splinescope.load(plane_model)
    with np.load(out / "boundary.npz", allow_pickle=False) as boundary:
        values = network(boundary["segments"].reshape(-1, 2))
        assert len(boundary["segments"]) == len(boundary["classes"]) == len(boundary["cells"]) > 0
    assert np.abs(values[:, 0] - values[:, 1]).max() < 1e-12


def test_polygon_in_the_plane_of_the_inputs(plane_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["slice", str(plane_model), "--polygon", "0,0 1,0 0,1", "--out", str(out)]) == 0
    assert summary_of(out)["area"] == pytest.approx(0.5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_points(image_model: str, tmp_path: Path, count: int) -> None:
    points = points_of(tmp_path, count, (1, 4, 4))
    given = [word for name in points for word in ("--point", name)]
    assert main(["slice", image_model, *given, "--out", str(tmp_path / "a"), "--seed", "1"]) == 0
    assert main(["slice", image_model, *given, "--out", str(tmp_path / "b"), "--seed", "1"]) == 0
    one, two = summary_of(tmp_path / "a"), summary_of(tmp_path / "b")
    assert one["cells"] == two["cells"] > 1
    assert one["domain"] == two["domain"]
    assert len(one["domain"]["anchors"]) == count


def test_radius_of_random_points(image_model: str, tmp_path: Path) -> None:
    point = points_of(tmp_path, 1, (16,))
    for radius in ("1", "100"):
        out = str(tmp_path / radius)
        command = ["slice", image_model, "--point", *point, "--radius", radius, "--out", out]
        assert main(command) == 0
    ratio = summary_of(tmp_path / "100")["domain"]["area"] / summary_of(tmp_path / "1")["domain"]["area"]
    assert ratio == pytest.approx(1e4)


def test_kinds_of_point_files_agree(image_model: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 4, 4))
    names: dict[str, list[str]] = {"npy": [], "npz": [], "csv": [], "png": []}
    for number, image in enumerate(pixels / 255):
        for kind, files in names.items():
            files.append(str(tmp_path / f"{number}.{kind}"))
        np.save(names["npy"][-1], image)
        np.savez(names["npz"][-1], image=image.ravel())
        np.savetxt(names["csv"][-1], image.reshape(1, -1), delimiter=",", fmt="%.17g")
        imsave(names["png"][-1], np.repeat(np.rint(255 * image).astype(np.uint8)[..., None], 3, axis=2))
    found = []
    for kind, files in names.items():
        out = tmp_path / kind
        command = ["slice", image_model, "--input-shape", "1,4,4", "--through", *files, "--out", str(out)]
        assert main(command) == 0
        found.append(summary_of(out))
    assert len({summary["cells"] for summary in found}) == 1
    areas = [summary["domain"]["area"] for summary in found]
    assert areas == pytest.approx([areas[0]] * 4, rel=1e-6)


def test_mean_and_std_of_points(image_model: str, tmp_path: Path) -> None:
    points = points_of(tmp_path, 3, (1, 4, 4))
    for std in ("1", "2"):
        command = ["slice", image_model, "--through", *points, "--mean", "0.5", "--std", std]
        assert main([*command, "--out", str(tmp_path / std)]) == 0
    ratio = summary_of(tmp_path / "1")["domain"]["area"] / summary_of(tmp_path / "2")["domain"]["area"]
    assert ratio == pytest.approx(4.0)


def test_data_of_a_file_and_classes(image_model: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.npy"
    np.save(rows, np.random.default_rng(2).standard_normal((10, 16)))
    out = tmp_path / "out"
    command = ["slice", image_model, "--data", str(rows), "--indices", "3,7,1", "--classes", "0,2"]
    assert main([*command, "--color", "class", "--out", str(out)]) == 0
    assert set(summary_of(out)["class_areas"]) <= {"0", "2"}


@pytest.mark.parametrize(
    "color", ["pattern", "norm", "class", "area", "perimeter", "diameter", "eccentricity", "corners"]
)
def test_colors(plane_model: Path, tmp_path: Path, color: str) -> None:
    assert main(["slice", str(plane_model), "--color", color, "--out", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_formats(plane_model: Path, tmp_path: Path, kind: str) -> None:
    assert main(["slice", str(plane_model), "--format", kind, "--no-boundary", "--out", str(tmp_path / "out")]) == 0
    start = (tmp_path / "out" / f"picture.{kind}").read_bytes()[:5]
    assert start.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF-"}[kind])


def test_cell_budget(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    net = models.mlp([2, 32, 32, 1], generator=torch.Generator().manual_seed(0))
    torch.export.save(torch.export.export(net.eval(), (torch.zeros(1, 2),)), path)
    out = tmp_path / "out"
    assert main(["slice", str(path), "--trust", "--max-cells", "20", "--memory", "1G", "--out", str(out)]) == 0
    summary = summary_of(out)
    assert summary["truncated"] is True
    assert summary["cells"] <= 20


def test_weights_of_a_state_dict(image_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = models.mlp([16, 12, 3], generator=torch.Generator().manual_seed(9)).state_dict()
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "state.pt")
    command = ["info", image_model, "--input-shape", "16", "--weights", str(tmp_path / "state.pt"), "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["units"] == 12


def test_info(plane_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(plane_model)]) == 0
    told = capsys.readouterr().out
    assert "piecewise affine" in told
    assert "ReLU" in told
    assert main(["info", str(plane_model), "--json"]) == 0
    description = json.loads(capsys.readouterr().out)
    assert (description["input_shape"], description["output_shape"], description["units"]) == ([2], [2], 2)
    assert description["piecewise_affine"] is True


def test_info_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "smooth.py"
    path.write_text(
        "import torch\nnet = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.GELU(), torch.nn.Linear(3, 1))\n"
    )
    assert main(["info", f"{path}:net", "--input-shape", "2", "--json"]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out)["piecewise_affine"] is False
    assert "gelu" in told.err.lower()
    assert told.err.count("\n") == 1


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "splinescope slice" in told.out
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, "network.npz", "view.html"])
    summary = summary_of(out)
    assert summary["cells"] > 50
    assert summary["accuracy"] > 0.95
    assert summary["certificate"]["level"] == "proof"
    again = ["slice", str(out / "network.npz"), "--data", "digits", "--indices", "3,7,8", "--out", str(tmp_path / "b")]
    assert main(again) == 0
    assert summary_of(tmp_path / "b")["cells"] == summary["cells"]


@pytest.mark.parametrize("words", [["--help"], ["demo", "--help"], ["info", "--help"], ["slice", "--help"], []])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert "Usage: splinescope" in capsys.readouterr().out


def test_every_command_and_option_has_help() -> None:
    commands = get_command(app).commands
    names = "demo info slice compare regions preimage reproduce path geodesic topology sample segment surface".split()
    names += ["sweep", "landscape", "view"]
    assert list(commands) == names
    for name, command in commands.items():
        assert command.help, name
        assert [parameter.name for parameter in command.params if not parameter.help] == [], name


def test_program_and_its_version() -> None:
    program = Path(sys.executable).with_name("splinescope")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"splinescope {splinescope.__version__}\n"
    done = subprocess.run([program, "slice", "nowhere.onnx"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_compilation_is_announced(tmp_path: Path) -> None:
    """The first compilation is told once; results of the cache are not."""
    from numba import njit
    from rich.console import Console

    from splinescope.cli.terminal import compilation_announced

    with (tmp_path / "told").open("w") as file, compilation_announced(Console(file=file)):
        assert njit(lambda x: x + 1)(1) == 2
        assert njit(lambda x: x + 2)(1) == 3
    assert (tmp_path / "told").read_text().count("compiling the kernels") == 1
