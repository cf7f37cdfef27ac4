"""Where the time goes: each second is counted once, by phase and by node."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.cli.app import main
from splinescope.profiling import profiling, spent
from splinescope.tessellation.floor import forward_seconds


def module(inputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 12), nn.ReLU(), nn.Linear(12, 3)).double()


def test_phases_within_others_are_counted_once() -> None:
    started = time.perf_counter()
    with profiling() as profile, spent("outer"):
        time.sleep(0.02)
        with spent("inner", "a"):
            time.sleep(0.03)
        with spent("inner", "b"):
            time.sleep(0.01)
    passed = time.perf_counter() - started
    assert list(profile.phases) == ["inner", "outer"]
    assert profile.of_phase("inner")["a"] >= 0.03
    assert profile.of_phase("outer")[""] >= 0.02
    assert profile.phases["inner"] == sum(profile.of_phase("inner").values())
    assert 0.06 <= profile.total <= passed


def test_nothing_is_counted_outside_and_what_fails_is() -> None:
    with profiling() as profile, pytest.raises(ValueError, match="no"), spent("failing"):
        raise ValueError("no")
    with spent("later"):
        pass
    assert list(profile.phases) == ["failing"]
    assert profile.began == []


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_engines_say_what_each_node_took(dimension: int) -> None:
    network = splinescope.load(module(dimension))
    low, high = -np.ones(dimension), np.ones(dimension)
    domain = {1: lambda: splinescope.Segment(low, high), 2: lambda: splinescope.Slice.box(low, high)}.get(
        dimension, lambda: splinescope.Box(low, high)
    )()
    with profiling() as profile:
        cells = splinescope.tessellate(network, domain)
    assert {node.name for node in network.nodes if node.inputs} <= set(profile.of_phase("cutting"))
    assert profile.phases["checking"] > 0
    assert list(forward_seconds(cells)) == [node.name for node in network.nodes]


def test_the_command_line_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "from torch import nn\n\nnet = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 3)).double()\n"
    (tmp_path / "nets.py").write_text(source)
    command = ["slice", f"{tmp_path / 'nets.py'}:net", "--box", "-1,-1", "1,1", "--out", str(tmp_path / "out")]
    assert main([*command, "--profile"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("cutting", "checking", "drawing", "forward pass", "ratio", "in all"))
    profile = json.loads((tmp_path / "out" / "summary.json").read_text())["profile"]
    assert {"planning", "cutting", "assembling", "placing", "checking", "drawing", "saving"} <= set(profile["phases"])
    assert [node["op"] for node in profile["nodes"]] == ["Dense", "PiecewiseAffine", "Dense"]
    assert profile["ratio"] == pytest.approx(sum(profile["phases"].values()) / profile["forward"])
