"""The pool of processes outlives its workers, names what kills them, and leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from splinescope.errors import InvalidInputError, WorkerError
from splinescope.workers import WorkerPool, begin, finished, in_order
from tests.seeds import thorough
from tests.workers import tasks

ROOT = Path(__file__).resolve().parents[2]


def test_workers_that_die_are_replaced_and_killers_are_named(tmp_path: Path) -> None:
    count = tmp_path / "count"
    with WorkerPool(2, threads=1) as pool:
        before = [pool.submit(tasks.triple, number) for number in range(20)]
        killer = pool.submit(tasks.kill_always, str(count))
        victim = pool.submit(tasks.kill_once, str(tmp_path / "once"))
        after = [pool.submit(tasks.triple, number) for number in range(20)]
        assert [future.result() for future in (*before, *after)] == [3 * number for number in range(20)] * 2
        assert victim.result() == "survived"
        with pytest.raises(WorkerError, match=r"died 3 times.*kill_always"):
            killer.result()
        assert count.read_text() == "xxx"
        assert pool.submit(tasks.threads).result() == "1"
        odd = pool.submit(tasks.odd).exception()
        assert isinstance(odd, WorkerError)
        assert "OddError: this and that" in str(odd)
        assert "in odd" in odd.__notes__[0]
        assert pool.submit(tasks.triple, "a").result() == "aaa"
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(tasks.triple, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to limits of data")
def test_memory_is_limited() -> None:
    with WorkerPool(1, memory=400 << 20) as pool:
        assert pool.submit(tasks.allocate, 1 << 20).result() == 1 << 20
        with pytest.raises(MemoryError):
            pool.submit(tasks.allocate, 1 << 30).result()
        assert pool.submit(tasks.allocate, 1 << 10).result() == 1 << 10


def test_leaving_by_an_exception_ends_workers_at_once() -> None:
    started = time.monotonic()
    pool = WorkerPool(1)
    assert pool.submit(tasks.triple, 1).result() == 3
    future = pool.submit(time.sleep, 60)
    assert pool.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None) is False
    assert time.monotonic() - started < 30
    assert future.cancelled() or isinstance(future.exception(), WorkerError)


@pytest.mark.parametrize("watch", [False, pytest.param(True, marks=thorough)])
def test_no_worker_outlives_its_driver(watch: bool) -> None:
    """By the system's signal on Linux, and by the thread that watches elsewhere."""
    code = f"""
import os, sys, time
from splinescope.workers import WorkerPool, dispatcher
from splinescope.workers.begin import Setup
dispatcher.Setup = lambda *given: Setup(*given, watch={watch})
if __name__ == "__main__":
    pool = WorkerPool(1)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 60)
    time.sleep(60)
"""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert driver.stdout is not None
    worker = int(driver.stdout.readline())
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    ended = time.monotonic()
    while alive(worker):
        assert time.monotonic() - ended < 5
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_that_cannot_start_are_no_task_s_fault() -> None:
    def make(initializer, initargs):  # type: ignore[no-untyped-def]
        from splinescope.workers.dispatcher import one_process

        return one_process(os._exit, (1,))

    with WorkerPool(1, make=make) as pool, pytest.raises(WorkerError, match="workers die as they start"):
        pool.submit(tasks.triple, 1).result()


def test_what_cannot_be_sent_is_said() -> None:
    with WorkerPool(1) as pool, pytest.raises(InvalidInputError, match="cannot be sent to another process"):
        pool.submit(tasks.triple, ThreadPoolExecutor(1))
    with pytest.raises(InvalidInputError, match="`workers`"):
        WorkerPool(0)


def test_loops_take_any_executor_and_hand_out_a_few_at_a_time() -> None:
    asked = []

    def items():  # type: ignore[no-untyped-def]
        for number in range(50):
            asked.append(number)
            yield number

    with ThreadPoolExecutor(2) as pool:
        found = in_order(pool, tasks.triple, ((number,) for number in items()), at_once=4)
        assert next(found) == 0
        assert len(asked) <= 5
        assert list(found) == [3 * number for number in range(1, 50)]
        ended = [one for part in finished(pool, tasks.triple, ((n, (n,)) for n in range(50)), 3) for one in part]
        assert sorted((key, future.result()) for key, future in ended) == [(n, 3 * n) for n in range(50)]


def test_the_first_worker_tells_when_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import event

    monkeypatch.setattr(begin, "CALM", 0.5)
    calm = threading.Event()
    thread = threading.Thread(target=begin._tell_when_calm, args=(calm,))
    thread.start()
    time.sleep(0.1)
    with event.trigger_event("numba:compile"):
        assert not calm.wait(1.0)
    assert calm.wait(10)
    thread.join()
