"""How well the outputs of a network are known in float64."""

from __future__ import annotations

import numpy as np
import torch

from splinescope.network.evaluate import walk
from splinescope.network.graph import Network
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.rounding import Bounds, input_bounds, largest, propagate


def output_error(bounds: Bounds, weights: np.ndarray, level: float) -> float:
    """Estimated rounding error of a combination of outputs less a level."""
    return float(np.abs(weights) @ (bounds.error + UNIT_ROUNDOFF * bounds.magnitude) + UNIT_ROUNDOFF * abs(level))


def output_bounds(network: Network, inputs: np.ndarray) -> Bounds:
    """Running-error bounds of the outputs, with the magnitudes seen at some inputs."""
    bounds: list[Bounds] = []
    with torch.no_grad():
        for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(inputs))):
            node, flat = network.nodes[index], value.reshape(len(inputs), -1).numpy()
            if node.inputs:
                shapes = [network.nodes[source].shape for source in node.inputs]
                bounds.append(propagate(node.op, [bounds[source] for source in node.inputs], shapes, largest(flat)))
            else:
                bounds.append(input_bounds(flat))
    return bounds[network.output]
