"""Who does work elsewhere: processes that outlive what kills one of them, and one loop over executors of any kind."""

from splinescope.workers.adapters import RayExecutor, as_executor, loky_pool
from splinescope.workers.loop import AT_ONCE, finished, in_order, result_of
from splinescope.workers.packing import pack, unpack
from splinescope.workers.pool import WorkerPool

__all__ = [
    "AT_ONCE",
    "RayExecutor",
    "WorkerPool",
    "as_executor",
    "finished",
    "in_order",
    "loky_pool",
    "pack",
    "result_of",
    "unpack",
]
