"""What is claimed of the number of cells, held against what `regions-vs-depth-width` counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.base import Claim

if TYPE_CHECKING:
    from splinescope.experiments.regions_vs_depth_width import Settings

REFERENCE = {"1x60": 0.99, "2x30": 0.95, "3x20": 1.10, "4x15": 1.04, "6x10": 0.82}
"""Ratios to N^2/2 of single networks of 60 units (He-normal weights, biases N(0, 1), window +-30), counted before."""

NARROW = 8
"""Width below which whole layers are dead often enough to spoil a power law."""

SOURCE = "Hanin and Rolnick 2019"


def claims_of(settings: Settings, numbers: Mapping[str, Any]) -> tuple[Claim, ...]:
    """The claims with their verdicts.

    Args:
        settings: Sizes of the experiment.
        numbers: What was counted.

    Returns:
        One claim per statement.
    """
    return (
        *_at_start(settings, numbers),
        *_during_training(settings, numbers["trained"]),
        *_between_bounds(settings, numbers),
    )


def _at_start(settings: Settings, numbers: Mapping[str, Any]) -> tuple[Claim, ...]:
    """Claims about random networks."""
    shapes = numbers["shapes"]
    means = {name: float(np.mean(entry["ratio"])) for name, entry in shapes.items()}
    units = next(iter(shapes.values()))["units"]
    slopes = {depth: _exponent(entries, "cells") for depth, entries in numbers["sizes"].items()}
    line_slopes = {depth: _exponent(entries, "along_a_line") for depth, entries in numbers["sizes"].items()}
    return (
        Claim.judged(
            f"A random network of two inputs and N = {units} units has about N^2/2 cells, however deep it is",
            SOURCE,
            theirs="ratio to N^2/2 near 1; single networks counted before: "
            + ", ".join(f"{name} {value:.2f}" for name, value in REFERENCE.items()),
            ours=f"means of {settings.repeats} networks: "
            + ", ".join(f"{name} {value:.2f}" for name, value in means.items()),
            tolerance="every mean from 0.75 to 1.25",
            holds=all(0.75 <= value <= 1.25 for value in means.values()),
            samples=settings.repeats,
        ),
        Claim.judged(
            "The number grows like N^d with the number of units N in d dimensions",
            SOURCE,
            theirs="exponent 2",
            ours=_exponents(slopes),
            tolerance="exponents from 1.8 to 2.2",
            holds=all(1.8 <= value <= 2.2 for value in slopes.values()),
            samples=settings.repeats,
        ),
        Claim.judged(
            "Along a line it grows like the number of units",
            "Hanin and Rolnick 2019 (arXiv 1901.09021)",
            theirs="exponent 1",
            ours=_exponents(line_slopes),
            tolerance="exponents from 0.8 to 1.2",
            holds=all(0.8 <= value <= 1.2 for value in line_slopes.values()),
            samples=settings.repeats,
        ),
    )


def _during_training(settings: Settings, trained: Mapping[str, Any]) -> tuple[Claim, ...]:
    """Claims about networks while they train."""
    far = {name: _relative(entry["far"]) for name, entry in trained.items()}
    near = {name: _relative(entry["near"]) for name, entry in trained.items()}
    return (
        Claim.judged(
            "During training the number of cells stays roughly constant, in a window that holds nearly all of them",
            SOURCE,
            theirs="roughly constant",
            ours=_ranges(far),
            tolerance="mean over the networks within a factor of 1.5 of the start, at every epoch",
            holds=all(1 / 1.5 <= value <= 1.5 for values in far.values() for value in values),
            samples=settings.trained_repeats,
            needed=5,
        ),
        Claim.told(
            "The number close to the data, during training",
            SOURCE,
            theirs="roughly constant, without a window being told apart",
            ours=_ranges(near),
        ),
    )


def _between_bounds(settings: Settings, numbers: Mapping[str, Any]) -> tuple[Claim, ...]:
    """Claims about bounds."""
    built, along_depth = numbers["built"], numbers["along_depth"]
    upper = numbers["bounds"]["serra_2018_upper"]
    largest = [max(entry["cells"]) for entry in along_depth]
    degrees = [d for entry in (*numbers["shapes"].values(), *along_depth) for d in entry["mean_degree"]]
    return (
        Claim.judged(
            "No network has more cells than the upper bound",
            "Serra et al. 2018",
            theirs=f"at most {upper[-1]:.3g} for {settings.most_layers} layers of {settings.width}",
            ours=f"at most {largest[-1]:,}",
            tolerance="none exceeds it, at any depth",
            holds=all(count <= bound for count, bound in zip(largest, upper, strict=True)),
        ),
        Claim.judged(
            "Some network has as many cells as the lower bound",
            "Montufar et al. 2014",
            theirs=", ".join(f"{int(value):,}" for value in numbers["bounds"]["lower"][: len(built)]),
            ours=", ".join(f"{part['cells']:,}" for part in built) + " in the unit square, counted exactly",
            tolerance="equal",
            holds=[part["cells"] for part in built] == numbers["bounds"]["lower"][: len(built)],
        ),
        Claim.judged(
            "In two dimensions cells have less than four neighbours on average",
            "Gaines and Bi 2026",
            theirs="at most 4",
            ours=f"from {min(degrees):.3f} to {max(degrees):.3f}",
            tolerance="none exceeds it",
            holds=max(degrees) <= 4,
        ),
    )


def _exponents(slopes: Mapping[str, float]) -> str:
    return (
        ", ".join(f"{value:.2f} at depth {k}" for k, value in slopes.items()) + f" (layers of {NARROW} units or more)"
    )


def _exponent(entries: Sequence[Mapping[str, Any]], what: str) -> float:
    """Slope of the mean count over the number of units, both logarithmic, without layers so narrow that they die."""
    wide = [entry for entry in entries if min(entry["widths"]) >= NARROW]
    if len(wide) < 2:
        return float("nan")
    counts = np.log([np.mean(entry[what]) for entry in wide])
    return float(np.polyfit(np.log([entry["units"] for entry in wide]), counts, 1)[0])


def _relative(counts: Sequence[Sequence[int]]) -> list[float]:
    """Mean over the networks of the counts relative to their first."""
    array = np.asarray(counts, dtype=np.float64)
    return [float(value) for value in (array / array[:, :1]).mean(axis=0)]


def _ranges(relative: Mapping[str, Sequence[float]]) -> str:
    return "; ".join(f"{name}: {min(v):.2f} to {max(v):.2f} of the start" for name, v in relative.items())
