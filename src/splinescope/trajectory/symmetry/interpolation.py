"""Networks on the straight line between two others."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.trajectory.symmetry.canonical import check_same_graph
from splinescope.trajectory.symmetry.weights import weights_of, with_weights


def between_networks(a: Network, b: Network, t: float) -> Network:
    """The network with weights $(1 - t) a + t b$.

    Args:
        a: A network.
        b: Another of the same graph.
        t: Position.

    Returns:
        A new network.
    """
    check_same_graph(a, b)
    nodes = list(a.nodes)
    for index, node in enumerate(nodes):
        pairs = zip(weights_of(a, index), weights_of(b, index), strict=True)
        mixed = [replace(one, value=(1 - t) * one.value + t * other.value) for one, other in pairs]
        nodes[index] = with_weights(node, mixed)
    return replace(a, nodes=tuple(nodes))


def between_modules(a: nn.Module, b: nn.Module, t: float, inputs: Tensor | None) -> nn.Module:
    """The module with parameters and statistics $(1 - t) a + t b$, in eval mode.

    Args:
        a: A module.
        b: Another with the same state.
        t: Position.
        inputs: Inputs on which the statistics of batch-norm are measured anew; None keeps the interpolated ones.

    Returns:
        A new module; both others stay as they are.

    Raises:
        InvalidInputError: If their states differ in names or shapes.
    """
    one, other = a.state_dict(), b.state_dict()
    if {k: v.shape for k, v in one.items()} != {k: v.shape for k, v in other.items()}:
        raise InvalidInputError("`b`: its weights have other names or shapes than those of `a`")
    module = copy.deepcopy(a).eval()
    state = {k: torch.lerp(v, other[k], t) if v.is_floating_point() else v for k, v in one.items()}
    module.load_state_dict(state)
    if inputs is not None:
        norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
        for part in norms:
            part.reset_running_stats()
            part.momentum = None  # the plain mean over batches
            part.train()
        module(inputs.to(next(module.parameters()).dtype))
        module.eval()
    return module
