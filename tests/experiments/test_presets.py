"""Every experiment, end to end and again from its numbers: files, claims, figures, independent counts."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import torch
from matplotlib.image import imread

from splinescope import datasets, models
from splinescope.errors import InvalidInputError, StoreError
from splinescope.experiments import EXPERIMENTS, Report, Verdict, judge, reproduce
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.reproduce import measure
from tests.seeds import large

FIGURES = {
    "regions-vs-depth-width": {"counts", "training", "moved-folds"},
    "self-similar": {"functions", "folding"},
    "folded-hyperplanes": {"folds", "angles"},
    "tessellation-toy": {"tessellation"},
    "cats": {"plane"},
    "batchnorm-tessellation": {"layers"},
    "batchnorm-density": {"density", "ratios", "least-squares"},
    "grokking": {"training", "slices"},
    "class-connectivity": {"connectivity", "paths", "losses"},
    "batch-size": {"layers"},
}


SMALLER = {
    "regions-vs-depth-width": {"repeats": 1, "trained_repeats": 1, "epochs": (0, 12)},
    "self-similar": {"random": 1},
    "grokking": {
        "width": 24, "train_points": 100, "steps": 150, "probes": 30, "attacked": 40, "per_decade": 2, "directions": 10,
    },
    "class-connectivity": {
        "hidden": (32,) * 3, "epochs": 25, "pairs": 16, "twins": 10, "component_points": 3, "decoder_epochs": 1,
    },
}  # fmt: skip
"""Sizes of the gate where those of the preset smoke take long and show no more."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes"), [*((name, SMALLER.get(name, {})) for name in FIGURES), *(large(name, {}) for name in SMALLER)]
)
def test_smoke(name: str, sizes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = reproduce(name, "smoke", out=tmp_path, settings=sizes)
    check_files(report, tmp_path)
    check_figures(report, tmp_path)
    check_tables(report, tmp_path)
    check_claims(report)
    if name in INDEPENDENT:
        INDEPENDENT[name](report)
    left = contents(tmp_path)
    check_resumes(report, measure(name, "smoke", out=tmp_path, settings=sizes))
    assert (tmp_path / "numbers.json").read_bytes() == left["numbers.json"]
    check_judged_again(report, tmp_path, left, monkeypatch)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a run but the summary, which has times."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.stem != "summary"}


def check_resumes(report: Report, again: Parts) -> None:
    """A finished run computes nothing more."""
    assert again.computed == 0
    assert again.reused == report.parts_computed + report.parts_reused


def check_judged_again(report: Report, folder: Path, left: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """From the numbers come the same claims and, byte for byte, the same pictures and tables; nothing is run."""
    monkeypatch.setattr(Parts, "_once", lambda *_: pytest.fail("a part was asked for"))
    for path in folder.iterdir():
        if path.is_file() and path.name != "numbers.json":
            path.unlink()
    again = judge(folder / "numbers.json", report.name)
    assert again.claims == report.claims
    assert again.files == report.files
    assert contents(folder) == left
    written = json.loads((folder / "summary.json").read_text())
    assert written["claims"] == json.loads(json.dumps([dataclasses.asdict(claim) for claim in report.claims]))


def check_files(report: Report, folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["name"] == report.name
    assert summary["preset"] == "smoke"
    assert summary["config"]["seed"] == 0
    assert summary["files"] == json.loads(json.dumps(report.files))
    assert json.loads((folder / "numbers.json").read_text()).keys() == set(report.numbers)
    files = [report.files["summary"], report.files["numbers"], *report.files["tables"], *report.files["figures"]]
    files += report.files["others"]
    assert {path.name for path in folder.iterdir()} == {*files, "parts"}
    assert report.parts_computed > 0


def check_figures(report: Report, folder: Path) -> None:
    assert {Path(figure).stem for figure in report.files["figures"]} == FIGURES[report.name]
    for name in report.files["figures"]:
        if name.endswith(".png"):
            picture = imread(folder / name)
            assert picture.shape[1] == 2100  # 7 inches of 300 pixels
            assert picture[..., :3].std() > 0.05
        else:
            assert (folder / name).read_bytes().startswith(b"%PDF-")


def check_tables(report: Report, folder: Path) -> None:
    for name in report.files["tables"]:
        rows = list(csv.reader((folder / name).read_text().splitlines()))
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}


NO_GROKKING = {"grokking"}
"""The few thousand steps of `grokking`'s preset smoke are too few to grok, and its claims say so."""


def check_claims(report: Report) -> None:
    assert len(report.claims) >= 3
    for claim in report.claims:
        assert claim.statement
        assert claim.source
        assert claim.theirs
        assert claim.ours
        assert (claim.verdict is Verdict.NOT_COMPARABLE) == (claim.tolerance == "")
        assert report.name in NO_GROKKING or claim.verdict is not Verdict.FAILED
    assert Verdict.REPRODUCED in {claim.verdict for claim in report.claims}


def cells_of_lines(weight: np.ndarray, bias: np.ndarray, half: float) -> int:
    """Cells of an arrangement of lines in general position in a square: one more per line and per crossing inside."""
    corners = half * np.array(list(itertools.product((-1, 1), repeat=2)))
    values = corners @ weight.T + bias
    crossing = np.count_nonzero((values.min(axis=0) < 0) & (values.max(axis=0) > 0))
    pairs = itertools.combinations(range(len(weight)), 2)
    points = [np.linalg.solve(weight[[i, j]], -bias[[i, j]]) for i, j in pairs]
    return 1 + int(crossing) + int((np.abs(points).max(axis=1) < half).sum())


def check_regions(report: Report) -> None:
    """Cells of networks of one layer are those of its lines."""
    for number, cells in enumerate(report.numbers["shapes"]["1x60"]["cells"]):
        module = models.gaussian_mlp([2, 60, 1], generator=torch.Generator().manual_seed(number))
        weight, bias = (p.detach().double().numpy() for p in module[1].parameters())
        assert cells == cells_of_lines(weight, bias, 30.0)


def check_toy(report: Report) -> None:
    """The first layer's cells are those of its lines, the last layer's those of the whole network."""
    module = models.gaussian_mlp(
        [2, 6, 6, 6, 1], bias_deviation=0.5, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    weight, bias = (p.detach().numpy() for p in module[1].parameters())
    assert report.numbers["cells"][0] == cells_of_lines(weight, bias, 1.0)
    assert report.numbers["cells"][-1] == report.numbers["cells_of_network"]


def check_self_similar(report: Report) -> None:
    """Takagi's partial sums have fewer affine pieces than cells, by a law."""
    found = [(part["cells"], part["pieces"]) for part in report.numbers["functions"]["takagi"]]
    assert found == [(2, 2)] + [(2**m, 3 * 2 ** (m - 2)) for m in range(2, 7)]


def check_batchnorm_tessellation(report: Report) -> None:
    """Lines of the first layer that cross the data's convex hull; with batch-norm all pass through the mean."""
    for number, network in enumerate(report.numbers["networks"]):
        generators = (torch.Generator().manual_seed(number) for _ in range(2))
        data = datasets.two_moons(60, generator=next(generators)).inputs.double()
        module = models.gaussian_mlp([2, 6, 6, 1], bias_deviation=0.5, generator=next(generators), dtype=torch.float64)
        values = module[1](data).detach()
        crossing = (values.min(dim=0).values < 0) & (values.max(dim=0).values > 0)
        assert network["plain"]["crossing"][0] == int(crossing.sum())
        variances = values.var(dim=0, correction=0) / module[1].weight.detach().square().sum(dim=1)
        distances = values.square().mean(dim=0) / module[1].weight.detach().square().sum(dim=1)
        assert network["plain"]["excess"][0] == pytest.approx(float(distances.sum() / variances.sum()))


def check_batchnorm_density(report: Report) -> None:
    """Length per area of the first layer: chords of lines in a square, by shapely."""
    module = models.gaussian_mlp([2, *(12,) * 5, 1], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    window, length = shapely.box(-3, -3, 3, 3), 0.0
    for normal, bias in zip(*(p.detach().numpy() for p in module[1].parameters()), strict=True):
        foot, along = -bias * normal / (normal @ normal), np.array([-normal[1], normal[0]]) / np.linalg.norm(normal)
        length += shapely.LineString([foot - 100 * along, foot + 100 * along]).intersection(window).length
    assert report.numbers["exact"]["random"]["window"][0] == pytest.approx(length / 36, rel=1e-9)


def check_class_connectivity(report: Report) -> None:
    """Straight paths at the input, on a dense grid, by the module itself, trained again."""
    data, generator = datasets.digits(), torch.Generator().manual_seed(0)
    inputs, labels = data.inputs, data.labels
    module = models.mlp([64, *report.config["hidden"], 10], generator=generator)
    models.train_classifier(
        module, inputs[:1258], labels[:1258], generator=generator, epochs=report.config["epochs"], learning_rate=3e-3
    )
    module.double()
    t = torch.linspace(0, 1, 400, dtype=torch.float64)[:, None, None, None]
    for kind in ("correct", "misclassified"):
        found = report.numbers["kinds"][kind]["input"]
        for (a, b), how, margin in zip(found["ends"], found["joined"], found["minimum_margin"], strict=True):
            with torch.no_grad():
                leading = module((1 - t) * inputs[a].double() + t * inputs[b].double()).argmax(dim=1)
            assert leading[0] == leading[-1] == labels[a]
            assert (labels[b] == labels[a]) == (kind == "correct")
            stays = bool((leading == labels[a]).all())
            assert stays >= (how == "straight")
            assert stays or margin < 0


def check_batch_size(report: Report) -> None:
    """Stretches of one network trained again, along the spiral, cannot exceed what its layers allow."""
    for one in report.numbers["networks"]:
        assert one["stretches"][0] == pytest.approx(1.0)
        assert len(one["stretches"]) == len(one["components"]) == report.config["layers"] + 1
        assert min(one["components"]) >= 1
        assert min(one["largest_gaps"]) >= 1.0


INDEPENDENT = {
    "batch-size": check_batch_size,
    "class-connectivity": check_class_connectivity,
    "batchnorm-tessellation": check_batchnorm_tessellation,
    "batchnorm-density": check_batchnorm_density,
    "regions-vs-depth-width": check_regions,
    "tessellation-toy": check_toy,
    "self-similar": check_self_similar,
}


def test_data_for_an_experiment_that_takes_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="`data`: got 'somewhere'; this experiment makes its own data"):
        reproduce("self-similar", out=tmp_path, data="somewhere")


def test_cats_need_data(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="`data`: got none; expected where CIFAR-10 is"):
        reproduce("cats", "paper", out=tmp_path)
    with pytest.raises(InvalidInputError, match="`data`: got 'here'; the preset smoke uses the small digits"):
        reproduce("cats", "smoke", out=tmp_path, data="here")


def test_what_cannot_be_judged(tmp_path: Path) -> None:
    small = {"layers": 2, "width": 3}
    file = tmp_path / "numbers.json"
    with pytest.raises(StoreError, match=r"`judge`: .*numbers\.json' cannot be read: expected the folder of a"):
        judge(tmp_path)
    report = reproduce("tessellation-toy", out=tmp_path, settings=small)
    assert judge(tmp_path).claims == report.claims
    with pytest.raises(InvalidInputError, match="is of 'tessellation-toy'; expected a run of 'cats'"):
        judge(file, "cats")
    whole = tmp_path / "parts" / "whole.npz"
    whole.rename(tmp_path / "aside")
    with pytest.raises(StoreError, match=r"`parts`: .*whole\.npz' is missing, damaged or of other settings; run the"):
        judge(file)
    (tmp_path / "aside").rename(whole)
    numbers = json.loads(file.read_text())
    file.write_text(json.dumps(numbers | {"config": numbers["config"] | {"seed": 1}}))
    with pytest.raises(StoreError, match=r"after-1\.npz' is missing, damaged or of other settings"):
        judge(file)
    del numbers["config"]
    file.write_text(json.dumps(numbers))
    with pytest.raises(StoreError, match="doesn't say how it was made; `splinescope reproduce NAME --out"):
        judge(file)


def test_claims_follow_the_numbers(tmp_path: Path) -> None:
    """A file with other numbers is judged by them, and by nothing that a run remembers."""
    reproduce("tessellation-toy", out=tmp_path, settings={"layers": 2, "width": 3})
    file = tmp_path / "numbers.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"largest_jump": 0.5}))
    verdicts = {claim.statement: claim.verdict for claim in judge(file).claims}
    assert verdicts["The network is affine on each cell and continuous across their borders"] is Verdict.FAILED
    assert list(verdicts.values()).count(Verdict.FAILED) == 1


def test_every_experiment_is_tested() -> None:
    assert set(FIGURES) == {entry.name for entry in EXPERIMENTS}
