"""What a search over cells looks for: another class, or the folds of a layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.complexity.branches import folds_before
from splinescope.complexity.walls import BranchForms
from splinescope.network.graph import Network


@dataclass(frozen=True, eq=False)
class TargetRows:
    """What is looked for in one cell: its points where `normals @ s + offsets` is zero or negative, for some row.

    Attributes:
        normals: Slopes of each form.
        offsets: Value of each at the starting point.
        labels: What each of them is.
        equal: Whether the forms must be zero: they may change sign between the starting point and the cell.
    """

    normals: Float[np.ndarray, "targets d"]
    offsets: Float[np.ndarray, " targets"]
    labels: Int[np.ndarray, " targets"]
    equal: bool


class SearchTarget(ABC):
    """What is looked for."""

    @abstractmethod
    def nodes(self, network: Network) -> list[int]:
        """Nodes that fold on which it depends."""

    @abstractmethod
    def rows(self, forms: BranchForms) -> TargetRows:
        """What it is on one branch."""

    @abstractmethod
    def reached(self, network: Network, place: torch.Tensor) -> bool:
        """Whether it is at an input: asked of the network itself, not of its forms."""


@dataclass(frozen=True)
class ClassChange(SearchTarget):
    """Points where the class is another one.

    Attributes:
        label: Class at the starting point.
    """

    label: int

    def nodes(self, network: Network) -> list[int]:
        """See `SearchTarget`."""
        own = [network.output] if network.nodes[network.output].units else []
        return folds_before(network, network.output) + own

    def rows(self, forms: BranchForms) -> TargetRows:
        """See `SearchTarget`."""
        values, slopes = forms.outputs[0], forms.slopes[0]
        if len(values) == 1:
            sign = 1.0 if self.label else -1.0
            return TargetRows(sign * slopes.T, sign * values, np.array([1 - self.label]), False)
        others = np.delete(np.arange(len(values)), self.label)
        normals = (slopes[:, self.label][:, None] - slopes[:, others]).T
        return TargetRows(normals, values[self.label] - values[others], others, False)

    def reached(self, network: Network, place: torch.Tensor) -> bool:
        """See `SearchTarget`."""
        return class_of(network, place) != self.label


@dataclass(frozen=True)
class FoldOf(SearchTarget):
    """Points of the folds of a node's units.

    Attributes:
        op: The node.
        unit: The only unit that counts; all if None.
    """

    op: int
    unit: int | None

    def nodes(self, network: Network) -> list[int]:
        """See `SearchTarget`."""
        return folds_before(network, self.op)

    def rows(self, forms: BranchForms) -> TargetRows:
        """See `SearchTarget`."""
        wall = next(wall for wall in forms.walls if wall.node == self.op)
        chosen = wall.present[0] if self.unit is None else wall.present[0] & (wall.units == self.unit)
        return TargetRows(wall.gradients[0].T[chosen], wall.margins[0][chosen], wall.units[chosen], True)

    def reached(self, network: Network, place: torch.Tensor) -> bool:
        """See `SearchTarget`; not needed: arguments are continuous, and zero there if their forms beside it are."""
        return True


def class_of(network: Network, x: torch.Tensor) -> int:
    """Class of one input.

    Args:
        network: The network.
        x: [1, *input_shape] an input.

    Returns:
        The class.
    """
    with torch.no_grad():
        return int(classes_of(network(x))[0])


def classes_of(outputs: Float[torch.Tensor, "batch ..."]) -> Int[np.ndarray, " batch"]:
    """Classes of outputs: the largest one, or whether the only one is positive.

    Args:
        outputs: Outputs of a network.

    Returns:
        The classes.
    """
    values = outputs.reshape(len(outputs), -1).numpy()
    return (values[:, 0] > 0).astype(np.int64) if values.shape[1] == 1 else values.argmax(axis=1)
