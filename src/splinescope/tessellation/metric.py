"""Lengths and areas of the input space, measured in the coordinates of a domain."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.tessellation.complex import PolyhedralComplex, VertexComplex
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
    if not isinstance(value, str) or value not in choices:
        what = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
        raise InvalidInputError(f"`{name}`: got {what}; expected one of {', '.join(map(repr, choices))}")


def isometry(cells: PolyhedralComplex) -> Float[np.ndarray, "d d"]:
    r"""Factor $L$ of the Gram matrix $B B^T = L L^T$ of the domain's basis.

    For coordinates $t$ of the domain (rows) the points $tL$ have the distances of the inputs $o + tB$.

    Args:
        cells: A complex of any dimension.

    Returns:
        Lower triangular matrix; the identity for an orthonormal basis.
    """
    basis = np.asarray(cells.domain.basis, dtype=np.float64).reshape(cells.domain.dimension, -1)
    upper = np.linalg.qr(basis.T, mode="r")
    factor: np.ndarray = (np.asarray(upper) * np.where(np.diag(upper) < 0, -1.0, 1.0)[:, None]).T
    return factor


def positions(cells: VertexComplex, space: str = "domain") -> Float[np.ndarray, "vertices d"]:
    """Vertices of a complex in the domain's coordinates, or in coordinates with the distances of the input space.

    Args:
        cells: A complex with vertices.
        space: "domain" for the domain's coordinates, "input" for coordinates with the distances of the input space.

    Returns:
        Positions.
    """
    check_choice("space", space, ("domain", "input"))
    return cells.vertices if space == "domain" else cells.vertices @ isometry(cells)


def plane_of(cells: object, what: str, instead: str) -> PlanarComplex:
    """A complex that has to be of a plane.

    Args:
        cells: A complex.
        what: What was asked, in the plural.
        instead: What to ask instead.

    Returns:
        The complex.

    Raises:
        InvalidInputError: If it is not a `PlanarComplex`.
    """
    if not isinstance(cells, PlanarComplex):
        kind = type(cells).__name__
        size = f" of dimension {cells.dimension}" if isinstance(cells, PolyhedralComplex) else ""
        raise InvalidInputError(
            f"`cells`: got a {kind}{size}; {what} are of planes: expected a PlanarComplex; {instead}"
        )
    return cells
