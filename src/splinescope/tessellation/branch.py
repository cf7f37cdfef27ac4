"""A network's affine branches: evaluation with the activation pattern given instead of read off the input.

With its pattern fixed a network is one affine map on the whole input space, the map that it has on the cell
of that pattern. So the map of a cell comes out exact to round-off however thin the cell is, with no point
inside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from splinescope.network.ops import Fold

if TYPE_CHECKING:
    from splinescope.network.graph import Network
    from splinescope.tessellation.complex import PolyhedralComplex

CHUNK_BYTES = 1 << 28


def walk_branch(
    network: Network,
    pieces: dict[int, UInt8[Tensor, "batch _"]],
    x: Float[Tensor, "batch ..."],
    stop: int | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Evaluate the affine branch of each pattern, node by node in topological order.

    Args:
        network: The network.
        pieces: For each activation and max node the piece, or the position in the window, of each unit.
        x: Inputs, one per pattern; they need not lie in the pattern's cell.
        stop: Last node to evaluate; the network's output if None.

    Yields:
        Index and value of each node. A value is forgotten here when no later node needs it.
    """
    last = network.output if stop is None else stop
    needed = {source: index for index, node in enumerate(network.nodes[: last + 1]) for source in node.inputs}
    values = {0: x}
    yield 0, x
    for index, node in enumerate(network.nodes[: last + 1]):
        if index == 0:
            continue
        inputs = [values[source] for source in node.inputs]
        if isinstance(node.op, Fold):
            values[index] = node.op.on_pieces(pieces[index], inputs[0]).reshape(len(x), *node.shape)
        else:
            values[index] = node.op.evaluate(*inputs)
        yield index, values[index]
        for source in [s for s in values if s != index and needed.get(s, -1) <= index]:
            del values[source]


def branch_value(
    network: Network,
    pieces: dict[int, UInt8[Tensor, "batch _"]],
    x: Float[Tensor, "batch ..."],
    stop: int | None = None,
) -> Float[Tensor, "batch flat"]:
    """Value of one node on the affine branch of each pattern.

    Args:
        network: The network.
        pieces: As in `walk_branch`.
        x: Inputs, one per pattern.
        stop: The node; the network's output if None.

    Returns:
        The values, flattened but for the batch.
    """
    ((_, value),) = deque(walk_branch(network, pieces, x, stop), maxlen=1)
    return value.reshape(len(x), -1)


def pieces_of(cells: PolyhedralComplex, which: Int[Tensor, " batch"]) -> dict[int, UInt8[Tensor, "batch _"]]:
    """Patterns of some cells, taken apart by node.

    Args:
        cells: A complex.
        which: Indices of cells.

    Returns:
        For each activation and max node the piece of each unit.
    """
    patterns = torch.from_numpy(cells.patterns_of(which.numpy()))
    return {node: patterns[:, start:stop] for node, start, stop in cells.pattern_nodes}


def chunk_length(network: Network, copies: int = 1) -> int:
    """Number of inputs whose evaluation needs about 256 MiB.

    Args:
        network: The network.
        copies: Numbers kept per number of the network's values.

    Returns:
        A length that is at least 1.
    """
    numbers = sum(torch.Size(node.shape).numel() for node in network.nodes)
    return max(1, CHUNK_BYTES // (8 * copies * max(1, numbers)))
