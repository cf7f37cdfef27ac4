"""Follows one input through a graph of torch ops."""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from splinescope.errors import SplinescopeError, UnsupportedOpError
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.choice import Choice
from splinescope.network.importers.refusals import COURSE, INTEGERS, RANDOM, UNKNOWN, reason_for
from splinescope.network.importers.torch_ops import IGNORED, handle, knows
from splinescope.network.importers.torch_tracing import decomposed, needed_nodes
from splinescope.network.importers.views import DEPENDENT, Smooth, Step, Value, Variable
from splinescope.storage import check_content


class TorchReader:
    """Follows one input through an exported graph.

    Attributes:
        builder: The network so far.
    """

    def __init__(self, shape: tuple[int, ...], *, sound: bool = False) -> None:
        """Make the reader.

        Args:
            shape: Shape of one input.
            sound: Whether no number that the graph hands to Python decides its course.
        """
        self._sound = sound
        self.builder = Builder(batched=True)
        self._input = self.builder.add_input((1, *shape), "input")
        self._taken: set[str] = set()

    def read(self, graph: ExportedProgram | torch.fx.GraphModule) -> Value:
        """Import a program, or a graph of one input.

        Args:
            graph: The program, or the graph.

        Returns:
            Its output.
        """
        results = self._run_program(graph) if isinstance(graph, ExportedProgram) else self.run(graph, [self._input])
        results = [value for value in results if value is not None]
        if len(results) != 1 or not isinstance(results[0], Tensor | Variable | Smooth | Step):
            Choice().place([str(place) for place in range(len(results))], "program")
            raise UnsupportedOpError(f"the program returns a {type(results[0]).__name__}; expected a tensor")
        return results[0]

    def _run_program(self, program: ExportedProgram) -> list[Any]:
        signature = program.graph_signature
        constants = {**program.state_dict, **program.constants}
        places = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
            **signature.inputs_to_lifted_custom_objs,
        }
        known: dict[str, Any] = {name: constants.get(place) for name, place in places.items()}
        known.update(dict.fromkeys(signature.user_inputs, self._input))
        placeholders = [n.name for n in program.graph.nodes if n.op == "placeholder"]
        outputs = self.run(program.graph_module, [known.get(name) for name in placeholders])
        kinds = signature.output_specs
        return [v for v, spec in zip(outputs, kinds, strict=True) if spec.kind.name == "USER_OUTPUT"]

    def run(self, graph_module: torch.fx.GraphModule, arguments: list[Any]) -> list[Any]:
        """Run a graph on values.

        Args:
            graph_module: The graph, with its constants.
            arguments: One value for each placeholder.

        Returns:
            Its outputs.
        """
        values: dict[torch.fx.Node, Any] = {}
        remaining = iter(arguments)
        results = list(next(iter(reversed(graph_module.graph.nodes))).args)
        needed = needed_nodes(graph_module.graph, results, sound=self._sound and self.builder.within is None)
        for node in graph_module.graph.nodes:
            if node in needed and _draws(node):
                self._enter(node)
                raise self.builder.refusal(RANDOM)
        for node in graph_module.graph.nodes:
            if node.op == "placeholder":
                values[node] = next(remaining)
            elif node.op != "output" and node not in needed:
                continue
            elif node.op == "get_attr":
                values[node] = operator.attrgetter(node.target)(graph_module)
            elif node.op == "call_function":
                args = torch.fx.node.map_arg(node.args, values.__getitem__)
                kwargs = torch.fx.node.map_arg(node.kwargs, values.__getitem__)
                values[node] = self._call(node, list(args), dict(kwargs))
                self._check_kind(node, values[node])
            else:
                outputs = torch.fx.node.map_arg(node.args[0], values.__getitem__)
                return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        raise AssertionError("a graph has an output")

    def _enter(self, node: torch.fx.Node) -> None:
        """Say which node is being imported."""
        b = self.builder
        b.origin, b.op = b.within[0] if b.within else _name(node), str(node.target).removesuffix(".default")

    def _check_kind(self, node: torch.fx.Node, value: Any) -> None:
        """Refuse numbers of the input that are kept as whole ones, or as yes or no: they are rounded."""
        kept = node.meta.get("val")
        if not isinstance(kept, Tensor) or not isinstance(value, Variable | Smooth):
            return
        if not (kept.dtype.is_floating_point or kept.dtype.is_complex):
            raise self.builder.refusal(f"it rounds to {kept.dtype}, and so it jumps: it is not continuous")

    def _call(self, node: torch.fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Any:
        target: Any = node.target
        b = self.builder
        self._enter(node)
        schema = getattr(target, "_schema", None)
        name = schema.name.split("::")[-1] if schema is not None else getattr(target, "__name__", str(target))
        if name in IGNORED:
            return None
        _check_size(node, b)
        if target is not operator.getitem:
            b.check_arguments(_leaves([args, kwargs]))
        if name in ("wrap_with_set_grad_enabled", "wrap_with_autocast"):
            at = next(i for i, value in enumerate(args) if isinstance(value, torch.fx.GraphModule))
            for dtype in args[:at]:
                if isinstance(dtype, torch.dtype):
                    b.unit = max(b.unit, torch.finfo(dtype).eps)
            return self.run(args[at], args[at + 1 :])
        if target is operator.getitem:
            return args[0][args[1]]
        if not any(isinstance(v, DEPENDENT) for v in _leaves([args, kwargs])):
            return target(*args, **kwargs)
        if schema is None:
            raise b.refusal(COURSE)
        if schema.name.startswith("quantized"):
            raise b.refusal(INTEGERS)
        bound = {s.name: s.default_value for s in schema.arguments if s.has_default_value()}
        bound.update({s.name: value for s, value in zip(schema.arguments, args, strict=False)})
        bound.update(kwargs)
        try:
            if not knows(target):
                return self._simpler(target, args, kwargs)
            return handle(b, target, bound)
        except SplinescopeError:
            raise
        except Exception as error:
            raise b.failure(error) from error

    def _simpler(self, target: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """An op by the simpler ones in which torch itself writes it."""
        b = self.builder
        leaves, spec = pytree.tree_flatten((args, kwargs))
        places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, DEPENDENT)]
        if any(isinstance(leaves[place], Smooth) for place in places):
            b.variable(next(leaves[place] for place in places if isinstance(leaves[place], Smooth)))
        like = next((leaf.dtype for leaf in leaves if isinstance(leaf, Tensor) and leaf.is_floating_point()), None)

        def function(*values: Tensor) -> Any:
            given = list(leaves)
            for place, value in zip(places, values, strict=True):
                given[place] = value
            inner, words = pytree.tree_unflatten(given, spec)
            return target(*inner, **words)

        examples = [torch.zeros(leaves[place].shape, dtype=like or torch.float64) for place in places]
        graph = decomposed(target, function, examples)
        if graph is None:
            raise b.refusal(UNKNOWN)
        origin, op = b.origin, b.op
        b.within = (origin, op)
        try:
            results = self.run(graph, [leaves[place] for place in places])
        finally:
            b.within, b.origin, b.op = None, origin, op
        listed = any(isinstance(one.type, torch.ListType) for one in target._schema.returns)
        return results if len(results) != 1 or listed else results[0]


def _check_size(node: torch.fx.Node, b: Builder) -> None:
    """Refuse a value that would not fit in memory, before it is made: tracing knows all shapes and makes none."""
    value = node.meta.get("val")
    if isinstance(value, Tensor):
        size = 8 * math.prod(int(n) if isinstance(n, int) else 1 for n in value.shape)
        check_content(size, f"`module`: node `{b.origin}` ({b.op}), of shape {tuple(value.shape)},")


def _draws(node: torch.fx.Node) -> bool:
    """Whether an op draws random numbers: dropout and RReLU do not in eval mode."""
    target, args, kwargs = node.target, node.args, node.kwargs
    if not isinstance(target, torch._ops.OpOverload) or torch.Tag.nondeterministic_seeded not in target.tags:
        return False
    if reason_for(target._schema.name.split("::")[-1]) not in (RANDOM, UNKNOWN):
        return False
    names = [s.name for s in target._schema.arguments]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    return not any(name in ("train", "training") for name in names) or bool(given.get("train", given.get("training")))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list | tuple) else [value]


def _name(node: torch.fx.Node) -> str:
    """The path of the layer that made a node, and the node's own name where a layer has several or is not a leaf."""
    stack = node.meta.get("nn_module_stack") or {}
    path, kind = list(stack.values())[-1] if stack else ("", "")
    path = path.removeprefix("module").lstrip(".")
    if not path:
        return node.name
    return path if str(kind).startswith("torch.nn.modules.") and "container" not in str(kind) else f"{path}.{node.name}"
