"""Pictures of places without cells: a decision boundary by itself, and a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.plotting.colors import class_colors
from splinescope.plotting.figures import INK, coordinate_names, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.boundary import DecisionBoundary
    from splinescope.tessellation.domains import Domain

_PAIRS = 10
"""Pairs of classes that a legend names."""


def plot_boundary(boundary: DecisionBoundary, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw a decision boundary by itself, each pair of classes in its colour.

    Args:
        boundary: The boundary, in slice coordinates.
        ax: Axes; new ones if None.
        title: Title; the number of segments and their length if None, "" for none.

    Returns:
        The axes.

    Cost: linear in the segments.

    Example:
        >>> import splinescope, torch
        >>> identity = splinescope.from_torch(torch.nn.Identity(), input_shape=(2,))
        >>> cells = splinescope.tessellate(identity, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_boundary(cells.decision_boundary()).get_title()
        '1 segment, length 2.83'
    """
    from matplotlib.collections import LineCollection

    ax = new_axes() if ax is None else ax
    pairs, which = np.unique(np.sort(boundary.classes, axis=1), axis=0, return_inverse=True)
    colors = class_colors(max(1, len(pairs)))
    for number, (first, second) in enumerate(pairs.tolist()):
        rows = boundary.segments[which.ravel() == number]
        label = f"{first} | {second}" if number < _PAIRS else None
        ax.add_collection(LineCollection(list(rows), colors=[tuple(colors[number])], linewidths=1.6, label=label))
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.set_xlabel("slice coordinate $t_1$")
    ax.set_ylabel("slice coordinate $t_2$")
    if len(pairs):
        ax.legend(title="classes", fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    many = f"{len(boundary.segments):,} segment{'' if len(boundary.segments) == 1 else 's'}"
    ax.set_title(f"{many}, length {boundary.lengths.sum():.3g}" if title is None else title)
    return ax


def plot_domain(domain: Domain, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the outline of a domain of one or two dimensions with its anchors, and of others the ranges of coordinates.

    Args:
        domain: The domain.
        ax: Axes; new ones if None.
        title: Title; its kind and size if None, "" for none.

    Returns:
        The axes.

    Cost: none to speak of.

    Example:
        >>> import splinescope
        >>> plot_domain(splinescope.Slice.box([-1, -1], [1, 1])).get_title()
        'Slice of 2 dimensions, size 4'
    """
    ax = new_axes(3.8, 3.4) if ax is None else ax
    corners = np.asarray(domain.corners, dtype=np.float64)
    names = coordinate_names(domain.names, domain.dimension)
    if domain.dimension == 2:
        arms = corners - corners.mean(axis=0)  # corners of a convex polygon are in the order of their angles
        ax.fill(*corners[np.argsort(np.arctan2(arms[:, 1], arms[:, 0]))].T, fc="#dbe7f3", ec=INK, lw=1.0)
        anchors: Any = getattr(domain, "anchors", None)
        for number, place in enumerate([] if anchors is None else np.asarray(anchors).tolist()):
            ax.plot(*place, "o", color="#0072B2", ms=5)
            ax.annotate(chr(ord("A") + number % 26), place, xytext=(5, 5), textcoords="offset points")
        ax.set_aspect("equal")
        ax.set_xlabel(names[0])
        ax.set_ylabel(names[1])
    else:
        rows = np.arange(domain.dimension)
        low, high = corners.min(axis=0), corners.max(axis=0)
        ax.barh(rows, high - low, left=low, height=0.55, color="#dbe7f3", edgecolor=INK)
        ax.set_yticks(rows, names)
        ax.set_xlabel("range of the coordinate")
        ax.invert_yaxis()
    dimensions = f"{domain.dimension} dimension{'' if domain.dimension == 1 else 's'}"
    ax.set_title(f"{type(domain).__name__} of {dimensions}, size {domain.measure:.3g}" if title is None else title)
    return ax
