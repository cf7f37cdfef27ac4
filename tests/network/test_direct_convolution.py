"""Convolutions by sums of shifted images: the same numbers as torch's, in every geometry, whoever follows them."""

from __future__ import annotations

import random
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor

from splinescope import numerics
from splinescope.network import ops
from splinescope.network.ops import direct_convolution
from tests.seeds import seeds


def convolution(seed: int, *, whole: bool = False) -> tuple[ops.Convolution | ops.TransposedConvolution, Tensor]:
    """An op of one to three axes with random strides, dilation, padding and groups, and images for it."""
    choose = random.Random(seed)
    numbers = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        if whole:
            return torch.randint(-1000, 1000, shape, generator=numbers).double()
        return torch.randn(shape, generator=numbers, dtype=torch.float64)

    axes = choose.choice([1, 2, 2, 3])
    groups = choose.choice([1, 1, 2, 3])
    channels, width = groups * choose.randint(1, 5), choose.randint(1, 6)
    kernel = [choose.randint(1, 4) for _ in range(axes)]
    stride = tuple(choose.randint(1, 3) for _ in range(axes))
    dilation = tuple(choose.randint(1, 2) for _ in range(axes))
    lowest = -1 if seed % 2 else 0
    pads = tuple((choose.randint(lowest, 3), choose.randint(lowest, 3)) for _ in range(axes))
    images = draw(choose.choice([1, 2, 7]), channels, *(choose.randint(9, 15) for _ in range(axes)))
    if seed % 2:
        weight = draw(channels, width, *kernel)
        return ops.TransposedConvolution(weight, draw(groups * width), stride, pads, dilation, groups), images
    weight = draw(groups * width, channels // groups, *kernel)
    return ops.Convolution(weight, draw(groups * width), stride, pads, dilation, groups), images


def by_torch(op: ops.Convolution | ops.TransposedConvolution, x: Tensor) -> Tensor:
    """Values that autograd follows, which torch computes."""
    values = op.evaluate(x.clone().requires_grad_())
    assert values.requires_grad
    return values.detach()


@pytest.mark.parametrize("seed", seeds(range(16), range(400)))
def test_agrees_with_torch(seed: int) -> None:
    op, x = convolution(seed)
    got, expected = op.evaluate(x), by_torch(op, x)
    assert got.shape == expected.shape
    assert not got.requires_grad
    rounding = 2 * op.addends * numerics.UNIT_ROUNDOFF
    assert bool(((got - expected).abs() <= rounding * op.magnitude(x.abs())).all())


@pytest.mark.parametrize("seed", seeds(range(100, 108), range(100, 300)))
def test_sums_of_whole_numbers_are_exact(seed: int) -> None:
    op, x = convolution(seed, whole=True)
    assert torch.equal(op.evaluate(x), by_torch(op, x))


def test_more_images_than_are_taken_together_and_more_places_than_a_block() -> None:
    op = ops.Convolution(torch.randn(5, 3, 3, 3).double(), torch.randn(5).double(), (1, 1), ((1, 1), (1, 1)), (1, 1))
    x = torch.randn(9, 3, 30, 31, dtype=torch.float64)
    with mock.patch.object(direct_convolution, "PLANES", 1 << 13):
        torch.testing.assert_close(op.evaluate(x), by_torch(op, x), rtol=1e-13, atol=1e-13)


def test_threads_and_company_do_not_change_a_number() -> None:
    op = ops.Convolution(torch.randn(8, 4, 3, 3).double(), torch.randn(8).double(), (2, 1), ((1, 1), (0, 2)), (1, 1))
    x = torch.randn(6, 4, 40, 41, dtype=torch.float64)
    with mock.patch.object(numerics, "number_of_threads", return_value=1):
        alone = op.evaluate(x)
    with mock.patch.object(numerics, "number_of_threads", return_value=2):
        assert torch.equal(op.evaluate(x), alone)
    assert torch.equal(op.evaluate(x[3:4]), alone[3:4])


def test_strided_images_empty_batches_and_further_axes() -> None:
    op = ops.Convolution(torch.randn(4, 2, 3).double(), torch.randn(4).double(), (1,), ((1, 1),), (1,))
    x = torch.randn(3, 5, 12, 2, dtype=torch.float64).transpose(2, 3)
    torch.testing.assert_close(op.evaluate(x), by_torch(op, x))
    assert op.evaluate(x[:0]).shape == (0, 5, 4, 12)


def test_a_single_pixel_kernel_is_a_product() -> None:
    op = ops.Convolution(torch.randn(5, 3, 1, 1).double(), torch.randn(5).double(), (2, 3), ((0, 0), (0, 0)), (1, 1))
    x = torch.randn(2, 4, 3, 8, 10, dtype=torch.float64)
    torch.testing.assert_close(op.evaluate(x), by_torch(op, x))


def test_transforms_and_derivatives_go_through_torch() -> None:
    op, x = convolution(2)

    def flat(image: Tensor) -> Tensor:
        return op.evaluate(image[None])[0].reshape(-1)

    backward = torch.func.jacrev(flat)(x[0])
    forward = torch.func.jacfwd(flat)(x[0])
    torch.testing.assert_close(backward, forward)
    torch.testing.assert_close(torch.func.vmap(flat)(x), op.evaluate(x).reshape(len(x), -1))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        tangent = torch.autograd.forward_ad.unpack_dual(op.evaluate(dual)).tangent
    torch.testing.assert_close(tangent, op.linear.evaluate(torch.ones_like(x)))


def test_changed_weights_are_another_op() -> None:
    """What is laid out once belongs to one op: an op with other weights has its own."""
    op, x = convolution(4)
    op.evaluate(x)
    doubled = op.reweighted(2 * op.weight)
    expected = 2 * op.linear.evaluate(x)
    torch.testing.assert_close(doubled.evaluate(x), expected)
    assert np.isfinite(doubled.evaluate(x).numpy()).all()


@pytest.mark.parametrize("seed", seeds(range(16), range(400)))
def test_stencils_are_columns_of_the_matrix(seed: int) -> None:
    """What single inputs add to the outputs, to the last bit; also of images in a further axis."""
    op, x = convolution(seed)
    shape = (2, *x.shape[1:]) if seed % 3 == 0 else tuple(x.shape[1:])
    numbers = int(np.prod(shape))
    units = np.random.default_rng(seed).choice(numbers, min(numbers, 30), replace=False)
    inputs = torch.zeros(len(units), numbers, dtype=torch.float64)
    inputs[torch.arange(len(units)), torch.from_numpy(units)] = 1.0
    columns = op.linear.evaluate(inputs.reshape(-1, *shape)).reshape(len(units), -1)
    found = op.stencils(units, shape)
    np.testing.assert_array_equal(found.toarray(), columns.numpy())
    assert np.all(found.data != 0)
