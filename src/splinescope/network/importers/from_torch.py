"""Reads a torch module, through `torch.export`."""

from __future__ import annotations

import inspect
import logging
import math
import operator
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.graph import Network
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.finish import finish
from splinescope.network.importers.module_copy import (
    UncopyableError,
    copy_module,
    faithful_copy,
    first_line,
    random_states_kept,
    unwrapped,
    weights_uncached,
)
from splinescope.network.importers.module_hooks import global_hooks_off, other_hooks
from splinescope.network.importers.outputs import outputs_of, taking_apart
from splinescope.network.importers.refusals import RANDOM, UNKNOWN, reason_for
from splinescope.network.importers.reports import compare_with_module
from splinescope.network.importers.torch_ops import IGNORED, handle
from splinescope.network.importers.views import Smooth, Value, Variable
from splinescope.storage import check_content

Copies: TypeAlias = "partial[nn.Module]"
"""Makes a copy of a module in some type, or in its own."""


def from_torch(module: nn.Module, input_shape: tuple[int, ...] | None = None, *, fused: bool = True) -> Network:
    """Import a torch module, in eval mode.

    The module is copied, so that its weights, buffers, gradients, mode and hooks stay as they are, and no random
    number is drawn from torch's generators. What is imported is what a forward pass would compute now: weights that
    hooks or parametrizations compute are computed anew, and forward hooks that change the output, found by running
    copies of them, are part of the network; others are not.

    Args:
        module: A module of one input that takes batches [N, *input_shape], and returns one tensor: alone, or in a list,
            tuple, dictionary or dataclass.
        input_shape: Shape of one input, without the batch: `(1, 28, 28)`. It may be left out where the module begins
            with a linear layer.
        fused: Whether scales, batch-norm among them, are folded into the layers beside them. Without, each layer keeps
            a node with its own weights, for studies of weights; evaluation is slower.

    Returns:
        The network, in float64.

    Raises:
        UnsupportedOpError: If an op is not continuous piecewise affine, or unknown; the message names it.
        InvalidInputError: If the module cannot be run on such inputs, or has weights that are not finite.

    Cost: a copy of the module, a few forward passes of it, and its weights in float64.

    Example:
        >>> import torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
        >>> network = from_torch(module, input_shape=(2,))
        >>> network.num_units
        8
    """
    if not isinstance(module, nn.Module):
        raise InvalidInputError(f"`module`: got {type(module).__name__}; expected a torch.nn.Module")
    module = unwrapped(module)
    _check_inputs(module)
    shape = _checked_shape(module, input_shape)
    with random_states_kept(), weights_uncached(), global_hooks_off() as everywhere, torch.no_grad():
        copies, reference, notes = _kinds_of_copies(module, shape)
        if everywhere:
            notes = (f"{everywhere} hooks on all modules are neither part of the network nor compared.", *notes)
        program, reader = _traced(copies, shape)
        network = finish(reader.builder, reader.read(program), fused=fused)
        name = "module" if everywhere == 0 and reference.func is faithful_copy else "module without its hooks"
        return compare_with_module(network, reference, reader.builder.unit, notes, name)


def from_exported(program: ExportedProgram) -> Network:
    """Import a program of `torch.export`.

    Args:
        program: A program of one input, whose first axis is a batch of 1 or of any size.

    Returns:
        The network, in float64.

    Raises:
        UnsupportedOpError: As in `from_torch`.
        InvalidInputError: If the program was exported for a fixed batch of another size.
    """
    inputs = [n for n in program.graph.nodes if n.op == "placeholder" and n.name in program.graph_signature.user_inputs]
    if len(inputs) != 1:
        names = ", ".join(f"`{n.name}`" for n in inputs)
        raise InvalidInputError(f"`model`: the program has {len(inputs)} inputs ({names}); expected one")
    batch, *shape = inputs[0].meta["val"].shape
    if isinstance(batch, int) and batch != 1:
        raise InvalidInputError(
            f"`model`: the program was exported for batches of {batch}; export it with a batch of 1 or a dynamic one"
        )
    with random_states_kept(), torch.no_grad():
        reader = TorchReader(tuple(int(n) for n in shape))
        network = finish(reader.builder, reader.read(program))
        return compare_with_module(network, partial(copy_module, program.module()), reader.builder.unit, ())


def _kinds_of_copies(module: nn.Module, shape: tuple[int, ...]) -> tuple[Copies, Copies, tuple[str, ...]]:
    """What makes copies to trace, what makes copies to compare with, and what is to be said of the module's hooks."""
    bare, whole = partial(copy_module, module), partial(faithful_copy, module)
    hooks = other_hooks(module)
    if not hooks:
        return bare, whole, ()
    try:
        faithful_copy(module, None)
    except UncopyableError as error:
        note = f"{hooks} forward hooks are neither part of the network nor compared: they cannot be copied ({error})."
        return bare, bare, (note,)
    if _differ(bare(None), whole(None), shape):
        note = f"The {hooks} forward hooks of the module change its output, and are part of the network."
        return whole, whole, (note,)
    return bare, whole, (f"{hooks} forward hooks of the module are not part of the network.",)


def _differ(one: nn.Module, other: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether two modules return anything different, for a few inputs."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, *shape, generator=generator, dtype=torch.float32).to(_own_type(one))
    results: list[Tensor | None] = []
    for module in (one, other):
        try:
            results.append(outputs_of(module, x * torch.tensor([0.1, 1.0, 10.0]).to(x).reshape(3, *(1,) * len(shape))))
        except Exception:  # noqa: BLE001 - the user's code; what does not run is found out when it is traced
            results.append(None)
    first, second = results
    if first is None or second is None:
        return first is not second
    return first.shape != second.shape or not torch.allclose(first, second, rtol=0.0, atol=0.0, equal_nan=True)


def _check_inputs(module: nn.Module) -> None:
    parameters = inspect.signature(module.forward).parameters.values()
    required = [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    if len(required) > 1:
        names = ", ".join(f"`{name}`" for name in required)
        raise UnsupportedOpError(
            f"the module takes {len(required)} inputs ({names}); splinescope supports modules of one input"
        )


def _checked_shape(module: nn.Module, input_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if input_shape is not None:
        shape = tuple(int(n) for n in input_shape)
        if any(n < 1 for n in shape):
            raise InvalidInputError(f"`input_shape`: got {input_shape}; expected positive sizes, without the batch")
        return shape
    for child in module.modules():
        if isinstance(child, nn.Linear):
            return (child.in_features,)
        if not isinstance(child, nn.Flatten | nn.Identity | nn.Dropout) and not list(child.children()):
            break
    raise InvalidInputError(
        "`input_shape`: the module does not tell the shape of its input; give it without the batch, as in "
        "`splinescope.load(module, input_shape=(1, 28, 28))`"
    )


def _own_type(module: nn.Module) -> torch.dtype:
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.get_default_dtype())


def _traced(copies: Copies, shape: tuple[int, ...]) -> tuple[ExportedProgram, TorchReader]:
    """Export a copy of the module, in float64 if it runs so, else in its own type."""
    problems: list[Exception] = []
    for dtype in (torch.float64, None):
        copied = copies(dtype)
        example = torch.linspace(-0.5, 0.5, max(1, int(torch.Size(shape).numel())), dtype=torch.float64)
        try:
            return _export(copied, example.reshape(1, *shape).to(dtype or _own_type(copied))), TorchReader(shape)
        except Exception as error:  # noqa: BLE001 - the user's code may fail in any way, and torch.export too
            problems.append(error)
    raise _untraceable(copies(None), shape, problems[0]) from problems[0]


def _export(module: nn.Module, example: Tensor) -> ExportedProgram:
    with warnings.catch_warnings(), _unlogged("torch._subclasses.fake_tensor"):
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        program = torch.export.export(taking_apart(module), (example,), strict=False)
        return program.run_decompositions({}) if _mutates(program) else program


@contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """Without the records of a logger: torch logs tracebacks of failures that are told in one line here."""

    def drop(_: logging.LogRecord) -> bool:
        return False

    logger = logging.getLogger(name)
    logger.addFilter(drop)
    try:
        yield
    finally:
        logger.removeFilter(drop)


def _mutates(program: ExportedProgram) -> bool:
    """Whether an op writes to a value that another one reads, so that the program has to be made functional first."""
    order = {node: place for place, node in enumerate(program.graph.nodes)}
    return any(_writes(node) and not _owns(node, order) for node in program.graph.nodes)


def _schema(node: torch.fx.Node) -> Any:
    return getattr(node.target, "_schema", None) if node.op == "call_function" else None


def _writes(node: torch.fx.Node) -> bool:
    schema = _schema(node)
    return schema is not None and schema.is_mutable


def _owns(node: torch.fx.Node, order: dict[torch.fx.Node, int]) -> bool:
    """Whether an op that writes to its first argument is the last to see it, under any name."""
    written = node.args[0] if node.args else None
    if not isinstance(written, torch.fx.Node) or _schema(written) is None or node.kwargs.get("out") is not None:
        return False
    if sum(s.alias_info is not None and s.alias_info.is_write for s in _schema(node).arguments) != 1:
        return False
    views = [user for user in (written, *written.users) if user is not node and _aliases(user)]
    return not views and all(order[user] <= order[node] for user in written.users)


def _aliases(node: torch.fx.Node) -> bool:
    """Whether an op may return its argument's memory; one that writes to what it owns is as good as a fresh one."""
    schema = _schema(node)
    return (
        schema is None
        or "dropout" in schema.name
        or any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
    )


def _untraceable(copied: nn.Module, shape: tuple[int, ...], error: Exception) -> Exception:
    """Say whether the module does not run at all on such inputs, or runs but cannot be traced."""
    try:
        copied(torch.zeros(1, *shape, dtype=_own_type(copied)))
    except Exception as failure:  # noqa: BLE001 - the user's code
        return InvalidInputError(
            f"`input_shape`: the module fails on one input of shape {shape} (a batch of shape {(1, *shape)}): "
            f"{first_line(failure)}; expected the shape of one input without the batch, and a module that takes a "
            "batch of 1"
        )
    return UnsupportedOpError(
        f"the module cannot be traced by torch.export, as when its course depends on the values of its input: "
        f"{first_line(error)}"
    )


class TorchReader:
    """Follows one input through an exported graph.

    Attributes:
        builder: The network so far.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.builder = Builder(batched=True)
        self._input = self.builder.add_input((1, *shape), "input")
        self._taken: set[str] = set()

    def read(self, program: ExportedProgram) -> Value:
        """Import a program.

        Args:
            program: The program, of one input.

        Returns:
            Its output.
        """
        signature = program.graph_signature
        constants = {**program.state_dict, **program.constants}
        places = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        known: dict[str, Any] = {name: constants[place] for name, place in places.items()}
        known.update(dict.fromkeys(signature.user_inputs, self._input))
        placeholders = [n.name for n in program.graph.nodes if n.op == "placeholder"]
        outputs = self.run(program.graph_module, [known[name] for name in placeholders])
        kinds = signature.output_specs
        results = [v for v, spec in zip(outputs, kinds, strict=True) if spec.kind.name == "USER_OUTPUT"]
        results = [value for value in results if value is not None]
        if len(results) != 1 or not isinstance(results[0], Tensor | Variable | Smooth):
            raise UnsupportedOpError(
                f"the module returns {len(results)} values; splinescope supports modules that return one tensor"
            )
        return results[0]

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
        for node in graph_module.graph.nodes:
            if node.op == "placeholder":
                values[node] = next(remaining)
            elif node.op == "get_attr":
                values[node] = operator.attrgetter(node.target)(graph_module)
            elif node.op == "call_function":
                args = torch.fx.node.map_arg(node.args, values.__getitem__)
                kwargs = torch.fx.node.map_arg(node.kwargs, values.__getitem__)
                values[node] = self._call(node, list(args), dict(kwargs))
            else:
                outputs = torch.fx.node.map_arg(node.args[0], values.__getitem__)
                return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        raise AssertionError("a graph has an output")

    def _call(self, node: torch.fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Any:
        target: Any = node.target
        b = self.builder
        b.origin, b.op = _name(node), str(target).removesuffix(".default")
        schema = getattr(target, "_schema", None)
        name = schema.name.split("::")[-1] if schema is not None else getattr(target, "__name__", str(target))
        if name in IGNORED:
            return None
        _check_size(node, b)
        if target is not operator.getitem:
            b.check_arguments(_leaves([args, kwargs]))
        if name in ("wrap_with_set_grad_enabled", "wrap_with_autocast"):
            at = next(i for i, value in enumerate(args) if isinstance(value, torch.fx.GraphModule))
            return self.run(args[at], args[at + 1 :])
        if schema is not None and torch.Tag.nondeterministic_seeded in target.tags and _active(target, args, kwargs):
            raise b.refusal(RANDOM)
        if target is operator.getitem:
            return args[0][args[1]]
        if not any(isinstance(v, Variable | Smooth) for v in _leaves([args, kwargs])):
            return target(*args, **kwargs)
        if schema is None:
            raise b.refusal("its course depends on the input")
        bound = {s.name: s.default_value for s in schema.arguments if s.has_default_value()}
        bound.update({s.name: value for s, value in zip(schema.arguments, args, strict=False)})
        bound.update(kwargs)
        return handle(b, target, bound)


def _check_size(node: torch.fx.Node, b: Builder) -> None:
    """Refuse a value that would not fit in memory, before it is made: tracing knows all shapes and makes none."""
    value = node.meta.get("val")
    if isinstance(value, Tensor):
        size = 8 * math.prod(int(n) if isinstance(n, int) else 1 for n in value.shape)
        check_content(size, f"`module`: node `{b.origin}` ({b.op}), of shape {tuple(value.shape)},")


def _active(target: Any, args: list[Any], kwargs: dict[str, Any]) -> bool:
    """Whether an op that can be random is: dropout and RReLU are not in eval mode."""
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
    if not path:
        return node.name
    return path if str(kind).startswith("torch.nn.modules.") and "container" not in str(kind) else f"{path}.{node.name}"
