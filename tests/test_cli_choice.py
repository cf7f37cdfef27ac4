"""Models of several outputs and inputs on the command line, what `info` says of them, and the picture of the graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from splinescope.cli import main
from splinescope.errors import InvalidInputError

CODE = """
import torch
from torch import nn
class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.policy, self.value = nn.Linear(2, 6), nn.Linear(6, 2), nn.Linear(6, 1)
    def forward(self, x, goal, scale: float = 1.0):
        h = self.body(x + goal).relu() * scale
        return {"policy": 2 * torch.tanh(self.policy(h)), "value": self.value(h)}
def wave():
    return torch.nn.Sequential(nn.Linear(2, 2), nn.GELU())
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "nets.py").write_text(CODE)
    return f"{tmp_path / 'nets.py'}:Actor"


def test_info_with_a_choice_is_ten_lines(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "goal.npy", np.array([0.5, -1.0]))
    words = ["info", model, "--input-shape", "2", "--output", "policy", "--fixed", f"goal={tmp_path / 'goal.npy'}"]
    assert main([*words, "--fixed", "scale=2"]) == 0
    out = capsys.readouterr().out
    for part in ("head: 2 * tanh(f)", "2, 2", "6", "module float64 on", "output `policy` of 2", "`goal`, `scale`"):
        assert part in " ".join(out.split())
    names = [line for line in out.splitlines() if line[:1].strip()]
    assert len(names) <= 10
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["head_formula"] == "2 * tanh(f)"


def test_slice_takes_the_choice(model: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--input-shape", "2", "--output", "value", "--fixed", "goal=0.5,-1", "--out", str(out)]
    assert main(["slice", model, *words, "--no-boundary"]) == 0
    notes = json.loads((out / "summary.json").read_text())["network"]["import"]["notes"]
    assert "It is the output `value` of 2: `policy`, `value`." in notes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "takes 2 inputs (`x`, `goal`); fix all but one"),
        (["--fixed", "goal=0,0"], "has 2 outputs (`policy`, `value`); choose one"),
        (["--fixed", "goal"], "`--fixed`: got 'goal'; expected NAME=VALUE"),
        (["--fixed", "goal=a,b"], "`--fixed`: got 'a,b'; expected numbers"),
        (["--fixed", "gaol=0,0"], "the module has no input `gaol`"),
        (["--fixed", "goal=0,0", "--output", "q"], "`output`: got 'q'"),
    ],
)
def test_choices_that_are_missing_are_one_line(
    model: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", model, "--input-shape", "2", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_verbose_says_where(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["info", model.replace("Actor", "wave"), "--input-shape", "2"]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["--verbose", *words]) == 2
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "What to do: import the part of the model that ends before this node" in error


def test_verbose_shows_details(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from splinescope.network import load

    (tmp_path / "net.pt2").write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(InvalidInputError, match=r"not opened: .* say `trust=True` or `--trust`\n"):
        load(tmp_path / "net.pt2")
    assert main(["info", str(tmp_path / "net.pt2")]) == 2
    assert "ONNX" not in capsys.readouterr().err
    assert main(["--verbose", "info", str(tmp_path / "net.pt2")]) == 2
    assert "ONNX runs no code" in capsys.readouterr().err


def test_graph_is_drawn(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["info", model, "--input-shape", "2", "--output", "value", "--fixed", "goal=0,0", "--graph"]
    assert main([*words, str(tmp_path / "graph.svg")]) == 0
    assert "<svg" in (tmp_path / "graph.svg").read_text()
    assert main([*words, str(tmp_path / "graph.txt")]) == 2
    assert "`--graph`: got" in capsys.readouterr().err


def test_scripts_are_refused_with_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        script = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    script.save(str(tmp_path / "policy.pt"))
    assert main(["info", str(tmp_path / "policy.pt")]) == 2
    error = capsys.readouterr().err
    assert "is a script of torch.jit" in error
    assert error.count("\n") == 1
