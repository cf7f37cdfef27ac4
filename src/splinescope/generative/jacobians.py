"""Generators of any kind as functions that torch differentiates, and their Jacobians in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.network import Network, as_network
from splinescope.network.differentials import as_parameters, behind_head
from splinescope.network.evaluate import forward
from splinescope.network.importers.module_copy import duplicate
from splinescope.network.ops import Dense

BUDGET = 1 << 21
"""Numbers of Jacobians that are held at once, few enough for the caches of a processor."""


@dataclass(frozen=True, eq=False)
class LatentMap:
    """A generator as a function of flat latents that torch differentiates, and the latents.

    Attributes:
        function: From [rows, d] latents, and rows of the condition, to [rows, n] outputs.
        latents: All latents, flat.
        condition: A row of it for each latent, or None.
        outputs: Number of outputs.
        shape: Shape of one latent as the generator takes it.
        single: Whether the generator is a module of float32.
    """

    function: Callable[[Tensor, Any], Tensor]
    latents: Tensor
    condition: Any
    outputs: int
    shape: tuple[int, ...]
    single: bool = False

    def shaped(self, rows: np.ndarray) -> Tensor:
        """Some latents as the generator takes them."""
        return self.latents[torch.from_numpy(rows)].reshape(len(rows), *self.shape)

    def at(self, latents: Tensor) -> LatentMap:
        """The same map at other flat latents."""
        return replace(self, latents=latents)

    @property
    def dimension(self) -> int:
        """Dimension of the latents."""
        return int(self.latents.shape[1])

    @staticmethod
    def of(generator: Any, latents: Any, method: str, condition: Any) -> LatentMap:
        """A generator of any kind.

        Args:
            generator: A module, any differentiable function of a batch of latents, a network or the path of one.
            latents: [n, *latent_shape] latents.
            method: As in `log_volume`.
            condition: Given to the generator after the latents, or None.

        Returns:
            The map. For all methods but "sketch" outputs of a last dense layer that has more of them than inputs are
            turned into as few, which no Gram matrix of a Jacobian sees.
        """
        z = latents if isinstance(latents, Tensor) else torch.as_tensor(np.asarray(latents))
        if z.ndim < 2 or z.is_complex():
            raise InvalidInputError(f"`latents`: got shape {tuple(z.shape)}; expected [n, *latent_shape] real numbers")
        if not bool(torch.isfinite(z).all()):
            raise InvalidInputError("`latents`: some numbers are NaN or infinite; expected finite ones")
        if not (callable(generator) or isinstance(generator, str | os.PathLike)):
            raise InvalidInputError(
                f"`generator`: got {type(generator).__name__}; expected a module, network or function"
            )
        shape = tuple(z.shape[1:])
        if isinstance(generator, str | os.PathLike) or (method == "affine" and isinstance(generator, nn.Module)):
            generator = as_network(generator, shape, "generator")
        if isinstance(generator, Network):
            whole = generator.head is not None and method != "affine"
            network = (
                generator
                if whole or method == "sketch"
                else _condensed(generator, z[0].numel() * len(z) if len(z) else 0)
            )
            call = partial(behind_head if whole else forward, network)
            return LatentMap._made(call, z.double().cpu(), network.input_shape, condition)
        single = False
        if isinstance(generator, nn.Module):
            generator = duplicate(generator)
            z = as_parameters(z, generator)
            single = z.dtype == torch.float32 and any(p.dtype == torch.float32 for p in generator.parameters())
            generator = (
                generator
                if method == "sketch"
                else _condensed_module(generator, z[0].numel() * len(z) if len(z) else 0)
            )
        z = z if z.is_floating_point() else z.double()
        return replace(LatentMap._made(generator, z, shape, condition), single=single)

    @staticmethod
    def _made(call: Callable[..., Any], z: Tensor, shape: tuple[int, ...], condition: Any) -> LatentMap:
        if condition is not None and len(condition) != len(z):
            raise InvalidInputError(
                f"`condition`: got {len(condition)} rows; expected one for each of {len(z)} latents"
            )

        def function(x: Tensor, rows: Any) -> Tensor:
            y = call(x.reshape(len(x), *shape), *(() if rows is None else (rows,)))
            if not isinstance(y, Tensor) or y.shape[:1] != x.shape[:1]:
                raise InvalidInputError(
                    f"`generator`: returned {type(y).__name__}; expected a tensor with a row for each latent"
                )
            return y.flatten(1) if y.ndim > 1 else y[:, None]

        few, outputs = min(len(z), 2), 0
        if few:
            try:
                with torch.no_grad():
                    rows = None if condition is None else condition[:few]
                    outputs = function(z[:few].flatten(1), rows).shape[1]
            except RuntimeError as error:  # torch's, of shapes that do not fit
                reason = str(error).splitlines()[0]
                raise InvalidInputError(f"`generator`: it fails for latents of shape {shape}: {reason}") from error
        return LatentMap(function, z.detach().flatten(1), condition, int(outputs), shape)

    def jacobians(self, project: Tensor | None = None) -> Iterator[Tensor]:
        """[rows, outputs, d] Jacobians of the latents, in parts of bounded memory.

        Args:
            project: [k, outputs] what outputs are multiplied with first.
        """
        rows = max(1, BUDGET // max(1, self.dimension * self.outputs))
        for start in range(0, len(self.latents), rows):
            z = self.latents[start : start + rows]
            condition = None if self.condition is None else self.condition[start : start + rows]
            yield _jacobian(
                self.function, z, condition, project, None if rows > 1 else BUDGET // (8 * self.outputs) + 1
            )


def _jacobian(
    function: Callable[[Tensor, Any], Tensor],
    z: Tensor,
    condition: Any,
    project: Tensor | None,
    together: int | None,
) -> Tensor:
    """Jacobians of rows that don't know of each other, forward, so many directions at once."""

    def call(x: Tensor) -> Tensor:
        y = function(x, condition)
        return y if project is None else y @ project.T

    def column(direction: Tensor) -> Tensor:
        return torch.func.jvp(call, (z,), (direction.expand_as(z),))[1]

    directions = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    with torch.no_grad():
        try:  # all directions together, which share the values that they are taken at
            return torch.func.vmap(column, out_dims=2, chunk_size=together)(directions).detach()
        except (RuntimeError, NotImplementedError):
            pass
        try:
            return torch.stack([column(direction) for direction in directions], dim=2).detach()
        except (RuntimeError, NotImplementedError):
            return _backwards(call, z)


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
    """The same of a private copy of a module that plainly ends with a linear layer."""
    last = module[-1] if type(module) is nn.Sequential and len(module) > 1 else None
    if type(last) is not nn.Linear or not _pays(last.out_features, last.in_features, columns):
        return module
    assert isinstance(module, nn.Sequential)
    upper = torch.linalg.qr(last.weight.double(), mode="r")[1].to(last.weight)
    fewer = nn.utils.skip_init(
        nn.Linear, upper.shape[1], len(upper), bias=False, device=upper.device, dtype=upper.dtype
    )
    fewer.weight = nn.Parameter(upper, requires_grad=False)
    return nn.Sequential(*list(module)[:-1], fewer)


def _backwards(call: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """The same by reverse mode, for functions that know no other."""
    z = z.clone().requires_grad_(True)
    try:
        with torch.enable_grad():
            y = call(z)
            rows = [torch.autograd.grad(y[:, j].sum(), z, retain_graph=True)[0] for j in range(y.shape[1])]
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(
            f"`generator`: its Jacobian cannot be taken ({reason}); expected a differentiable one"
        ) from error
    return torch.stack(rows, dim=1)
