"""What Rocke says of convexity, held against `convexity`'s numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Rocke 2019 (The extrinsic geometry of deep rectifier networks)"
DEPTHS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50)
BEFORE = {
    "affine": (1.00, 0.74, 0.81, 0.83, 0.85, 0.85, 0.84, 0.82, 0.78, 0.77, 0.75, 0.74),
    "relu": (1.00, 0.77, 0.75, 0.73, 0.70, 0.70, 0.68, 0.67, 0.67, 0.67, 0.68, 0.67),
    "relu, all t": (1.00, 0.60, 0.52, 0.47, 0.46, 0.46, 0.42, 0.41, 0.41, 0.44, 0.42, 0.42),
    "affine, 20 points": (1.00, 0.08, 0.17, 0.20, 0.23, 0.24, 0.25, 0.28, 0.37, 0.46, 0.62, 0.72),
    "relu, 20 points": (1.00, 0.09, 0.11, 0.21, 0.29, 0.40, 0.53, 0.60, 0.65, 0.68, 0.68, 0.69),
    "affine, weights / 3": (1.00, 0.70, 0.73, 0.66, 0.63, 0.60, 0.57, 0.57, 0.59, 0.58, 0.58, 0.57),
}
"""Probabilities measured before, with 3,000 to 20,000 trials, rounded to two digits; three units, offset 0.1."""

FEWEST = 3000
"""Trials behind the least certain of these."""


def interval(holds: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a probability."""
    z, p = 1.96, holds / trials
    centre, half = p + z * z / (2 * trials), z * np.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return float((centre - half) / (1 + z * z / trials)), float((centre + half) / (1 + z * z / trials))


def shares(numbers: Numbers, regime: str) -> np.ndarray:
    """Probabilities along depth."""
    return np.array(numbers["holds"][regime]) / numbers["config"]["trials"]


def comparable(numbers: Numbers) -> bool:
    """Whether chains are those that were measured before."""
    return numbers["config"]["width"] == 3 and numbers["config"]["offset"] == 0.1


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    depths, trials = numbers["config"]["depths"], numbers["config"]["trials"]
    relu, all_t, affine = (shares(numbers, name) for name in ("relu", "relu, all t", "affine"))
    large = shares(numbers, "affine, weights N(0, 1)")
    rises = affine[1:].argmax()
    least = min(holds[0] for name, holds in numbers["holds"].items() if name != "your own")
    return (
        Claim.judged(
            "With one layer the inequality is an equality, or holds",
            SOURCE,
            theirs="affine in the weights; without a tolerance rounding decides",
            ours=f"{least:,} of {trials:,} trials in the worst regime of affine chains and ReLUs",
            tolerance="all trials, up to rounding",
            holds=depths[0] == 1 and least == trials,
        ),
        *_before(numbers),
        Claim.judged(
            "The probability decreases with depth (chains of ReLUs)",
            SOURCE,
            theirs="decreases quickly; no numbers",
            ours=f"{_along(relu)}; for all t at once {_along(all_t)}",
            tolerance="lower at the deepest than at two layers, by more than three standard deviations",
            holds=_falls(relu, trials) and _falls(all_t, trials),
        ),
        Claim.told(
            "The probability decreases with depth (affine chains)",
            SOURCE,
            theirs="decreases quickly; whether there are ReLUs is not said",
            ours=f"not so: {affine[1]:.2f} at {depths[1]} layers, {affine[1 + rises]:.2f} at {depths[1 + rises]}, "
            f"{affine[-1]:.2f} at {depths[-1]}; with weights N(0, 1) it rises to {large[-1]:.2f}",
        ),
        Claim.told(
            "What the claim depends on",
            "here",
            theirs="no regime is given",
            ours="true of ReLUs, of small weights, and where it has to hold for all t; not of affine chains of "
            "Xavier's weights or larger ones. A mean of weights has a smaller variance, so that the left side shrinks "
            "with depth",
        ),
        Claim.told(
            "Trained networks of the digits",
            "here",
            theirs="not tried",
            ours=_trained(numbers),
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Probabilities with their intervals, beside those measured before."""
    depths, trials = numbers["config"]["depths"], numbers["config"]["trials"]
    rows = []
    for regime, holds in numbers["holds"].items():
        for depth, count in zip(depths, holds, strict=True):
            known = dict(zip(DEPTHS, BEFORE.get(regime, ()), strict=False)) if comparable(numbers) else {}
            rows.append((regime, depth, count / trials, *interval(count, trials), known.get(depth, "")))
    return {"probabilities": Table(("regime", "layers", "probability", "low", "high", "before"), tuple(rows))}


def _before(numbers: Numbers) -> tuple[Claim, ...]:
    if not comparable(numbers):
        return ()
    trials, apart = numbers["config"]["trials"], []
    for regime, known in BEFORE.items():
        expected = dict(zip(DEPTHS, known, strict=True))
        for depth, share in zip(numbers["config"]["depths"], shares(numbers, regime), strict=True):
            if depth in expected:
                p = expected[depth]
                deviation = np.sqrt(max(p * (1 - p), 1e-3) * (1 / trials + 1 / FEWEST))
                apart.append((abs(share - p) - 0.005) / deviation)
    worst = max(apart)
    return (
        Claim.judged(
            "Probabilities are those that were measured before",
            "a simulation of 3,000 to 20,000 trials",
            theirs=f"{len(apart)} values, six regimes",
            ours=f"the farthest is {max(worst, 0.0):.1f} standard deviations away, beyond rounding to two digits",
            tolerance="four standard deviations of both simulations",
            holds=worst <= 4,
        ),
    )


def _falls(shares_: np.ndarray, trials: int) -> bool:
    first, last = shares_[1], shares_[-1]
    return bool(first - last > 3 * np.sqrt((first * (1 - first) + last * (1 - last)) / trials))


def _along(values: Sequence[float] | np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _trained(numbers: Numbers) -> str:
    found = []
    for key, name in (("start", "between two random starts"), ("end", "between two trainings"),
                      ("one_training", "from start to end of one")):  # fmt: skip
        values = [float(np.mean(part[key])) for part in numbers["trained"].values()]
        found.append(f"{name} {_along(values)}")
    return f"shares of t and images, {', '.join(numbers['trained'])} hidden layers: " + "; ".join(found)
