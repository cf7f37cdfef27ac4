"""What is claimed of polarity sampling, held against the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Humayun, Balestriero and Baraniuk 2022, arXiv 2203.01993"
FIGURE = "Balestriero, Humayun and Baraniuk 2024, figure 12"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    generators = numbers["generators"]
    means = {name: column(found, "expected_log_volume") for name, found in generators.items()}
    modes = {name: column(found, "in_modes") for name, found in generators.items()}
    rhos = [row["rho"] for row in next(iter(generators.values()))["by_rho"]]
    low, own, high = 0, rhos.index(0.0), len(rhos) - 1
    deviations = _pool_deviations(generators)
    concentrated = [name for name, shares in modes.items() if shares[low] > shares[own]]
    spread = [name for name, shares in modes.items() if shares[high] < shares[own]]
    steady = [name for name, shares in modes.items() if (np.diff(shares) <= 0.005).all()]
    return (
        Claim.judged(
            "The mean log volume never decreases with the exponent",
            f"{SOURCE}: an exponential family",
            theirs="monotone",
            ours="; ".join(f"{name}: {means[name][0]:.3g} to {means[name][-1]:.3g}" for name in means),
            tolerance="exact means do not decrease from one exponent to the next, for every generator",
            holds=all((np.diff(values) >= -1e-12).all() for values in means.values()),
        ),
        Claim.judged(
            "Negative exponents sample the modes",
            FIGURE,
            theirs="samples concentrate at modes",
            ours=_shares(modes, rhos, low, own),
            tolerance="a larger share within three deviations of a mode than without exponent, for every generator",
            holds=len(concentrated) == len(modes),
        ),
        Claim.judged(
            "Positive exponents sample the anti-modes",
            FIGURE,
            theirs="samples leave the modes for what lies between them",
            ours=_shares(modes, rhos, high, own),
            tolerance="a smaller share within three deviations of a mode than without exponent, for every generator",
            holds=len(spread) == len(modes),
        ),
        Claim.told(
            "The share in modes is monotone in the exponent",
            FIGURE,
            theirs="suggested by the figure; its data, networks and exponents are not given",
            ours=f"so for {len(steady)} of {len(modes)} generators, up to half a per cent"
            + (f": {', '.join(steady)}" if steady else ""),
        ),
        Claim.told(
            "Samples at negative exponents are less diverse",
            SOURCE,
            theirs="quality is traded for diversity",
            ours=f"at rho {rhos[low]:g}, 0 and {rhos[high]:g}: {_diversity(generators, (low, own, high))}",
        ),
        Claim.judged(
            "Samplers over pools agree with the exact law",
            "two ways to the same number",
            theirs="the law of the weights",
            ours=f"largest deviation of the mean log volume {max(deviations, default=0.0):.2f} standard errors, of "
            f"{len(deviations)} generators and exponents with an effective sample size of at least 100",
            tolerance="4.5 standard errors",
            holds=max(deviations, default=0.0) < 4.5,
        ),
    )


def column(found: Any, name: str) -> np.ndarray:
    """One measure of a generator, for all exponents.

    Args:
        found: The generator's numbers.
        name: The measure.

    Returns:
        The values.
    """
    return np.array([row[name] for row in found["by_rho"]], np.float64)


def _pool_deviations(generators: dict[str, Any]) -> list[float]:
    """How far pools are from exact means, in standard errors, where they have enough to say."""
    return [
        abs(row["pool_log_volume"] - row["expected_log_volume"]) / max(row["pool_error"], 1e-12)
        for found in generators.values()
        for row in found["by_rho"]
        if row["effective_sample_size"] >= 100
    ]


def _diversity(generators: dict[str, Any], places: tuple[int, ...]) -> str:
    """Entropies and numbers of modes that were seen, at some exponents."""
    parts = []
    for name, found in generators.items():
        entropies, seen = column(found, "entropy"), column(found, "modes_seen")
        parts.append(
            f"{name}: entropy {', '.join(f'{entropies[k]:.3g}' for k in places)} nats, "
            f"{', '.join(f'{seen[k]:.0f}' for k in places)} of {found['modes']} modes seen"
        )
    return "; ".join(parts)


def _shares(modes: dict[str, np.ndarray], rhos: list[float], end: int, own: int) -> str:
    parts = [f"{name}: {shares[end]:.1%} against {shares[own]:.1%}" for name, shares in modes.items()]
    return f"at rho {rhos[end]:g} against 0: " + "; ".join(parts)


def tables(numbers: Numbers) -> dict[str, Table]:
    """All measures of each generator and exponent."""
    generators = numbers["generators"]
    columns = tuple(next(iter(generators.values()))["by_rho"][0])
    rows = [(name, *(row[key] for key in columns)) for name, found in generators.items() for row in found["by_rho"]]
    return {"polarity": Table(("generator", *columns), tuple(rows))}
