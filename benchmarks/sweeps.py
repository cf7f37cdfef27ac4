"""Many runs at once: overhead of a task, and what kills of workers and drivers cost. Run with `python -m`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

import splinescope
from benchmarks.common import ROOT, save
from splinescope import sweeps
from splinescope.workers import WorkerPool, finished


def nothing(x: int) -> int:
    return x


def numbers(x: int) -> dict[str, float]:
    return {"y": 0.5 * x}


def arrays(x: int) -> dict[str, Any]:
    return {"y": 0.5 * x, "values": np.arange(1000.0)}


def cells(seed: int) -> dict[str, Any]:
    """One tessellation of some hundred cells."""
    network = splinescope.models.mlp([2, 24, 24, 1], generator=torch.Generator().manual_seed(seed))
    square = splinescope.Slice.box([-1, -1], [1, 1])
    found = splinescope.tessellate(splinescope.load(network, input_shape=(2,)), square)
    return {"cells": len(found), "areas": found.areas}


def per_task(work: Callable[[], object], tasks: int) -> dict[str, float]:
    """Wall-clock and this process's own processor time of each task, in milliseconds."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return {
        "wall_ms": 1000 * (time.perf_counter() - wall) / tasks,
        "driver_processor_ms": 1000 * (time.process_time() - own) / tasks,
    }


def through(executor: Executor, tasks: int) -> Callable[[], object]:
    """Empty tasks through an executor."""
    return lambda: [len(part) for part in finished(executor, nothing, ((i, (i,)) for i in range(tasks)), 1000)]


def overhead(tasks: int) -> dict[str, Any]:
    """Of empty tasks: by a bare pool of the standard library, by ours, and by sweeps with a store."""
    found: dict[str, Any] = {"tasks": tasks, "load_average": os.getloadavg()[0]}
    for workers in (1, 2):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as bare:
            through(bare, 8)()
            found[f"bare pool, {workers}"] = per_task(through(bare, tasks), tasks)
        with WorkerPool(workers) as pool:
            through(pool, 8)()
            found[f"WorkerPool, {workers}"] = per_task(through(pool, tasks), tasks)
            for function in (numbers, arrays):
                with tempfile.TemporaryDirectory() as folder:
                    grid = {"x": range(tasks)}

                    def run(function: Any = function, pool: WorkerPool = pool, folder: str = folder) -> object:
                        return sweeps.map(function, grid, executor=pool, store=folder)  # noqa: B023

                    found[f"sweep of {function.__name__}, {workers}"] = per_task(run, tasks)
    return found


def workers_of(pid: int) -> list[int]:
    """Processes that a process has started to work for it."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "spawn_main" in line]


def kill_one_worker(make: Callable[[], Executor], tasks: int) -> dict[str, Any]:
    """Tessellations, one worker of which is killed when a quarter is done."""
    done = 0
    with make() as pool:
        futures: list[Future[Any]] = [pool.submit(cells, seed) for seed in range(tasks)]
        while sum(future.done() for future in futures) < tasks // 4:
            time.sleep(0.02)
        os.kill(workers_of(os.getpid())[0], signal.SIGKILL)
        done = sum(future.exception() is None for future in futures)
    return {"tasks": tasks, "finished": done}


DRIVER = """
import sys
from benchmarks.sweeps import cells
from splinescope import sweeps
if __name__ == "__main__":
    sweeps.map(cells, {"seed": range(int(sys.argv[2]))}, store=sys.argv[1], workers=2)
"""


def kill_the_driver(tasks: int) -> dict[str, Any]:
    """Tessellations, the driver of which is killed when a quarter is done; then the same again, to the end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", DRIVER, folder, str(tasks)]
        driver = subprocess.Popen(command, cwd=ROOT.parent)
        log = Path(folder) / "sweep.jsonl"
        while not log.exists() or log.read_bytes().count(b"\n") <= tasks // 4:
            time.sleep(0.02)
        workers = workers_of(driver.pid)
        driver.kill()
        driver.wait()
        killed = time.perf_counter()
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            time.sleep(0.001)
        gone, kept = time.perf_counter() - killed, len(sweeps.read(folder))
        subprocess.run(command, cwd=ROOT.parent, check=True)
        resumed = sweeps.read(folder)
        other = sweeps.map(cells, {"seed": range(tasks)}, workers=0)
        same = all(
            resumed.arrays(task)["areas"].tobytes() == other.arrays(task)["areas"].tobytes() for task in range(tasks)
        )
    return {
        "tasks": tasks,
        "kept": kept,
        "workers_gone_after_ms": 1000 * gone,
        "rows_of_the_resumed_sweep": len(resumed),
        "table_equal": bool(resumed.table().equals(other.table())),
        "arrays_equal": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000, help="empty tasks")
    parser.add_argument("--tessellations", type=int, default=200)
    options = parser.parse_args()
    count = options.tessellations
    cells(0)  # compiles, once
    context = get_context("spawn")
    save(
        "sweeps",
        {
            "overhead": overhead(options.tasks),
            "a worker is killed": {
                "bare pool": kill_one_worker(lambda: ProcessPoolExecutor(2, mp_context=context), count),
                "WorkerPool": kill_one_worker(lambda: WorkerPool(2), count),
            },
            "the driver is killed": kill_the_driver(count),
        },
    )


if __name__ == "__main__":
    main()
