"""Programs that run an ONNX model, for the comparison of its import."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock, Timer
from typing import Any

import numpy as np

from splinescope.network.importers.onnx_child import FAILURE, OPEN, RUN, as_numbers, packed, receive, send, unpacked
from splinescope.network.importers.onnx_legacy import LAST

_PATIENCE = 600.0
"""Seconds after which onnxruntime is taken to hang."""

Run = Callable[[dict[str, np.ndarray]], Any]
"""Takes the model's inputs by name, and returns its one output."""


class RunnerError(Exception):
    """What a program that runs in another process said."""


class RunnerCrashError(RunnerError):
    """The program did not live to say anything."""


@dataclass(frozen=True, eq=False)
class Runner:
    """A program that runs ONNX models.

    Attributes:
        name: Its name.
        start: Makes a function of the model's inputs; raises whatever the program does.
        samples: How many inputs it is quick enough for; 0 for any number.
    """

    name: str
    start: Callable[[], Run]
    samples: int


def runners(path: Path, model: Any, source: Any) -> Iterator[Runner]:
    """The programs that may run a model, the best first.

    Args:
        path: Where the model came from.
        model: The model, of one output.
        source: Its inputs.

    Yields:
        onnxruntime, if it is installed; the reference implementation of ONNX, if it knows the model's version of the
        operators, with the broadcasting of old versions.
    """
    import onnx

    if importlib.util.find_spec("onnxruntime") is not None:
        yield Runner("onnxruntime", lambda: _onnxruntime(path, model, source), 0)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    if opset <= onnx.defs.onnx_opset_version():
        yield Runner("onnx reference", lambda: _reference(model, opset), 4)


def _onnxruntime(path: Path, model: Any, source: Any) -> Run:
    child = _child(os.getpid())
    # Bytes where the path says too little: of compressed models, and of names that are no UTF-8.
    named = path.suffix == ".onnx" and str(path).isprintable()
    options = {
        "path": str(path.absolute()) if named else "",
        "inputs": source.names,
        "output": model.graph.output[0].name,
        # Optimised, it would round what quantised weights are multiplied with, too.
        "optimise": all(node.op_type != "DequantizeLinear" for node in model.graph.node),
    }
    child.asked(OPEN, json.dumps(options).encode() + b"\n" + (b"" if named else model.SerializeToString()))
    return lambda feeds: unpacked(child.asked(RUN, packed([feeds[name] for name in source.names])))[0]


class _Child:
    """A process in which onnxruntime runs, because it may crash on what others wrote; a new one after it has."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def asked(self, kind: bytes, content: bytes) -> bytes:
        """The answer to a request.

        Raises:
            RunnerError: What onnxruntime said.
            RunnerCrashError: If it crashed, or did not answer.
        """
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            clock = Timer(_PATIENCE, process.kill)
            clock.start()
            try:
                send(process.stdin, kind, content)
                frame = receive(process.stdout)
            except BrokenPipeError:
                frame = None
            finally:
                clock.cancel()
            if frame is None:
                self._process = None
                raise RunnerCrashError(_end(process.wait()))
        if frame[0] == FAILURE:
            raise RunnerError(frame[1].decode("utf-8", "replace"))
        return frame[1]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-P", str(Path(__file__).with_name("onnx_child.py"))]
            pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing)
            atexit.register(_stop, self._process)
        return self._process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


@cache
def _child(process: int) -> _Child:
    """The child of a process, by its number: one that was forked needs its own."""
    return _Child()


def _end(status: int) -> str:
    if status == -signal.SIGKILL:
        return f"it was ended, by the system or because it did not answer within {_PATIENCE:g} s"
    return f"it crashed (exit status {status})"


def _reference(model: Any, opset: int) -> Run:
    from onnx.reference import ReferenceEvaluator

    from splinescope.network.importers.onnx_reference import reference_ops

    reference = ReferenceEvaluator(model, new_ops=reference_ops() if opset <= LAST else None)
    return lambda feeds: as_numbers(reference.run(None, feeds)[0])
