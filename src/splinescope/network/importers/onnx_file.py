"""An ONNX model as a file: reading it, its inputs, and running it."""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.importers.module_copy import first_line
from splinescope.network.importers.onnx_checks import check_functions, check_graph
from splinescope.storage import check_content, content_limit

_KINDS = set(onnx.TensorProto.DataType.values())
_REALS = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16}


@dataclass(frozen=True, eq=False)
class ModelInput:
    """The one input of a model, for one sample.

    Attributes:
        name: Its name.
        shape: Its shape, with a batch axis of 1 if it has one.
        batched: Whether the first axis is a batch.
        any_batch: Whether the model takes batches of any size.
        dtype: The type that the model wants.
    """

    name: str
    shape: tuple[int, ...]
    batched: bool
    any_batch: bool
    dtype: np.dtype


def read_model(path: Path) -> onnx.ModelProto:
    """Read an ONNX file, which may be compressed by gzip.

    Args:
        path: The file.

    Returns:
        The model, with local functions written out.

    Raises:
        InvalidInputError: If it cannot be read.
    """
    try:
        model = _unpacked(path) if path.name.lower().endswith(".gz") else onnx.load_model(path)
        if model.functions:
            model = _written_out(model)
        check_graph(model)
    except InvalidInputError:
        raise
    except Exception as error:  # protobuf and onnx have exceptions of their own for what they cannot read
        raise InvalidInputError(f"`model`: {path} cannot be read as ONNX: {first_line(error)}") from error
    if not model.graph.node:
        raise InvalidInputError(f"`model`: {path} is not an ONNX model, or an empty one")
    return model


def _unpacked(path: Path) -> onnx.ModelProto:
    """A compressed model; further files that it names lie beside it."""
    with gzip.open(path) as stream:
        content = stream.read(path.stat().st_size + content_limit() + 1)
    check_content(len(content) - path.stat().st_size, f"`model`: the content of {path}")
    model = onnx.load_model_from_string(content)
    onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    return model


def _written_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model without local functions."""
    from onnx.inliner import inline_local_functions

    check_functions(model)
    return inline_local_functions(model)


def the_input(model: onnx.ModelProto, input_shape: tuple[int, ...] | None) -> ModelInput:
    """The one input of a model.

    Args:
        model: The model.
        input_shape: Shape of one input without the batch, where the model does not tell.

    Returns:
        The input.

    Raises:
        UnsupportedOpError: If there are several.
        InvalidInputError: If its shape is not known, or another one.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    read = _names_read(model.graph) | {output.name for output in model.graph.output}
    inputs = [i for i in model.graph.input if i.name not in weights and i.name in read]
    if len(inputs) != 1:
        names = ", ".join(f"`{i.name}`" for i in inputs)
        raise UnsupportedOpError(
            f"the model has {len(inputs)} inputs ({names}); splinescope supports models of one input"
        )
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in _REALS:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower() if tensor.elem_type in _KINDS else "of none"
        raise UnsupportedOpError(
            f"the model's input `{inputs[0].name}` has the type {kind}; splinescope supports inputs of real numbers"
        )
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    dims: list[int | None] | None = None
    if tensor.HasField("shape"):
        dims = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim]
    shape, batched = _input_shape(inputs[0].name, dims, input_shape)
    check_content(8 * math.prod(shape), f"`model`: an input of shape {shape}")
    any_batch = batched and (dims is None or dims[0] is None)
    return ModelInput(inputs[0].name, shape, batched, any_batch, dtype)


def _names_read(graph: onnx.GraphProto) -> set[str]:
    """Names that nodes read, also those inside branches."""
    names = {name for node in graph.node for name in node.input}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                names |= _names_read(attribute.g)
    return names


def _input_shape(
    name: str, dims: list[int | None] | None, given: tuple[int, ...] | None
) -> tuple[tuple[int, ...], bool]:
    """Shape of the input of one sample, and whether its first axis is a batch."""
    if given is not None:
        if dims is None or _fits(dims[1:], given):
            return (1, *given), True
        if _fits(dims, given):
            return tuple(given), False
        raise InvalidInputError(
            f"`input_shape`: got {given}; the model's input `{name}` has the shape {_words(dims)}, with its batch"
        )
    if dims is None:
        raise InvalidInputError(f"`input_shape`: the model does not tell the shape of its input `{name}`; give it")
    batched = bool(dims) and (dims[0] is None or (dims[0] == 1 and len(dims) > 1))
    shape = [1, *dims[1:]] if batched else dims
    if any(n is None for n in shape):
        raise InvalidInputError(
            f"`input_shape`: the model's input `{name}` has the shape {_words(dims)}; give the unknown sizes, as "
            "input_shape=(1, 28, 28) without the batch"
        )
    return tuple(int(n) for n in shape if n is not None), batched


def _fits(dims: list[int | None], given: tuple[int, ...]) -> bool:
    return len(dims) == len(given) and all(n is None or n == m for n, m in zip(dims, given, strict=True))


def _words(dims: list[int | None]) -> str:
    return "[" + ", ".join("?" if n is None else str(n) for n in dims) + "]"
