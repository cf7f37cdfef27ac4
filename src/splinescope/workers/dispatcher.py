"""The thread that hands tasks to workers, and workers to tasks whose workers died.

All is done by one thread: it knows what is under way, and it is the parent of all workers. The system's signal to a
process that its parent has ended is sent when the *thread* ends that started it.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from splinescope.errors import WorkerError
from splinescope.workers.begin import Setup, begin, run
from splinescope.workers.packing import unpack

DEATHS = 3
"""Deaths of its workers after which a task is not tried again, and of workers that never began."""

_POLL = 0.05

Make = Callable[[Callable[..., Any], tuple[Any, ...]], Executor]
"""From an initializer and its arguments to an executor with one worker."""


def one_process(initializer: Callable[..., Any], initargs: tuple[Any, ...]) -> Executor:
    """A pool with one fresh process: a copy of this one, which has threads, could wait for itself for ever.

    Args:
        initializer: What it calls first.
        initargs: With what.

    Returns:
        The pool.
    """
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=initializer, initargs=initargs)


@dataclass(eq=False)
class Task:
    """What is to be done.

    Attributes:
        name: What errors call it.
        packed: The function with its arguments.
        future: What its result is told to.
        deaths: How many workers died of it, or with it.
    """

    name: str
    packed: bytes
    future: Future[Any]
    deaths: int = 0

    def fail(self, error: BaseException) -> None:
        """End it with an error, unless it was cancelled."""
        if self.future.done():
            return
        if self.future.running() or self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Worker:
    """One worker, or the place of one.

    Attributes:
        task: What it does.
    """

    def __init__(self) -> None:
        self.task: Task | None = None
        self._pool: Executor | None = None
        self._ready: Future[int] | None = None

    @property
    def began(self) -> bool:
        """Whether it has ever been ready for tasks."""
        ready = self._ready
        return ready is not None and ready.done() and not ready.cancelled() and ready.exception() is None

    def take(self, task: Task, make: Callable[[], Executor], done: Callable[[Worker, Future[Any]], None]) -> None:
        """Begin a task; the process is started if there is none, or if it died while nothing was under way."""
        self.task = task
        for _ in range(2):
            if self._pool is None:
                self._pool = make()
                self._ready = self._pool.submit(os.getpid)
            try:
                self._pool.submit(run, task.packed).add_done_callback(partial(done, self))
                return
            except BrokenExecutor:
                if not self.began:
                    break
                self.drop()
        broken: Future[Any] = Future()
        broken.set_exception(BrokenExecutor())
        done(self, broken)

    def drop(self) -> None:
        """Forget the process, which is dead."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        self._pool = None

    def close(self, *, kill: bool) -> None:
        """End the process: after its task, or now."""
        if self._pool is None:
            return
        if kill:
            for process in list((getattr(self._pool, "_processes", None) or {}).values()):
                with suppress(OSError, ValueError):
                    try:
                        process.kill()
                    except AttributeError:  # joblib's have no such signal
                        process.terminate()
        if kill and isinstance(self._pool, ProcessPoolExecutor):
            self._pool.shutdown(wait=True, cancel_futures=True)
        else:  # that of joblib knows no such option
            self._pool.shutdown(wait=True)
        self._pool = None


class Dispatcher(Thread):
    """Hands out tasks.

    Args:
        count: Number of workers.
        threads: Threads of each.
        memory: Bytes of each, or None.
        make: Makes an executor with one worker.
    """

    def __init__(self, count: int, threads: int, memory: int | None, make: Make) -> None:
        super().__init__(name="splinescope-dispatcher", daemon=True)
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._workers = [Worker() for _ in range(count)]
        self._threads, self._memory, self._make = threads, memory, make
        self._calm = get_context("spawn").Event() if count > 1 else None
        self._closing = self._killing = False
        self._failures = 0

    def add(self, task: Task) -> None:
        """Take a task; called by any thread."""
        self._events.put(lambda: self._waiting.append(task))

    def close(self, *, cancel: bool, kill: bool) -> None:
        """End when all is done, without what has not begun, or now; called by any thread."""
        self._events.put(partial(self._close, cancel, kill))

    def run(self) -> None:
        """Serve until closed."""
        if hasattr(signal, "pthread_sigmask"):  # workers inherit it: Ctrl-C is the driver's alone, also as they start
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while not (self._closing and self._nothing_left()):
            with suppress(Empty):
                self._events.get(timeout=_POLL if self._calm is not None else None)()
            while not self._events.empty():
                self._events.get()()
            if not self._killing:
                self._hand_out()
        for worker in self._workers:
            worker.close(kill=self._killing)

    def _nothing_left(self) -> bool:
        under_way = any(worker.task is not None for worker in self._workers)
        return self._killing or not (self._waiting or self._suspects or under_way)

    def _close(self, cancel: bool, kill: bool) -> None:
        self._closing, self._killing = True, self._killing or kill
        if cancel:
            for task in (*self._waiting, *self._suspects):
                if not task.future.cancel():
                    task.fail(WorkerError(f"{task.name} was ended with its pool"))
            self._waiting.clear()
            self._suspects.clear()
        if kill:
            for worker in self._workers:
                if worker.task is not None:
                    worker.task.fail(WorkerError(f"{worker.task.name} was ended with its pool"))

    def _hand_out(self) -> None:
        if self._calm is not None and self._calm.is_set():
            self._calm = None
        for worker in self._workers if self._calm is None else self._workers[:1]:
            task = self._next() if worker.task is None else None
            if task is not None:
                worker.take(task, self._made, self._tell)

    def _next(self) -> Task | None:
        """The next task. One whose worker died is done when nothing else is under way, so that none suffers by it."""
        while self._waiting:
            task = self._waiting.popleft()
            if task.future.running() or task.future.set_running_or_notify_cancel():
                return task
        alone = all(worker.task is None for worker in self._workers)
        return self._suspects.popleft() if self._suspects and alone else None

    def _made(self) -> Executor:
        first = self._calm
        setup = Setup(self._threads, self._memory, os.getpid(), first)
        return self._make(begin, (setup,))

    def _tell(self, worker: Worker, inner: Future[Any]) -> None:
        """Called by the threads of the executors."""
        self._events.put(partial(self._done, worker, inner))

    def _done(self, worker: Worker, inner: Future[Any]) -> None:
        task, worker.task = worker.task, None
        if task is None or self._killing:
            return
        error = inner.exception()
        if error is None:
            self._failures, self._calm = 0, None
            _finish(task, *inner.result())
        elif not isinstance(error, BrokenExecutor):
            task.fail(error)
        else:
            began = worker.began
            worker.drop()
            self._died(task) if began else self._never_began(task)

    def _died(self, task: Task) -> None:
        task.deaths += 1
        if task.deaths < DEATHS:
            self._suspects.append(task)
            return
        why = f"its worker died {DEATHS} times, as by a signal or for want of memory"
        task.fail(WorkerError(f"{why} ({task.name} of the pool)"))

    def _never_began(self, task: Task) -> None:
        """No task is at fault: the program itself cannot be imported, or there is no memory for a process."""
        self._failures += 1
        self._waiting.appendleft(task)
        if self._failures < DEATHS:
            return
        error = WorkerError(
            'workers die as they start; guard what the program does by `if __name__ == "__main__":`, since workers '
            "import it, and give them more memory if it is limited"
        )
        for left in (*self._waiting, *self._suspects):
            left.fail(error)
        self._waiting.clear()
        self._suspects.clear()
        self._failures = 0


def _finish(task: Task, well: bool, packed: bytes, where: str) -> None:
    """Tell the result, or the error with where it was raised."""
    try:
        found = unpack(packed)
    except Exception as error:  # noqa: BLE001 - what the driver cannot read is the task's own fault
        task.fail(WorkerError(f"{task.name}: its result cannot be read: {type(error).__name__}: {error}"))
        return
    if well:
        task.future.set_result(found)
        return
    found.add_note("In the worker:\n" + where)
    task.fail(found)
