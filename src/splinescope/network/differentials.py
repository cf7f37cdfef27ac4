"""Jacobians of anything that torch differentiates: networks, modules, functions of a batch of points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.network.evaluate import forward
from splinescope.network.graph import Network
from splinescope.network.importers.module_copy import first_line, working_copy
from splinescope.network.layer_chains import Chain, assembled
from splinescope.network.load import as_network

BUDGET = 1 << 26
"""Numbers of Jacobians that are held at once."""

FORWARD = 1 << 21
"""The same of those taken forward, few enough for the caches of a processor."""

DIRECTIONS = 8
"""Directions of one point that are taken together at least, since they share the values that they are taken at."""


def as_parameters(z: Tensor, module: nn.Module) -> Tensor:
    """Points in the type and on the device of a module's first floating-point tensor; as they are if it has none.

    Args:
        z: Points.
        module: The module.

    Returns:
        The points.
    """
    like = next((p for p in (*module.parameters(), *module.buffers()) if p.is_floating_point()), None)
    return z if like is None else z.to(like)


@runtime_checkable
class OutputProjection(Protocol):
    """A linear map of outputs to fewer numbers."""

    @property
    def size(self) -> int:
        """How many numbers are left."""

    def vectors(self, start: int, stop: int) -> Tensor:
        """[some, outputs] vectors; what is left of an output depends on its products with all of them."""

    def of_columns(self, blocks: Iterator[Tensor]) -> Tensor:
        """[rows, size, d] projections of Jacobians, from [rows, outputs, some] columns one after the other."""

    def of_rows(self, products: Tensor) -> Tensor:
        """The same, from [rows, size, d] products of the vectors with Jacobians."""


_FORWARD_MODE = Lock()
"""Held where torch differentiates forward: it counts its levels for all threads together."""


@dataclass(frozen=True, eq=False)
class DifferentiableMap:
    """A model as a function of flat points that torch differentiates, and the points.

    Attributes:
        function: From [rows, d] points, and rows of the condition, to [rows, n] outputs.
        points: All points, flat.
        condition: A row of it for each point, or None.
        outputs: Number of outputs.
        shape: Shape of one point as the model takes it.
        name: What the model is called, for errors.
        chain: The same model as a chain of layers, whose Jacobians are quicker; None if it is none.
    """

    function: Callable[[Tensor, Any], Tensor]
    points: Tensor
    condition: Any
    outputs: int
    shape: tuple[int, ...]
    name: str = "model"
    chain: Chain | None = None

    @property
    def dimension(self) -> int:
        """Dimension of the points."""
        return int(self.points.shape[1])

    def shaped(self, rows: np.ndarray) -> Tensor:
        """Some points as the model takes them."""
        return self.points[torch.from_numpy(rows)].reshape(len(rows), *self.shape)

    def at(self, points: Tensor) -> DifferentiableMap:
        """The same map at other flat points."""
        return replace(self, points=points)

    @staticmethod
    def of(
        model: Any,
        points: Any,
        *,
        affine: bool,
        condition: Any = None,
        names: tuple[str, str] = ("model", "points"),
    ) -> DifferentiableMap:
        """A model of any kind.

        Args:
            model: A module, any differentiable function of a batch, a network or the path of one.
            points: [n, *shape] points.
            affine: Whether to import the model and take it before its head, in float64.
            condition: Given to the model after the points; None for none.
            names: What the arguments are called, for errors.

        Returns:
            The model at the points. Cost: a forward pass of two of them.

        Raises:
            InvalidInputError: If an argument is none of what is expected.
        """
        name, given = names
        try:
            z = points if isinstance(points, Tensor) else torch.as_tensor(np.asarray(points))
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"`{given}`: got {type(points).__name__}; expected [n, *shape] real numbers"
            ) from error
        if z.ndim < 2 or z.is_complex():
            raise InvalidInputError(f"`{given}`: got shape {tuple(z.shape)}; expected [n, *shape] real numbers")
        if not bool(torch.isfinite(z).all()):
            raise InvalidInputError(f"`{given}`: some numbers are NaN or infinite; expected finite ones")
        if affine and (isinstance(model, Network | nn.Module) or not callable(model)):
            network = as_network(model, tuple(z.shape[1:]), name)
            shape = network.input_shape
            return DifferentiableMap._made(partial(forward, network), z.double().cpu(), shape, None, names)
        if isinstance(model, Network):
            whole = partial(behind_head, model)
            return DifferentiableMap._made(whole, z.double().cpu(), model.input_shape, condition, names)
        call = model
        if isinstance(model, nn.Module):
            call = working_copy(model)
            z = as_parameters(z, call)
        elif not callable(model):
            raise InvalidInputError(f"`{name}`: got {type(model).__name__}; expected a module, network or function")
        z = z if z.is_floating_point() else z.double()
        if z.dtype not in (torch.float32, torch.float64):
            raise InvalidInputError(f"`{name}`: its numbers are {z.dtype}; expected float32 or float64")
        return DifferentiableMap._made(call, z, tuple(z.shape[1:]), condition, names)

    @staticmethod
    def _made(
        call: Callable[..., Any], z: Tensor, shape: tuple[int, ...], condition: Any, names: tuple[str, str]
    ) -> DifferentiableMap:
        name, given = names
        if condition is not None and not (hasattr(condition, "shape") and len(condition.shape)):
            raise InvalidInputError(
                f"`condition`: got {type(condition).__name__}; expected a tensor with a row for each"
            )
        if condition is not None and len(condition) != len(z):
            raise InvalidInputError(
                f"`condition`: got {len(condition)} rows; expected one for each of {len(z)} {given}"
            )

        def function(x: Tensor, rows: Any) -> Tensor:
            own = x.clone().reshape(len(x), *shape)  # which a module may change in place
            y = call(own, *(() if rows is None else (rows,)))
            if not isinstance(y, Tensor) or y.shape[:1] != x.shape[:1]:
                raise InvalidInputError(
                    f"`{name}`: returned {type(y).__name__}; expected a tensor with a row for each of the {given}"
                )
            return y.flatten(1) if y.ndim > 1 else y[:, None]

        few, outputs = min(len(z), 2), 0
        if few:
            try:
                with torch.no_grad():
                    rows = None if condition is None else condition[:few]
                    outputs = function(z[:few].flatten(1), rows).shape[1]
            except InvalidInputError:
                raise
            except Exception as error:  # torch's, of shapes that do not fit, or the user's own
                reason = first_line(error)
                raise InvalidInputError(f"`{name}`: it fails for {given} of shape {shape}: {reason}") from error
        return DifferentiableMap(function, z.detach().flatten(1), condition, int(outputs), shape, name)

    def jacobians(self) -> Iterator[Tensor]:
        """[rows, outputs, d] Jacobians of the points, in parts of bounded memory."""
        if self.chain is not None:
            yield from self.chain.jacobians(self.points)
            return
        for z, condition in self._parts(FORWARD):
            J = None
            with suppress(RuntimeError, NotImplementedError):
                J = assembled(self._forwards(z, condition), self.dimension)
            yield self._backwards(partial(self._call, condition), z)[1] if J is None else J

    def sketches(self, projection: OutputProjection) -> Iterator[Tensor]:
        """[rows, k, d] projected Jacobians, a few columns at a time; by reverse mode where k < d."""
        if self.chain is not None:
            yield from map(projection.of_columns, self.chain.blocks(self.points))
            return
        for z, condition in self._parts(FORWARD):
            found = None
            if projection.size >= self.dimension:
                with suppress(RuntimeError, NotImplementedError):
                    found = projection.of_columns(self._forwards(z, condition))
            yield self._pulled(z, condition, projection) if found is None else found

    def first_not_finite(self) -> int | None:
        """The first point with an output that is NaN or infinite; None if there is none."""
        start = 0
        for z, condition in self._parts(FORWARD, 1):
            with torch.no_grad():
                fine = self.function(z, condition).isfinite().all(dim=1)
            if not bool(fine.all()):
                return start + int((~fine).nonzero()[0])
            start += len(z)
        return None

    def _parts(self, numbers: int, columns: int | None = None) -> Iterator[tuple[Tensor, Any]]:
        """Points with their conditions, so many that Jacobians of so many columns have so many numbers at most."""
        rows = max(1, numbers // max(1, (self.dimension if columns is None else columns) * self.outputs))
        for start in range(0, len(self.points), rows):
            condition = None if self.condition is None else self.condition[start : start + rows]
            yield self.points[start : start + rows], condition

    def values_and_rows(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Outputs, and Jacobians by reverse mode, which is quicker where there are fewer outputs than dimensions."""
        for z, condition in self._parts(BUDGET):
            yield self._backwards(partial(self._call, condition), z)

    def _call(self, condition: Any, x: Tensor) -> Tensor:
        return self.function(x, condition)

    def _forwards(self, z: Tensor, condition: Any) -> Iterator[Tensor]:
        """[rows, outputs, some] columns of Jacobians of rows that don't know of each other."""
        call = partial(self._call, condition)

        def column(direction: Tensor) -> Tensor:
            return torch.func.jvp(call, (z,), (direction.expand_as(z),))[1]

        directions = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        alone = FORWARD // max(1, self.dimension * self.outputs) <= 1
        for few in directions.split(max(DIRECTIONS, FORWARD // (8 * self.outputs)) if alone else len(directions)):
            with torch.no_grad(), _FORWARD_MODE:
                block = None
                with suppress(RuntimeError, NotImplementedError):  # all share the values that they are taken at
                    block = torch.func.vmap(column, out_dims=2)(few).detach()
                if block is None:
                    block = torch.stack([column(direction) for direction in few], dim=2).detach()
            yield block

    def _pulled(self, z: Tensor, condition: Any, projection: OutputProjection) -> Tensor:
        """Projected Jacobians by reverse mode, vector by vector."""
        z = z.clone().requires_grad_(True)
        found: list[Tensor] = []
        step = max(1, FORWARD // max(1, self.outputs))
        try:
            with torch.enable_grad():
                y = self._call(condition, z)
            for start in range(0, projection.size, step):
                for vector in projection.vectors(start, min(projection.size, start + step)):
                    found.append(torch.autograd.grad(y, z, vector.expand_as(y), retain_graph=True)[0])
        except RuntimeError as error:
            raise self._refused(error) from error
        return projection.of_rows(torch.stack(found, dim=1).detach())

    def _backwards(self, call: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
        """Values, and Jacobians by reverse mode."""
        with torch.no_grad():
            try:  # all outputs together
                pulled: Any = torch.func.vjp(call, z)
                y, pull = pulled
                each = torch.eye(y.shape[1], dtype=y.dtype, device=y.device)[:, None].expand(-1, len(y), -1)
                return y.detach(), torch.func.vmap(pull, out_dims=1)(each)[0].detach()
            except (RuntimeError, NotImplementedError):
                pass
        z = z.clone().requires_grad_(True)
        try:
            with torch.enable_grad():
                y = call(z)
                rows = [torch.autograd.grad(y[:, j].sum(), z, retain_graph=True)[0] for j in range(y.shape[1])]
        except RuntimeError as error:
            raise self._refused(error) from error
        return y.detach(), torch.stack(rows, dim=1)

    def _refused(self, error: RuntimeError) -> InvalidInputError:
        reason = str(error).splitlines()[0]
        return InvalidInputError(
            f"`{self.name}`: its Jacobian cannot be taken ({reason}); expected a differentiable one"
        )


def behind_head(network: Network, x: Tensor) -> Tensor:
    """What the original of a network returns: its outputs, through its head if it has one.

    Args:
        network: The network.
        x: [n, *input_shape] points in float64.

    Returns:
        [n, *shape] outputs.
    """
    y = forward(network, x)
    return y if network.head is None else network.head(y)
