r"""Real convolutions beside circulant ones: several channels, zero padding, strides; and layers of trained networks.

A convolution of several channels that wraps around is block-circulant: the Fourier transform over positions takes it
apart into one matrix from channels to channels for each frequency, with which go rank and singular values. Zero
padding makes it Toeplitz instead, with other rows at the border; a stride leaves rows out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.ops import Affine
from splinescope.preimage.layers.nesting import Nesting, nesting

_MOST = 2048
"""Units up to which a layer's matrix is written out."""


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


def distance_to_circulant(matrix: Float[np.ndarray, "d d"]) -> float:
    """How far a square matrix is from its nearest circulant one, relative to its own Frobenius norm.

    The nearest one has the mean of each wrapped diagonal.

    Args:
        matrix: The matrix.

    Returns:
        From 0 (circulant) to 1. Cost: one pass over the matrix.

    Example:
        >>> distance_to_circulant(np.array([[1.0, 2.0], [2.0, 1.0]]))
        0.0
    """
    d = len(matrix)
    places = (np.arange(d)[None] - np.arange(d)[:, None]) % d
    means = np.bincount(places.ravel(), matrix.ravel(), minlength=d) / d
    norm = float(np.linalg.norm(matrix))
    return float(np.linalg.norm(matrix - means[places])) / norm if norm else 0.0


@dataclass(frozen=True, eq=False)
class LayerNesting:
    """How one layer of a network is nested.

    Attributes:
        node: Index of the node.
        name: Its name in the original model.
        nesting: The verdict; None of a layer that is not square, or too large to be written out.
        from_circulant: How far its matrix is from circulant; None likewise.
        shape: Units and inputs.
    """

    node: int
    name: str
    nesting: Nesting | None
    from_circulant: float | None
    shape: tuple[int, int]


def network_nesting(network: Network) -> tuple[LayerNesting, ...]:
    """Nesting of every affine layer of a network, convolutions by their whole matrix.

    Args:
        network: The network.

    Returns:
        One entry for each affine node. Cost: a matrix of at most 2048 units for each.

    Example:
        >>> import splinescope, torch
        >>> layer = torch.nn.Linear(2, 2)
        >>> _ = layer.weight.data.copy_(torch.eye(2)), layer.bias.data.fill_(-1.0)
        >>> [row.nesting.complete for row in network_nesting(splinescope.load(layer))]
        [True]
    """
    found = []
    for index, node in enumerate(network.nodes):
        if not isinstance(node.op, Affine):
            continue
        before = network.nodes[node.inputs[0]]
        verdict = distance = None
        if node.size == before.size <= _MOST:
            matrix = node.op.rows(np.arange(node.size), before.shape).toarray()
            verdict = nesting(matrix, node.op.offsets(before.shape))
            distance = distance_to_circulant(matrix)
        found.append(LayerNesting(index, node.name, verdict, distance, (node.size, before.size)))
    return tuple(found)
