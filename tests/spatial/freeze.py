"""Writes `gold.json`: the exact counts of all degenerate cases in space, by the rational twin.

Run as `python -m tests.spatial.freeze`.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.spatial.cases import CASES, SpaceCase

GOLD = Path(__file__).with_name("gold.json")


def summary(case: SpaceCase) -> dict[str, int]:
    """Vertices, edges, polygons and cells, and linear regions."""
    vertices, edges, polygons, cells = case.exact.f_vector
    return {
        "cells": cells,
        "vertices": vertices,
        "edges": edges,
        "polygons": polygons,
        "linear_regions": case.exact.linear_regions,
    }


def main() -> None:
    """Compute and write all gold values."""
    GOLD.write_text(json.dumps({case.name: summary(case) for case in CASES}, indent=1) + "\n")


if __name__ == "__main__":
    main()
