"""Writes down what a torch module does with one input, as a graph of ops: by `torch.export`, else by running it."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import Tensor, nn
from torch._decomp import core_aten_decompositions
from torch.export import ExportedProgram
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode

_LOGGERS = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")


def exported(module: nn.Module, example: Tensor) -> ExportedProgram:
    """A module's graph by `torch.export`.

    Args:
        module: A module of one input and one output.
        example: [1, ...] an input.

    Returns:
        The program, in which no op writes to what another one reads.

    Raises:
        Exception: Whatever the module or torch raises.
    """
    with _quiet():
        program = torch.export.export(module, (example,), strict=False)
        if any(str(getattr(n.target, "__module__", "")).startswith("torch._functorch") for n in program.graph.nodes):
            raise NotImplementedError("torch.func, as in vmap, is in the graph")
        return program.run_decompositions({}) if _mutates(program) else program


def recorded(module: nn.Module, example: Tensor) -> GraphModule:
    """A module's graph by running it on an input: for modules that look at values of their own weights, and scripts.

    Where the module looks at a value that depends on its input, the graph has an op that does, so that its reader
    can refuse it.

    Args:
        module: A module of one input and one output.
        example: [1, ...] an input.

    Returns:
        The graph, in which no op writes to anything.

    Raises:
        Exception: Whatever the module or torch raises.
    """
    pure = torch.func.functionalize(lambda x: module(x), remove="mutations")
    with _quiet(), _ArraysOfValues():
        return make_fx(pure, tracing_mode="real", record_module_stack=True, _error_on_data_dependent_ops=False)(example)


class _ArraysOfValues(TorchFunctionMode):
    """Lets `.numpy()` return values where tensors are traced; those that torch returns there are of no meaning."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("numpy", "__array__"):
            args = (_plain(args[0].detach()), *args[1:])
        return func(*args, **(kwargs or {}))


def _plain(tensor: Tensor) -> Tensor:
    """The tensor inside torch's wrappers."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        if torch._is_functional_tensor(tensor):
            torch._sync(tensor)  # type: ignore[attr-defined, no-untyped-call]
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def decomposed(target: Any, function: Callable[..., Any], examples: Sequence[Tensor]) -> GraphModule | None:
    """The graph of an op in the simpler ones in which torch writes it.

    Args:
        target: The op.
        function: Calls it.
        examples: Its arguments.

    Returns:
        The graph; None if torch has nothing simpler.
    """
    pure = torch.func.functionalize(function, remove="mutations")
    table = dict(core_aten_decompositions().items())
    with _quiet():
        graph = make_fx(pure, table, tracing_mode="real", _error_on_data_dependent_ops=False)(*examples)
    return None if any(node.target is target for node in graph.graph.nodes) else graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's warnings of its own internals, and tracebacks in its logs of what is told in one line here."""

    def drop(_: logging.LogRecord) -> bool:
        return False

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(drop)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in loggers:
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


def decisions(graph: torch.fx.Graph) -> int:
    """Number of nodes of a graph that hand a number to Python, which may decide the course by it."""
    return sum(map(_decides, graph.nodes))


def needed_nodes(graph: torch.fx.Graph, chosen: list[Any], *, sound: bool = False) -> set[torch.fx.Node]:
    """Nodes of a graph that some of its results depend on, and those that may decide its course.

    Args:
        graph: The graph.
        chosen: The results.
        sound: Whether no number that it hands to Python decides anything.

    Returns:
        The nodes.
    """
    waiting = [node for node in graph.nodes if _decides(node) and not sound]
    torch.fx.node.map_arg(chosen, waiting.append)
    found: set[torch.fx.Node] = set()
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.all_input_nodes
            waiting += [user for user in node.users if _writes(user)]
    return found


def _decides(node: torch.fx.Node) -> bool:
    schema = _schema(node)
    return schema is not None and schema.name.split("::")[-1] in ("_local_scalar_dense", "item")
