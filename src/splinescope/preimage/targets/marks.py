"""A network that also says of which side of a target's half-spaces its outputs are, so that cells are cut there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from splinescope.network.graph import Network, Node
from splinescope.network.ops import Concatenate, Dense, PiecewiseAffine, Reshape
from splinescope.preimage.targets.sets import Alternative, Target


@dataclass(frozen=True, eq=False)
class Marks:
    """A target as units behind a network; see `marks`.

    Attributes:
        network: The network with one ReLU for each different half-space, and its outputs as they were in front.
        outputs: Number of these.
        rows: [units, outputs + 1] the half-spaces `(c, b)`; strict ones with the other sign, so that zero is outside.
        units: For each alternative the units that it is made of.
        wanted: For each alternative the side of each: 0 where the row must not be positive, 1 where it must be.
        alternatives: The alternatives themselves.
        node: The node that says the sides; -1 without half-spaces.
    """

    network: Network
    outputs: int
    rows: Float[np.ndarray, "units _"]
    units: tuple[Int[np.ndarray, " some"], ...]
    wanted: tuple[Int[np.ndarray, " some"], ...]
    alternatives: tuple[Alternative, ...]
    node: int

    def chosen(self, sides: Int[np.ndarray, "cells units"]) -> Bool[np.ndarray, "alternatives cells"]:
        """Which cells are on the right side of all half-spaces of each alternative."""
        return np.array(
            [(sides[:, units] == wanted).all(axis=1) for units, wanted in zip(self.units, self.wanted, strict=True)]
        )


def marks(network: Network, target: Target) -> Marks:
    """Put a target behind a network.

    Args:
        network: The network.
        target: The set of outputs.

    Returns:
        Both as one network, whose cells are cut by the target's half-spaces.

    Raises:
        InvalidInputError: If the target is one of other outputs.
    """
    outputs = network.nodes[network.output].size
    alternatives = target.alternatives(outputs)
    places: dict[bytes, int] = {}
    rows: list[np.ndarray] = []
    units, wanted = [], []
    for one in alternatives:
        signed = np.where(one.strict[:, None], -one.halfspaces, one.halfspaces) + 0.0
        found = []
        for row in signed:
            if row.tobytes() not in places:
                places[row.tobytes()] = len(rows)
                rows.append(row)
            found.append(places[row.tobytes()])
        units.append(np.array(found, np.int64))
        wanted.append(one.strict.astype(np.int64))
    matrix = np.array(rows).reshape(len(rows), outputs + 1)
    marked = _marked(network, outputs, matrix) if rows else network
    node = marked.output - 1 if rows else -1
    return Marks(marked, outputs, matrix, tuple(units), tuple(wanted), alternatives, node)


def _marked(network: Network, outputs: int, rows: np.ndarray) -> Network:
    nodes, at = list(network.nodes[: network.output + 1]), network.output
    if network.output_shape != (outputs,):
        nodes.append(Node("outputs in a row", Reshape((outputs,)), (at,), (outputs,)))
        at = len(nodes) - 1
    dense = Dense(torch.from_numpy(rows[:, :-1].copy()), torch.from_numpy(rows[:, -1].copy()))
    zero, one = torch.zeros(1, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    relu = PiecewiseAffine(breakpoints=zero, slopes=one, intercepts=torch.zeros(2, dtype=torch.float64))
    nodes.append(Node("half-spaces of the target", dense, (at,), (len(rows),)))
    nodes.append(Node("sides of the target", relu, (len(nodes) - 1,), (len(rows),)))
    nodes.append(Node("outputs and sides", Concatenate(0), (at, len(nodes) - 1), (outputs + len(rows),)))
    return Network(nodes=tuple(nodes), output=len(nodes) - 1, import_report=network.import_report)
