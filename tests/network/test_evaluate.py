"""Evaluation in chunks, the walk through a network, and Jacobians."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from splinescope.network import Network, from_torch
from splinescope.network.evaluate import chunk_rows, forward, jacobians, last_uses, walk


class Residual(nn.Module):
    """A skip past two layers, and a max-pool."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 3, padding=1)
        self.last = nn.Linear(9, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x + self.second(torch.relu(self.first(x)))
        return self.last(nn.functional.max_pool2d(y, 2).flatten(1))


def residual() -> tuple[nn.Module, Network]:
    """A module in float64 and its network."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Residual().double()
    return module, from_torch(module, input_shape=(1, 6, 6))


X = torch.randn(7, 1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_walk_visits_all_nodes_in_order_with_their_shapes() -> None:
    module, network = residual()
    seen = [(index, tuple(value.shape)) for index, value in walk(network, X)]
    assert seen == [(index, (7, *node.shape)) for index, node in enumerate(network.nodes)]
    torch.testing.assert_close(forward(network, X), module(X))


def test_last_uses() -> None:
    _, network = residual()
    uses = last_uses(network)
    names = [node.name for node in network.nodes]
    assert names[uses[0]] == "add"
    assert uses[network.output] == len(names)


def test_chunks_do_not_change_values(monkeypatch: pytest.MonkeyPatch) -> None:
    _, network = residual()
    whole = forward(network, X)
    monkeypatch.setattr("splinescope.network.evaluate.chunk_rows", lambda _: 2)
    torch.testing.assert_close(forward(network, X), whole)
    assert chunk_rows(network, 1) == 1


@pytest.mark.parametrize("chunk", [None, 3])
def test_jacobians_are_those_of_the_module(chunk: int | None) -> None:
    module, network = residual()
    expected = torch.stack([torch.autograd.functional.jacobian(module, x[None]).reshape(3, 36) for x in X])
    torch.testing.assert_close(jacobians(network, X, chunk), expected)


def test_jacobian_of_an_output_that_does_not_move() -> None:
    network = from_torch(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), input_shape=(2,))
    weight = network.nodes[1].op.weight  # type: ignore[attr-defined]
    x = torch.linalg.solve(weight, torch.tensor([-5.0, 5.0]).double() - network.nodes[1].op.bias)  # type: ignore[attr-defined]
    torch.testing.assert_close(jacobians(network, x[None])[0], torch.stack([torch.zeros(2).double(), weight[1]]))
