"""What is asked of trained convolutions, held against the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "a question of Carlsson 2019, section 4"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The questions with their verdicts."""
    networks, given = numbers["networks"], numbers["given"]
    count = len(networks)
    last = [layer for one in networks for layer in one["moments"][-1]["layers"]]
    complete = sum(layer["complete"] for layer in last)
    found = [
        Claim.judged(
            "Trained convolutions are not completely nested",
            SOURCE,
            theirs="nested ones contract well; whether training finds them is not said",
            ours=f"{complete} of {len(last)} layers are; degree of nesting at most "
            f"{max(layer['degree'] for layer in last):.3f}",
            tolerance="none",
            holds=complete == 0,
        ),
        Claim.judged(
            "Training does not move the signs of kernels towards nesting",
            SOURCE,
            theirs="not said",
            ours=f"entries off the diagonal that are negative: {_both(networks, 'layers', 'along_axes')}",
            tolerance="no more than 0.05 more than before",
            holds=_change(networks, "layers", "along_axes")[0] < 0.05,
            samples=count,
        ),
        Claim.judged(
            "Training moves biases away from nesting",
            SOURCE,
            theirs="not said",
            ours=f"biases that are not positive: {_both(networks, 'layers', 'held_back')}",
            tolerance="fewer, by more than twice the standard error",
            holds=_clearly_less(_change(networks, "layers", "held_back")),
            samples=count,
        ),
        Claim.judged(
            "Contraction becomes weaker with training: units that are zero stay so less often",
            SOURCE,
            theirs="not said",
            ours=f"of the zero units still zero behind the next layer: {_both(networks, 'supports', 'stay_zero')}",
            tolerance="less often, by more than twice the standard error",
            holds=_clearly_less(_change(networks, "supports", "stay_zero")),
            samples=count,
        ),
        Claim.judged(
            "Zero padding, not training, is what keeps a convolution from circulant",
            SOURCE,
            theirs="the source completes convolutions to circulant ones",
            ours=f"distance from circulant: {_both(networks, 'layers', 'from_circulant')}",
            tolerance="a change of less than 0.05",
            holds=abs(_change(networks, "layers", "from_circulant")[0]) < 0.05,
        ),
    ]
    return (*found, _learnt(networks, numbers["images"]), *(_told(one) for one in given))


def _learnt(networks: list[dict[str, Any]], images: str) -> Claim:
    first, last = (np.mean([one["moments"][place]["accuracy"] for one in networks]) for place in (0, -1))
    return Claim.judged(
        "The networks have learnt",
        "this library",
        theirs="not said",
        ours=f"accuracy on held-out {images} {last:.3f}",
        tolerance="0.2 more than before",
        holds=last - first > 0.2,
    )


def _told(one: dict[str, Any]) -> Claim:
    square = one["square"]
    nested = f"{sum(row['complete'] for row in square)} of {len(square)} square layers nested"
    active = ", ".join(f"{row['active']:.2f}" for row in one["supports"])
    return Claim.told(
        f"Nesting of {one['name']}",
        SOURCE,
        theirs="not said",
        ours=f"weights that are not positive {np.mean(one['not_positive']):.3f}, biases "
        f"{np.mean(one['held_back'] or [math.nan]):.3f}; {nested}; active units layer by layer {active}",
    )


def values(networks: Iterable[dict[str, Any]], moment: int, group: str, name: str) -> np.ndarray:
    """One number for each network: the mean over its layers at one moment.

    Args:
        networks: What was measured of the networks.
        moment: Which moment.
        group: "layers" or "supports".
        name: Which measure; layers that have none are left out.
    """
    rows = [[row[name] for row in one["moments"][moment][group] if row[name] is not None] for one in networks]
    return np.array([np.mean(row) if row else np.nan for row in rows])


def _change(networks: list[dict[str, Any]], group: str, name: str) -> tuple[float, float]:
    """Mean change by training, and its standard error."""
    change = values(networks, -1, group, name) - values(networks, 0, group, name)
    return float(change.mean()), float(change.std(ddof=1) / math.sqrt(len(change))) if len(change) > 1 else math.inf


def _clearly_less(change: tuple[float, float]) -> bool:
    return change[0] < -2 * change[1]


def _both(networks: list[dict[str, Any]], group: str, name: str) -> str:
    first, last = (values(networks, moment, group, name).mean() for moment in (0, -1))
    return f"{first:.3f} before and {last:.3f} after (+- {_change(networks, group, name)[1]:.3f})"


def tables(numbers: Numbers) -> dict[str, Table]:
    """Every layer of every network at every moment."""
    columns = ("network", "epoch", "accuracy", "layer", "along_axes", "held_back", "from_circulant", "degree")
    rows = [
        (number, moment["epoch"], moment["accuracy"], place, *(layer[name] for name in columns[4:]))
        for number, network in enumerate(numbers["networks"])
        for moment in network["moments"]
        for place, layer in enumerate(moment["layers"], 1)
    ]
    return {"layers": Table(columns, tuple(rows))}
