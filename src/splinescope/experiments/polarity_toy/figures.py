"""The figures of `polarity-toy`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from splinescope.experiments.polarity_toy.claims import column
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, bare, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Exponents of the panels with samples."""

MEASURES = {
    "expected_log_volume": "mean log volume",
    "in_modes": "share in modes",
    "entropy": "entropy (nats)",
}


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Samples, and measures by exponent."""
    return {"samples": partial(draw_samples, numbers, kept), "measures": partial(draw_measures, numbers)}


@on_page
def draw_samples(numbers: Numbers, kept: Kept) -> Figure:
    """One row for each generator: the data, then samples at each exponent."""
    names = list(numbers["generators"])
    rhos = [row["rho"] for row in numbers["generators"][names[0]]["by_rho"]]
    shown = [rho for rho in COLUMNS if rho in rhos]
    side = PAGE / (len(shown) + 1)
    figure = new_figure(PAGE, side * len(names) + 0.3, "compressed")
    panels = figure.subplots(len(names), len(shown) + 1, squeeze=False)
    for row, name in zip(panels, names, strict=True):
        problem = name.partition("-")[2]
        data = kept.arrays(f"data-{problem}")["points"]
        samples = kept.arrays(f"samples-{name}")
        points = [data, *(samples[f"rho{rhos.index(rho)}"] for rho in shown)]
        for ax, cloud, color in zip(row, points, (MUTED, *(SERIES[0],) * len(shown)), strict=True):
            ax.plot(*cloud[:1500].T, ".", ms=1.1, mew=0, color=color, alpha=0.7, rasterized=True)
            ax.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
            bare(ax)
        row[0].set_ylabel(label_of(name))
    put_title(panels[0, 0], "a", "data")
    for letter, ax, rho in zip("bcdefgh", panels[0, 1:], shown, strict=False):
        put_title(ax, letter, rf"$\rho$ = {rho:g}")
    return figure


@on_page
def draw_measures(numbers: Numbers) -> Figure:
    """Mean log volume, share in modes, and entropy of the output, by exponent."""
    figure = new_figure(PAGE, 2.3)
    panels = figure.subplots(1, len(MEASURES))
    for letter, ax, (key, label) in zip("abc", panels, MEASURES.items(), strict=True):
        for number, (name, found) in enumerate(numbers["generators"].items()):
            style = {"color": SERIES[number % len(SERIES)], "marker": MARKERS[number % len(MARKERS)]}
            ax.plot(column(found, "rho"), column(found, key), label=label_of(name), **style)
        ax.set_xlabel(r"exponent $\rho$ of the volume")
        ax.set_ylabel(label)
        put_title(ax, letter, "exactly" if key != "in_modes" else "of exact samples")
    panels[1].set_ylim(0, 1.03)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def label_of(name: str) -> str:
    """What a generator is called in pictures.

    Args:
        name: Such as "wgan-ring".

    Returns:
        Such as "WGAN, ring".
    """
    kind, _, problem = name.partition("-")
    return f"{kind.upper()}, {problem}"
