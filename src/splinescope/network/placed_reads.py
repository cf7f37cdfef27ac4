"""Which places of an image each place of the next one reads, and by which tap of a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_BITS = 62
"""Taps of a kernel that a set of them can be told by, as one whole number."""


@dataclass(frozen=True, eq=False)
class KernelAxis:
    """One axis of a convolution or of its transpose.

    Attributes:
        size: Places of the input.
        size_out: Places of the output.
        taps: Of the kernel.
        stride: Between neighbours of the output; of a transposed convolution, of the input.
        before: Zeros before the input; of a transposed convolution, what is cut off the output.
        dilation: Between taps.
        transposed: Whether it is the transpose.
    """

    size: int
    size_out: int
    taps: int
    stride: int
    before: int
    dilation: int
    transposed: bool

    def triples(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places of the output, taps, and places of the input that are read so."""
        tap = np.arange(self.taps)
        if self.transposed:
            read = np.repeat(np.arange(self.size), self.taps)
            tap = np.tile(tap, self.size)
            out = read * self.stride + tap * self.dilation - self.before
        else:
            out = np.repeat(np.arange(self.size_out), self.taps)
            tap = np.tile(tap, self.size_out)
            read = out * self.stride + tap * self.dilation - self.before
        kept = (out >= 0) & (out < self.size_out) & (read >= 0) & (read < self.size)
        return out[kept], tap[kept], read[kept]


@dataclass(frozen=True, eq=False)
class PlaceReads:
    """What each place of an output image is a sum of.

    Attributes:
        offsets: Where the terms of each output place begin, and where the last ones end.
        taps: Which matrix each term is multiplied with.
        places: The place of the input that it is.
    """

    offsets: np.ndarray
    taps: np.ndarray
    places: np.ndarray

    @staticmethod
    def of(axes: Sequence[KernelAxis]) -> PlaceReads:
        """Those of a convolution, in one to three dimensions.

        Args:
            axes: Its axes.

        Returns:
            The reads, in the order of output places.
        """
        out = tap = place = np.zeros(1, np.int64)
        size_out = 1
        for axis in axes:
            outs, taps, reads = axis.triples()
            out = (out[:, None] * axis.size_out + outs).ravel()
            tap = (tap[:, None] * axis.taps + taps).ravel()
            place = (place[:, None] * axis.size + reads).ravel()
            size_out *= axis.size_out
        order = np.argsort(out, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(out, minlength=size_out))])
        return PlaceReads(offsets, tap[order], place[order])


def behind_copies(reads: PlaceReads, weight: Tensor, copies: np.ndarray) -> tuple[PlaceReads, Tensor]:
    """The same where the places that are read are copies of others, as after nearest-neighbour upsampling.

    Args:
        reads: What is read of the copies.
        weight: [taps, out, in] matrices.
        copies: Of which place each is a copy.

    Returns:
        What is read of the places themselves, each once for each output, and the sums of matrices for that.
    """
    places = copies[reads.places]
    if len(weight) > _BITS:
        return PlaceReads(reads.offsets, reads.taps, places), weight
    count = len(reads.offsets) - 1
    owners = np.repeat(np.arange(count), np.diff(reads.offsets))
    order = np.lexsort((places, owners))
    owners, places, bits = owners[order], places[order], np.int64(1) << reads.taps[order]
    new = np.concatenate([[True], (owners[1:] != owners[:-1]) | (places[1:] != places[:-1])])[: len(owners)]
    starts = np.flatnonzero(new)
    sets = np.bitwise_or.reduceat(bits, starts) if len(starts) else bits
    kinds, taps = np.unique(sets, return_inverse=True)
    members = torch.from_numpy((kinds[:, None] >> np.arange(len(weight))) & 1).to(weight)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners[starts], minlength=count))])
    return PlaceReads(offsets, taps.ravel(), places[starts]), torch.tensordot(members, weight, 1)
