"""The activation patterns of data layer by layer, each prefix known by a hash, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from jaxtyping import Int, UInt64
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network, nodes_behind
from splinescope.network.inputs import finite_batch
from splinescope.network.ops import Fold
from splinescope.progress import counting
from splinescope.shown import Shown
from splinescope.tessellation.branches.walk import chunk_length, pieces_at


@dataclass(frozen=True, eq=False)
class PatternPrefixes(Shown):
    """Which inputs share the pattern of all layers up to each.

    Attributes:
        nodes: Nodes of the network that fold, each a layer.
        names: Their names.
        units: Number of units of each.
        labels: [L, N] number of the prefix that each input has up to each layer, in the order of first appearance.
    """

    nodes: tuple[int, ...]
    names: tuple[str, ...]
    units: tuple[int, ...]
    labels: Int[np.ndarray, "L N"]


def prefixes(network: Network, data: Any, *, progress: bool = False) -> PatternPrefixes:
    """Number the prefixes of the activation patterns of data.

    A prefix is known by 64 bits of a hash (BLAKE2b) of its layer's pieces and of the prefix before: two of 60,000
    would be taken for one with probability 1e-10. Kept are 8 bytes for each input and layer.

    Args:
        network: The network.
        data: [N, *input_shape] inputs: an array or a tensor, converted part by part.
        progress: Whether to show a bar.

    Returns:
        The prefixes.

    Raises:
        InvalidInputError: If there are no inputs, or the network does not fold.
    """
    needed = nodes_behind(network.nodes, (0, network.output))
    folds = tuple(index for index in needed if index in network.folds)
    if not folds:
        raise InvalidInputError(
            "`network`: no op of it folds, so that it has one pattern; expected one with activations"
        )
    digests = np.empty((len(folds), len(data)), np.uint64)
    done = 0
    with counting(len(data), "input", progress) as advance:
        for batch in parts(network, data):
            before = [b""] * len(batch)
            pieces = pieces_at(network, batch)
            for level, index in enumerate(folds):
                rows = _rows(network.folds[index], pieces[index])
                before = [blake2b(one + row, digest_size=8).digest() for one, row in zip(before, rows, strict=True)]
                digests[level, done : done + len(batch)] = np.frombuffer(b"".join(before), np.uint64)
            done += len(batch)
            advance(len(batch))
    labels = np.stack([_numbered(row) for row in digests])
    nodes = [network.nodes[index] for index in folds]
    return PatternPrefixes(folds, tuple(node.name for node in nodes), tuple(node.units for node in nodes), labels)


def parts(network: Network, data: Any) -> Iterator[Tensor]:
    """Inputs in float64, as many at once as 256 MiB hold.

    Args:
        network: The network.
        data: [N, *input_shape] inputs.

    Yields:
        Batches.

    Raises:
        InvalidInputError: If there are none, they are no batch, or some numbers are not finite.
    """
    if not hasattr(data, "__getitem__") or not len(data):
        raise InvalidInputError("`data`: expected inputs, one per row; got none")
    step = chunk_length(network, 3)
    for start in range(0, len(data), step):
        yield finite_batch(data[start : start + step], network.input_shape, "data")


def _rows(op: Fold, pieces: Tensor) -> list[bytes]:
    """Pieces of each input as bytes, one bit for each level of each unit."""
    return [row.tobytes() for row in np.packbits(op.bits(pieces).numpy().astype(np.uint8), axis=1)]


def _numbered(digests: UInt64[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """Different digests numbered in the order of first appearance."""
    _, first, found = np.unique(digests, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[found]
