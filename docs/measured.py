"""What benchmarks measured, and how figures are written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"


def results(name: str) -> dict[str, Any]:
    """What a benchmark measured."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["results"]


def figure(value: float, digits: int = 2) -> str:
    """A number with so many digits that count, 0.10 rather than 0.1."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    return f"{round(value, places):,.{max(0, places)}f}"


def tiny(value: float) -> str:
    """A small number by its power of ten, such as 4e-15."""
    return re.sub(r"e([+-])0*(?=\d)", r"e\1", f"{value:.0e}") if value else "0"


def percent(share: float, digits: int = 3) -> str:
    """A share in percent."""
    return f"{figure(100 * share, digits)} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, numbers to the right but for the first column."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listed(words: Sequence[str]) -> str:
    """Words with commas and a last "and"."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
