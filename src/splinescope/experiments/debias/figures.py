"""The figures of `debias`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.debias.claims import LAWS, of_law
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting import plot_samples
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORT = {"own": "own law", "published": "as published", "latents": "uniform latents", "manifold": "uniform on manifold"}


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Frequencies, and samples."""
    found: dict[str, Callable[[], Figure]]
    found = {"frequencies": partial(draw_frequencies, numbers), "samples": partial(draw_samples, numbers, kept)}
    if "published" in numbers:
        found["published"] = partial(draw_published, numbers)
    return found


@on_page
def draw_frequencies(numbers: Numbers) -> Figure:
    """Shares of all classes under each law, and the rare one's by the exponent."""
    figure = new_figure(PAGE, 2.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1.0))
    rare = numbers["config"]["rare"]
    left.axhline(0.1, color=MUTED, lw=0.6, ls=":")
    left.plot(np.arange(10), numbers["data"]["shares"], "_", ms=14, mew=1.6, color=MUTED, label="training set")
    for number, name in enumerate(LAWS):
        found, shift = of_law(numbers, name), 0.16 * (number - 1.5)
        _errors(left, np.arange(10) + shift, found, range(10), number, SHORT[name])
    left.set_xticks(range(10), [f"{k}\n(rare)" if k == rare else str(k) for k in range(10)])
    left.set(xlabel="class", ylabel="share of samples", ylim=(0, None))
    put_title(left, "a", "classes under four laws")
    for number, pool in enumerate(("gaussian", "uniform")):
        rhos, found = numbers[pool]["rhos"], numbers[pool]["frequencies"]
        rows = {key: [one[key][rare] for one in found] for key in ("shares", "low", "high")}
        label = f"{'Gaussian' if pool == 'gaussian' else 'uniform'} latents"
        _errors(right, np.array(rhos), rows, range(len(rhos)), 2 * number, label, "-")
    right.axhline(numbers["data"]["shares"][rare], color=MUTED, lw=0.8, ls="--", label="training set")
    right.set(xlabel=r"exponent $\rho$ of the volume", ylabel=f"share of digit {rare}", ylim=(0, None))
    right.legend(loc="best")
    put_title(right, "b", "the rare class")
    figure.legend(*left.get_legend_handles_labels(), ncols=5, loc="outside lower center")
    return figure


@on_page
def draw_published(numbers: Numbers) -> Figure:
    """Shares of the classes of a published generator, for latents of each law with and without volumes."""
    figure = new_figure(PAGE, 2.9)
    panels = figure.subplots(1, 2, sharey=True)
    handles: dict[str, Any] = {}
    for letter, ax, latents in zip("ab", panels, ("gaussian", "uniform"), strict=True):
        laws = [one for one in numbers["published"]["laws"] if one["latents"] == latents]
        ax.axhline(0.1, color=MUTED, lw=0.6, ls=":")
        for number, one in enumerate(laws):
            volume = f"{one['top']} values" if one["top"] else "all values"
            label = f"by volume, {volume}" if one["rho"] else "as drawn"
            _errors(ax, np.arange(10) + 0.18 * (number - (len(laws) - 1) / 2), one, range(10), number, label)
        ax.set_xticks(range(10))
        ax.set(xlabel="class", ylim=(0, None))
        put_title(ax, letter, "Gaussian latents" if latents == "gaussian" else "latents uniform in a ball")
        handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    panels[0].set_ylabel("share of samples")
    figure.legend(handles.values(), handles.keys(), ncols=4, loc="outside lower center")
    return figure


def _errors(ax: object, at: np.ndarray, found: dict, which: range, number: int, label: str, line: str = "") -> None:
    """Shares with their intervals."""
    shares, low, high = (np.array([found[key][k] for k in which]) for key in ("shares", "low", "high"))
    errors = np.maximum([shares - low, high - shares], 0.0)
    style = {"fmt": f"{MARKERS[number]}{line}", "color": SERIES[number], "ms": 3.2, "elinewidth": 0.8}
    ax.errorbar(at, shares, errors, label=label, **style)  # type: ignore[attr-defined]


@on_page
def draw_samples(numbers: Numbers, kept: Kept) -> Figure:
    """Images of each law."""
    samples = kept.arrays("samples")
    figure = new_figure(PAGE, 1.75, "compressed")
    for letter, ax, name in zip("abcd", figure.subplots(1, len(LAWS)), LAWS, strict=True):
        plot_samples(np.clip(samples[name], 0, 1), ax, columns=6)
        put_title(ax, letter, SHORT[name])
    return figure
