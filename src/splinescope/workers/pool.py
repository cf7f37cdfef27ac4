"""The pool of processes that comes with the library: it outlives its workers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from itertools import count
from typing import Any

from splinescope.errors import InvalidInputError
from splinescope.numerics import available_cores, check_number
from splinescope.workers.dispatcher import Dispatcher, Make, Task, one_process
from splinescope.workers.packing import pack


class WorkerPool(Executor):
    """Processes that share work; if one dies, another takes its place and its task is done again.

    Each worker is a process pool of the standard library with one process, so that it is known which task a worker had
    when it died. That task is done again when nothing else is under way; if its worker dies three times it ends with
    a `WorkerError` that names it, and all others are done. Workers end when this process does, however it ends.

    While the first task of the first worker compiles kernels, the others are not started: what one compiled, all
    read from the cache. In a program of your own, guard what it does by `if __name__ == "__main__":`, since workers
    import it.

    Args:
        workers: Number of processes; one for each processor that this one may use if None.
        threads: Threads that each may use; by default the processors shared out.
        memory: Bytes of data that each may have, Python and torch with some 0.5 GB included; what needs more ends with
            a `MemoryError`. None for no limit. Not on Windows; macOS does not keep to it.
        make: Makes an executor with one worker from `initializer` and `initargs`; that of the standard library if None.

    Raises:
        InvalidInputError: If a number makes no sense, or memory cannot be limited here.

    Leaving its `with` block waits for all tasks; if it is left by an exception or Ctrl-C, workers are ended at once.

    Example:
        >>> with WorkerPool(1) as pool:
        ...     pool.submit(max, 3, 5).result()
        5
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        threads: int | None = None,
        memory: int | None = None,
        make: Make | None = None,
    ) -> None:
        cores = available_cores()
        self.workers = cores if workers is None else check_number("workers", workers, 1)
        shared = max(1, cores // self.workers)
        self.threads = shared if threads is None else check_number("threads", threads, 1)
        if memory is not None:
            check_number("memory", memory, 1)
            if sys.platform == "win32":
                raise InvalidInputError("`memory`: Windows has no such limit; expected None")
        self._dispatcher = Dispatcher(self.workers, self.threads, memory, make or one_process)
        self._numbers, self._closed = count(), False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a function called by a worker.

        Args:
            fn: The function; see `pack`.
            *args: Its arguments.
            **kwargs: Its keywords.

        Returns:
            The future. Where its exception was raised, a note of the exception says.

        Raises:
            InvalidInputError: If it cannot be sent.
            RuntimeError: If the pool is closed.
        """
        if self._closed:
            raise RuntimeError("the pool is closed")
        number = next(self._numbers)
        name = f"task {number}, {getattr(fn, '__qualname__', type(fn).__name__)}"
        task = Task(name, pack((fn, args, kwargs)), Future())
        if self._dispatcher.ident is None:
            self._dispatcher.start()
        self._dispatcher.add(task)
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Close the pool after what was submitted.

        Args:
            wait: Whether to wait for it.
            cancel_futures: Whether to leave out what no worker has begun.
        """
        self._closed = True
        if self._dispatcher.ident is None:
            return
        self._dispatcher.close(cancel=cancel_futures, kill=False)
        if wait:
            self._dispatcher.join()

    def terminate(self) -> None:
        """End all workers now; what they were doing ends with a `WorkerError`."""
        self._closed = True
        if self._dispatcher.ident is not None:
            self._dispatcher.close(cancel=True, kill=True)
            self._dispatcher.join()

    def __exit__(self, kind: Any, error: Any, where: Any) -> bool | None:
        if kind is None:
            return super().__exit__(kind, error, where)
        self.terminate()
        return False
