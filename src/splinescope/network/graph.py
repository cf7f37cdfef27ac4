"""A continuous piecewise affine network as a frozen graph of ops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.ops import Activation, Maximum, Op


@dataclass(frozen=True, eq=False)
class Node:
    """One op in a network.

    Attributes:
        name: Name in the original model.
        op: What it computes.
        inputs: Nodes that it reads.
        shape: Shape of its output, without the batch.
    """

    name: str
    op: Op
    inputs: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Head:
    """A smooth function after the last affine op, kept apart from the piecewise affine network.

    Attributes:
        name: "softmax", "log_softmax", "sigmoid" or "tanh" (several joined by " + ").
        function: Outputs of the network [batch, *output_shape] to outputs of the original model.
    """

    name: str
    function: Callable[[Tensor], Tensor]

    def __call__(self, outputs: Tensor) -> Tensor:
        """Outputs of the original model."""
        return self.function(outputs)


@dataclass(frozen=True)
class ImportReport:
    """How far an imported network is from the original.

    Attributes:
        reference: What it was compared with, as "onnxruntime" or "module (float64)"; "none" if nothing could run.
        samples: Number of random inputs.
        max_absolute: Largest difference of an output.
        max_relative: The same relative to the largest output.
    """

    reference: str
    samples: int
    max_absolute: float
    max_relative: float


@dataclass(frozen=True, eq=False)
class Network:
    """A continuous piecewise affine network.

    Attributes:
        nodes: Ops in topological order; the first is the input.
        output: Index of the output node.
        head: Smooth tail of the original model, or None.
        import_report: Deviation from the original model.
        source: Where it came from.
    """

    nodes: tuple[Node, ...]
    output: int
    head: Head | None = None
    import_report: ImportReport | None = None
    source: str = ""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch."""
        return self.nodes[0].shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one output, without the batch."""
        return self.nodes[self.output].shape

    @property
    def num_units(self) -> int:
        """Number of units that can fold: elements of activations and maxima."""
        folding = [node for node in self.nodes if isinstance(node.op, Activation | Maximum)]
        return sum(int(np.prod(node.shape, dtype=np.int64)) for node in folding)

    def __call__(self, x: Any) -> Any:
        """Outputs before the head.

        Args:
            x: A batch [batch, *input_shape], array or tensor.

        Returns:
            [batch, *output_shape] in float64: an array for an array, a tensor for a tensor.

        Raises:
            InvalidInputError: If the shape is another one.
        """
        from splinescope.network.evaluate import forward

        if isinstance(x, Tensor):
            return forward(self, self._checked(x.to(torch.float64)))
        with torch.no_grad():
            return forward(self, self._checked(torch.from_numpy(np.array(x, np.float64)))).numpy()

    def _checked(self, x: Tensor) -> Tensor:
        if tuple(x.shape[1:]) != self.input_shape or x.dim() == 0:
            raise InvalidInputError(f"`x`: got shape {tuple(x.shape)}; expected a batch of shape [N, {self._shape()}]")
        return x

    def _shape(self) -> str:
        return ", ".join(map(str, self.input_shape))

    def __repr__(self) -> str:
        """One line."""
        head = f", head {self.head.name}" if self.head else ""
        return f"Network({self.input_shape} -> {self.output_shape}, {self.num_units} units, {len(self.nodes)} nodes{head})"

    def describe(self) -> list[dict[str, Any]]:
        """One row for each node: name, op, shape, inputs and number of units that can fold."""
        rows = []
        for index, node in enumerate(self.nodes):
            units = int(np.prod(node.shape, dtype=np.int64)) if isinstance(node.op, Activation | Maximum) else 0
            rows.append(
                {
                    "index": index,
                    "name": node.name,
                    "op": type(node.op).__name__,
                    "shape": list(node.shape),
                    "inputs": list(node.inputs),
                    "units": units,
                }
            )
        return rows
