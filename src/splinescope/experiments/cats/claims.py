"""What is claimed of the plane through two cats and a dog, held against the numbers."""

from __future__ import annotations

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers

SOURCE = "Balestriero, Humayun and Baraniuk 2024, figure 5"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    names = numbers["classes"]
    shares = ", ".join(
        f"class {name} on {share:.0%}" for name, share in zip(names, numbers["class_area_shares"], strict=True)
    )
    return (
        Claim.judged(
            "The decision boundary in the plane is computed exactly, from the affine map of each cell",
            SOURCE,
            theirs="provably exact",
            ours=f"both outputs agree to {numbers['boundary_largest_difference']:.1e} (relative) at all ends of its "
            f"{numbers['boundary_segments']:,} segments",
            tolerance="1e-10",
            holds=numbers["boundary_largest_difference"] < 1e-10,
        ),
        Claim.judged(
            "The cells and their maps are those of the trained network",
            SOURCE,
            theirs="provably exact",
            ours=f"{numbers['points_of_another_class']} of {numbers['points']:,} random points are of another class, "
            f"and outputs differ by {numbers['points_largest_difference']:.1e} (relative), in float32",
            tolerance="no other class, 1e-4",
            holds=numbers["points_of_another_class"] == 0 and numbers["points_largest_difference"] < 1e-4,
        ),
        Claim.told(
            "The picture itself",
            SOURCE,
            theirs="5-layer ConvNet of average width 160, 4,096 inputs, two kinds of cats; number of cells not given",
            ours=f"{len(numbers['widths'])}-layer ConvNet of average width {numbers['mean_width']:g}, "
            f"{numbers['inputs']:,} inputs, {names[0]} and {names[1]}: {numbers['plane']['cells']:,} cells; {shares} "
            f"of the square; {numbers['accuracy_held_out']:.0%} of the images held out are classified rightly",
        ),
    )
