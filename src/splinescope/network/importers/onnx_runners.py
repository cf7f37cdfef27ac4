"""Programs that run an ONNX model, for the comparison of its import."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.network.importers.onnx_legacy import LAST

Run = Callable[[dict[str, np.ndarray]], Any]


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


def runners(path: Path, model: Any, output: str) -> Iterator[Runner]:
    """The programs that may run a model, the best first.

    Args:
        path: Where the model came from.
        model: The model.
        output: Name of its output.

    Yields:
        onnxruntime, if it is installed; the reference implementation of ONNX, if it knows the model's version of the
        operators, with the broadcasting of old versions.
    """
    import onnx

    if importlib.util.find_spec("onnxruntime") is not None:
        yield Runner("onnxruntime", lambda: _onnxruntime(path, model, output), 0)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    if opset <= onnx.defs.onnx_opset_version():
        yield Runner("onnx reference", lambda: _reference(model, output, opset), 4)


def _onnxruntime(path: Path, model: Any, output: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if any(node.op_type == "DequantizeLinear" for node in model.graph.node):
        # Optimised, it would round what such weights are multiplied with, too.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = str(path) if path.suffix == ".onnx" else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run([output], feeds)[0]


def _reference(model: Any, output: str, opset: int) -> Run:
    from onnx.reference import ReferenceEvaluator

    from splinescope.network.importers.onnx_reference import reference_ops

    reference = ReferenceEvaluator(model, new_ops=reference_ops() if opset <= LAST else None)
    return lambda feeds: reference.run([output], feeds)[0]
