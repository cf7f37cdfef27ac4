"""Pictures of decision boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from splinescope.plotting.data import fill_cells
from splinescope.plotting.figures import frame_slice, new_axes, settle_layout
from splinescope.plotting.layers import draw_boundary, draw_class_legend, draw_fills
from splinescope.plotting.thumbnails import anchor_images, draw_anchors
from splinescope.tessellation.boundary import decision_boundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.planar.complex import PlanarComplex


def plot_decision_boundary(
    cells: PlanarComplex,
    classes: Sequence[int] | None = None,
    ax: Axes | None = None,
    *,
    fill: bool = True,
    anchors: bool = True,
    title: str | None = None,
) -> Axes:
    """Draw the exact decision boundary in a slice, over the regions of the classes.

    Args:
        cells: A planar complex.
        classes: Outputs that compete; all if None.
        ax: Axes to draw in; new ones if None.
        fill: Whether to fill the class regions, with a legend.
        anchors: Whether to mark the slice's anchors.
        title: Title; "decision boundary" if None, none if "".

    Returns:
        The axes. Nothing is shown or saved.

    Raises:
        InvalidInputError: If the complex is not of a plane, or `classes` are not at least two different outputs.

    Cost: that of `class_regions`, and drawing their sides.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_decision_boundary(cells).get_title()
        'decision boundary'
    """
    axes = new_axes(5.4 if fill else 4.7) if ax is None else ax
    frame_slice(axes, cells, "decision boundary" if title is None else title)
    if fill:
        fills = fill_cells(cells, "class", classes)
        draw_class_legend(axes, fills.classes, cells.network.classes)
        draw_fills(axes, fills)
    settle_layout(axes)
    draw_boundary(axes, decision_boundary(cells, classes))
    if anchors and cells.domain.anchors is not None:
        draw_anchors(axes, cells.domain.anchors, anchor_images(cells))
    return axes
