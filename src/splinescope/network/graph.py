"""A continuous piecewise affine network: a frozen graph of few ops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.heads import Head
from splinescope.network.ops import Activation, Fold, Input, Maximum, Op


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

    @property
    def size(self) -> int:
        """Number of numbers in its value."""
        return math.prod(self.shape)

    @property
    def units(self) -> int:
        """Number of its units that can fold; 0 for ops without folds."""
        return self.size if isinstance(self.op, Fold) else 0


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


@dataclass(frozen=True, eq=False)
class Network:
    """A continuous piecewise affine network, in float64 on the CPU.

    Attributes:
        nodes: The nodes in topological order; the first is the input.
        output: Index of the node that has the output, before the head.
        head: The smooth function that the original applies last, if any.
        import_report: How well the import agrees with the original.

    Example:
        >>> import torch
        >>> from splinescope.network import from_torch
        >>> network = from_torch(torch.nn.Linear(3, 2), input_shape=(3,))
        >>> network.input_shape, network.output_shape, network.num_units
        ((3,), (2,), 0)
    """

    nodes: tuple[Node, ...]
    output: int
    head: Head | None = None
    import_report: ImportReport = ImportReport()

    def __post_init__(self) -> None:
        assert isinstance(self.nodes[0].op, Input)
        assert all(source < index for index, node in enumerate(self.nodes) for source in node.inputs)

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
        """Number of units that can fold: elements of activations and maxima."""
        return sum(node.units for node in self.nodes)

    @overload
    def __call__(self, x: np.ndarray) -> np.ndarray: ...
    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    def __call__(self, x: np.ndarray | Tensor) -> np.ndarray | Tensor:
        """Outputs before the head.

        Args:
            x: [N, *input_shape] inputs of any real type.

        Returns:
            [N, *output_shape] outputs in float64, of the kind that came in; autograd goes through tensors.

        Raises:
            InvalidInputError: If the shape is not that of a batch of inputs.
        """
        from splinescope.network.evaluate import forward

        self._check_shape(tuple(x.shape))
        if isinstance(x, Tensor):
            return forward(self, x.to(dtype=torch.float64, device="cpu"))
        with torch.no_grad():
            return forward(self, torch.from_numpy(np.array(x, np.float64))).numpy()

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if not shape or shape[1:] != self.input_shape:
            expected = ", ".join(["N", *map(str, self.input_shape)])
            raise InvalidInputError(f"`x`: got the shape {shape}; expected a batch of inputs of shape [{expected}]")

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


def _summary(index: int, nodes: tuple[Node, ...]) -> NodeSummary:
    node = nodes[index]
    weights = [getattr(node.op, name, None) for name in ("weight", "bias", "scale", "shift")]
    parameters = sum(weight.numel() for weight in weights if isinstance(weight, Tensor))
    return NodeSummary(index, node.name, _label(node.op), node.inputs, node.shape, node.units, parameters)


def _label(op: Op) -> str:
    if isinstance(op, Activation):
        return "ReLU" if op.is_relu else f"Activation ({len(op.slopes)} pieces)"
    if isinstance(op, Maximum):
        return f"Maximum (of {op.index.shape[1]})"
    return type(op).__name__
