"""Smooth models: great circles, and what the equation of geodesics does on piecewise affine ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.riemannian import energy_geodesics, exponential_map, geodesic, metrics, parallel_transport
from splinescope.riemannian.descent import solved
from tests.generative.nets import cells_of, formula_net
from tests.riemannian.test_metric_tensors import tanh_net


def sphere(z: Tensor) -> Tensor:
    """Latitude and longitude."""
    return torch.stack(
        [z[:, 0].cos() * z[:, 1].cos(), z[:, 0].cos() * z[:, 1].sin(), z[:, 0].sin()], dim=1
    )  # fmt: skip


def on_sphere(points: np.ndarray) -> np.ndarray:
    return sphere(torch.from_numpy(points)).numpy()


def test_great_circles() -> None:
    rng = np.random.default_rng(0)
    a = np.column_stack([rng.uniform(-0.9, 0.9, 40), rng.uniform(-1, 0, 40)])
    b = np.column_stack([rng.uniform(-0.9, 0.9, 40), rng.uniform(0.2, 1.5, 40)])
    found = energy_geodesics(sphere, a, b, corners=40)
    expected = np.arccos((on_sphere(a) * on_sphere(b)).sum(axis=1))
    assert found.converged.all()
    np.testing.assert_allclose(found.lengths, expected, rtol=2e-3)
    assert (found.lengths >= expected * (1 - 1e-3)).all()
    assert (found.lengths <= found.straight_lengths * (1 + 1e-9)).all()
    assert found.energies == pytest.approx(expected**2, rel=5e-3)


def test_the_exponential_map_of_a_sphere() -> None:
    start, velocity = np.array([0.3, -0.2]), np.array([0.5, 0.9])
    end = exponential_map(sphere, start, velocity)
    J = torch.func.jacfwd(lambda y: sphere(y[None])[0])(torch.from_numpy(start)).numpy()
    tangent = J @ velocity
    angle = np.linalg.norm(tangent)
    expected = math.cos(angle) * on_sphere(start[None])[0] + math.sin(angle) * tangent / angle
    np.testing.assert_allclose(on_sphere(end[None])[0], expected, atol=1e-8)


def frame(place: np.ndarray) -> np.ndarray:
    """Jacobian of the sphere's coordinates."""
    return torch.func.jacfwd(lambda y: sphere(y[None])[0])(torch.from_numpy(place)).numpy()


def test_parallel_transport_on_a_sphere() -> None:
    """Along a great circle the part along it turns with it, and the part across stays."""
    start, velocity = np.array([0.3, -0.2]), np.array([0.5, 0.9])
    vectors = np.array([[1.0, 0.0], [0.2, -0.7], velocity])
    found = parallel_transport(sphere, start, velocity, vectors, accuracy=1e-9)
    J, p = frame(start), on_sphere(start[None])[0]
    angle = np.linalg.norm(J @ velocity)
    along = J @ velocity / angle
    turned = math.cos(angle) * along - math.sin(angle) * p
    expected = [J @ w + (J @ w @ along) * (turned - along) for w in vectors]
    np.testing.assert_allclose(found.vectors @ frame(found.point).T, expected, atol=1e-8)
    np.testing.assert_allclose(found.vectors[2], found.velocity, atol=1e-9)
    np.testing.assert_allclose(found.point, exponential_map(sphere, start, velocity), atol=1e-9)


def test_a_triangle_turns_vectors_by_its_area() -> None:
    """Along the equator, up a meridian, and back along another one: the angle is the area that was gone around."""
    north, wide = 1.2, 0.7
    place, w = np.zeros(2), np.array([[1.0, 0.0]])
    w = parallel_transport(sphere, place, [0.0, wide], w, accuracy=1e-8).vectors
    w = parallel_transport(sphere, [0.0, wide], [north, 0.0], w, accuracy=1e-8).vectors
    reached = np.array([north, wide])
    back = np.arccos(on_sphere(reached[None]) @ on_sphere(place[None]).T).item()
    towards = on_sphere(place[None])[0] - math.cos(back) * on_sphere(reached[None])[0]
    step = np.linalg.lstsq(frame(reached), back * towards / np.linalg.norm(towards), rcond=None)[0]
    found = parallel_transport(sphere, reached, step, w, accuracy=1e-8)
    np.testing.assert_allclose(found.point, place, atol=1e-6)
    # the half angle of an area by two sides and the angle between them, a right one here
    area = 2 * math.atan(math.tan(wide / 2) * math.tan(north / 2))
    assert math.acos(np.clip(found.vectors[0] @ [1.0, 0.0], -1, 1)) == pytest.approx(area, abs=1e-6)


def test_transport_keeps_inner_products_of_networks() -> None:
    module = tanh_net([3, 12, 12, 9], 2)
    rng = np.random.default_rng(0)
    start, velocity, vectors = rng.normal(size=3), 0.5 * rng.normal(size=3), rng.normal(size=(3, 3))
    found = parallel_transport(module, start, velocity, vectors, accuracy=1e-8)
    before, after = (metrics(module, place[None]).matrices()[0] for place in (start, found.point))
    np.testing.assert_allclose(found.vectors @ after @ found.vectors.T, vectors @ before @ vectors.T, rtol=1e-6)
    assert np.abs(found.vectors - vectors).max() > 1e-3


def test_curves_of_smooth_networks() -> None:
    """The energy falls, the curve is no longer than the straight line, and the exponential map agrees with it."""
    module = tanh_net([2, 20, 20, 30], 1)
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 10, 2))
    found = energy_geodesics(module, a, b, corners=30)
    assert (found.lengths <= found.straight_lengths * (1 + 1e-9)).all()
    speed = (found.points[0, 1] - found.points[0, 0]) * 31
    near = exponential_map(module, a[0], speed / 31)
    np.testing.assert_allclose(near, found.points[0, 1], atol=0.02 * np.linalg.norm(found.points[0, 1] - a[0]) + 1e-3)


def test_blocks_are_solved_like_the_whole() -> None:
    rng = np.random.default_rng(0)
    pairs, n, d = 3, 5, 4
    blocks, beside = rng.normal(size=(pairs, n, d, d)), rng.normal(size=(pairs, n - 1, d, d))
    blocks = blocks @ blocks.transpose(0, 1, 3, 2) + 20 * np.eye(d)
    right = rng.normal(size=(pairs, n, d))
    whole = np.zeros((pairs, n, d, n, d))
    for k in range(n):
        whole[:, k, :, k] = blocks[:, k]
        if k + 1 < n:
            whole[:, k, :, k + 1], whole[:, k + 1, :, k] = beside[:, k], beside[:, k].transpose(0, 2, 1)
    expected = np.linalg.solve(whole.reshape(pairs, n * d, n * d), right.reshape(pairs, -1, 1))
    np.testing.assert_allclose(solved(blocks, beside, right).ravel(), expected.ravel(), atol=1e-14)


def test_lengths_of_networks_are_exact() -> None:
    """As the cells of the straight line have them; many points beside each other come near to that from below."""
    module = formula_net([3, 12, 12, 5], 1)
    network = splinescope.load(module, input_shape=(3,))
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 4, 3))
    found = energy_geodesics(network, a, b, steps=3)
    sampled = energy_geodesics(module, a, b, steps=3, fine=400)
    assert (found.straight_lengths >= sampled.straight_lengths * (1 - 1e-12)).all()
    np.testing.assert_allclose(found.straight_lengths, sampled.straight_lengths, rtol=1e-4)
    for one, two, length in zip(a, b, found.straight_lengths, strict=True):
        line = splinescope.tessellate(network, splinescope.Segment(one, two))
        assert length == pytest.approx(np.linalg.norm(np.diff(line.vertex_outputs, axis=0), axis=1).sum(), rel=1e-12)
    assert energy_geodesics(network, a[:1], a[:1]).lengths.tolist() == [0.0]


def test_piecewise_affine_decoders() -> None:
    """The exact path is at most as long as what the energy finds, and the equation of geodesics is refused."""
    module = formula_net([2, 16, 16, 3], 1)
    cells = cells_of(module, 2)
    exact = geodesic(cells, [-0.9, -0.9], [0.9, 0.9])
    found = energy_geodesics(module, [[-0.9, -0.9]], [[0.9, 0.9]], corners=60)
    assert exact.length <= found.lengths[0]
    with pytest.raises(InvalidInputError, match=r"piecewise affine.*use `geodesic`"):
        exponential_map(module, [0.0, 0.0], [1.0, 0.0])
    with pytest.raises(InvalidInputError, match=r"piecewise affine.*vectors do not turn"):
        parallel_transport(module, [0.0, 0.0], [1.0, 0.0], [[0.0, 1.0]])
    with pytest.raises(InvalidInputError, match="piecewise affine"):
        exponential_map(nn.ReLU(), [0.5, 0.0], [1.0, 0.0])


def test_refusals() -> None:
    with pytest.raises(InvalidInputError, match=r"`ends`: got shape \(1, 3\)"):
        energy_geodesics(sphere, [[0.0, 0.0]], [[0.0, 0.0, 0.0]])
    with pytest.raises(InvalidInputError, match="`corners`: got 0"):
        energy_geodesics(sphere, [[0.0, 0.0]], [[0.0, 0.1]], corners=0)
    with pytest.raises(InvalidInputError, match="`velocity`: got shape"):
        exponential_map(sphere, [0.0, 0.0], [0.0])
    with pytest.raises(InvalidInputError, match=r"`vectors`: got shape \(2,\); expected \[k, 2\]"):
        parallel_transport(sphere, [0.0, 0.0], [0.0, 1.0], [1.0, 0.0])
