"""What is claimed of the toy network, held against its numbers."""

from __future__ import annotations

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Balestriero, Humayun and Baraniuk 2024, figure 3"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The source's claims with their verdicts."""
    cells, turns = numbers["cells"], numbers["turning_points_of_layer"]
    return (
        Claim.judged(
            "Each layer subdivides the cells of the layers before it",
            SOURCE,
            theirs="successive subdivision",
            ours=f"{', '.join(f'{count:,}' for count in cells)} cells after layers 1 to {len(cells)}",
            tolerance="every cell lies in one cell of the layer before, and their number grows",
            holds=all(numbers["cells_refined"]) and all(np.diff(cells) > 0),
        ),
        Claim.judged(
            "Hyperplanes of the first layer are straight, those of deeper layers are folded",
            SOURCE,
            theirs="straight, then folded",
            ours=f"{', '.join(map(str, turns))} turning points of layers 1 to {len(turns)}",
            tolerance="none in layer 1, some in each later layer",
            holds=turns[0] == 0 and min(turns[1:]) > 0,
        ),
        Claim.judged(
            "The network is affine on each cell and continuous across their borders",
            SOURCE,
            theirs="a continuous piecewise affine map",
            ours=f"largest jump at an edge {numbers['largest_jump']:.1e} of the largest value; "
            f"certificate {numbers['certificate']!r}",
            tolerance="1e-12",
            holds=numbers["largest_jump"] < 1e-12 and numbers["certificate"] == "proof",
        ),
        Claim.told(
            "Number of cells of the toy network",
            SOURCE,
            theirs="not given, nor are weights and window",
            ours=f"{numbers['cells_of_network']:,} cells, {numbers['linear_regions']:,} linear regions",
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Counts of each layer."""
    columns = ("layer", "cells_after_it", "edges_of_it", "turning_points_of_it")
    parts = zip(numbers["cells"], numbers["edges_of_layer"], numbers["turning_points_of_layer"], strict=True)
    return {"layers": Table(columns, tuple((layer, *row) for layer, row in enumerate(parts, 1)))}
