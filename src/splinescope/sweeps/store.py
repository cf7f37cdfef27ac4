"""Where results land: a log with a line for each finished task, and a shard for the arrays of each that has some."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError, SplinescopeError, StoreError, StoreWarning
from splinescope.storage import LineFile, claimed, decode, encode, read_arrays, write_arrays
from splinescope.sweeps.identity import FORMAT, check_same, earlier, header_of
from splinescope.sweeps.outcomes import Outcome, failure
from splinescope.sweeps.tasks import Grid

LOG, SHARDS = "sweep.jsonl", "shards"

_PER_FOLDER = 1000

Row = dict[str, Any]


class SweepStore:
    """Results of a sweep, in a folder or in memory.

    Attributes:
        path: The folder; None for memory.
        rows: The finished tasks by number.
        arrays: Those of a sweep in memory by number.
        new: Whether it was begun here, rather than gone on with.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: dict[int, Row] = {}
        self.arrays: dict[int, dict[str, np.ndarray]] = {}
        self.new = False
        self._log = None if path is None else LineFile(path / LOG, "store", null=None)

    def begin(self, function: Callable[..., Any], grid: Grid, *, resume: bool, retry: bool) -> None:
        """Begin, or go on with what is there.

        Args:
            function: The function.
            grid: The tasks.
            resume: Whether to go on; else what is there is replaced.
            retry: Whether to forget the tasks that failed.

        Raises:
            StoreError: If another sweep is there, or it is damaged.
        """
        if self._log is None or self.path is None:
            return
        header = header_of(function, grid)
        if not resume or not self._log.begun:
            self.new = True
            shutil.rmtree(self.path / SHARDS, ignore_errors=True)
            self._log.begin(header)
            return
        there, rows = read_rows(self.path)
        check_same(self.path, there, rows, header, grid)
        self._log.read()
        self._log.trim()
        found = {row["task"]: row for row in rows}
        lost = self._without_shard(found.values())
        left = {task: row for task, row in found.items() if row["error"] is None or not retry}
        self.rows = {task: row for task, row in left.items() if task not in lost}
        versions = [str(one) for one in there.get("code") or []]
        if lost:
            _warn(f"{str(self.path)!r} has lost shards ({len(lost)}); their tasks are done again")
        if self.rows and earlier(versions, header["code"]):
            _warn(f"{str(self.path)!r} has rows of an earlier version of {header['function']}, which are kept")
        new = [] if len(self.rows) == len(grid) else [one for one in header["code"] if one not in versions]
        if new or len(self.rows) < len(found):
            self._log.begin(header | {"code": [*versions, *new]}, map(_line, self.rows.values()))

    def discard(self, folders: Iterable[Path]) -> None:
        """Remove all that is there of it.

        Args:
            folders: What to remove afterwards, if it is empty: the inner one first.
        """
        assert self.path is not None
        shutil.rmtree(self.path / SHARDS, ignore_errors=True)
        with suppress(OSError):
            (self.path / LOG).unlink(missing_ok=True)
            for folder in folders:
                folder.rmdir()

    def _without_shard(self, rows: Iterable[Row]) -> set[int]:
        """Tasks whose shards are not there, by the names in their folders."""
        assert self.path is not None
        named = {row["shard"]: row["task"] for row in rows if row["shard"] is not None}
        for folder in {name.rpartition("/")[0] for name in named}:
            with suppress(OSError), os.scandir(self.path / folder) as entries:
                for entry in entries:
                    named.pop(f"{folder}/{entry.name}", None)
        return set(named.values())

    def add(self, ended: Iterable[tuple[int, Mapping[str, Any], Outcome]]) -> None:
        """Keep what became of some tasks, on disk when this returns.

        Args:
            ended: Number, label and outcome of each.

        Raises:
            StoreError: If it cannot be written; what was there stays.
        """
        rows = [self._row(*one) for one in ended]
        if self._log is not None:
            self._log.append(map(_line, rows))
        self.rows |= {row["task"]: row for row in rows}

    def _row(self, task: int, label: Mapping[str, Any], found: Outcome) -> Row:
        """The row of a task, whose shard is written; of one whose arrays no file can hold, an error."""
        try:
            shard = self._keep(task, found.arrays)
        except SplinescopeError:  # the disk
            raise
        except Exception as error:  # noqa: BLE001 - one task must not end the others
            found, shard = failure(error, found.seconds), None
        row = {"task": task, **label, **found.scalars, "error": found.error, "traceback": found.traceback}
        return row | {"seconds": found.seconds, "shard": shard}

    def _keep(self, task: int, arrays: dict[str, np.ndarray]) -> str | None:
        """Write a shard, before the line that names it."""
        if not arrays:
            return None
        if self.path is None:
            self.arrays[task] = {name: np.array(array) for name, array in arrays.items()}  # not the function's own
            return None
        name = f"{SHARDS}/{task // _PER_FOLDER:06d}/{task:09d}.npz"
        try:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"`store`: cannot write {str(self.path / name)!r}: {error.strerror}") from error
        write_arrays(self.path / name, arrays, argument="store", durable=True)
        return name


@contextmanager
def opened(
    path: Path | None, function: Callable[..., Any], grid: Grid, *, resume: bool, retry: bool
) -> Iterator[SweepStore]:
    """A store for as long as the block lasts; no other process may write to it meanwhile.

    If the block ends with an error before the first result, nothing stays of a store that was made here.

    Args:
        path: The folder, made if missing; None for memory.
        function: The function.
        grid: The tasks.
        resume: See `SweepStore.begin`.
        retry: See `SweepStore.begin`.

    Yields:
        The store.
    """
    store = SweepStore(path)
    if path is None:
        yield store
        return
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"`store`: {str(path)!r} cannot be made a folder: {error.strerror}") from error
    with claimed(path, "store"):
        try:
            store.begin(function, grid, resume=resume, retry=retry)
            yield store
        except SplinescopeError:
            if store.new and not store.rows:
                store.discard(made)
            raise


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
    plain = isinstance(header.get("arguments"), list) and isinstance(header.get("code", []), list)
    if not plain or not isinstance(header.get("tasks"), int) or not all(map(_is_row, lines)):
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


def _is_row(line: Any) -> bool:
    """Whether a line is the row of a task."""
    return (
        isinstance(line, dict)
        and isinstance(line.get("task"), int)
        and all(isinstance(line.get(name, 0), str | None) for name in ("error", "traceback", "shard"))
    )


def _warn(message: str) -> None:
    warnings.warn(f"`store`: {message}", StoreWarning, stacklevel=2)


def _line(row: Row) -> Row:
    """A row for the log: numbers that are not finite in words, so that they come back."""
    return {name: encode(value, {}, name) for name, value in row.items()}
