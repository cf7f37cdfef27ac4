"""Call a function for each point of a grid, by whatever engine, and keep each result as it comes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from splinescope.numerics import check_number
from splinescope.progress import Report, reporting
from splinescope.sweeps.outcomes import Outcome, called, failure, outcome
from splinescope.sweeps.store import SweepStore, opened
from splinescope.sweeps.table import Sweep
from splinescope.sweeps.tasks import Grid
from splinescope.workers import WorkerPool, as_executor, finished, pack, result_of

AHEAD = 1000
"""Tasks that an engine is handed ahead of their results."""

_PATIENCE = 0.5
"""Seconds within which Ctrl-C comes to all processes of a terminal."""


def map(
    function: Callable[..., Any],
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    executor: Any = None,
    store: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    threads: int | None = None,
    memory: int | None = None,
    resume: bool = True,
    retry: bool = False,
    progress: bool | Report = False,
) -> Sweep:
    """Call a function for each point of a grid, on several processes, and keep each result as it comes.

    Results land one by one in `store`, which `read` reads meanwhile. Whatever is killed, worker or driver, no finished
    result is lost: call it again with the same function, grid and store, and it does what is left. A task that fails,
    or whose result cannot be kept, is recorded with its traceback; one that kills its worker three times is recorded
    as such; the others go on.

    Args:
        function: Called with keywords. It returns numbers, texts and arrays by name, or one of them. Processes have to
            be able to import it: see `WorkerPool`.
        grid: For each argument its values, of which all combinations are taken, the last argument changing first;
            or rows: a list of arguments by name. Numbers, texts and paths are columns of the table. Of other values
            (arrays, slices, networks) the table has their place; or give them by name, `{"net": {"small": a, "large":
            b}}`, and it has the names. Where processes can read files, paths of checkpoints are the cheapest to send.
        executor: Who does the work: any `concurrent.futures.Executor`, a Dask client, a `joblib.Parallel`, the module
            `ray`; by default a `WorkerPool` of this machine.
        store: Folder for the results, made if missing; None to keep them in memory.
        workers: Processes of the default engine; one for each processor if None; 0 to do all here.
        threads: Threads of each of these; by default the processors shared out.
        memory: Bytes of data that each of these may have; what needs more is recorded as a `MemoryError`.
        resume: Whether to go on with what is in the store; False replaces it. Tasks whose shards are missing are done
            again, and rows of an earlier version of the function's code are kept, both with a `StoreWarning`.
        retry: Whether to do again what failed before.
        progress: Show a progress bar, or a function of (share done, tasks done).

    Returns:
        What was found. Interrupting (Ctrl-C) returns the part that was finished.

    Raises:
        InvalidInputError: If the grid has no tasks, or the function cannot be sent to other processes.
        StoreError: If the store holds another sweep, is damaged, is in use, or cannot be written. What was made of a
            store is removed if an error comes before the first result.
        WorkerError: If the engine broke, as a bare process pool does with its first worker; what was finished is kept.

    Cost: that of the calls, and for each some tenths of a millisecond, more where it has arrays or the disk is slow.

    Example:
        >>> def area(width, height):
        ...     return {"area": width * height}
        >>> sweep = map(area, {"width": [1, 2], "height": [3.0]}, workers=0)
        >>> [row["area"] for row in sweep.rows]
        [3.0, 6.0]
        >>> sweep
        <Sweep: 2 of 2 tasks, 0 failed>
    """
    tasks = Grid.of(grid)
    if workers is not None:
        check_number("workers", workers)
    path = None if store is None else Path(store)
    with opened(path, function, tasks, resume=resume, retry=retry) as kept:
        missing = [task for task in range(len(tasks)) if task not in kept.rows]
        done = (len(tasks) - len(missing)) / len(tasks)
        with reporting(progress, "tasks", done) as report:
            try:
                if missing:
                    with _engine(executor, workers, threads, memory) as engine:
                        _fill(kept, function, tasks, missing, engine, report)
            except KeyboardInterrupt:
                pass
        rows = tuple(kept.rows[task] for task in sorted(kept.rows))
        return Sweep(len(tasks), tasks.names, rows, path, kept.arrays)


def _fill(
    kept: SweepStore,
    function: Callable[..., Any],
    tasks: Grid,
    missing: Sequence[int],
    engine: Executor | None,
    report: Report,
) -> None:
    """Do what is missing, and keep it as it comes."""
    what = function if engine is None else pack(function)
    waiting = ((task, (what, tasks.values[task])) for task in missing)
    call, ahead = (called, 1) if engine is None else (outcome, AHEAD)

    def keep(ended: Sequence[tuple[int, Future[Outcome]]]) -> None:
        kept.add([(task, tasks.labels[task], _outcome_of(future)) for task, future in ended])

    for ended in finished(engine or _Here(), call, waiting, ahead):
        lost = [future for _, future in ended if _is_lost(future)]
        odd = [pair for pair in ended if _is_interrupted(pair[1])]
        keep([pair for pair in ended if not _is_lost(pair[1]) and not _is_interrupted(pair[1])])
        if odd:  # by Ctrl-C, which then comes here, too; or by the task itself
            time.sleep(_PATIENCE)
            keep(odd)
        report(len(kept.rows) / len(tasks), len(kept.rows))
        for future in lost:
            result_of(future)


@contextmanager
def _engine(executor: Any, workers: int | None, threads: int | None, memory: int | None) -> Iterator[Executor | None]:
    """Who does the work; None for this process. What is made here is closed here."""
    if executor is None and workers == 0:
        yield None
        return
    engine = WorkerPool(workers, threads=threads, memory=memory) if executor is None else as_executor(executor)
    if engine is executor or not isinstance(engine, WorkerPool):
        yield engine
        return
    with engine:
        yield engine


def _is_lost(future: Future[Outcome]) -> bool:
    """Whether the engine is at fault rather than the task."""
    return future.cancelled() or isinstance(future.exception(), BrokenExecutor)


def _is_interrupted(future: Future[Outcome]) -> bool:
    """Whether somebody interrupted the task where it was done."""
    return not _is_lost(future) and isinstance(future.exception(), KeyboardInterrupt)


def _outcome_of(future: Future[Outcome]) -> Outcome:
    """The answer of a task; that of the engine, if it could not have it done."""
    error = future.exception()
    return future.result() if error is None else failure(error)


class _Here(Executor):
    """Does everything at once in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
