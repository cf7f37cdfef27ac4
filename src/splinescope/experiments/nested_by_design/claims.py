"""What nesting by design costs and buys, from the numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "this library, from Carlsson's nested cones"

TRIAL = "0.9598 nested, 0.9657 same start, 0.9637 free, 0.9257 stem only, in a trial on 10,000 images of MNIST"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """What became of nested networks beside free ones."""
    kinds = numbers["kinds"]
    count = len(kinds["nested"])
    layers = [nested for row in kinds["nested"] for nested in row["nested"]]
    stay = [share for row in kinds["nested"] for share in row["stay_zero"]]
    others = [share for row in kinds["free"] for share in row["stay_zero"]]
    cost = difference(kinds, "free", "nested", "accuracy")
    ratio = np.exp(np.array(difference(kinds, "nested", "free", "cells")))
    return (
        Claim.judged(
            "Layers that are projected while they train are completely nested",
            SOURCE,
            theirs="by construction",
            ours=f"{sum(layers)} of {len(layers)} convolutions, decided exactly",
            tolerance="all of them",
            holds=bool(layers) and all(layers),
        ),
        Claim.judged(
            "What is zero stays zero through nested layers",
            SOURCE,
            theirs="always",
            ours=f"on {min(stay):.4f} of the planes' area and units at least; in free networks {np.mean(others):.3f}",
            tolerance="exactly",
            holds=min(stay) == 1.0,
        ),
        Claim.judged(
            "Nested networks learn more than their first layer alone",
            SOURCE,
            theirs=TRIAL,
            ours=f"{_mean(kinds, 'nested')} against {_mean(kinds, 'stem')} on held-out {numbers['images']}",
            tolerance="more, by twice the standard error of the paired difference",
            holds=_clearly_more(difference(kinds, "nested", "stem", "accuracy")),
            samples=count,
            needed=3,
        ),
        Claim.told(
            "What nesting costs in accuracy",
            SOURCE,
            theirs=TRIAL,
            ours=f"{cost[0]:.4f} [{cost[1]:.4f}, {cost[2]:.4f}]: {_mean(kinds, 'nested')} instead of "
            f"{_mean(kinds, 'free')}; free from the same start {_mean(kinds, 'same start')}",
        ),
        Claim.judged(
            "What nesting buys: fewer cells in planes through three images",
            SOURCE,
            theirs="polynomially many in the depth",
            ours=f"{ratio[0]:.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}] times as many as free networks: "
            f"{_cells(kinds, 'nested')} instead of {_cells(kinds, 'free')}; {_cells(kinds, 'stem')} of the first layer",
            tolerance="fewer, with 95 % confidence",
            holds=bool(ratio[2] < 1.0),
            samples=count,
            needed=3,
        ),
    )


def difference(kinds: Any, one: str, other: str, what: str) -> tuple[float, float, float]:
    """Mean difference of two kinds over pairs of one seed, with its 95 % interval; of cells that of their logarithms.

    Args:
        kinds: What was measured of each kind.
        one: A kind.
        other: The kind that is taken from it.
        what: "accuracy" or "cells".
    """
    from scipy.stats import t

    first, second = (
        np.array([math.log(sum(row["cells"])) if what == "cells" else row[what] for row in kinds[kind]])
        for kind in (one, other)
    )
    pairs = first - second
    if len(pairs) < 2:
        return float(pairs.mean()), -math.inf, math.inf
    half = float(t.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / math.sqrt(len(pairs)))
    return float(pairs.mean()), float(pairs.mean() - half), float(pairs.mean() + half)


def _clearly_more(found: tuple[float, float, float]) -> bool:
    return found[1] > 0


def _mean(kinds: Any, kind: str) -> str:
    rows = np.array([row["accuracy"] for row in kinds[kind]])
    error = rows.std(ddof=1) / math.sqrt(len(rows)) if len(rows) > 1 else math.nan
    return f"{rows.mean():.4f} +- {error:.4f}"


def _cells(kinds: Any, kind: str) -> str:
    return f"{np.mean([count for row in kinds[kind] for count in row['cells']]):,.0f}"


def tables(numbers: Numbers) -> dict[str, Table]:
    """Every network."""
    rows = [
        (kind, number, row["accuracy"], row["train_accuracy"], sum(row["cells"]) / len(row["cells"]), row["units"])
        for kind, found in numbers["kinds"].items()
        for number, row in enumerate(found)
    ]
    columns = ("kind", "network", "accuracy", "train_accuracy", "cells_of_a_plane", "units")
    return {"networks": Table(columns, tuple(rows))}
