"""What is claimed of quality and diversity, held against the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

POLARITY = "Humayun, Balestriero and Baraniuk 2022, arXiv 2203.01993"
MAGNET = "Humayun, Balestriero and Baraniuk 2022, arXiv 2110.08009"
QUESTION = "an open question of Balestriero, Humayun and Baraniuk 2024"
LEAST = 50.0
"""Effective sample size below which an exponent is not judged by."""


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts, on features of a classifier."""
    return (*_of_exponents(numbers), _of_truncation(numbers), *_of_a_surface(numbers["surface"]))


def _of_exponents(numbers: Numbers) -> tuple[Claim, ...]:
    """What is claimed of precision and recall against the exponent."""
    exponents = numbers["exponents"]["rows"]
    usable = [row for row in exponents if row["size"] >= LEAST]
    own = next(row for row in exponents if row["rho"] == 0)
    modes = max((row for row in usable if row["rho"] < 0), key=lambda row: mean(row, "precision"), default=own)
    wide = max((row for row in usable if row["rho"] > 0), key=lambda row: mean(row, "recall"), default=own)
    uniform = next(row for row in exponents if row["rho"] == 1)
    return (
        Claim.judged(
            "Some negative exponent raises precision",
            POLARITY,
            theirs="precision rises towards modes",
            ours=f"{spoken(own, 'precision')} at rho 0, {spoken(modes, 'precision')} at rho {modes['rho']:g} (recall "
            f"{spoken(own, 'recall')}, {spoken(modes, 'recall')})",
            tolerance="by more than two standard errors",
            holds=above(modes, own, "precision", numbers),
        ),
        Claim.judged(
            "Some positive exponent raises recall",
            POLARITY,
            theirs="diversity rises towards anti-modes",
            ours=f"{spoken(own, 'recall')} at rho 0, {spoken(wide, 'recall')} at rho {wide['rho']:g} (precision "
            f"{spoken(own, 'precision')}, {spoken(wide, 'precision')})",
            tolerance="by more than two standard errors",
            holds=above(wide, own, "recall", numbers),
        ),
        Claim.told(
            "Volumes to the power one raise precision by 4.1 % and recall by 3.0 %",
            f"{MAGNET}, StyleGAN2 of faces",
            theirs="+4.1 %, +3.0 %",
            ours=f"precision {mean(own, 'precision'):.3f} to {mean(uniform, 'precision'):.3f}, recall "
            f"{mean(own, 'recall'):.3f} to {mean(uniform, 'recall'):.3f}; effective sample size {uniform['size']:,.0f}",
        ),
    )


def _of_truncation(numbers: Numbers) -> Claim:
    """What is claimed of latents that are cut off."""
    short, plain = numbers["truncations"]["rows"][0], numbers["truncations"]["rows"][-1]
    return Claim.judged(
        "Truncation of the latents trades recall for precision",
        "Kynkäänniemi et al. 2019, arXiv 1904.06991",
        theirs="precision rises and recall falls",
        ours=f"at a deviation of {short['deviation']:g} precision {spoken(short, 'precision')}, recall "
        f"{spoken(short, 'recall')}; of {plain['deviation']:g} {spoken(plain, 'precision')}, "
        f"{spoken(plain, 'recall')}",
        tolerance="both by more than two standard errors",
        holds=above(short, plain, "precision", numbers) and above(plain, short, "recall", numbers),
    )


def _of_a_surface(surface: Any) -> tuple[Claim, ...]:
    """What a surface of two latents says of the open question."""
    off, made = surface["off"], surface["quality"]
    fitted = "no exponent" if surface["rho"] is None else f"{surface['rho']:.2f} +- {surface['rho_error']:.2f}"
    return (
        Claim.told(
            "Uniform sampling tests whether the manifold was learned",
            QUESTION,
            theirs="asked, not answered",
            ours="of a surface of two latents, samples that are uniform, by uniform latents, and by the law that "
            f"held-out images have on it are off the data in {off['uniform']:.1%}, {off['latents']:.1%} and "
            f"{off['law']:.1%}; recall {made['uniform']['recall']:.2f}, {made['latents']['recall']:.2f} and "
            f"{made['law']['recall']:.2f}. "
            f"What no sample tells: held-out images are {surface['distance']:.3g} from the surface, and "
            f"{surface['between_images']:.3g} from the nearest training image",
        ),
        Claim.judged(
            "Held-out images are not uniform on the learned surface",
            QUESTION,
            theirs="samples uniform on the manifold are taken for fair ones",
            ours=f"exponent of the volume that explains their latents best: {fitted}; 1 would be uniform",
            tolerance="the exponent differs from 1 by more than three standard errors",
            holds=surface["rho"] is None or abs(surface["rho"] - 1) > 3 * surface["rho_error"],
        ),
    )


def mean(row: Any, measure: str, kind: str = "features") -> float:
    """A measure's mean over the draws."""
    return float(row[kind][measure]["mean"])


def spoken(row: Any, measure: str) -> str:
    """A measure with its standard deviation over the draws."""
    found = row["features"][measure]
    return f"{found['mean']:.3f} +- {found['deviation']:.3f}"


def above(one: Any, two: Any, measure: str, numbers: Numbers) -> bool:
    """Whether one mean exceeds another by two standard errors of their difference."""
    first, second = (row["features"][measure] for row in (one, two))
    error = np.hypot(first["deviation"], second["deviation"]) / np.sqrt(numbers["config"]["repeats"])
    return bool(first["mean"] - second["mean"] > 2 * error)


def tables(numbers: Numbers) -> dict[str, Table]:
    """All measures of all exponents and truncations."""
    rows = []
    for name, key in (("exponents", "rho"), ("truncations", "deviation")):
        for row in numbers[name]["rows"]:
            for kind in ("pixels", "features"):
                rows += [(key, row[key], kind, m, v["mean"], v["deviation"]) for m, v in row[kind].items()]
    return {"quality": Table(("of", "value", "on", "measure", "mean", "deviation"), tuple(rows))}
