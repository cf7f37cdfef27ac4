"""Tables, and the files that they become."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        columns: Name of each column, with its unit.
        rows: One sequence of plain values per row.
    """

    columns: tuple[str, ...]
    rows: tuple[Sequence[Any], ...]


def write_table(path: Path, table: Table) -> None:
    """Write a table as comma-separated values with a line of names.

    Args:
        path: The file.
        table: The table.
    """
    from splinescope.storage import replacing

    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)
