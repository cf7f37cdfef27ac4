"""Whether an ONNX graph means anything, and what it would take: looked at before anything is run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import onnx
from onnx.shape_inference import infer_node_outputs
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.importers.onnx_shapes import wrong_shapes
from splinescope.network.importers.views import DEPENDENT, Step
from splinescope.storage import check_content

_MOST_NODES = 200_000
"""Nodes that local functions may stand for."""

_DEEPEST = 100
"""Functions within functions."""

_KNOWN = 4096
"""Numbers up to which a constant is shape arithmetic, which inference has to know."""

_LARGEST = 1 << 31
"""What no kernel, stride, dilation or pad reaches."""

_WINDOWS = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "MaxUnpool")
_BYTES = 32
"""What a number takes that depends on the input: its place among others, and a value or two where it is evaluated."""


def check_functions(model: onnx.ModelProto) -> None:
    """Refuse local functions that stand for too many nodes: a few that call each other twice double at each step.

    Raises:
        InvalidInputError: If they do, or call themselves.
    """
    bodies = {(f.domain, f.name, f.overload): f.node for f in model.functions}
    sizes: dict[tuple[str, str, str], int] = {}

    def size(nodes: Iterable[onnx.NodeProto], depth: int) -> int:
        if depth > _DEEPEST:
            raise InvalidInputError(f"`model`: its local functions call each other more than {_DEEPEST} deep")
        count = 0
        for node in _all_nodes(nodes):
            key = (node.domain, node.op_type, node.overload)
            if key in bodies and key not in sizes:
                sizes[key] = size(bodies[key], depth + 1)
            count += sizes.get(key, 1)
        return count

    if size(model.graph.node, 0) > _MOST_NODES:
        raise InvalidInputError(f"`model`: its local functions stand for more than {_MOST_NODES:,} nodes")


def check_graph(model: onnx.ModelProto) -> None:
    """Refuse a graph whose names or numbers of arguments mean nothing; onnxruntime crashes on some of these.

    Args:
        model: The model, with local functions written out.

    Raises:
        InvalidInputError: If two things have one name, or a node has too few, too many or empty arguments.
    """
    versions = {o.domain: o.version for o in model.opset_import}
    _check_names(model.graph)
    for node in _all_nodes(model.graph.node):
        domain = "" if node.domain == "ai.onnx" else node.domain
        version = versions.get(domain, versions.get("ai.onnx", 1) if domain == "" else 1)
        if version >= 1 and onnx.defs.has(node.op_type, domain):
            schema = _schema(node.op_type, version, domain)
            if schema is None:
                raise InvalidInputError(
                    f"`model`: version {version} of the operator set has no {node.op_type}, as node "
                    f"`{node.name or next(iter(node.output), '')}` needs it"
                )
            _check_arguments(node, schema)


def _schema(op: str, version: int, domain: str = "") -> Any:
    try:
        return onnx.defs.get_schema(op, min(version, onnx.defs.onnx_opset_version()), domain)
    except onnx.defs.SchemaError:
        return None


def _check_names(graph: onnx.GraphProto) -> None:
    made = Counter(tensor.name for tensor in graph.initializer)
    made.update({i.name for i in graph.input} - set(made))
    made.update(name for node in graph.node for name in node.output if name)
    repeated = [name for name, count in made.items() if count > 1]
    repeated += [name for name, count in Counter(o.name for o in graph.output).items() if count > 1]
    if repeated:
        raise InvalidInputError(f"`model`: the name `{repeated[0]}` stands for several values; expected one")
    lost = [output.name for output in graph.output if output.name not in made]
    if lost:
        raise InvalidInputError(f"`model`: its output `{lost[0]}` is made by no node")


def _check_arguments(node: onnx.NodeProto, schema: Any) -> None:
    name = node.name or next(iter(node.output), node.op_type)
    given, made = len(node.input), len(node.output)
    if not schema.min_input <= given <= schema.max_input or not schema.min_output <= made <= schema.max_output:
        raise InvalidInputError(
            f"`model`: node `{name}` ({node.op_type}) has {given} inputs and {made} outputs, which its definition does "
            "not allow"
        )
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    kinds = [schema.inputs[min(at, len(schema.inputs) - 1)].option for at in range(given)]
    if any(not text and kind != optional for text, kind in zip(node.input, kinds, strict=True)):
        raise InvalidInputError(f"`model`: node `{name}` ({node.op_type}) leaves out an input that it has to have")


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Nodes, and those of their branches."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _all_nodes(attribute.g.node)
            for graph in attribute.graphs:
                yield from _all_nodes(graph.node)


def check_node(node: onnx.NodeProto, inputs: Sequence[Any], opset: int) -> str:
    """Look at one node with its arguments before it is read: what it would take, and whether its shapes fit.

    Args:
        node: The node.
        inputs: Its arguments, constants among them, None where one is left out.
        opset: Version of the default operator set.

    Returns:
        What strict inference of shapes says against the node; empty if nothing.

    Raises:
        InvalidInputError: If it would take more memory than the limit.
    """
    what = f"`model`: node `{node.name or next(iter(node.output), '')}` ({node.op_type})"
    trouble = _wrong_windows(node) or _wrong_bounds(node, inputs) or wrong_shapes(node, inputs)
    if trouble:
        raise InvalidInputError(f"{what} has {trouble}")
    try:
        shapes = _inferred_with_steps(node, inputs, opset)
    except Exception as error:  # noqa: BLE001 - inference has an exception of its own, and others for broken attributes
        return f"{what}: {' '.join(str(error).split())}"
    constant = not any(isinstance(value, DEPENDENT) for value in inputs)
    for shape in shapes:
        if min(shape, default=1) < 0:
            raise InvalidInputError(f"{what} has an output of shape {tuple(shape)}; expected positive sizes")
        check_content((8 if constant else _BYTES) * math.prod(shape) * _work(node), what)
    return ""


def _wrong_windows(node: onnx.NodeProto) -> str:
    """What is out of range in the attributes of a window; empty if nothing."""
    if node.op_type not in _WINDOWS:
        return ""
    for attribute in node.attribute:
        least = {"kernel_shape": 1, "strides": 1, "dilations": 1, "pads": 0}.get(attribute.name)
        if least is not None and not all(least <= n < _LARGEST for n in attribute.ints):
            return f"{attribute.name} {list(attribute.ints)}; expected numbers from {least} to {_LARGEST - 1}"
    return ""


def _wrong_bounds(node: onnx.NodeProto, inputs: Sequence[Any]) -> str:
    if node.op_type != "Clip":
        return ""
    shapes = [tuple(bound.shape) for bound in inputs[1:3] if bound is not None]
    wrong = [shape for shape in shapes if math.prod(shape) != 1]
    return f"a bound of shape {wrong[0]}; expected single numbers" if wrong else ""


def _work(node: onnx.NodeProto) -> int:
    """Numbers that are looked at for each number of the output, where that is more than a few."""
    kernels = [a.ints for a in node.attribute if a.name == "kernel_shape" and node.op_type.endswith("Pool")]
    return max(1, math.prod(kernels[0])) if kernels else 1


def _inferred_with_steps(node: onnx.NodeProto, inputs: Sequence[Any], opset: int) -> list[list[int]]:
    """Shapes of the outputs; what a comparison decides may be truth values, or numbers as of a sign."""
    if any(isinstance(value, Step) for value in inputs):
        try:
            return _inferred(node, inputs, opset, onnx.TensorProto.BOOL)
        except Exception:  # noqa: BLE001 - as below, and it is told there
            pass
    return _inferred(node, inputs, opset, onnx.TensorProto.FLOAT)


def _inferred(node: onnx.NodeProto, inputs: Sequence[Any], opset: int, steps: int) -> list[list[int]]:
    """Shapes of the outputs, those that follow from shapes and constants alone; raises what inference does."""
    schema = _schema(node.op_type, opset) if node.domain in ("", "ai.onnx") else None
    if schema is None:
        return []
    types, known = {}, {}
    for name, value in zip(node.input, inputs, strict=True):
        if isinstance(value, DEPENDENT):
            kind = steps if isinstance(value, Step) else onnx.TensorProto.FLOAT
            types[name] = onnx.helper.make_tensor_type_proto(kind, value.shape)
        elif isinstance(value, Tensor):
            array = value.numpy()
            array = array.astype("float32") if array.dtype.kind == "f" else array
            kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            types[name] = onnx.helper.make_tensor_type_proto(kind, array.shape)
            if array.size <= _KNOWN:
                known[name] = onnx.numpy_helper.from_array(array, name)
    sets = [onnx.helper.make_opsetid("", opset)]
    found = infer_node_outputs(schema, node, types, known, opset_imports=sets)
    tensors = [kind.tensor_type for kind in found.values() if kind.HasField("tensor_type")]
    shaped = [t.shape.dim for t in tensors if t.HasField("shape")]
    return [[d.dim_value for d in dims] for dims in shaped if all(d.HasField("dim_value") for d in dims)]
