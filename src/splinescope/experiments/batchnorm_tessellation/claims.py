"""What is claimed of batch-norm's folds, held against the numbers."""

from __future__ import annotations

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Balestriero, Humayun and Baraniuk 2024, figure 7"
THEOREM = "Balestriero and Baraniuk 2022, arXiv 2209.14778"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    units = numbers["config"]["layers"] * numbers["config"]["width"]
    networks, same, layers = numbers["networks"], numbers["identities"], numbers["layers"]
    crossing = {name: [sum(network[name]["crossing"]) for network in networks] for name in layers}
    excess = max(max(network["batchnorm"]["excess"]) for network in networks)
    plain = ", ".join(f"{value:.1f}" for value in layers["plain"]["excess"])
    return (
        Claim.judged(
            "Batch-norm moves the folds of every layer to the data",
            SOURCE,
            theirs="all folds cross the data",
            ours=f"with it {min(crossing['batchnorm'])} of {units} units fold within the convex hull of the data in "
            f"each of {len(networks)} networks; without it {np.mean(crossing['plain']):.1f} on average",
            tolerance="all units with batch-norm, fewer without",
            holds=min(crossing["batchnorm"]) == units > float(np.mean(crossing["plain"])),
        ),
        Claim.judged(
            "Batch-norm puts each hyperplane where the squared distance to the layer's inputs is least",
            THEOREM,
            theirs="total least squares",
            ours=f"largest ratio to the least {excess:.15f}; without batch-norm {plain} in layers 1 to "
            f"{len(layers['plain']['excess'])} on average",
            tolerance="1 + 1e-12",
            holds=excess < 1 + 1e-12,
        ),
        Claim.judged(
            "Gamma moves no fold of its own layer, nor, if all units share it, of deeper layers; beta does",
            THEOREM,
            theirs="the hyperplanes are those of the statistics",
            ours=f"same cells with other gammas in the last layer: {same['gamma_of_last_layer']}; with one gamma in "
            f"each layer: {same['one_gamma_per_layer']}; with another beta: {same['beta']}",
            tolerance="the same patterns in the same places with gammas, not with beta",
            holds=same["gamma_of_last_layer"] and same["one_gamma_per_layer"] and not same["beta"],
        ),
        Claim.told(
            "Gammas that differ from unit to unit move no fold",
            "a reading of the above that goes too far",
            theirs="said of the layer itself",
            ours=f"same cells with such gammas in all layers: {same['gamma_of_each_unit']}: they turn the hyperplanes "
            "of the layers behind",
        ),
        Claim.judged(
            "Biases and scales set from the data give the tessellation of batch-norm without its layers",
            THEOREM,
            theirs="batch-norm acts by its statistics alone",
            ours=f"same cells: {same['data_init']}; certificate {same['certificate']!r}",
            tolerance="the same patterns in the same places",
            holds=same["data_init"] and same["certificate"] == "proof",
        ),
        Claim.told(
            "Number of cells at the data",
            SOURCE,
            theirs="not given, nor are weights, biases and data",
            ours=f"{layers['batchnorm']['cells_in_hull']:.0f} cells within the convex hull with batch-norm, "
            f"{layers['plain']['cells_in_hull']:.0f} without, on average of {len(networks)} networks",
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Means over the networks, layer by layer."""
    layers = numbers["layers"]
    columns = ("network", "layer", "units_that_fold_at_the_data", "squared_distance_over_least")
    rows = [
        (name, layer, float(crossing), float(excess))
        for name in layers
        for layer, (crossing, excess) in enumerate(
            zip(layers[name]["crossing"], layers[name]["excess"], strict=True), 1
        )
    ]
    return {"layers": Table(columns, tuple(rows))}
