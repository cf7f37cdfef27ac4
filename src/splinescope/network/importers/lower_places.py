"""Numbers that are put, or added up, at fixed places."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from splinescope.network.importers.builder import Builder
from splinescope.network.importers.lower_affine import combine
from splinescope.network.importers.views import Value, Variable


def added(b: Builder, x: Variable, places: np.ndarray, size: int) -> Variable:
    """Numbers along the last axis added up at places of an axis of some size.

    Args:
        b: The builder.
        x: [..., n] the numbers.
        places: [n] where each is added; -1 leaves it out.
        size: Number of places.

    Returns:
        [..., size] the sums.
    """
    order = np.argsort(places, kind="stable")
    order = order[places[order] >= 0]
    ranks = np.zeros(len(order), np.int64)
    for at in range(1, len(order)):
        ranks[at] = ranks[at - 1] + 1 if places[order[at]] == places[order[at - 1]] else 0
    terms = []
    for rank in range(int(ranks.max(initial=0)) + 1):
        chosen = np.full(size, -1)
        chosen[places[order[ranks == rank]]] = order[ranks == rank]

        def placed(array: np.ndarray, chosen: np.ndarray = chosen) -> np.ndarray:
            return np.where(chosen >= 0, array[..., chosen], np.zeros((), array.dtype))

        terms.append(b.rearrange(placed, x)[0])
    return terms[0] if len(terms) == 1 else combine(b, terms, [1.0] * len(terms))


def folded(b: Builder, x: Variable, places: np.ndarray, sizes: Sequence[int]) -> Value:
    """Patches added up to an image, channel by channel.

    Args:
        b: The builder.
        x: [..., channels * block, windows] the patches.
        places: [block, windows] the place in the image of each number of a channel; -1 outside of it.
        sizes: Sizes of the image.

    Returns:
        [..., channels, *sizes] the image.
    """
    lead, channels = x.shape[:-2], x.shape[-2] // len(places)
    groups = b.variable(b.reshape(x, (*lead, channels, places.size)))
    image = added(b, groups, places.reshape(-1), math.prod(sizes))
    return b.reshape(image, (*lead, channels, *sizes))


def window_places(
    sizes: Sequence[int],
    block: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> np.ndarray:
    """Where the numbers of all windows of an image lie in it.

    Args:
        sizes: Sizes of the image.
        block: Sizes of a window.
        strides: From window to window, along each axis.
        dilations: From number to number within a window.
        pads: Zeros before and behind the image.

    Returns:
        [block, windows] flat places; -1 in the padding.
    """
    image = np.pad(np.arange(math.prod(sizes)).reshape(sizes), pads, constant_values=-1)
    axes = len(sizes)
    places = []
    for axis, (size, width, stride, step) in enumerate(zip(image.shape, block, strides, dilations, strict=True)):
        starts = np.arange(0, size - step * (width - 1), stride)
        along = (step * np.arange(width))[:, None] + starts
        shape = [1] * (2 * axes)
        shape[axis], shape[axes + axis] = along.shape
        places.append(along.reshape(shape))
    return image[tuple(places)].reshape(math.prod(block), -1)
