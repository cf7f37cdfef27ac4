"""What is claimed of nested cones, held against the numbers."""

from __future__ import annotations

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Carlsson 2019, section 4 and figure 3"
THEOREM = "this library, from Carlsson's definition"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The source's claims with their verdicts."""
    return (*_of_faces(numbers), *_of_the_theorem(numbers))


def _of_faces(numbers: Numbers) -> tuple[Claim, ...]:
    """What the source says of preimages of zeros, and of how far a layer nests."""
    axis, faces = numbers["axis"]["entries"], numbers["faces"]
    identity, narrow, wide = (faces[name] for name in ("identity", "narrow", "wide"))
    return (
        Claim.judged(
            "Preimages of one zero are lines and of two zeros planes, and reach the face of the orthant if nested",
            SOURCE,
            theirs="boxes of the identity; nested cones likewise",
            ours=f"dimensions {identity['dimensions_1']} and {identity['dimensions_2']}; "
            f"{identity['reached_1'] + narrow['reached_1']} of {identity['outputs_1'] + narrow['outputs_1']} and "
            f"{identity['reached_2'] + narrow['reached_2']} of {identity['outputs_2'] + narrow['outputs_2']} reach it",
            tolerance="all of them",
            holds=identity["dimensions_1"] == narrow["dimensions_1"] == [1]
            and identity["dimensions_2"] == narrow["dimensions_2"] == [2]
            and all(row[f"reached_{k}"] == row[f"outputs_{k}"] for row in (identity, narrow) for k in (1, 2)),
        ),
        Claim.judged(
            "Where the cone is widened preimages shrink, and contraction is lost far out",
            SOURCE,
            theirs="smaller preimages, some empty",
            ours=f"mean length {wide['measure_1']:.3f} instead of {identity['measure_1']:.3f}, mean area "
            f"{wide['measure_2']:.3f} instead of {identity['measure_2']:.3f}; {wide['reached_1']} of "
            f"{wide['outputs_1']} and {wide['reached_2']} of {wide['outputs_2']} still reach the face",
            tolerance="smaller, and not all",
            holds=all(
                wide[f"measure_{k}"] < identity[f"measure_{k}"] and wide[f"reached_{k}"] < wide[f"outputs_{k}"]
                for k in (1, 2)
            ),
        ),
        Claim.judged(
            "With a positive entry q off the diagonal and a bias c a layer nests up to -c / q on the axis",
            SOURCE,
            theirs="beyond it data are transformed linearly",
            ours="crossings "
            + ", ".join(f"{row['crossing']:.4g} (q = {row['entry']:g})" for row in axis if row["entry"] > 0)
            + f"; {sum(row['differences'] for row in axis)} outputs on the wrong side",
            tolerance="none",
            holds=not any(row["differences"] for row in axis),
        ),
    )


def _of_the_theorem(numbers: Numbers) -> tuple[Claim, ...]:
    """What follows from its definition."""
    total, both, neither, refuted, unrefuted = (
        sum(row[name] for row in numbers["theorem"])
        for name in ("matrices", "nested_both", "neither", "refuted_nested", "unrefuted_other")
    )
    nested = [
        degree == 1.0
        for degrees in numbers["degrees"]["degrees"].values()
        for entry, degree in zip(numbers["degrees"]["entry"], degrees, strict=True)
        if entry > 1e-9
    ]
    return (
        Claim.judged(
            "Complete nesting: W is a nonsingular M-matrix and no bias is positive",
            THEOREM,
            theirs="exactly then",
            ours=f"of {total} layers {both} nested by both and {neither} by neither; {refuted} that linear programs "
            f"refute, {unrefuted} others that no output tried refutes",
            tolerance="none refuted; of the others 19 of 20, as outputs are tried at random",
            holds=refuted == 0 and unrefuted <= neither / 19,
            samples=total,
        ),
        Claim.judged(
            "One positive entry off the diagonal ends complete nesting",
            THEOREM,
            theirs="at once",
            ours=f"{sum(nested)} of {len(nested)} layers with a positive entry are completely nested",
            tolerance="none",
            holds=not any(nested),
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """The faces' preimages, and the theorem's counts."""
    names = ("outputs_1", "preimages_1", "reached_1", "measure_1", "outputs_2", "preimages_2", "reached_2", "measure_2")
    rows = tuple((cone, *(row[name] for name in names)) for cone, row in numbers["faces"].items())
    columns = ("size", "matrices", "nested_both", "neither", "refuted_nested", "unrefuted_other")
    counts = tuple(tuple(row[name] for name in columns) for row in numbers["theorem"])
    return {"faces": Table(("cone", *names), rows), "theorem": Table(columns, counts)}
