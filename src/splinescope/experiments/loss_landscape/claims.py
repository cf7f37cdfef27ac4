"""What is claimed of losses with and without skips, held against `loss-landscape`'s numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Li et al. 2018 (arXiv 1712.09913), figure 6 of Balestriero et al. 2024"
DEEP = 20
"""Convolutions from which on the source sees a difference."""

TOLERANCE = 0.01
"""Excess in logarithms up to which it is none: one per cent of the loss."""


def excess(network: Mapping[str, Any]) -> np.ndarray:
    r"""[rays, points] by how much the logarithm of the loss is not quasi-convex along rays.

    Along a ray, $\log f(r) - \log \max(\min_{a \le r} f(a), \min_{b \ge r} f(b))$: a quasi-convex function has none,
    and neither has its logarithm, whose scale is not that of the largest loss far out.
    """
    values = np.array([[np.nan if value is None else value for value in ray] for ray in network["rays"]], np.float64)
    before = np.minimum.accumulate(values, axis=1)
    behind = np.minimum.accumulate(values[:, ::-1], axis=1)[:, ::-1]
    tiny = np.finfo(np.float64).tiny
    return np.log(np.maximum(values, tiny)) - np.log(np.maximum(np.maximum(before, behind), tiny))


def rugged(network: Mapping[str, Any]) -> float:
    """Share of the disc, by area, where the loss is not quasi-convex along rays."""
    found = excess(network) > TOLERANCE
    weights = np.arange(found.shape[1], dtype=np.float64)  # area goes with the radius
    return float((found * weights).sum() / (weights.sum() * len(found)))


def mean_excess(network: Mapping[str, Any]) -> float:
    """Mean of the excess over the disc, in units of e."""
    found = excess(network)
    weights = np.arange(found.shape[1], dtype=np.float64)
    return float((np.nan_to_num(found) * weights).sum() / (weights.sum() * len(found)))


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    residual, plain = (numbers["networks"][name] for name in ("residual", "plain"))
    deep = plain["convolutions"] >= DEEP
    statement = "Without skips the loss around a deep network is rugged, with skips it is not"
    ours = (
        f"{plain['convolutions']} convolutions: not quasi-convex along rays on {rugged(plain):.1%} of the disc without "
        f"and {rugged(residual):.1%} with skips, mean excess {mean_excess(plain):.2e} and {mean_excess(residual):.2e} "
        "in logarithms of the loss"
    )
    smoother = (
        Claim.judged(
            statement,
            SOURCE,
            theirs="chaotic without, smooth with skips; pictures",
            ours=ours,
            tolerance="larger share, and larger mean excess, without skips",
            holds=rugged(plain) > rugged(residual) and mean_excess(plain) > mean_excess(residual),
        )
        if deep
        else Claim.told(statement, SOURCE, theirs="of networks of 56 layers; shallow ones are smooth", ours=ours)
    )
    exact = {name: network["exact"] for name, network in numbers["networks"].items()}
    return (
        smoother,
        Claim.judged(
            "The middle of the plane is the loss of the network",
            "here",
            theirs=f"{residual['loss']:.6g} and {plain['loss']:.6g}",
            ours=f"{residual['middle']:.6g} and {plain['middle']:.6g}",
            tolerance="1e-4 relative, in float32",
            holds=all(abs(n["middle"] - n["loss"]) <= 1e-4 * max(n["loss"], 1e-3) for n in (residual, plain)),
        ),
        Claim.told(
            "Both networks learn the images",
            SOURCE,
            theirs="test errors 6 % and 13 % of 56 layers",
            ours=f"training accuracy {residual['accuracy']:.1%} with and {plain['accuracy']:.1%} without skips; both "
            f"have {plain['parameters']:,} parameters",
        ),
        Claim.judged(
            "On the exact plane of one layer the loss is convex on each cell, and is that of forward passes",
            "Riedi, Balestriero and Baraniuk 2023",
            theirs="piecewise",
            ours="; ".join(_said(name, found) for name, found in exact.items()),
            tolerance="1e-9 relative",
            holds=all(found["deviation"] < 1e-9 for found in exact.values()),
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Both networks."""
    rows = tuple(
        (name, n["convolutions"], n["parameters"], n["accuracy"], n["loss"], rugged(n), mean_excess(n),
         n["exact"]["cells"], n["exact"]["minima"])
        for name, n in numbers["networks"].items()
    )  # fmt: skip
    columns = (
        "network", "convolutions", "parameters", "accuracy", "loss", "rugged_share", "mean_excess", "exact_cells",
        "exact_minima",
    )  # fmt: skip
    return {"networks": Table(columns, rows)}


def _said(name: str, found: Mapping[str, Any]) -> str:
    cells = f"{found['cells']:,} cells" + (" (as many as were asked for)" if found["truncated"] else "")
    return f"{name}: {cells}, {found['minima']} minima, deviation {found['deviation']:.1e}"
