"""What is claimed of folded hyperplanes, held against the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Balestriero et al. 2019"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    exponent = _exponent(numbers["along_width"])
    medians = {when: _medians(numbers["angles"], when) for when in ("start", "end")}
    return (
        *_closed_forms(numbers["two_layers"], numbers["mirrors"]),
        Claim.judged(
            "At random weights a hyperplane of layer 2 folds by an angle like 1/sqrt(width)",
            "estimate: n is a sum of about width/2 terms of the size of the one that changes",
            theirs="exponent -1/2",
            ours=f"exponent {exponent:.2f} of the median angle",
            tolerance="from -0.65 to -0.35",
            holds=-0.65 <= exponent <= -0.35,
            samples=min(len(entry["medians"]) for entry in numbers["along_width"]),
        ),
        Claim.told(
            "How far hyperplanes fold, layer by layer",
            SOURCE,
            theirs="no distribution given",
            ours="median angle by layer: "
            + "; ".join(
                f"{name} {', '.join(f'{value:.1f}°' for value in values)}"
                for name, values in (("before training", medians["start"]), ("after", medians["end"]))
            ),
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Quartiles of the angles of each network and layer."""
    columns = ("data", "network", "when", "layer", "bends", "lower_quartile_deg", "median_deg", "upper_quartile_deg")
    rows = tuple(
        (name, number, {"start": "before", "end": "after"}[when], part["layer"], part["bends"], *part["quartiles"])
        for name, runs in numbers["angles"].items()
        for number, entry in enumerate(runs)
        for when in ("start", "end")
        for part in entry[when]
    )
    return {"angles": Table(columns, rows)}


def _closed_forms(two_layers: Sequence[Mapping[str, Any]], mirrors: Sequence[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """Claims that hold to rounding or not at all."""
    residual = max(part["largest_residual"] for part in two_layers)
    tangential = max(part["largest_tangential"] for part in two_layers)
    mirrored = max(part["largest_residual"] for part in mirrors)
    return (
        Claim.judged(
            "Where a unit of layer 2 crosses unit k of layer 1, its normal changes by w2_k W1_k",
            SOURCE,
            theirs="n' = n + w2_k W1_k",
            ours=f"largest relative residual {residual:.1e} of {sum(part['bends'] for part in two_layers):,} folds",
            tolerance="1e-12",
            holds=residual < 1e-12,
        ),
        Claim.judged(
            "Both normals agree along the hyperplane that is crossed: the network is continuous",
            SOURCE,
            theirs="no tangential difference",
            ours=f"largest relative difference {tangential:.1e}",
            tolerance="1e-12",
            holds=tangential < 1e-12,
        ),
        Claim.judged(
            "Absolute values with orthonormal filters fold by reflection, so that the angle is twice that of incidence",
            SOURCE,
            theirs="2 arctan(|n_i| / |n_j|) at a fold of coordinate i",
            ours=f"largest difference {mirrored:.1e} rad in {sum(part['bends'] for part in mirrors):,} folds",
            tolerance="1e-12 rad",
            holds=mirrored < 1e-12,
        ),
    )


def _exponent(along_width: Sequence[Mapping[str, Any]]) -> float:
    """Slope of the mean of the medians over the width, both logarithmic."""
    means = [np.mean(entry["medians"]) for entry in along_width]
    return float(np.polyfit(np.log([entry["width"] for entry in along_width]), np.log(means), 1)[0])


def _medians(angles: Mapping[str, Any], when: str) -> list[float]:
    """Median over all networks of each layer, from the pooled histograms."""
    layers = [entry[when] for runs in angles.values() for entry in runs]
    medians = []
    for number in range(len(layers[0])):
        counts = np.sum([layer[number]["counts"] for layer in layers], axis=0)
        reached = np.concatenate([[0], np.cumsum(counts)]) / max(1, counts.sum())
        medians.append(float(np.interp(0.5, reached, np.linspace(0, 180, len(counts) + 1))))
    return medians
