"""Figures and files: new axes, what all pictures share, and saving them whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.storage import replacing
from splinescope.tessellation.metric import isometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from splinescope.tessellation.planar.complex import PlanarComplex

FORMATS = (".png", ".svg", ".pdf")
INK = "#1b1b1f"
"""Colour of folds."""

ACCENT = "#c4001a"
"""Colour of decision boundaries on top of pale fills."""

_NARROW = 8.0
"""Length of a domain by its width from which coordinates have scales of their own: metres beside radians, say."""

_NAMED_NARROW = 2.0
"""The same where the coordinates have names."""

RASTER_LIMIT = 5000
"""Above this many elements a layer of a vector picture is stored as pixels, so that the file opens."""


def new_axes(width: float = 4.7, height: float = 4.3) -> Axes:
    """Axes in a new figure.

    Args:
        width: Width of the figure in inches.
        height: Height in inches.

    Returns:
        The axes.
    """
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=(width, height), layout="compressed")
    return ax


def drawable(name: str) -> str:
    """A name as it can be drawn: what is between dollars is a formula if it is one, else it is letters.

    Args:
        name: What somebody calls a class, an axis or a network.

    Returns:
        Text for matplotlib.
    """
    from matplotlib.mathtext import MathTextParser

    if name.count("$") - name.count(r"\$") < 2:
        return name
    try:
        MathTextParser("path").parse(name)
    except ValueError:
        return name.replace(r"\$", "$").replace("$", r"\$")
    return name


def label_name(names: Sequence[str] | None, label: int) -> str:
    """What a class is called in a picture: by its name, or its number.

    Args:
        names: Names of all classes, or None.
        label: The class.

    Returns:
        Text for matplotlib.
    """
    return str(label) if names is None else drawable(names[label])


def coordinate_names(names: Sequence[str] | None, count: int) -> list[str]:
    """What coordinates are called in a picture: by their names, or t_1, t_2, ...

    Args:
        names: Their names, or None.
        count: How many there are.

    Returns:
        Text for matplotlib.
    """
    return [f"$t_{axis + 1}$" for axis in range(count)] if names is None else [drawable(name) for name in names]


def frame_slice(ax: Axes, cells: PlanarComplex, title: str | None) -> None:
    """Limits, equal aspect unless the domain would be a strip, labels with units, title.

    Args:
        ax: Axes.
        cells: The complex whose domain they show.
        title: Title; None for the number of cells, "" for none.
    """
    polygon = np.asarray(cells.domain.polygon)
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    rectangle = len(polygon) == 4 and bool(((polygon == low) | (polygon == high)).all())
    margin = 0.0 if rectangle else 0.02 * (high - low).max()
    ax.set_xlim(low[0] - margin, high[0] + margin)
    ax.set_ylim(low[1] - margin, high[1] + margin)
    proportion_plane(ax, high - low, cells.domain.names is not None)
    if not rectangle:
        ax.fill(*polygon.T, fill=False, ec=INK, lw=0.8, zorder=4)
    first, second = axis_labels(cells)
    ax.set_xlabel(first)
    ax.set_ylabel(second)
    ax.set_title(cell_title(cells) if title is None else title)


def proportion_plane(ax: Axes, sides: np.ndarray, named: bool) -> None:
    """Equal units along both coordinates where they can be compared and the plane is no strip; ticks that fit.

    Args:
        ax: Axes.
        sides: [2] size of the plane along each coordinate.
        named: Whether the coordinates have names of their own, and so perhaps units of their own: rad and rad/s, say.
    """
    from matplotlib.ticker import MaxNLocator

    stretched = float(sides.max() / sides.min()) > (_NAMED_NARROW if named else _NARROW)
    ax.set_aspect("auto" if stretched else "equal")
    for axis, side in zip((ax.xaxis, ax.yaxis), sides, strict=True):
        ticks = 5 if stretched else max(2, round(5 * float(side / sides.max())))
        axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))


def cell_title(cells: PlanarComplex) -> str:
    """Number of cells, in words.

    Args:
        cells: The complex.

    Returns:
        Such as "6,668 cells".
    """
    least = "at least " if cells.truncated else ""
    return f"{least}{len(cells):,} cell{'' if len(cells) == 1 else 's'}"


def axis_labels(cells: PlanarComplex) -> tuple[str, str]:
    """Names of the slice's two coordinates, with units.

    Args:
        cells: The complex.

    Returns:
        The domain's own names if it has some. Else input coordinates where the slice is the network's own plane; else
        slice coordinates, in input units if the basis is orthonormal.
    """
    if cells.domain.names is not None:
        first, second = map(drawable, cells.domain.names)
        return first, second
    basis = np.asarray(cells.domain.basis)
    origin = np.asarray(cells.domain.origin)
    if basis.shape == (2, 2) and np.array_equal(basis, np.eye(2)) and not origin.any():
        return "input $x_1$", "input $x_2$"
    unit = " (input units)" if np.allclose(isometry(cells), np.eye(2), atol=1e-9) else ""
    return f"slice coordinate $t_1${unit}", f"slice coordinate $t_2${unit}"


def add_polygons(ax: Any, polygons: Any, corners: Sequence[np.ndarray]) -> None:
    """Put polygons into space, and widen its limits to their corners.

    matplotlib pads polygons of fewer corners than others with memory as it comes, and takes that for places, too.

    Args:
        ax: Axes of space.
        polygons: A `Poly3DCollection`.
        corners: [corners, 3] of each polygon.
    """
    ax.add_collection3d(polygons, autolim=False)
    ax.auto_scale_xyz(*np.concatenate(corners).T)


def figure_of(ax: Axes) -> Figure:
    """The figure that holds axes, through subfigures.

    Args:
        ax: Axes.

    Returns:
        The figure.

    Raises:
        InvalidInputError: If the axes have been removed from their figure.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        raise InvalidInputError("`ax`: the axes belong to no figure; expected axes of a figure")
    return figure


def settle_layout(ax: Axes) -> None:
    """Give the axes their final place, before anything is drawn whose size depends on it.

    Args:
        ax: Axes whose labels, colour bar and legend are there.
    """
    figure = figure_of(ax)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)


def points_per_unit(ax: Axes) -> float:
    """Typographic points per unit of the data in axes of equal aspect.

    Args:
        ax: Axes whose limits are set.

    Returns:
        Points per unit along the tighter direction.
    """
    width, height = 72 * figure_of(ax).get_size_inches()
    box = ax.get_position()
    spans = np.abs(np.diff([ax.get_xlim(), ax.get_ylim()], axis=1)).ravel()
    return float(min(box.width * width / spans[0], box.height * height / spans[1]))


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int | float = 300.0) -> Path:
    """Write a figure as PNG, SVG or PDF; the file appears whole or not at all.

    Args:
        figure: The figure.
        path: File to write; its ending says the format.
        dpi: Pixels per inch, of PNG and of the parts that vector formats store as pixels.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the ending is unknown, or the folder does not exist.

    Cost: what matplotlib takes to draw it; pixels grow with the square of `dpi`.

    Example:
        >>> import matplotlib.pyplot as plt, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_figure(plt.figure(), f"{folder}/empty.png", dpi=20).read_bytes()[1:4]
        b'PNG'
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise InvalidInputError(f"`path`: got {str(path)!r}; expected a file that ends in {', '.join(FORMATS)}")
    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    options: dict[str, Any] = {"metadata": dated.get(target.suffix.lower())}
    with replacing(target) as temporary:
        figure.savefig(temporary, dpi=dpi, **options)
    return target
