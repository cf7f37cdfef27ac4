"""Columns of a convolution's matrix: which outputs each position of an image reaches, and by which tap."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.network.ops import Convolution


@dataclass(frozen=True)
class Stencil:
    """A convolution of images of one size, in any number of dimensions.

    Attributes:
        offsets: [positions + 1] entries of each input position.
        targets: [E] output position that an entry reaches.
        taps: [E] flat position in the kernel by which it does.
        weight: [kernel, in / groups, out] weights with the output channel last.
        groups: Number of groups of channels.
        positions_out: Number of output positions.
    """

    offsets: Int[np.ndarray, " _"]
    targets: Int[np.ndarray, " entries"]
    taps: Int[np.ndarray, " entries"]
    weight: Float[np.ndarray, "kernel in out"]
    groups: int
    positions_out: int

    @classmethod
    def of(cls, op: Convolution, sizes: tuple[int, ...], sizes_out: tuple[int, ...]) -> Stencil:
        """The stencil of a convolution.

        Args:
            op: The convolution.
            sizes: Sizes of its input image.
            sizes_out: Sizes of its output image.

        Returns:
            The stencil. Cost: one entry for each pair of a position and a tap that reaches it.
        """
        kernel = tuple(op.weight.shape[2:])
        strides = np.array([math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))], np.int64)
        outs = np.indices(sizes_out).reshape(len(sizes_out), -1).T * np.array(op.stride)
        first = np.array([before for before, _ in op.padding])
        sources, targets, taps = [], [], []
        for tap, offset in enumerate(itertools.product(*(range(n) for n in kernel))):
            places = outs + np.array(offset) * np.array(op.dilation) - first
            inside = np.flatnonzero(((places >= 0) & (places < np.array(sizes))).all(axis=1))
            sources.append(places[inside] @ strides)
            targets.append(inside)
            taps.append(np.full(len(inside), tap))
        source = np.concatenate(sources)
        order = np.argsort(source, kind="stable")
        counts = np.bincount(source, minlength=math.prod(sizes))
        weight = op.weight.numpy().reshape(*op.weight.shape[:2], -1)
        return cls(
            np.concatenate([[0], np.cumsum(counts)]),
            np.concatenate(targets)[order].astype(np.int32),
            np.concatenate(taps)[order].astype(np.int32),
            np.ascontiguousarray(weight.transpose(2, 1, 0)),
            op.groups,
            math.prod(sizes_out),
        )
