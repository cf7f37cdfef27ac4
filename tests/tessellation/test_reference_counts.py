"""Counts of the reference networks, agreed on by several independent programs in float32 and float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from tests.arrays import arrays_of
from tests.fixtures.cases import SQUARE
from tests.fixtures.modules import RecipeModule
from tests.fixtures.reference_nets import load_mlp, path_of
from tests.seeds import thorough


def square(half: float) -> np.ndarray:
    """The square of side `2 half` around the origin."""
    return half * np.asarray(SQUARE)


@pytest.mark.parametrize(
    ("name", "half", "cells", "vertices"),
    [
        ("N0", 1.0, 86, 105),
        ("N1", 1.0, 6668, 6832),
        ("N1", 10.0, 18863, 19058),
        ("N2", 1.0, 131696, 132354),
        ("Z0", 1.0, 66, 71),
        ("DUP", 1.0, 63, 80),
        ("AX", 1.0, 39, 48),
    ],
)
def test_nets_of_two_inputs(name: str, half: float, cells: int, vertices: int) -> None:
    network = splinescope.load(path_of(f"{name}.npz"))
    answer = splinescope.tessellate(network, splinescope.Slice.box([-half, -half], [half, half]))
    assert (len(answer), len(answer.vertices)) == (cells, vertices)
    assert answer.measures.sum() == pytest.approx(4 * half**2, rel=1e-12)


def test_digits_classifier_on_a_plane() -> None:
    arrays = arrays_of(path_of("N3full.npz"))
    module = RecipeModule(load_mlp("N3full"))
    domain = splinescope.Slice(arrays["c"], arrays["U"].T, square(float(arrays["half"])))
    answer = splinescope.tessellate(splinescope.load(module, input_shape=(784,)), domain)
    assert (len(answer), len(answer.vertices)) == (11263, 11507)


def convolutional_classifier(share: float) -> splinescope.PolyhedralComplex:
    """The cells in a share of the plane, by its side."""
    layers = [nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten()]
    module = nn.Sequential(*layers, nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10))
    module.load_state_dict(torch.load(path_of("N4_conv.pt"), weights_only=True))
    plane = arrays_of(path_of("N4_plane.npz"))
    basis = plane["U"].T.reshape(2, 3, 32, 32)
    domain = splinescope.Slice(plane["c"].reshape(3, 32, 32), basis, square(share * float(plane["half"])))
    network = splinescope.load(module.double().eval(), input_shape=(3, 32, 32))
    return splinescope.tessellate(network, domain)


@thorough
def test_convolutional_classifier_on_a_plane() -> None:
    answer = convolutional_classifier(1.0)
    assert (len(answer), len(answer.vertices)) == (50953, 51449)


def test_convolutional_classifier_on_the_middle_of_its_plane() -> None:
    answer = convolutional_classifier(0.125)
    assert len(answer) > 500
    assert len(answer.vertices) - len(answer.edges) + len(answer) == 1
    assert answer.measures.sum() == pytest.approx(answer.domain.measure, rel=1e-12)
