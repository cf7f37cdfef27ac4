"""Which cell contains a point, by its activation pattern: in any dimension, without geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.network.evaluate import chunk_rows, walk
from splinescope.network.graph import Network
from splinescope.tessellation.certificate.forward import forward
from splinescope.tessellation.codes import Codes, pack
from splinescope.tessellation.complex import VertexComplex

_OUTSIDE = 1e-12
"""Distance beyond a facet of the domain, relative to its size, from which a point is outside."""
_NUDGES = tuple(10.0**-k for k in range(12, 4, -1))
"""How far a point on a fold is moved towards the domain's centre, relative to its distance from it."""


def locate_by_pattern(cells: VertexComplex, points: Any) -> Int[np.ndarray, " points"]:
    """Cell that contains each point.

    A forward pass gives the point's activation pattern, and the pattern its cell. The pattern of a point on a fold need
    not be that of a cell; such a point is moved a little towards the centre of the domain. Where that is no cell's,
    either, since roundings decide the sign of a unit that vanishes on a whole cell, the point is in a cell whose
    pattern is the same but for units within their rounding error.

    Args:
        cells: A complex.
        points: [points, d] coordinates of the domain.

    Returns:
        Index of the cell; a point on a common facet belongs to one of its cells, and -1 stands for outside, or for a
        part of the domain whose cells are missing. Cost: one forward pass.

    Raises:
        InvalidInputError: If `points` has another shape.
    """
    positions = np.asarray(points, dtype=np.float64)
    d = cells.dimension
    if positions.ndim != 2 or positions.shape[1] != d:
        raise InvalidInputError(f"`points`: got shape {positions.shape}; expected [n, {d}] coordinates of the domain")
    rows = {row.tobytes(): number for number, row in enumerate(cells.packed_patterns)}
    halfspaces, domain = cells.domain.halfspaces, cells.domain
    excess = (positions @ halfspaces[:, :-1].T + halfspaces[:, -1]).max(axis=1, initial=-np.inf)
    out = np.full(len(positions), -1, np.int64)
    waiting = np.flatnonzero(excess <= _OUTSIDE * domain.size)
    for nudge in (0.0, *_NUDGES):
        if not len(waiting):
            break
        moved = positions[waiting] + nudge * (domain.centre - positions[waiting])
        keys = packed_patterns_at(cells.network, cells.codes, domain.embed(moved))
        out[waiting] = [rows.get(key.tobytes(), -1) for key in keys]
        waiting = waiting[out[waiting] < 0]
    if len(waiting):
        out[waiting] = _most_alike(cells, domain.embed(positions[waiting]))
    return out


def _most_alike(cells: VertexComplex, inputs: np.ndarray) -> np.ndarray:
    """[n] the cell whose pattern differs least from that of a point, by units within their rounding error; or -1."""
    keys, doubts = packed_patterns_at(cells.network, cells.codes, inputs), _doubts(cells, inputs)
    out = np.full(len(keys), -1, np.int64)
    for number, (key, doubt) in enumerate(zip(keys, doubts, strict=True)):
        different = cells.packed_patterns ^ key
        alike = np.flatnonzero(((different & ~doubt) == 0).all(axis=1))
        if len(alike):
            out[number] = alike[np.bitwise_count(different[alike]).sum(axis=1).argmin()]
    return out


def _doubts(cells: VertexComplex, inputs: np.ndarray) -> np.ndarray:
    """[n, words] columns of the patterns of inputs that float64 does not know for sure."""
    by_node = {code.node: code for code in cells.codes}
    parts = {}
    exact = np.zeros((1, inputs[0].size))
    for passed in forward(cells.network, inputs, exact, pointwise=True):
        if passed.index not in by_node:
            continue
        near = cells.network.folds[passed.index].open_bits(passed.values, passed.errors)
        parts[passed.index] = pack(near[:, by_node[passed.index].columns].astype(np.uint8))
    nothing = np.empty((len(inputs), 0), np.uint64)
    return np.concatenate([nothing, *(parts[code.node] for code in cells.codes)], axis=1)


def packed_patterns_at(network: Network, codes: tuple[Codes, ...], inputs: Float[np.ndarray, "n ..."]) -> np.ndarray:
    """Activation patterns of inputs, packed as those of the cells of a complex.

    Args:
        network: The network.
        codes: The codes of the complex, which say what columns there are.
        inputs: [n, *input_shape] inputs.

    Returns:
        [n, words] uint64, comparable with `packed_patterns` of the complex.
    """
    by_node = {code.node: code for code in codes}
    parts = []
    for chunk in torch.from_numpy(np.ascontiguousarray(inputs, np.float64)).split(chunk_rows(network)):
        values: dict[int, torch.Tensor] = {}
        words: dict[int, np.ndarray] = {}
        with torch.no_grad():
            for index, value in walk(network, chunk):
                if index in by_node:
                    op = network.folds[index]
                    pieces = op.pieces(values[network.nodes[index].inputs[0]]).reshape(len(chunk), -1)
                    words[index] = pack(op.bits(pieces).numpy()[:, by_node[index].columns])
                values[index] = value
        nothing = np.empty((len(chunk), 0), np.uint64)
        parts.append(np.concatenate([nothing, *(words[code.node] for code in codes)], axis=1))
    return np.concatenate(parts) if parts else np.empty((0, sum(code.words.shape[1] for code in codes)), np.uint64)
