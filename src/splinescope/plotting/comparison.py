"""Pictures of two networks compared: how far they are apart, and where their classes differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.plotting.colors import CLASS_STRENGTH, ColorScale, class_colors, scale_of, tinted
from splinescope.plotting.data import FilledPolygons, colors_of
from splinescope.plotting.figures import ACCENT, INK, RASTER_LIMIT, drawable, frame_slice, new_axes, settle_layout
from splinescope.plotting.layers import draw_color_bar, draw_fills
from splinescope.plotting.thumbnails import anchor_images, draw_anchors
from splinescope.tessellation.planar import PlanarComplex
from splinescope.tessellation.segments import SegmentComplex
from splinescope.trajectory import NetworkComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAP = "YlGnBu"
"""Colours of deviations; the least is the palest, so that borders and hatching stand out."""


@dataclass(frozen=True)
class ComparedSlice:
    """What the picture of a comparison in a plane shows.

    Attributes:
        fills: Cells, coloured by their largest deviation.
        scale: The scale of these colours.
        changed: [n] cells on which the classes differ.
        borders: Where the class of the first network changes, and where that of the second does: [edges, 2, 2].
    """

    fills: FilledPolygons
    scale: ColorScale
    changed: Int[np.ndarray, " n"]
    borders: tuple[Float[np.ndarray, "_ 2 2"], ...]


def compared_slice(found: NetworkComparison, output: int | None = None) -> ComparedSlice:
    """Collect what the picture of a comparison in a plane shows.

    Args:
        found: A comparison on a slice.
        output: Output whose deviation is shown; the largest of all if None.

    Returns:
        What is drawn.
    """
    cells = _plane(found)
    values = found.cell_deviations(output)
    name = "largest deviation of any output" if output is None else f"largest deviation of output {output}"
    scale = replace(scale_of(values, f"{name} on the cell", False, cells.measures), colormap=_MAP)
    points = cells.vertices[cells.cell_vertices]
    fills = FilledPolygons(points, np.asarray(cells.cell_offsets), colors_of(values, scale), scale)
    if found.classes_a is None or found.classes_b is None:
        return ComparedSlice(fills, scale, np.empty(0, np.int64), ())
    facets = cells.facets
    borders = tuple(
        cells.vertices[cells.edges[facets.numbers[classes[facets.cells[:, 0]] != classes[facets.cells[:, 1]]]]]
        for classes in (found.classes_a, found.classes_b)
    )
    return ComparedSlice(fills, scale, np.flatnonzero(found.changed), borders)


def plot_comparison(
    found: NetworkComparison,
    output: int | None = None,
    ax: Axes | None = None,
    *,
    names: tuple[str, str] = ("a", "b"),
    title: str | None = None,
) -> Axes:
    """Draw how far two networks are apart, and where their classes differ.

    In a plane: cells coloured by the largest deviation on each, hatched where the classes differ, and the decision
    boundaries of both. On a segment: the classes of both, and the deviation of each output.

    Args:
        found: A comparison on a segment or a slice.
        output: Output whose deviation is shown; all if None.
        ax: Axes to draw in; new ones if None.
        names: What the two networks are called.
        title: Title; the largest deviation and the changed share if None, none if "".

    Returns:
        The axes.

    Raises:
        InvalidInputError: In more than two dimensions.

    Cost: linear in the cells.

    Example:
        >>> import splinescope, torch
        >>> from splinescope.trajectory import compare
        >>> found = compare(torch.nn.ReLU(), torch.nn.Identity(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_comparison(found).get_title() != ""
        True
    """
    said = _title(found) if title is None else title
    if isinstance(found.cells, SegmentComplex):
        return _draw_segment(found, found.cells, output, ax, names, said)
    cells = _plane(found)
    shown = compared_slice(found, output)
    axes = new_axes(5.6, 4.7) if ax is None else ax
    frame_slice(axes, cells, said)
    draw_color_bar(axes, shown.scale)
    _legend(axes, shown, names)
    settle_layout(axes)
    draw_fills(axes, shown.fills)
    _hatch(axes, cells, shown.changed)
    for borders, color, width, style in zip(shown.borders, (INK, ACCENT), (1.7, 1.3), ("-", (0, (3, 2))), strict=False):
        _draw_lines(axes, borders, color, width, style)
    anchors = getattr(cells.domain, "anchors", None)
    if anchors is not None:
        draw_anchors(axes, np.asarray(anchors), anchor_images(cells))
    return axes


def _plane(found: NetworkComparison) -> PlanarComplex:
    if not isinstance(found.cells, PlanarComplex):
        raise InvalidInputError(
            f"`found`: a comparison in {found.cells.dimension} dimensions; pictures are of segments and slices"
        )
    return found.cells


def _title(found: NetworkComparison) -> str:
    changed = "" if found.classes_a is None else f"; classes differ on {found.changed_share:.2%}"
    return f"largest deviation {found.largest_deviation:.3g}{changed}"


def _legend(ax: Axes, shown: ComparedSlice, names: tuple[str, str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if not shown.borders:
        return
    handles = [
        Line2D([], [], color=INK, lw=1.7, label=f"boundary of {names[0]}"),
        Line2D([], [], color=ACCENT, lw=1.3, ls=(0, (3, 2)), label=f"boundary of {names[1]}"),
        Patch(fc="white", ec=INK, hatch="/////", lw=0.5, label="classes differ"),
    ]
    ax.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False, fontsize="small",
        handlelength=1.8, columnspacing=1.2,
    )  # fmt: skip


def _hatch(ax: Axes, cells: PlanarComplex, changed: np.ndarray) -> None:
    from matplotlib.collections import PolyCollection

    polygons = [cells.cell(int(cell)) for cell in changed]
    hatching = PolyCollection(
        polygons, facecolors="none", edgecolors=INK, hatch="/////", linewidths=0.0, alpha=0.55, zorder=2
    )
    hatching.set_rasterized(len(polygons) > RASTER_LIMIT)
    ax.add_collection(hatching, autolim=False)


def _draw_lines(ax: Axes, segments: np.ndarray, color: str, width: float, style: object) -> None:
    """Borders as joined lines, so that dashes go on from edge to edge."""
    from matplotlib.collections import LineCollection

    lines = _chains(segments)
    casing = LineCollection(lines, colors="white", linewidths=width + 1.1, capstyle="round", zorder=3)
    border = LineCollection(lines, colors=color, linewidths=width, linestyles=style, zorder=3.1)
    ax.add_collection(casing, autolim=False)
    ax.add_collection(border, autolim=False)


def _chains(segments: np.ndarray) -> list[np.ndarray]:
    """Edges that share ends, joined; ends are vertices of a complex and so equal to the last bit."""
    from splinescope.geometry.surface.chains import join_segments

    if not len(segments):
        return []
    _, ends = np.unique(segments.reshape(-1, 2), axis=0, return_inverse=True)
    lines = []
    for chain in join_segments(ends.reshape(-1, 2).astype(np.int64)):
        rows = segments[np.where(chain < 0, -1 - chain, chain)]
        rows[chain < 0] = rows[chain < 0][:, ::-1]
        lines.append(np.concatenate([rows[:, 0], rows[-1:, 1]]))
    return lines


def _draw_segment(
    found: NetworkComparison,
    cells: SegmentComplex,
    output: int | None,
    ax: Axes | None,
    names: tuple[str, str],
    title: str,
) -> Axes:
    """Deviations along a segment, under a bar of classes for each network."""
    ax = new_axes(5.2, 3.6) if ax is None else ax
    count = found.joint.outputs
    shown = range(count) if output is None else (output,)
    colors = class_colors(max(2, count))
    for k in shown:
        ax.plot(cells.t, cells.vertex_outputs[:, k], color=INK if count == 1 else colors[k], lw=1.4, label=str(k))
    ax.axhline(0.0, color=INK, lw=0.6, zorder=1)
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel("position $t$ along the segment" if cells.domain.names is None else drawable(cells.domain.names[0]))
    ax.set_ylabel(f"output of {names[0]} less that of {names[1]}")
    ax.set_title(title, pad=6 if found.classes_a is None else 30)
    if 1 < len(shown) <= 10:
        ax.legend(title="output", fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.02))
    if found.classes_a is None or found.classes_b is None:
        return ax
    for cell in np.flatnonzero(found.changed):
        ax.axvspan(cells.t[cell], cells.t[cell + 1], fc=ACCENT, alpha=0.12, lw=0)
    bars = ax.inset_axes((0.0, 1.02, 1.0, 0.1))
    pale = tinted(colors, CLASS_STRENGTH)
    for row, classes in enumerate((found.classes_b, found.classes_a)):
        starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(classes)), [len(classes)]])
        for first, last in pairwise(starts):
            start, stop, label = cells.t[first], cells.t[last], int(classes[first])
            bars.barh(row, stop - start, 0.9, start, color=pale[label], ec="white", lw=0.5)
            if stop - start > 0.03:
                bars.text((start + stop) / 2, row - 0.04, str(label), ha="center", va="center", fontsize="small")
    bars.set(xlim=(0.0, 1.0), ylim=(-0.5, 1.5), xticks=[])
    bars.set_yticks([0, 1], [names[1], names[0]], fontsize="small")
    bars.spines[:].set_visible(False)
    bars.tick_params(length=0)
    return ax
