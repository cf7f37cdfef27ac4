"""The weights of a chain of layers in a domain's coordinates, of which a page makes the affine map of any cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from splinescope.network.graph import Network, Node
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
    if not all(node.affine or (node.fold and node.fold.elementwise) for node in nodes):
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
    slopes, intercepts = _tables(node)
    return Stage(flat[:-1].T, flat[-1], slopes, intercepts)


def _tables(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and intercepts of the pieces of units that fold one by one: one column where all units share them."""
    assert node.fold is not None
    pieces = int(node.fold.piece_counts(node.size).max())
    which = torch.arange(pieces)[:, None].expand(pieces, node.size)
    at = [node.fold.on_pieces(which, torch.full((pieces, node.size), x, dtype=torch.float64)) for x in (0.0, 1.0)]
    intercepts, slopes = at[0].numpy(), (at[1] - at[0]).numpy()
    shared = bool((slopes == slopes[:, :1]).all() and (intercepts == intercepts[:, :1]).all())
    return (slopes[:, :1], intercepts[:, :1]) if shared else (slopes, intercepts)
