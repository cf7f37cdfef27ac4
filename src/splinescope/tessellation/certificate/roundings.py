r"""What float64's own roundings make of a network's values, to first order.

Running bounds multiply absolute weights, layer by layer; a rounding in one layer reaches a later value through the
signed product of the layers between, whose absolute values are far smaller in deep networks:
$\sum_l |\partial y / \partial z_l| \rho_l$, where $\rho_l$ bounds the roundings of node $l$ relative to its terms.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from splinescope.network.graph import Network
from splinescope.tessellation.certificate.forward import rounded

_HIGHER_ORDERS = 2.0
"""Factor for products of roundings."""


def first_order(network: Network, inputs: np.ndarray, errors: np.ndarray, node: int) -> np.ndarray:
    """How far float64 may be off, at the worst of some points.

    Args:
        network: The network.
        inputs: [N, *input_shape] points.
        errors: [1, n_in] bounds of their errors.
        node: The values looked at.

    Returns:
        [n] bounds, to first order, for the flat values of the node.
    """
    with torch.enable_grad():
        values, fresh = _values(network, inputs, errors, node)
        flat = values[-1].reshape(len(inputs), -1)
        out = np.zeros(flat.shape[1])
        for unit in range(flat.shape[1]):
            wanted = flat[:, unit].sum()
            if not wanted.requires_grad:
                continue
            slopes = torch.autograd.grad(wanted, values, retain_graph=True, allow_unused=True)
            reach = torch.zeros(len(inputs), dtype=torch.float64)
            for slope, rounding in zip(slopes, fresh, strict=True):
                if slope is not None:
                    reach += (slope.abs() * rounding).reshape(len(inputs), -1).sum(dim=1)
            out[unit] = float(reach.max())
    return _HIGHER_ORDERS * np.nan_to_num(out, nan=np.inf, posinf=np.inf)


def _values(network: Network, inputs: np.ndarray, errors: np.ndarray, node: int) -> tuple[list[Tensor], list[Tensor]]:
    """Values of all nodes up to one, and bounds of what each one's own roundings are."""
    values: list[Tensor] = []
    fresh: list[Tensor] = []
    for index in range(node + 1):
        op, sources = network.nodes[index].op, network.nodes[index].inputs
        if sources:
            values.append(op.evaluate(*(values[source] for source in sources)))
            fresh.append(rounded(op, [values[source].detach() for source in sources]))
        else:
            values.append(torch.from_numpy(np.array(inputs, np.float64)).requires_grad_(True))
            fresh.append(torch.from_numpy(np.array(errors)).reshape(-1, *network.input_shape))
    return values, fresh
