"""Which outputs compete for the class, and a network that ends with their contest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network, Node
from splinescope.network.ops import Maximum, Op, PiecewiseAffine


def competing(network: Network, classes: Sequence[int] | None) -> np.ndarray:
    """The outputs that compete, in increasing order.

    Args:
        network: The network.
        classes: What the user gave; all if None.

    Returns:
        At least two classes.

    Raises:
        InvalidInputError: If they are not at least two different outputs.
    """
    count = max(2, int(np.prod(network.output_shape, dtype=np.int64)))
    if classes is None:
        return np.arange(count)
    labels = np.unique(np.asarray(classes, dtype=np.int64))
    if len(labels) < 2 or len(labels) < len(classes) or labels[0] < 0 or labels[-1] >= count:
        raise InvalidInputError(
            f"`classes`: got {list(classes)}; expected at least two different classes from 0 to {count - 1}"
        )
    return labels


def with_winner(network: Network, labels: np.ndarray) -> Network:
    """The network followed by the maximum of its competing outputs, or by the sign of its one output.

    Args:
        network: The network.
        labels: [k] outputs that compete; (0, 1) for a network with one output.

    Returns:
        A network whose last node folds where the class changes; its piece is the place of the class in `labels`.
    """
    if int(np.prod(network.output_shape, dtype=np.int64)) == 1:
        zero, one = torch.zeros(1, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
        op: Op = PiecewiseAffine(breakpoints=zero, slopes=one, intercepts=torch.zeros(2, dtype=torch.float64))
    else:
        op = Maximum(torch.from_numpy(labels[None]))
    winner = Node("largest output", op, (network.output,), (1,))
    nodes = (*network.nodes[: network.output + 1], winner)
    return Network(nodes=nodes, output=len(nodes) - 1, import_report=network.import_report)
