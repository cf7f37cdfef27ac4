"""Pairs of points that the command line is given: two files, or entries of a data set."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from splinescope.cli.points import fit_points, normalise, read_array, read_data
from splinescope.cli.values import Shape, whole_numbers
from splinescope.errors import InvalidInputError
from splinescope.network import Network

Rows = tuple[list[np.ndarray], list[np.ndarray]]
"""Starts and ends in their own shapes; a file with rows is one array."""


def read_pairs(start: Path | None, end: Path | None, data: str | None, indices: str | None) -> Rows:
    """Points as they are in their files.

    Args:
        start: File with starts.
        end: File with ends.
        data: Data set, instead of both.
        indices: Which of its points: start and end of each pair.

    Returns:
        Starts and ends.

    Raises:
        InvalidInputError: If something is missing, or given twice.
    """
    if (data is None) != (indices is None):
        raise InvalidInputError("`--data`, `--indices`: only one was given; expected both, as in digits and 3,7")
    if data is not None and indices is not None:
        if start is not None or end is not None:
            raise InvalidInputError("`--data`, `--from`: both were given; expected one of them")
        chosen = whole_numbers("--indices", indices)
        if len(chosen) % 2:
            raise InvalidInputError(f"`--indices`: got {len(chosen)} points; expected a start and an end, as in 3,7")
        points = read_data(data, chosen)
        return points[0::2], points[1::2]
    if start is None or end is None:
        missing = [name for name, value in (("--from", start), ("--to", end)) if value is None]
        raise InvalidInputError(
            f"`{missing[0]}`: not given; expected `--from A --to B`, or `--data SOURCE --indices I,J`"
        )
    return [read_array("--from", start)], [read_array("--to", end)]


def fit_pairs(rows: Rows, shape: Shape, mean: str, std: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs as a network takes them.

    Args:
        rows: What `read_pairs` gave.
        shape: The network's input shape.
        mean: Taken from every point.
        std: Divides it after that.

    Returns:
        [S, *shape] starts and ends.

    Raises:
        InvalidInputError: If shapes or counts don't fit, or both ends of a pair are one point.
    """
    sides = []
    for arrays in rows:
        several = len(arrays) == 1 and arrays[0].ndim > 1 and arrays[0].size != math.prod(shape)
        points = list(arrays[0]) if several else arrays
        sides.append(np.stack(fit_points(normalise(points, mean, std), shape)))
    if len(sides[0]) != len(sides[1]):
        raise InvalidInputError(f"`--from`, `--to`: got {len(sides[0])} and {len(sides[1])} points; expected as many")
    same = np.flatnonzero((sides[0] == sides[1]).reshape(len(sides[0]), -1).all(axis=1))
    if len(same):
        raise InvalidInputError(f"`--from`, `--to`: both ends of pair {same[0]} are the same point")
    return sides[0], sides[1]


def classes_of(network: Network, starts: np.ndarray, target: int | None) -> np.ndarray:
    """The class of each pair: the one asked for, or the one that leads at the start.

    Args:
        network: The network.
        starts: [S, *input_shape] starts.
        target: The class, if one was asked for.

    Returns:
        [S] classes.
    """
    if target is None:
        outputs = network(starts).reshape(len(starts), -1)
        return (outputs[:, 0] > 0).astype(np.int64) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    return np.full(len(starts), target, np.int64)
