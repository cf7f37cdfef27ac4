"""What a worker does before its first task and around each; it imports nothing that would start threads."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from multiprocessing import parent_process
from threading import Thread
from typing import Any, Protocol, runtime_checkable

from splinescope.errors import WorkerError
from splinescope.numerics import is_shortage
from splinescope.workers.packing import pack, unpack

CALM = 3.0
"""Seconds without a compilation after which the first worker is taken to need none."""

_BEFORE_IMPORTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PR_SET_PDEATHSIG = 1


@runtime_checkable
class Flag(Protocol):
    """What one process tells another."""

    def set(self) -> None:
        """Tell it."""


@dataclass(frozen=True)
class Setup:
    """How a worker is to be.

    Attributes:
        threads: Threads that it may use.
        memory: Bytes of data that it may have; None for no limit.
        parent: The process that it belongs to.
        calm: Is set once no kernels seem to be left to compile; None if nobody waits for that.
        watch: Whether to watch the parent by a thread, though the system would tell.
    """

    threads: int
    memory: int | None
    parent: int
    calm: Flag | None = None
    watch: bool = False


def begin(setup: Setup) -> None:
    """Make this process a worker.

    Args:
        setup: How it is to be.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of a terminal; the driver decides
    _end_with(setup.parent, setup.watch)
    _limit_threads(setup.threads)
    if setup.memory is not None:
        _limit_memory(setup.memory)
    if setup.calm is not None:
        Thread(target=_tell_when_calm, args=(setup.calm,), daemon=True).start()


def run(packed: bytes) -> tuple[bool, bytes, str]:
    """Do a task.

    Args:
        packed: A function, its arguments and its keywords.

    Returns:
        Whether it ended well; the packed result, or the error; where the error was raised.
    """
    try:
        function, arguments, keywords = unpack(packed)
        return True, pack(function(*arguments, **keywords), "result"), ""
    except BaseException as error:  # noqa: BLE001 - whatever ends a task is told to the driver
        where = "".join(traceback.format_exception(error))
        return False, _packed_error(as_shortage(error)), where


def as_shortage(error: BaseException) -> BaseException:
    """An error, as `MemoryError` if it says that there was too little memory.

    Args:
        error: The error.

    Returns:
        The error to tell.
    """
    return MemoryError(str(error)) if is_shortage(error) and not isinstance(error, MemoryError) else error


def _packed_error(error: BaseException) -> bytes:
    """An error as bytes, which some classes of errors cannot be made of again."""
    try:
        packed = pack(error, "error")
        unpack(packed)
    except Exception:  # noqa: BLE001 - classes of errors may do anything
        return pack(WorkerError(f"{type(error).__name__}: {error}"))
    return packed


def _end_with(parent: int, watch: bool) -> None:
    """End when the driver does, however it ends: as the system's signal on Linux, else seen by a thread."""
    if sys.platform == "linux" and not watch:
        told = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0
        if os.getppid() != parent:  # it ended before it was asked to tell
            os._exit(1)
        if told:
            return
    Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    process = parent_process()
    if process is not None:
        process.join()
    else:
        while os.getppid() == parent:
            time.sleep(0.5)
    os._exit(1)


def _limit_threads(threads: int) -> None:
    """For what is not imported yet, and for what the program has imported already."""
    os.environ.update(dict.fromkeys(_BEFORE_IMPORTS, str(threads)))
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    if "numpy" in sys.modules:
        try:
            from threadpoolctl import threadpool_limits
        except ImportError:
            return
        threadpool_limits(threads)


def _limit_memory(memory: int) -> None:
    """What is data of this process alone; libraries' code and reserved addresses don't count."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, most))


def _tell_when_calm(calm: Flag) -> None:
    """Wait until nothing has been compiled for a while."""
    last = [time.monotonic(), 0.0]  # when a compilation was seen last; how many are under way
    listening = False
    while last[1] or time.monotonic() - last[0] < CALM:
        if not listening and "numba.core.event" in sys.modules:
            listening = _listen(last)
        time.sleep(0.05)
    calm.set()


def _listen(last: list[float]) -> bool:
    """Note when compilations begin and end."""
    event: Any = sys.modules["numba.core.event"]
    try:

        class Note(event.Listener):
            def on_start(self, event: Any) -> None:
                last[1] += 1

            def on_end(self, event: Any) -> None:
                last[:] = [time.monotonic(), max(0.0, last[1] - 1)]  # one may have begun before

        event.register("numba:compile", Note())
    except AttributeError:  # still being imported
        return False
    return True
