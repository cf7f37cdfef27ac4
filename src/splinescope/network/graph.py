"""A continuous piecewise affine network: a frozen graph of few ops."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.heads import Head
from splinescope.network.inputs import read_inputs
from splinescope.network.ops import AffineOp, Fold, Input, Op


@dataclass(frozen=True, eq=False)
class Node:
    """One node of a network.

    Attributes:
        name: The name that the node has in the original model.
        op: What it does.
        inputs: Indices of the nodes that it reads; all come before it.
        shape: Shape of its value, without the batch.
    """

    name: str
    op: Op
    inputs: tuple[int, ...]
    shape: tuple[int, ...]

    @cached_property
    def size(self) -> int:
        """Number of numbers in its value."""
        return math.prod(self.shape)

    @property
    def units(self) -> int:
        """Number of its units that can fold; 0 for ops without folds."""
        return 0 if self.fold is None else self.size

    @cached_property
    def fold(self) -> Fold | None:
        """Its op, if that folds."""
        return self.op if isinstance(self.op, Fold) else None

    @cached_property
    def affine(self) -> AffineOp | None:
        """Its op, if that is affine."""
        return self.op if isinstance(self.op, AffineOp) else None

    @property
    def columns(self) -> int:
        """Number of bits of its pattern."""
        return 0 if self.fold is None else self.size * self.fold.levels


@dataclass(frozen=True)
class Deviation:
    """How far an imported network is from one way of running the model that it was read from.

    Attributes:
        reference: What it was compared with: "module float64", "module float32", "onnxruntime".
        samples: Number of inputs.
        max_absolute: Largest absolute difference of outputs, behind the head if there is one, for inputs that are not
            larger than natural ones.
        max_relative: The same, each divided by the largest absolute output for inputs of the same order of magnitude.
    """

    reference: str
    samples: int
    max_absolute: float
    max_relative: float


@dataclass(frozen=True)
class ImportReport:
    """What an import found out about itself.

    Attributes:
        deviations: One comparison for each reference that could be run; empty if none could.
        notes: What a user should know, one sentence each.
        not_compared: Why there was no comparison with an original that there is; empty otherwise.
        natural_scale: Size of the inputs at which most units were seen on both sides of their folds; NaN if none was
            looked for.
        units_never_woken: Share of the units that can fold that the inputs of the comparison do not show on all sides
            of their folds; NaN if there were none. What is wrong in these alone, the comparison does not see.
    """

    deviations: tuple[Deviation, ...] = ()
    notes: tuple[str, ...] = ()
    not_compared: str = ""
    natural_scale: float = math.nan
    units_never_woken: float = math.nan

    def __str__(self) -> str:
        """Whether the import was compared, and how well it agrees; then how many units slept, and the notes."""
        lines = [f"Not compared with the original: {self.not_compared}"] if self.not_compared else []
        lines += [
            f"Agrees with {d.reference} on {d.samples} inputs, to {d.max_absolute:.2g} ({d.max_relative:.2g} relative)."
            for d in self.deviations
        ]
        if not math.isnan(self.units_never_woken):
            lines.append(f"Units never seen on all sides of their folds: {self.units_never_woken:.2%}.")
        return "\n".join((*lines, *(note for note in self.notes if note not in self.not_compared)))

    @property
    def max_absolute(self) -> float:
        """Largest absolute deviation from any reference; NaN if there was none."""
        return max((d.max_absolute for d in self.deviations), default=math.nan)

    @property
    def max_relative(self) -> float:
        """Largest relative deviation from any reference; NaN if there was none."""
        return max((d.max_relative for d in self.deviations), default=math.nan)

    @property
    def samples(self) -> int:
        """Number of inputs of the comparisons."""
        return max((d.samples for d in self.deviations), default=0)

    @property
    def reference(self) -> str:
        """The references by name, or "none"."""
        return ", ".join(d.reference for d in self.deviations) or "none"


def nodes_behind(nodes: Sequence[Node], wanted: Iterable[int]) -> list[int]:
    """Nodes on which some nodes depend, and these themselves.

    Args:
        nodes: The nodes of a graph, each after those that it reads.
        wanted: Indices of nodes.

    Returns:
        Indices, in order.

    Cost: linear in the number of nodes.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> nodes_behind(relu.nodes, [1])
        [0, 1]
    """
    found = set(wanted)
    for index in range(max(found, default=-1), -1, -1):
        if index in found:
            found.update(nodes[index].inputs)
    return sorted(found)


@dataclass(frozen=True, eq=False)
class Network:
    """A continuous piecewise affine network, in float64 on the CPU.

    Attributes:
        nodes: The nodes in topological order; the first is the input.
        output: Index of the node that has the output, before the head.
        head: The smooth function that the original applies last, if any.
        import_report: How well the import agrees with the original.
        classes: What the classes are called, one name for each output, two for a network with one output; None if they
            have no names. Pictures, tables and messages use them.

    Raises:
        InvalidInputError: If there are not as many names as classes, or two are the same.

    Example:
        >>> import torch
        >>> from splinescope.network import from_torch
        >>> network = from_torch(torch.nn.Linear(3, 2), input_shape=(3,))
        >>> network.input_shape, network.output_shape, network.num_units
        ((3,), (2,), 0)
        >>> network.with_classes(["cat", "dog"]).class_name(1)
        'dog'
    """

    nodes: tuple[Node, ...]
    output: int
    head: Head | None = None
    import_report: ImportReport = ImportReport()
    classes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        assert isinstance(self.nodes[0].op, Input)
        assert all(source < index for index, node in enumerate(self.nodes) for source in node.inputs)
        if self.classes is not None:
            object.__setattr__(self, "classes", _class_names(self.classes, self.num_classes))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch."""
        return self.nodes[0].shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one output before the head, without the batch."""
        return self.nodes[self.output].shape

    @property
    def num_units(self) -> int:
        """Number of units that can fold, the elements of activations and maxima."""
        return sum(node.units for node in self.nodes)

    @cached_property
    def folds(self) -> Mapping[int, Fold]:
        """The ops that fold, by the indices of their nodes, in order."""
        return {index: node.fold for index, node in enumerate(self.nodes) if node.fold is not None}

    def origin(self, index: int) -> int:
        """The node that first has the numbers of another one, which only comes in another shape.

        Args:
            index: A node.

        Returns:
            Index of the first node whose flat value is that of the given one.
        """
        while (op := self.nodes[index].affine) is not None and op.keeps_order:
            (index,) = self.nodes[index].inputs
        return index

    @property
    def num_classes(self) -> int:
        """Number of outputs, which compete; 2 for a network with one output, whose classes are those of its sign."""
        return max(2, math.prod(self.output_shape))

    def with_classes(self, names: Sequence[str] | None) -> Network:
        """The same network with names for its classes.

        Args:
            names: One for each output, in order; for a network with one output those of class 0 (where it is not
                positive) and of class 1. None takes the names away.

        Returns:
            A new network; this one stays as it is. Cost: none, the nodes are shared.

        Raises:
            InvalidInputError: If there are not as many names as classes, or two are the same.

        Example:
            >>> import splinescope, torch
            >>> network = splinescope.load(torch.nn.Linear(3, 2)).with_classes(["cat", "dog"])
            >>> network.classes
            ('cat', 'dog')
        """
        return replace(self, classes=names)

    def class_name(self, label: int) -> str:
        """What a class is called: its name, or its number where classes have no names.

        Args:
            label: The class.

        Returns:
            Its name.
        """
        return str(label) if self.classes is None else self.classes[label]

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: np.ndarray | Sequence[Any] | float) -> np.ndarray: ...
    def __call__(self, x: np.ndarray | Tensor | Sequence[Any] | int | float) -> np.ndarray | Tensor:
        """Outputs before the head, of a batch of inputs or of one.

        As in NumPy, the batch axis of the result is that of the argument: a batch gives a batch, also a batch of one,
        and one input without a batch axis gives its outputs without one. What has exactly the network's input shape is
        one input. Inputs may be flat, in the order of `ravel`, where they can't be taken for inputs in shape.

        Args:
            x: [N, *input_shape] or [N, n_in] inputs, or one input of shape `input_shape` or [n_in]: an array, a tensor
                or lists, of any real type.

        Returns:
            [N, *output_shape] outputs, or `output_shape` for one input, in float64: a tensor on the CPU if one came,
            through which autograd goes, else an array.

        Raises:
            InvalidInputError: If the shape is none of these, or it is not made of real numbers.

        Cost: one forward pass, in parts of bounded memory.

        Example:
            >>> import splinescope, torch
            >>> network = splinescope.load(torch.nn.Linear(2, 3))
            >>> network([0.1, 0.2]).shape, network([[0.1, 0.2]]).shape
            ((3,), (1, 3))
        """
        # Evaluation imports the graph, and so is loaded when it is first asked for.
        forward = import_module("splinescope.network.evaluate").forward
        inputs = read_inputs(x, self.input_shape)
        if isinstance(inputs.batch, Tensor):
            outputs = forward(self, inputs.batch)
            return outputs.reshape(self.output_shape) if inputs.single else outputs
        with torch.no_grad():
            values = forward(self, torch.from_numpy(inputs.batch)).numpy()
        return values.reshape(self.output_shape) if inputs.single else values

    def __repr__(self) -> str:
        head = f", head {self.head.name}" if self.head else ""
        head += ", not compared with the original" if self.import_report.not_compared else ""
        return (
            f"Network({self.input_shape} -> {self.output_shape}, {self.num_units} units, {len(self.nodes)} nodes{head})"
        )

    def describe(self) -> tuple[NodeSummary, ...]:
        """One row for each node, for tables."""
        return tuple(_summary(index, self.nodes) for index in range(len(self.nodes)))


@dataclass(frozen=True)
class NodeSummary:
    """A node in words.

    Attributes:
        index: Its place among the nodes.
        name: Its name in the original model.
        op: Its op, and what kind of activation it is.
        inputs: Indices of the nodes that it reads.
        shape: Shape of its value, without the batch.
        units: Number of its units that can fold; 0 for ops without folds.
        parameters: Number of its weights and biases.
    """

    index: int
    name: str
    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    units: int
    parameters: int


def _class_names(names: Sequence[str], count: int) -> tuple[str, ...]:
    """Names of classes, one for each."""
    given = (names,) if isinstance(names, str) else tuple(names)
    if len(given) != count or not all(isinstance(name, str) and name for name in given):
        raise InvalidInputError(f"`classes`: got {list(given)!r}; expected {count} names, one for each class in order")
    if len(set(given)) < count:
        raise InvalidInputError(f"`classes`: got {list(given)!r}; expected {count} different names")
    return given


def _summary(index: int, nodes: tuple[Node, ...]) -> NodeSummary:
    node = nodes[index]
    weights = [getattr(node.op, name, None) for name in ("weight", "bias", "scale", "shift")]
    parameters = sum(weight.numel() for weight in weights if isinstance(weight, Tensor))
    return NodeSummary(index, node.name, node.op.label, node.inputs, node.shape, node.units, parameters)
