"""Pictures of a planar complex: its cells, its folds, its decision boundary, its anchors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from splinescope.plotting.data import fill_cells, fold_lines
from splinescope.plotting.figures import frame_slice, new_axes, settle_layout
from splinescope.plotting.inset import Zoom, draw_inset
from splinescope.plotting.layers import draw_boundary, draw_class_legend, draw_color_bar, draw_fills, draw_folds
from splinescope.plotting.thumbnails import anchor_images, draw_anchors
from splinescope.tessellation.boundary import decision_boundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.planar.complex import PlanarComplex


def plot_tessellation(
    cells: PlanarComplex,
    color: str | Shaped[np.ndarray, " cells"] = "pattern",
    ax: Axes | None = None,
    *,
    classes: Sequence[int] | None = None,
    line_width: float = 1.0,
    boundary: bool = True,
    anchors: bool = True,
    label: str | None = None,
    title: str | None = None,
    colormap: str | None = None,
    logarithmic: bool | None = None,
    inset: Zoom | None = None,
) -> Axes:
    """Draw a planar complex.

    Cells are filled, folds are lines whose width falls from the first layer to the last (thinner where there are more
    of them), the decision boundary is red, and the points that the slice was made from are marked, with their pictures
    where inputs are images. Axes are labelled with the names of the domain's coordinates, and the legend with those of
    the network's classes, where they have some.

    Args:
        cells: A planar complex.
        color: "pattern" (stable colours of activation patterns; neighbours differ), "norm" (spectral norm of the affine
            map along the slice), "class" (exact class regions), "area", "log-volume" (how much the network
            stretches areas, for at least two outputs; grey where it flattens), or an array with one number per cell.
        ax: Axes to draw in; new ones if None.
        classes: Outputs that compete for the boundary and the class regions; all if None.
        line_width: Factor of all fold widths; 0 draws no folds.
        boundary: Whether to draw the decision boundary.
        anchors: Whether to mark the slice's anchors.
        label: Label of the colour bar, with units; a fitting one if None.
        title: Title; the number of cells if None, none if "".
        colormap: Colour map of numbers, one of matplotlib's; viridis if None.
        logarithmic: Whether numbers have a logarithmic scale; if None where they span more than a factor of 20.
        inset: Two corners, lower left and upper right in slice coordinates: this part is drawn enlarged beside the
            picture, with lines that lead there.

    Returns:
        The axes. Nothing is shown or saved.

    Raises:
        InvalidInputError: If `color` is none of the above.

    Cost: linear in the number of edges; "norm" takes the affine maps of all cells, and the boundary
    `decision_boundary`.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_tessellation(cells).get_title()
        '4 cells'
    """
    fills, folds = fill_cells(cells, color, classes, colormap, logarithmic), fold_lines(cells)
    axes = new_axes(5.4 if fills.scale or fills.classes else 4.7) if ax is None else ax
    frame_slice(axes, cells, title)
    if fills.scale is not None:
        draw_color_bar(axes, fills.scale, label)
    if fills.classes:
        draw_class_legend(axes, fills.classes, cells.network.classes)
    settle_layout(axes)
    lines = decision_boundary(cells, classes) if boundary else None

    def draw(where: Axes) -> None:
        draw_fills(where, fills)
        if line_width > 0:
            draw_folds(where, folds, float(cells.measures.sum()), line_width)
        if lines is not None:
            draw_boundary(where, lines)

    draw(axes)
    if anchors and cells.domain.anchors is not None:
        draw_anchors(axes, np.asarray(cells.domain.anchors), anchor_images(cells))
    if inset is not None:
        draw_inset(axes, inset, draw)
    return axes
