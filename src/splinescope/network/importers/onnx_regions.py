"""Interpolated windows around constant regions of an image: ONNX's RoiAlign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.onnx_handlers import Call
from splinescope.network.importers.views import Value, Variable

_MOST = 1 << 24
"""Samples along an axis, and numbers that maxima compare, beyond which it is refused."""


@dataclass(frozen=True)
class _Samples:
    """Where a region is sampled along one axis, by linear interpolation between two numbers of the image.

    Attributes:
        places: [bins, samples, 2] the two numbers.
        weights: [bins, samples, 2] their weights; zeros beyond the image.
    """

    places: np.ndarray
    weights: np.ndarray

    def matrix(self, size: int) -> Tensor:
        """[bins, size] the mean of the samples of each bin; zeros where there is none."""
        bins, samples, _ = self.places.shape
        rows = np.zeros((bins, size))
        bin_of = np.broadcast_to(np.arange(bins)[:, None, None], self.places.shape)
        np.add.at(rows, (bin_of, self.places), self.weights / max(1, samples))
        return torch.from_numpy(rows)


def region_align(b: Builder, c: Call) -> Value:
    """Means or maxima of an image, interpolated at the places of constant regions: a matrix along each axis."""
    # How many places a bin has is rounded: it is as in the arithmetic of the model, which has float32 nearly always.
    x, regions, images = b.variable(c.value(0)), c.value(1), c.value(2)
    if not isinstance(regions, Tensor) or not isinstance(images, Tensor):
        raise b.refusal("its regions depend on the input, so that it looks up positions that do")
    if not bool(regions.isfinite().all()) or not set(images.tolist()) <= set(range(x.shape[0])):
        raise b.refusal(f"a region is not finite, or of none of the {x.shape[0]} images")
    sides = (int(c.attributes.get("output_height", 1)), int(c.attributes.get("output_width", 1)))
    number: Any = np.float32 if bool((regions == regions.float()).all()) else np.float64
    corners = regions.numpy().astype(number)
    scale, ratio = number(c.attributes.get("spatial_scale", 1.0)), int(c.attributes.get("sampling_ratio", 0))
    centred = c.opset >= 16 and c.attributes.get("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    reduced = _maxima if c.attributes.get("mode", "avg") == "max" else _means
    results = []
    for region, image in zip(corners * scale - number(0.5 if centred else 0.0), images.tolist(), strict=True):
        starts, extents = region[1::-1], region[:1:-1] - region[1::-1]
        if not centred:
            extents = np.maximum(extents, number(1.0))
        axes = [
            _samples(b, start, extent, bins, ratio, size)
            for start, extent, bins, size in zip(starts, extents, sides, x.shape[2:], strict=True)
        ]
        one = x if len(x.shape) and x.shape[0] == 1 else b.rearrange(lambda a, i=image: a[i : i + 1], x)[0]
        results.append(reduced(b, one, *axes))
    return b.rearrange(lambda *arrays: np.concatenate(arrays), *results)[0]


def _samples(b: Builder, start: np.floating, extent: np.floating, bins: int, ratio: int, size: int) -> _Samples:
    """Samples in equal distances within the bins of a region, in the arithmetic of its numbers."""
    number = type(start)
    width = number(extent / number(bins))
    count = ratio if ratio > 0 else max(0, math.ceil(width))
    if bins * count > _MOST:
        raise b.refusal(f"it has {bins * count} samples along an axis; splinescope reads at most {_MOST}")
    steps = (np.arange(count, dtype=number) + number(0.5)) * width / number(max(1, count))
    at = start + np.arange(bins, dtype=number)[:, None] * width + steps
    inside = (at >= -1) & (at <= size)
    at = np.clip(at.astype(np.float64), 0.0, size - 1.0)
    low = np.minimum(np.floor(at).astype(np.int64), max(0, size - 2))
    share = at - low
    places = np.stack([low, np.minimum(low + 1, size - 1)], axis=-1)
    return _Samples(places, np.stack([1.0 - share, share], axis=-1) * inside[..., None])


def _means(b: Builder, x: Variable, rows: _Samples, columns: _Samples) -> Variable:
    """Means of the samples of each bin."""
    return affine.along_axes(b, x, {2: rows.matrix(x.shape[2]), 3: columns.matrix(x.shape[3])})


def _maxima(b: Builder, x: Variable, rows: _Samples, columns: _Samples) -> Variable:
    """Maxima of what a sample would add up, as ONNX has it: of four numbers, each times its weight."""
    bins = (len(rows.places), len(columns.places))
    if rows.places.size * columns.places.size * x.shape[1] > _MOST:
        raise b.refusal("it takes the maximum of more numbers than splinescope compares")
    along = (slice(None), slice(None), slice(None), None, None, None)
    order = (0, 3, 1, 4, 2, 5)
    tables = (rows.places[along] * x.shape[3] + columns.places, rows.weights[along] * columns.weights)
    places, weights = (table.transpose(order).reshape(*bins, -1) for table in tables)
    seen = weights > 0
    if not seen.any():
        zeros = torch.zeros(1, x.shape[1], *bins, dtype=torch.float64)
        return affine.scale_and_shift(b, b.rearrange(lambda a: a[..., :1, :1], x)[0], b.number(0.0), zeros)
    flat = b.variable(b.reshape(x, (1, x.shape[1], -1)))
    terms = b.rearrange(lambda array: array[..., places[seen]], flat)[0]
    terms = affine.scale_and_shift(b, terms, torch.from_numpy(weights[seen]), None)
    number = np.maximum(np.cumsum(seen) - 1, 0).reshape(seen.shape)

    def members(array: np.ndarray, zero: np.ndarray) -> np.ndarray:
        return np.where(seen, array[..., number], zero)

    listed = b.rearrange(members, terms, torch.zeros((), dtype=torch.float64))[0]
    return folding.reduce_max(b, listed, [-1], False)
