"""What is claimed of self-similar functions and folding networks, held against the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splinescope.complexity.theory import bounds
from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    folds, depths = numbers["folds"], numbers["config"]["depths"]
    return (
        *_pieces(numbers["functions"], depths),
        *_values(numbers["functions"], depths),
        _attained("montufar", "Montufar et al. 2014", folds),
        _attained("serra", "Serra et al. 2018", folds),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Cells of folding and of random networks, beside the bounds."""
    columns = (
        "inputs widths montufar_bound montufar_cells serra_bound serra_cells random_mean random_most serra_upper_bound"
    )
    rows = tuple(
        (
            part["inputs"],
            "-".join(map(str, part["widths"])),
            part["montufar"]["bound"],
            part["montufar"]["cells"],
            part["serra"]["bound"],
            part["serra"]["cells"],
            float(np.mean(part["random"])),
            max(part["random"]),
            part["upper"],
        )
        for part in numbers["folds"]
    )
    return {"folds": Table(tuple(columns.split()), rows)}


def _pieces(functions: Mapping[str, Any], depths: Sequence[int]) -> tuple[Claim, ...]:
    """Claims about numbers of pieces, and of units."""
    pieces, expected = [part["pieces"] for part in functions["hat"]], [2**depth for depth in depths]
    most = bounds.telgarsky_upper(functions["hat"][-1]["widths"])
    everything = [part for parts in functions.values() for part in parts]
    widths = {max(part["widths"]) for part in functions["takagi"]}
    return (
        Claim.judged(
            "The hat composed s times has 2^s affine pieces, from two units per layer",
            "Telgarsky 2016",
            theirs=_few(expected),
            ours=_few(pieces),
            tolerance="equal at every depth",
            holds=pieces == expected,
        ),
        Claim.judged(
            "No network of width m and depth L has more than (2 m)^L pieces on a line",
            "Telgarsky 2016",
            theirs=f"at most {most:,} at depth {depths[-1]}, width 2",
            ours=f"{max(part['cells'] for part in functions['hat']):,}",
            tolerance="none exceeds it",
            holds=all(part["cells"] <= bounds.telgarsky_upper(part["widths"]) for part in everything),
        ),
        Claim.judged(
            "Sums of compositions of one function need a width that does not grow",
            "Daubechies et al. 2022",
            theirs="bounded width, depth m",
            ours=f"width {max(widths)} at every depth",
            tolerance="the same width at every depth",
            holds=len(widths) == 1,
        ),
    )


def _values(functions: Mapping[str, Any], depths: Sequence[int]) -> tuple[Claim, ...]:
    """Claims about errors and maxima."""
    errors, laws = [part["square_error"] for part in functions["square"]], [2.0 ** (-2 * (m + 1)) for m in depths]
    at_breakpoints = max(part["square_error_at_breakpoints"] for part in functions["square"])
    heights = [part["maximum"] for part in functions["takagi"]]
    return (
        Claim.judged(
            "x - sum of m hats / 4^s differs from x^2 by at most 2^(-2 (m + 1)), and reaches it",
            "Yarotsky 2017",
            theirs=_few(laws),
            ours=f"{_few(errors)}; at breakpoints {at_breakpoints:g}",
            tolerance="relative error 1e-12",
            holds=np.allclose(errors, laws, rtol=1e-12, atol=0),
        ),
        Claim.judged(
            "The maximum of Takagi's function is 2/3; its partial sums reach 2/3 (1 - 4^(-ceil(m/2)))",
            "Kahane 1959, for the limit",
            theirs=_few([2 / 3 * (1 - 4.0 ** -((m + 1) // 2)) for m in depths]),
            ours=_few(heights),
            tolerance="relative error 1e-12",
            holds=np.allclose(heights, [2 / 3 * (1 - 4.0 ** -((m + 1) // 2)) for m in depths], rtol=1e-12),
        ),
    )


def _attained(name: str, source: str, folds: Sequence[Mapping[str, Any]]) -> Claim:
    inputs = sorted({part["inputs"] for part in folds})
    regions = [part[name] for part in folds if "linear_regions" in part[name]]
    return Claim.judged(
        f"Some network has as many regions as the lower bound says ({inputs[0]} to {inputs[-1]} inputs)",
        source,
        theirs=_few([part[name]["bound"] for part in folds]),
        ours=_few([part[name]["cells"] for part in folds])
        + f" cells of the network built for it; {max(part[name]['cells'] for part in folds):,} at most",
        tolerance="equal for all widths; for two inputs linear regions, too",
        holds=all(part[name]["cells"] == part[name]["bound"] for part in folds)
        and all(part["linear_regions"] == part["cells"] for part in regions),
    )


def _few(values: list[Any]) -> str:
    """The first two and the last two numbers."""
    words = [f"{value:,}" if isinstance(value, int) else f"{value:.4g}" for value in values]
    return ", ".join(words if len(words) <= 5 else [*words[:2], "...", *words[-2:]])
