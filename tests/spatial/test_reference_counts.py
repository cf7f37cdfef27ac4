"""Counts in three and four dimensions: reference networks, closed forms, and slices of wide networks."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.models import mlp
from tests.fixtures.reference_nets import path_of
from tests.seeds import large


@pytest.mark.parametrize(("name", "cells", "vertices"), [("N5s", 1373, 1812), ("N5", 20724, 23067)])
def test_nets_of_three_inputs(name: str, cells: int, vertices: int) -> None:
    network = splinescope.load(path_of(f"{name}.npz"))
    answer = splinescope.tessellate(network, splinescope.Box([-1.0] * 3, [1.0] * 3), verify="proof")
    assert (len(answer), len(answer.vertices)) == (cells, vertices)
    assert answer.euler_characteristic == 1
    assert answer.certificate.vertex_checks == len(answer.cell_vertices)
    assert answer.certificate.undecided_signs == 0


def arrangement(units: int, dimension: int, seed: int, scale: float = 0.05) -> splinescope.Network:
    """One layer of hyperplanes in general position that meet inside the unit cube."""
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(dimension, units, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(units, dimension, generator=generator, dtype=torch.float64))
        layer.weight.div_(layer.weight.norm(dim=1, keepdim=True))
        layer.bias.copy_(scale * torch.randn(units, generator=generator, dtype=torch.float64))
    return splinescope.load(nn.Sequential(layer, nn.ReLU()), input_shape=(dimension,))


@pytest.mark.parametrize(("dimension", "units"), [(3, 3), (3, 8), (3, 14), (4, 4), (4, 8), (4, 12)])
def test_hyperplanes_in_general_position(dimension: int, units: int) -> None:
    """Zaslavsky's count, and Buck's count of faces of every dimension, in a cube that holds all vertices."""
    half = 1e4
    cells = splinescope.tessellate(
        arrangement(units, dimension, seed=units), splinescope.Box([-half] * dimension, [half] * dimension)
    )
    assert len(cells) == sum(comb(units, i) for i in range(dimension + 1))
    inner = (np.abs(cells.vertices) < half * (1 - 1e-9)).all(axis=1)
    assert inner.sum() == comb(units, dimension)
    made = cells.facet_op >= 0
    assert made.sum() == units * sum(comb(units - 1, i) for i in range(dimension))
    degree = 2 * made.sum() / len(cells)
    assert degree == pytest.approx(float(cells.adjacency.sum()) / len(cells))
    assert degree <= 2 * dimension


def test_gold_numbers_of_gaines_and_bi() -> None:
    """Regions and mean degrees of one layer in four dimensions ("Characterizing the discrete geometry", table 1)."""
    for units, regions, degree in ((4, 16, 4.00), (8, 163, 6.28), (16, 2517, 7.32)):
        cells = splinescope.tessellate(
            arrangement(units, 4, seed=7), splinescope.Box([-1e4] * 4, [1e4] * 4), verify="values"
        )
        assert len(cells) == regions
        assert round(2 * int((cells.facet_op >= 0).sum()) / len(cells), 2) == degree


def test_slice_of_a_wide_network_agrees_with_its_planes() -> None:
    """The cells that a plane through a three-dimensional slice meets are those of the planar engine."""
    generator = torch.Generator().manual_seed(3)
    network = splinescope.load(mlp([30, 24, 24, 24, 4], generator=generator), input_shape=(30,))
    corners = np.random.default_rng(0).normal(size=(4, 30))
    space = splinescope.Slice.through(*corners[:3], margin=0.3, x3=corners[3])
    cells = splinescope.tessellate(network, space, verify="proof")
    low, high = space.polygon.min(axis=0), space.polygon.max(axis=0)
    for height in (0.21, 0.5, 0.83):
        origin = space.embed(np.array([[0.0, 0.0, low[2] + height * (high[2] - low[2])]]))[0]
        plane = splinescope.Slice(
            origin,
            space.basis[:2],
            np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]),
        )
        flat = splinescope.tessellate(network, plane)
        points = np.column_stack([flat.interior_points, np.full(len(flat), low[2] + height * (high[2] - low[2]))])
        owner = cells.locate(points)
        assert len(np.unique(owner)) == len(flat)
        np.testing.assert_array_equal(cells.patterns[owner], flat.patterns)


@pytest.mark.parametrize("reach", [0.2, large(1.0)])
def test_convolution_with_pooling_on_a_spatial_slice(reach: float) -> None:
    generator = torch.Generator().manual_seed(5)
    module = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.1), nn.Flatten()
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
    network = splinescope.load(module, input_shape=(1, 6, 6))
    points = np.random.default_rng(1).normal(size=(4, 1, 6, 6))
    points[1:] = points[0] + reach * (points[1:] - points[0])
    domain = splinescope.Slice.through(*points[:3], margin=0.0, x3=points[3])
    cells = splinescope.tessellate(network, domain, verify="proof")
    assert len(cells) > 200
    sample = domain.corners.min(axis=0) + np.random.default_rng(2).random((2000, 3)) * domain.size
    owner = cells.locate(sample)
    assert (owner >= 0).all()
    maps = cells.affine_maps()
    predicted = np.einsum("nki,ni->nk", maps.A[owner], sample) + maps.c[owner]
    np.testing.assert_allclose(predicted, network(domain.embed(sample)), atol=1e-10)
