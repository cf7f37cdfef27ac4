"""Follows pre-activations through one run of a model, by the tensors that its operations take and give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from splinescope.complexity.transformers.states import (
    AFFINE,
    NONLINEAR,
    Hidden,
    Source,
    State,
    Units,
    mixing,
    pointwise,
    rows_of_view,
)

MATRIX_PRODUCTS = frozenset(
    "addbmm addmm baddbmm bilinear bmm conv1d einsum grouped_mm linear matmul mm scaled_mm tensordot".split()
)
"""Operations that apply a matrix."""


@dataclass(frozen=True)
class Arrival:
    """A hidden layer that reached its down projection.

    Attributes:
        hidden: The hidden layer.
        down: Path of the down projection's module, or name of its parameter.
        width: Its inputs.
    """

    hidden: Hidden
    down: str
    width: int


@dataclass(frozen=True, eq=False)
class _KnownTensor:
    """A tensor that is kept alive, so that its identity stays its own, and what is known of it.

    Attributes:
        tensor: The tensor.
        state: What its units are; None for a view that has those of one token along several axes.
        root: The contiguous tensor whose memory it shares.
        units: The units of that.
    """

    tensor: Tensor
    state: State | None
    root: Tensor
    units: Units


class Dataflow(TorchFunctionMode):
    """Records the hidden layers of a model's MLP blocks while it is active.

    A projection is a module without children whose output is $W x + b$ with its own parameters, checked on the tensors
    themselves. From there on each operation tells what its output is. Nothing that the model computes is touched.

    Attributes:
        arrivals: The hidden layers that reached a down projection.
    """

    def __init__(self, model: nn.Module, tokens: int) -> None:
        super().__init__()
        self.arrivals: list[Arrival] = []
        self._model, self._tokens = model, tokens
        self._known: dict[int, _KnownTensor] = {}
        self._constants: dict[int, tuple[Tensor, str]] = {
            id(parameter): (parameter, name) for name, parameter in model.named_parameters()
        }
        self._calls: Counter[nn.Module] = Counter()
        self._inside = False
        self._activation = ""

    def watch(self, stack: ExitStack) -> None:
        """Put hooks on the modules that matter.

        Args:
            stack: Takes the hooks off when it is closed.
        """
        for name, module in self._model.named_modules():
            if any(True for _ in module.children()):
                continue
            if sorted(parameter.ndim for parameter in module.parameters(recurse=False)) in ([2], [1, 2]):
                handles = (
                    module.register_forward_pre_hook(self._enter_projection),
                    module.register_forward_hook(self._projection_hook(name)),
                )
            else:
                handles = (
                    module.register_forward_pre_hook(self._enter_activation),
                    module.register_forward_hook(self._leave_activation),
                )
            for handle in handles:
                stack.callback(handle.remove)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and note what it did."""
        result = func(*args, **(kwargs or {}))
        if not self._inside:
            operands = list(_tensors((args, kwargs or {})))
            outputs = [output for output in _tensors((result,)) if output.is_floating_point()]
            if operands and outputs:
                self._note(_plain(func), operands, outputs)
        return result

    def _note(self, operation: str, operands: list[Tensor], outputs: list[Tensor]) -> None:
        """Learn what the outputs of an operation are."""
        weights = [self._constants[id(operand)][1] for operand in operands if id(operand) in self._constants]
        variables = [
            operand
            for operand in operands
            if id(operand) not in self._constants and operand.is_floating_point() and operand.numel() != 1
        ]
        if not variables:
            if weights and operation != "embedding":  # which is of the tokens
                self._constants.update({id(output): (output, weights[0]) for output in outputs})
            return
        if operation in MATRIX_PRODUCTS and weights:
            self._raw_projection(weights[0], variables, outputs)
            return
        known = [self._known[id(variable)] for variable in variables if id(variable) in self._known]
        for output in outputs:
            complete = len(known) == len(variables)
            state = self._state(operation, known, output) if complete else None
            self._remember(output, state, known if complete else [])

    def _state(self, operation: str, known: list[_KnownTensor], output: Tensor) -> State | None:
        """What one output is, all operands being known."""
        alone = operation in NONLINEAR or (operation in AFFINE and operation != "reshape")
        if not alone and len(known) == 1 and _same_memory(known[0].tensor, output):
            return _viewed(known[0], output)
        states = [entry.state for entry in known if entry.state is not None]
        if len(states) < len(known):
            return None
        if alone or operation == "reshape":
            state = pointwise(operation, states, self._activation or operation)
            return state if state is None or output.shape[-1:] == known[0].tensor.shape[-1:] else None
        return mixing(states)

    def _remember(self, output: Tensor, state: State | None, known: list[_KnownTensor]) -> None:
        """Keep what an output is; forget what a reused tensor was."""
        home = next((entry for entry in known if _same_memory(entry.root, output)), None)
        if home is not None:
            self._known[id(output)] = _KnownTensor(output, state, home.root, home.units)
        elif state is not None:
            self._known[id(output)] = _KnownTensor(
                output, state, output, state if isinstance(state, Units) else state.gate
            )
        else:
            self._known.pop(id(output), None)

    def _raw_projection(self, name: str, variables: list[Tensor], outputs: list[Tensor]) -> None:
        """A matrix product with a parameter that belongs to no projection module."""
        problem = (
            f"the weights of its projection are the parameter `{name}` itself, "
            "not those of a linear module (a mixture of experts?)"
        )
        for variable in variables:
            self._arrive(variable, name, variable.shape[-1])
        for output in outputs:
            self._start(output, Source(name, inputs=variables[0], problem=problem))

    def _start(self, output: Tensor, source: Source) -> None:
        """Output of a projection."""
        units = Units(source, range(output.shape[-1]))
        self._known[id(output)] = _KnownTensor(output, units, output, units)

    def _arrive(self, tensor: Tensor, down: str, width: int) -> None:
        """Note a hidden layer that is the input of a projection."""
        known = self._known.get(id(tensor))
        if known is not None and isinstance(known.state, Hidden):
            self.arrivals.append(Arrival(known.state, down, width))

    def _enter_projection(self, module: nn.Module, args: Any) -> None:
        self._inside = True

    def _projection_hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        """What happens when a module with a matrix has run."""

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            call = self._calls[module]
            self._calls[module] += 1
            if len(args) == 1 and _is_floating(args[0]) and _is_floating(output):
                problem, transposed = self._check(module, args[0], output)
                self._arrive(args[0], name, args[0].shape[-1])
                self._start(output, Source(name, call, module, transposed, args[0], problem))
            self._inside = False

        return leave

    def _check(self, module: nn.Module, inputs: Tensor, output: Tensor) -> tuple[str, bool]:
        """What is wrong with a projection, if anything, and whether its weight is transposed."""
        transposed = orientation(module, inputs, output)
        if transposed is None:
            return "the output of its projection is not W x + b with the module's own parameters", False
        ran = inputs.numel() // inputs.shape[-1]
        if ran != self._tokens:
            return f"it ran on {ran} of {self._tokens} tokens, as the experts of a mixture do", transposed
        return "", transposed

    def _enter_activation(self, module: nn.Module, args: Any) -> None:
        self._activation = type(module).__name__

    def _leave_activation(self, module: nn.Module, args: Any, output: Any) -> None:
        self._activation = ""


def orientation(module: nn.Module, inputs: Tensor, output: Tensor) -> bool | None:
    """Whether a module applies its matrix as it is or transposed, from one input and output.

    Args:
        module: A module whose own parameters are one matrix and at most one vector.
        inputs: [..., d].
        output: [..., m].

    Returns:
        False for a weight [m, d], True for [d, m], None if the output is neither.
    """
    *vectors, matrix = sorted((parameter.detach() for parameter in module.parameters(recurse=False)), key=Tensor.dim)
    bias = vectors[0] if vectors else None
    if matrix.dtype != inputs.dtype:
        return None
    for transposed, weight in ((False, matrix), (True, matrix.T)):
        if weight.shape != (output.shape[-1], inputs.shape[-1]) or (
            bias is not None and bias.shape != output.shape[-1:]
        ):
            continue
        error = (linear(inputs.detach(), weight, bias) - output.detach()).float().norm()
        # half of the digits: the same product by another kernel agrees far better, another product far worse
        if error <= torch.finfo(output.dtype).eps ** 0.5 * output.detach().float().norm():
            return transposed
    return None


def _viewed(known: _KnownTensor, output: Tensor) -> State | None:
    """What a view of a known tensor is."""
    state = known.state
    rows = rows_of_view(output, known.root, known.units.rows)
    if not isinstance(state, Hidden):
        return None if rows is None else Units((state or known.units).source, rows)
    if state.up is None and not state.settled and rows is not None:
        return replace(state, gate=Units(state.gate.source, rows))
    return replace(state, settled=True)


def _same_memory(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.ndim > 0


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """All tensors in nested arguments or results."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)
        elif isinstance(value, dict):
            yield from _tensors(value.values())


def _plain(func: Callable[..., Any]) -> str:
    """Name of an operation: that of the function for methods, operators and in-place forms, too."""
    name = str(getattr(func, "__name__", "")).strip("_")
    return _OPERATORS.get(name, name)


_OPERATORS = {
    "imul": "mul", "rmul": "mul", "iadd": "add", "radd": "add", "isub": "sub", "rsub": "sub", "itruediv": "div",
    "truediv": "div", "rtruediv": "reciprocal", "rdiv": "reciprocal", "idiv": "div", "rpow": "pow", "ipow": "pow",
    "rmatmul": "matmul",
}  # fmt: skip
