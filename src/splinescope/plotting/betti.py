"""Pictures of what data is connected like, from layer to layer, and of regions with their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from splinescope.plotting.colors import OKABE_ITO
from splinescope.plotting.data import FilledPolygons
from splinescope.plotting.figures import ACCENT, INK, frame_slice, new_axes, settle_layout
from splinescope.plotting.layers import draw_fills
from splinescope.tessellation.metric import plane_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.topology import BettiProfile, RegionTopology

_MARKS = ("o", "s", "^", "D", "v", "P")
_COLORS = (OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[2], OKABE_ITO[6], OKABE_ITO[1], OKABE_ITO[0])


def plot_betti_profile(
    profile: BettiProfile, ax: Axes | None = None, *, factor: float = 4.0, title: str | None = None
) -> Axes:
    """Draw the number of components of each class at each layer.

    Lines are at the scale of `factor` times the median distance of nearest neighbours, dotted ones at twice that.

    Args:
        profile: The profile.
        ax: Axes to draw in; new ones if None.
        factor: The scale.
        title: Title; none if None.

    Returns:
        The axes. Nothing is shown or saved.

    Cost: none worth mentioning.

    Example:
        >>> import torch
        >>> from splinescope.topology import betti_profile
        >>> found = betti_profile(torch.nn.Sequential(torch.nn.Tanh()), np.linspace(0, 1, 9)[:, None])
        >>> plot_betti_profile(found).get_ylabel()
        'components'
    """
    axes = new_axes(5.0, 3.4) if ax is None else ax
    places = np.arange(len(profile.layers))
    middle, coarse = profile.components(factor), profile.components(2 * factor)
    for column, label in enumerate(profile.classes):
        color, mark = _COLORS[column % len(_COLORS)], _MARKS[column % len(_MARKS)]
        axes.plot(places, coarse[:, column], ls=":", lw=1.0, color=color)
        axes.plot(places, middle[:, column], marker=mark, ms=4, color=color, label=f"class {label}")
    axes.set_yscale("log", base=2)
    axes.set_ylim(0.85, max(2.5, 1.15 * float(middle.max())))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(places, profile.layers, rotation=45, ha="right")
    axes.set_xlabel("layer")
    axes.set_ylabel("components")
    if title is not None:
        axes.set_title(title)
    if len(profile.classes) > 1:
        axes.legend(frameon=False, ncols=min(3, len(profile.classes)))
    return axes


def plot_region(region: RegionTopology, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the parts of a region of a plane, each in a colour of its own, and what it encloses hatched.

    Args:
        region: A region of a plane.
        ax: Axes to draw in; new ones if None.
        title: Title; the Betti numbers if None, none if "".

    Returns:
        The axes. Nothing is shown or saved.

    Raises:
        InvalidInputError: If it is not of a plane.

    Cost: linear in the number of cells.

    Example:
        >>> import splinescope, torch
        >>> from splinescope.topology import region_topology
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_region(region_topology(cells, above=0.5)).get_title()
        '$b_0$ = 1, $b_1$ = 0'
    """
    from matplotlib.colors import to_rgba

    cells = plane_of(region.cells, "pictures of regions", "see `surface_betti_numbers` for space")
    axes = new_axes() if ax is None else ax
    numbers = ", ".join(f"$b_{k}$ = {b}" for k, b in enumerate(region.betti))
    frame_slice(axes, cells, numbers if title is None else title)
    settle_layout(axes)
    palette = np.array([to_rgba(color) for color in _COLORS])
    own = region.parts < region.betti[0]
    enclosed = ~own & (region.depths[region.parts] > 0)
    colors = np.where(own[:, None], palette[region.parts % len(palette)], (0.94, 0.94, 0.94, 1.0))
    colors[enclosed] = (1.0, 1.0, 1.0, 1.0)
    offsets = np.asarray(cells.cell_offsets)
    draw_fills(axes, FilledPolygons(cells.vertices[cells.cell_vertices], offsets, colors))
    for cell in np.flatnonzero(enclosed).tolist():
        axes.fill(*cells.cell(cell).T, fill=False, hatch="////", ec="0.6", lw=0.0, zorder=1.5)
    sides = cells.edge_cells
    between = np.asarray((sides >= 0).all(axis=1))
    between[between] = region.inside[sides[between, 0]] != region.inside[sides[between, 1]]
    for edge in cells.edges[between]:
        axes.plot(*cells.vertices[edge].T, color=INK if not region.closed else ACCENT, lw=1.0, zorder=3)
    return axes
