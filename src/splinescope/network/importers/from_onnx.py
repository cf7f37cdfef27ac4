"""Reads ONNX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError, SplinescopeError, UnsupportedOpError
from splinescope.network.graph import Network
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.choice import Choice, OutputName
from splinescope.network.importers.disagreements import DisagreementError
from splinescope.network.importers.finish import finish
from splinescope.network.importers.module_copy import first_line
from splinescope.network.importers.onnx_legacy import ATTRIBUTES, BINARY, LAST, aligned_shape
from splinescope.network.importers.refusals import RANDOM, reason_for
from splinescope.network.importers.reports import compare_with_onnx
from splinescope.network.importers.views import DEPENDENT, Smooth, Step, Value, Variable
from splinescope.numerics import require
from splinescope.storage import check_content

if TYPE_CHECKING:
    import onnx

    from splinescope.network.importers.onnx_file import ModelPart


def from_onnx(
    path: str | PathLike[str],
    input_shape: tuple[int, ...] | None = None,
    *,
    output: OutputName = None,
    fixed: Mapping[str, Any] | None = None,
) -> Network:
    """Import an ONNX model.

    The model's first input axis counts as the batch if its size is unknown, or if it is 1 and there are others. Nodes
    that the output does not need are not looked at.

    Args:
        path: A file `.onnx`, or `.onnx.gz`.
        input_shape: Shape of one input, without the batch, where the model does not tell.
        output: Which of several outputs, by name or index.
        fixed: Values of further inputs by name, without the batch.

    Returns:
        The network, in float64.

    Raises:
        UnsupportedOpError: If an op is not continuous piecewise affine, or unknown; the message names it. Also if there
            are several outputs or inputs and none is chosen.
        InvalidInputError: If the file cannot be read, or has weights that are not finite.
        MissingDependencyError: If the package `onnx` is not installed.

    Cost: reading the file, and a few forward passes of both networks, by which they are compared.

    Example:
        >>> import onnx, tempfile
        >>> text = '<ir_version: 8, opset_import: ["": 17]> net (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }'
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     onnx.save(onnx.parser.parse_model(text), f"{folder}/net.onnx")
        ...     network = from_onnx(f"{folder}/net.onnx")
        >>> network.input_shape, network.num_units
        ((3,), 3)
    """
    require("onnx", "onnx", "reading an ONNX file")
    from splinescope.network.importers.onnx_file import part_of, read_model

    path = Path(path)
    if not path.is_file():
        raise InvalidInputError(f"`path`: there is no file {path}")
    choice = Choice(output, dict(fixed or {}))
    part = part_of(read_model(path), choice, input_shape)
    reader = OnnxReader(part.model, Builder(batched=part.source.batched))
    try:
        with torch.no_grad():
            network = finish(reader.builder, reader.read(part))
            notes = (*choice.notes(part.outputs), *reader.notes)
            network = compare_with_onnx(network, path, part.model, part.source, reader.builder.unit, notes)
    except DisagreementError as error:
        if reader.invalid:
            raise InvalidInputError(reader.invalid) from error
        raise
    except SplinescopeError:
        raise
    except Exception as error:  # a graph that means nothing fails anywhere, at the latest when the network is evaluated
        place = f"`model`: node `{reader.builder.origin}` ({reader.builder.op})"
        raise InvalidInputError(reader.invalid or f"{place} cannot be imported: {first_line(error)}") from error
    _check_meaning(network, part, reader.invalid)
    if reader.realigned and network.import_report.not_compared:
        raise UnsupportedOpError(
            f"{reader.realigned}: it broadcasts as before version 7 of the operator set, and the result cannot be "
            f"compared with the original: {network.import_report.not_compared}; convert the model to a newer version"
        )
    return network


def _check_meaning(network: Network, part: ModelPart, invalid: str) -> None:
    """Refuse what is no valid ONNX where onnxruntime has not vouched for it."""
    if any(deviation.reference == "onnxruntime" for deviation in network.import_report.deviations):
        return
    if invalid:
        raise InvalidInputError(invalid)
    stated = part.model.graph.output[0].type.tensor_type
    if not stated.HasField("shape"):
        return
    dims = [d.dim_value if d.dim_value > 0 else None for d in stated.shape.dim]
    stated_batch = part.source.batched and len(dims) > len(network.output_shape)
    shape = (1, *network.output_shape) if stated_batch else network.output_shape
    if len(dims) != len(shape) or any(n not in (None, m) for n, m in zip(dims, shape, strict=True)):
        raise InvalidInputError(f"`model`: its output `{part.output}` has the shape {shape}; the file states {dims}")


class OnnxReader:
    """Follows one input through an ONNX graph.

    Attributes:
        builder: The network so far.
        invalid: What strict inference of shapes says of the first node with which it disagrees; empty if of none.
        notes: What a user should know of the model.
        realigned: A node whose second argument was broadcast as in old versions; empty if there is none.
    """

    def __init__(self, model: onnx.ModelProto, builder: Builder) -> None:
        self.builder = builder
        self.realigned = ""
        self.invalid = ""
        self.notes: tuple[str, ...] = ()
        self._made = 0
        self._model = model
        self._opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)

    def read(self, part: ModelPart) -> Value:
        """Import the graph.

        Args:
            part: The output, and what it needs.

        Returns:
            The output.
        """
        source = part.source
        values: dict[str, Any] = {source.name: self.builder.add_input(source.shape, source.name)}
        values.update({fixed.name: _real(fixed.value) for fixed in source.fixed})
        self.notes = _rounded_slopes(part.nodes)
        result = self._run(self._model.graph, part.nodes, values)[part.output]
        if not isinstance(result, Tensor | Variable | Smooth | Step):
            self.builder.check_arguments([result])
            raise self.builder.refusal("what it returns is no tensor of numbers")
        return result

    def _run(self, graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto], values: dict[str, Any]) -> dict[str, Any]:
        """Values by name, of nodes of a graph whose inputs are given."""
        import onnx

        if graph.sparse_initializer:
            raise UnsupportedOpError("the model has sparse weights, which splinescope does not know")
        for tensor in graph.initializer:
            values[tensor.name] = _real(onnx.numpy_helper.to_array(tensor))
        for node in nodes:
            missing = [name for name in node.input if name and name not in values]
            if missing:
                raise InvalidInputError(f"`model`: node `{_name(node)}` reads `{missing[0]}`, which does not exist")
            outputs = self._call(node, values)
            values.update({name: value for name, value in zip(node.output, outputs, strict=False) if name})
        return values

    def _call(self, node: onnx.NodeProto, values: dict[str, Any]) -> list[Any]:
        import onnx

        from splinescope.network.importers.onnx_checks import check_node
        from splinescope.network.importers.onnx_handlers import Call
        from splinescope.network.importers.onnx_ops import handle, run_node
        from splinescope.network.importers.onnx_sequences import SEQUENCES, Listed

        b = self.builder
        b.origin, b.op = _name(node), node.op_type
        inputs = tuple(values[name] if name else None for name in node.input)
        b.check_arguments(inputs)
        if any(isinstance(value, np.ndarray) for value in inputs):
            raise b.refusal("it takes texts or complex numbers")
        if node.op_type in SEQUENCES and node.domain in ("", "ai.onnx"):
            return self._passed_on(node, inputs)
        if any(isinstance(value, Listed) for value in inputs):
            raise b.refusal("it takes a sequence of tensors")
        if node.op_type not in ("If", "Loop", "Scan"):
            trouble = check_node(node, inputs, self._opset)
            self.invalid = self.invalid or trouble
        attributes = {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
        opset = self._opset
        if opset <= LAST and len(inputs) == 2 and node.op_type in (*BINARY, "PRelu"):
            node, inputs, attributes, opset = self._modern(node, inputs, attributes)
        if node.op_type in ("If", "Loop", "Scan"):
            return self._control(node, inputs, attributes, values)
        if reason_for(node.op_type.removesuffix("Like")) == RANDOM:
            raise b.refusal(RANDOM)
        if any(isinstance(value, DEPENDENT) for value in inputs):
            outputs = sum(bool(name) for name in node.output)
            made = handle(b, node, Call(node.op_type, inputs, attributes, opset, outputs))
        else:
            made = [_real(array) for array in run_node(node, list(inputs), opset)]
        self._count(made)
        return made

    def _passed_on(self, node: onnx.NodeProto, inputs: tuple[Any, ...]) -> list[Any]:
        """What an op of sequences and optional values passes on."""
        import onnx

        from splinescope.network.importers.onnx_sequences import SEQUENCES

        attributes = {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
        try:
            made = [SEQUENCES[node.op_type](self.builder, inputs, attributes)]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            message = f"node `{_name(node)}` ({node.op_type}) does not fit its arguments: {first_line(error)}"
            raise InvalidInputError(f"`model`: {message}") from error
        self._count(made)
        return made

    def _count(self, made: list[Any]) -> None:
        """Refuse what takes too much memory together: constants, and places of numbers."""
        parts = [value.index if isinstance(value, Variable) else value for value in made]
        self._made += sum(part.nbytes for part in parts if isinstance(part, np.ndarray | Tensor))
        check_content(self._made, f"`model`: what the graph makes up to node `{self.builder.origin}`")

    def _modern(
        self, node: onnx.NodeProto, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> tuple[onnx.NodeProto, tuple[Any, ...], dict[str, Any], int]:
        """A node of an old version whose second argument has the shape in which it broadcasts today."""
        import onnx

        first, second = inputs
        shape = aligned_shape(node.op_type, _name(node), tuple(first.shape), tuple(second.shape), attributes)
        if shape != tuple(second.shape):
            self.realigned = self.realigned or f"node `{_name(node)}` ({node.op_type})"
            second = second.reshape(shape) if isinstance(second, Tensor) else self.builder.reshape(second, shape)
        renewed = onnx.NodeProto()
        renewed.CopyFrom(node)
        del renewed.attribute[:]
        renewed.attribute.extend(a for a in node.attribute if a.name not in ATTRIBUTES)
        kept = {name: value for name, value in attributes.items() if name not in ATTRIBUTES}
        return renewed, (first, second), kept, LAST + 1

    def _control(
        self, node: onnx.NodeProto, inputs: tuple[Any, ...], attributes: Any, values: dict[str, Any]
    ) -> list[Any]:
        """What a constant decides: a branch, or the number of rounds of a loop."""
        from splinescope.network.importers import onnx_control as control

        if node.op_type == "If":
            return self._inner(control.branch(self.builder, inputs, attributes), dict(values))
        if node.op_type == "Loop":
            body = attributes["body"]
            return control.loop(self.builder, body, inputs, lambda given: self._inner(body, {**values, **given}))
        raise self.builder.refusal(control.DEPENDS)

    def _inner(self, graph: onnx.GraphProto, values: dict[str, Any]) -> list[Any]:
        """What a graph inside of a node returns."""
        from splinescope.network.importers.onnx_graph import needed_nodes

        names = [output.name for output in graph.output]
        inner = self._run(graph, needed_nodes(graph, names), values)
        return [inner[name] for name in names]


def _rounded_slopes(nodes: Sequence[onnx.NodeProto]) -> tuple[str, ...]:
    """What to know where a slope that people write as 0.1 is stored in float32: it is another one than torch's."""
    for node in nodes:
        given = [a.f for a in node.attribute if a.name == "alpha"] or [0.01]
        stored = float(np.float32(given[0]))
        meant = float(str(np.float32(stored)))
        if node.op_type == "LeakyRelu" and meant != stored:
            what = f"ONNX stores the slope {meant:g} of `{_name(node)}` as the float32 {stored!r}"
            return (f"{what}; a torch module with {meant:g} differs from it by as much.",)
    return ()


def _name(node: onnx.NodeProto) -> str:
    return node.name or next((name for name in node.output if name), node.op_type)


def _plain(value: Any) -> Any:
    """An attribute's value, with text decoded."""
    return value.decode() if isinstance(value, bytes) else value


def _real(array: np.ndarray) -> Any:
    """A constant as a tensor, real numbers in float64."""
    array = np.asarray(array)
    if array.dtype.kind in "fV" or "float" in array.dtype.name:
        array = array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        return array
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    return torch.from_numpy(np.array(array, order="C"))
