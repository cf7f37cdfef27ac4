"""Which output of a model is imported, and what its further inputs are fixed to."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.importers.outputs import named_tensors

OutputName: TypeAlias = str | int | None
"""An output by its name or by its place; None for the only one."""

_MOST_NAMED = 8


@dataclass(frozen=True, eq=False)
class Choice:
    """What a user chooses of a model with several outputs or inputs.

    Attributes:
        output: The output to import.
        fixed: Values of further inputs by name.
        seen: Names of the outputs that a module returned last; torch undoes what modules note of themselves.
    """

    output: OutputName = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse fixed values that are no numbers."""
        if not isinstance(self.fixed, Mapping):
            raise InvalidInputError(f"`fixed`: got {self.fixed!r}; expected values by names of inputs")
        for name, value in self.fixed.items():
            try:
                given = torch.as_tensor(value) if _is_array(value) else torch.zeros(())
            except (TypeError, ValueError, RuntimeError) as error:
                raise InvalidInputError(f"`fixed`: the value of `{name}` is no array: {error}") from None
            if not torch.isfinite(given.real if given.is_complex() else given).all():
                raise InvalidInputError(
                    f"`fixed`: the value of `{name}` has numbers that are NaN or infinite; expected finite ones"
                )

    def place(self, names: Sequence[str], what: str = "module") -> int:
        """Which of a model's outputs is meant.

        Args:
            names: Their names, in order.
            what: What kind of model it is, for the error.

        Returns:
            Its place.

        Raises:
            UnsupportedOpError: If there are several and none was chosen, or there is none.
            InvalidInputError: If there is no such output.
        """
        if not names:
            raise UnsupportedOpError(f"the {what} returns 0 tensors; splinescope needs one that depends on its input")
        if self.output is None and len(names) > 1:
            raise UnsupportedOpError(
                f"the {what} has {len(names)} outputs ({listed(names)}); choose one by name or index: "
                f"output={names[0]!r}"
            )
        wanted = 0 if self.output is None else self.output
        if isinstance(wanted, str) and wanted not in names and wanted.lstrip("-").isdigit():
            wanted = int(wanted)
        if isinstance(wanted, str) and wanted in names:
            return list(names).index(wanted)
        elements = what == "module" and all(name.partition(".")[0].isdigit() for name in names)
        if elements and self.output is not None and isinstance(wanted, int) and wanted >= 0:
            # The index counts elements that are no tensors, too.
            wanted = list(names).index(str(wanted)) if str(wanted) in names else len(names)
        if isinstance(wanted, int) and -len(names) <= wanted < len(names):
            return wanted % len(names)
        raise InvalidInputError(
            f"`output`: got {self.output!r}; the {what} has {len(names)} outputs by name or index: {listed(names)}"
        )

    def notes(self, outputs: Sequence[str]) -> tuple[str, ...]:
        """What the report says of the choice.

        Args:
            outputs: Names of all outputs.
        """
        said = []
        if len(outputs) > 1:
            said.append(f"It is the output `{outputs[self.place(outputs)]}` of {len(outputs)}: {listed(outputs)}.")
        if self.fixed:
            said.append(f"Fixed inputs: {listed(list(self.fixed))}.")
        return tuple(said)


def listed(names: Sequence[str]) -> str:
    """Names in backticks, the first ones if there are many."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:_MOST_NAMED]) + more


def free_input(inputs: Mapping[str, bool], fixed: Mapping[str, Any], what: str = "module", *, any_name: bool) -> str:
    """The one input of a model that is not fixed.

    Args:
        inputs: For each input by name, whether the model needs it.
        fixed: Values of inputs by name.
        what: What kind of model it is, for the error.
        any_name: Whether the model takes inputs of other names, too.

    Returns:
        Its name.

    Raises:
        InvalidInputError: If there is no input of a name, or all are fixed.
        UnsupportedOpError: If there are several.
    """
    unknown = [name for name in fixed if name not in inputs]
    if unknown and not any_name:
        raise InvalidInputError(f"`fixed`: the {what} has no input `{unknown[0]}`; it has {listed(list(inputs))}")
    free = [name for name in inputs if name not in fixed]
    needed = [name for name in free if inputs[name]]
    if len(needed) > 1:
        raise UnsupportedOpError(
            f"the {what} takes {len(needed)} inputs ({listed(needed)}); fix all but one: fixed={{{needed[1]!r}: value}}"
        )
    if not free:
        raise InvalidInputError(f"`fixed`: all inputs of the {what} are fixed ({listed(list(inputs))}); leave one free")
    return (needed or free)[0]


class Door(nn.Module):
    """A module with one input and one output: what is chosen of another one.

    It hands a copy of its input on, so that a module that changes its input in place changes nothing of ours.
    """

    def __init__(self, module: nn.Module, choice: Choice) -> None:
        """Make the door.

        Args:
            module: The module.
            choice: What is chosen of it.
        """
        super().__init__()
        self.module = module
        self._choice = choice
        self._name = _module_input(module, choice.fixed)
        self._plain = {name: value for name, value in choice.fixed.items() if not _is_array(value)}
        for name, value in choice.fixed.items():
            if _is_array(value):
                self.register_buffer(f"fixed_{name}", torch.as_tensor(value).detach().cpu(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, ...] inputs to the chosen output."""
        words = dict(self._plain)
        for name in self._choice.fixed:
            if name not in self._plain:
                value = getattr(self, f"fixed_{name}")
                value = value.to(x.dtype) if value.is_floating_point() else value
                words[name] = value.expand(len(x), *value.shape)
        given = x.clone()
        value = self.module(given, **words) if self._name is None else self.module(**{self._name: given}, **words)
        found = named_tensors(value)
        if not found:
            raise UnsupportedOpError(
                f"the module returns 0 tensors, but a {type(value).__name__}; splinescope needs a tensor that "
                "depends on its input"
            )
        self._choice.seen[:] = found
        return found[self._choice.seen[self._choice.place(self._choice.seen)]]


def _is_array(value: Any) -> bool:
    """Whether it is one input without its batch, not a number or a flag that is passed as it is."""
    return isinstance(value, Tensor | np.ndarray | list)


def _module_input(module: nn.Module, fixed: Mapping[str, Any]) -> str | None:
    """Name of the input that is not fixed; None if it comes first, and is passed by its place."""
    if isinstance(module, torch.jit.ScriptModule):
        return None
    parameters = inspect.signature(module.forward).parameters.values()
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if not named:
        return None
    name = free_input({p.name: p.default is p.empty for p in named}, fixed, any_name=any_name)
    return None if name == named[0].name and named[0].kind is not inspect.Parameter.KEYWORD_ONLY else name
