"""What is claimed of a run that groks, held against its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from splinescope.experiments.grokking.moments import GAIN, Rows, TrainingMoments, complexity, moments_of
from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

FIGURE = "Balestriero, Humayun and Baraniuk 2024, figure 9"
PAPER = "Humayun, Balestriero and Baraniuk 2024 (arXiv 2402.15555)"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The source's claims held against a run."""
    rows, moments, config = numbers["rows"], moments_of(numbers), numbers["config"]
    found = [
        _interpolated(rows, moments),
        _falls(rows, moments, config["radii"]),
        _numbers(rows, moments),
        _ascent(rows, moments),
        _robust(rows, moments, config["epsilons"]),
        _later(rows, moments),
    ]
    if "tiles/cells" in rows[0]:
        found += [_fewer_cells(rows, moments), _norms(rows, moments), _migration(rows, moments)]
    return tuple(found)


def tables(numbers: Numbers) -> dict[str, Table]:
    """The log, and its rows at the three moments."""
    rows = numbers["rows"]
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    moments = [(name, *map(row.get, columns)) for name, row in moments_of(numbers).of(rows).items()]
    return {
        "log": Table(columns, tuple(tuple(map(row.get, columns)) for row in rows)),
        "moments": Table(("moment", *columns), tuple(moments)),
    }


def _interpolated(rows: Rows, moments: TrainingMoments) -> Claim:
    row = rows[moments.interpolation]
    return Claim.judged(
        "The network interpolates its training data",
        FIGURE,
        theirs="100 % of the training images are classified correctly",
        ours=f"{row['train/accuracy']:.1%} at step {row['step']:,}; test accuracy {row['test/accuracy']:.1%}",
        tolerance="100 % at some recorded step",
        holds=row["train/accuracy"] == 1,
    )


def _falls(rows: Rows, moments: TrainingMoments, radii: Sequence[float]) -> Claim:
    """At which radii local complexity falls as claimed."""
    start, middle, end = moments.of(rows).values()
    ratios, ordered = {}, []
    for radius in radii:
        key = complexity("train", radius)
        ratios[radius] = end[key] / middle[key] if middle[key] else float("nan")
        if start[key] > middle[key] > end[key]:
            ordered.append(radius)
    holds = [radius for radius in ordered if ratios[radius] <= 0.1]
    told = ", ".join(f"{ratio:.3f} (r {radius:g})" for radius, ratio in ratios.items())
    hidden = [_without_outputs(row, moments.radius) for row in (middle, end)]
    return Claim.judged(
        "Local complexity at the data falls from initialisation to interpolation, and again, to a tenth, at grokking",
        FIGURE,
        theirs="4.91, 2.96, 0.142: a ratio of 0.048 of the last two",
        ours=f"last two: {told}; {hidden[1] / hidden[0]:.3f} at r {moments.radius:g} less the outputs; it falls "
        f"both times at r {', '.join(f'{r:g}' for r in ordered) or 'none'}",
        tolerance="for some radius it falls both times, the second time to at most a tenth",
        holds=bool(holds),
    )


def _without_outputs(row: Mapping[str, Any], radius: float) -> float:
    """Mean local complexity of the hidden layers at training images."""
    key = complexity("train", radius)
    return row[key] - row.get(key.replace("mean", "output"), 0.0)


def _numbers(rows: Rows, moments: TrainingMoments) -> Claim:
    key = complexity("train", moments.radius)
    values = [row[key] for row in moments.of(rows).values()]
    return Claim.told(
        "Local complexity at the three moments",
        FIGURE,
        theirs="4.91, 2.96 and 0.142; the radius is not given",
        ours=f"{values[0]:.2f}, {values[1]:.2f} and {values[2]:.3f} at radius {moments.radius:g}",
    )


def _ascent(rows: Rows, moments: TrainingMoments) -> Claim:
    """Whether there is a descent, an ascent and a second descent."""
    key = complexity("train", moments.radius)
    values = [row[key] for row in rows]
    top = max(range(moments.interpolation, len(rows)), key=lambda i: values[i])
    bottom = min(range(top + 1), key=lambda i: values[i])
    end = min(values[top:])
    steps = [rows[i]["step"] for i in (bottom, top)]
    return Claim.judged(
        "Local complexity descends, ascends until after interpolation, and descends for good",
        PAPER,
        theirs="double descent of the local complexity at training data",
        ours=f"{values[0]:.2f} at first, {values[bottom]:.2f} at step {steps[0]:,}, {values[top]:.2f} at step "
        f"{steps[1]:,}, {end:.3f} after it (radius {moments.radius:g})",
        tolerance="the least value before the ascent is below 0.8 of its top, that after it below 0.5 of it",
        holds=values[bottom] < 0.8 * values[top] and bottom > 0 and end < 0.5 * values[top],
    )


def _robust(rows: Rows, moments: TrainingMoments, epsilons: Sequence[float]) -> Claim:
    before, after = rows[moments.interpolation], rows[moments.grokked]
    keys = {epsilon: f"attacked {epsilon:g}/accuracy" for epsilon in epsilons}
    told = ", ".join(f"{before[key]:.0%} to {after[key]:.0%} (eps {epsilon:g})" for epsilon, key in keys.items())
    gain = after[moments.attack] - before[moments.attack]
    best = max(rows[moments.interpolation :], key=lambda row: row[moments.attack])
    tests = f"{before['test/accuracy']:.1%} to {after['test/accuracy']:.1%}"
    return Claim.judged(
        "Adversarial accuracy rises long after the training data are interpolated",
        PAPER,
        theirs="delayed robustness",
        ours=f"{told}; test accuracy {tests}; at best {best[moments.attack]:.0%} at step {best['step']:,}",
        tolerance=f"up by at least {100 * GAIN:.0f} points at the largest epsilon",
        holds=gain >= GAIN,
    )


def _later(rows: Rows, moments: TrainingMoments) -> Claim:
    _, middle, end = moments.steps().values()
    return Claim.told(
        "Grokking comes 37 times as many steps after the start as interpolation",
        FIGURE,
        theirs="37 times",
        ours=f"step {end:,} after {middle:,}: {end / max(middle, 1):.0f} times",
    )


def _fewer_cells(rows: Rows, moments: TrainingMoments) -> Claim:
    start, middle, end = (row["tiles/cells"] for row in moments.of(rows).values())
    return Claim.judged(
        "A slice through three training images has fewer cells after grokking",
        FIGURE,
        theirs="about half as many",
        ours=f"{start:,}, {middle:,} and {end:,} cells: {end / middle:.2f} of those at interpolation",
        tolerance="fewer than at interpolation",
        holds=end < middle,
    )


def _norms(rows: Rows, moments: TrainingMoments) -> Claim:
    start, middle, end = (row["norm train/median"] for row in moments.of(rows).values())
    return Claim.judged(
        "The slope of the network at the data rises until interpolation and is very low at grokking",
        FIGURE,
        theirs="norm of A at the data, in colours",
        ours=f"median spectral norm at training images {start:.3f}, {middle:.3f}, {end:.4f}",
        tolerance="rises, then falls below a half",
        holds=start < middle and end < 0.5 * middle,
    )


def _migration(rows: Rows, moments: TrainingMoments) -> Claim:
    start, middle, end = (row["distance/median"] for row in moments.of(rows).values())
    told = ", ".join("none" if value is None else f"{value:.3f}" for value in (start, middle, end))
    return Claim.judged(
        "Cells migrate to the decision boundary",
        FIGURE,
        theirs="in the picture",
        ours=f"median distance of a cell to the boundary in the slice {told}",
        tolerance="less at grokking than at interpolation",
        holds=None not in (middle, end) and end < middle,
    )
