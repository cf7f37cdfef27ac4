"""What may be looked for in cells: a level, or a change of the largest output; decided from bounds at the corners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from splinescope.geometry.lattice.polytopes import taken_lists


@dataclass(frozen=True)
class Cells:
    """Cells by their corners.

    Attributes:
        vertices: Vertices of the cells, cell after cell.
        offsets: [F + 1] start of each cell.
    """

    vertices: np.ndarray
    offsets: np.ndarray

    def taken(self, which: np.ndarray) -> Cells:
        """Some of the cells."""
        offsets, vertices = taken_lists(self.offsets, self.vertices, which)
        return Cells(vertices, offsets)

    def least(self, values: np.ndarray) -> np.ndarray:
        """[F, ...] the least of the values [C, ...] at the corners of each cell."""
        return np.minimum.reduceat(values, self.offsets[:-1], axis=0)

    def largest(self, values: np.ndarray) -> np.ndarray:
        """[F, ...] the largest of the values [C, ...] at the corners of each cell."""
        return np.maximum.reduceat(values, self.offsets[:-1], axis=0)


class Sought(ABC):
    """What is looked for among the values of the outputs."""

    @abstractmethod
    def may_meet(self, low: np.ndarray, high: np.ndarray, cells: Cells) -> np.ndarray:
        """[F] whether it may be found in each cell.

        Args:
            low: [C, n_out] values at the corners of the cells of affine functions that the outputs are not below.
            high: [C, n_out] values of such that they are not above.
            cells: The cells.
        """


@dataclass(frozen=True)
class Level(Sought):
    """A level of a combination of outputs.

    Attributes:
        weights: [n_out] coefficients of the outputs.
        level: The level.
        margin: Distance from it within which a value counts as it.
    """

    weights: np.ndarray
    level: float
    margin: float

    def may_meet(self, low: np.ndarray, high: np.ndarray, cells: Cells) -> np.ndarray:
        """Whether the level is between the bounds of the combination."""
        positive, negative = np.maximum(self.weights, 0.0), np.minimum(self.weights, 0.0)
        least = cells.least(low @ positive + high @ negative - self.level)
        largest = cells.largest(high @ positive + low @ negative - self.level)
        return (least <= self.margin) & (largest >= -self.margin)


@dataclass(frozen=True)
class Contest(Sought):
    """A change of the largest among some outputs.

    Attributes:
        classes: The outputs that compete.
        margin: Difference within which two of them count as equal.
    """

    classes: np.ndarray
    margin: float

    def may_meet(self, low: np.ndarray, high: np.ndarray, cells: Cells) -> np.ndarray:
        """Whether no output is certainly the largest on the whole cell."""
        low, high = low[:, self.classes], high[:, self.classes]
        leader = np.repeat(np.argmax(cells.least(low), axis=1), np.diff(cells.offsets))
        rows = np.arange(len(low))
        others = high.copy()
        others[rows, leader] = -np.inf
        return cells.least(low[rows, leader] - others.max(axis=1)) <= self.margin
