"""Whatever is wrong with the input: exit status 2, one line on standard error that teaches, and never a traceback."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from splinescope.cli import app as app_module
from splinescope.cli import main

SAVED = ("zeros", np.zeros(4)), ("one", np.eye(4)[0]), ("two", np.eye(4)[1]), ("half", np.eye(4)[0] / 2)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good and bad models and points, as the working directory."""
    monkeypatch.chdir(tmp_path)
    weights = np.random.default_rng(0).standard_normal((3, 4))
    np.savez("net.npz", W0=weights, b0=np.zeros(3), W1=np.ones((2, 3)), b1=np.zeros(2))
    np.savez("plane.npz", W0=np.eye(2), b0=np.zeros(2), W1=np.ones((1, 2)), b1=np.zeros(1))
    np.savez("nan.npz", W0=np.where(weights > 1, np.nan, weights), b0=np.zeros(3), W1=np.ones((2, 3)), b1=np.zeros(2))
    np.savez("inf.npz", W0=weights, b0=np.array([0, np.inf, 0]), W1=np.ones((2, 3)), b1=np.zeros(2))
    np.savez("mismatch.npz", W0=weights, b0=np.zeros(3), W1=np.ones((2, 5)), b1=np.zeros(2))
    for name, point in SAVED:
        np.save(f"{name}.npy", point)
    np.save("five.npy", np.zeros(5))
    np.save("nan.npy", np.array([0, np.nan, 0, 0]))
    np.save("inf.npy", np.array([0, np.inf, 0, 0]))
    np.save("words.npy", np.array(["a", "b", "c", "d"]))
    np.savez("several.npz", a=np.zeros(4), b=np.zeros(4))
    for name in (
        "corrupt.npy",
        "corrupt.npz",
        "corrupt.png",
        "corrupt.onnx",
        "corrupt.pt2",
        "corrupt.nnet",
        "state.pt",
    ):
        Path(name).write_bytes(b"this is no such file\n")
    Path("words.csv").write_text("a,b,c,d\n")
    Path("empty.csv").write_text("")
    Path("code.py").write_text(
        "import torch\n"
        "number = 3\n"
        "linear = torch.nn.Linear(4, 2)\n"
        "smooth = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.GELU(), torch.nn.Linear(3, 2))\n"
        "def fails():\n    raise RuntimeError('no luck')\n"
    )
    Path("broken.py").write_text("import nowhere_to_be_found\n")
    torch.save(torch.nn.Linear(3, 2).state_dict(), "other.pt")
    Path("occupied").write_text("a file")
    return tmp_path


THREE = ["--through", "zeros.npy", "one.npy", "two.npy"]
BAD = {
    "no model": (["gone.onnx", *THREE], r"`MODEL`: gone.onnx does not exist"),
    "a folder": ([".", *THREE], r"`MODEL`: \. is no model file; expected one of \.onnx"),
    "corrupt onnx": (["corrupt.onnx", *THREE], r"corrupt.onnx"),
    "corrupt pt2": (["corrupt.pt2", *THREE], r"corrupt.pt2"),
    "corrupt npz": (["corrupt.npz", *THREE], r"corrupt.npz"),
    "corrupt nnet": (["corrupt.nnet", *THREE], r"corrupt.nnet"),
    "weights alone": (["state.pt", *THREE], r"state.pt holds weights without the network; .* --weights state.pt"),
    "nan weights": (["nan.npz", *THREE], r"NaN"),
    "infinite weights": (["inf.npz", *THREE], r"infinite"),
    "layers that don't fit": (["mismatch.npz", *THREE], r"W1|shape"),
    "no such name": (["code.py:gone", *THREE], r"there is no 'gone' in it"),
    "no such file of code": (["gone.py:net", *THREE], r"gone.py"),
    "no such module": (["gone.code:net", *THREE], r"`MODEL`: gone.code cannot be imported: ModuleNotFoundError"),
    "code that fails": (["code.py:fails", *THREE], r"fails\(\) failed: RuntimeError: no luck"),
    "code that can't be imported": (["broken.py:net", *THREE], r"broken.py cannot be imported: ModuleNotFoundError"),
    "no module": (["code.py:number", *THREE], r"is of type int; expected a torch.nn.Module"),
    "unsupported op": (["code.py:smooth", *THREE], r"(?i)gelu"),
    "weights for a file": (["net.npz", *THREE, "--weights", "other.pt"], r"`--weights`: net.npz brings its own"),
    "corrupt weights": (["code.py:linear", *THREE, "--weights", "state.pt"], r"`--weights`: state.pt cannot be read"),
    "no weights": (["code.py:linear", *THREE, "--weights", "gone.pt"], r"`--weights`: gone.pt does not exist"),
    "other weights": (["code.py:linear", *THREE, "--weights", "other.pt"], r"`--weights`: other.pt does not fit"),
    "input shape": (["code.py:linear", *THREE, "--input-shape", "4,x"], r"`--input-shape`: got '4,x'"),
    "negative input shape": (
        ["code.py:linear", *THREE, "--input-shape=-4"],
        r"`--input-shape`: got '-4'; expected pos",
    ),
    "no points": (["net.npz"], r"`--through`: no points were given"),
    "box of four inputs": (["net.npz", "--box", "-1", "1"], r"`--box`: 4 of 4 inputs vary; a plane has two"),
    "missing point": (["net.npz", "--point", "gone.npy"], r"`--point`: gone.npy does not exist"),
    "unknown type": (["net.npz", "--point", "code.py"], r"`--point`: code.py is not of a known type; expected \.npy"),
    "corrupt point": (["net.npz", "--point", "corrupt.npy"], r"`--point`: corrupt.npy cannot be read"),
    "corrupt archive": (["net.npz", "--point", "corrupt.npz"], r"`--point`: corrupt.npz cannot be read"),
    "corrupt image": (["net.npz", "--point", "corrupt.png"], r"`--point`: corrupt.png cannot be read"),
    "words": (["net.npz", "--point", "words.npy"], r"`--point`: words.npy holds <U1 of shape \(4,\); expected numbers"),
    "words in text": (["net.npz", "--point", "words.csv"], r"`--point`: words.csv: line 1: could not convert"),
    "empty text": (["net.npz", "--point", "empty.csv"], r"`--point`: empty.csv: is empty"),
    "several arrays": (["net.npz", "--point", "several.npz"], r"several.npz: holds 2 arrays \(a, b\); expected one"),
    "nan point": (["net.npz", "--point", "nan.npy"], r"`--point`: nan.npy: 1 of 4 numbers are NaN or infinite"),
    "infinite point": (["net.npz", "--point", "inf.npy"], r"`--point`: inf.npy: 1 of 4 numbers are NaN or infinite"),
    "wrong shape": (
        ["net.npz", "--point", "five.npy"],
        r"five.npy of shape \(5,\); the model's input has the shape \(4,\)",
    ),
    "a label in front": (["net.npz", "--point", "five.npy"], r"one number too many: is there a label in front\?"),
    "collinear anchors": (["net.npz", "--through", "zeros.npy", "half.npy", "one.npy"], r"on one line"),
    "the same point twice": (["net.npz", "--through", "zeros.npy", "zeros.npy", "one.npy"], r"on one line"),
    "two points": (
        ["net.npz", "--through", "zeros.npy", "one.npy"],
        r"`--through`: got 2 of 3 values; for fewer points give `--point`",
    ),
    "four points": (["net.npz", *(["--point", "one.npy"] * 4)], r"`--point`: got 4 points; expected one, two or three"),
    "two choices": (["net.npz", *THREE, "--box", "0", "1"], r"`--through`, `--box`: both were given"),
    "box and polygon": (["plane.npz", "--box", "0", "1", "--polygon", "0,0 1,0 0,1"], r"`--box`, `--polygon`: both"),
    "empty box": (["plane.npz", "--box", "1", "1"], r"is not below"),
    "box of words": (["plane.npz", "--box", "a", "1"], r"`--box`: got 'a'; expected numbers"),
    "infinite box": (["plane.npz", "--box", "0", "inf"], r"`--box`: got 'inf'; expected finite numbers"),
    "empty polygon": (["plane.npz", "--polygon", ""], r"`polygon`"),
    "flat polygon": (["plane.npz", "--polygon", "0,0 1,1 2,2"], r"`polygon`: 3 corners that enclose no area"),
    "concave polygon": (["plane.npz", "--polygon", "0,0 2,0 0.2,0.2 0,2"], r"`polygon`: .*convex"),
    "odd polygon": (["plane.npz", "--polygon", "0,0 1,0,1 0,1"], r"`--polygon`: got .* expected corners x,y"),
    "negative margin": (["net.npz", *THREE, "--margin", "-0.5"], r"`margin`: got -0.5"),
    "nan margin": (["net.npz", *THREE, "--margin", "nan"], r"`margin`: got nan"),
    "no radius": (["net.npz", "--point", "one.npy", "--radius", "0"], r"`--radius`: got 0.0; expected a positive"),
    "no deviation": (["net.npz", *THREE, "--std", "0"], r"`--std`: got 0; expected positive numbers"),
    "many channels": (["net.npz", *THREE, "--mean", "1,2"], r"`--mean`: got 2 numbers for 4 channels"),
    "unknown data": (["net.npz", "--data", "stars", "--indices", "1"], r"`--data`: got 'stars'; expected digits"),
    "data without indices": (["net.npz", "--data", "digits"], r"`--data`, `--indices`: only one was given"),
    "index out of range": (["net.npz", "--data", "digits", "--indices", "1797"], r"digits`: `indices`: got 1797"),
    "index out of file": (
        ["net.npz", "--data", "one.npy", "--indices", "0"],
        r"`--indices`: got 0; one.npy has the sh",
    ),
    "indices of words": (["net.npz", "--data", "digits", "--indices", "a"], r"`--indices`: got 'a'; expected whole"),
    "no mnist": (["net.npz", "--data", "mnist:gone", "--indices", "1"], r"`--data mnist:gone`: .* does not exist"),
    "classes of words": (["net.npz", *THREE, "--classes", "a,b"], r"`--classes`: got 'a,b'; expected whole numbers"),
    "one class": (["net.npz", *THREE, "--classes", "1"], r"`classes`: got \[1\]"),
    "class out of range": (["net.npz", *THREE, "--classes", "0,2"], r"`classes`: got \[0, 2\]"),
    "unknown color": (["net.npz", *THREE, "--color", "pretty"], r"Invalid value for '--color'"),
    "unknown level": (["net.npz", *THREE, "--verify", "hope"], r"Invalid value for '--verify'"),
    "unknown format": (["net.npz", *THREE, "--format", "gif"], r"Invalid value for '--format'"),
    "no cells": (["net.npz", *THREE, "--max-cells", "0"], r"Invalid value for '--max-cells'"),
    "no memory": (["net.npz", *THREE, "--memory", "lots"], r"`--memory`: got 'lots'; expected a size"),
    "out is a file": (["net.npz", *THREE, "--out", "occupied"], r"`--out`: occupied cannot be made a folder"),
    "store is a file": (["net.npz", *THREE, "--store", "occupied"], r"`store`: cannot write to occupied"),
    "unknown option": (["net.npz", "--bogus"], r"No such option: --bogus"),
    "no arguments": ([], r"Missing argument 'MODEL'"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.usefixtures("place")
def test_bad_input(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = BAD[case]
    assert main(["slice", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"splinescope: .+\n", told.err), told.err
    assert re.search(expected, told.err), told.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["info", "gone.onnx"], r"`MODEL`: gone.onnx does not exist"),
        (["info", "nan.npz"], r"NaN"),
        (["demo", "--out", "occupied"], r"`--out`: occupied cannot be made a folder"),
        (["nosuch"], r"No such command 'nosuch'"),
    ],
)
@pytest.mark.usefixtures("place")
def test_other_commands(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert re.search(expected, told.err)
    assert told.err.count("\n") == 1


@pytest.mark.usefixtures("place")
def test_a_failed_run_leaves_nothing(place: Path) -> None:
    assert main(["slice", "net.npz", *THREE, "--classes", "0,9", "--out", "out"]) == 2
    assert not (place / "out").exists()


def test_warnings_of_our_own_are_one_line() -> None:
    with app_module._plain_warnings():
        ours = warnings.formatwarning("few\n latents", UserWarning, app_module.__file__, 3)
        others = warnings.formatwarning("old", DeprecationWarning, "/usr/lib/some.py", 3)
    assert ours == "splinescope: warning: few latents\n"
    assert others.startswith("/usr/lib/some.py:3: DeprecationWarning: old")
    assert warnings.formatwarning("x", UserWarning, app_module.__file__, 3) != "splinescope: warning: x\n"
