"""What a sweep has found: rows, a table, arrays; also while it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.numerics import require
from splinescope.shown import Shown
from splinescope.storage import replacing
from splinescope.sweeps.outcomes import writable
from splinescope.sweeps.store import Row, read_rows, read_shard

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Shown):
    """Results of a sweep, as far as they are there.

    Attributes:
        tasks: How many tasks there are.
        names: The arguments of the function.
        rows: The finished tasks by their number: `task`, the arguments, what the function returned but for arrays,
            `error` and `traceback` (None of a task that ended well), `seconds`, and `shard`, the file of its arrays.
        store: The folder; None if all is in memory.
    """

    tasks: int
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    store: Path | None = None
    _arrays: Mapping[int, dict[str, np.ndarray]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        place = "" if self.store is None else f" in {str(self.store)!r}"
        return f"<Sweep: {len(self.rows):,} of {self.tasks:,} tasks, {len(self.failed):,} failed{place}>"

    @property
    def complete(self) -> bool:
        """Whether all tasks have ended, well or not."""
        return len(self.rows) == self.tasks

    @property
    def failed(self) -> tuple[Row, ...]:
        """Rows of the tasks that ended with an error."""
        return tuple(row for row in self.rows if row["error"] is not None)

    def arrays(self, task: int) -> dict[str, np.ndarray]:
        """The arrays that the function returned for a task.

        Args:
            task: Its number.

        Returns:
            Arrays by name.

        Raises:
            InvalidInputError: If the task has not ended, or not well.
            StoreError: If its shard is missing or damaged.
        """
        row = next((row for row in self.rows if row["task"] == task and row["error"] is None), None)
        if row is None:
            raise InvalidInputError(f"`task`: got {task!r}; expected the number of a task that has ended well")
        return dict(self._arrays.get(task, {})) if self.store is None else read_shard(self.store, row)

    def table(self, *, seconds: bool = False) -> pandas.DataFrame:
        """A row for each finished task, by number: `task`, the arguments, the results but for arrays, `error`.

        The table of a sweep that was killed and resumed equals that of one that was not, bit for bit.

        Args:
            seconds: Whether to add how long each took, which is never the same twice.

        Returns:
            The table.

        Raises:
            MissingDependencyError: If pandas is not installed.
        """
        pandas: Any = require("pandas", "table", "a table")
        hidden = {"traceback", "shard"} | (set() if seconds else {"seconds"})
        found: dict[str, None] = dict.fromkeys(name for row in self.rows for name in row)
        last = [name for name in ("error", "seconds") if name not in hidden]
        columns = [name for name in found if name not in hidden and name not in last]
        table: pandas.DataFrame = pandas.DataFrame(
            list(self.rows), columns=[*(columns or ["task", *self.names]), *last]
        )
        for name in columns:  # whole numbers stay whole beside tasks that failed
            found_there = [row[name] for row in self.rows if row.get(name) is not None]
            if len(found_there) < len(self.rows) and found_there and all(type(value) is int for value in found_there):
                table[name] = table[name].astype("Int64")
        return table

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the table for other programs. What UTF-8 cannot write, as in names of files, has its number.

        Args:
            path: File of type .csv, or .parquet, for which pyarrow is needed.

        Returns:
            The path.

        Raises:
            InvalidInputError: If it is of another type, or cannot be written.
            MissingDependencyError: If pandas, or pyarrow, is not installed.
        """
        target = Path(path)
        if target.suffix not in (".csv", ".parquet"):
            raise InvalidInputError(f"`path`: got {target.name!r}; expected a file of type .csv or .parquet")
        table = self.table()
        for name, column in table.items():
            if any(isinstance(value, str) and writable(value) != value for value in column):
                table[name] = [writable(value) if isinstance(value, str) else value for value in column]
        if target.suffix == ".parquet":
            require("pyarrow", "parquet", "a file of type .parquet")
        with replacing(target) as temporary:
            if target.suffix == ".csv":
                table.to_csv(temporary, index=False)
            else:
                table.to_parquet(temporary, index=False)
        return target


def read(store: str | os.PathLike[str]) -> Sweep:
    """Read a sweep, also while it runs or after it was killed.

    Args:
        store: The folder that `map` was given.

    Returns:
        What has been finished.

    Raises:
        StoreError: If there is no sweep, or it is damaged.

    Cost: reading the log; arrays are read when they are asked for.

    Example:
        >>> import tempfile
        >>> from splinescope import sweeps
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = sweeps.map(max, [{}], store=folder, workers=0)
        ...     sweep = read(folder)
        >>> sweep.complete, sweep.rows[0]["error"]
        (True, 'TypeError: max expected at least 1 argument, got 0')
    """
    folder = Path(store)
    header, rows = read_rows(folder)
    by_task = {row["task"]: row for row in rows}
    ordered = tuple(by_task[task] for task in sorted(by_task))
    return Sweep(header["tasks"], tuple(header["arguments"]), ordered, folder)
