"""Grokking: runs that are stopped go on as if they had not been, variants run, and moments are found."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.experiments import Verdict, reproduce
from splinescope.experiments.grokking.checkpoints import LOSSES, Recipe, train_with_checkpoints
from splinescope.experiments.grokking.claims import claims
from splinescope.experiments.grokking.moments import complexity, moments_of
from splinescope.experiments.grokking.settings import Settings
from splinescope.experiments.shared.reproduce import measure
from splinescope.observers import Recorder
from splinescope.tessellation.files import load_complex

SMALL = {
    "width": 8, "steps": 60, "train_points": 40, "probes": 10, "directions": 5, "radii": (0.1, 0.5), "radius": 0.1,
    "attacked": 20, "per_decade": 4, "batch": 20,
}  # fmt: skip


class Stopped(Exception):
    """What stops a run in a test."""


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure("grokking", out=tmp_path / "whole", settings=SMALL)
    record = Recorder.record
    monkeypatch.setattr("splinescope.experiments.grokking.run.train_with_checkpoints", often)

    def stopping(self: Recorder, model: Any, step: int) -> Any:
        if step == 47:
            raise Stopped
        return record(self, model, step)

    monkeypatch.setattr(Recorder, "record", stopping)
    with pytest.raises(Stopped):
        measure("grokking", out=tmp_path / "stopped", settings=SMALL)
    assert not (tmp_path / "stopped" / "numbers.json").exists()
    started: list[int] = []

    def noting(self: Recorder, model: Any, step: int) -> Any:
        started.append(step)
        return record(self, model, step)

    monkeypatch.setattr(Recorder, "record", noting)
    measure("grokking", out=tmp_path / "stopped", settings=SMALL)
    assert started[0] == 40
    whole, again = ((tmp_path / name / "numbers.json").read_bytes() for name in ("whole", "stopped"))
    assert again == whole


def often(*args: Any, **kwargs: Any) -> None:
    train_with_checkpoints(*args, **kwargs, every=20)


def test_frames_are_those_of_the_rows(tmp_path: Path) -> None:
    report = reproduce("grokking", out=tmp_path, settings=SMALL | {"steps": 10})
    assert (tmp_path / "training.gif").stat().st_size > 1000
    for row in report.numbers["rows"]:
        cells = load_complex(tmp_path / "parts" / "training" / "frames" / f"step-{row['step']:012d}.npz")
        assert len(cells) == row["tiles/cells"]


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_smooth_variant_has_no_slices(loss: str, tmp_path: Path) -> None:
    settings = SMALL | {"steps": 8, "activation": "gelu", "loss": loss}
    report = reproduce("grokking", out=tmp_path, settings=settings)
    assert report.files["figures"] == ["training.png", "training.pdf"]
    assert report.files["others"] == []
    assert complexity("train", 0.1) in report.numbers["rows"][0]
    assert "tiles/cells" not in report.numbers["rows"][0]


def test_training_is_torchs_own(tmp_path: Path) -> None:
    """The loop beside one written out, batch by batch."""
    inputs = torch.rand(30, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30) % 3
    recipe = Recipe("mse", 25, 7, 1e-2, 0.1)
    one, two = (nn.Linear(4, 3) for _ in range(2))
    two.load_state_dict(one.state_dict())
    optimizer = torch.optim.AdamW(two.parameters(), lr=1e-2, weight_decay=0.1, fused=True)
    generator = torch.Generator().manual_seed(5)
    for _ in range(25):
        batch = torch.randint(30, (7,), generator=generator)
        optimizer.zero_grad()
        ((two(inputs[batch]) - torch.eye(3)[labels[batch]]) ** 2).mean().backward()
        optimizer.step()

    recorder = Recorder({"nothing": lambda _: {"here": 0.0}}, (), tmp_path / "log.jsonl")
    for _ in "12":  # the second call finds a finished run, and does nothing more
        train_with_checkpoints(
            one,
            inputs,
            labels,
            recipe,
            recorder,
            tmp_path / "checkpoint.pt",
            generator=torch.Generator().manual_seed(5),
        )
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


def rows(values: list[tuple[float, float, float]]) -> list[dict[str, Any]]:
    """Rows of (training accuracy, adversarial accuracy, local complexity)."""
    key = complexity("train", 0.1)
    other = {"test/accuracy": 0.9, "attacked 0.05/accuracy": 0.5}
    return [
        {"step": 10 * i, "train/accuracy": a, "attacked 0.1/accuracy": b, key: c} | other
        for i, (a, b, c) in enumerate(values)
    ]


GROKS = [(0.1, 0.1, 5.0), (0.8, 0.3, 2.0), (1.0, 0.2, 3.0), (1.0, 0.2, 4.0), (1.0, 0.7, 0.2), (1.0, 0.6, 0.3)]


def numbers(values: list[tuple[float, float, float]]) -> dict[str, Any]:
    """What a run with such a log leaves."""
    config = Settings.smoke(0).with_settings({"radii": "0.1", "radius": "0.1", "epsilons": "0.05,0.1"})
    return {"config": asdict(config), "rows": rows(values)}


def test_moments_and_claims_of_a_run_that_groks() -> None:
    found = numbers(GROKS)
    assert moments_of(found).steps() == {"initialisation": 0, "interpolation": 20, "grokking": 40}
    verdicts = [claim.verdict for claim in claims(found)]
    assert verdicts.count(Verdict.FAILED) == 0
    assert verdicts.count(Verdict.REPRODUCED) == 4


def test_claims_fail_where_nothing_groks() -> None:
    found = numbers([(0.1, 0.1, 1.0), (0.8, 0.3, 2.0), (0.9, 0.2, 3.0)])
    assert moments_of(found).steps() == {"initialisation": 0, "interpolation": 20, "grokking": 20}
    verdicts = {claim.statement: claim.verdict for claim in claims(found)}
    assert list(verdicts.values()).count(Verdict.FAILED) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "tanh"}, "got tanh for 'activation'; expected 'relu' or 'gelu'"),
        ({"loss": "hinge"}, "got hinge for 'loss'; expected 'mse' or 'cross-entropy'"),
        ({"radius": "0.3"}, "got 0.3 for 'radius'; expected one of 'radii'"),
        ({"depth": "3"}, "there is no setting 'depth'; expected one of activation, attacked"),
        ({"width": "many"}, "got 'many' for 'width'; expected a whole number, such as 96"),
        ({"radii": "0.1,x"}, "got 'x' for 'radii'; expected a number"),
        ({"digits": "maybe"}, "got 'maybe' for 'digits'; expected true or false"),
    ],
)
def test_bad_settings(changes: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=message):
        reproduce("grokking", out=tmp_path, settings=changes)


def test_paper_needs_data(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="`data`: got none; expected the folder of MNIST's IDX files"):
        reproduce("grokking", "paper", out=tmp_path)
    with pytest.raises(InvalidInputError, match="`data`: got 'x'; the preset smoke uses the small digits"):
        reproduce("grokking", out=tmp_path, data="x")
