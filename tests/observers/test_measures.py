"""Each measure against a closed form, autograd or a naive count."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.observers import (
    Accuracy,
    AdversarialAccuracy,
    AffineNorm,
    BoundaryDistance,
    CellCount,
    ClassAreas,
    CodeChurn,
    MeanLocalComplexity,
    Recorder,
    SliceFrames,
    Snapshot,
    pgd,
    saved_frames,
)
from splinescope.tessellation.files import load_complex
from tests.observers.runs import SQUARE, quadrants


def net(*widths: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [nn.Linear(a, b, dtype=dtype), nn.ReLU()]
        return nn.Sequential(*layers[:-1]).eval().requires_grad_(False)


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(bias), dtype=torch.float64).requires_grad_(False)
    layer.weight.copy_(torch.tensor(weight))
    layer.bias.copy_(torch.tensor(bias))
    return layer


def measured(measure: Callable[[Snapshot], Any], module: nn.Module) -> dict[str, float]:
    return dict(measure(Snapshot(module, 0)))


@pytest.mark.parametrize("kind", ["tensor", "array", "list"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_accuracy(kind: str, dtype: torch.dtype) -> None:
    x, y = quadrants(3000)
    model = net(2, 9, 3, dtype=dtype)
    right = np.mean([int(model(point[None].to(dtype)).argmax()) == label for point, label in zip(x, y, strict=True)])
    points: Any = {"tensor": x, "array": x.numpy(), "list": x.tolist()}[kind]
    assert measured(Accuracy(points, y.tolist()), model) == {"accuracy": pytest.approx(right)}


def test_one_output_is_two_classes() -> None:
    model = linear([[1.0, 0.0]], [-0.25])
    x, _ = quadrants(500)
    y = (x[:, 0].double() > 0.25).long()
    y[:100] = 1 - y[:100]
    assert measured(Accuracy(x, y), model) == {"accuracy": 0.8}


class Named(nn.Module):
    """Returns its outputs by name, as the models of transformers do."""

    def __init__(self, inner: nn.Module, how: str) -> None:
        super().__init__()
        self.inner, self.how = inner, how

    def forward(self, x: Tensor) -> Any:
        logits = self.inner(x)
        return {"logits": logits} if self.how == "dict" else type("Output", (), {"logits": logits})


@pytest.mark.parametrize("how", ["dict", "object"])
def test_outputs_with_names(how: str) -> None:
    x, y = quadrants()
    model = net(2, 5, 2)
    for measure in (Accuracy(x, y), AdversarialAccuracy(x, y, 0.1, low=-1)):
        assert measured(measure, Named(model, how)) == measured(measure, model)


@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
@pytest.mark.parametrize("seed", [None, 4])
def test_attack_on_a_linear_classifier_is_the_best_one(loss: str, seed: int | None) -> None:
    """The margin (w1 - w0) x + b1 - b0 falls by epsilon |w1 - w0|_1, and not by more."""
    model = linear([[1.0, -2.0], [0.5, 1.0]], [0.1, -0.2])
    x, y = quadrants(400)
    margins = (model(x.double())[:, 1] - model(x.double())[:, 0]) * (2 * y - 1)
    for epsilon in (0.0, 0.03, 0.2):
        robust = float((margins > epsilon * 3.5).double().mean())
        attack = AdversarialAccuracy(x, y, epsilon, low=None, high=None, loss=loss, seed=seed, step_size=epsilon)
        if loss == "cross-entropy":
            assert measured(attack, model) == {"accuracy": pytest.approx(robust)}
        else:  # the squared distance may also grow by the wanted output's becoming larger
            assert robust - 1e-12 <= measured(attack, model)["accuracy"] <= measured(Accuracy(x, y), model)["accuracy"]


def test_attack_lies_between_the_clean_accuracy_and_the_truth_on_a_grid() -> None:
    x, y = quadrants(60)
    model = net(2, 12, 12, 2, seed=3).requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x.double()), y).backward()
        optimizer.step()
    steps = torch.linspace(-0.1, 0.1, 41, dtype=torch.float64)
    ball = (x.double()[:, None] + torch.cartesian_prod(steps, steps)).clamp(-1, 1)
    truth = float((model(ball).detach().argmax(dim=2) == y[:, None]).all(dim=1).double().mean())
    clean = measured(Accuracy(x, y), model)["accuracy"]
    found = measured(AdversarialAccuracy(x, y, 0.1, steps=20, low=-1.0), model)["accuracy"]
    assert truth <= found < clean
    assert found <= truth + 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_attack_stays_in_the_ball_and_the_range(dtype: torch.dtype) -> None:
    x, y = quadrants(200)
    x = x.to(dtype)
    model = net(2, 16, 3, dtype=dtype)
    for generator in (None, torch.Generator().manual_seed(0)):
        found = pgd(model, x, y, 0.3, low=-1.0, high=1.0, generator=generator)
        assert found.dtype == dtype
        assert not found.requires_grad
        assert float((found - x).abs().max()) <= 0.3 + 1e-6
        assert float(found.abs().max()) <= 1.0
    # One step of the default size is 2.5 epsilon / steps along the sign of the gradient.
    point = x[:1].clone().requires_grad_(True)
    nn.functional.cross_entropy(model(point), y[:1]).backward()
    assert point.grad is not None
    stepped = pgd(model, x[:1], y[:1], 0.1, steps=1, step_size=0.01, low=None, high=None)
    torch.testing.assert_close(stepped, x[:1] + 0.01 * point.grad.sign())


def test_random_starts_are_the_same_at_every_step() -> None:
    x, y = quadrants(300)
    model = net(2, 16, 16, 2, seed=2)
    attack = AdversarialAccuracy(x, y, 0.1, steps=1, low=-1.0, seed=5)
    assert measured(attack, model) == measured(attack, model)
    others = {measured(AdversarialAccuracy(x, y, 0.1, 1, low=-1.0, seed=k), model)["accuracy"] for k in range(8)}
    assert len(others) > 1


def test_refusals_of_attacks() -> None:
    x, y = quadrants(10)
    with pytest.raises(InvalidInputError, match="`epsilon`: got -1"):
        AdversarialAccuracy(x, y, -1.0)
    with pytest.raises(InvalidInputError, match="`steps`: got 0"):
        AdversarialAccuracy(x, y, 1.0, steps=0)
    with pytest.raises(InvalidInputError, match="`loss`: got 'hinge'"):
        AdversarialAccuracy(x, y, 1.0, loss="hinge")
    with pytest.raises(InvalidInputError, match=r"`points`: go from -.* beyond `low` and `high`, 0.0 to 1.0"):
        measured(AdversarialAccuracy(x, y, 0.1), net(2, 2))
    with pytest.raises(InvalidInputError, match="`labels`: got 9 for 10 points"):
        Accuracy(x, y[:9])


def test_cells_and_areas_in_closed_form() -> None:
    """Three lines in general position that meet within the square cut it into 7; the class changes on x = 1/4."""
    hidden = linear([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.1, 0.2, -0.3])
    out = linear([[0.0, 0.0, 0.0], [1.0, 1e-9, 1e-9]], [0.35, 0.0])
    module = nn.Sequential(hidden, nn.ReLU(), out)
    snapshot = Snapshot(module, 0)
    assert CellCount(SQUARE)(snapshot) == {"cells": 7}
    areas = ClassAreas(SQUARE)(snapshot)
    assert areas == {"0": pytest.approx(2 * 1.25, abs=1e-6), "1": pytest.approx(2 * 0.75, abs=1e-6)}
    assert snapshot.cells(SQUARE) is snapshot.cells(SQUARE)
    line = splinescope.Segment([-1.0, 0.0], [1.0, 0.0])
    assert CellCount(line)(snapshot) == {"cells": 3}
    assert CellCount(splinescope.Box([-1.0, -1.0], [1.0, 1.0]))(snapshot) == {"cells": 7}
    with pytest.raises(InvalidInputError, match="`domain`: got 1 dimensions"):
        ClassAreas(line)


@pytest.mark.parametrize(("norm", "order"), [("spectral", 2), ("frobenius", "fro")])
def test_norms_of_the_affine_map(norm: Any, order: Any) -> None:
    x, _ = quadrants(300)
    model = net(2, 10, 10, 4)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda point: model(point)))(x.double())
    norms = np.linalg.norm(jacobians.numpy(), order, axis=(1, 2))
    expected = {"mean": norms.mean(), "median": np.median(norms), "max": norms.max()}
    assert measured(AffineNorm(x, norm), model) == pytest.approx(expected, rel=1e-9)


def test_distance_to_a_linear_boundary() -> None:
    x, _ = quadrants(101)
    model = linear([[3.0, 4.0], [0.0, 0.0]], [1.0, 0.0])
    distances = np.abs(x.double().numpy() @ [3.0, 4.0] + 1.0) / 5.0
    median = pytest.approx(np.median(distances))
    assert measured(BoundaryDistance(x), model) == {"median": median, "lower": median, "certain": 1.0}


def test_local_complexity_of_the_first_layer_in_closed_form() -> None:
    x, _ = quadrants(200)
    model = net(2, 20, 2)
    frame = torch.eye(2, dtype=torch.float64)
    values = model[0](x.double()).abs()
    near = (values < 0.1 * model[0].weight.abs().max(dim=1).values).double().sum(dim=1).mean()
    for loaded in (True, False):
        found = measured(MeanLocalComplexity(x, 0.1, frame=frame, network=loaded), model)
        assert found["mean"] == pytest.approx(float(near))
        assert len(found) == 2


def test_measures_of_smooth_models() -> None:
    x, y = quadrants(100)
    model = nn.Sequential(net(2, 8), nn.GELU(), net(8, 2))
    assert 0 <= measured(Accuracy(x, y), model)["accuracy"] <= 1
    assert 0 <= measured(AdversarialAccuracy(x, y, 0.1, low=-1.0), model)["accuracy"] <= 1
    assert measured(MeanLocalComplexity(x, 0.1, frame=2, network=False), model)["mean"] > 0
    with pytest.raises(UnsupportedOpError, match="gelu"):
        measured(CellCount(SQUARE), model)


def test_churn_is_the_share_of_codes_that_changed(tmp_path: Path) -> None:
    x, _ = quadrants(150)
    model = nn.Sequential(linear([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0, 0.0, 0.0]), nn.ReLU(), net(3, 4, 2))
    recorder = Recorder({"churn": CodeChurn(x)}, range(9), tmp_path / "log")

    def codes() -> Tensor:
        first = model[0](x.double())
        return torch.cat([first > 0, model[2][0](first.relu()) > 0], dim=1)

    first = recorder.record(model, 0)
    assert first is not None
    assert math.isnan(first["churn/units"])
    assert math.isnan(first["churn/points"])
    before = codes()
    model[0].bias.copy_(torch.tensor([0.3, 0.0, -0.1]))
    changed = codes() != before
    row = recorder.record(model, 5)
    assert row is not None
    assert 0 < row["churn/units"] < row["churn/points"] < 1
    assert row["churn/units"] == pytest.approx(float(changed.double().mean()))
    assert row["churn/points"] == pytest.approx(float(changed.any(dim=1).double().mean()))
    # Back to step 0: the next comparison is with its codes again.
    recorder.rewind(0)
    again = recorder.record(model, 3)
    assert again is not None
    assert again["churn/units"] == row["churn/units"]
    same = recorder.record(model, 4)
    assert same is not None
    assert (same["churn/units"], same["churn/points"]) == (0.0, 0.0)


def test_churn_without_units() -> None:
    churn = CodeChurn(quadrants(5)[0])
    kept = churn.observe(Snapshot(linear([[1.0, 2.0]], [0.0]), 0))
    assert churn.compare(kept, kept) == {"units": 0.0, "points": 0.0}


def test_frames(tmp_path: Path) -> None:
    model = net(2, 5, 2)
    frames = SliceFrames(SQUARE, tmp_path / "new" / "frames")
    assert saved_frames(frames.folder) == {}
    for step in (0, 3, 11):
        assert frames(Snapshot(model, step)) == {}
    saved = saved_frames(frames.folder)
    assert list(saved) == [0, 3, 11]
    expected = splinescope.tessellate(splinescope.from_torch(model, (2,)), SQUARE)
    assert np.array_equal(load_complex(saved[3]).vertices, expected.vertices)
    frames.forget(3)
    assert list(saved_frames(frames.folder)) == [0, 3]
