"""The moments of a run that groks, and what the source says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splinescope.experiments.base import Claim

if TYPE_CHECKING:
    from splinescope.experiments.grokking import Settings

FIGURE = "Balestriero, Humayun and Baraniuk 2024, figure 9"
PAPER = "Humayun, Balestriero and Baraniuk 2024 (arXiv 2402.15555)"

GAIN = 0.2
"""Rise of the adversarial accuracy after interpolation from which on a network counts as having grokked."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Moments:
    """Three rows of the log.

    Attributes:
        interpolation: Number of the first row whose training accuracy is 100 %.
        grokked: Number of the row with the least local complexity at training images, of those that are robust: whose
            adversarial accuracy at the largest epsilon is at least `GAIN` above that at interpolation. If none is, the
            last row.
        attack: Key of that adversarial accuracy.
        radius: Radius that the claims are about.
        rows: Steps of the three rows.
    """

    interpolation: int
    grokked: int
    attack: str
    radius: float
    rows: tuple[int, int, int]

    def steps(self) -> dict[str, int]:
        """Step of each moment by its name."""
        return dict(zip(("initialisation", "interpolation", "grokking"), self.rows, strict=True))

    def of(self, rows: Rows) -> dict[str, Mapping[str, Any]]:
        """Row of each moment by its name."""
        found = (rows[0], rows[self.interpolation], rows[self.grokked])
        return dict(zip(self.steps(), found, strict=True))

    def numbers(self, rows: Rows) -> dict[str, Any]:
        """Everything measured at each moment."""
        return {name: dict(row) for name, row in self.of(rows).items()}

    def captions(self, rows: Rows) -> dict[str, str]:
        """A line about each moment."""
        key = complexity("train", self.radius)
        return {
            name: f"step {row['step']:,}: {row['tiles/cells']:,} cells, LC {row[key]:.2f}"
            for name, row in self.of(rows).items()
        }


def complexity(points: str, radius: float) -> str:
    """Key of a mean local complexity in a row.

    Args:
        points: "train", "test" or "random".
        radius: Radius of the neighbourhoods.

    Returns:
        The key.
    """
    return f"complexity {points} {radius:g}/mean"


def moments_of(rows: Rows, epsilons: Sequence[float], radius: float) -> Moments:
    """Find the moments.

    Args:
        rows: Rows of the log.
        epsilons: Radii of the attacks.
        radius: Radius that the claims are about.

    Returns:
        The moments; the last row stands in for one that never came.
    """
    attack = f"attacked {max(epsilons):g}/accuracy"
    last = len(rows) - 1
    interpolation = next((i for i, row in enumerate(rows) if row["train/accuracy"] == 1), last)
    later = range(interpolation, len(rows))
    robust = [i for i in later if rows[i][attack] >= rows[interpolation][attack] + GAIN]
    grokked = min(robust, key=lambda i: rows[i][complexity("train", radius)], default=last)
    steps = (rows[0]["step"], rows[interpolation]["step"], rows[grokked]["step"])
    return Moments(interpolation, grokked, attack, radius, steps)


def claims_of(settings: Settings, rows: Rows, moments: Moments) -> tuple[Claim, ...]:
    """The source's claims held against a run.

    Args:
        settings: The configuration.
        rows: Rows of the log.
        moments: Its moments.

    Returns:
        The claims.
    """
    found = [
        _interpolated(rows, moments),
        _falls(settings, rows, moments),
        _numbers(rows, moments),
        _ascent(rows, moments),
        _robust(rows, moments, settings.epsilons),
        _later(rows, moments),
    ]
    if "tiles/cells" in rows[0]:
        found += [_fewer_cells(rows, moments), _norms(rows, moments), _migration(rows, moments)]
    return tuple(found)


def _interpolated(rows: Rows, moments: Moments) -> Claim:
    row = rows[moments.interpolation]
    return Claim.judged(
        "The network interpolates its training data",
        FIGURE,
        theirs="100 % of the training images are classified correctly",
        ours=f"{row['train/accuracy']:.1%} at step {row['step']:,}; test accuracy {row['test/accuracy']:.1%}",
        tolerance="100 % at some recorded step",
        holds=row["train/accuracy"] == 1,
    )


def _falls(settings: Settings, rows: Rows, moments: Moments) -> Claim:
    """At which radii local complexity falls as claimed."""
    start, middle, end = moments.of(rows).values()
    ratios, ordered = {}, []
    for radius in settings.radii:
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


def _numbers(rows: Rows, moments: Moments) -> Claim:
    key = complexity("train", moments.radius)
    values = [row[key] for row in moments.of(rows).values()]
    return Claim.told(
        "Local complexity at the three moments",
        FIGURE,
        theirs="4.91, 2.96 and 0.142; the radius is not given",
        ours=f"{values[0]:.2f}, {values[1]:.2f} and {values[2]:.3f} at radius {moments.radius:g}",
    )


def _ascent(rows: Rows, moments: Moments) -> Claim:
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


def _robust(rows: Rows, moments: Moments, epsilons: Sequence[float]) -> Claim:
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


def _later(rows: Rows, moments: Moments) -> Claim:
    _, middle, end = moments.steps().values()
    return Claim.told(
        "Grokking comes 37 times as many steps after the start as interpolation",
        FIGURE,
        theirs="37 times",
        ours=f"step {end:,} after {middle:,}: {end / max(middle, 1):.0f} times",
    )


def _fewer_cells(rows: Rows, moments: Moments) -> Claim:
    start, middle, end = (row["tiles/cells"] for row in moments.of(rows).values())
    return Claim.judged(
        "A slice through three training images has fewer cells after grokking",
        FIGURE,
        theirs="about half as many",
        ours=f"{start:,}, {middle:,} and {end:,} cells: {end / middle:.2f} of those at interpolation",
        tolerance="fewer than at interpolation",
        holds=end < middle,
    )


def _norms(rows: Rows, moments: Moments) -> Claim:
    start, middle, end = (row["norm train/median"] for row in moments.of(rows).values())
    return Claim.judged(
        "The slope of the network at the data rises until interpolation and is very low at grokking",
        FIGURE,
        theirs="norm of A at the data, in colours",
        ours=f"median spectral norm at training images {start:.3f}, {middle:.3f}, {end:.4f}",
        tolerance="rises, then falls below a half",
        holds=start < middle and end < 0.5 * middle,
    )


def _migration(rows: Rows, moments: Moments) -> Claim:
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
