"""Tables as files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from splinescope.storage import replacing

if TYPE_CHECKING:
    from splinescope.experiments.base import Table


def write_table(path: Path, table: Table) -> None:
    """Write a table as comma-separated values with a line of names.

    Args:
        path: The file.
        table: The table.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)
