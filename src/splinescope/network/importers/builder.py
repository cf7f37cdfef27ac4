"""Builds a network node by node; what both importers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.graph import Node
from splinescope.network.heads import HeadName
from splinescope.network.importers.module_copy import first_line
from splinescope.network.importers.views import Byproduct, Number, Shape, Smooth, Step, Value, Variable, to_float64
from splinescope.network.ops import Concatenate, Input, Op, Reshape, Select

Rearrangement = Callable[..., np.ndarray | Sequence[np.ndarray]]
"""A function of arrays that only moves their numbers, and works alike on indices and on values."""


@dataclass
class Builder:
    """A network under construction.

    Attributes:
        batched: Whether shapes in the original model begin with a batch axis, here of length 1.
        nodes: The nodes so far.
        origin: Name of the original node that is being imported.
        op: Name of its op.
        within: Name and op of the original node of which the current one is a part, if it is.
        unit: Spacing of numbers near one in the coarsest type to which the original rounds inside.
    """

    batched: bool
    nodes: list[Node] = field(default_factory=list)
    origin: str = "input"
    op: str = "input"
    within: tuple[str, str] | None = None
    unit: float = float(np.finfo(np.float64).eps)
    _uses: dict[str, int] = field(default_factory=dict)

    # -- the original's shapes, and those of nodes

    def own_shape(self, shape: Shape) -> Shape:
        """Shape of a node for a shape of the original: without the batch axis of length 1."""
        return shape[1:] if self.batched and shape and shape[0] == 1 else shape

    def own_axis(self, shape: Shape, axis: int) -> int:
        """The axis of a node for an axis of the original; -1 for the batch axis."""
        return axis % len(shape) - (len(shape) - len(self.own_shape(shape)))

    # -- nodes

    def add_input(self, shape: Shape, name: str) -> Variable:
        """Add the input, of a shape in the original."""
        self.nodes.append(Node(name, Input(), (), self.own_shape(shape)))
        return Variable(0, shape)

    def add(self, op: Op, inputs: Sequence[int], shape: Shape, own_shape: Shape | None = None) -> Variable:
        """Add a node and return its value.

        Args:
            op: The node's op.
            inputs: Indices of the nodes that it reads.
            shape: Shape of its value in the original.
            own_shape: Shape of the node; by default the original's without the batch axis.
        """
        own_shape = self.own_shape(shape) if own_shape is None else own_shape
        assert math.prod(own_shape) == math.prod(shape)
        self.nodes.append(Node(self._name(op), op, tuple(inputs), own_shape))
        return Variable(len(self.nodes) - 1, shape)

    def _name(self, op: Op) -> str:
        """The original's name; what it needs beside its op itself is named by what it does."""
        name = f"{self.origin}:{type(op).__name__.lower()}" if isinstance(op, Reshape | Select) else self.origin
        uses = self._uses[name] = self._uses.get(name, 0) + 1
        return name if uses == 1 else f"{name}:{uses}"

    def node_of(self, x: Variable, own_shape: Shape | None = None) -> int:
        """A node whose value is `x` in the given shape (by default the original's without the batch axis)."""
        own_shape = self.own_shape(x.shape) if own_shape is None else own_shape
        if x.index is not None or x.constant is not None:
            index = torch.from_numpy(np.ascontiguousarray(x.positions())).reshape(own_shape)
            constant = None if x.constant is None else self.constant(torch.from_numpy(x.constant)).reshape(own_shape)
            return self.add(Select(index, constant), [x.node], x.shape, own_shape).node
        if self.nodes[x.node].shape == own_shape:
            return x.node
        return self.add(Reshape(own_shape), [x.node], x.shape, own_shape).node

    def materialised(self, x: Variable) -> Variable:
        """The same value as all numbers of one node, in order."""
        if x.index is None and x.constant is None:
            return x
        return Variable(self.node_of(x), x.shape)

    # -- constants and refusals

    def number(self, value: Tensor | Number) -> Tensor:
        """A number or a tensor as a float64 tensor, which may be infinite."""
        return value.detach().double() if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)

    def constant(self, value: Tensor | Number) -> Tensor:
        """A weight in float64.

        Raises:
            InvalidInputError: If a number is NaN or infinite.
        """
        weight = to_float64(self.number(value))
        if weight.numel() and not bool(torch.stack(weight.aminmax()).isfinite().all()):
            bad = int((~torch.isfinite(weight)).sum())
            raise InvalidInputError(
                f"`model`: node `{self.origin}` ({self.op}) has {bad} weights that are NaN or infinite; "
                "expected finite numbers, so train or load the model again"
            )
        return weight

    def refusal(self, reason: str) -> UnsupportedOpError:
        """The exception that says why the current node cannot be imported."""
        op = self.op if self.within is None else f"{self.within[1]}, as {self.op}"
        return UnsupportedOpError(f"node `{self.origin}` ({op}): {reason}")

    def failure(self, error: Exception) -> UnsupportedOpError:
        """The exception that stands for one of which nothing better is known, at the current node."""
        return self.refusal(f"splinescope cannot read it ({first_line(error)})")

    def variable(self, value: Value) -> Variable:
        """The value, if it depends on the input piecewise affinely; refuses what jumps or lies behind a smooth head."""
        if isinstance(value, Step):
            raise self.refusal(f"it takes what a comparison decides: {value.jump() or 'it is no number'}")
        if isinstance(value, Smooth):
            raise UnsupportedOpError(
                f"{value.origin}: it is smooth, not piecewise affine, and not the last op: node `{self.origin}` "
                f"({self.op}) takes its result"
            )
        assert isinstance(value, Variable)
        return value

    def byproduct(self) -> Byproduct:
        """What the current node returns beside its value."""
        return Byproduct(f"node `{self.origin}` ({self.op})")

    def check_arguments(self, leaves: Iterable[object]) -> None:
        """Refuse an op that uses what another one returns beside its value."""
        for leaf in leaves:
            if isinstance(leaf, Byproduct):
                raise self.refusal(
                    f"it uses what {leaf.origin} returns beside its value, such as positions, which jump"
                )

    # -- rearrangements

    def reshape(self, x: Variable | Smooth, shape: Shape) -> Variable | Smooth:
        """The same numbers in another shape, with at most one -1."""
        if isinstance(x, Step):
            self.variable(x)
        shape = tuple(np.empty(x.shape, np.bool_).reshape(shape).shape)
        if isinstance(x, Smooth):
            tables = [None if table is None else table.reshape(shape) for table in (x.scale, x.shift)]
            return replace(x, shape=shape, scale=tables[0], shift=tables[1])
        index = None if x.index is None else x.index.reshape(shape)
        constant = None if x.constant is None else x.constant.reshape(shape)
        return replace(x, shape=shape, index=index, constant=constant)

    def rearrange(self, function: Rearrangement, *values: Value) -> list[Variable]:
        """Apply a function that only moves numbers, to one or several values.

        Args:
            function: Takes one array for each value, and returns an array or several. It is called with the
                positions, counted from 1, and with the constants; where it makes zeros there is no number.
            *values: Variables and constants; at least one variable.

        Returns:
            The results.
        """
        node, parts = self._over_one_node(values)
        positions = _listed(function(*(np.asarray(index + 1) for index, _ in parts)))
        with_constant = any(constant.any() for _, constant in parts)
        constants = (
            _listed(function(*(constant for _, constant in parts))) if with_constant else [None] * len(positions)
        )
        size = self.nodes[node].size
        results = []
        for index, constant in zip(positions, constants, strict=True):
            index = np.ascontiguousarray(index).astype(np.int64) - 1
            if constant is not None and not constant.any():
                constant = None
            shape = tuple(index.shape)
            whole = index.size == size and bool((index.reshape(-1) == np.arange(size)).all())
            results.append(Variable(node, shape, None if whole else index, constant))
        return results

    def _over_one_node(self, values: Sequence[Value]) -> tuple[int, list[tuple[np.ndarray, np.ndarray]]]:
        """Positions in one node, and constants, of several values; their nodes are joined if they differ."""
        variables = [self.variable(v) for v in values if not isinstance(v, Tensor)]
        starts: dict[int, int] = {}
        if len({v.node for v in variables}) == 1:
            node = variables[0].node
            starts[node] = 0
        else:
            values = [v if isinstance(v, Tensor) else self.materialised(self.variable(v)) for v in values]
            for v in values:
                if isinstance(v, Variable) and v.node not in starts:
                    starts[v.node] = sum(self.nodes[n].size for n in starts)
            flats = [self.node_of(Variable(n, self.nodes[n].shape), (self.nodes[n].size,)) for n in starts]
            total = sum(self.nodes[n].size for n in starts)
            node = self.add(Concatenate(0), flats, (total,), (total,)).node
        return node, [self._part(v, starts) for v in values]

    def _part(self, value: Value, starts: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
        if isinstance(value, Tensor):
            constant = value.detach().double().numpy()
            return np.full(constant.shape, -1), constant
        variable = self.variable(value)
        positions = variable.positions()
        return np.where(positions < 0, -1, positions + starts[variable.node]), variable.offsets()

    def expand(self, x: Variable, shape: Shape) -> Variable:
        """Broadcast to a shape."""
        if x.shape == shape:
            return x
        return self.rearrange(lambda array: np.broadcast_to(array, shape), x)[0]

    def head(self, name: HeadName, x: Value, axis: int | None = None) -> Smooth:
        """A smooth function as the head, if it comes last."""
        source = self.variable(x)
        if axis is not None:
            axis = axis % max(1, len(source.shape))
            if self.own_axis(source.shape, axis) < 0:
                raise self.refusal("it is a softmax over the batch; expected one over the outputs")
        return Smooth(name, axis, source, source.shape, f"node `{self.origin}` ({self.op})")


def _listed(result: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    return [result] if isinstance(result, np.ndarray) else list(result)
