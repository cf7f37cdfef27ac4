"""Many runs at once: a function over a grid, by any executor, with results that land one by one and survive kills."""

from splinescope.sweeps.mapping import map
from splinescope.sweeps.table import Sweep, read
from splinescope.workers import RayExecutor, WorkerPool, as_executor, loky_pool

__all__ = ["RayExecutor", "Sweep", "WorkerPool", "as_executor", "loky_pool", "map", "read"]
