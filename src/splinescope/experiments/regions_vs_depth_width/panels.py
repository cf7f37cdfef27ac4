"""Counts of cells: over shapes of a network, over its size, beside bounds, and during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from splinescope.plotting.figures import INK
from splinescope.plotting.page import MARKERS, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Samples:
    """Repeated measurements along a variable.

    Attributes:
        label: Name of the series.
        x: Where.
        values: One row per repetition, one column per place.
    """

    label: str
    x: Float[np.ndarray, " places"]
    values: Float[np.ndarray, "repetitions places"]


def draw_ratios(
    ax: Axes, labels: Sequence[str], samples: Sequence[Float[np.ndarray, " _"]], references: Sequence[float] = ()
) -> None:
    """Ratios to a prediction, one column of points per group, with their means and the prediction at 1.

    Args:
        ax: Axes.
        labels: Name of each group.
        samples: Ratios of each group.
        references: Values known for each group, drawn as open squares; none if empty.
    """
    ax.axhline(1.0, color=MUTED, lw=0.8, ls=(0, (4, 2)), zorder=1)
    for place, values in enumerate(samples):
        # Golden-ratio spacing spreads any number of points evenly, the same way in every run.
        spread = 0.36 * ((np.arange(len(values)) * 0.6180339887) % 1 - 0.5)
        ax.plot(place + spread, values, "o", ms=2.4, mfc=SERIES[4], mec="none", alpha=0.7, zorder=2)
    means = [float(np.mean(values)) for values in samples]
    ax.plot(range(len(means)), means, "D", ms=4.6, mfc=SERIES[0], mec="white", mew=0.6, zorder=4, label="mean")
    if len(references):
        places = range(len(references))
        ax.plot(places, references, "s", ms=6.4, mfc="none", mec=INK, mew=0.9, zorder=3, label="reference run")
    ax.set_xticks(range(len(labels)), labels)
    ax.set_xlim(-0.5, len(labels) - 0.5)
    ax.set_ylim(bottom=0)


def draw_series(ax: Axes, series: Sequence[Samples], *, bands: bool = True, first: int = 0) -> None:
    """Means of repeated measurements as lines, with the middle half of the repetitions as a band.

    Args:
        ax: Axes.
        series: The series.
        bands: Whether to draw the middle half.
        first: Place in the colours of the first series.
    """
    for number, samples in enumerate(series, first):
        color, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        if bands and len(samples.values) > 1:
            low, high = np.percentile(samples.values, (25, 75), axis=0)
            ax.fill_between(samples.x, low, high, color=color, alpha=0.18, lw=0)
        ax.plot(
            samples.x,
            samples.values.mean(axis=0),
            color=color,
            marker=marker,
            mec="white",
            mew=0.4,
            label=samples.label,
        )


def draw_bounds(ax: Axes, x: Float[np.ndarray, " places"], bounds: Mapping[str, Float[np.ndarray, " places"]]) -> None:
    """Bounds as grey lines with their names at the right end.

    Args:
        ax: Axes, whose limits are set from the data already drawn and the bounds.
        x: Where.
        bounds: Values by name; places that are not finite are left out.
    """
    dashes: tuple[object, ...] = ((0, (5, 2)), (0, (1, 1.4)), (0, (5, 1.5, 1, 1.5)), (0, (8, 1.5)), "solid")
    for number, (name, values) in enumerate(bounds.items()):
        known = np.isfinite(values)
        ax.plot(x[known], values[known], color=MUTED, lw=0.9, ls=dashes[number % len(dashes)], zorder=1, label=name)


def draw_training_counts(ax: Axes, epochs: Float[np.ndarray, " times"], series: Sequence[Samples]) -> None:
    """Counts during training relative to those before it, thin lines for single runs and a thick one for their mean.

    Args:
        ax: Axes.
        epochs: Epochs done at each measurement; the first is 0, before training.
        series: Relative counts.
    """
    places = np.arange(len(epochs), dtype=np.float64)
    ax.axhline(1.0, color=MUTED, lw=0.8, ls=(0, (4, 2)), zorder=1)
    for number, samples in enumerate(series):
        color = SERIES[number]
        ax.plot(places, samples.values.T, color=color, lw=0.5, alpha=0.45, zorder=2)
        ax.plot(
            places,
            samples.values.mean(axis=0),
            color=color,
            marker=MARKERS[number],
            mec="white",
            mew=0.4,
            lw=1.6,
            label=samples.label,
            zorder=3,
        )
    step = -(-len(epochs) // 6)
    ax.set_xticks(places[::step], [f"{epoch:g}" for epoch in epochs[::step]])
    ax.set_xlabel("epochs of training")
