"""What is claimed of the four networks, held against their numbers."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Hauser and Ray 2017"

NAMES = {
    "plain": "$C^0$",
    "residual": "$C^1$",
    "second-order": "$C^2$",
    "absent": "$C^1$ without one identity",
}
"""The networks, and what they are called in pictures."""

WORDS = {"plain": "C0", "residual": "C1", "second-order": "C2", "absent": "without one identity"}


def of(numbers: Numbers, name: str) -> list[dict]:
    """Networks of a kind.

    Args:
        numbers: The numbers.
        name: A name of `NAMES`.

    Returns:
        What was measured of each, in the order of their seeds.
    """
    return [one for one in numbers["networks"] if one["name"] == name]


def roughness(one: dict) -> float:
    """Length of all changes of steps divided by that of all steps.

    Args:
        one: What was measured of a network.

    Returns:
        Zero for an even straight way, at most two.
    """
    return float(np.sum(one["changes"]) / np.sum(one["steps"]))


def jump(one: dict, layer: int) -> float:
    """Changes of steps before and behind a layer, as a share of all.

    Args:
        one: What was measured of a network.
        layer: The layer, counted from 1.

    Returns:
        The share.
    """
    changes = np.array(one["changes"])
    return float(changes[max(layer - 2, 0) : layer].sum() / changes.sum())


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The source's claims with their verdicts."""
    return (_errors(numbers), *_lengths(numbers), _absent(numbers), _crossings(numbers))


def _errors(numbers: Numbers) -> Claim:
    right = {name: sum(one["accuracy"] == 1.0 for one in of(numbers, name)) for name in NAMES}
    repeats = numbers["config"]["repeats"]
    return Claim.judged(
        "Plain, residual and second-order networks, and one that leaves an identity out, untangle the same spirals "
        "without an error",
        f"{SOURCE}, figure 2",
        theirs="0 % for all four, one network each",
        ours=", ".join(f"{WORDS[name]}: {count} of {repeats}" for name, count in right.items())
        + f"; the least accuracy is {min(one['accuracy'] for one in numbers['networks']):.1%}",
        tolerance="at least one network of each kind, as in the source",
        holds=min(right.values()) > 0,
        samples=repeats,
    )


def _lengths(numbers: Numbers) -> tuple[Claim, Claim]:
    """Smoothness, which the source shows, and lengths, of which it says nothing."""
    rough = {name: np.array([roughness(one) for one in of(numbers, name)]) for name in NAMES}
    wins = {name: int((rough["plain"] > rough[name]).sum()) for name in ("residual", "second-order")}
    repeats = numbers["config"]["repeats"]
    chances = [binomtest(count, repeats, 0.5, alternative="greater").pvalue for count in wins.values()]
    ways = {
        name: np.median([[sum(one["steps"]), sum(one["changes"])] for one in of(numbers, name)], axis=0)
        for name in NAMES
    }
    return (
        Claim.judged(
            "Residual and second-order networks move data more smoothly from layer to layer than plain ones",
            f"{SOURCE}, figure 2",
            theirs="to be seen in the pictures",
            ours=f"changes of steps by steps (0 even, 2 back and forth), medians: {_listed(rough)}; plain is rougher "
            f"than C1 in {wins['residual']} and than C2 in {wins['second-order']} of {repeats} pairs "
            f"(sign tests {chances[0]:.2g} and {chances[1]:.2g})",
            tolerance="both sign tests below 0.05",
            holds=max(chances) < 0.05,
            samples=repeats,
        ),
        Claim.told(
            "Lengths of the ways through all layers, and of all their changes of steps",
            f"{SOURCE}, figure 2",
            theirs="no numbers",
            ours=", ".join(f"{WORDS[name]} {way:.3g} and {change:.3g}" for name, (way, change) in ways.items())
            + " (medians)",
        ),
    )


def _absent(numbers: Numbers) -> Claim:
    layer, repeats = numbers["config"]["absent"], numbers["config"]["repeats"]
    shares = {name: np.array([jump(one, layer) for one in of(numbers, name)]) for name in ("absent", "residual")}
    wins = int((shares["absent"] > shares["residual"]).sum())
    chance = binomtest(wins, repeats, 0.5, alternative="greater").pvalue
    return Claim.judged(
        f"Without the identity in layer {layer} the way of the data breaks there",
        f"{SOURCE}, figure 2",
        theirs="to be seen in the picture",
        ours=f"share of all changes of steps at layer {layer}: {np.median(shares['absent']):.1%} without its identity, "
        f"{np.median(shares['residual']):.1%} with it (medians); larger in {wins} of {repeats} pairs from the same "
        f"weights (sign test {chance:.2g})",
        tolerance="sign test below 0.05",
        holds=chance < 0.05,
        samples=repeats,
    )


def _crossings(numbers: Numbers) -> Claim:
    most = {name: [max(one["crossings"]) for one in of(numbers, name)] for name in NAMES if name != "plain"}
    repeats = numbers["config"]["repeats"]
    crossed = {name: sum(count > 0 for count in counts) for name, counts in most.items()}
    places = [layer for one in of(numbers, "second-order") for layer, count in enumerate(one["crossings"]) if count > 0]
    where = f"at layers {min(places)} to {max(places)}" if places else "at no layer"
    return Claim.judged(
        "In the second-order network classes pass over each other, since a layer alone is not its state",
        f"{SOURCE}, figure 2",
        theirs="in layers 3 to 5 (its text also says 4 to 6)",
        ours="networks in which the images of the two spirals cross at a layer: "
        + ", ".join(f"{WORDS[name]} {count} of {repeats}" for name, count in crossed.items())
        + f"; those of C2 {where}. Layers of C0 are injective, so that nothing crosses there; those of C1 need not be",
        tolerance="most second-order networks",
        holds=2 * crossed["second-order"] > repeats,
        samples=repeats,
    )


def _listed(values: dict[str, np.ndarray]) -> str:
    return ", ".join(f"{WORDS[name]} {np.median(found):.3g}" for name, found in values.items())


def tables(numbers: Numbers) -> dict[str, Table]:
    """One row for each network."""
    rows = tuple(
        (one["name"], one["repeat"], one["accuracy"], sum(one["steps"]), sum(one["changes"]), roughness(one),
         one["displacement"], max(one["crossings"]))
        for one in numbers["networks"]
    )  # fmt: skip
    columns = ("network", "repeat", "accuracy", "way", "changes", "roughness", "displacement", "crossings")
    return {"networks": Table(columns, rows)}
