r"""Real convolutions beside circulant ones: several channels, zero padding, strides; and layers of trained networks.

A convolution of several channels that wraps around is block-circulant: the Fourier transform over positions takes it
apart into one matrix from channels to channels for each frequency, with which go rank and singular values. Zero
padding makes it Toeplitz instead, with other rows at the border; a stride leaves rows out.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.preimage.layers.nesting import Nesting, nesting
from splinescope.shown import Shown


def frequency_blocks(kernel: Any, size: tuple[int, ...]) -> Complex[np.ndarray, "frequencies out in"]:
    """The matrices from channels to channels at each frequency of a convolution that wraps around.

    Args:
        kernel: [out, in, *window] weights, as torch has them; the window's first position is at the unit itself.
        size: Extents of the image, not less than those of the window.

    Returns:
        One matrix for each frequency, in the order of the transform. Singular values of the layer are those of all of
        them together; its rank is the sum of theirs. Cost: a transform for each pair of channels.

    Raises:
        InvalidInputError: If the shapes don't agree.

    Example:
        >>> blocks = frequency_blocks(np.array([[[1.0, 2.0, 1.0]]]), (4,))
        >>> int(np.linalg.matrix_rank(blocks).sum())
        3
    """
    weight = np.asarray(kernel, np.float64)
    window = weight.shape[2:]
    if weight.ndim != 2 + len(size) or any(w > s for w, s in zip(window, size, strict=True)):
        raise InvalidInputError(f"`kernel`: got shape {weight.shape} for images of {size}; expected [out, in, *window]")
    axes = tuple(range(2, weight.ndim))
    blocks = np.conj(np.fft.fftn(weight, size, axes))
    return np.moveaxis(blocks.reshape(*weight.shape[:2], -1), 2, 0)


def distance_to_circulant(matrix: Float[np.ndarray, "d d"], shape: tuple[int, ...] | None = None) -> float:
    """How far a square matrix is from its nearest circulant one, relative to its own Frobenius norm.

    The nearest one has the mean of each wrapped diagonal; of several channels, of each pair of them.

    Args:
        matrix: The matrix.
        shape: Channels and extents of the image that its units are, such as (8, 28, 28); by default they are a row.

    Returns:
        From 0 (a convolution that wraps around) to 1. Cost: one pass over the matrix.

    Raises:
        InvalidInputError: If the matrix is not square, or of another number of units.

    Example:
        >>> distance_to_circulant(np.array([[1.0, 2.0], [2.0, 1.0]]))
        0.0
        >>> distance_to_circulant(np.diag([1.0, 1.0, 2.0, 2.0]), (2, 2))
        0.0
    """
    channels, *extents = (1, len(matrix)) if shape is None else shape
    positions = math.prod(extents)
    if matrix.shape != (channels * positions,) * 2:
        raise InvalidInputError(f"`matrix`: got shape {matrix.shape} for units of {shape}; expected a square matrix")
    places = np.stack(np.unravel_index(np.arange(positions), extents))
    moves = (places[:, None] - places[:, :, None]) % np.array(extents)[:, None, None]
    moved = np.ravel_multi_index(tuple(moves), extents)
    pairs = np.arange(channels)[:, None] * channels + np.arange(channels)
    keys = (pairs[:, None, :, None] * positions + moved[None, :, None, :]).reshape(matrix.shape)
    means = np.bincount(keys.ravel(), matrix.ravel(), minlength=channels**2 * positions) / positions
    norm = float(np.linalg.norm(matrix))
    return float(np.linalg.norm(matrix - means[keys])) / norm if norm else 0.0


@dataclass(frozen=True, eq=False)
class LayerNesting(Shown):
    """How one layer of a network is nested.

    Attributes:
        node: Index of its last node.
        name: That node's name in the original model.
        nesting: The verdict; None of a layer that is not square, or too large to be written out.
        from_circulant: How far its matrix is from that of a convolution that wraps around, by `distance_to_circulant`;
            None where its units are not in the shape of its inputs.
        along_axes: Share of the entries off the diagonal, if not zero, that are negative: where it nests along the axis
            of an input; None likewise.
        held_back: Share of the units whose bias is not positive; None likewise.
        shape: Units and inputs.
    """

    node: int
    name: str
    nesting: Nesting | None
    from_circulant: float | None
    along_axes: float | None
    held_back: float | None
    shape: tuple[int, int]


def network_nesting(network: Network, *, most: int = 2048, sets: int = 256) -> tuple[LayerNesting, ...]:
    """Nesting of the layers of a network: all affine ops between two folds are one, written out as a matrix.

    So a convolution has its padding and its batch-norm with it, and stands for all positions and channels.

    Args:
        network: The network.
        most: Units up to which a layer's matrix is written out.
        sets: Index sets that are drawn for the degree of a layer of more than twelve units.

    Returns:
        One entry for each layer that reads one value. Cost: a matrix of at most `most` units for each, and what
        `nesting` takes.

    Example:
        >>> import splinescope, torch
        >>> layer = torch.nn.Linear(2, 2)
        >>> _ = layer.weight.data.copy_(torch.eye(2)), layer.bias.data.fill_(-1.0)
        >>> [row.nesting.complete for row in network_nesting(splinescope.load(layer))]
        [True]
    """
    found = []
    for chain in _layers(network):
        first, last = network.nodes[chain[0]], network.nodes[chain[-1]]
        inputs = network.nodes[first.inputs[0]]
        sizes = (last.size, inputs.size)
        row = LayerNesting(chain[-1], last.name, None, None, None, None, sizes)
        if last.size == inputs.size <= most:
            matrix, offset = _written_out(network, chain)
            off = matrix[~np.eye(len(matrix), dtype=bool) & (matrix != 0)]
            shape = last.shape if len(last.shape) > 1 else None
            same = last.shape == inputs.shape
            axes = float((off < 0).mean()) if len(off) else 1.0
            row = replace(
                row,
                nesting=nesting(matrix, offset, sets=sets),
                from_circulant=distance_to_circulant(matrix, shape) if same else None,
                along_axes=axes,
                held_back=float((offset <= 0).mean()),
            )
        found.append(row)
    return tuple(found)


def _layers(network: Network) -> list[list[int]]:
    """Affine nodes that follow each other, each read by the next one alone; none that only reshape."""
    reads = Counter(source for node in network.nodes for source in node.inputs)
    chains: dict[int, list[int]] = {}
    for index, node in enumerate(network.nodes):
        if node.affine is None or len(node.inputs) != 1:
            continue
        (source,) = node.inputs
        before = chains.pop(source) if source in chains and reads[source] == 1 else []
        chains[index] = [*before, index]
    return [chain for chain in chains.values() if any(not _moves(network, index) for index in chain)]


def _moves(network: Network, index: int) -> bool:
    op = network.nodes[index].affine
    return op is not None and op.keeps_order


def _written_out(network: Network, chain: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset of affine nodes one after the other."""
    matrix, offset = None, np.zeros(network.nodes[network.nodes[chain[0]].inputs[0]].size)
    for index in chain:
        node = network.nodes[index]
        op, shape = node.affine, network.nodes[node.inputs[0]].shape
        assert op is not None
        rows = op.rows(np.arange(node.size), shape)
        matrix, offset = rows if matrix is None else rows @ matrix, rows @ offset + op.offsets(shape)
    assert matrix is not None
    return matrix.toarray(), offset
