"""What is claimed of volumes at decision boundaries, held against the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Zavatone-Veth et al. 2023 (arXiv 2301.11375)"


def of(numbers: Numbers, problem: str) -> list[dict[str, Any]]:
    """Networks of a problem that have a boundary in their plane.

    Args:
        numbers: The numbers.
        problem: The problem.

    Returns:
        What was measured of each, in the order of their seeds.
    """
    return [one for one in numbers["networks"] if one["problem"] == problem and None not in _both(one)]


def _both(one: dict[str, Any]) -> tuple[float, float]:
    return one["before"]["ratio"], one["after"]["ratio"]


def problems(numbers: Numbers) -> list[str]:
    """Problems in the order of their figures.

    Args:
        numbers: The numbers.

    Returns:
        Their names.
    """
    return list(dict.fromkeys(one["problem"] for one in numbers["networks"]))


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    return (
        *(_grown(numbers, problem) for problem in problems(numbers)),
        *(_largest(numbers, problem) for problem in problems(numbers)),
        Claim.told(
            "How well networks are trained",
            "a check of the measure",
            theirs="none",
            ours=f"accuracies from {min(one['accuracy'] for one in numbers['networks']):.1%}; the features flatten "
            f"{np.median([one['after']['flattened'] for one in numbers['networks']]):.1%} of the planes (median), "
            "where the volume element is zero",
        ),
    )


def _grown(numbers: Numbers, problem: str) -> Claim:
    """Before and after training, at the same places."""
    both = np.array([_both(one) for one in of(numbers, problem)]).reshape(-1, 2)
    wins = int((both[:, 1] > both[:, 0]).sum())
    chance = binomtest(wins, len(both), 0.5, alternative="greater").pvalue if len(both) else 1.0
    medians = np.median(both, axis=0) if len(both) else np.full(2, np.nan)
    return Claim.judged(
        f"Training raises the volume element at the decision boundary relative to elsewhere ({problem})",
        SOURCE,
        theirs="features magnify areas near boundaries after training",
        ours=f"mean along the boundary by mean over the plane: {medians[1]:.3g} after and {medians[0]:.3g} before "
        f"training (medians), more in {wins} of {len(both)} networks (sign test {chance:.2g})",
        tolerance="sign test below 0.05",
        holds=chance < 0.05,
        samples=len(both),
    )


def _largest(numbers: Numbers, problem: str) -> Claim:
    """Whether the volume element at the boundary is above its mean."""
    ratios = np.array([one["after"]["ratio"] for one in of(numbers, problem)])
    wins = int((ratios > 1).sum())
    chance = binomtest(wins, len(ratios), 0.5, alternative="greater").pvalue if len(ratios) else 1.0
    return Claim.judged(
        f"In trained networks the volume element at the boundary is above its mean over the plane ({problem})",
        SOURCE,
        theirs="to be seen in the pictures",
        ours=f"in {wins} of {len(ratios)} networks (sign test {chance:.2g})",
        tolerance="sign test below 0.05",
        holds=chance < 0.05,
        samples=len(ratios),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """One row for each network."""
    rows = tuple(
        (one["problem"], one["repeat"], one["accuracy"], one["boundary_length"], *_both(one),
         one["before"]["flattened"], one["after"]["flattened"])
        for one in numbers["networks"]
    )  # fmt: skip
    columns = ("problem", "repeat", "accuracy", "boundary_length", "ratio_before", "ratio_after",
               "flattened_before", "flattened_after")  # fmt: skip
    return {"networks": Table(columns, rows)}
