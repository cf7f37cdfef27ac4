"""Reads a torch module, through `torch.export`, or by running it where that cannot."""

from __future__ import annotations

import gc
import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import GraphModule

from splinescope.errors import InvalidInputError, SplinescopeError, UnsupportedOpError
from splinescope.network.graph import Network
from splinescope.network.importers.choice import Choice, Door, OutputName, free_input
from splinescope.network.importers.escapes import Escapes, escapes
from splinescope.network.importers.failures import told_in_one_line
from splinescope.network.importers.finish import finish
from splinescope.network.importers.module_copy import (
    UncopyableError,
    check_numbers,
    copy_module,
    faithful_copy,
    first_line,
    random_states_kept,
    unwrapped,
    weights_uncached,
)
from splinescope.network.importers.module_hooks import global_hooks_off, other_hooks
from splinescope.network.importers.outputs import outputs_of
from splinescope.network.importers.reports import compare_with_module
from splinescope.network.importers.torch_graph import TorchReader
from splinescope.network.importers.torch_tracing import decisions, exported, recorded
from splinescope.network.importers.views import Value

Copies: TypeAlias = Callable[[torch.dtype | None], nn.Module]
"""Makes a copy of a module in some type, or in its own."""

_LARGE = 1 << 23
"""Weights of a module that is worth the time of looking for garbage: 64 MiB in float64."""


def from_torch(
    module: nn.Module,
    input_shape: tuple[int, ...] | None = None,
    *,
    output: OutputName = None,
    fixed: Mapping[str, Any] | None = None,
    fused: bool = True,
) -> Network:
    """Import a torch module, in eval mode.

    The module is copied, so that its weights, buffers, gradients, mode and hooks stay as they are, and no random
    number is drawn from torch's generators. What is imported is what a forward pass would compute now: weights that
    hooks or parametrizations compute are computed anew, and forward hooks that change the output, found by running
    copies of them, are part of the network; others are not.

    Args:
        module: A module that takes batches [N, *input_shape], and returns tensors: one alone, or several in a list,
            tuple, dictionary or dataclass. It may be a script of `torch.jit`.
        input_shape: Shape of one input, without the batch: `(1, 28, 28)`. It may be left out where the module begins
            with a linear layer.
        output: Which of several outputs, by index or by name: the key, or the field of a tuple with names.
        fixed: Values of further inputs by name: arrays without the batch, which are repeated for every input, and
            numbers, flags and texts, which are passed as they are.
        fused: Whether scales, batch-norm among them, are folded into the layers beside them. Without, each layer keeps
            a node with its own weights, for studies of weights; evaluation is slower.

    Returns:
        The network, in float64.

    Raises:
        UnsupportedOpError: If an op is not continuous piecewise affine, or unknown; the message names it. Also if there
            are several outputs or inputs and none is chosen.
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
    check_numbers(module)
    choice = Choice(output, fixed or {})
    Door(module, choice)  # refuses further inputs that are not fixed
    shape = _checked_shape(module, input_shape)
    with (
        told_in_one_line(),
        random_states_kept(),
        weights_uncached(),
        global_hooks_off() as everywhere,
        torch.no_grad(),
    ):
        kinds = _kinds_of_copies(module, choice, shape)
        notes = kinds.notes
        if everywhere:
            notes = (f"{everywhere} hooks on all modules are neither part of the network nor compared.", *notes)
        found = _read(kinds.traced, shape)
        network = finish(found.reader.builder, found.output, fused=fused)
        _let_go(module)
        name = "module" if everywhere == 0 and kinds.with_hooks else "module without its hooks"
        notes = (*choice.notes(choice.seen), *notes)
        retraced = partial(_retraced, kinds.traced, shape)
        return compare_with_module(network, kinds.compared, found.reader.builder.unit, notes, name, retraced)


def from_exported(
    program: ExportedProgram, *, output: OutputName = None, fixed: Mapping[str, Any] | None = None
) -> Network:
    """Import a program of `torch.export`.

    Args:
        program: A program whose inputs' first axis is a batch of 1 or of any size.
        output: Which of several outputs, as in `from_torch`.
        fixed: Values of further inputs, as in `from_torch`.

    Returns:
        The network, in float64.

    Raises:
        UnsupportedOpError: As in `from_torch`.
        InvalidInputError: If the program was exported for a fixed batch of another size.
    """
    choice = Choice(output, fixed or {})
    inputs = {
        n.name: n
        for n in program.graph.nodes
        if n.op == "placeholder" and n.name in program.graph_signature.user_inputs
    }
    name = free_input(dict.fromkeys(inputs, True), choice.fixed, "program", any_name=False)
    batch, *shape = inputs[name].meta["val"].shape
    if isinstance(batch, int) and batch != 1:
        raise InvalidInputError(
            f"`model`: the program was exported for batches of {batch}; export it with a batch of 1 or a dynamic one"
        )
    sizes = tuple(int(n) for n in shape)
    with told_in_one_line(), random_states_kept(), torch.no_grad():
        copies = _opened(partial(copy_module, program.module()), choice)
        if choice.fixed or choice.output is not None:
            found = _read(copies, sizes)
        else:
            reader = TorchReader(sizes, sound=True)
            found = _Found(reader, reader.read(program))
        network = finish(found.reader.builder, found.output)
        return compare_with_module(network, copies, found.reader.builder.unit, choice.notes(choice.seen))


@dataclass(frozen=True, eq=False)
class _Kinds:
    """What makes copies to trace and copies to compare with; what the latter leave out, in words."""

    traced: Copies
    compared: Copies
    with_hooks: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Found:
    """What was read: the reader with the network so far, and the output in it."""

    reader: TorchReader
    output: Value


def _opened(copies: Copies, choice: Choice) -> Copies:
    return lambda dtype: Door(copies(dtype), choice)


def _kinds_of_copies(module: nn.Module, choice: Choice, shape: tuple[int, ...]) -> _Kinds:
    """What makes copies to trace and to compare with, and what is to be said of the module's hooks."""
    bare, whole = (_opened(partial(copies, module), choice) for copies in (copy_module, faithful_copy))
    if isinstance(module, torch.jit.ScriptModule):
        return _Kinds(bare, bare, True)
    hooks = other_hooks(module)
    if not hooks:
        return _Kinds(bare, whole, True)
    try:
        faithful_copy(module, None)
    except UncopyableError as error:
        note = f"{hooks} forward hooks are neither part of the network nor compared: they cannot be copied ({error})."
        return _Kinds(bare, bare, False, (note,))
    if _differ(bare(None), whole(None), shape):
        note = f"The {hooks} forward hooks of the module change its output, and are part of the network."
        return _Kinds(whole, whole, True, (note,))
    return _Kinds(bare, whole, True, (f"{hooks} forward hooks of the module are not part of the network.",))


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


def _checked_shape(module: nn.Module, input_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if input_shape is not None:
        try:
            shape = tuple(operator.index(n) for n in input_shape)
        except TypeError:
            shape = (0,)
        if any(n < 1 for n in shape):
            raise InvalidInputError(f"`input_shape`: got {input_shape!r}; expected positive sizes, without the batch")
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


def _read(copies: Copies, shape: tuple[int, ...]) -> _Found:
    """Read a copy of the module, in float64 if it runs so, else in its own type; exported if possible, else run."""
    first: Exception | None = None
    for trace in (_exported_graph, _recorded_graph):
        for dtype in (torch.float64, None):
            try:
                graph, sound = trace(copies, dtype, shape)
            except SplinescopeError:
                raise
            except Exception as error:  # noqa: BLE001 - the user's code may fail in any way, and torch.export too
                first = first or error
                continue
            reader = TorchReader(shape, sound=sound)
            return _Found(reader, reader.read(graph))
    assert first is not None
    raise _untraceable(copies(None), shape, first) from first


def _retraced(copies: Copies, shape: tuple[int, ...], x: Tensor) -> tuple[Tensor, Tensor] | None:
    """What the graph computes that is read of the module, and what the copy computes that it is made of."""
    for trace in (_exported_graph, _recorded_graph):
        try:
            graph, _ = trace(copies, x.dtype, shape)
        except Exception:  # noqa: BLE001 - as when it was read
            continue
        traced = outputs_of(graph.module() if isinstance(graph, ExportedProgram) else graph, x)
        return traced, outputs_of(copies(x.dtype), x)
    return None


def _exported_graph(copies: Copies, dtype: torch.dtype | None, shape: tuple[int, ...]) -> tuple[ExportedProgram, bool]:
    """The module's graph by torch.export, which goes on with no number that it has not in the graph."""
    program = exported(copies(dtype), _example(copies, dtype, shape))
    if decisions(program.graph):
        _checked_escapes(copies, dtype, shape)
    return program, True


def _recorded_graph(copies: Copies, dtype: torch.dtype | None, shape: tuple[int, ...]) -> tuple[GraphModule, bool]:
    """The module's graph by running it, and whether no number that it reads matters."""
    found = _checked_escapes(copies, dtype, shape)
    graph = recorded(copies(dtype), _example(copies, dtype, shape, run=True))
    return graph, found.harmless == decisions(graph.graph)


def _example(copies: Copies, dtype: torch.dtype | None, shape: tuple[int, ...], *, run: bool = False) -> Tensor:
    """An input; if copies are to run on it, one that they do not refuse, if there is one."""
    numbers = torch.linspace(-0.5, 0.5, max(1, int(torch.Size(shape).numel())), dtype=torch.float64)
    numbers = numbers.reshape(1, *shape).to(_own_type(copies(None)) if dtype is None else dtype)
    if not run:
        return numbers
    module = copies(dtype)
    for example in (numbers, numbers + 0.5, torch.zeros_like(numbers)):
        with suppress(Exception):
            module(example)
            return example
    return numbers


def _checked_escapes(copies: Copies, dtype: torch.dtype | None, shape: tuple[int, ...]) -> Escapes:
    """Refuse a module that goes on with values that left torch: a graph of torch's ops has them as constants."""
    found = escapes(partial(copies, dtype), _example(copies, dtype, shape, run=True))
    if found.matters is not None:
        raise UnsupportedOpError(f"`module`: {found.matters.reason}")
    return found


def _let_go(module: nn.Module) -> None:
    """Free what was traced, which refers to itself, where it is large; the comparison needs the room."""
    if sum(weight.numel() for weight in module.parameters()) > _LARGE:
        gc.collect()


def _untraceable(copied: nn.Module, shape: tuple[int, ...], error: Exception) -> Exception:
    """Say whether the module does not run at all on such inputs, or runs but cannot be traced."""
    try:
        copied(torch.zeros(1, *shape, dtype=_own_type(copied)))
    except Exception as failure:  # noqa: BLE001 - the user's code
        return InvalidInputError(
            f"`module`: it fails on a batch of shape {(1, *shape)}: {first_line(failure)}; expected `input_shape` "
            "without the batch, and a module that takes a batch of 1"
        )
    return UnsupportedOpError(
        f"the module cannot be traced by torch.export, as when its course depends on the values of its input: "
        f"{first_line(error)}"
    )
