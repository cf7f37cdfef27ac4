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
from typing import IO, Any

import numpy as np

OPEN, RUN, ANSWER, FAILURE = b"o", b"r", b"a", b"f"
"""Kinds of frames: a model (options in a line of JSON, then its bytes if they have no path), an input, an output, and
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


def packed(array: np.ndarray) -> bytes:
    """An array as bytes."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def unpacked(content: bytes) -> np.ndarray:
    """The array that bytes are."""
    array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def _session(request: bytes) -> Any:
    import onnxruntime

    options, _, content = request.partition(b"\n")
    wanted = json.loads(options)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(wanted["path"] or content, settings, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {wanted["input"]: x})[0]


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
            send(answers, ANSWER, packed(np.asarray(run(unpacked(content)))))
        except Exception as error:  # noqa: BLE001 - onnxruntime raises whatever it likes
            text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            send(answers, FAILURE, f"{type(error).__name__}: {text}".encode("utf-8", "backslashreplace"))


if __name__ == "__main__":
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what onnxruntime prints is no answer
    _serve(sys.stdin.buffer, channel)
