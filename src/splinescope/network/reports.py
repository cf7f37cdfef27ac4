"""Compares an imported network with the model that it was read from."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.errors import SplinescopeError, UnsupportedOpError
from splinescope.network.evaluate import forward
from splinescope.network.graph import Deviation, ImportReport, Network
from splinescope.network.module_copy import copy_module, first_line
from splinescope.network.ops import Activation, Affine, Concatenate, Maximum, Reshape, Sum

SAMPLES = 32
"""Random inputs of a comparison."""

SLACK = 1024.0
"""Multiple of the unit round-off, times the sum of absolute terms, by which a reference may deviate."""


def random_inputs(network: Network, samples: int) -> Tensor:
    """Normally distributed inputs that float32 represents exactly; no global generator is touched."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(samples, *network.input_shape, generator=generator, dtype=torch.float32).double()


def deviation(network: Network, reference: str, outputs: Tensor, x: Tensor, unit: float) -> Deviation:
    """Compare a reference's outputs, behind its head, with the network's.

    Args:
        network: The network.
        reference: Name of the reference.
        outputs: [N, ...] what the reference returned.
        x: [N, *input_shape] its inputs.
        unit: Unit round-off of the arithmetic of the reference.

    Returns:
        The deviation.

    Raises:
        SplinescopeError: If it is larger than round-off can explain.
    """
    before = forward(network, x)
    own = before if network.head is None else network.head(before)
    if own.numel() != outputs.numel():
        raise SplinescopeError(
            f"`model`: the import is wrong: {reference} returns {tuple(outputs.shape)} for {len(x)} inputs, "
            f"splinescope {tuple(own.shape)}; please report this model"
        )
    error = float((own.reshape(-1) - outputs.reshape(-1).double()).abs().max()) if own.numel() else 0.0
    size = float(own.abs().max()) if own.numel() else 0.0
    result = Deviation(reference, len(x), error, error / size if size > 0 else error)
    terms = float(absolute_terms(network, x).max()) if own.numel() else 0.0
    if not error <= SLACK * unit * max(terms, size):
        raise SplinescopeError(
            f"`model`: the import is wrong: its outputs differ from {reference} by {error:.3g}, which is more than "
            f"round-off explains; please report this model"
        )
    return result


def absolute_terms(network: Network, x: Tensor) -> Tensor:
    """Sums of the absolute values of all terms that the outputs are made of, which bound their rounding errors."""
    values: list[Tensor] = [x.abs().amax(dim=0, keepdim=True)]
    for node in network.nodes[1:]:
        inputs = [values[source].reshape(1, *network.nodes[source].shape) for source in node.inputs]
        op = node.op
        if isinstance(op, Affine):
            result = op.magnitude(inputs[0])
        elif isinstance(op, Sum):
            result = sum((abs(c) * v for c, v in zip(op.coefficients, inputs, strict=True)), torch.zeros(()))
        elif isinstance(op, Activation):
            slope, offset = op.slopes.abs().amax(dim=0), op.intercepts.abs().amax(dim=0)
            result = inputs[0].reshape(1, -1) * slope + offset
        else:
            assert isinstance(op, Maximum | Concatenate | Reshape)
            result = op.evaluate(*inputs)
        values.append(result)
    return values[network.output]


def compare_with_module(network: Network, module: nn.Module, unit: float, notes: tuple[str, ...]) -> Network:
    """The network with a report of its deviation from a module, in float64 and in the module's own type.

    Args:
        network: The network.
        module: The module.
        unit: Spacing of numbers near one in the coarsest type to which the module rounds inside.
        notes: What else the report says.

    Returns:
        The network with its report.
    """
    x = random_inputs(network, SAMPLES)
    own = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.get_default_dtype())
    deviations = []
    for dtype in dict.fromkeys((torch.float64, own)):
        copied = copy_module(module, None if dtype == own else dtype)
        outputs, problem = _run(copied, x.to(dtype))
        name = f"module {str(dtype).removeprefix('torch.')}"
        if outputs is None:
            notes = (*notes, f"The module does not run in {dtype}: {problem}")
            continue
        if not bool(torch.isfinite(outputs).all()):
            notes = (*notes, f"The module overflows in {dtype}, so that it was not compared in it.")
            continue
        spacing = max(unit, torch.finfo(dtype).eps)
        deviations.append(deviation(network, name, outputs, x, spacing))
        if not _independent(copied, x.to(dtype), outputs, spacing):
            raise UnsupportedOpError(
                "the module's output for one input depends on the other inputs of its batch; expected a module that "
                "treats every input by itself"
            )
    return replace(network, import_report=ImportReport(tuple(deviations), notes))


def _run(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor | None, str]:
    """Outputs for inputs one by one, or why there are none."""
    try:
        return torch.stack([function(row[None]).detach() for row in x]), ""
    except Exception as error:  # noqa: BLE001 - the user's code may fail in any way
        return None, first_line(error)


def _independent(function: Callable[[Tensor], Tensor], x: Tensor, outputs: Tensor, unit: float) -> bool:
    """Whether a batch gives the same as its rows one by one; a model that takes no batches counts as independent."""
    try:
        together = function(x).detach()
    except Exception:  # noqa: BLE001 - a model may be made for one input
        return True
    if together.numel() != outputs.numel():
        return True
    difference = (together.reshape(-1) - outputs.reshape(-1)).abs().max().item()
    return difference <= math.sqrt(unit) * max(1.0, outputs.abs().max().item())


def compare_with_onnx(network: Network, path: Path, model: Any, source: Any, unit: float) -> Network:
    """The network with a report of its deviation from an ONNX model, as onnxruntime (else onnx itself) runs it.

    Args:
        network: The network.
        path: Where the model came from.
        model: The model.
        source: Its input.
        unit: Spacing of numbers near one in the coarsest type to which the model rounds inside.

    Returns:
        The network with its report.
    """
    name, session, samples = _runner(path, model)
    unit = max(unit, float(np.finfo(source.dtype).eps), float(np.finfo(np.float32).eps))
    x = random_inputs(network, samples)

    def run(rows: Tensor) -> Tensor:
        shape = (len(rows), *source.shape[1:]) if source.batched else source.shape
        given = rows.numpy().astype(source.dtype).reshape(shape)
        return torch.from_numpy(np.asarray(session(given), np.float64))

    outputs, problem = _run(run, x)
    if outputs is None:
        notes = (f"{name} does not run the model: {problem}",)
        return replace(network, import_report=ImportReport((), notes))
    if not bool(torch.isfinite(outputs).all()):
        notes = (f"The model overflows in {name}, so that it was not compared.",)
        return replace(network, import_report=ImportReport((), notes))
    found = deviation(network, name, outputs, x, unit)
    if source.any_batch and not _independent(run, x, outputs, unit):
        raise UnsupportedOpError(
            "the model's output for one input depends on the other inputs of its batch; expected a model that treats "
            "every input by itself"
        )
    return replace(network, import_report=ImportReport((found,)))


def _runner(path: Path, model: Any) -> tuple[str, Callable[[np.ndarray], Any], int]:
    """A name, a function of the input, and how many samples it is quick enough for."""
    name = next(i.name for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer})
    if importlib.util.find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        reference = ReferenceEvaluator(model)
        return "onnx reference", lambda x: reference.run(None, {name: x})[0], 4
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    content = str(path) if path.suffix == ".onnx" else model.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime raises whatever it likes
        problem = first_line(error)

        def fail(_: np.ndarray) -> Any:
            raise RuntimeError(problem)

        return "onnxruntime", fail, SAMPLES
    return "onnxruntime", lambda x: session.run(None, {name: x})[0], SAMPLES
