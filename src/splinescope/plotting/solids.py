"""The picture of cells in space: the surface of what they fill, each cell in its colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from splinescope.errors import InvalidInputError
from splinescope.plotting.meshes import plot_mesh
from splinescope.tessellation.affine import norms
from splinescope.tessellation.spatial.complex import SpatialComplex
from splinescope.tessellation.surface import SurfaceMesh

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = {
    "norm": "spectral norm of $A$ (output per input unit)",
    "volume": "volume of the cell (input units cubed)",
    "pattern": None,
}


def plot_solid(
    cells: SpatialComplex,
    ax: Axes | None = None,
    *,
    color: str | Shaped[np.ndarray, " cells"] = "norm",
    title: str | None = None,
    **options: Any,
) -> Axes:
    """Draw the outside of the cells of three dimensions; `explore()` shows what is inside.

    Args:
        cells: A complex of three dimensions.
        ax: Flat axes; new ones if None.
        color: "norm" (of the linear part), "volume", "pattern", or one number for each cell.
        title: Title; the number of cells if None, "" for none.
        **options: Those of `plot_mesh`: from where it is seen, what is up, the size.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If the cells are of another dimension, or the colouring does not fit.

    Cost: that of `plot_mesh` for the facets on the boundary of the domain.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(3,))
        >>> cells = splinescope.tessellate(relu, splinescope.Box([-1, -1, -1], [1, 1, 1]))
        >>> plot_solid(cells, height=100).get_title()
        '8 cells'
    """
    if not isinstance(cells, SpatialComplex) or cells.dimension != 3:
        raise InvalidInputError(
            f"`cells`: got a {type(cells).__name__} of dimension {cells.dimension}; expected three dimensions"
        )
    skin = outside(cells)
    values: Any = color
    if isinstance(color, str):
        if color not in _COLORS:
            raise InvalidInputError(f"`color`: got {color!r}; expected one of {', '.join(map(repr, _COLORS))}")
        if color != "pattern":
            values = (norms(cells) if color == "norm" else np.asarray(cells.measures))[skin.cells]
    elif np.shape(color) != (len(cells),):
        raise InvalidInputError(f"`color`: got the shape {np.shape(color)}; expected ({len(cells)},), one per cell")
    else:
        values = np.asarray(color, dtype=np.float64)[skin.cells]
    count = f"{'at least ' if cells.truncated else ''}{len(cells):,} cell{'' if len(cells) == 1 else 's'}"
    said = {"title": count if title is None else title, "label": _COLORS[color] if isinstance(color, str) else None}
    return plot_mesh(skin, ax, **{"color": values, **said, **options})


def outside(cells: SpatialComplex) -> SurfaceMesh:
    """The facets on the boundary of the domain, or of what was found of it, as a surface without neighbours.

    Args:
        cells: A complex of three dimensions.

    Returns:
        The surface.
    """
    loops = cells.face_loops()
    outer = np.flatnonzero((cells.facet_cells < 0).any(axis=1))
    sizes = np.diff(loops.offsets)[outer]
    firsts = np.cumsum(sizes) - sizes
    within = np.arange(sizes.sum()) - np.repeat(firsts, sizes)
    corners = loops.items[np.repeat(np.asarray(loops.offsets)[outer], sizes) + within]
    owners = cells.facet_cells[outer].max(axis=1)
    points = cells.vertices[corners]
    centres = np.add.reduceat(points, firsts, axis=0) / sizes[:, None]
    arms = points - np.repeat(centres, sizes, axis=0)
    following = np.where(within + 1 == np.repeat(sizes, sizes), np.repeat(firsts, sizes), np.arange(len(corners)) + 1)
    areas = np.add.reduceat(np.cross(arms, arms[following]), firsts, axis=0)
    outwards = np.sign(((centres - cells.interior_points[owners]) * areas).sum(axis=1, keepdims=True))
    normals = outwards * areas / np.maximum(np.linalg.norm(areas, axis=1, keepdims=True), np.finfo(float).tiny)
    return SurfaceMesh(
        domain=cells.domain,
        vertices=cells.vertices,
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        corners=np.asarray(corners, np.int64),
        twins=np.full(len(corners), -1, np.int64),
        normals=normals,
        cells=np.asarray(owners, np.int64),
        patterns=cells.patterns_of(owners),
        sources=np.zeros((len(cells.vertices), 2), np.int64),
    )
