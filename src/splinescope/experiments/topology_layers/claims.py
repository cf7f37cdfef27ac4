"""What is claimed of topology through layers, held against the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Naitzat, Zhitnikov and Lim 2020 (arXiv 2004.06093)"
WORDS = {"relu": "ReLU", "tanh": "tanh", "residual": "residual ReLU"}
"""What the kinds of networks are called."""


def excess(one: dict[str, Any]) -> np.ndarray:
    """What is left to simplify at each layer: parts and holes of both classes beyond one part each.

    Args:
        one: What was measured of a network.

    Returns:
        One number for each layer.
    """
    return np.array([sum(map(sum, row)) - len(row) for row in one["betti"]])


def of(numbers: Numbers, name: str, kind: str) -> list[dict[str, Any]]:
    """Networks of a kind on a set.

    Args:
        numbers: The numbers.
        name: The set.
        kind: The kind.

    Returns:
        What was measured of each, in the order of their seeds.
    """
    return [one for one in numbers["networks"] if (one["data"], one["kind"]) == (name, kind)]


def slowness(one: dict[str, Any]) -> float:
    """Mean over the layers of what is left to simplify, as a share of what there was.

    Args:
        one: What was measured of a network.

    Returns:
        Zero if all is gone behind the first layer, one if nothing ever goes.
    """
    left = excess(one)
    return float(left[1:].mean() / left[0]) if left[0] > 0 else float("nan")


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    return (
        _known(numbers),
        _errors(numbers),
        _faster(numbers),
        _end(numbers),
        _beside(numbers),
    )


def _known(numbers: Numbers) -> Claim:
    networks = numbers["networks"]
    known = sum(one["betti"][0] == numbers["betti"][one["data"]] for one in networks)
    return Claim.judged(
        "Betti numbers that are counted at the input are those of the data",
        "by construction",
        theirs=", ".join(f"{name} {_pair(pair)}" for name, pair in numbers["betti"].items()),
        ours=f"equal in {known} of {len(networks)} networks, with {numbers['config']['landmarks']} landmarks (half "
        f"as many for cavities) at {numbers['config']['steps']} steps between "
        f"{numbers['config']['neighbours']} neighbours",
        tolerance="95 %",
        holds=known >= 0.95 * len(networks),
    )


def _pair(pair: list[list[int]]) -> str:
    return " and ".join(f"({', '.join(map(str, numbers))})" for numbers in pair)


def _errors(numbers: Numbers) -> Claim:
    counts = {kind: sum(one["accuracy"] == 1.0 for one in numbers["networks"] if one["kind"] == kind) for kind in WORDS}
    total = len(numbers["networks"]) // len(WORDS)
    return Claim.told(
        "Networks are trained to an error of zero",
        SOURCE,
        theirs="all",
        ours=", ".join(f"{WORDS[kind]} {count} of {total}" for kind, count in counts.items())
        + f"; the least accuracy is {min(one['accuracy'] for one in numbers['networks']):.1%}",
    )


def _pairs(numbers: Numbers, name: str, one: str, other: str) -> np.ndarray:
    """Slowness of two kinds, where both networks of a pair have no error."""
    both = zip(of(numbers, name, one), of(numbers, name, other), strict=True)
    found = [(slowness(a), slowness(b)) for a, b in both if a["accuracy"] == b["accuracy"] == 1.0]
    return np.array(found).reshape(-1, 2)


def _faster(numbers: Numbers) -> Claim:
    words, wins, pairs = [], 0, 0
    for name in numbers["betti"]:
        found = _pairs(numbers, name, "relu", "tanh")
        ahead, apart = int((found[:, 0] < found[:, 1]).sum()), int((found[:, 0] != found[:, 1]).sum())
        wins, pairs = wins + ahead, pairs + apart
        medians = np.median(found, axis=0) if len(found) else np.full(2, np.nan)
        words.append(f"{name} in {ahead} of {len(found)} pairs, {medians[0]:.0%} and {medians[1]:.0%} left")
    chance = binomtest(wins, pairs, 0.5, alternative="greater").pvalue if pairs else 1.0
    return Claim.judged(
        "ReLU networks simplify data in earlier layers than tanh networks",
        SOURCE,
        theirs="ReLU is faster, tanh keeps the topology up to the last layers",
        ours="; ".join(words) + f" on average of the layers (medians); sign test of all {chance:.2g}",
        tolerance="sign test below 0.05",
        holds=chance < 0.05,
        samples=pairs,
    )


def _end(numbers: Numbers) -> Claim:
    """Whether nothing is left to simplify at the outputs."""
    right = [one for one in numbers["networks"] if one["accuracy"] == 1.0]
    words, shares = [], []
    for kind in WORDS:
        last = [excess(one)[-1] == 0 for one in right if one["kind"] == kind]
        shares.append(np.mean(last) if last else 0.0)
        words.append(f"{WORDS[kind]} {sum(last)} of {len(last)}")
    return Claim.judged(
        "At the outputs each class is one part without holes",
        SOURCE,
        theirs="for well trained networks",
        ours=", ".join(words) + " networks without an error",
        tolerance="most networks of each kind",
        holds=min(shares) > 0.5,
        samples=len(right),
    )


def _beside(numbers: Numbers) -> Claim:
    words = []
    for name in numbers["betti"]:
        counts = []
        for other in ("relu", "tanh"):
            found = _pairs(numbers, name, "residual", other)
            counts.append(f"than {WORDS[other]} in {int((found[:, 0] < found[:, 1]).sum())} of {len(found)}")
        words.append(f"{name}: earlier {' and '.join(counts)}")
    return Claim.told("Residual networks beside both", "no source", theirs="none", ours="; ".join(words) + " pairs")


def tables(numbers: Numbers) -> dict[str, Table]:
    """One row for each network and layer."""
    rows = tuple(
        (one["data"], one["kind"], one["repeat"], one["accuracy"], layer, " ".join(map(str, row[0])),
         " ".join(map(str, row[1])))
        for one in numbers["networks"]
        for layer, row in enumerate(one["betti"])
    )  # fmt: skip
    return {"betti": Table(("data", "network", "repeat", "accuracy", "layer", "first_class", "second_class"), rows)}
