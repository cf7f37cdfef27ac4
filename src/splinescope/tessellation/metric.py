"""Lengths and areas of the input space, measured in the coordinates of a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from splinescope.tessellation.planar.complex import PlanarComplex


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse an argument that is none of its choices.

    Args:
        name: The argument.
        value: What came.
        choices: What is expected.

    Raises:
        InvalidInputError: If `value` is none of `choices`.
    """
    if value not in choices:
        raise InvalidInputError(f"`{name}`: got {value!r}; expected one of {', '.join(map(repr, choices))}")


def isometry(cells: PlanarComplex) -> Float[np.ndarray, "2 2"]:
    r"""Factor $L$ of the Gram matrix $B B^T = L L^T$ of the slice's basis.

    For slice coordinates $t$ (rows) the points $tL$ have the distances of the inputs $o + tB$.

    Args:
        cells: A planar complex.

    Returns:
        Lower triangular matrix; the identity for an orthonormal basis.
    """
    basis = np.asarray(cells.domain.basis, dtype=np.float64).reshape(2, -1)
    upper = np.linalg.qr(basis.T, mode="r")
    factor: np.ndarray = (np.asarray(upper) * np.where(np.diag(upper) < 0, -1.0, 1.0)[:, None]).T
    return factor


def positions(cells: PlanarComplex, space: str = "domain") -> Float[np.ndarray, "vertices 2"]:
    """Vertices of a complex in slice coordinates, or in plane coordinates with the distances of the input space.

    Args:
        cells: A planar complex.
        space: "domain" for slice coordinates, "input" for coordinates with the distances of the input space.

    Returns:
        Positions.
    """
    check_choice("space", space, ("domain", "input"))
    return cells.vertices if space == "domain" else cells.vertices @ isometry(cells)
