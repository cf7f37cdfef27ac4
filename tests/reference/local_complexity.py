"""Local complexity as it is defined: all vertices at once, hooks on the activations, signs compared one by one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def hull(points: Tensor, frame: Tensor, radius: float) -> Tensor:
    """[n, 2P, *shape] the vertices x + r v_p, then x - r v_p."""
    return torch.stack([torch.cat([x + radius * frame, x - radius * frame]) for x in points])


def arguments(module: nn.Module, kinds: tuple[type[nn.Module], ...], x: Tensor) -> list[Tensor]:
    """What goes into each module of some kinds, in the order of the calls."""
    found: list[Tensor] = []
    handles = [
        child.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].detach().clone()))
        for child in module.modules()
        if isinstance(child, kinds)
    ]
    with torch.no_grad():
        found.append(module(x))
    for handle in handles:
        handle.remove()
    return found


def vertex_counts(
    module: nn.Module,
    points: Tensor,
    frame: Tensor,
    radius: float,
    kinds: tuple[type[nn.Module], ...] = (nn.ReLU,),
    logits: bool = False,
) -> np.ndarray:
    """[n, layers] units whose sign is not that of the first vertex at all others, for each layer."""
    vertices = hull(points, frame, radius)
    n, many = vertices.shape[:2]
    layers = arguments(module, kinds, vertices.flatten(0, 1))
    counts = []
    for values in layers if logits else layers[:-1]:
        signs = torch.sign(values).reshape(n, many, -1)
        counts.append((signs != signs[:, :1]).any(dim=1).sum(dim=1))
    return torch.stack(counts, dim=1).numpy()


def affine_counts(
    module: nn.Sequential, points: Tensor, directions: Tensor, radius: float, ball: bool = False
) -> np.ndarray:
    """[n, layers] units of a sequential ReLU net with |h| <= r max |J v|, or r ||J||, by autograd's Jacobians."""
    counts = []
    for depth, layer in enumerate(module):
        if not isinstance(layer, nn.ReLU):
            continue
        before, row = module[:depth], []
        for x in points:
            jacobian = torch.autograd.functional.jacobian(lambda z, part=before: part(z[None]).flatten(), x)
            slopes = jacobian.flatten(1) @ directions.flatten(1).T
            reach = slopes.norm(dim=1) if ball else slopes.abs().amax(dim=1)
            row.append(int((before(x[None]).flatten().detach().abs() <= radius * reach).sum()))
        counts.append(row)
    return np.array(counts).T
