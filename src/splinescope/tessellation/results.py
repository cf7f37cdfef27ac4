"""What complexes answer with: plain arrays, below the complexes and above the functions that make them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.shown import Shown


@dataclass(frozen=True)
class AffineMaps(Shown):
    """The maps `x -> A x + c` of some cells, before the network's head.

    Attributes:
        A: Linear parts: by the domain's d coordinates [cells, outputs, d] or by the flat input [cells, outputs,
            inputs].
        c: Offsets: values of the maps at the coordinates 0, or at the input 0.
        space: "domain" or "input".
    """

    A: Float[np.ndarray, "cells outputs inputs"]
    c: Float[np.ndarray, "cells outputs"]
    space: str


@dataclass(frozen=True)
class Extrema(Shown):
    """Least and largest value of every output over the domain, before the network's head.

    Attributes:
        minimum: Least values.
        maximum: Largest values.
        minimizers: A point with the least value, in the domain's coordinates.
        maximizers: A point with the largest value.
    """

    minimum: Float[np.ndarray, " outputs"]
    maximum: Float[np.ndarray, " outputs"]
    minimizers: Float[np.ndarray, "outputs d"]
    maximizers: Float[np.ndarray, "outputs d"]


@dataclass(frozen=True)
class LinearRegions(Shown):
    """Maximal connected sets of cells with one affine map; unlike cells they need not be convex.

    Attributes:
        labels: Linear region of each cell, numbered from 0 in the order of their first cells.
        count: Number of linear regions.
        merged: Facets between cells across which the map does not change, as in `facets.numbers`.
        tolerance: Difference of two gradients, relative to the largest gradient, up to which they count as
            equal.
    """

    labels: Int[np.ndarray, " cells"]
    count: int
    merged: Int[np.ndarray, " merged"]
    tolerance: float

    @property
    def merged_edges(self) -> Int[np.ndarray, " merged"]:
        """In a plane, the interior edges across which the map does not change."""
        return self.merged


@dataclass(frozen=True)
class Folds(Shown):
    """The facets between cells of a complex and what made them.

    Attributes:
        facets: Indices of the facets in the complex: edges in a plane; see `PolyhedralComplex.facets`.
        ops: Node of the network that made each, an index into `network.nodes`.
        units: Flat index of the unit in that node's output.
        layers: Number of the node among those that fold, from 0 at the input.
        names: Name of the node of each layer.
        lengths: Length of each edge in slice coordinates; None where facets are no edges.
    """

    facets: Int[np.ndarray, " folds"]
    ops: Int[np.ndarray, " folds"]
    units: Int[np.ndarray, " folds"]
    layers: Int[np.ndarray, " folds"]
    names: tuple[str, ...]
    lengths: Float[np.ndarray, " folds"] | None

    @property
    def edges(self) -> Int[np.ndarray, " folds"]:
        """In a plane, indices of the interior edges."""
        return self.facets

    def labels(self) -> list[str]:
        """Name and unit of each fold, such as "relu_1[17]"."""
        return [f"{self.names[layer]}[{unit}]" for layer, unit in zip(self.layers, self.units, strict=True)]
