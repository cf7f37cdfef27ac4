"""Clouds: components against single linkage, homology of known shapes, and profiles through networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import linkage
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform
from torch import nn

from splinescope.errors import InvalidInputError, MissingDependencyError
from splinescope.topology import betti_profile, farthest_points, hop_distances, persistence, spanning_tree


@pytest.mark.parametrize("n", [2, 30, 200])
def test_scales_are_those_of_single_linkage(n: int) -> None:
    points = np.random.default_rng(n).normal(size=(n, 5))
    found = spanning_tree(points)
    np.testing.assert_allclose(found.scales, linkage(points, "single")[:, 2], atol=1e-14)
    between = squareform(pdist(points))
    np.testing.assert_allclose(found.scales, spanning_tree(distances=between).scales, atol=1e-14)
    assert found.scales.sum() == pytest.approx(minimum_spanning_tree(between).sum())
    np.testing.assert_allclose(found.nearest, (between + np.diag(np.full(n, np.inf))).min(axis=1), atol=1e-14)
    lengths = np.linalg.norm(points[found.tree[:, 0]] - points[found.tree[:, 1]], axis=1)
    np.testing.assert_allclose(lengths, found.scales, atol=1e-14)


def test_components_by_counting() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(scale=0.1, size=(40, 3)) + centre for centre in (0.0, 3.0, 9.0)])
    found = spanning_tree(points)
    assert [found.components(scale) for scale in (1e-9, 1.0, 5.5, 20.0)] == [120, 3, 2, 1]
    assert spanning_tree(points[:1]).components(1.0) == 1


def test_hops_and_landmarks() -> None:
    line = np.arange(10.0)[:, None]
    assert hop_distances(line, 2)[0, 9] in (5, 6, 7, 8)
    far = hop_distances(np.concatenate([line, line + 100]), 2)
    assert far[0, 15] == far[:10, :10].max() + 1
    assert farthest_points(line, 3).tolist() == [0, 9, 4]
    assert sorted(farthest_points(line, 100).tolist()) == list(range(10))
    with pytest.raises(InvalidInputError, match="`neighbours`: got 10"):
        hop_distances(line, 10)


def circle(n: int, radius: float = 1.0) -> np.ndarray:
    turn = 2 * np.pi * np.arange(n) / n
    return radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def test_homology_of_a_circle() -> None:
    pytest.importorskip("ripser", reason="the extra `topology` (ripser) is not installed")
    between = squareform(pdist(circle(60)))
    (loops,) = persistence(between, 1)
    assert len(loops) == 1
    assert loops[0] == pytest.approx([2 * np.sin(np.pi / 60), np.sqrt(3)], abs=0.05)


def test_without_ripser_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ripser", None)
    with pytest.raises(MissingDependencyError, match=r"splinescope\[topology\]"):
        persistence(np.zeros((3, 3)), 1)


def test_too_much_memory_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="use fewer"):
        persistence(np.zeros((3000, 3000)), 1)


def test_profile_of_a_network() -> None:
    """A fold lays two pieces together, a scaling separates nothing, and a constant joins all."""
    fold = nn.Linear(1, 1, dtype=torch.float64)
    fold.weight.data.fill_(2.0)
    fold.bias.data.zero_()
    flat = nn.Linear(1, 1, dtype=torch.float64)
    flat.weight.data.zero_()
    net = nn.Sequential(fold, nn.ReLU(), flat)
    pieces = np.concatenate([np.linspace(-4, -3, 60), np.linspace(1, 2, 60), np.linspace(4, 5, 60)])[:, None]
    labels = np.repeat([0, 1, 1], 60)
    found = betti_profile(net, pieces, labels)
    assert found.layers == ("input", "0", "1", "2")
    assert found.classes == (0, 1)
    assert found.components().tolist() == [[1, 2], [1, 2], [1, 2], [1, 1]]
    stretches = found.largest_stretches
    assert stretches[:, 1].tolist() == pytest.approx([1.0, 2.0, 2.0, 0.0])
    assert stretches[2, 0] == 0.0
    whole = betti_profile(net, pieces)
    assert whole.components().ravel().tolist() == [3, 3, 3, 1]
    with pytest.raises(InvalidInputError, match="one class for each of 180 points"):
        betti_profile(net, pieces, labels[:5])
    with pytest.raises(InvalidInputError, match="`distances`: got 'geodesic'"):
        betti_profile(net, pieces, distances="geodesic")


def test_profile_with_homology() -> None:
    pytest.importorskip("ripser", reason="the extra `topology` (ripser) is not installed")
    project = nn.Linear(2, 1, dtype=torch.float64)
    points = np.concatenate([circle(80), circle(80) + np.array([4.0, 0.0])])
    found = betti_profile(nn.Sequential(project), points, degree=1, landmarks=80)
    assert found.betti()[0][0] == (2, 2)
    assert found.betti()[1][0][1] == 0
    hops = betti_profile(nn.Sequential(project), points, degree=1, landmarks=160, distances="hops", neighbours=4)
    assert hops.betti(2.0)[0][0] == (2, 2)
    assert hops.betti(2.0)[1][0][0] == 2
    with pytest.raises(InvalidInputError, match="`degree`: got 0; expected at least 1"):
        betti_profile(nn.Sequential(project), points, distances="hops")
