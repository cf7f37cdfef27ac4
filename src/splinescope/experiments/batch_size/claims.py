"""What is claimed of the size of batches, held against its numbers."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Hauser and Ray 2017, figure 4"


def columns(numbers: Numbers, key: str) -> dict[int, np.ndarray]:
    """The largest of a measure over all layers behind the input, by size of batches."""
    return {
        batch: np.array([max(one[key][1:]) for one in numbers["networks"] if one["batch"] == batch])
        for batch in numbers["config"]["batches"]
    }


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The source's claims with their verdicts."""
    small, large = numbers["config"]["batches"]
    stretches, gaps = columns(numbers, "stretches"), columns(numbers, "largest_gaps")
    accuracies = [one["accuracy"] for one in numbers["networks"]]
    repeats = len(stretches[small])
    wins = int((gaps[small] > gaps[large]).sum())
    chance = binomtest(wins, repeats, 0.5, alternative="greater").pvalue
    return (
        Claim.judged(
            f"Batches of {small} tear the connected spirals apart within the layers, those of {large} do not",
            SOURCE,
            theirs="disconnected by layer 4, connected; one network each",
            ours=f"the largest gap is larger with batches of {small} in {wins} of {repeats} pairs (one-sided sign "
            f"test {chance:.2g}); medians {np.median(gaps[small]):.3g} and {np.median(gaps[large]):.3g} times the "
            "median distance of neighbours",
            tolerance="sign test below 0.05",
            holds=chance < 0.05,
            samples=repeats,
        ),
        Claim.judged(
            "A continuous network cannot disconnect a set: what is seen is a stretch, at a scale",
            "any continuous map",
            theirs="none",
            ours=f"largest stretches {np.median(stretches[small]):.3g} and {np.median(stretches[large]):.3g} "
            f"(medians), at most {max(stretches[small].max(), stretches[large].max()):.3g}",
            tolerance="all finite",
            holds=np.isfinite(np.concatenate(list(stretches.values()))).all(),
        ),
        Claim.told(
            "Both networks have an error of zero",
            SOURCE,
            theirs="0 % for both",
            ours=f"{sum(accuracy == 1.0 for accuracy in accuracies)} of {len(accuracies)} networks, the least accuracy "
            f"{min(accuracies):.1%}",
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """One row for each network."""
    rows = tuple(
        (one["batch"], one["repeat"], one["accuracy"], max(one["stretches"][1:]), max(one["largest_gaps"][1:]),
         max(one["components"][1:]))
        for one in numbers["networks"]
    )  # fmt: skip
    return {"networks": Table(("batch", "repeat", "accuracy", "largest_stretch", "largest_gap", "components"), rows)}
