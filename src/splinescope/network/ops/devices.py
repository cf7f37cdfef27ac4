"""Where large products are made: on the processor by default, or on another device of torch.

Vertices and cells stay in main memory, and so do weights: a product that is worth the way there is made on the device,
of copies that are kept, and comes back. Products are sums in float64 in some order, on each device, so that bounds of
their rounding errors hold: convolutions are sums of one product for each tap, since libraries may transform them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.ops.convolution_plan import Geometry
from splinescope.network.ops.direct_convolution import Weights

WORTH = 1 << 22
"""Products of numbers in one call from which on the way to another device takes less than the processor does."""


@dataclass
class _Home:
    """Where products of this process are made.

    Attributes:
        device: The device; None for the processor's own ways.
        copies: What has been brought there, by op.
    """

    device: torch.device | None = None
    copies: WeakKeyDictionary[object, tuple[Tensor, ...]] = field(default_factory=WeakKeyDictionary)


_home = _Home()


@contextmanager
def products_on(device: str | torch.device | None) -> Iterator[None]:
    """Make large products of networks on a device of torch, in all threads of this process.

    Engines, certificates, segments and all else that evaluates a network then multiply there: dense layers and
    convolutions, in float64. All decisions are the same, since no more is claimed of a product than what holds in any
    order of its sums; numbers may differ in their last digits.

    Args:
        device: A device that torch knows, as "cuda" or "cuda:1"; None for the processor's own ways, which are quicker
            there than "cpu" as a device.

    Returns:
        A context; within it products are made there.

    Raises:
        InvalidInputError: If torch has no such device, or it does not multiply in float64.

    Cost: copies of the weights there, and for each large product the way of its rows there and back.

    Example:
        >>> import splinescope, torch
        >>> with splinescope.products_on("cpu"):
        ...     cells = splinescope.tessellate(torch.nn.Sequential(torch.nn.Linear(2, 9), torch.nn.ReLU()),
        ...                                    splinescope.Slice.box([-1, -1], [1, 1]))
        >>> cells.certificate.level
        'values'
    """
    before = _home.device, _home.copies
    _home.device, _home.copies = _known(device), WeakKeyDictionary()
    try:
        yield
    finally:
        _home.device, _home.copies = before


def _known(device: str | torch.device | None) -> torch.device | None:
    if device is None:
        return None
    try:
        found = torch.device(device)
        torch.ones(1, 1, dtype=torch.float64, device=found) @ torch.ones(1, 1, dtype=torch.float64, device=found)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InvalidInputError(
            f"`device`: got {str(device)!r}, where torch does not multiply in float64 ({why}); expected one as 'cuda'"
        ) from error
    return found


def home() -> torch.device | None:
    """The device where large products are made; None for the processor's own ways."""
    return _home.device


def worth_moving(products: int) -> torch.device | None:
    """The device where a call with so many products is made, None for here.

    Args:
        products: Products of two numbers in it.
    """
    return _home.device if _home.device is not None and products >= WORTH else None


def _there(owner: object, device: torch.device, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Copies of an op's numbers on the device."""
    found = _home.copies.get(owner)
    if found is None or found[0].device.type != device.type:
        found = tuple(tensor.detach().to(device) for tensor in tensors)
        _home.copies[owner] = found
    return found


def multiplied(
    x: Float[Tensor, "batch in"],
    owner: object,
    weight: Float[Tensor, "out in"],
    bias: Float[Tensor, " out"],
    device: torch.device,
) -> Float[Tensor, "batch out"]:
    """Rows times a matrix plus an offset.

    Args:
        x: Rows.
        owner: The op.
        weight: Its matrix.
        bias: Its offset.
        device: Where it is done.

    Returns:
        The result, on the device.
    """
    weight, bias = _there(owner, device, weight, bias)
    return torch.addmm(bias, x.to(device), weight.T)


def convolved(x: Tensor, weights: Weights, geometry: Geometry, device: torch.device) -> Tensor:
    """A convolution or its transpose: for each tap of the kernel, one product over the channels.

    Args:
        x: [batch, in, *sizes] images.
        weights: The weights.
        geometry: What the convolution does to an image.
        device: Where it is done.

    Returns:
        [batch, out, *sizes], on the device.
    """
    flat, bias = _there(weights, device, torch.from_numpy(weights.flat), torch.from_numpy(weights.bias))
    groups, channels, _, _ = flat.shape
    images = x.to(device).reshape(len(x), groups, -1, *geometry.sizes)
    out = bias.reshape(1, groups, channels, 1, 1, 1).repeat(len(x), 1, 1, *geometry.sizes_out)
    for tap, place in enumerate(itertools.product(*map(range, geometry.kernel))):
        spans = [_span(geometry, axis, at) for axis, at in enumerate(place)]
        (a, b, c), (d, e, f) = zip(*spans, strict=True)
        piece = images[..., a, b, c]
        moved = flat[..., tap] @ piece.flatten(3)
        out[..., d, e, f] += moved.reshape(*moved.shape[:3], *piece.shape[3:])
    axes = weights.axes
    return out.reshape(len(x), -1, *geometry.sizes_out[3 - axes :])


def _span(geometry: Geometry, axis: int, place: int) -> tuple[slice, slice]:
    """What one tap reads along one axis, and where that goes."""
    step, offset = geometry.stride[axis], place * geometry.dilation[axis] - geometry.before[axis]
    fine, coarse = geometry.sizes[axis], geometry.sizes_out[axis]
    if geometry.transposed:
        fine, coarse = coarse, fine
    first = max(0, -(offset // step))
    count = max(0, min(coarse - 1, (fine - 1 - offset) // step) - first + 1)
    start = first * step + offset
    spread = slice(start, start + (count - 1) * step + 1, step) if count else slice(0, 0)
    dense = slice(first, first + count)
    return (dense, spread) if geometry.transposed else (spread, dense)
