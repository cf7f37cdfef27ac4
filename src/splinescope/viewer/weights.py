"""The weights of a chain of layers in a domain's coordinates, of which a page makes the affine map of any cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from splinescope.network.graph import Network, Node
from splinescope.network.ops.activation import Activation
from splinescope.tessellation.domains import Domain
from splinescope.viewer.packing import Packer

WEIGHT_NUMBERS = 1_500_000
"""Numbers of weights up to which a page holds them."""


@dataclass(frozen=True)
class Stage:
    """A matrix and an offset, and what the layer's activation makes of its outputs.

    Attributes:
        matrix: [outputs, inputs] weights; those of the first stage are by the domain's coordinates.
        offset: [outputs] offsets.
        slopes: [pieces, 1 or outputs] slopes of the pieces; None behind the last matrix.
        intercepts: [pieces, 1 or outputs] their intercepts.
    """

    matrix: np.ndarray
    offset: np.ndarray
    slopes: np.ndarray | None
    intercepts: np.ndarray | None

    def add(self, packer: Packer, number: int) -> dict[str, Any]:
        """Append the weights.

        Args:
            packer: Where to.
            number: Place of the stage.

        Returns:
            What the page reads beside them.
        """
        packer.add_doubles(f"weights.{number}", self.matrix.ravel())
        packer.add_doubles(f"offsets.{number}", self.offset)
        outputs, inputs = self.matrix.shape
        tables = (None if table is None else table.tolist() for table in (self.slopes, self.intercepts))
        return {"inputs": inputs, "outputs": outputs, **dict(zip(("slopes", "intercepts"), tables, strict=True))}


def chain_of(network: Network, domain: Domain) -> list[Stage] | None:
    """The stages of a network whose nodes are a chain, with activations of units one by one between affine maps.

    Args:
        network: The network.
        domain: The domain whose coordinates the first stage reads.

    Returns:
        The stages; None for networks of another form, or of more than `WEIGHT_NUMBERS` weights.
    """
    nodes = network.nodes[1 : network.output + 1]
    if any(node.inputs != (number,) for number, node in enumerate(nodes)):
        return None
    if not all(node.affine or _has_tables(node) for node in nodes):
        return None
    stages: list[Stage] = []
    rows, numbers = _start(domain, network.input_shape), 0
    for node in nodes:
        if stages and (len(rows) - 1) * node.size > WEIGHT_NUMBERS:
            return None
        if node.affine is not None:
            rows = _moved(node, rows)
            continue
        stages.append(_stage(rows, node))
        numbers += stages[-1].matrix.size
        if numbers > WEIGHT_NUMBERS:
            return None
        rows = torch.eye(node.size + 1, node.size, dtype=torch.float64).reshape(-1, *node.shape)
    stages.append(_stage(rows, None))
    return stages if numbers + stages[-1].matrix.size <= WEIGHT_NUMBERS else None


def _has_tables(node: Node) -> bool:
    """Whether its units fold one by one, with pieces that all share or one row for each unit."""
    return isinstance(node.op, Activation) and math.prod(node.op.slopes.shape[1:]) in (1, node.size)


def _start(domain: Domain, input_shape: tuple[int, ...]) -> torch.Tensor:
    """Slopes of the input along the coordinates, and the input at their origin last."""
    basis = np.asarray(domain.basis, float).reshape(-1, *input_shape)
    origin = np.asarray(domain.origin, float).reshape(1, *input_shape)
    return torch.from_numpy(np.concatenate([basis, origin]))


def _moved(node: Node, rows: torch.Tensor) -> torch.Tensor:
    """Slopes and the value behind an affine node."""
    assert node.affine is not None
    return torch.cat([node.affine.linear.evaluate(rows[:-1]), node.op.evaluate(rows[-1:])])


def _stage(rows: torch.Tensor, node: Node | None) -> Stage:
    """Slopes and a value as a matrix and an offset."""
    flat = rows.reshape(len(rows), -1).numpy()
    if node is None:
        return Stage(flat[:-1].T, flat[-1], None, None)
    assert isinstance(node.op, Activation)
    slopes, intercepts = (np.asarray(table, float) for table in (node.op.slopes, node.op.intercepts))
    return Stage(flat[:-1].T, flat[-1], slopes.reshape(len(slopes), -1), intercepts.reshape(len(slopes), -1))
