"""The inputs of many domains as enclosures, and boxes cut in two."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.enclosure.bounds import AffineBounds


def over_boxes(
    low: Float[np.ndarray, "boxes ..."], high: Float[np.ndarray, "boxes ..."], domain: Domain | None = None
) -> AffineBounds:
    """The inputs of many boxes.

    Args:
        low: [boxes, *input_shape] least coordinates; [boxes, d] coordinates of a domain if that is given.
        high: The greatest ones.
        domain: Whose coordinates they are: a slice, or a box with fixed coordinates, which cost nothing then.

    Returns:
        Enclosures with one direction for each coordinate, to put through an `Enclosure`.

    Cost: d times the inputs for each box.

    Example:
        >>> low, high = over_boxes(np.array([[-1.0, 0.0]]), np.array([[1.0, 2.0]])).ends()
        >>> bool((low <= torch.tensor([-1.0, 0.0])).all()), bool((high >= torch.tensor([1.0, 2.0])).all())
        (True, True)
    """
    lows, highs = (np.asarray(side, np.float64).reshape(len(side), -1) for side in (low, high))
    middle = lows + (highs - lows) / 2
    half = np.where(highs > lows, np.nextafter(np.maximum(highs - middle, middle - lows), np.inf), 0.0)
    if domain is None:
        slopes = half[:, :, None] * np.eye(half.shape[1])
        return _inputs(middle, slopes, np.zeros_like(middle))
    basis = domain.basis.reshape(domain.dimension, -1)
    centre = domain.embed(middle).reshape(len(middle), -1)
    terms = np.abs(domain.origin).ravel() + (np.abs(middle) + half) @ np.abs(basis)
    return _inputs(centre, half[:, :, None] * basis, 2 * (domain.dimension + 4) * UNIT_ROUNDOFF * terms)


def over_segments(starts: Float[np.ndarray, "segments ..."], ends: Float[np.ndarray, "segments ..."]) -> AffineBounds:
    """The inputs of many segments.

    Args:
        starts: [segments, *input_shape] their starts.
        ends: Their ends.

    Returns:
        Enclosures with one direction, from start to end, to put through an `Enclosure`.

    Cost: linear in the number of coordinates.

    Example:
        >>> over_segments(np.zeros((3, 2)), np.ones((3, 2))).slopes.shape
        torch.Size([3, 1, 2])
    """
    first, last = (np.asarray(points, np.float64).reshape(len(points), -1) for points in (starts, ends))
    doubt = 4 * UNIT_ROUNDOFF * (np.abs(first) + np.abs(last))
    return _inputs(0.5 * first + 0.5 * last, (0.5 * last - 0.5 * first)[:, None], doubt)


def over_polytopes(corners: Float[np.ndarray, "corners ..."], offsets: Int[np.ndarray, " _"]) -> AffineBounds:
    """The inputs of many polytopes, each the convex hull of its corners.

    Args:
        corners: [corners, *input_shape] corners of all polytopes, one after the other.
        offsets: [polytopes + 1] first corner of each, and the number of corners.

    Returns:
        Enclosures without directions, to put through an `Enclosure`.

    Cost: linear in the number of coordinates.

    Example:
        >>> triangle = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> over_polytopes(triangle, np.array([0, 3])).ends()[1].numpy().round(9).tolist()
        [[1.0, 1.0]]
    """
    centre = np.asarray(corners, np.float64).reshape(len(corners), -1)
    return _inputs(centre, np.empty((len(centre), 0, centre.shape[1])), np.zeros_like(centre), np.asarray(offsets))


def _inputs(
    centre: np.ndarray, slopes: np.ndarray, radius: np.ndarray, offsets: np.ndarray | None = None
) -> AffineBounds:
    middle, along, beside = (torch.from_numpy(x) for x in (centre, slopes, radius))
    return AffineBounds(middle, along, beside, offsets, UNIT_ROUNDOFF)


def halves(
    low: Float[np.ndarray, "boxes d"], high: Float[np.ndarray, "boxes d"], bounds: AffineBounds
) -> tuple[Float[np.ndarray, "twice d"], Float[np.ndarray, "twice d"]]:
    """Cut each box in two across the coordinate on which some numbers depend most, for branch and bound.

    What the radius contributes is taken to be shared by the coordinates as their widths are, so that none is left
    uncut for ever.

    Args:
        low: Least coordinates of the boxes.
        high: Greatest ones.
        bounds: Enclosures of the numbers over the boxes.

    Returns:
        [2 boxes, d] least and greatest coordinates of the halves: first all lower ones, then all upper ones.

    Cost: linear in the bounds.

    Example:
        >>> low, high = np.array([[0.0, 0.0]]), np.array([[4.0, 1.0]])
        >>> halves(low, high, over_boxes(low, high))[1].tolist()
        [[2.0, 1.0], [4.0, 1.0]]
    """
    width = high - low
    share = width / np.maximum(width.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    depends = bounds.slopes.abs().numpy() + share[:, :, None] * bounds.radius.numpy()[:, None]
    axis = np.where(width > 0, depends.max(axis=2), -1.0).argmax(axis=1)
    rows = np.arange(len(low))
    middle = low[rows, axis] + width[rows, axis] / 2
    lows, highs = np.concatenate([low, low]), np.concatenate([high, high])
    highs[rows, axis] = lows[len(low) + rows, axis] = middle
    return lows, highs
