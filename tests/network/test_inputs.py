"""Inputs as users give them: one or a batch, flat or in shape, of any kind of number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.network import load
from splinescope.network.inputs import read_inputs

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def small(*shape: int) -> nn.Module:
    """A module of two outputs for inputs of a shape."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 4), nn.ReLU(), nn.Linear(4, 2)).double()


@given(SHAPES, st.integers(0, 3))
def test_all_ways_to_give_a_batch_agree(shape: tuple[int, ...], count: int) -> None:
    x = np.arange(count * math.prod(shape), dtype=np.float64).reshape(count, *shape)
    found = read_inputs(x, shape)
    assert not found.single
    np.testing.assert_array_equal(found.batch, x)
    flat = x.reshape(count, math.prod(shape))
    if flat.shape != shape:
        np.testing.assert_array_equal(read_inputs(flat, shape).batch, x)
    for row in x:
        for one in (row, row.ravel(), row.tolist()):
            found = read_inputs(one, shape)
            assert found.single
            np.testing.assert_array_equal(found.batch, row[None])


def test_what_has_the_exact_shape_is_one_input() -> None:
    assert read_inputs([[1.0, 2.0]], (1, 2)).single
    assert not read_inputs([[[1.0, 2.0]]], (1, 2)).single
    assert not read_inputs([[1.0, 2.0]], (2,)).single


@pytest.mark.parametrize(
    "kind", [list, np.asarray, np.float32, torch.tensor], ids=["list", "array", "float32", "torch"]
)
def test_one_input_has_outputs_without_a_batch_axis(kind: type) -> None:
    module = small(2)
    network = load(module, input_shape=(2,))
    x = kind([0.5, -0.25])
    outputs = network(x)
    assert isinstance(outputs, torch.Tensor) == isinstance(x, torch.Tensor)
    assert outputs.shape == (2,)
    expected = module(torch.tensor([[0.5, -0.25]], dtype=torch.float64)).detach().numpy()
    np.testing.assert_allclose(np.asarray(outputs), expected[0], rtol=1e-14)
    np.testing.assert_array_equal(np.asarray(network(kind([[0.5, -0.25]]))), np.asarray(outputs)[None])


def test_images_may_be_flat() -> None:
    network = load(small(1, 3, 3), input_shape=(1, 3, 3))
    x = np.random.default_rng(0).normal(size=(5, 1, 3, 3))
    expected = network(x)
    np.testing.assert_array_equal(network(x.reshape(5, 9)), expected)
    np.testing.assert_allclose(network(x[0]), expected[0], rtol=1e-12)
    np.testing.assert_allclose(network(x[0].ravel()), expected[0], rtol=1e-12)


def test_autograd_goes_through_one_input() -> None:
    x = torch.tensor([0.3, 0.1], requires_grad=True)
    load(nn.Linear(2, 2))(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_a_number_alone() -> None:
    network = load(nn.Linear(1, 1, bias=False))
    assert network(0.5).shape == (1,)
    assert network(torch.tensor(2)).dtype == torch.float64


@pytest.mark.parametrize(
    ("x", "what"),
    [
        (
            np.zeros(3),
            r"`x`: got the shape \(3,\); expected one input of shape \[1, 2, 2\] or a batch \[N, 1, 2, 2\], or 4",
        ),
        (np.zeros((2, 3)), r"`x`: got the shape \(2, 3\)"),
        (np.zeros(()), r"`x`: got the shape \(\)"),
        ([[1.0], [1.0, 2.0]], "`x`: got list; expected real numbers"),
        (["1", "2", "3", "4"], "`x`: got numbers of type <U1; expected real numbers"),
        (np.zeros(4, complex), "`x`: got numbers of type complex128"),
        (torch.zeros(4, dtype=torch.complex64), "`x`: got Tensor|numbers of type complex64"),
    ],
)
def test_wrong_inputs(x: object, what: str) -> None:
    with pytest.raises(InvalidInputError, match=what):
        read_inputs(x, (1, 2, 2))
