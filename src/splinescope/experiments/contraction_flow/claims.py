"""What is claimed of contraction, held against the numbers."""

from __future__ import annotations

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Carlsson 2019, section 4 and figure 2"
THEOREM = "this library, from Carlsson's nested cones"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The source's claims with their verdicts."""
    chains, random, config = numbers["chains"], numbers["random"], numbers["config"]
    identity, nested, arbitrary = (chains[name] for name in ("identity", "nested", "arbitrary"))
    gone = min(1.0, -config["layers"] * config["bias"] / config["side"])
    faces = {"origin": gone**2, "axis-1": gone * (1 - gone), "axis-2": gone * (1 - gone), "inside": (1 - gone) ** 2}
    error = max(abs(identity["shares"][name] - share) for name, share in faces.items())
    counted = max(abs(one["shares"][name] - one["counted"][name]) for one in chains.values() for name in faces)
    total = sum(len(row["nested"]) for row in random)
    right = sum(count == row["theorem"] for row in random for count in row["nested"])
    monotone, exceeded = (sum(row[name] for row in random) for name in ("nested_monotone", "dimension_exceeded"))
    others = sum(row["others_monotone"] for row in random)
    return (
        Claim.told(
            "Most of the domain is taken to the origin by a few layers",
            SOURCE,
            theirs="most, in six layers of arbitrary circulant kernels; which, and of which domain, is not given",
            ours=f"{arbitrary['shares']['origin']:.1%} of the square exactly; {nested['shares']['origin']:.1%} where "
            f"all six are nested, {identity['shares']['origin']:.1%} by three biases alone",
        ),
        Claim.judged(
            "Identity layers with a negative bias collapse a square to its faces",
            SOURCE,
            theirs=", ".join(f"{name} {share:.4f}" for name, share in faces.items()),
            ours=f"the same up to {error:.1e}; points of a grid up to {counted:.1e}",
            tolerance="1e-12; the grid 0.005",
            holds=error < 1e-12 and counted < 0.005,
        ),
        Claim.judged(
            "In nested layers what is zero stays zero, and images have no more dimensions than units that are not",
            SOURCE,
            theirs="always",
            ours=f"{monotone} of {total} random nested chains, and both of the figure; {exceeded} cells with more",
            tolerance="all, and none",
            holds=monotone == total
            and exceeded == 0
            and nested["monotone"]
            and identity["monotone"]
            and not any(one["dimension_exceeded"] for one in chains.values()),
        ),
        Claim.judged(
            "A chain of L nested layers of d units has (L + 1)^d cells in the orthant",
            THEOREM,
            theirs="polynomially many in the depth",
            ours=f"{right} of {total} random chains: "
            + ", ".join(f"{row['theorem']} (d = {row['dimension']}, L = {row['layers']})" for row in random),
            tolerance="all of them, exactly",
            holds=right == total,
        ),
        Claim.told(
            "Layers with the signs of half the entries off the diagonal turned",
            THEOREM,
            theirs="no theorem",
            ours=f"{others} of {total} keep their zeros; cells "
            + ", ".join(f"{min(row['others'])} to {max(row['others'])}" for row in random),
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Shares of the faces, and cells of random chains."""
    faces = ("origin", "axis-1", "axis-2", "inside")
    chains = Table(
        ("chain", "layers", "cells", *(f"share_{face}" for face in faces)),
        tuple(
            (name, one["layers"], one["cells"], *(one["shares"][face] for face in faces))
            for name, one in numbers["chains"].items()
        ),
    )
    rows = [
        (row["dimension"], row["layers"], row["theorem"], min(row["nested"]), max(row["nested"]), min(row["others"]),
         max(row["others"]))
        for row in numbers["random"]
    ]  # fmt: skip
    columns = ("dimension", "layers", "theorem", "least_nested", "most_nested", "least_other", "most_other")
    return {"chains": chains, "random": Table(columns, tuple(rows))}
