"""Runs ONNX models by onnxruntime for another process, which a crash here does not end.

A program of its own: it imports nothing of splinescope, so that it starts quickly. Requests and answers are frames: one
byte for the kind, eight for the length, and the content.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

OPEN, RUN, ANSWER, FAILURE = b"o", b"r", b"a", b"f"
"""Kinds of frames: a model (options in a line of JSON, then its bytes if they have no path), inputs, an output, and
what onnxruntime says of either."""

_HEAD = struct.Struct("<cQ")


def send(stream: IO[bytes], kind: bytes, content: bytes = b"") -> None:
    """Write a frame."""
    stream.write(_HEAD.pack(kind, len(content)))
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Read a frame; None if the other side is gone."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    content = stream.read(length)
    return (kind, content) if len(content) == length else None


def packed(arrays: Sequence[np.ndarray]) -> bytes:
    """Arrays as bytes."""
    stream = io.BytesIO()
    for array in arrays:
        np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def unpacked(content: bytes) -> list[np.ndarray]:
    """The arrays that bytes are."""
    stream, arrays = io.BytesIO(content), []
    while stream.tell() < len(content):
        arrays.append(np.load(stream, allow_pickle=False))
    return arrays


def as_numbers(result: Any) -> np.ndarray:
    """What a model returns as numbers: a list of dictionaries, as classifiers have it, one row for each."""
    if isinstance(result, list) and result and isinstance(result[0], dict):
        result = [list(row.values()) for row in result]
    return np.asarray(result)


def _session(request: bytes) -> Any:
    import onnxruntime

    options, _, content = request.partition(b"\n")
    wanted = json.loads(options)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    if not wanted["optimise"]:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(wanted["path"] or content, settings, providers=["CPUExecutionProvider"])
    names, output = wanted["inputs"], wanted["output"]
    return lambda arrays: session.run([output], dict(zip(names, arrays, strict=True)))[0]


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    run: Any = None
    while (frame := receive(requests)) is not None:
        kind, content = frame
        try:
            if kind == OPEN:
                run = None  # before there are two
                run = _session(content)
                send(answers, ANSWER)
                continue
            send(answers, ANSWER, packed([as_numbers(run(unpacked(content)))]))
        except Exception as error:  # noqa: BLE001 - onnxruntime raises whatever it likes
            text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            send(answers, FAILURE, f"{type(error).__name__}: {text}".encode("utf-8", "backslashreplace"))


if __name__ == "__main__":
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what onnxruntime prints is no answer
    _serve(sys.stdin.buffer, channel)
