"""Numerical policy: float64 everywhere, tolerances from rounding-error analysis, threads and optional packages."""

from __future__ import annotations

import ctypes
import importlib
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from threading import Barrier, local
from types import ModuleType
from typing import Any, SupportsIndex

from splinescope.errors import InvalidInputError, MissingDependencyError

UNIT_ROUNDOFF = 2.0**-53
"""Half the spacing of float64 numbers around one."""


@dataclass(frozen=True)
class Tolerance:
    r"""How near to zero a computed pre-activation is in doubt.

    The sign of a value within this distance of zero is decided in exact arithmetic; the tolerance decides nothing. In
    shallow networks the distance is a proved bound on the rounding error, whatever the tolerance is. In deep ones it is
    16 times `safety` times an error that was measured: the difference of two evaluations of the network, the second
    one with every rounding error drawn anew.

    Attributes:
        safety: One sixteenth of the multiple of the measured rounding error.
    """

    safety: float = 16.0

    def __post_init__(self) -> None:
        if not (1.0 <= self.safety < 1e15):
            raise InvalidInputError(f"`safety`: got {self.safety!r}; expected a number from 1 to 1e15")


def number_of_threads() -> int:
    """Threads that the geometric kernels use: those that torch uses for its products.

    Returns:
        Their number, at least 1.

    Cost: an import of torch.

    Example:
        >>> number_of_threads() >= 1
        True
    """
    import torch

    return _here.threads or max(1, torch.get_num_threads())


@contextmanager
def torch_alone(small: bool = True) -> Iterator[None]:
    """Torch on the current thread alone, for many short calls; kernels of ours, and blocks, keep their threads.

    Torch's own team goes on spinning after each call, which takes more than the calls where these are short.

    Args:
        small: Whether calls are short; nothing changes where they are not.

    Returns:
        A context; within it torch is alone.

    Cost: two calls of torch.

    Example:
        >>> before = number_of_threads()
        >>> with torch_alone():
        ...     number_of_threads() == before
        True
    """
    import torch

    before = torch.get_num_threads()
    if not small or before == 1 or _here.in_pool:
        yield
        return
    torch.set_num_threads(1)
    _here.threads = before
    try:
        yield
    finally:
        _here.threads = 0
        torch.set_num_threads(before)


def in_ranges(kernel: Callable[..., Any], count: int, *arguments: Any, grain: int = 8192) -> list[Any]:
    """Run `kernel(start, stop, *arguments)` over `range(count)` in contiguous blocks, on several threads.

    The kernels are compiled without the global interpreter lock and write to disjoint rows, so that the result does
    not depend on the number of threads.

    Args:
        kernel: A compiled function of a half-open range and the arguments.
        count: Number of items.
        *arguments: Passed on.
        grain: Smallest worthwhile block.

    Returns:
        What the kernel returned for each block, in order.

    Cost: that of the kernel, shared by the threads.

    Example:
        >>> in_ranges(lambda start, stop, numbers: sum(numbers[start:stop]), 4, [1, 2, 3, 4])
        [10]
    """
    if count < 2 * grain or _here.in_pool or (threads := number_of_threads()) == 1:
        return [kernel(0, count, *arguments)]
    blocks = min(4 * threads, count // grain)
    bounds = [count * block // blocks for block in range(blocks + 1)]
    pool = _pool(threads)
    futures = [pool.submit(kernel, bounds[i], bounds[i + 1], *arguments) for i in range(blocks)]
    return [future.result() for future in futures]


def in_blocks(function: Callable[[int, int], Any], count: int, grain: int = 2048) -> list[Any]:
    """Run `function(start, stop)`, made of torch calls, over blocks of `range(count)` on the same threads.

    Each thread runs torch on itself alone. Torch's own team of threads would go on spinning after each call and take
    the processor from the geometric kernels that follow.

    Args:
        function: A function of a half-open range.
        count: Number of items.
        grain: Smallest worthwhile block.

    Returns:
        What the function returned for each block, in order.

    Cost: that of the function, shared by the threads.

    Example:
        >>> in_blocks(lambda start, stop: stop - start, 4)
        [4]
    """
    threads = number_of_threads()
    if threads == 1 or _here.in_pool:
        return [function(0, count)]
    blocks = max(1, min(4 * threads, count // grain))
    if blocks == 1 and _here.threads:  # torch is alone here, too
        return [function(0, count)]
    bounds = [count * block // blocks for block in range(blocks + 1)]
    pool = _pool(threads)
    futures = [pool.submit(function, bounds[i], bounds[i + 1]) for i in range(blocks)]
    return [future.result() for future in futures]


class _Here(local):
    """What the current thread is; `threads` are those of the pool while torch is alone here, else 0."""

    in_pool = False
    threads = 0


_here = _Here()


def _enter_pool() -> None:
    """Make the current thread one of the pool's: torch runs on it alone, and it starts no further blocks."""
    import torch

    torch.set_num_threads(1)
    _here.in_pool = True


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """The threads, started once: starting them for each of a hundred short calls would cost more than these.

    The number of threads that torch uses belongs to the thread that sets it; the caller's stays what it was.
    """
    import torch

    mine = torch.get_num_threads()
    ready = Barrier(threads + 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="splinescope", initializer=_enter_pool)
    for _ in range(threads):
        pool.submit(ready.wait)
    ready.wait()
    torch.set_num_threads(mine)
    return pool


def require(name: str, extra: str, reason: str) -> ModuleType:
    """Import an optional package, or say in one line how to get it.

    Args:
        name: Module to import.
        extra: The extra of splinescope that installs it.
        reason: What it is needed for.

    Returns:
        The module.

    Raises:
        MissingDependencyError: If it is not installed.

    Cost: that of the import.

    Example:
        >>> require("json", "onnx", "this example").dumps([1, 2])
        '[1, 2]'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        root = name.partition(".")[0]
        raise MissingDependencyError(
            f"{reason} needs the package `{root}`, which is not installed; install it with `pip install "
            f"'splinescope[{extra}]'`"
        ) from error


def available_memory() -> int:
    """Bytes of physical memory that are free for use now (half of all memory where the system does not tell).

    Returns:
        Their number.

    Cost: one call of the system.

    Example:
        >>> available_memory() > 0
        True
    """
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 4 << 30


def give_back_memory() -> None:
    """Have the system take back what was freed: glibc keeps the gaps between arrays, gigabytes after many parts.

    Cost: grows with the number of gaps, milliseconds; none where there is nothing like it.

    Example:
        >>> give_back_memory()
    """
    with suppress(AttributeError, OSError, TypeError):  # elsewhere there is nothing like it, and no need
        ctypes.CDLL(None).malloc_trim(0)


def available_cores() -> int:
    """Processors that this process may use.

    Returns:
        Their number, at least 1.

    Cost: one call of the system.

    Example:
        >>> available_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


_SHORT = ("can't allocate memory", "out of memory")
"""What torch says where there is too little of it, on the processor and on other devices."""


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that there was too little memory; torch has no exception of its own for it.

    Args:
        error: The error.

    Returns:
        Whether it does.

    Cost: none.

    Example:
        >>> is_shortage(MemoryError()), is_shortage(ValueError())
        (True, False)
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _SHORT)
    )


def check_finite(name: str, value: Any) -> float:
    """A finite number.

    Args:
        name: The argument, for the error.
        value: A number.

    Returns:
        The number.

    Raises:
        InvalidInputError: If it is none, or not finite.

    Cost: none.

    Example:
        >>> check_finite("rho", 1)
        1.0
    """
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInputError(f"`{name}`: got {value!r}; expected a finite number")
    return number


def check_number(name: str, value: SupportsIndex, least: int = 0, most: int | None = None) -> int:
    """A whole number of some range.

    Args:
        name: The argument, for the error.
        value: A number.
        least: Smallest number that makes sense.
        most: Largest one, or None.

    Returns:
        The integer.

    Raises:
        InvalidInputError: If it is not an integer, or out of range.

    Cost: none.

    Example:
        >>> check_number("k", 3, 1)
        3
    """
    try:
        number = None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or number != value or number < least or (most is not None and number > most):
        upper = "" if most is None else f" and at most {most}"
        raise InvalidInputError(f"`{name}`: got {value!r}; expected an integer of at least {least}{upper}")
    return number
