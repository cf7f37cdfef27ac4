"""Convolutions in float64 without matrices of patches: each output row is a sum of shifted input rows.

Once an image is padded and its rows lie one behind the other, moving a tap of the kernel by one pixel moves its input
by a fixed number of places. So all outputs of a channel are one long sum of shifted copies of the input, each times one
weight, in any number of dimensions. Strides split the input (of a transposed convolution: the output) into one image
for each remainder; dilation and groups only change the shifts. Nothing is copied but the input itself, once, and the
sums are made in blocks of the size of a processor's cache, four channels and four taps at a time.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from splinescope.network.ops.convolution_plan import Geometry, OutputPart, plan_of
from splinescope.numerics import in_ranges

BLOCK = 512
"""Places of a row of outputs that are summed at once."""
LANES = 4
"""Channels, and taps, that are summed at once."""
PLANES = 1 << 18
"""Numbers of the padded images that are taken together."""


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

    def of(self, part: OutputPart) -> np.ndarray:
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
    out = torch.empty(
        len(x), weights.channels_out, *geometry.sizes_out, dtype=torch.float64
    )  # aligned as products want
    values = out.numpy()
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
                layout[0], counts, np.array(geometry.steps_out), np.array(part.first), values[start:stop], grain=1,
            )  # fmt: skip
    return out.reshape(len(x), weights.channels_out, *geometry.sizes_out[3 - weights.axes :])


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
