"""Layers that nest by design: the projection by a general solver, training, and what cannot be nested."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn
from torch.nn.utils import parametrize

import splinescope
from splinescope import Box, Slice
from splinescope.errors import InvalidInputError
from splinescope.preimage import nearest_nested, nested_, nested_cells, nesting, network_nesting


def nearest_by_slsqp(row: np.ndarray, at: int, margin: float) -> np.ndarray:
    """The nearest row whose entries but one are not positive and whose sum is at least the margin."""
    bounds = [(None, None) if j == at else (None, 0.0) for j in range(len(row))]
    solved = minimize(
        lambda v: ((v - row) ** 2).sum(), np.where(np.arange(len(row)) == at, 10.0, -0.01), jac=lambda v: 2 * (v - row),
        bounds=bounds, constraints={"type": "ineq", "fun": lambda v: v.sum() - margin}, options={"ftol": 1e-14},
    )  # fmt: skip
    return np.asarray(solved.x)


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((4, 4))
    found = nearest_nested(torch.from_numpy(weight), 0.1).numpy()
    expected = np.array([nearest_by_slsqp(row, at, 0.1) for at, row in enumerate(weight)])
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_what_is_in_the_cone_stays() -> None:
    inside = torch.tensor([[1.0, -0.5], [-0.25, 0.5]], dtype=torch.float64)
    assert torch.equal(nearest_nested(inside, 0.2), inside)
    once = nearest_nested(torch.randn(3, 3, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(nearest_nested(once), once, atol=1e-14, rtol=0)


@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
def test_convolutions_stay_nested_while_they_train(padding_mode: str) -> None:
    torch.manual_seed(0)
    layer = nested_(nn.Conv2d(3, 3, 3, padding=1, padding_mode=padding_mode))
    raw = layer.parametrizations.weight.original
    before = raw.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    x = torch.randn(8, 3, 5, 5)
    for _ in range(5):
        optimizer.zero_grad()
        (layer(x).relu() - x.roll(1, -1).relu()).square().mean().backward()
        optimizer.step()
        row = network_nesting(splinescope.load(layer, input_shape=(3, 5, 5)))[-1]
        assert row.nesting is not None
        assert row.nesting.complete, row.nesting.obstacles[:1]
    assert not torch.equal(raw, before)
    weight = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert torch.equal(layer.weight, weight)


def test_entries_at_the_border_come_back() -> None:
    layer = nested_(nn.Linear(2, 2))
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.tensor([[1.0, 0.05], [0.05, 1.0]]))
    assert layer.weight[0, 1].item() == 0.0
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    for _ in range(20):
        optimizer.zero_grad()
        (layer.weight - torch.tensor([[1.0, -0.5], [-0.5, 1.0]])).square().sum().backward()
        optimizer.step()
    assert layer.weight[0, 1].item() < -0.3


def test_a_chain_has_as_many_cells_as_the_theorem_says() -> None:
    torch.manual_seed(3)
    layers: list[nn.Module] = []
    for _ in range(3):
        linear = nested_(nn.Linear(2, 2, dtype=torch.float64), margin=0.3)
        with torch.no_grad():
            linear.parametrizations.bias.original.copy_(torch.tensor([-0.2, -0.3]))
        assert nesting(linear.weight, linear.bias).complete
        layers += [linear, nn.ReLU()]
    cells = splinescope.tessellate(nn.Sequential(*layers), Slice.box([0.0, 0.0], [100.0, 100.0]))
    assert len(cells) == nested_cells(2, 3)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3, padding=1),
        nn.Conv2d(2, 2, 3),
        nn.Conv2d(2, 2, 3, padding=1, stride=2),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
        nn.Linear(2, 3),
        nn.Conv1d(2, 2, 4, padding=2),
        nn.ReLU(),
    ],
    ids=str,
)
def test_layers_that_cannot_be_nested(layer: nn.Module) -> None:
    with pytest.raises(InvalidInputError, match=r"`layer`|`weight`"):
        nested_(layer)


def test_a_margin_that_is_none() -> None:
    with pytest.raises(InvalidInputError, match=r"`margin`: got 0\.0; expected a positive number"):
        nested_(nn.Linear(2, 2), margin=0.0)


def test_boxes_of_a_nested_network_are_imported() -> None:
    module = nn.Sequential(nested_(nn.Linear(2, 2)), nn.ReLU())
    cells = splinescope.tessellate(module, Box([0.0, 0.0], [1.0, 1.0]))
    assert len(cells) >= 1
