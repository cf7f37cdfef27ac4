"""What is conjectured of two phases of training, held against `two-phases`' numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table
from splinescope.experiments.two_phases.changes import Change, change

SOURCE = "Rocke 2019 (The extrinsic geometry of deep rectifier networks)"
SERIES_OF = {"churn": "churn of codes", "angle": "rotation of the tangent kernel"}


def changes(numbers: Numbers, key: str) -> list[Change]:
    """The change point of a series, for each training."""
    return [
        change(middles(training), np.array(training[key], np.float64), numbers["config"]["resamples"], number)
        for number, training in enumerate(numbers["trainings"])
    ]


def middles(training: Mapping[str, Any]) -> np.ndarray:
    """Steps half-way between checkpoints."""
    steps = np.array(training["steps"], np.float64)
    return (steps[1:] + steps[:-1]) / 2


def shares(numbers: Numbers, key: str) -> tuple[list[float], list[float]]:
    """Share of segments with a property in the first quarter of the training, and in the last half."""
    early, late = [], []
    for training in numbers["trainings"]:
        values = np.array(training[key], np.float64)
        early.append(float(values[: max(1, len(values) // 4)].mean()))
        late.append(float(values[len(values) // 2 :].mean()))
    return early, late


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    convex, coarse, concave, monotone = (shares(numbers, key) for key in ("convex", "coarse", "concave", "monotone"))
    early, late = shares(numbers, "angle")
    return (
        _falls(numbers, "churn", SERIES_OF["churn"]),
        Claim.told(
            "The tangent kernel rotates faster early than late",
            "Fort et al. 2020",
            theirs="fast, then slow",
            ours=f"radians from checkpoint to checkpoint, first quarter and last half: {_listed(early)} and "
            f"{_listed(late)}",
        ),
        Claim.told(
            "First the network makes the loss convex, then it optimises",
            SOURCE,
            theirs="a conjecture, without numbers",
            ours=f"between checkpoints, first quarter and last half: convex on {_listed(convex[0])} and "
            f"{_listed(convex[1])} of the segments, as nine values show it on {_listed(coarse[0])} and "
            f"{_listed(coarse[1])}; monotone on {_listed(monotone[0])} and {_listed(monotone[1])}; of all change of "
            f"slope {_listed(concave[0])} and {_listed(concave[1])} is downwards",
        ),
        *(
            Claim.told(
                f"There are two phases ({what})",
                SOURCE,
                theirs="two; no numbers",
                ours="; ".join(_said(found) for found in changes(numbers, key)),
            )
            for key, what in SERIES_OF.items()
        ),
        Claim.judged(
            "The trainings learn the task",
            "here",
            theirs="nearly all images right",
            ours=_listed([training["accuracy"][-1] for training in numbers["trainings"]]),
            tolerance="at least 0.8 each",
            holds=all(training["accuracy"][-1] >= 0.8 for training in numbers["trainings"]),
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """The fits, and all series."""
    fits = [
        (number, key, found.place, found.low, found.high, found.before, found.after, found.gain)
        for key in SERIES_OF
        for number, found in enumerate(changes(numbers, key))
    ]
    columns = ("training", "series", "step", "low", "high", "exponent_before", "exponent_after", "gain_of_two")
    return {"changes": Table(columns, tuple(fits))}


def _falls(numbers: Numbers, key: str, what: str) -> Claim:
    early, late = shares(numbers, key)
    return Claim.judged(
        f"The {what} from checkpoint to checkpoint is higher early than late",
        SOURCE,
        theirs="high, then low",
        ours=f"means of the first quarter and the last half: {_listed(early)} and {_listed(late)}",
        tolerance="at least twice, in each training",
        holds=all(a >= 2 * b for a, b in zip(early, late, strict=True)),
    )


def _said(found: Change) -> str:
    if not np.isfinite(found.place):
        return "too few values"
    verdict = "two power laws" if found.gain > 10 else ("undecided" if found.gain > 0 else "one power law is enough")
    return (
        f"step {found.place:.0f} [{found.low:.0f}, {found.high:.0f}], exponents {found.before:.2f} and "
        f"{found.after:.2f}: {verdict} (gain {found.gain:.1f})"
    )


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)
