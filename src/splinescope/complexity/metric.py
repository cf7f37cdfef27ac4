r"""Coordinates with the distances of the input space, on a domain or on the whole input space.

With a base point $x_0$ and orthonormal directions $Q$ they are the $s$ of $x = x_0 + s Q$.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from splinescope.network.graph import Network
from splinescope.tessellation.domains import Domain


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates in which distances are measured, and the domain in them.

    Attributes:
        directions: [d, *input_shape] directions, orthonormal where distances are those of the input space.
        halfspaces: Rows (n, b): the domain is where `n @ s + b <= 0`; none for the whole input space.
    """

    directions: Tensor
    halfspaces: Float[np.ndarray, "facets columns"]

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.directions)

    def embed(self, step: Float[np.ndarray, " d"]) -> Tensor:
        """The step of the input that has some coordinates, as a batch of one."""
        flat = torch.from_numpy(np.ascontiguousarray(step)) @ self.directions.reshape(self.dimension, -1)
        return flat.reshape(1, *self.directions.shape[1:])

    def excess(self, step: Float[np.ndarray, " d"]) -> float:
        """How far a step from the base point goes beyond the domain; negative inside, and -inf without a domain."""
        return float((self.halfspaces[:, :-1] @ step + self.halfspaces[:, -1]).max(initial=-math.inf))


def frame_of(
    network: Network, domain: Domain | None = None, space: str = "input", base: ArrayLike | None = None
) -> Frame:
    """Coordinates on a domain with the distances of the input space; the input itself without one.

    Args:
        network: The network.
        domain: The domain.
        space: "input", or "domain" for the domain's own coordinates, whose distances are others where its basis is not
            orthonormal.
        base: Domain coordinates of the base point, zero by default.

    Returns:
        The frame.
    """
    shape = network.input_shape
    if domain is None:
        n = math.prod(shape)
        return Frame(torch.eye(n, dtype=torch.float64).reshape(n, *shape), np.zeros((0, n + 1)))
    d = domain.dimension
    basis = np.asarray(domain.basis, np.float64).reshape(d, -1)
    to_domain = np.eye(d) if space == "domain" else np.linalg.inv(np.asarray(np.linalg.qr(basis.T, mode="r")).T)
    directions = torch.from_numpy(to_domain @ basis).reshape(d, *shape)
    rows = np.asarray(domain.halfspaces, np.float64)
    offsets = rows[:, d] + (0.0 if base is None else rows[:, :d] @ np.asarray(base, np.float64))
    return Frame(directions, np.column_stack([rows[:, :d] @ to_domain.T, offsets]))
