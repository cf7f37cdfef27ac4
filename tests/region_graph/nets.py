"""Networks and comparisons that the tests of region graphs share."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch

import splinescope
from splinescope.network import Network
from splinescope.tessellation.region_graph import RegionGraph

ARRAYS = (
    "keys",
    "interior_points",
    "chebyshev_radii",
    "facet_offsets",
    "facet_op",
    "facet_unit",
    "facet_neighbours",
    "facet_halfspaces",
    "facet_points",
    "facet_uncertainties",
    "further_facets",
    "further_op",
    "further_unit",
)


def random_net(widths: tuple[int, ...], seed: int = 0, bias: float = 1.0) -> Network:
    """A ReLU network with He normal weights and uniform biases, in general position."""
    rng = np.random.default_rng(seed)
    layers: list[torch.nn.Module] = []
    for n, m in itertools.pairwise(widths):
        linear = torch.nn.Linear(n, m).double()
        linear.weight.data = torch.from_numpy(rng.normal(size=(m, n)) * np.sqrt(2 / n))
        linear.bias.data = torch.from_numpy(bias * rng.uniform(-1, 1, m))
        layers += [linear, torch.nn.ReLU()]
    return splinescope.load(torch.nn.Sequential(*layers[:-1]), input_shape=(widths[0],))


def box(dimension: int, half: float = 1.0) -> splinescope.Box:
    """The cube [-half, half]^d."""
    return splinescope.Box([-half] * dimension, [half] * dimension)


def zaslavsky(n: int, d: int) -> int:
    """Regions of n hyperplanes in general position in R^d."""
    return sum(math.comb(n, j) for j in range(d + 1))


def assert_same(one: RegionGraph, other: RegionGraph) -> None:
    """Both graphs are equal to the last bit."""
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("complete", "lower_bound", "upper_bound", "doubts"):
        assert getattr(one, name) == getattr(other, name), name
