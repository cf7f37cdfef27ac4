"""Where results land: a log with a line for each finished task, and a shard for the arrays of each that has some."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError, StoreError
from splinescope.storage import LineFile, claimed, decode, encode, read_arrays, write_arrays
from splinescope.sweeps.outcomes import Outcome
from splinescope.sweeps.tasks import Grid, mark_of

LOG, SHARDS = "sweep.jsonl", "shards"
FORMAT = 1
"""Version of the layout."""

_PER_FOLDER = 1000

Row = dict[str, Any]


class SweepStore:
    """Results of a sweep, in a folder or in memory.

    Attributes:
        path: The folder; None for memory.
        rows: The finished tasks by number.
        arrays: Those of a sweep in memory by number.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: dict[int, Row] = {}
        self.arrays: dict[int, dict[str, np.ndarray]] = {}
        self._log = None if path is None else LineFile(path / LOG, "store", null=None)

    def begin(self, header: Mapping[str, Any], *, resume: bool, retry: bool) -> None:
        """Begin, or go on with what is there.

        Args:
            header: What the sweep is.
            resume: Whether to go on; else what is there is replaced.
            retry: Whether to forget the tasks that failed.

        Raises:
            StoreError: If another sweep is there, or it is damaged.
        """
        if self._log is None or self.path is None:
            return
        if not resume or not self._log.begun:
            shutil.rmtree(self.path / SHARDS, ignore_errors=True)
            self._log.begin(header)
            return
        there, rows = read_rows(self.path)
        different = next((key for key in header if there.get(key) != header[key]), None)
        if different is not None:
            raise StoreError(
                f"`store`: {str(self.path)!r} holds another sweep (its {different} is {there.get(different)!r:.60}, "
                f"here {header[different]!r:.60}); expected the same, another folder, or `resume=False` to replace it"
            )
        self._log.read()
        self._log.trim()
        self.rows = {row["task"]: row for row in rows}
        if retry and any(row["error"] is not None for row in rows):
            self.rows = {task: row for task, row in self.rows.items() if row["error"] is None}
            self._log.begin(header, map(_line, self.rows.values()))

    def add(self, ended: Iterable[tuple[int, Mapping[str, Any], Outcome]]) -> None:
        """Keep what became of some tasks, on disk when this returns.

        Args:
            ended: Number, label and outcome of each.

        Raises:
            StoreError: If it cannot be written; what was there stays.
        """
        rows = []
        for task, label, found in ended:
            row = {"task": task, **label, **found.scalars, "error": found.error, "traceback": found.traceback}
            row |= {"seconds": found.seconds, "shard": self._keep(task, found.arrays)}
            rows.append(row)
        if self._log is not None:
            self._log.append(map(_line, rows))
        self.rows |= {row["task"]: row for row in rows}

    def _keep(self, task: int, arrays: dict[str, np.ndarray]) -> str | None:
        """Write a shard, before the line that names it."""
        if not arrays:
            return None
        if self.path is None:
            self.arrays[task] = arrays
            return None
        name = f"{SHARDS}/{task // _PER_FOLDER:06d}/{task:09d}.npz"
        try:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"`store`: cannot write {str(self.path / name)!r}: {error.strerror}") from error
        write_arrays(self.path / name, arrays, argument="store", durable=True)
        return name


@contextmanager
def opened(path: Path | None, header: Mapping[str, Any], *, resume: bool, retry: bool) -> Iterator[SweepStore]:
    """A store for as long as the block lasts; no other process may write to it meanwhile.

    Args:
        path: The folder, made if missing; None for memory.
        header: What the sweep is.
        resume: See `SweepStore.begin`.
        retry: See `SweepStore.begin`.

    Yields:
        The store.
    """
    store = SweepStore(path)
    if path is None:
        yield store
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"`store`: {str(path)!r} cannot be made a folder: {error.strerror}") from error
    with claimed(path, "store"):
        store.begin(header, resume=resume, retry=retry)
        yield store


def header_of(function: Any, grid: Grid) -> dict[str, Any]:
    """What a store says at its beginning.

    Args:
        function: The function, of which the name is kept.
        grid: The tasks.

    Returns:
        Plain values.
    """
    inner = getattr(function, "func", function)  # of a `functools.partial`, whose arguments belong to it
    bound = [*getattr(function, "args", ()), *getattr(function, "keywords", {}).values()]
    name = f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', type(inner).__name__)}"
    return {
        "log": "splinescope-sweep",
        "format": FORMAT,
        "function": name,
        "options": [mark_of("options", value) or str(value) for value in bound],
        "arguments": list(grid.names),
        "tasks": len(grid),
        "grid": grid.digest,
    }


def read_rows(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Header and rows of a store, also of one that is being written.

    Args:
        path: The folder.

    Returns:
        The header; the rows in the order in which the tasks ended.

    Raises:
        StoreError: If there is none, or it is damaged.
    """
    if not (path / LOG).is_file():
        raise StoreError(f"`store`: there is no sweep in {str(path)!r}; expected the folder that `store` named")
    header, lines = LineFile(path / LOG, "store", null=None).read()
    if not isinstance(header, dict) or header.get("log") != "splinescope-sweep" or header.get("format") != FORMAT:
        raise StoreError(f"`store`: {str(path / LOG)!r} is no sweep of this version")
    if not all(isinstance(line, dict) and isinstance(line.get("task"), int) for line in lines):
        raise StoreError(f"`store`: {str(path / LOG)!r} is damaged")
    return header, [{name: decode(value, {}, {}) for name, value in line.items()} for line in lines]


def read_shard(path: Path, row: Row) -> dict[str, np.ndarray]:
    """The arrays of a task.

    Args:
        path: The folder.
        row: The task's row.

    Returns:
        Arrays by name; none if it has none.

    Raises:
        StoreError: If the file is missing or damaged.
    """
    return {} if row["shard"] is None else read_arrays(path / row["shard"], "shard", argument="store").arrays


def _line(row: Row) -> Row:
    """A row for the log: numbers that are not finite in words, so that they come back."""
    return {name: encode(value, {}, name) for name, value in row.items()}
