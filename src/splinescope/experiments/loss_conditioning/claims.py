"""What is claimed of the conditioning of plain and residual networks, held against `loss-conditioning`'s numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Riedi, Balestriero and Baraniuk 2023 (arXiv 2203.03099)"
ONE_LAYER = {0.3: 1.36, 0.6: 1.95, 0.9: 2.92}
"""Condition numbers of one layer $D W + I$ with these norms, measured before."""


def first(kind: Mapping[str, Any], key: str) -> np.ndarray:
    """A quantity of the map through all layers, of each network of a kind; infinite where JSON has null."""
    values = [part[0] if isinstance(part, list) else part for part in kind[key]]
    return np.array([np.inf if value is None else value for value in values], np.float64)


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    return (*_theorems(numbers), *_at_start(numbers), *_after_training(numbers))


def tables(numbers: Numbers) -> dict[str, Table]:
    """Condition numbers of the maps through all layers, kind by kind."""
    columns = (
        "activation", "skip", "width", "layers", "norm", "condition", "to_outputs", "bound", "rank_by_width",
        "norm_of_layers",
    )  # fmt: skip
    kinds = {(k["activation"], k["skip"], k["width"], k["depth"], k["norm"]): k for name in (
        "along_depth", "along_width", "along_norm") for k in numbers[name]}  # fmt: skip
    rows = tuple(
        (*key[:4], "" if key[4] is None else key[4], *(_median(first(kind, name)) for name in (
            "condition", "to_outputs", "bound")), float(np.median(kind["rank"])), float(np.median(kind["norms"])))
        for key, kind in kinds.items()
    )  # fmt: skip
    return {"conditioning": Table(columns, rows)}


def _median(values: np.ndarray) -> float:
    return float(np.median(values))


def _every(numbers: Numbers) -> Iterable[Mapping[str, Any]]:
    """All kinds at the start."""
    for name in ("along_depth", "along_width", "along_norm"):
        yield from numbers[name]


def _theorems(numbers: Numbers) -> tuple[Claim, ...]:
    """Bounds that hold for every value, and where they say something."""
    trained = [part for kind in numbers["trained"] for part in (*kind["before"], *kind["after"])]
    checked = sum(sum(kind["checked"]) for kind in _every(numbers)) + sum(part["checked"] for part in trained)
    failed = sum(sum(kind["violations"]) for kind in _every(numbers)) + sum(part["violations"] for part in trained)
    layers = numbers["config"]["depths"][0]
    bounded = [kind for kind in numbers["along_norm"] if kind["depth"] == layers and kind["skip"] == 1.0]
    largest = {
        norm: max(max(kind["largest_condition"]) for kind in bounded if kind["norm"] == norm)
        for norm in numbers["config"]["norms"]
    }
    limits = {norm: ((1 + norm) / (1 - norm)) ** layers for norm in largest}
    before = ", ".join(f"{value} at c = {norm}" for norm, value in ONE_LAYER.items() if norm in largest)
    return (
        Claim.judged(
            "Singular values of each layer are within c = |D W| of rho, those of a chain between products of "
            "rho - c and rho + c, and slopes from eta to 1 scale them by no less and no more",
            "Weyl's inequality; " + SOURCE,
            theirs="none is violated",
            ours=f"{failed} of {checked:,} inequalities are violated, before and after training",
            tolerance="none, beyond rounding",
            holds=failed == 0,
        ),
        Claim.judged(
            f"A residual network of {layers} layer{'s' if layers > 1 else ''} with |D W| <= c < 1 has a condition "
            "number of at most ((1 + c) / (1 - c))^layers",
            SOURCE,
            theirs=f"bounds {_listed(limits)}; measured before, one layer: {before}",
            ours=f"the largest: {_listed(largest)}",
            tolerance="none exceeds it",
            holds=all(largest[norm] <= limits[norm] for norm in largest),
        ),
    )


def _listed(values: Mapping[Any, float]) -> str:
    return ", ".join(f"{value:.3g} at c = {norm}" for norm, value in values.items())


def _at_start(numbers: Numbers) -> tuple[Claim, ...]:
    """What random networks are like, plain and residual."""
    deepest, activations = numbers["config"]["depths"][-1], numbers["config"]["activations"]
    deep = {(k["activation"], k["skip"]): k for k in numbers["along_depth"] if k["depth"] == deepest}
    scaled = {
        (k["activation"], k["norm"], k["skip"]): _median(first(k, "condition"))
        for k in numbers["along_norm"]
        if k["depth"] == deepest
    }
    pairs = {(a, c): (scaled[a, c, 0.0], scaled[a, c, 1.0]) for a, c, skip in scaled if skip == 0.0}
    found = []
    if "relu" in activations:
        plain, residual = deep["relu", 0.0], deep["relu", 1.0]
        share, own = (np.mean([part[0] for part in kind["singular_share"]]) for kind in (plain, residual))
        found.append(
            Claim.judged(
                "A plain ReLU network's map is singular, a residual one's is not: units that are off take away rank",
                SOURCE,
                theirs="condition number infinite without skips, finite with them",
                ours=f"{deepest} layers: infinite for {share:.0%} of the inputs (rank {np.median(plain['rank']):.0%} "
                f"of the width) and for {own:.0%}",
                tolerance="all and none",
                holds=share == 1.0 and own == 0.0,
            )
        )
    return (
        *found,
        Claim.judged(
            "Residual networks whose layers have norm c < 1 are better conditioned than plain ones of the same weights",
            SOURCE,
            theirs="smaller",
            ours=f"{deepest} layers, plain and residual: "
            + "; ".join(f"{a:.3g} and {b:.3g} ({name}, c = {c})" for (name, c), (a, b) in pairs.items()),
            tolerance="smaller for each activation and norm",
            holds=all(b < a for a, b in pairs.values()),
        ),
        Claim.told(
            "The condition number of residual networks is bounded",
            SOURCE,
            theirs="bounded, while c < 1; He's weights have c above 2, and the bound says nothing",
            ours=f"with He's weights, map to the outputs, from {numbers['config']['depths'][0]} to {deepest} layers: "
            + "; ".join(f"{name}: plain {_along(numbers, name, 0.0)}, residual {_along(numbers, name, 1.0)}"
                        for name in activations),
        ),
    )  # fmt: skip


def _along(numbers: Numbers, activation: str, skip: float) -> str:
    own = [k for k in numbers["along_depth"] if (k["activation"], k["skip"]) == (activation, skip)]
    return " to ".join(f"{_median(first(kind, 'to_outputs')):.3g}" for kind in (own[0], own[-1]))


def _after_training(numbers: Numbers) -> tuple[Claim, ...]:
    """What training does to it."""
    activations = numbers["config"]["activations"]
    return (
        Claim.told(
            "Trained residual networks are better conditioned than trained plain ones",
            SOURCE,
            theirs="smaller",
            ours="map to the outputs, before and after training from He's weights: "
            + "; ".join(
                f"{name}: plain {trained(numbers, name, 0.0, 'before'):.3g} to "
                f"{trained(numbers, name, 0.0, 'after'):.3g}, "
                f"residual {trained(numbers, name, 1.0, 'before'):.3g} to {trained(numbers, name, 1.0, 'after'):.3g}"
                for name in activations
            ),
        ),
    )


def trained(numbers: Numbers, activation: str, skip: float, when: str) -> float:
    """Median condition number of the map to the outputs, "before" or "after" training; infinite where JSON has null."""
    (kind,) = (k for k in numbers["trained"] if (k["activation"], k["skip"]) == (activation, skip))
    values = [part["to_outputs"] for part in kind[when]]
    return float(np.median([np.inf if value is None else value for value in values]))
