"""What is claimed of uniform sampling and bias, held against the numbers."""

from __future__ import annotations

from typing import Any

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Humayun, Balestriero and Baraniuk 2022, arXiv 2110.08009"
FIGURE = "Balestriero, Humayun and Baraniuk 2024, figure 11"

LAWS = {
    "own": ("gaussian", 0.0, "Gaussian latents: the generator's own law"),
    "published": ("gaussian", 1.0, "Gaussian latents by volume, as published"),
    "latents": ("uniform", 0.0, "uniform latents"),
    "manifold": ("uniform", 1.0, "uniform on the manifold (MaGNET)"),
}
"""For each law its pool, its exponent, and what it is called."""


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    rare, data = numbers["config"]["rare"], numbers["data"]
    found = {name: of_law(numbers, name) for name in LAWS}
    apart = 0.5 * sum(abs(a - b) for a, b in zip(found["own"]["shares"], data["shares"], strict=True))
    own, manifold, latents = found["own"], found["manifold"], found["latents"]
    shares = "; ".join(f"{LAWS[name][2]}: {interval(one, rare)}" for name, one in found.items())
    return (
        Claim.judged(
            "Sampling uniformly on the manifold raises the frequency of what the data have little of",
            FIGURE,
            theirs="41 % more male faces from a generator whose training faces are mostly female",
            ours=f"digit {rare}, {data['shares'][rare]:.1%} of the training set; {shares}",
            tolerance="uniform on the manifold above the generator's own law, 95 % intervals apart",
            holds=manifold["low"][rare] > own["high"][rare],
        ),
        Claim.judged(
            "It is the volume that does it, not the wider law of latents",
            SOURCE,
            theirs="uniform on the manifold, where uniform latents are not",
            ours=f"digit {rare}: {interval(manifold, rare)} on the manifold, {interval(latents, rare)} of uniform "
            "latents",
            tolerance="intervals apart",
            holds=manifold["low"][rare] > latents["high"][rare],
        ),
        Claim.told(
            "How far uniform on the manifold is from balanced classes",
            "a theorem on volumes, which says nothing of classes",
            theirs="fairness by uniform sampling",
            ours=f"total variation distance from equal shares: data {data['imbalance']:.3f}, "
            + ", ".join(f"{LAWS[name][2]} {one['imbalance']:.3f}" for name, one in found.items()),
        ),
        Claim.judged(
            "The classifier that counts tells digits well enough",
            "a check of the measure",
            theirs="none",
            ours=f"{data['accuracy']:.1%} of held-out images right, {data['accuracy_of_rare']:.1%} of digit {rare}; "
            f"shares by the generator's own law are {apart:.3f} from the training set's in total variation",
            tolerance="85 %",
            holds=min(data["accuracy"], data["accuracy_of_rare"]) > 0.85,
        ),
        Claim.told(
            "What the weights are worth",
            "a check of the measure",
            theirs="pools of 250,000 latents, not said",
            ours="; ".join(f"{LAWS[name][2]}: effective sample size {one['size']:,.0f}" for name, one in found.items())
            + f"; {numbers['uniform']['deficient']:.1%} of the uniform latents are rank-deficient",
        ),
        *_of_published(numbers),
    )


def _of_published(numbers: Numbers) -> tuple[Claim, ...]:
    """What becomes of a published generator, if there is one."""
    if "published" not in numbers:
        return ()
    found = numbers["published"]
    own = next(one for one in found["laws"] if one["latents"] == "gaussian" and not one["rho"])
    rest = [one for one in found["laws"] if one is not own]
    theirs = [one for one in rest if one["latents"] == "uniform" and one["rho"]]
    said = f"its own law {own['imbalance']:.3f}; "
    said += ", ".join(
        f"{_named(one)} {one['imbalance']:.3f} (effective sample size {one['size']:,.0f})" for one in rest
    )
    deficient = found["deficient"]
    return (
        Claim.told(
            "How far uniform on the manifold is from balanced classes, for a published generator of MNIST",
            FIGURE,
            theirs="fairness by uniform sampling",
            ours=f"total variation distance from equal shares: {said}; of {found['latents']} latents "
            + ", ".join(f"{share:.1%} of the {name} ones are rank-deficient" for name, share in deficient.items()),
        ),
        Claim.judged(
            "Sampling uniformly on its manifold balances its classes",
            FIGURE,
            theirs="fairness by uniform sampling",
            ours=", ".join(f"{_named(one)}: {one['imbalance']:.3f}" for one in theirs)
            + f"; its own law {own['imbalance']:.3f}",
            tolerance="distance from equal shares at most half of that of its own law, by every volume",
            holds=bool(theirs) and all(one["imbalance"] <= 0.5 * own["imbalance"] for one in theirs),
        ),
    )


def _named(law: dict[str, Any]) -> str:
    """A law of latents in words."""
    latents = "Gaussian latents" if law["latents"] == "gaussian" else "uniform latents"
    if not law["rho"]:
        return latents
    return f"{latents} by volume" + (f" of {law['top']} singular values" if law["top"] else "")


def of_law(numbers: Numbers, name: str) -> dict[str, Any]:
    """Frequencies of a law.

    Args:
        numbers: The numbers.
        name: A name of `LAWS`.

    Returns:
        Its frequencies.
    """
    pool, rho, _ = LAWS[name]
    found: dict[str, Any] = numbers[pool]["frequencies"][numbers[pool]["rhos"].index(rho)]
    return found


def interval(found: dict[str, Any], label: int) -> str:
    """A share with its interval.

    Args:
        found: Frequencies.
        label: The class.

    Returns:
        Such as "3.1% (2.8 to 3.4)".
    """
    return f"{found['shares'][label]:.1%} ({100 * found['low'][label]:.1f} to {100 * found['high'][label]:.1f})"


def tables(numbers: Numbers) -> dict[str, Table]:
    """Frequencies of all classes, laws and exponents."""
    rows = [
        ("data", "", label, *(numbers["data"][key][label] for key in ("shares", "low", "high"))) for label in range(10)
    ]
    for pool in ("gaussian", "uniform"):
        for rho, found in zip(numbers[pool]["rhos"], numbers[pool]["frequencies"], strict=True):
            rows += [
                (pool, rho, label, *(found[key][label] for key in ("shares", "low", "high"))) for label in range(10)
            ]
    found = {"frequencies": Table(("latents", "rho", "class", "share", "low", "high"), tuple(rows))}
    balance: list[tuple[Any, ...]] = [("data", "", "", "", numbers["data"]["imbalance"], "")]
    for name, (pool, rho, _) in LAWS.items():
        one = of_law(numbers, name)
        balance.append(("trained", pool, rho, 0, one["imbalance"], one["size"]))
    for one in numbers.get("published", {}).get("laws", []):
        balance.append(("published", one["latents"], one["rho"], one["top"], one["imbalance"], one["size"]))
    keys = ("generator", "latents", "rho", "top", "distance_from_equal_shares", "effective_sample_size")
    found["balance"] = Table(keys, tuple(balance))
    if "published" in numbers:
        found["published"] = Table(
            ("latents", "rho", "top", "class", "share", "low", "high"),
            tuple(
                (one["latents"], one["rho"], one["top"], label, *(one[key][label] for key in ("shares", "low", "high")))
                for one in numbers["published"]["laws"]
                for label in range(10)
            ),
        )
    return found
