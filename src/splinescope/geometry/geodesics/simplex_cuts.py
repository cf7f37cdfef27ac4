"""Simplices of any dimension that are cut in half across edges, so that they still fit together."""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Bool, Float, Int


def cut_longest_edges(
    simplices: Int[np.ndarray, "n k"],
    lengths: Float[np.ndarray, "n edges"],
    chosen: Bool[np.ndarray, " n"],
    vertices: int,
) -> tuple[Int[np.ndarray, "m k"], Int[np.ndarray, " m"], Int[np.ndarray, "new 2"]]:
    """Cut the longest edge of some simplices in half, in all simplices that have it.

    Args:
        simplices: Vertices of the simplices.
        lengths: Length of each edge of each, in the order of `itertools.combinations`; an edge has one length.
        chosen: Which simplices.
        vertices: Number of vertices.

    Returns:
        The simplices; for each the one that it is a part of; and for each new vertex, numbered on, the ends of the edge
        in whose middle it is. Cost: some passes over the simplices.
    """
    pairs = np.array(list(itertools.combinations(range(simplices.shape[1]), 2)))
    keys = _keys(simplices, pairs, vertices)
    wanted, first = np.unique(keys[chosen, np.argmax(lengths[chosen], axis=1)], return_index=True)
    sizes = lengths[chosen].max(axis=1)[first]
    order = np.argsort(sizes, kind="stable")
    ranks = np.empty(len(wanted), np.int64)
    ranks[order] = np.arange(len(wanted))
    owners, middles = np.arange(len(simplices)), np.empty((0, 2), np.int64)
    number = vertices
    left = np.ones(len(wanted), bool)
    while left.any():
        keys = _keys(simplices, pairs, vertices)
        place = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
        here = (wanted[place] == keys) & left[place]
        rank = np.where(here, ranks[place], -1)
        best = rank.max(axis=1)
        # an edge is cut where it comes first in all simplices that have it
        lost = np.unique(rank[(rank >= 0) & (rank < best[:, None])])
        cut = np.setdiff1d(np.unique(best[best >= 0]), lost)
        rows = np.flatnonzero(np.isin(best, cut))
        column = np.argmax(rank[rows], axis=1)
        edges = order[cut]
        ends = np.stack([wanted[edges] // vertices, wanted[edges] % vertices], axis=1)
        new = number + np.searchsorted(cut, best[rows])
        one, two = simplices[rows].copy(), simplices[rows].copy()
        one[np.arange(len(rows)), pairs[column, 0]] = new
        two[np.arange(len(rows)), pairs[column, 1]] = new
        kept = np.ones(len(simplices), bool)
        kept[rows] = False
        simplices = np.concatenate([simplices[kept], one, two])
        owners = np.concatenate([owners[kept], owners[rows], owners[rows]])
        middles = np.concatenate([middles, ends])
        number += len(cut)
        left[edges] = False
    return simplices, owners, middles


def _keys(simplices: np.ndarray, pairs: np.ndarray, vertices: int) -> np.ndarray:
    """One number for each edge of each simplex; none of the given ones where an end is new."""
    low = np.minimum(simplices[:, pairs[:, 0]], simplices[:, pairs[:, 1]])
    high = np.maximum(simplices[:, pairs[:, 0]], simplices[:, pairs[:, 1]])
    return np.where(high < vertices, low * np.int64(vertices) + high, -1)
