"""Generators of any kind as functions that torch differentiates, with no more outputs than volumes need."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.network import Network, as_network
from splinescope.network.differentials import DifferentiableMap
from splinescope.network.layer_chains import Chain
from splinescope.network.ops import Dense

NAMES = ("generator", "latents")


def latent_map(generator: Any, latents: Any, method: str, condition: Any) -> DifferentiableMap:
    """A generator of any kind.

    Args:
        generator: A module, any differentiable function of a batch of latents, a network or the path of one.
        latents: [n, *latent_shape] latents.
        method: As in `log_volume`.
        condition: Given to the generator after the latents, or None.

    Returns:
        The map, with the chain of its layers if it is plainly one. For all methods but "sketch" outputs of a last
        dense layer that has more of them than inputs are turned into as few, which no Gram matrix of a Jacobian sees.

    Raises:
        InvalidInputError: If an argument is none of what is expected.
    """
    try:
        shape = tuple(np.shape(latents))
    except ValueError as error:  # nested lists of unequal lengths
        raise InvalidInputError(
            f"`latents`: got {type(latents).__name__}; expected [n, *shape] real numbers"
        ) from error
    columns = math.prod(shape)
    if isinstance(generator, str | os.PathLike) or (method == "affine" and isinstance(generator, nn.Module)):
        generator = as_network(generator, shape[1:], "generator")
    if isinstance(generator, Network) and method == "affine":
        generator = replace(generator, head=None, classes=None)
    plain = isinstance(generator, nn.Module | Network) and condition is None
    chain = Chain.of(generator, shape[1:]) if plain and len(shape) > 1 else None
    if chain is not None:
        map_ = DifferentiableMap.of(generator, latents, affine=False, names=NAMES)
        if chain.dimension == map_.dimension and chain.dtype == map_.points.dtype:
            pays = method == "svd" and _pays(chain.outputs, chain.last_inputs, columns)
            return replace(map_, chain=chain.shortened if pays else chain)
    if isinstance(generator, Network) and generator.head is None and method != "sketch":
        generator = _condensed(generator, columns)
    elif isinstance(generator, nn.Module) and method != "sketch":
        generator = _condensed_module(generator, columns)
    return DifferentiableMap.of(generator, latents, affine=False, condition=condition, names=NAMES)


def _pays(outputs: int, inputs: int, columns: int) -> bool:
    """Whether a decomposition of a last layer costs less than it saves on so many columns of Jacobians."""
    return columns * (outputs - inputs) > 2 * outputs * inputs


def _condensed(network: Network, columns: int) -> Network:
    """A network without head, of as few outputs as its last layer has inputs, up to an isometry of the outputs."""
    node = network.nodes[network.output]
    matrix = None if node.affine is None else node.affine.matrix
    if matrix is None or not _pays(len(matrix), matrix.shape[1], columns) or network.output != len(network.nodes) - 1:
        return replace(network, head=None, classes=None)
    upper = torch.linalg.qr(matrix, mode="r")[1]
    last = replace(node, op=Dense(upper, upper.new_zeros(len(upper))), shape=(len(upper),))
    return Network((*network.nodes[:-1], last), network.output)


def _condensed_module(module: nn.Module, columns: int) -> nn.Module:
    """The same of a module that plainly ends with a linear layer; it stays as it is."""
    last = module[-1] if type(module) is nn.Sequential and len(module) > 1 else None
    if type(last) is not nn.Linear or not _pays(last.out_features, last.in_features, columns):
        return module
    assert isinstance(module, nn.Sequential)
    upper = torch.linalg.qr(last.weight.detach().double(), mode="r")[1].to(last.weight)
    fewer = nn.utils.skip_init(
        nn.Linear, upper.shape[1], len(upper), bias=False, device=upper.device, dtype=upper.dtype
    )
    fewer.weight = nn.Parameter(upper, requires_grad=False)
    return nn.Sequential(*list(module)[:-1], fewer)
