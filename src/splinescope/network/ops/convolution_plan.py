"""How a convolution is laid out: planes of the input, and parts of the output that read them alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Three = tuple[int, int, int]
"""One number for each axis."""


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
    def coarse(self) -> Three:
        """Sizes of those images, inputs or outputs, whose pixels lie a stride apart among the others."""
        return self.sizes if self.transposed else self.sizes_out

    @property
    def steps_in(self) -> Three:
        """How far apart inputs lie that are neighbours in one plane."""
        return (1, 1, 1) if self.transposed else self.stride

    @property
    def steps_out(self) -> Three:
        """How far apart outputs lie that are neighbours in one part."""
        return self.stride if self.transposed else (1, 1, 1)


@dataclass(frozen=True)
class OutputPart:
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
class ConvolutionPlan:
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
    parts: tuple[OutputPart, ...]

    @property
    def places(self) -> int:
        """Numbers of one plane."""
        return math.prod(self.plane)

    @property
    def planes(self) -> int:
        """Planes of one channel."""
        return math.prod(self.geometry.steps_in)


@lru_cache(maxsize=1024)
def plan_of(geometry: Geometry) -> ConvolutionPlan:
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
            parts.append(OutputPart(first, counts, *numbers))  # type: ignore[arg-type]
    return ConvolutionPlan(geometry, plane, before, tuple(parts))


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
