"""What is claimed of the flattened surface, held against the numbers."""

from __future__ import annotations

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Carlsson 2019, section 5 and figure 4"
KINDS = ("nested", "wide")
"""Names of the two kernels among the numbers."""

THEOREM = "this library, from Carlsson's nested cones"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The source's claims with their verdicts."""
    nested, wide = numbers["nested"], numbers["wide"]
    error = max(nested["level_error"], wide["level_error"])
    zeros = nested["by_zeros"]
    return (
        Claim.judged(
            "The preimage of an affine set under circulant layers is a piecewise planar manifold",
            SOURCE,
            theirs="planar pieces that meet in edges",
            ours=f"{nested['patches']} patches, {nested['inner_edges']} inner edges of which {nested['bad_edges']} are "
            f"not in two patches, Euler characteristic {nested['euler']}",
            tolerance="patches of two dimensions, each inner edge in two of them, a disk",
            holds=nested["dimensions"] == [2] and nested["bad_edges"] == 0 and nested["euler"] == 1,
        ),
        Claim.judged(
            "The layers flatten it into one triangle",
            SOURCE,
            theirs="every point of it is mapped to the affine set",
            ours=f"their sum at all corners is {numbers['config']['level']:g} up to {error:.1e}; "
            f"{nested['certified_points']:,} points of patches are mapped there, too",
            tolerance="1e-9",
            holds=error < 1e-9,
        ),
        Claim.judged(
            "Corners of the triangle are what most patches become, edges what some do, one patch its inside",
            SOURCE,
            theirs="preimages of the axis points and of the edges",
            ours=f"{zeros[2]} patches become corners, {zeros[1]} edges, {zeros[0]} the inside",
            tolerance="more corners than edges, one inside",
            holds=zeros[2] > zeros[1] > zeros[0] == 1,
        ),
        Claim.judged(
            "Nested layers: (L + 1)^d cells and (L + 1)^d - L^d patches",
            THEOREM,
            theirs=f"{nested['theorem_cells']} cells, {nested['theorem_patches']} patches",
            ours=f"{nested['cells']} cells, {nested['patches']} patches",
            tolerance="exactly",
            holds=nested["nested"]
            and (nested["cells"], nested["patches"]) == (nested["theorem_cells"], nested["theorem_patches"]),
        ),
        Claim.told(
            "Layers with a positive entry off the diagonal",
            THEOREM,
            theirs="no theorem",
            ours=f"{wide['cells']} cells, {wide['patches']} patches, of which {wide['by_zeros'][2]} become corners",
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Counts of both surfaces."""
    names = ("cells", "patches", "corners", "inner_edges", "border_edges", "bad_edges", "euler", "area", "level_error")
    rows = tuple((kind, *(numbers[kind][name] for name in names)) for kind in KINDS)
    return {"surfaces": Table(("kernel", *names), rows)}
