"""Pulled-back metrics: a published number, automatic differentiation, group identities, and closed forms."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import splinescope.riemannian
from splinescope.errors import InvalidInputError
from splinescope.network.splits import split
from splinescope.riemannian import layer_metrics, metrics
from splinescope.tessellation.factors import cell_factors
from tests.fixtures.reference_nets import folder
from tests.generative.nets import cells_of, formula_net


def tanh_net(sizes: list[int], seed: int) -> nn.Sequential:
    module = formula_net(sizes, seed)
    return nn.Sequential(*(nn.Tanh() if isinstance(part, nn.ReLU) else part for part in module))


def digits() -> np.ndarray:
    path: Path = folder().parent / "data" / "mnist" / "train-images-idx3-ubyte.gz"
    if not path.exists():
        pytest.skip(f"MNIST is absent at {path}")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 784)[:1000] / 255


def test_gold() -> None:
    found = metrics(tanh_net([784, 200, 200, 10], 0), digits())
    assert found.traces.mean() == pytest.approx(20.07880326559779, rel=1e-12)
    assert found.factors.shape == (1000, 10, 784)
    assert (found.ranks == 10).all()
    assert np.isneginf(found.log_volumes).all()
    with pytest.raises(InvalidInputError, match=r"these are 4\.9 GB"):
        found.matrices()


@pytest.mark.parametrize("sizes", [[3, 8, 5], [6, 8, 2], [4, 4, 4]])
def test_against_automatic_differentiation(sizes: list[int]) -> None:
    """Forward and reverse mode, whichever is taken; the layers by their recursion."""
    module, x = tanh_net(sizes, 3), torch.randn(7, sizes[0], generator=torch.Generator().manual_seed(0)).double()
    jacobians = torch.func.vmap(torch.func.jacrev(module))(x).detach().numpy()
    found = metrics(module, x)
    np.testing.assert_allclose(found.factors, jacobians, atol=1e-14)
    np.testing.assert_allclose(found.matrices(), np.einsum("nki,nkj->nij", jacobians, jacobians), atol=1e-13)
    layers = layer_metrics(module, x)
    assert [one.name for one in layers] == ["input", "0", "1", "2"]
    np.testing.assert_allclose(layers[0].metrics.factors, jacobians, atol=1e-14)
    np.testing.assert_allclose(
        layers[-1].metrics.matrices(), np.broadcast_to(np.eye(sizes[-1]), (7,) + (sizes[-1],) * 2)
    )
    for (here, there), part in zip(pairwise(layers), module, strict=True):
        J = torch.func.vmap(torch.func.jacrev(part))(torch.from_numpy(here.metrics.points)).detach().numpy()
        pulled = np.einsum("nki,nkl,nlj->nij", J, there.metrics.matrices(), J)
        np.testing.assert_allclose(here.metrics.matrices(), pulled, atol=1e-12)


def test_the_action_of_a_group() -> None:
    """(h1 h2) g = h2 (h1 g) for pulling back by compositions, the identity, and the inverse."""
    rng = np.random.default_rng(0)
    one, two = (nn.Linear(3, 3, dtype=torch.float64) for _ in range(2))
    x = rng.normal(size=(2, 3))
    G = np.diag([1.0, 2.0, 3.0])
    whole = metrics(nn.Sequential(one, two), x, G).matrices()
    middle = metrics(two, one(torch.from_numpy(x)).detach(), G).matrices()
    for k in range(2):
        np.testing.assert_allclose(whole[k], metrics(one, x, middle[k]).matrices()[k], atol=1e-12)
    np.testing.assert_allclose(metrics(nn.Identity(), x, G).matrices(), np.broadcast_to(G, (2, 3, 3)), atol=1e-15)
    back = nn.Linear(3, 3, dtype=torch.float64)
    back.weight.data = torch.linalg.inv(one.weight.data)
    there = metrics(one, x, G).matrices()[0]
    np.testing.assert_allclose(metrics(back, x, there).matrices()[0], G, atol=1e-9)


def test_back_propagation_is_the_same_product() -> None:
    """dE/dx_l is dE/dx_L times the factor at layer l."""
    module = tanh_net([4, 6, 5, 3], 1)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()
    values = [x.clone().requires_grad_(True)]
    for part in module:
        values.append(part(values[-1]))
    error = (values[-1] ** 2).sum() / 2
    gradients = torch.autograd.grad(error, values)
    for layer, gradient in zip(layer_metrics(module, x), gradients, strict=True):
        expected = np.einsum("nk,nkd->nd", gradients[-1].numpy(), layer.metrics.factors)
        np.testing.assert_allclose(gradient.numpy(), expected, atol=1e-13)


def test_fisher_and_other_metrics_of_outputs() -> None:
    module, x = tanh_net([3, 5, 4], 0), np.random.default_rng(0).normal(size=(6, 3))
    found = metrics(module, x, "fisher")
    J = metrics(module, x).factors
    p = torch.softmax(module(torch.from_numpy(x)), dim=1).detach().numpy()
    G = np.einsum("ni,ij->nij", p, np.eye(4)) - np.einsum("ni,nj->nij", p, p)
    np.testing.assert_allclose(found.matrices(), np.einsum("nki,nkl,nlj->nij", J, G, J), atol=1e-13)
    # a matrix of rank two: its null space is found
    low = np.diag([1.0, 1.0, 0.0, 0.0])
    flat = metrics(module, x, low)
    assert (flat.ranks == 2).all()
    null = flat.null_directions(0)
    assert null.shape == (3, 1)
    assert np.abs(flat.matrices()[0] @ null).max() < 1e-14


def test_volumes_axes_and_conditions() -> None:
    """A diagonal map has them in closed form."""
    stretch = nn.Linear(2, 2, dtype=torch.float64)
    stretch.weight.data = torch.tensor([[3.0, 0.0], [0.0, 0.5]]).double()
    found = metrics(stretch, np.zeros((1, 2)))
    assert found.eigenvalues[0].tolist() == pytest.approx([9.0, 0.25])
    assert found.log_volumes[0] == pytest.approx(np.log(1.5))
    assert found.conditions[0] == pytest.approx(36.0)
    axes = found.axes(0.3)[0]
    assert np.abs(axes).tolist() == [pytest.approx([0.1, 0.0]), pytest.approx([0.0, 0.6])]
    g = found.matrices()[0]
    assert [axis @ g @ axis for axis in axes] == pytest.approx([0.09, 0.09])


def test_images_of_balls_are_round() -> None:
    """A small ellipse at any layer becomes a circle of its radius at the outputs."""
    module = tanh_net([2, 2, 2, 2], 5)
    x = np.random.default_rng(0).normal(size=(3, 2))
    for layer in layer_metrics(module, x):
        rest = module[layer.index :] if layer.index else module
        axes = layer.metrics.axes(1e-7)
        for place, (one, two) in zip(layer.metrics.points, axes, strict=True):
            around = np.linspace(0, 2 * np.pi, 9)
            ring = place + np.cos(around)[:, None] * one + np.sin(around)[:, None] * two
            with torch.no_grad():
                image = rest(torch.from_numpy(np.vstack([place, ring]))).numpy()
            assert np.linalg.norm(image[1:] - image[0], axis=1) == pytest.approx(1e-7, rel=1e-3)


def test_networks_and_their_cells() -> None:
    """At a cell's interior point the metric is that of the cell; the boundaries of a network are its layers."""
    module = formula_net([2, 8, 8, 3], 0)
    cells = cells_of(module, 2)
    found = metrics(cells.network, cells.interior_points)
    factors = cell_factors(cells)
    np.testing.assert_allclose(found.matrices(), np.einsum("nki,nkj->nij", factors, factors), atol=1e-11)
    layers = layer_metrics(cells.network, cells.interior_points[:5])
    np.testing.assert_allclose(layers[0].metrics.factors, found.factors[:5], atol=1e-12)
    assert [one.name for one in layers[1:]] == ["0", "1", "2", "3", "4"]
    middle = split(cells.network, 2)
    later = metrics(middle.after, np.asarray(middle.before(cells.interior_points[:5])))
    np.testing.assert_allclose(layers[2].metrics.matrices(), later.matrices(), atol=1e-12)


def test_ranks_are_at_most_the_narrowest_layer() -> None:
    layers = layer_metrics(tanh_net([5, 4, 2, 6], 0), np.random.default_rng(0).normal(size=(3, 5)))
    assert [int(one.metrics.ranks.max()) for one in layers] == [2, 2, 2, 2, 2, 6]


def test_images_and_functions() -> None:
    """Convolutions with the shape of images; any function; float32 as it is."""
    conv = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    found = metrics(conv, torch.randn(2, 1, 4, 4))
    assert found.factors.shape == (2, 3, 16)
    assert layer_metrics(conv, torch.randn(2, 1, 4, 4))[1].metrics.factors.shape == (2, 3, 8)
    square = metrics(lambda x: x**2, np.array([[1.0, 2.0]]))
    assert square.matrices()[0].tolist() == [[4.0, 0.0], [0.0, 16.0]]
    assert len(metrics(conv, torch.zeros(0, 1, 4, 4))) == 0


def test_refusals() -> None:
    with pytest.raises(InvalidInputError, match="`output`: got 'kl'"):
        metrics(nn.Linear(2, 2), np.zeros((1, 2)), "kl")
    with pytest.raises(InvalidInputError, match=r"`output`: got shape \(3, 3\)"):
        metrics(nn.Linear(2, 2), np.zeros((1, 2)), np.eye(3))
    with pytest.raises(InvalidInputError, match="`output`: got an eigenvalue -1"):
        metrics(nn.Linear(2, 2), np.zeros((1, 2)), np.diag([1.0, -1.0]))
    with pytest.raises(InvalidInputError, match="`points`: got shape"):
        layer_metrics(nn.Linear(2, 2), np.zeros(2))
    with pytest.raises(InvalidInputError, match="`model`: got int; expected a Network"):
        splinescope.riemannian.metrics(3, np.zeros((1, 2)))
