"""The one loop over executors of any kind: in order, or as results come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from splinescope.errors import WorkerError

R = TypeVar("R")
K = TypeVar("K")

AT_ONCE = 64
"""Tasks that are handed to an executor ahead of their results."""

_TURN = 0.5
"""Seconds after which waiting is begun anew, where a system cannot be interrupted while it waits."""


def in_order(
    executor: Executor, function: Callable[..., R], tasks: Iterable[tuple[Any, ...]], at_once: int = AT_ONCE
) -> Iterator[R]:
    """Results of a function in the order of its arguments, computed by an executor.

    Args:
        executor: Any executor; see `as_executor` for engines that are none.
        function: The function.
        tasks: Its arguments, each time; asked for as work goes on.
        at_once: Calls that are under way or waiting, at most.

    Yields:
        The results. What has not begun when the caller stops early is cancelled.

    Raises:
        WorkerError: If the executor broke. `WorkerPool` does not.

    Cost: that of the calls.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     list(in_order(pool, max, [(1, 2), (4, 3)]))
        [2, 4]
    """
    under_way: deque[Future[R]] = deque()
    try:
        for task in tasks:
            under_way.append(_submitted(executor, function, task))
            if len(under_way) >= at_once:
                yield result_of(under_way.popleft())
        while under_way:
            yield result_of(under_way.popleft())
    finally:
        for future in under_way:
            future.cancel()


def finished(
    executor: Executor,
    function: Callable[..., R],
    tasks: Iterable[tuple[K, tuple[Any, ...]]],
    at_once: int = AT_ONCE,
) -> Iterator[list[tuple[K, Future[R]]]]:
    """Calls of a function as they end, computed by an executor.

    Args:
        executor: Any executor; see `as_executor` for engines that are none.
        function: The function.
        tasks: A key and arguments, each time; asked for as work goes on.
        at_once: Calls that are under way or waiting, at most.

    Yields:
        All that have ended since the last time: keys with futures that are done, of which `result_of` tells. What has
        not begun when the caller stops early is cancelled.

    Raises:
        WorkerError: If the executor broke. `WorkerPool` does not.

    Cost: that of the calls.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     ended = [one for part in finished(pool, abs, [("a", (-1,)), ("b", (2,))]) for one in part]
        >>> sorted((key, future.result()) for key, future in ended)
        [('a', 1), ('b', 2)]
    """
    left, done = iter(tasks), SimpleQueue[Future[R]]()
    under_way: dict[Future[R], K] = {}
    try:
        while True:
            for key, arguments in islice(left, max(0, at_once - len(under_way))):
                future = _submitted(executor, function, arguments)
                under_way[future] = key
                future.add_done_callback(done.put)
            if not under_way:
                return
            yield [(under_way.pop(future), future) for future in _ended(done)]
    finally:
        for future in under_way:
            future.cancel()


def result_of(future: Future[R]) -> R:
    """The result of a future.

    Args:
        future: The future.

    Returns:
        Its result, when it is done.

    Raises:
        WorkerError: If its executor broke.

    Cost: that of waiting.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(1) as pool:
        ...     result_of(pool.submit(max, 1, 2))
        2
    """
    try:
        return future.result()
    except (BrokenExecutor, CancelledError) as error:
        raise _broken(error) from error


def _submitted(executor: Executor, function: Callable[..., R], arguments: tuple[Any, ...]) -> Future[R]:
    try:
        return executor.submit(function, *arguments)
    except BrokenExecutor as error:
        raise _broken(error) from error


def _ended(done: SimpleQueue[Future[R]]) -> list[Future[R]]:
    """All that has ended, at least one."""
    while True:
        try:
            found = [done.get(timeout=_TURN)]
            break
        except Empty:
            continue
    while not done.empty():
        found.append(done.get())
    return found


def _broken(error: Exception) -> WorkerError:
    return WorkerError(
        f"`executor`: one of its workers died, and it takes no more work ({type(error).__name__}); expected "
        "one that starts another, such as `splinescope.sweeps.WorkerPool`"
    )
