"""Networks as differential equations: exact recursions, and orders of convergence against an adaptive solver."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.models import DynamicNetwork, dynamic_network
from splinescope.models.dynamic import KINDS
from splinescope.riemannian import layer_metrics, metrics

START = torch.tensor([[0.4, -0.7]], dtype=torch.float64)


class Frozen(nn.Module):
    """tanh((A + t B) x + c) at one time."""

    def __init__(self, t: float) -> None:
        super().__init__()
        self.t = t

    def forward(self, x: Tensor) -> Tensor:
        A = torch.tensor([[1.0, -2.0], [1.5, 0.5]], dtype=x.dtype)
        B = torch.tensor([[0.5, 1.0], [-2.0, 0.3]], dtype=x.dtype)
        return torch.tanh(x @ (A + self.t * B).T + torch.tensor([0.1, -0.2], dtype=x.dtype))


def exact(order: int) -> tuple[np.ndarray, np.ndarray]:
    """x and its derivative by the start at time 1; of second order with the field as the first velocity."""

    def field(t: float, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        one = torch.from_numpy(x)
        value = Frozen(t)(one[None])[0].numpy()
        return value, torch.func.jacrev(lambda y: Frozen(t)(y[None])[0])(one).numpy()

    def right(t: float, state: np.ndarray) -> np.ndarray:
        x, J = state[:2], state[-4:].reshape(2, 2)
        value, F = field(t, x)
        if order == 1:
            return np.concatenate([value, (F @ J).ravel()])
        V = state[4:8].reshape(2, 2)
        return np.concatenate([state[2:4], value, (F @ J).ravel(), V.ravel()])

    x0 = START[0].numpy()
    value, F = field(0.0, x0)
    first = [x0, np.eye(2).ravel()] if order == 1 else [x0, value, F.ravel(), np.eye(2).ravel()]
    done = solve_ivp(right, (0, 1), np.concatenate(first), rtol=1e-12, atol=1e-13, method="DOP853").y[:, -1]
    return done[:2], done[-4:].reshape(2, 2)


@pytest.mark.parametrize(
    ("kind", "order", "slope"),
    [("residual", 1, 1), ("leapfrog", 1, 2), ("second-order", 2, 1), ("second-order-start", 2, 2)],
)
def test_orders_of_convergence(kind: str, order: int, slope: int) -> None:
    """Of the values and of the metric; the source's own start of second order gives first order only."""
    x, J = exact(order)
    g = J.T @ J
    errors = []
    for depth in (64, 128, 256):
        net = DynamicNetwork([Frozen(layer / depth) for layer in range(depth)], kind, 1 / depth)
        value = net.states(START)[-1][0].numpy()
        jacobian = net.jacobians(START)[-1][0].numpy()
        errors.append((np.linalg.norm(value - x), np.linalg.norm(jacobian.T @ jacobian - g)))
    rates = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert rates[-1] == pytest.approx([slope, slope], abs=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_recursions_of_jacobians(kind: str) -> None:
    net = dynamic_network(3, 5, kind, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).double()
    states, jacobians = net.states(x), net.jacobians(x)
    assert len(states) == len(jacobians) == 6
    for layer in range(6):
        automatic = torch.func.vmap(torch.func.jacrev(lambda y, k=layer: net.states(y[None])[k][0]))(x)
        np.testing.assert_allclose(jacobians[layer].numpy(), automatic.detach().numpy(), atol=1e-13)
    np.testing.assert_allclose(metrics(net, x).factors, jacobians[-1].numpy(), atol=1e-13)
    torch.testing.assert_close(net(x), states[-1])
    if kind.startswith("second") or kind == "leapfrog":
        assert layer_metrics(net, x)[2].metrics.dimension == 6  # phase space: a layer alone does not determine the next


def test_an_identity_can_be_left_out() -> None:
    """That layer is its field alone; recursions of Jacobians know it."""
    net = dynamic_network(
        2, 4, "residual", step=0.5, without_identity=(3,), generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )  # fmt: skip
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(1)).double()
    states = net.states(x)
    torch.testing.assert_close(states[3], net[2].field(states[2]))
    torch.testing.assert_close(states[4], states[3] + 0.5 * net[3].field(states[3]))
    np.testing.assert_allclose(metrics(net, x).factors, net.jacobians(x)[-1].numpy(), atol=1e-14)
    with pytest.raises(InvalidInputError, match=r"`without_identity`: got layers \[9\] of a 'residual' network of 4"):
        dynamic_network(2, 4, without_identity=(9,), generator=torch.Generator())
    with pytest.raises(InvalidInputError, match="of a 'plain' network"):
        dynamic_network(2, 4, "plain", without_identity=(1,), generator=torch.Generator())


def test_back_propagation_to_weights_is_an_action_from_the_right() -> None:
    """dE/dW of a layer is dE/dx at the outputs, times a product of Jacobians, times dx of the layer by its weights."""
    h = 0.3
    net = dynamic_network(3, 4, "residual", step=h, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.randn(1, 3, generator=torch.Generator().manual_seed(1)).double()
    out = net(x)
    error = (out**3).sum()
    values, jacobians = net.states(x), net.jacobians(x)
    for layer, part in enumerate(net):
        (expected,) = torch.autograd.grad(error, part.field[0].weight, retain_graph=True)
        behind = jacobians[-1][0] @ torch.linalg.inv(jacobians[layer + 1][0])  # all layers behind this one
        slope = 1 - torch.tanh(part.field[0](values[layer])) ** 2
        at_layer = ((3 * out**2) @ behind * h * slope).T @ values[layer]
        torch.testing.assert_close(at_layer, expected, atol=1e-12, rtol=1e-12)


def test_pulling_back_by_layers_is_associative() -> None:
    """((h1 h2) h3) g = (h1 (h2 h3)) g, with the layers of a network as transformations, and all of them at once."""
    net = dynamic_network(2, 3, "residual", step=0.3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = torch.randn(1, 2, generator=torch.Generator().manual_seed(1)).double()
    places = [value.detach() for value in net.states(x)]
    one, two, three = net
    g = np.diag([1.0, 3.0])
    left = metrics(nn.Sequential(one, two), x, metrics(three, places[2], g).matrices()[0]).matrices()
    right = metrics(one, x, metrics(nn.Sequential(two, three), places[1], g).matrices()[0]).matrices()
    np.testing.assert_allclose(left, right, atol=1e-13)
    np.testing.assert_allclose(left, metrics(net, x, g).matrices(), atol=1e-13)


def test_a_residual_network_of_relus_is_no_bijection() -> None:
    """x + ReLU(-2 x) = |x|: the source's claim needs a norm below one."""
    layer = nn.Linear(1, 1, dtype=torch.float64)
    layer.weight.data.fill_(-2.0)
    layer.bias.data.zero_()
    net = DynamicNetwork([nn.Sequential(layer, nn.ReLU())], "residual", 1.0)
    x = torch.tensor([[-0.5], [0.5]], dtype=torch.float64)
    assert net(x).tolist() == [[0.5], [0.5]]


def test_refusals() -> None:
    generator = torch.Generator()
    with pytest.raises(InvalidInputError, match="`kind`: got 'c3'"):
        dynamic_network(2, 3, "c3", generator=generator)
    with pytest.raises(InvalidInputError, match="`depth`: got 0 layers"):
        dynamic_network(2, 0, generator=generator)
    with pytest.raises(InvalidInputError, match="`step`: got -1"):
        dynamic_network(2, 3, step=-1.0, generator=generator)
