"""The profile of a network along a segment: outputs, margin, class intervals, and the breakpoints of each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from splinescope.plotting.colors import class_colors, colors_of_classes
from splinescope.plotting.figures import ACCENT, INK, RASTER_LIMIT, drawable, figure_of, label_name, new_axes
from splinescope.plotting.thumbnails import image_shape
from splinescope.tessellation.segments import (
    ClassIntervals,
    SegmentComplex,
    breakpoints,
    class_intervals,
    competes,
    margins,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 8
"""Lines with a colour and a label."""
_FILM = 5
"""Pictures of inputs along the segment."""
_GREY = "#b5b5b8"
_LABEL_POINTS = 40.0
"""Distance of labels from the axes, the same for all panels."""


@dataclass(frozen=True)
class SegmentProfile:
    """What the picture of a segment shows.

    Attributes:
        t: Parameters of the vertices.
        lines: [V, k] outputs at the vertices; affine between them.
        labels: Number of each of these outputs.
        colored: Outputs that are drawn in colour: those that lead somewhere, the target, and where nothing competes
            those that vary most.
        intervals: Where which class leads; None where outputs are no classes.
        target: Class of the margin; None where outputs are no classes.
        bends: Where the margin of the target bends: at vertices, and where its nearest rival changes within a cell;
            empty where there is none.
        margin: The margin there.
        worst: The bend with the least margin; -1 where there is none.
        rug_t: Parameter of each flip.
        rug_layers: Layer of each flip, an index into `layers`.
        layers: Names of the layers that fold.
        film: Pictures of the inputs at equal steps of t; empty where inputs are no images.
        covered: Interval of t that the cells cover.
        names: What the classes are called; None if they have no names, or outputs are no classes.
    """

    t: Float[np.ndarray, " V"]
    lines: Float[np.ndarray, "V k"]
    labels: Int[np.ndarray, " k"]
    colored: Int[np.ndarray, " c"]
    intervals: ClassIntervals | None
    target: int | None
    bends: Float[np.ndarray, " m"]
    margin: Float[np.ndarray, " m"]
    worst: int
    rug_t: Float[np.ndarray, " flips"]
    rug_layers: Int[np.ndarray, " flips"]
    layers: tuple[str, ...]
    film: list[Float[np.ndarray, "height width 3"]]
    covered: tuple[float, float]
    names: Sequence[str] | None = None

    def name_of(self, label: int) -> str:
        """Name of a class or of an output; its number if it has none."""
        return label_name(self.names, label)


def segment_profile(cells: SegmentComplex, target: int | None = None) -> SegmentProfile:
    """Collect what the picture of a segment shows.

    Args:
        cells: The cells of a segment.
        target: Class whose margin is shown; the one that leads at the start if None.

    Returns:
        The profile; exact, not sampled.
    """
    outputs = cells.vertex_outputs
    intervals = class_intervals(cells) if competes(cells) else None
    labels = np.arange(outputs.shape[1])
    bends, margin, worst = np.empty(0), np.empty(0), -1
    if intervals is None:
        varying = np.argsort(-np.abs(np.diff(outputs, axis=0)).sum(axis=0), kind="stable")
        colored = labels = np.sort(varying[:_SHOWN])
    else:
        target = int(intervals.classes[0]) if target is None else target
        bends, margin = _bent_margin(cells, target)
        worst = int(margin.argmin())
        shares = np.bincount(intervals.classes, intervals.lengths, max(2, outputs.shape[1]))
        shares[target] += 1.0
        leading = np.argsort(-shares, kind="stable")[:_SHOWN]
        colored = np.sort(leading[shares[leading] > 0])
    table = breakpoints(cells)
    lines = outputs[:, labels]
    return SegmentProfile(
        cells.t,
        lines,
        labels,
        colored,
        intervals,
        target,
        bends,
        margin,
        worst,
        table.t,
        table.layers,
        table.names,
        _film(cells),
        cells.covered,
        None if intervals is None else cells.network.classes,
    )


def _bent_margin(cells: SegmentComplex, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the margin bends, and its values there."""
    outputs = cells.vertex_outputs
    rivals = [label for label in range(outputs.shape[1]) if label != target]
    if len(rivals) < 2:
        return cells.t, margins(cells, target).at_vertices
    bends = np.union1d(cells.t, class_intervals(cells, rivals).start)
    values = np.stack([np.interp(bends, cells.t, outputs[:, label]) for label in range(outputs.shape[1])])
    return bends, values[target] - values[rivals].max(axis=0)


def _film(cells: SegmentComplex) -> list[np.ndarray]:
    """Pictures of inputs along the segment, scaled to [0, 1] over all of them."""
    shape = image_shape(tuple(cells.network.input_shape))
    if shape is None:
        return []
    inputs = cells.domain.embed(np.linspace(0.0, 1.0, _FILM)[:, None]).reshape(_FILM, -1)
    low, high = inputs.min(), inputs.max()
    scaled = (inputs - low) / (high - low)
    images = [np.moveaxis(picture.reshape(shape), 0, -1) for picture in scaled]
    return [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images]


def plot_segment(
    cells: SegmentComplex, target: int | None = None, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw the profile of a network along a segment.

    From top to bottom: inputs along the segment, where these are images; the class that leads; the outputs; the margin
    of one class with its minimum; and a mark for each unit that flips, in the row of its layer.

    Args:
        cells: The cells of a segment.
        target: Class whose margin is shown; the one that leads at the start if None.
        ax: Axes that the picture fills; new ones if None. Its parts are in axes of their own, the children of these.
        title: Title; the number of cells if None, "" for none.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If there is no such class.

    Cost: linear in the number of cells and outputs.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> plot_segment(cells).get_title()
        '3 cells'
    """
    from matplotlib.transforms import ScaledTranslation

    profile = segment_profile(cells, target)
    ax = new_axes(4.7, 4.9) if ax is None else ax
    ax.set_axis_off()
    panels = _panels(ax, profile)
    if "film" in panels:
        _draw_film(panels["film"], profile.film)
    if "classes" in panels:
        _draw_classes(panels["classes"], profile)
    _draw_lines(panels["outputs"], profile, _output_name(cells))
    if "margin" in panels:
        _draw_margin(panels["margin"], profile)
    if "layers" in panels:
        _draw_rug(panels["layers"], profile)
    *_, bottom = panels.values()
    for name, panel in panels.items():
        panel.set_xlim(0.0, 1.0)
        panel.tick_params(labelbottom=panel is bottom)
        if name in ("outputs", "margin", "layers"):
            beside = panel.transAxes + ScaledTranslation(-_LABEL_POINTS / 72, 0.0, figure_of(ax).dpi_scale_trans)
            panel.yaxis.set_label_coords(0.0, 0.5, transform=beside)
    names = cells.domain.names
    bottom.set_xlabel("position $t$ along the segment" if names is None else drawable(names[0]))
    count = f"{'at least ' if cells.truncated else ''}{len(cells):,} cell{'' if len(cells) == 1 else 's'}"
    ax.set_title(count if title is None else title)
    return ax


def _panels(ax: Axes, profile: SegmentProfile) -> dict[str, Axes]:
    """Axes within the given ones, from top to bottom, that share the position along the segment."""
    heights = {"outputs": 0.36}
    if profile.film:
        heights = {"film": 0.15} | heights
    if profile.intervals is not None:
        heights = {**{k: v for k, v in heights.items() if k == "film"}, "classes": 0.055, "outputs": 0.36}
    if len(profile.margin) and profile.lines.shape[1] > 1:
        heights["margin"] = 0.22
    if profile.layers:
        heights["layers"] = float(np.clip(0.035 * len(profile.layers), 0.05, 0.2))
    gap = 0.025
    unit = (1.0 - gap * (len(heights) - 1)) / sum(heights.values())
    panels: dict[str, Axes] = {}
    top = 1.0
    for name, height in heights.items():
        panels[name] = ax.inset_axes((0.0, top - unit * height, 1.0, unit * height))
        top -= unit * height + gap
    return panels


def _output_name(cells: SegmentComplex) -> str:
    head = cells.network.head
    return "output" if head is None else f"output before {head.name}"


def _colors(profile: SegmentProfile) -> dict[int, np.ndarray]:
    """Colour of each output that has one: by its class, or by its place where outputs are no classes."""
    if profile.intervals is None:
        return dict(zip(profile.colored.tolist(), class_colors(len(profile.colored)), strict=True))
    present = np.unique(profile.colored)
    return dict(zip(present.tolist(), colors_of_classes(present), strict=True))


def _draw_lines(ax: Axes, profile: SegmentProfile, name: str) -> None:
    """Outputs: those with a colour on top, with their names at the right edge."""
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import Normal, Stroke

    colors = _colors(profile)
    pale = [column for column, label in enumerate(profile.labels) if int(label) not in colors]
    segments = [np.column_stack([profile.t, profile.lines[:, column]]) for column in pale]
    points = len(profile.t) * len(profile.labels)
    if segments:
        ax.add_collection(
            LineCollection(segments, colors=_GREY, linewidths=0.6, zorder=2, rasterized=points > RASTER_LIMIT)
        )
    single = profile.lines.shape[1] == 1
    ends = []
    for column, label in enumerate(profile.labels):
        if int(label) in colors or single:
            color = INK if single else colors[int(label)]
            effects = [] if single else [Stroke(linewidth=2.1, foreground=INK), Normal()]
            ax.plot(profile.t, profile.lines[:, column], color=color, lw=1.5, zorder=3, path_effects=effects or None)
            ends.append((float(profile.lines[-1, column]), profile.name_of(int(label))))
    ax.autoscale_view()
    ax.margins(y=0.06)
    if single:
        ax.axhline(0.0, color=INK, lw=0.6, ls=(0, (4, 3)), zorder=1)
    else:
        _label_ends(ax, ends)
    if profile.covered[1] < 1.0:
        ax.axvspan(profile.covered[1], 1.0, fc="none", ec=_GREY, hatch="////", lw=0.0, zorder=1)
    ax.set_ylabel(name)


def _label_ends(ax: Axes, ends: list[tuple[float, str]]) -> None:
    """Names of the coloured lines beside their ends, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    gap = 0.085 * (high - low)
    ends = sorted(ends)
    places = [value for value, _ in ends]
    for _ in range(50):
        for index in range(1, len(places)):
            lack = gap - (places[index] - places[index - 1])
            if lack > 0:
                places[index - 1] -= lack / 2
                places[index] += lack / 2
    for place, (_, label) in zip(places, ends, strict=True):
        ax.annotate(
            label, (1.0, place), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize="small", annotation_clip=False,
        )  # fmt: skip


def _draw_classes(ax: Axes, profile: SegmentProfile) -> None:
    """A bar for each class interval, with the name of the class where there is room."""
    intervals = profile.intervals
    assert intervals is not None
    colors = _colors(profile)
    for start, stop, label in zip(intervals.start, intervals.stop, intervals.classes, strict=True):
        ax.axvspan(start, stop, fc=colors.get(int(label), np.array([0.7, 0.7, 0.7, 1.0])), ec="white", lw=0.5)
        name = profile.name_of(int(label))
        if stop - start > 0.03 * len(name):
            ax.text((start + stop) / 2, 0.45, name, ha="center", va="center", fontsize="small")
    ax.set_ylim(0, 1)
    ax.set_yticks([0.5], ["class"])
    ax.tick_params(length=0)


def _draw_margin(ax: Axes, profile: SegmentProfile) -> None:
    """The margin, what is below zero, and the minimum."""
    t, margin = profile.bends, profile.margin
    ax.axhline(0.0, color=INK, lw=0.6, zorder=2)
    below = with_crossings(t, margin)
    ax.fill_between(below[0], np.minimum(below[1], 0.0), 0.0, color=ACCENT, alpha=0.25, lw=0, zorder=1)
    ax.plot(t, margin, color=INK, lw=1.2, zorder=3)
    at, value = float(t[profile.worst]), float(margin[profile.worst])
    ax.plot(at, value, "o", ms=4.5, mfc=ACCENT, mec="white", mew=0.8, zorder=4, clip_on=False)
    ax.margins(y=0.12)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.2 * (high - low))  # room for the note
    right, upper = _free_corner(ax, t, margin)
    note = f"min {value:.3g} at $t$ = {at:.3g}".replace("-", "\N{MINUS SIGN}")
    ax.text(
        0.985 if right else 0.015, 0.94 if upper else 0.06, note, transform=ax.transAxes, color=ACCENT,
        ha="right" if right else "left", va="top" if upper else "bottom", fontsize="small", zorder=5,
    )  # fmt: skip
    ax.set_ylabel(f"margin of {profile.name_of(profile.target or 0)}")


def with_crossings(t: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A polygonal line with a corner more wherever it crosses zero.

    Args:
        t: [V] positions, in order.
        values: [V] values.

    Returns:
        Positions and values, those at crossings exactly zero.
    """
    before, after = values[:-1], values[1:]
    crossed = np.flatnonzero(np.sign(before) * np.sign(after) < 0)  # products underflow
    share = before[crossed] / (before[crossed] - after[crossed])
    at = t[crossed] + share * (t[crossed + 1] - t[crossed])
    return np.insert(t, crossed + 1, at), np.insert(values, crossed + 1, 0.0)


def _free_corner(ax: Axes, t: np.ndarray, values: np.ndarray) -> tuple[bool, bool]:
    """Corner, right or not and upper or not, through which the least of a curve passes."""
    low, high = ax.get_ylim()
    at = np.linspace(0.0, 1.0, 201)
    heights = (np.interp(at, t, values) - low) / (high - low)
    zero = abs((0.0 - low) / (high - low) - 0.85) < 0.15, abs((0.0 - low) / (high - low) - 0.15) < 0.15
    corners = [(right, upper) for upper in (True, False) for right in (True, False)]
    beside = {True: at > 0.55, False: at < 0.45}
    near = {True: heights > 0.68, False: heights < 0.32}
    crowd = [int((beside[right] & near[upper]).sum()) + 5 * zero[not upper] for right, upper in corners]
    return corners[int(np.argmin(crowd))]


def _draw_rug(ax: Axes, profile: SegmentProfile) -> None:
    """A mark for each flip, in the row of its layer; the input's side is on top."""
    from matplotlib.collections import LineCollection

    rows = len(profile.layers)
    height = 0.36
    marks = np.empty((len(profile.rug_t), 2, 2))
    marks[:, :, 0] = profile.rug_t[:, None]
    marks[:, 0, 1], marks[:, 1, 1] = profile.rug_layers - height, profile.rug_layers + height
    alpha = float(np.clip(600 * rows / max(1, len(marks)), 0.08, 0.9))
    ax.add_collection(
        LineCollection(list(marks), colors=INK, linewidths=0.5, alpha=alpha, rasterized=len(marks) > RASTER_LIMIT)
    )
    ax.set_ylim(rows - 0.5, -0.5)
    step = math.ceil(rows / 5)
    shown = range(0, rows, step)
    ax.set_yticks(list(shown), [str(row + 1) for row in shown], fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel("layer")


def _draw_film(ax: Axes, film: list[np.ndarray]) -> None:
    """Inputs along the segment in a row, the first and the last flush with its ends."""
    ax.set_axis_off()
    width = 0.9 / len(film)
    for number, image in enumerate(film):
        place = number / (len(film) - 1)
        frame = ax.inset_axes((place * (1 - width), 0.0, width, 1.0))
        frame.imshow(image, interpolation="nearest")
        frame.set_anchor("W" if number == 0 else "E" if number == len(film) - 1 else "C")
        frame.set(xticks=[], yticks=[])
        frame.spines[:].set_linewidth(0.5)
