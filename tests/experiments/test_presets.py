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
from tests.experiments.cones import check_contraction, check_dual_basis, check_flattening, check_nested_cones
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
    "loss-conditioning": {"depth", "bounds"},
    "convexity": {"probabilities"},
    "two-phases": {"phases"},
    "loss-landscape": {"planes", "exact"},
    "dual-basis": {"preimages"},
    "contraction-flow": {"flows"},
    "nested-cones": {"cones"},
    "flattening": {"surface", "layers"},
    "trained-convolutions": {"training"},
    "nested-by-design": {"networks"},
    "manifold": {"surface", "slice"},
    "polarity-toy": {"samples", "measures"},
    "debias": {"frequencies", "samples"},
    "precision-recall": {"quality"},
    "batch-size": {"layers"},
    "spirals": {"layers", "ways"},
    "pulled-back-balls": {"balls"},
    "topology-layers": {"layers"},
    "volume-boundary": {"planes", "distances"},
    "decoder-geodesics": {"paths", "images"},
}


SMALLER = {
    "regions-vs-depth-width": {"repeats": 1, "trained_repeats": 1, "epochs": (0, 12)},
    "self-similar": {"random": 1},
    "grokking": {
        "width": 24, "train_points": 100, "steps": 150, "probes": 30, "attacked": 40, "per_decade": 2, "directions": 10,
    },
    "trained-convolutions": {"epochs": (0, 2)},
    "nested-by-design": {"epochs": 2, "channels": 2},
    "class-connectivity": {
        "hidden": (32,) * 3, "epochs": 25, "pairs": 16, "twins": 10, "component_points": 3, "decoder_epochs": 1,
    },
    "loss-conditioning": {"activations": ("relu", "leaky"), "skips": (0.0, 1.0), "depths": (1, 4), "points": 6},
    "loss-landscape": {"blocks": 1, "epochs": 2, "images": 300, "grid": 5, "rays": 4, "ray_points": 7, "shown": 50},
    "spirals": {"points": 80, "epochs": 5},
    "pulled-back-balls": {"points": 80, "epochs": 5, "repeats": 1},
    "topology-layers": {"sets": ("circles",), "repeats": 1, "epochs": 10, "layers": 2},
    "volume-boundary": {"repeats": 1, "epochs": 10, "digit_epochs": 2, "units": 8},
    "decoder-geodesics": {"images": 300, "width": 12, "epochs": 20, "pairs": 4},
}  # fmt: skip
"""Sizes of the gate where those of the preset smoke take long and show no more."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes"), [*((name, SMALLER.get(name, {})) for name in FIGURES), *(large(name, {}) for name in SMALLER)]
)
def test_smoke(name: str, sizes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "topology-layers":
        pytest.importorskip("ripser", reason="the extra `topology` (ripser) is not installed")
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


MAY_FAIL = {
    "grokking": "the few thousand steps of its preset smoke are too few to grok, and its claims say so",
    "debias": "what is claimed of fairness does not hold for these generators, whatever the preset",
    "precision-recall": "what is claimed of quality does not hold for a generator that is little trained",
}
"""Experiments of which some claims fail in the preset smoke, and why."""

OF_MANY = {
    "spirals": "its claims are of networks without an error, or of ten of them",
    "volume-boundary": "all of its claims are of ten networks or more",
}
"""Experiments of which smoke decides no claim, and why."""


def check_claims(report: Report) -> None:
    assert len(report.claims) >= 3
    for claim in report.claims:
        assert claim.statement
        assert claim.source
        assert claim.theirs
        assert claim.ours
        assert (claim.verdict is Verdict.NOT_COMPARABLE) == (claim.tolerance == "")
        assert report.name in MAY_FAIL or claim.verdict is not Verdict.FAILED
    assert report.name in OF_MANY or Verdict.REPRODUCED in {claim.verdict for claim in report.claims}


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


def check_loss_conditioning(report: Report) -> None:
    """Condition numbers of a network's first layer, and of all of them, from matrices multiplied by hand."""
    generator, data = torch.Generator().manual_seed(0), datasets.digits()
    rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(500))[: report.config["points"]]
    module = models.residual_mlp([64, 16, 4, 10], generator=generator, dtype=torch.float64)
    (kind,) = (k for k in report.numbers["along_depth"] if (k["activation"], k["skip"], k["depth"]) == ("relu", 1.0, 4))
    found = []
    for x in data.inputs[rows].double():
        z, total = module[1](x.flatten()), torch.eye(16, dtype=torch.float64)
        for block in module[2:-1]:
            total = ((block.layer(z) > 0).double()[:, None] * block.layer.weight + torch.eye(16)) @ total
            z = block(z)
        found.append(float(torch.linalg.cond(total.detach())))
    assert kind["condition"][0][0] == pytest.approx(float(np.median(found)), rel=1e-9)


def check_convexity(report: Report) -> None:
    """Trials of chains of two layers, one by one, with their own random numbers."""
    rng, holds, trials = np.random.default_rng(77), 0, 2000
    for _ in range(trials):
        one, other = rng.standard_normal((2, 2, 3, 3)) / np.sqrt(3)
        x, t = rng.standard_normal(3), rng.uniform()

        def through(weights: np.ndarray, x: np.ndarray = x) -> np.ndarray:
            for weight in weights:
                x = np.maximum(weight @ x + 0.1, 0)
            return x

        mixed, mean = through(t * one + (1 - t) * other), t * through(one) + (1 - t) * through(other)
        holds += bool(np.abs(mixed).max() <= np.abs(mean).max() * (1 + 1e-12))
    found = report.numbers["holds"]["relu"][1] / report.config["trials"]
    assert found == pytest.approx(holds / trials, abs=4 * np.sqrt(0.18 * (1 / trials + 1 / report.config["trials"])))


def check_two_phases(report: Report) -> None:
    """The first checkpoint of the first training, trained again: codes and tangent kernels one by one."""
    data, generator, config = datasets.digits(), torch.Generator().manual_seed(0), report.config
    module = models.mlp([64, *config["hidden"], 10], generator=generator, dtype=torch.float64)
    inputs, wanted = data.inputs.double(), torch.nn.functional.one_hot(data.labels, 10).double()

    def codes() -> torch.Tensor:
        x, found = inputs[: config["probes"]].flatten(1), []
        for layer in module[1:-1]:
            found += [x > 0] if isinstance(layer, torch.nn.ReLU) else []
            x = layer(x)
        return torch.cat(found, dim=1)

    def kernel() -> torch.Tensor:
        rows = []
        for x in inputs[: config["kernel_probes"]]:
            slopes = [torch.autograd.grad(module(x[None])[0, k], list(module.parameters())) for k in range(10)]
            rows.append(torch.cat([value.flatten() for own in slopes for value in own]))
        return torch.stack(rows) @ torch.stack(rows).T

    before = codes(), kernel()
    optimizer = torch.optim.Adam(module.parameters(), lr=config["learning_rate"])
    for _ in range(config["every"]):
        batch = torch.randint(len(inputs), (config["batch"],), generator=generator)
        optimizer.zero_grad()
        (module(inputs[batch]) - wanted[batch]).square().sum(dim=1).mean().backward()
        optimizer.step()
    training = report.numbers["trainings"][0]
    assert training["churn"][0] == pytest.approx(float((before[0] != codes()).double().mean()), abs=1e-3)
    cosine = (before[1] * kernel()).sum() / (before[1].norm() * kernel().norm())
    assert training["angle"][0] == pytest.approx(float(torch.arccos(cosine)), rel=1e-6)


def check_loss_landscape(report: Report) -> None:
    """Both networks have the same number of parameters, and rays begin at the loss of the network."""
    networks = report.numbers["networks"]
    assert networks["residual"]["parameters"] == networks["plain"]["parameters"]
    for network in networks.values():
        for ray in network["rays"]:
            assert ray[0] == pytest.approx(network["loss"], rel=1e-4)
        least, own = network["exact"]["least"], network["exact"]["at_network"]
        assert least <= own * (1 + 1e-12)


def check_manifold(report: Report) -> None:
    """The toy surface's area by the small triangles of a grid of latents."""
    module = models.gaussian_mlp(
        [2, 8, 8, 3], bias_deviation=0.5, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    line = torch.linspace(-1, 1, 301, dtype=torch.float64)
    with torch.no_grad():
        points = module(torch.cartesian_prod(line, line)).reshape(301, 301, 3).numpy()
    corner, right, up, far = points[:-1, :-1], points[1:, :-1], points[:-1, 1:], points[1:, 1:]
    halves = np.cross(right - corner, up - corner), np.cross(right - far, up - far)
    area = 0.5 * sum(np.linalg.norm(half, axis=2).sum() for half in halves)
    assert report.numbers["toy"]["volume"] == pytest.approx(area, rel=0.01)


def check_polarity(report: Report) -> None:
    """Entropy is largest, and the density constant, at exponent 1; the exact means are those of the pool."""
    for found in report.numbers["generators"].values():
        rows = {row["rho"]: row for row in found["by_rho"]}
        assert max(rows, key=lambda rho: rows[rho]["entropy"]) == 1.0
        for row in rows.values():
            assert abs(row["expected_log_volume"] - row["pool_log_volume"]) < 5 * row["pool_error"] + 1e-9


def check_batch_size(report: Report) -> None:
    """Stretches of one network trained again, along the spiral, cannot exceed what its layers allow."""
    for one in report.numbers["networks"]:
        assert one["stretches"][0] == pytest.approx(1.0)
        assert len(one["stretches"]) == len(one["components"]) == report.config["layers"] + 1
        assert min(one["components"]) >= 1
        assert min(one["largest_gaps"]) >= 1.0


def check_spirals(report: Report) -> None:
    """Steps are no shorter together than the way from end to end, and changes at most twice the steps."""
    for one in report.numbers["networks"]:
        assert len(one["steps"]) == len(one["changes"]) + 1 == len(one["crossings"]) - 1 == report.config["layers"]
        assert sum(one["steps"]) >= one["displacement"] * (1 - 1e-9)
        assert sum(one["changes"]) <= 2 * sum(one["steps"])
        assert one["crossings"][0] == 0


def check_balls(report: Report) -> None:
    """At the last layer balls are round, and each layer's axes are in order."""
    for one in report.numbers["networks"]:
        assert one["short_axes"][-1] == pytest.approx(1.0)
        assert one["ratios"][-1] == pytest.approx(1.0)
        assert all(short <= long for short, long in zip(one["short_axes"], one["long_axes"], strict=True))


def check_topology(report: Report) -> None:
    """Each network has the layers that it was made of, and no class ever vanishes."""
    for one in report.numbers["networks"]:
        assert len(one["betti"]) == report.config["layers"] + 3
        assert min(numbers[0] for row in one["betti"] for numbers in row) >= 1


def check_volumes(report: Report) -> None:
    """Volumes of an untrained network in the square, by differences of its features on a grid."""
    (one,) = (n for n in report.numbers["networks"] if (n["problem"], n["repeat"]) == ("moons", 0))
    units = report.config["units"]
    module = models.mlp([2, units, units, 2], generator=torch.Generator().manual_seed(0)).double()[:-1]
    line = torch.linspace(-1.2, 1.2, 241, dtype=torch.float64)
    with torch.no_grad():
        values = module(torch.cartesian_prod(line, line)).reshape(241, 241, -1).numpy()
    right, up = values[1:, :-1] - values[:-1, :-1], values[:-1, 1:] - values[:-1, :-1]
    gram = (right**2).sum(2) * (up**2).sum(2) - (right * up).sum(2) ** 2
    assert one["before"]["mean"] == pytest.approx(np.sqrt(np.maximum(gram, 0)).mean() / 0.01**2, rel=0.02)


def check_decoder(report: Report) -> None:
    """No path is shorter than the distance of its ends, or longer than the straight line."""
    for one in report.numbers["pairs"]:
        assert one["chord"] * (1 - 1e-9) <= one["length"] <= one["straight_length"] * (1 + 1e-9)
        assert one["lower_bound"] is None or one["chord"] * (1 - 1e-9) <= one["lower_bound"] <= one["length"]


INDEPENDENT = {
    "spirals": check_spirals,
    "pulled-back-balls": check_balls,
    "topology-layers": check_topology,
    "volume-boundary": check_volumes,
    "decoder-geodesics": check_decoder,
    "loss-landscape": check_loss_landscape,
    "two-phases": check_two_phases,
    "convexity": check_convexity,
    "loss-conditioning": check_loss_conditioning,
    "manifold": check_manifold,
    "polarity-toy": check_polarity,
    "batch-size": check_batch_size,
    "class-connectivity": check_class_connectivity,
    "batchnorm-tessellation": check_batchnorm_tessellation,
    "batchnorm-density": check_batchnorm_density,
    "regions-vs-depth-width": check_regions,
    "tessellation-toy": check_toy,
    "self-similar": check_self_similar,
    "dual-basis": check_dual_basis,
    "contraction-flow": check_contraction,
    "nested-cones": check_nested_cones,
    "flattening": check_flattening,
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
