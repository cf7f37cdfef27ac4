"""An ONNX model as a file: reading it, its inputs, and running it."""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.importers.choice import Choice, free_input
from splinescope.network.importers.module_copy import first_line
from splinescope.network.importers.onnx_checks import check_functions, check_graph
from splinescope.network.importers.onnx_graph import names_read, needed_nodes, only_output
from splinescope.storage import check_content, content_limit

_KINDS = set(onnx.TensorProto.DataType.values())
_REALS = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16}


@dataclass(frozen=True, eq=False)
class FixedInput:
    """A further input of a model, with one value for all samples.

    Attributes:
        name: Its name.
        value: Its value, with a batch axis of 1 if it has one.
        repeated: Whether its first axis is a batch of any size.
    """

    name: str
    value: np.ndarray
    repeated: bool


@dataclass(frozen=True, eq=False)
class ModelInput:
    """The one input of a model, for one sample, and what further ones are fixed to.

    Attributes:
        name: Its name.
        shape: Its shape, with a batch axis of 1 if it has one.
        batched: Whether the first axis is a batch.
        any_batch: Whether the model takes batches of any size.
        dtype: The type that the model wants.
        fixed: Further inputs; those that the output does not need are zero.
    """

    name: str
    shape: tuple[int, ...]
    batched: bool
    any_batch: bool
    dtype: np.dtype
    fixed: tuple[FixedInput, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of all inputs."""
        return [self.name, *(f.name for f in self.fixed)]

    def feeds(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """All inputs of the model by name.

        Args:
            x: [N, ...] or one sample, of the input's shape and type.
        """
        size = len(x) if self.batched else 1
        others = {f.name: np.repeat(f.value, size, axis=0) if f.repeated else f.value for f in self.fixed}
        return {self.name: x, **others}


@dataclass(frozen=True, eq=False)
class ModelPart:
    """What is imported of a model.

    Attributes:
        model: The model with one of its outputs alone.
        nodes: The nodes that it needs, each after those that it reads.
        source: The input.
        outputs: Names of all outputs.
    """

    model: onnx.ModelProto
    nodes: Sequence[onnx.NodeProto]
    source: ModelInput
    outputs: Sequence[str]

    @property
    def output(self) -> str:
        """Name of the output."""
        return self.model.graph.output[0].name


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


def part_of(model: onnx.ModelProto, choice: Choice, input_shape: tuple[int, ...] | None) -> ModelPart:
    """The part of a model that is chosen.

    Args:
        model: The model.
        choice: Its output, and values of further inputs.
        input_shape: Shape of one input without the batch, where the model does not tell.

    Returns:
        The part.

    Raises:
        UnsupportedOpError: If there are several outputs or inputs, and none is chosen.
        InvalidInputError: If the choice does not fit the model.
    """
    names = [output.name for output in model.graph.output]
    output = names[choice.place(names, "model")]
    nodes = needed_nodes(model.graph, [output])
    source = the_input(model, nodes, output, input_shape, choice.fixed)
    return ModelPart(only_output(model, output), nodes, source, names)


def the_input(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    output: str,
    input_shape: tuple[int, ...] | None,
    fixed: Mapping[str, Any],
) -> ModelInput:
    """The one input of a model that is not fixed.

    Args:
        model: The model.
        nodes: The nodes that the output needs.
        output: Name of the output.
        input_shape: Shape of one input without the batch, where the model does not tell.
        fixed: Values of further inputs.

    Returns:
        The input.

    Raises:
        UnsupportedOpError: If there are several.
        InvalidInputError: If its shape is not known, or another one, or a value does not fit.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    read = names_read(nodes) | {output}
    inputs = {i.name: i for i in model.graph.input if i.name not in weights}
    needed = {name: True for name in inputs if name in read or name in fixed}
    if not needed:
        raise InvalidInputError(f"`output`: `{output}` does not depend on any of the model's inputs")
    name = free_input(needed, fixed, "model", any_name=False)
    kind = inputs[name].type.tensor_type.elem_type
    if kind not in _REALS:
        raise UnsupportedOpError(
            f"the model's input `{name}` has the type {_kind(kind)}; splinescope supports inputs of real numbers"
        )
    dims = _dims(inputs[name])
    shape, batched = _input_shape(name, dims, input_shape)
    check_content(8 * math.prod(shape), f"`model`: an input of shape {shape}")
    any_batch = batched and (dims is None or dims[0] is None)
    others = tuple(_fixed_input(value, fixed) for key, value in inputs.items() if key != name)
    return ModelInput(name, shape, batched, any_batch, onnx.helper.tensor_dtype_to_np_dtype(kind), others)


def _kind(number: int) -> str:
    """A type of numbers in words."""
    return onnx.TensorProto.DataType.Name(number).lower() if number in _KINDS else "of none"


def _dims(value: onnx.ValueInfoProto) -> list[int | None] | None:
    """Sizes of an input's axes, None where they are not known."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim]


def _fixed_input(value: onnx.ValueInfoProto, fixed: Mapping[str, Any]) -> FixedInput:
    """A further input with its value; zero if there is none, since then nothing depends on it."""
    dims = _dims(value)
    kind = value.type.tensor_type.elem_type
    if kind not in _KINDS or kind == onnx.TensorProto.UNDEFINED:
        raise UnsupportedOpError(
            f"the model's input `{value.name}` has the type {_kind(kind)}; splinescope supports inputs of numbers"
        )
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    if value.name not in fixed:
        check_content(8 * math.prod(n or 1 for n in dims or ()), f"`model`: an input of shape {_words(dims or ())}")
        return FixedInput(
            value.name, np.zeros([n or 1 for n in dims or ()], dtype), dims is not None and dims[:1] == [None]
        )
    given = np.asarray(fixed[value.name])
    if given.dtype.kind not in "fiub":
        raise InvalidInputError(f"`fixed`: `{value.name}` is of type {given.dtype}; expected numbers")
    array = given.astype(dtype)
    batched = dims is not None and array.ndim == len(dims) - 1
    array = array[None] if batched else array
    if dims is not None and not _fits(dims, array.shape):
        raise InvalidInputError(
            f"`fixed`: `{value.name}` has the shape {given.shape}; the model's input has {_words(dims)}, with its batch"
        )
    return FixedInput(value.name, array, batched and dims is not None and dims[0] is None)


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


def _fits(dims: Sequence[int | None], given: tuple[int, ...]) -> bool:
    return len(dims) == len(given) and all(n is None or n == m for n, m in zip(dims, given, strict=True))


def _words(dims: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if n is None else str(n) for n in dims) + "]"
