"""The log's numbers as TensorBoard scalars."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from splinescope.numerics import require
from splinescope.observers.log import Row


class Scalars:
    """Scalars that show what is in the log.

    A folder gets all rows of the log anew when it is opened and when the log is rewound, in place of what earlier runs
    wrote there, so that nothing is lost or shown twice whenever a run was killed. To a writer of the user rows are only
    added.

    Args:
        target: A folder, or an object with the method `add_scalar` of `torch.utils.tensorboard.SummaryWriter`.
        rows: Rows of the log.

    Raises:
        MissingDependencyError: If `target` is a folder and TensorBoard is not installed.
    """

    def __init__(self, target: Any, rows: Sequence[Row]) -> None:
        self._folder = None if hasattr(target, "add_scalar") else os.fspath(target)
        self._writer = target
        if self._folder is not None:
            require("tensorboard", "tensorboard", "writing scalars for TensorBoard")
            self._open(rows)

    def add(self, row: Row) -> None:
        """Write a row, all but its numbers that are not finite."""
        for name, value in row.items():
            if name not in ("step", "time") and math.isfinite(value):
                self._writer.add_scalar(name, value, row["step"], row["time"])
        self._writer.flush()

    def rewind(self, rows: Sequence[Row]) -> None:
        """Show these rows in place of all that was written before."""
        if self._folder is not None:
            self._writer.close()
            self._open(rows)

    def close(self) -> None:
        """Close the writer, unless it is the user's."""
        if self._folder is not None:
            self._writer.close()

    def _open(self, rows: Sequence[Row]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(self._folder, purge_step=0)
        for row in rows:
            self.add(row)
