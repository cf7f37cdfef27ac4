"""The figures of `decoder-geodesics`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.figures import ACCENT, INK
from splinescope.plotting.geodesics import draw_volumes
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The paths over the latents with lengths of all pairs, and images along them; the same of given generators."""
    drawn: dict[str, Callable[[], Figure]] = {
        "paths": partial(draw_paths, numbers, kept),
        "images": partial(draw_images, numbers, kept),
    }
    if numbers["generators"]:
        drawn["generators"] = partial(draw_generators, numbers, kept)
    return drawn


@on_page
def draw_paths(numbers: Numbers, kept: Kept) -> Figure:
    """Some paths over what the decoder stretches areas by, and both lengths of all pairs."""
    figure = new_figure(PAGE, 3.2)
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1.0))
    cells, paths = kept.cells("cells", PlanarComplex), kept.arrays("paths")
    known = kept.arrays("latents")["known"]
    left.set_aspect("equal")
    left.set(xlim=_limits(cells, 0), ylim=_limits(cells, 1), xlabel="$z_1$", ylabel="$z_2$")
    draw_volumes(left, cells)
    left.plot(*known.T, ".", ms=1.2, color="white", mew=0, alpha=0.7, zorder=3)
    for number in range(_shown(numbers)):
        path = paths[f"path-{number}"]
        for points, color, style in ((path[[0, -1]], SERIES[1], (0, (3, 1.5))), (path, ACCENT, "solid")):
            left.plot(*points.T, color="white", lw=2.4, zorder=4)
            left.plot(*points.T, color=color, lw=1.3, ls=style, zorder=5)
        left.plot(*path[[0, -1]].T, "o", ms=3.5, mfc="white", mec=INK, mew=0.8, zorder=6, ls="none")
        left.annotate(str(number + 1), path[0], (5, 4), textcoords="offset points", zorder=7, fontsize=7,
                      bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.85})  # fmt: skip
    put_title(left, "a", "shortest paths and straight lines")
    lengths = np.array([[one["straight_length"], one["length"], one["chord"]] for one in numbers["pairs"]])
    right.plot([0, lengths[:, 0].max()], [0, lengths[:, 0].max()], color=MUTED, lw=0.7, ls=":")
    for number, (column, label) in enumerate(((1, "shortest path"), (2, "distance of the images"))):
        right.plot(lengths[:, 0], lengths[:, column], MARKERS[number], color=(ACCENT, SERIES[0])[number], ms=3,
                   mec="white", mew=0.3, label=label)  # fmt: skip
    right.set(xlabel="length of the straight line", ylabel="length", xlim=(0, None), ylim=(0, None))
    right.legend(loc="upper left")
    put_title(right, "b", "all pairs")
    return figure


def _shown(numbers: Numbers) -> int:
    return len(numbers["shown"])


def _limits(cells: PlanarComplex, axis: int) -> tuple[float, float]:
    return float(cells.vertices[:, axis].min()), float(cells.vertices[:, axis].max())


@on_page
def draw_images(numbers: Numbers, kept: Kept) -> Figure:
    """Images at equal distances along both ways of the pairs of which the shortest path saves most."""
    paths, shown = kept.arrays("paths"), _shown(numbers)
    figure = new_figure(PAGE, 1.3 * shown + 0.3)
    for number, row in enumerate(figure.subfigures(shown, 1, squeeze=False)[:, 0]):
        one = numbers["pairs"][numbers["shown"][number]]
        axes = row.subplots(2, 1)
        for ax, way, length in zip(axes, ("straight", "geodesic"), ("straight_length", "length"), strict=True):
            _strip(ax, paths[f"{way}-{number}"])
            word = "straight line" if way == "straight" else "shortest path"
            ax.set_ylabel(f"{word}\n{one[length]:.2f}", rotation=0, ha="right", va="center")
        put_title(axes[0], str(number + 1), "")
    return figure


def _strip(ax: Axes, images: np.ndarray) -> None:
    """Images beside each other."""
    side = round(images.shape[1] ** 0.5)
    framed = np.pad(images.reshape(-1, side, side), ((0, 0), (0, 0), (0, 1)))
    ax.imshow(np.concatenate(list(framed), axis=1), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    _without_frame(ax)


def _without_frame(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


@on_page
def draw_generators(numbers: Numbers, kept: Kept) -> Figure:
    """Lengths of both ways of each generator, and its outputs along the pair of which the curve saves most."""
    from matplotlib.ticker import LogLocator, NullLocator

    given = numbers["generators"]
    figure = new_figure(PAGE, 1.9 * len(given))
    for row, one in zip(figure.subfigures(len(given), 1, squeeze=False)[:, 0], given, strict=True):
        left, right = row.subfigures(1, 2, width_ratios=(1.3, 2.5))
        ax = left.subplots()
        ax.axhline(1, color=MUTED, lw=0.7, ls=":")
        for number, (kind, label) in enumerate((("planes", "exact, in a plane"), ("curves", "little energy"))):
            straight, length = np.array([[way["straight_length"], way["length"]] for way in one[kind]]).T
            ax.plot(straight, length / straight, MARKERS[number], color=(ACCENT, SERIES[0])[number], ms=3, mec="white",
                    mew=0.3, label=label)  # fmt: skip
        ax.set(xlabel="straight line's length", ylabel="length / straight", xscale="log")
        lengths = [way["straight_length"] for kind in ("planes", "curves") for way in one[kind]]
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(lengths) < 100 * min(lengths) else (1,)))
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.xaxis.set_minor_locator(NullLocator())
        ax.margins(x=0.15, y=0.15)
        if one is given[0]:
            ax.legend(loc="best")
        put_title(ax, "ab"[given.index(one)] if len(given) < 3 else "", one["title"])
        both, ways = kept.arrays(f"generator-{one['name']}"), one["curves"][one["shown"]]
        axes = right.subplots(2, 1)
        for place, way, key, word in zip(
            axes, ("straight", "curve"), ("straight_length", "length"), ("straight line", "curve"), strict=True
        ):
            _outputs(place, both[way])
            place.set_ylabel(f"{word}\n{ways[key]:.3g}", rotation=0, ha="right", va="center")
    return figure


def _outputs(ax: Axes, values: np.ndarray) -> None:
    """Outputs beside each other: square images, or else outlines in a plane."""
    if round(values.shape[1] ** 0.5) ** 2 == values.shape[1]:
        _strip(ax, (values - values.min()) / np.ptp(values))
        return
    points = values.reshape(len(values), -1, 2)
    step = 1.15 * float(np.ptp(points[..., 0]))
    for number, outline in enumerate(points):
        ax.plot(outline[:, 0] + number * step, outline[:, 1], color=INK, lw=0.8)
    ax.set_aspect("equal")
    _without_frame(ax)
