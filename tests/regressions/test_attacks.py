"""Networks that once went wrong or were refused, found by attacks with other kinds than the sweeps' families."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import splinescope
from splinescope import Network, Slice
from splinescope.tessellation.region_graph import region_graph
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells


def dense(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight)).double()
    with torch.no_grad():
        layer.weight[:] = torch.tensor(weight, dtype=torch.float64)
        layer.bias[:] = torch.tensor(bias, dtype=torch.float64)
    return layer


def pooled() -> tuple[Network, Slice]:
    """`max(relu(u), relu(v))` where v is a third of u up to rounding: a pair is thought equal where one is positive."""
    u, v = [-0.23048064561946474, -1.5134088062923134], [-0.07682688187315491, -0.5044696020974377]
    first = dense([u, v, [0, 0], [0, 0]], [-0.30540323125393454, -0.10180107708464484, 0, 0])
    module = nn.Sequential(first, nn.ReLU(), nn.Unflatten(1, (1, 2, 2)), nn.MaxPool2d(2), nn.Flatten())
    return splinescope.from_torch(module, (2,)), Slice.box([-1, -1], [1, 1])


def needle() -> tuple[Network, Slice]:
    """One layer of Hardtanh units in a window of 1e9 x 1: outputs are said to be off."""
    module = nn.Sequential(dense([[-0.5, 0], [-0.5, -0.25], [0, 0.5]], [0.75, 0.75, 1]), nn.Hardtanh())
    return splinescope.from_torch(module, (2,)), Slice.box([-1e9, -1], [1e9, 1])


def offset() -> tuple[Network, Slice]:
    """Two candidates of a maximum whose biases differ by some roundings, at 1.4e8: a sign is said to be another."""
    row = [-0.003223851360959186, -0.11032705509043989]
    first = dense([row, row], [0.02474012750120204, 0.024740127501202042])
    module = nn.Sequential(first, nn.Unflatten(1, (1, 1, 2)), nn.MaxPool2d((1, 2)), nn.Flatten())
    corner = [2038657.2467962634, -146429767.08970985]
    return splinescope.from_torch(module, (2,)), Slice.box(corner, [x + 2 for x in corner])


def microscopic() -> tuple[Network, Slice]:
    """Three members of a maximum in a window of 1e-12: a region graph's planes are said to be apart."""
    rows = [[0.0, 0.0]] * 6 + [[0.0, 1.0], [-2.0, 0.0]]
    first = dense(rows, [0, 0, 0, 0, 2, 0, 2, 2])
    module = nn.Sequential(first, nn.Unflatten(1, (2, 2, 2)), nn.MaxPool2d(2), nn.Flatten())
    return splinescope.from_torch(module, (2,)), Slice.box([-1e-12, -1e-12], [1e-12, 2e-12])


@pytest.mark.parametrize("make", [pooled, needle, offset])
def test_planes(make: object) -> None:
    network, domain = make()  # type: ignore[operator]
    result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)


def test_region_graphs() -> None:
    network, domain = microscopic()
    result = compare(region_graph(network, domain, verify="values"), exact_cells(network, domain))
    assert not result.wrong, str(result)
