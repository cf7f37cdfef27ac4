"""One cell of a complex, with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from splinescope.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell: a view of a row of its complex, whose arrays are quicker for many cells.

    Attributes:
        complex: The complex.
        number: Number of the cell in it.

    Example:
        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> cell = cells[cells.locate([[0.5, 0.5]])[0]]
        >>> cell.pattern.tolist(), cell.measure, len(cell.neighbours)
        ([1, 1], 1.0, 2)
    """

    complex: Any
    number: int

    def __repr__(self) -> str:
        at = ", ".join(f"{x:.4g}" for x in self.interior_point[:4]) + (", ..." if self.complex.dimension > 4 else "")
        return f"Cell({self.number} of {len(self.complex)}, around ({at}), {len(self.neighbours)} neighbours)"

    @property
    def vertices(self) -> Float[np.ndarray, "k d"]:
        """[k, d] its vertices, which are two ends on a segment, and corners counter-clockwise in a plane.

        Raises:
            InvalidInputError: If it is a cell of a region graph.
        """
        if not hasattr(self.complex, "vertices"):
            raise InvalidInputError("`vertices`: a region graph has none; see `halfspaces`")
        found: np.ndarray = self.complex.cell(self.number)
        return found

    @property
    def interior_point(self) -> Float[np.ndarray, " d"]:
        """[d] a point inside, in the domain's coordinates."""
        point: np.ndarray = self.complex.interior_points[self.number]
        return point

    @property
    def measure(self) -> float:
        """Length, area or volume in the domain's coordinates."""
        return float(self.complex.measures[self.number])

    @property
    def pattern(self) -> UInt8[np.ndarray, " U"]:
        """[U] the piece that each unit is on, as a row of `patterns`."""
        row: np.ndarray = self.complex.patterns_of(np.array([self.number]))[0]
        return row

    @property
    def neighbours(self) -> Int[np.ndarray, " k"]:
        """[k] numbers of the cells with which it shares a facet."""
        graph = self.complex.adjacency
        return np.asarray(graph.indices[graph.indptr[self.number] : graph.indptr[self.number + 1]]).astype(np.int64)

    @property
    def halfspaces(self) -> Float[np.ndarray, "facets _"]:
        """[facets, d + 1] rows `(n, b)`; the cell is where `n @ t + b <= 0` for all of them."""
        rows: np.ndarray = self.complex.halfspaces(self.number)
        return rows

    def affine_map(self, space: str = "domain") -> tuple[Float[np.ndarray, "n_out d"], Float[np.ndarray, " n_out"]]:
        """`A` and `c` of the network on this cell, before its head: `A @ t + c`.

        Args:
            space: "domain" for the domain's coordinates, "input" for the flat input.

        Returns:
            [n_out, d] and [n_out]; of the input [n_out, n_in] and [n_out].
        """
        maps = self.complex.affine_maps(space, np.array([self.number]))
        return maps.A[0], maps.c[0]
