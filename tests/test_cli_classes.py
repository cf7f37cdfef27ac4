"""Names of classes on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from splinescope.cli import main
from splinescope.cli.classes import class_name, class_number, class_numbers
from splinescope.errors import InvalidInputError
from splinescope.network import load

CODE = """
import torch, splinescope

def named():
    torch.manual_seed(3)
    module = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    return splinescope.load(module).with_classes(["cat", "dog", "fox"])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(CODE, encoding="utf-8")
    np.save(tmp_path / "a.npy", np.array([-2.0, -2.0]))
    np.save(tmp_path / "b.npy", np.array([2.0, 2.0]))
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "weights.pt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_slice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slice", "nets.py:named", "--box", "-4", "4", "--classes", "cat,2", "--color", "class"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("classes")]
    assert ("cat:" in line) or ("fox:" in line)
    assert "dog" not in line
    summary = json.loads((folder / "slice" / "summary.json").read_text(encoding="utf-8"))
    assert summary["network"]["classes"] == ["cat", "dog", "fox"]
    assert set(summary["class_areas"]) <= {"0", "2"}


def test_segment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["segment", "nets.py:named", "--from", "a.npy", "--to", "b.npy", "--target", "dog"]
    assert main(words) == 0
    assert "of class dog, against" in " ".join(capsys.readouterr().out.split())
    assert main([*words[:-1], "1", "--json", "--force"]) == 0
    assert json.loads(capsys.readouterr().out)["margin"]["targets"] == [1]


def test_path(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["path", "nets.py:named", "--from", "a.npy", "--to", "b.npy", "--target", "fox", "--no-picture"]
    assert main(words) == 0
    assert "in class fox" in " ".join(capsys.readouterr().out.split())


def test_info(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "nets.py:named"]) == 0
    assert "cat, dog, fox" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ["segment", "--from", "a.npy", "--to", "b.npy", "--target", "cow"],
            "`--target`: got 'cow'; expected numbers or",
        ),
        (["segment", "--from", "a.npy", "--to", "b.npy", "--target", "3"], "expected a class from 0 to 2"),
        (
            ["slice", "--box", "-1", "1", "--classes", "cat,cow"],
            "`--classes`: got 'cow'; expected numbers or names of cat",
        ),
        (["slice", "--box", "-1", "1", "--weights", "weights.pt"], "nets.py:named is a network with its weights"),
    ],
)
def test_wrong_names(words: list[str], reason: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([words[0], "nets.py:named", *words[1:]]) == 2
    assert reason in capsys.readouterr().err


def test_words() -> None:
    network = load(nn.Linear(2, 3)).with_classes(["a, b", "1", "c"])
    assert class_numbers("--classes", "a, b", network) == [0]
    assert class_numbers("--classes", "1,c", network) == [1, 2]
    assert class_numbers("--classes", None, network) is None
    assert class_number("--target", "2", network) == 2
    assert class_name({"network": {"classes": None}}, 2) == class_name({}, "2") == "2"
    with pytest.raises(InvalidInputError, match=r"`--target`: got 0,2; expected a class from 0 to 2"):
        class_number("--target", "0,2", network)
    with pytest.raises(InvalidInputError, match="`--classes`: got 'a'; expected whole numbers"):
        class_numbers("--classes", "a", network.with_classes(None))
