"""A slice over the course of a training run, as a moving picture."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.errors import InvalidInputError, MissingDependencyError
from splinescope.plotting.colors import ColorScale, scale_of
from splinescope.plotting.data import FilledPolygons, colors_of, fill_cells, fold_lines
from splinescope.plotting.figures import cell_title, figure_of, frame_slice, settle_layout
from splinescope.plotting.layers import draw_boundary, draw_class_legend, draw_color_bar, draw_fills, draw_folds
from splinescope.plotting.thumbnails import anchor_images, draw_anchors
from splinescope.storage import replacing
from splinescope.tessellation.affine import norms
from splinescope.tessellation.boundary import class_areas, decision_boundary
from splinescope.tessellation.files import load_complex
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from splinescope.tessellation.domains import Domain

FORMATS = (".gif", ".mp4", ".html")
COLORS = ("norm", "class", "cells")


@dataclass(frozen=True)
class FrameColors:
    """Colours that hold still over all frames of an animation.

    Attributes:
        kind: "norm", "class" or "cells".
        scale: The scale of all frames, for "norm".
        classes: Classes that occur in some frame, for "class".
        competitors: Outputs that compete; all if None.
    """

    kind: str
    scale: ColorScale | None = None
    classes: tuple[int, ...] = ()
    competitors: tuple[int, ...] | None = None

    def fills(self, cells: PlanarComplex) -> FilledPolygons:
        """Polygons of one frame.

        Args:
            cells: The frame.

        Returns:
            The polygons and their colours.
        """
        if self.scale is None:
            kind = "class" if self.kind == "class" else "pattern"
            return fill_cells(cells, kind, self.competitors, among=self.classes or None)
        points, offsets = cells.vertices[cells.cell_vertices], np.asarray(cells.cell_offsets)
        return FilledPolygons(points, offsets, colors_of(norms(cells), self.scale), self.scale)


def colors_over(frames: Mapping[int, Any], color: str = "norm", classes: Sequence[int] | None = None) -> FrameColors:
    """Choose the colours of an animation from all of its frames.

    Args:
        frames: As in `animate`.
        color: As in `animate`.
        classes: As in `animate`.

    Returns:
        For "norm" one scale over the cells of all frames, weighted by their areas.

    Raises:
        InvalidInputError: If `color` is unknown.
    """
    if color not in COLORS:
        raise InvalidInputError(f"`color`: got {color!r}; expected one of {', '.join(map(repr, COLORS))}")
    competitors = None if classes is None else tuple(classes)
    if color == "norm":
        values, areas = zip(*((norms(cells), cells.measures) for _, cells in _opened(frames)), strict=True)
        label = "spectral norm of $A$ (output per input unit)"
        return FrameColors(color, scale_of(np.concatenate(values), label, weights=np.concatenate(areas)))
    if color == "class":
        present = {int(k) for _, cells in _opened(frames) for k in np.flatnonzero(class_areas(cells, competitors))}
        return FrameColors(color, None, tuple(sorted(present)), competitors)
    return FrameColors(color)


def animate(
    frames: Mapping[int, Any],
    path: str | os.PathLike[str],
    color: str = "norm",
    *,
    classes: Sequence[int] | None = None,
    line_width: float = 1.0,
    boundary: bool = True,
    anchors: bool = True,
    fps: int | float = 4.0,
    pause: int | float = 1.0,
    dpi: int | float = 120.0,
) -> Path:
    """Write an animation of one slice while a network trains; the file appears whole or not at all.

    All frames share their colours: one scale for numbers, one colour for each class and for each activation pattern.

    Args:
        frames: Complexes of one slice by training step, or the files in which they were saved, which are opened one at
            a time: `splinescope.observers.saved_frames(folder)`.
        path: File to write: .gif, .html (a page with controls, all in one file) or .mp4 (needs the program ffmpeg).
        color: "norm" (spectral norm of the affine map along the slice), "class" (exact class regions) or "cells"
            (activation patterns).
        classes: Outputs that compete for the boundary and the class regions; all if None.
        line_width: Factor of all fold widths; 0 draws no folds.
        boundary: Whether to draw the decision boundary.
        anchors: Whether to mark the slice's anchors.
        fps: Frames per second.
        pause: Seconds for which the last frame stays on.
        dpi: Pixels per inch; the picture is about 5 inches wide.

    Returns:
        The path.

    Raises:
        InvalidInputError: If there are no frames, they are of several slices, or an argument is unknown.
        StoreError: If a file is no saved complex.
        MissingDependencyError: If `path` ends in .mp4 and ffmpeg is not installed.

    Cost: that of one picture for each frame, of which one is in memory at a time.

    Example:
        >>> import splinescope, tempfile, torch
        >>> domain = splinescope.Slice.box([-1, -1], [1, 1])
        >>> modules = {0: torch.nn.Identity(), 10: torch.nn.ReLU()}
        >>> frames = {step: splinescope.tessellate(module, domain) for step, module in modules.items()}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     animate(frames, f"{folder}/training.gif", dpi=20).read_bytes()[:6]
        b'GIF89a'
    """
    if not frames:
        raise InvalidInputError("`frames`: got none; expected at least one complex")
    if not (0 < fps < math.inf and 0 <= pause < math.inf):
        raise InvalidInputError(f"`fps`, `pause`: got {fps} and {pause}; expected positive numbers")
    target = Path(path)
    writer = _writer(target, fps)
    colors = colors_over(frames, color, classes)
    axes: Any = None
    with replacing(target) as temporary:
        for step, cells in _opened(frames):
            if axes is None:
                axes, first = _stage(cells, colors, anchors), cells.domain
                writer.setup(figure_of(axes), str(temporary), dpi)
            _check_same(first, cells.domain, step)
            axes.set_title(frame_title(step, cells))
            drawn = _draw(axes, cells, colors, line_width, boundary)
            writer.grab_frame()
            for artist in drawn:
                artist.remove()
        _draw(axes, cells, colors, line_width, boundary)
        for _ in range(round(pause * fps)):
            writer.grab_frame()
        writer.finish()
    return target


def frame_title(step: int, cells: PlanarComplex) -> str:
    """Title of a frame.

    Args:
        step: Training step.
        cells: The frame.

    Returns:
        Such as "step 1,000: 214 cells".
    """
    return f"step {step:,}: {cell_title(cells)}"


def _opened(frames: Mapping[int, Any]) -> Iterator[tuple[int, PlanarComplex]]:
    """The frames by ascending step, one at a time."""
    for step in sorted(frames):
        frame = frames[step]
        cells = load_complex(frame) if isinstance(frame, str | os.PathLike) else frame
        if not isinstance(cells, PlanarComplex):
            raise InvalidInputError(f"`frames`: got {cells} at step {step}; expected complexes of a slice")
        yield step, cells


def _stage(cells: PlanarComplex, colors: FrameColors, anchors: bool) -> Axes:
    """Axes with all that stays the same, in a figure of its own whose layout no frame moves."""
    from matplotlib.figure import Figure

    keyed = colors.scale is not None or bool(colors.classes)
    figure = Figure(figsize=(5.4 if keyed else 4.7, 4.3), layout="compressed")
    axes = figure.add_subplot()
    frame_slice(axes, cells, "step")
    if colors.scale is not None:
        draw_color_bar(axes, colors.scale)
    if colors.classes:
        draw_class_legend(axes, colors.classes, cells.network.classes)
    settle_layout(axes)
    figure.set_layout_engine("none")
    if anchors and cells.domain.anchors is not None:
        draw_anchors(axes, np.asarray(cells.domain.anchors), anchor_images(cells))
    return axes


def _draw(axes: Axes, cells: PlanarComplex, colors: FrameColors, line_width: float, boundary: bool) -> list[Artist]:
    """What changes from frame to frame."""
    before = set(axes.collections)
    draw_fills(axes, colors.fills(cells))
    if line_width > 0:
        draw_folds(axes, fold_lines(cells), float(cells.measures.sum()), line_width)
    if boundary:
        found = decision_boundary(cells, colors.competitors)
        draw_boundary(axes, found)
    return [artist for artist in axes.collections if artist not in before]


def _check_same(first: Domain, domain: Domain, step: int) -> None:
    same = all(np.array_equal(getattr(first, name), getattr(domain, name)) for name in ("origin", "basis", "corners"))
    if not same:
        raise InvalidInputError(f"`frames`: that of step {step} is of another slice than the first; expected one slice")


def _writer(path: Path, fps: Any) -> Any:
    """What writes a format. matplotlib annotates frames per second as whole, and takes any number."""
    from matplotlib import animation

    kind = path.suffix.lower()
    if kind == ".gif":
        return animation.PillowWriter(fps=fps)
    if kind == ".html":
        return animation.HTMLWriter(fps=fps, embed_frames=True, embed_limit=math.inf)
    if kind != ".mp4":
        raise InvalidInputError(f"`path`: got {str(path)!r}; expected a file that ends in {', '.join(FORMATS)}")
    if not animation.FFMpegWriter.isAvailable():
        raise MissingDependencyError(
            "writing .mp4 needs the program `ffmpeg`, which is not installed; install it, or write .gif or .html"
        )
    return animation.FFMpegWriter(fps=fps)
