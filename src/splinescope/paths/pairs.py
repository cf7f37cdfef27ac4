"""Pairs of points that paths are to join, and their classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.inputs import in_shape
from splinescope.network.load import ModelLike, as_network
from splinescope.network.splits import Split
from splinescope.tessellation.domains.base import finite

EXACT_UNITS = 1 << 14
"""Units up to which the method "auto" lists all breakpoints."""


def plain(value: Any) -> Any:
    """A tensor as an array; anything else as it is.

    Args:
        value: A tensor, an array, numbers.

    Returns:
        The array.
    """
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value


def network_at(model: ModelLike, points: Any, name: str) -> Network:
    """The network that a user means, with the input shape of some points where it does not tell its own.

    Args:
        model: A network, or a module or file of one.
        points: [K, *input_shape] points; for one point alone its shape counts if it has one axis.
        name: The argument with the points, for the error.

    Returns:
        The network.

    Raises:
        InvalidInputError: If there is no network, or the points are not made of finite numbers.
    """
    shape = finite(name, plain(points)).shape
    return as_network(model, shape[1:] or shape)


def ends_of(parts: Split, x: Any, y: Any) -> tuple[Float[np.ndarray, "S ..."], Float[np.ndarray, "S ..."]]:
    """Both ends of all paths, at the boundary.

    Args:
        parts: A network cut in two.
        x: [S, *input_shape] starts, or one start, before the first part.
        y: [S, *input_shape] ends, or one end.

    Returns:
        [S, *shape] values at the boundary.

    Raises:
        InvalidInputError: If shapes don't fit, or both ends of a path are one point.
    """
    shape = parts.before.input_shape
    ends = []
    for name, given in (("x", x), ("y", y)):
        points = finite(name, plain(given))
        found = in_shape(points, shape, batched=points.shape not in (shape, (math.prod(shape),)))
        if found is None or not points.ndim or not len(points):
            expected = ", ".join(["S", *map(str, shape)])
            raise InvalidInputError(f"`{name}`: got shape {np.shape(given)}; expected [{expected}] with S at least 1")
        points = found.reshape(-1, *shape)
        ends.append(parts.before(points))
    if len(ends[0]) != len(ends[1]):
        raise InvalidInputError(f"`x`, `y`: got {len(ends[0])} and {len(ends[1])} points; expected as many")
    same = np.flatnonzero((ends[0] == ends[1]).reshape(len(ends[0]), -1).all(axis=1))
    if len(same):
        where = "" if parts.boundary.index == 0 else f" at `{parts.boundary.name}`"
        raise InvalidInputError(f"`x`, `y`: both ends of pair {same[0]} are the same point{where}")
    return ends[0], ends[1]


def targets_of(network: Network, target: Any, paths: int) -> Int[np.ndarray, " S"]:
    """One class for each path.

    Args:
        network: The network.
        target: A class, or one for each path. A network with one output has the classes 0 and 1, by its sign.
        paths: How many paths there are.

    Returns:
        The classes.

    Raises:
        InvalidInputError: If there are no such classes.
    """
    given = np.asarray(plain(target))
    classes = max(2, math.prod(network.output_shape))
    if given.dtype.kind not in "iu" or given.ndim > 1 or given.size not in (1, paths):
        raise InvalidInputError(f"`target`: got {target!r}; expected a class, or {paths} of them")
    if given.min() < 0 or given.max() >= classes:
        raise InvalidInputError(f"`target`: got {target!r}; expected classes from 0 to {classes - 1}")
    return np.broadcast_to(given.reshape(-1), (paths,)).astype(np.int64)
