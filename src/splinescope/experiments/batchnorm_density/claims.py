"""Claims of `batchnorm-density`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Balestriero, Humayun and Baraniuk 2024, figure 8"
THEOREM = "Balestriero and Baraniuk 2022, arXiv 2209.14778"
AGREEMENT = 0.15
"""Relative difference up to which the local formula, at random points, agrees with exact lengths."""


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    config = numbers["config"]
    shown = config["shown"]
    moved = f"star moved to ({', '.join(f'{x:g}' for x in config['away'])}), width {config['exact_width']}"
    return (
        _concentrated(numbers["local"], shown, f"width {config['width']:,}, local formula"),
        _concentrated(numbers["exact"], shown, f"width {config['exact_width']}, exact"),
        _away(numbers["away"], shown, moved),
        _radial(numbers["radial"]),
        *_theorem(numbers["fits"]),
        *_jitter(numbers["jitter"], config),
        _agreement(numbers["exact"]),
        Claim.told(
            "The picture itself",
            SOURCE,
            theirs="11 layers of width 1,024, 50 samples of a star; distribution of weights and biases, window, grid "
            "and what counts as near are not given",
            ours=f"{config['layers']} layers of width {config['width']:,}, He-normal weights, biases of deviation "
            f"{config['bias_deviation']:g}, window of side {2 * config['half']:g}, near is {config['reach']:g}",
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Densities of each network, layer by layer."""
    columns = ("biases", "width", "layer", "window_per_length", "at_data_per_length", "ratio")
    config = numbers["config"]
    rows = [
        (row, width, layer, *(float(found[key][layer - 1]) for key in ("window", "near", "ratio")))
        for width, kind in ((config["width"], "local"), (config["exact_width"], "exact"))
        for row, found in numbers[kind].items()
        for layer in range(1, config["layers"] + 1)
    ]
    return {"density": Table(columns, tuple(rows))}


def _at(shown: Sequence[int], ratios: Sequence[float]) -> list[float]:
    return [float(ratios[layer - 1]) for layer in shown]


def _listed(values: Any) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _concentrated(found: Mapping[str, Any], shown: Sequence[int], what: str) -> Claim:
    zero, random, batchnorm = (_at(shown, found[row]["ratio"]) for row in ("zero", "random", "batchnorm"))
    return Claim.judged(
        f"With batch-norm folds concentrate at the data ({what})",
        SOURCE,
        theirs="batch-norm fits the folds to the data; without it they ignore the data",
        ours=f"density at the data over that in the window, layers {', '.join(map(str, shown))}: "
        f"{_listed(batchnorm)} with batch-norm, {_listed(random)} with random biases, {_listed(zero)} with zero biases",
        tolerance="above 2 with batch-norm, and above the others in each layer",
        holds=min(batchnorm) > 2 and all(b > max(r, z) for b, r, z in zip(batchnorm, random, zero, strict=True)),
    )


def _away(found: Mapping[str, Any], shown: Sequence[int], what: str) -> Claim:
    zero, random, batchnorm = (_at(shown, found[row]["ratio"]) for row in ("zero", "random", "batchnorm"))
    return Claim.judged(
        "Zero biases concentrate folds at the origin wherever the data are; batch-norm follows the data",
        SOURCE,
        theirs="with zero biases all folds pass through the origin",
        ours=f"{what}: {_listed(batchnorm)} with batch-norm, "
        f"{_listed(random)} with random biases, {_listed(zero)} with zero biases",
        tolerance="above 2 with batch-norm, and above the others in each layer",
        holds=min(batchnorm) > 2 and all(b > max(r, z) for b, r, z in zip(batchnorm, random, zero, strict=True)),
    )


def _radial(found: Mapping[str, Any]) -> Claim:
    return Claim.judged(
        "Without biases patterns are constant along rays from the origin",
        SOURCE,
        theirs="radially constant",
        ours=f"{found['different']} of {found['units']:,} signs differ at a quarter and at eight times the data",
        tolerance="none",
        holds=found["different"] == 0,
    )


def _theorem(fits: Mapping[str, Any]) -> tuple[Claim, Claim]:
    excess = max(fits["batchnorm"]["excess"])
    sides = {row: found["both_sides"] for row, found in fits.items()}
    return (
        Claim.judged(
            "Batch-norm attains the least squared distance of each layer's inputs to its hyperplanes",
            THEOREM,
            theirs="total least squares",
            ours=f"ratio to the least 1 + {excess - 1:.1e} at most with batch-norm; up to "
            f"{max(fits['random']['excess']):,.0f} with random and {max(fits['zero']['excess']):,.1f} with zero biases",
            tolerance="1 + 1e-10",
            holds=excess < 1 + 1e-10,
        ),
        Claim.judged(
            "With batch-norm every unit has data on both sides of its fold",
            THEOREM,
            theirs="each hyperplane passes through the centroid of its layer's inputs",
            ours=f"least share of the units of a layer: {min(sides['batchnorm']):.0%} with batch-norm, "
            f"{min(sides['random']):.0%} with random biases, {min(sides['zero']):.0%} with zero biases",
            tolerance="all units",
            holds=min(sides["batchnorm"]) == 1.0,
        ),
    )


def _jitter(found: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[Claim, Claim]:
    worst = max(abs(value - 1) for value in found["alone"])
    moving = found["together"]
    return (
        Claim.judged(
            "Between mini-batches a hyperplane moves by nu / (sqrt(B) |w|)",
            THEOREM,
            theirs="its offset is the mean of B samples",
            ours=f"medians over the units of each layer within {worst:.1%} of it, with the layer's inputs held still; "
            f"B = {config['batch']}, {config['resamples']} mini-batches",
            tolerance=f"{AGREEMENT:.0%}",
            holds=worst < AGREEMENT,
        ),
        Claim.told(
            "The same in training, where the layers before are normalised by the same mini-batch",
            THEOREM,
            theirs="not said",
            ours=f"{moving[0]:.2f} times the formula in layer 1, {min(moving[1:]):.2f} to {max(moving[1:]):.2f} times "
            "in the layers behind: their inputs have nearly the same mean and variance in every mini-batch",
        ),
    )


def _agreement(found: Mapping[str, Any]) -> Claim:
    errors = [
        np.asarray(entry["local"][key]) / np.asarray(entry[key]) - 1
        for entry in found.values()
        for key in ("window", "near")
    ]
    worst = float(np.abs(errors).max())
    cells = ", ".join(f"{entry['cells']:,}" for entry in found.values())
    return Claim.judged(
        "The local formula, averaged, is the length of folds per area",
        "a strip of width 2r around a line of length l has the area 2rl",
        theirs="equal where folds are straight within the distance",
        ours=f"largest difference {worst:.1%} of any layer, in the window and at the data; {cells} cells",
        tolerance=f"{AGREEMENT:.0%}",
        holds=worst < AGREEMENT,
    )
