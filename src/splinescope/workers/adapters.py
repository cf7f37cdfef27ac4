"""Engines of other packages as executors; none of them is imported unless it is given."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from splinescope.errors import InvalidInputError
from splinescope.numerics import require
from splinescope.workers.packing import pack
from splinescope.workers.pool import WorkerPool


def as_executor(engine: Any) -> Executor:
    """Whatever does work elsewhere, as an executor.

    Args:
        engine: A `concurrent.futures.Executor`, or anything with its `submit`; a `dask.distributed.Client`; a
            `joblib.Parallel`, of which the number of jobs is taken; the module `ray`, after `ray.init`.

    Returns:
        The executor. That of a `joblib.Parallel` is to be closed by the caller, since it is new.

    Raises:
        InvalidInputError: If it is none of these.

    Cost: none; processes are started when they are first needed.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(1) as pool:
        ...     as_executor(pool) is pool
        True
    """
    if isinstance(engine, Executor):
        return engine
    if hasattr(engine, "get_executor"):
        executor: Executor = engine.get_executor(pure=False)  # else equal calls are one, though they may draw at random
        return executor
    if getattr(engine, "__name__", "") == "ray" and hasattr(engine, "remote"):
        return RayExecutor(engine)
    if hasattr(engine, "n_jobs") and callable(engine):
        return loky_pool(None if engine.n_jobs in (-1, None) else engine.n_jobs)
    if hasattr(engine, "submit"):
        return _Submits(engine)
    raise InvalidInputError(
        f"`executor`: got {type(engine).__name__}; expected a `concurrent.futures` executor, a Dask client, a "
        "`joblib.Parallel` or the module `ray`"
    )


def loky_pool(workers: int | None = None, *, threads: int | None = None, memory: int | None = None) -> WorkerPool:
    """A pool whose processes are those of joblib (loky).

    Args:
        workers: See `WorkerPool`.
        threads: See `WorkerPool`.
        memory: See `WorkerPool`.

    Returns:
        The pool.

    Raises:
        MissingDependencyError: If joblib is not installed.

    Cost: none; processes are started when they are first needed.

    Example:
        >>> with loky_pool(1) as pool:  # doctest: +SKIP
        ...     pool.submit(max, 3, 5).result()
        5
    """
    loky = require("joblib.externals.loky", "joblib", "a pool of joblib's processes")

    def make(initializer: Callable[..., Any], initargs: tuple[Any, ...]) -> Executor:
        executor: Executor = loky.ProcessPoolExecutor(1, initializer=initializer, initargs=initargs)
        return executor

    return WorkerPool(workers, threads=threads, memory=memory, make=make)


class RayExecutor(Executor):
    """Ray as an executor; see `as_executor`.

    Args:
        ray: The module.
        retries: How often Ray does a task again whose worker died.
    """

    def __init__(self, ray: Any, retries: int = 2) -> None:
        self._call = ray.remote(_unpacked_call).options(max_retries=retries)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `WorkerPool.submit`."""
        future: Future[Any] = self._call.remote(pack((fn, args, kwargs))).future()
        return future


class _Submits(Executor):
    """What has `submit` alone."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._engine.submit(fn, *args, **kwargs)
        return future


def _unpacked_call(packed: bytes) -> Any:
    from splinescope.workers.packing import unpack

    function, arguments, keywords = unpack(packed)
    return function(*arguments, **keywords)
