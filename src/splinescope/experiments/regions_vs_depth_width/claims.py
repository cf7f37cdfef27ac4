"""What is claimed of the number of cells, held against what `regions-vs-depth-width` counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

REFERENCE = {"1x60": 0.99, "2x30": 0.95, "3x20": 1.10, "4x15": 1.04, "6x10": 0.82}
"""Ratios to N^2/2 of single networks of 60 units (He-normal weights, biases N(0, 1), window +-30), counted before."""

NARROW = 8
"""Width below which whole layers are dead often enough to spoil a power law."""

SOURCE = "Hanin and Rolnick 2019"
BOUNDS = ("montufar_2014_lower", "serra_2018_upper", "montufar_2017_upper", "trivial_upper")


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    return (
        *_at_start(numbers),
        *_during_training(numbers),
        *_between_bounds(numbers),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Counts beside all bounds, for each depth."""
    built = {part["layers"]: part["cells"] for part in numbers["built"]}
    bounds = numbers["bounds"]
    rows = [
        (
            len(entry["widths"]),
            entry["widths"][0],
            float(np.mean(entry["cells"])),
            max(entry["cells"]),
            bounds["average"][place],
            built.get(len(entry["widths"]), ""),
            *(bounds[name][place] for name in BOUNDS),
        )
        for place, entry in enumerate(numbers["along_depth"])
    ]
    columns = ("layers", "width", "mean_cells", "most_cells", "half_units_squared", "cells_of_folding_network", *BOUNDS)
    return {"bounds": Table(columns, tuple(rows))}


def _at_start(numbers: Numbers) -> tuple[Claim, ...]:
    """Claims about random networks."""
    shapes, repeats = numbers["shapes"], numbers["config"]["repeats"]
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
            ours=f"means of {repeats} networks: " + ", ".join(f"{name} {value:.2f}" for name, value in means.items()),
            tolerance="every mean from 0.75 to 1.25",
            holds=all(0.75 <= value <= 1.25 for value in means.values()),
            samples=repeats,
        ),
        Claim.judged(
            "The number grows like N^d with the number of units N in d dimensions",
            SOURCE,
            theirs="exponent 2",
            ours=_exponents(slopes),
            tolerance="exponents from 1.8 to 2.2",
            holds=all(1.8 <= value <= 2.2 for value in slopes.values()),
            samples=repeats,
        ),
        Claim.judged(
            "Along a line it grows like the number of units",
            "Hanin and Rolnick 2019 (arXiv 1901.09021)",
            theirs="exponent 1",
            ours=_exponents(line_slopes),
            tolerance="exponents from 0.8 to 1.2",
            holds=all(0.8 <= value <= 1.2 for value in line_slopes.values()),
            samples=repeats,
        ),
    )


def _during_training(numbers: Numbers) -> tuple[Claim, ...]:
    """Claims about networks while they train."""
    trained = numbers["trained"]
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
            samples=numbers["config"]["trained_repeats"],
            needed=5,
        ),
        Claim.told(
            "The number close to the data, during training",
            SOURCE,
            theirs="roughly constant, without a window being told apart",
            ours=_ranges(near),
        ),
    )


def _between_bounds(numbers: Numbers) -> tuple[Claim, ...]:
    """Claims about bounds."""
    built, along_depth = numbers["built"], numbers["along_depth"]
    upper, lower = numbers["bounds"]["serra_2018_upper"], numbers["bounds"]["montufar_2014_lower"][: len(built)]
    deepest = along_depth[-1]["widths"]
    largest = [max(entry["cells"]) for entry in along_depth]
    degrees = [d for entry in (*numbers["shapes"].values(), *along_depth) for d in entry["mean_degree"]]
    return (
        Claim.judged(
            "No network has more cells than the upper bound",
            "Serra et al. 2018",
            theirs=f"at most {upper[-1]:.3g} for {len(deepest)} layers of {deepest[0]}",
            ours=f"at most {largest[-1]:,}",
            tolerance="none exceeds it, at any depth",
            holds=all(count <= bound for count, bound in zip(largest, upper, strict=True)),
        ),
        Claim.judged(
            "Some network has as many cells as the lower bound",
            "Montufar et al. 2014",
            theirs=", ".join(f"{value:,}" for value in lower),
            ours=", ".join(f"{part['cells']:,}" for part in built) + " in the unit square, counted exactly",
            tolerance="equal",
            holds=[part["cells"] for part in built] == lower,
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
