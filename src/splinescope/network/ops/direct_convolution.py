"""Convolutions in float64 without matrices of patches: each output row is a sum of shifted input rows.

Once an image is padded and its rows lie one behind the other, moving a tap of the kernel by one pixel moves its input
by a fixed number of places. So all outputs of a channel are one long sum of shifted copies of the input, each times one
weight, in any number of dimensions. Strides split the input (of a transposed convolution: the output) into one image
for each remainder; dilation and groups only change the shifts. Nothing is copied but the input itself, once, and the
sums are made in blocks of the size of a processor's cache, four channels and four taps at a time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numba import njit
from torch import Tensor

from splinescope.numerics import in_ranges

BLOCK = 512
"""Places of a row of outputs that are summed at once."""
LANES = 4
"""Channels, and taps, that are summed at once."""
PLANES = 1 << 18
"""Numbers of the padded images that are taken together."""

Three = tuple[int, int, int]


@dataclass(frozen=True)
class Geometry:
    """What a convolution does to images of one size, apart from its weights; axes are padded to three.

    Attributes:
        sizes: Of an input image.
        sizes_out: Of an output image.
        kernel: Of the weights.
        stride: One for each axis.
        before: Zeros put before the image on each axis; negative numbers cut it.
        dilation: One for each axis.
        transposed: Whether outputs, and not inputs, lie a stride apart.
    """

    sizes: Three
    sizes_out: Three
    kernel: Three
    stride: Three
    before: Three
    dilation: Three
    transposed: bool

    @classmethod
    def of(
        cls,
        sizes: Sequence[int],
        sizes_out: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        before: Sequence[int],
        dilation: Sequence[int],
        *,
        transposed: bool,
    ) -> Geometry:
        """From one to three axes; arguments as the attributes."""
        ones = (sizes, sizes_out, kernel, stride, dilation)
        sizes, sizes_out, kernel, stride, dilation = ((1,) * (3 - len(numbers)) + tuple(numbers) for numbers in ones)
        before = (0,) * (3 - len(before)) + tuple(before)
        return cls(sizes, sizes_out, kernel, stride, before, dilation, transposed)  # type: ignore[arg-type]

    @property
    def steps_in(self) -> Three:
        """How far apart inputs lie that are neighbours in one plane."""
        return (1, 1, 1) if self.transposed else self.stride

    @property
    def steps_out(self) -> Three:
        """How far apart outputs lie that are neighbours in one part."""
        return self.stride if self.transposed else (1, 1, 1)


@dataclass(frozen=True)
class Part:
    """Outputs that are sums of the same taps at the same shifts.

    Attributes:
        first: The first of them, on each axis.
        counts: How many there are, on each axis.
        taps: Flat indices of the taps.
        planes: For each tap, the plane of the input that it reads.
        shifts: For each tap, how many places further than the output it reads.
    """

    first: Three
    counts: Three
    taps: np.ndarray
    planes: np.ndarray
    shifts: np.ndarray


@dataclass(frozen=True)
class Plan:
    """How images of one size are laid out and summed.

    Attributes:
        geometry: The convolution's.
        plane: Sizes of one padded plane.
        before: Zeros before the image in the planes, in steps of the input.
        parts: Which outputs are summed together.
    """

    geometry: Geometry
    plane: Three
    before: Three
    parts: tuple[Part, ...]

    @property
    def places(self) -> int:
        """Numbers of one plane."""
        return math.prod(self.plane)

    @property
    def planes(self) -> int:
        """Planes of one channel."""
        return math.prod(self.geometry.steps_in)


@lru_cache(maxsize=1024)
def plan_of(geometry: Geometry) -> Plan:
    """Lay out a convolution.

    Args:
        geometry: What it does to images of one size.

    Returns:
        The plan. Cost: one entry for each tap and each remainder of the stride.
    """
    along = [_Axis.of(geometry, axis) for axis in range(3)]
    plane = (along[0].places, along[1].places, along[2].places)
    before = (along[0].before, along[1].before, along[2].before)
    steps = geometry.steps_in
    parts = []
    for first in itertools.product(*(range(step) for step in geometry.steps_out)):
        reads = [axis.reads[rest] for axis, rest in zip(along, first, strict=True)]
        taps, planes, shifts = [], [], []
        for chosen in itertools.product(*reads):
            (a, b, c), remainders, moves = zip(*chosen, strict=True)
            taps.append((a * geometry.kernel[1] + b) * geometry.kernel[2] + c)
            planes.append((remainders[0] * steps[1] + remainders[1]) * steps[2] + remainders[2])
            shifts.append((moves[0] * plane[1] + moves[1]) * plane[2] + moves[2])
        counts = tuple(axis.counts[rest] for axis, rest in zip(along, first, strict=True))
        if min(counts) > 0:
            numbers = (np.array(values, dtype=np.int64) for values in (taps, planes, shifts))
            parts.append(Part(first, counts, *numbers))  # type: ignore[arg-type]
    return Plan(geometry, plane, before, tuple(parts))


@dataclass(frozen=True)
class _Axis:
    """One axis of a plan.

    Attributes:
        places: Length of a plane.
        before: Zeros before the image.
        reads: For each remainder of the output, what its taps read: (tap, remainder of the input, shift).
        counts: For each remainder of the output, how many outputs there are.
    """

    places: int
    before: int
    reads: list[list[tuple[int, int, int]]]
    counts: list[int]

    @classmethod
    def of(cls, geometry: Geometry, axis: int) -> _Axis:
        size, size_out = geometry.sizes[axis], geometry.sizes_out[axis]
        taps = [(tap, tap * geometry.dilation[axis] - geometry.before[axis]) for tap in range(geometry.kernel[axis])]
        stride = geometry.stride[axis]
        if geometry.transposed:  # input i reaches output i * stride + reach
            reads = [
                [(tap, 0, (rest - reach) // stride) for tap, reach in taps if (rest - reach) % stride == 0]
                for rest in range(stride)
            ]
            counts = [-(-(size_out - rest) // stride) for rest in range(stride)]
            step = 1
        else:  # output i reads input i * stride + reach
            reads = [[(tap, reach % stride, reach // stride) for tap, reach in taps]]
            counts = [size_out]
            step = stride
        before = max(0, -min((shift for read in reads for _, _, shift in read), default=0))
        reads = [[(tap, rest, shift + before) for tap, rest, shift in read] for read in reads]
        ends = [count + max((s for _, _, s in read), default=0) for read, count in zip(reads, counts, strict=True)]
        return cls(max(*ends, before + -(-size // step)), before, reads, counts)


class Weights:
    """The weights of a convolution in the order in which sums read them, for each part of each plan."""

    def __init__(self, weight: Tensor, bias: Tensor | None, groups: int, *, transposed: bool) -> None:
        """Keep them.

        Args:
            weight: [out, in / groups, *kernel], if transposed [in, out / groups, *kernel].
            bias: [out], or None.
            groups: Of channels.
            transposed: Whether it is the transpose.
        """
        kernel = weight.shape[2:]
        taps = math.prod(kernel)
        flat = weight.detach().reshape(groups, weight.shape[0] // groups, weight.shape[1], taps).numpy()
        self.flat = flat.transpose(0, 2, 1, 3) if transposed else flat  # [groups, out, in, taps]
        self.axes = len(kernel)
        self.channels, self.channels_out = groups * self.flat.shape[2], groups * self.flat.shape[1]
        self.bias = np.zeros(self.channels_out) if bias is None else np.ascontiguousarray(bias.detach().numpy())
        self._of_part: dict[bytes, np.ndarray] = {}

    def of(self, part: Part) -> np.ndarray:
        """[groups, out of a group, terms] weights of the terms of a part's sums, channel by channel."""
        key = part.taps.tobytes()
        if key not in self._of_part:
            chosen = self.flat[..., part.taps]
            self._of_part[key] = np.ascontiguousarray(chosen.reshape(*self.flat.shape[:2], -1))
        return self._of_part[key]


def convolve(x: Tensor, weights: Weights, geometry: Geometry) -> Tensor:
    """Convolve a batch of images.

    Args:
        x: [batch, in, *sizes] float64 numbers; autograd does not go through it.
        weights: The weights.
        geometry: What the convolution does to an image.

    Returns:
        [batch, out, *sizes]. Each output is its offset plus its products, summed one after the other in an order that
        depends on the geometry alone. Cost: the products, at about the rate of a matrix product.
    """
    plan = plan_of(geometry)
    images = np.ascontiguousarray(x.detach().numpy()).reshape(len(x), weights.channels, *geometry.sizes)
    out = np.empty((len(x), weights.channels_out, *geometry.sizes_out))
    rows = weights.channels * plan.planes
    together = max(1, min(len(x), PLANES // max(1, rows * plan.places)))
    padded = np.zeros(rows * together * plan.places + BLOCK)
    zeros = len(padded) - BLOCK
    for start in range(0, len(x), together):
        stop = min(len(x), start + together)
        layout = (np.array(plan.plane), np.array(geometry.steps_in), np.array(plan.before))
        in_ranges(_spread, weights.channels, images[start:stop], padded, together, *layout, grain=8)
        for part in plan.parts:
            channels = np.arange(weights.channels // len(weights.flat)) * plan.planes
            rows_read = channels[:, None] + part.planes
            starts = (rows_read * (together * plan.places) + part.shifts).reshape(-1)
            counts = np.array(part.counts)
            last = np.ravel_multi_index((stop - start - 1, *(counts - 1)), (together, *plan.plane))
            in_ranges(
                _sum_shifted, -(-(int(last) + 1) // BLOCK), int(last) + 1, padded, zeros, starts, weights.of(part),
                plan.planes * together * plan.places * (weights.channels // len(weights.flat)), weights.bias,
                layout[0], counts, np.array(geometry.steps_out), np.array(part.first), out[start:stop], grain=1,
            )  # fmt: skip
    return torch.from_numpy(out).reshape(len(x), weights.channels_out, *geometry.sizes_out[3 - weights.axes :])


@njit(cache=True, nogil=True)
def _spread(
    start: int,
    stop: int,
    images: np.ndarray,
    padded: np.ndarray,
    together: int,
    plane: np.ndarray,
    steps: np.ndarray,
    before: np.ndarray,
) -> None:
    """Put channels of images into their planes."""
    places = plane[0] * plane[1] * plane[2]
    planes = steps[0] * steps[1] * steps[2]
    _, _, depth, height, width = images.shape
    for channel in range(start, stop):
        for image in range(len(images)):
            for d in range(depth):
                for h in range(height):
                    plane_dh = (d % steps[0]) * steps[1] + h % steps[1]
                    row = ((d // steps[0] + before[0]) * plane[1] + h // steps[1] + before[1]) * plane[2] + before[2]
                    for rest in range(min(steps[2], width)):
                        at = ((channel * planes + plane_dh * steps[2] + rest) * together + image) * places + row
                        count = (width - rest + steps[2] - 1) // steps[2]
                        if steps[2] == 1:  # said apart, so that it becomes a copy
                            padded[at : at + count] = images[image, channel, d, h]
                        else:
                            for i in range(count):
                                padded[at + i] = images[image, channel, d, h, rest + i * steps[2]]


@njit(cache=True, nogil=True)
def _sum_shifted(
    start: int,
    stop: int,
    length: int,
    padded: np.ndarray,
    zeros: int,
    starts: np.ndarray,
    weights: np.ndarray,
    apart: int,
    bias: np.ndarray,
    plane: np.ndarray,
    counts: np.ndarray,
    steps: np.ndarray,
    first: np.ndarray,
    out: np.ndarray,
) -> None:
    """Outputs of blocks of places: for each channel its offset and the shifted inputs, each times its weight."""
    groups, width, terms = weights.shape
    sums = np.empty((LANES, BLOCK))
    for block in range(start, stop):
        low = block * BLOCK
        size = min(BLOCK, length - low)
        for group in range(groups):
            for channel in range(0, width, LANES):
                lanes = min(LANES, width - channel)
                for lane in range(lanes):
                    offset = bias[group * width + channel + lane]
                    for i in range(size):
                        sums[lane, i] = offset
                for term in range(0, terms, LANES):
                    a = group * apart + starts[term] + low
                    b = group * apart + starts[term + 1] + low if term + 1 < terms else zeros
                    c = group * apart + starts[term + 2] + low if term + 2 < terms else zeros
                    d = group * apart + starts[term + 3] + low if term + 3 < terms else zeros
                    if lanes == LANES:
                        _add_to_four(sums, weights[group], channel, term, padded, a, b, c, d, size)
                    else:
                        for lane in range(lanes):
                            _add_to_one(sums[lane], weights[group, channel + lane], term, padded, a, b, c, d, size)
                for lane in range(lanes):
                    _put(sums[lane], low, size, plane, counts, steps, first, out, group * width + channel + lane)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_to_four(
    sums: np.ndarray,
    weights: np.ndarray,
    channel: int,
    term: int,
    padded: np.ndarray,
    a: int,
    b: int,
    c: int,
    d: int,
    size: int,
) -> None:
    """Add four terms to the sums of four channels."""
    terms = weights.shape[1]
    second, third, fourth = min(term + 1, terms - 1), min(term + 2, terms - 1), min(term + 3, terms - 1)
    r0, r1, r2, r3 = sums[0], sums[1], sums[2], sums[3]
    x0, x1, x2, x3 = padded[a : a + size], padded[b : b + size], padded[c : c + size], padded[d : d + size]
    w0, w1, w2, w3 = weights[channel], weights[channel + 1], weights[channel + 2], weights[channel + 3]
    w00, w01, w02, w03 = w0[term], w0[second], w0[third], w0[fourth]
    w10, w11, w12, w13 = w1[term], w1[second], w1[third], w1[fourth]
    w20, w21, w22, w23 = w2[term], w2[second], w2[third], w2[fourth]
    w30, w31, w32, w33 = w3[term], w3[second], w3[third], w3[fourth]
    for i in range(size):
        y0, y1, y2, y3 = x0[i], x1[i], x2[i], x3[i]
        r0[i] = r0[i] + w00 * y0 + w01 * y1 + w02 * y2 + w03 * y3
        r1[i] = r1[i] + w10 * y0 + w11 * y1 + w12 * y2 + w13 * y3
        r2[i] = r2[i] + w20 * y0 + w21 * y1 + w22 * y2 + w23 * y3
        r3[i] = r3[i] + w30 * y0 + w31 * y1 + w32 * y2 + w33 * y3


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_to_one(
    sums: np.ndarray,
    weights: np.ndarray,
    term: int,
    padded: np.ndarray,
    a: int,
    b: int,
    c: int,
    d: int,
    size: int,
) -> None:
    """Add four terms to the sums of one channel."""
    last = len(weights) - 1
    w0, w1 = weights[term], weights[min(term + 1, last)]
    w2, w3 = weights[min(term + 2, last)], weights[min(term + 3, last)]
    x0, x1, x2, x3 = padded[a : a + size], padded[b : b + size], padded[c : c + size], padded[d : d + size]
    for i in range(size):
        sums[i] = sums[i] + w0 * x0[i] + w1 * x1[i] + w2 * x2[i] + w3 * x3[i]


@njit(cache=True, nogil=True)
def _put(
    sums: np.ndarray,
    low: int,
    size: int,
    plane: np.ndarray,
    counts: np.ndarray,
    steps: np.ndarray,
    first: np.ndarray,
    out: np.ndarray,
    channel: int,
) -> None:
    """Write the sums of one channel to the outputs that they belong to; places beyond the image are none."""
    row = low // plane[2]
    while row * plane[2] < low + size:
        h = row % plane[1]
        d = (row // plane[1]) % plane[0]
        image = row // (plane[1] * plane[0])
        if h < counts[1] and d < counts[0]:
            begin = max(low, row * plane[2])
            end = min(low + size, row * plane[2] + counts[2])
            to = out[image, channel, first[0] + d * steps[0], first[1] + h * steps[1]]
            at = first[2] + (begin - row * plane[2]) * steps[2]
            if steps[2] == 1:
                for i in range(end - begin):
                    to[at + i] = sums[begin - low + i]
            else:
                for i in range(end - begin):
                    to[at + i * steps[2]] = sums[begin - low + i]
        row += 1
