"""One polytope of a preimage, with all that is known of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from splinescope.preimage.polytopes import Polytope, polytope
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class Piece(Shown):
    """One polytope of a preimage: a view of a row of its arrays.

    Attributes:
        preimage: The preimage.
        number: Number of the piece in it.
    """

    preimage: Any
    number: int

    @property
    def halfspaces(self) -> Float[np.ndarray, "m _"]:
        """Rows `(n, b)` for `n @ t + b <= 0`, with unit normals."""
        offsets = self.preimage.halfspace_offsets
        return self.preimage.halfspaces[offsets[self.number] : offsets[self.number + 1]]

    @property
    def equalities(self) -> Float[np.ndarray, "k _"]:
        """Rows `(n, b)` for `n @ t + b == 0`, with orthonormal normals."""
        offsets = self.preimage.equality_offsets
        return self.preimage.equalities[offsets[self.number] : offsets[self.number + 1]]

    @property
    def pattern(self) -> UInt8[np.ndarray, " U"]:
        """Activation pattern of the network, as that of the cells of a complex."""
        return self.preimage.patterns[self.number]

    @property
    def A(self) -> Float[np.ndarray, "n d"]:  # noqa: N802 - as AffineMaps has it
        """Linear part of the network's map, in the domain's coordinates."""
        return self.preimage.slopes[self.number]

    @property
    def c(self) -> Float[np.ndarray, " n"]:
        """Constant of the network's map."""
        return self.preimage.constants[self.number]

    @property
    def witness(self) -> Float[np.ndarray, " d"]:
        """A point in its relative interior."""
        return self.preimage.witnesses[self.number]

    @property
    def dimension(self) -> int:
        """Its dimension."""
        return int(self.preimage.dimensions[self.number])

    @property
    def measure(self) -> float:
        """Its measure in its own dimension."""
        return float(self.preimage.measures[self.number])

    @cached_property
    def polytope(self) -> Polytope:
        """The polytope itself, around a largest ball."""
        found = polytope(self.halfspaces, self.equalities)
        return found or Polytope(self.halfspaces, self.equalities, self.witness, 0.0)

    @property
    def radius(self) -> float:
        """Chebyshev radius, that of a largest ball in its affine hull; infinite for a point."""
        known = float(self.preimage.radii[self.number])
        return self.polytope.radius if math.isnan(known) else known
