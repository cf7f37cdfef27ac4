"""What is claimed of preimages of one layer, held against the numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Carlsson 2019, section 2 and figure 1"
CIRCULANT = "Carlsson 2019, section 3"
ROUNDING = 1e-12


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The source's claims with their verdicts."""
    return (*_of_layers(numbers["layers"]), *_of_circulant_layers(numbers))


def _of_layers(layers: list[dict[str, Any]]) -> tuple[Claim, ...]:
    """What is claimed of any square layer."""
    count = sum(row["preimages"] for row in layers)
    mapped, missed, duality = (
        max(row[name] for row in layers) for name in ("mapped_error", "missed_error", "duality_error")
    )
    dimensions, polyhedra = (sum(row[name] for row in layers) for name in ("dimensions_right", "polyhedra_agree"))
    return (
        Claim.judged(
            "All planes but one meet in a line, and along it only that one's unit changes (the dual basis)",
            SOURCE,
            theirs="W e_i is minus the i-th unit vector",
            ours=f"up to {duality:.1e} of the condition number, in {count:,} layers",
            tolerance=f"{ROUNDING:g}",
            holds=duality < ROUNDING,
        ),
        Claim.judged(
            "The preimage of an output is a point and the rays of its zero units (eq. 15)",
            SOURCE,
            theirs="both inclusions",
            ours=f"its points are mapped there up to {mapped:.1e}; an input is in the preimage of its output up to "
            f"{missed:.1e}",
            tolerance=f"{ROUNDING:g} of the condition number",
            holds=max(mapped, missed) < ROUNDING,
        ),
        Claim.judged(
            "The dimension of the preimage is the number of zeros",
            SOURCE,
            theirs="always, at full rank",
            ours=f"{dimensions:,} of {count:,}; by linear programs {polyhedra:,} of {count:,}",
            tolerance="all of them",
            holds=dimensions == polyhedra == count,
        ),
    )


def _of_circulant_layers(numbers: Numbers) -> tuple[Claim, ...]:
    """What is claimed of circulant ones."""
    circulant, fourier = numbers["circulant"], numbers["fourier"]
    cone = float(np.interp(0.0, numbers["angles"]["entry"], numbers["angles"]["plane"]))
    ray = float(np.interp(0.0, numbers["angles"]["entry"], numbers["angles"]["ray"]))
    angles = max(circulant["plane_angle_error"], circulant["ray_angle_error"])
    singular = numbers["singular"]["kernels"]
    return (
        Claim.judged(
            "The planes of a circulant layer meet the identity line in one point and at one angle, a regular cone",
            CIRCULANT,
            theirs="apex -b / a, equal angles",
            ours=f"apex up to {circulant['apex_error']:.1e}, angles up to {angles:.1e} rad of the closed forms, in "
            f"{circulant['layers']:,} layers",
            tolerance="1e-6 rad, 1e-10",
            holds=angles < 1e-6 and circulant["apex_error"] < 1e-10,
        ),
        Claim.judged(
            "The identity's cone is that of the coordinate planes",
            CIRCULANT,
            theirs=f"{math.degrees(math.asin(1 / math.sqrt(3))):.2f} degrees for planes and "
            f"{math.degrees(math.acos(1 / math.sqrt(3))):.2f} for rays in space",
            ours=f"{cone:.2f} and {ray:.2f} degrees",
            tolerance="0.01 degrees",
            holds=abs(cone - math.degrees(math.asin(3**-0.5))) < 0.01
            and abs(ray - math.degrees(math.acos(3**-0.5))) < 0.01,
        ),
        Claim.judged(
            "A cyclic shift of the input shifts the output of a circulant layer",
            CIRCULANT,
            theirs="f(P x) = P f(x)",
            ours=f"up to {circulant['shift_error']:.1e}",
            tolerance=f"{ROUNDING:g}",
            holds=circulant["shift_error"] < ROUNDING,
        ),
        Claim.judged(
            "A circulant layer is of full rank exactly if its transform has no zero",
            CIRCULANT,
            theirs="one rank less for each zero",
            ours="ranks " + ", ".join(f"{row['rank']} of {len(row['kernel'])}" for row in singular),
            tolerance="the ranks of the matrices, and a null space that they map to 0",
            holds=all(row["rank"] == row["rank_of_matrix"] and row["lineality_error"] < ROUNDING for row in singular),
        ),
        Claim.judged(
            f"Fourier transforms do the preimage of {fourier['size']:,} units as well as a dense inverse",
            "this library",
            theirs="the same",
            ours=f"point up to {fourier['point_difference']:.1e}, {fourier['dimension']:,} rays up to "
            f"{fourier['ray_difference']:.1e}, in {1e3 * fourier['seconds']:.1f} ms instead of "
            f"{1e3 * fourier['dense_seconds']:.0f} ms",
            tolerance="1e-10",
            holds=max(fourier["point_difference"], fourier["ray_difference"]) < 1e-10,
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Errors of each size."""
    columns = ("size", "preimages", "mapped_error", "missed_error", "duality_error", "dimensions_right")
    return {"layers": Table(columns, tuple(tuple(row[name] for name in columns) for row in numbers["layers"]))}
