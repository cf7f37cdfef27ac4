"""Cuts any torch module in two at one of its submodules, smooth ones included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.network.importers.module_copy import first_line, unwrapped, working_copy


@dataclass(frozen=True, eq=False)
class ModuleSplit:
    """A module in two parts.

    Attributes:
        before: From the input to the submodule's output.
        after: From there to the module's output.
        name: Name of the submodule.
    """

    before: nn.Module
    after: nn.Module
    name: str


def split_module(module: nn.Module, at: str, x: Tensor) -> ModuleSplit:
    """Cut a module behind one of its submodules.

    Both parts work on one copy of the module, in eval mode, with copies of its forward hooks. Gradients reach their
    inputs, but not the weights. The second part runs the module on blank inputs and puts its argument in place of the
    submodule's output; where the module allows it, on one blank input only, so that this costs little.

    Args:
        module: The module, of one input and one output.
        at: Name of a submodule, as in `module.named_modules()`.
        x: [N, ...] some inputs, preferably several, on which the parts are compared with the whole.

    Returns:
        The parts; `after(before(x))` is `module(x)`.

    Raises:
        InvalidInputError: If there is no such submodule, it is not run exactly once or does not return one tensor, or
            what follows needs more than its output.

    Cost: a copy of the module, and a few forward passes of the inputs.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.GELU(), torch.nn.Linear(5, 2))
        >>> parts = split_module(net, "1", torch.zeros(2, 3))
        >>> parts.before(torch.ones(4, 3)).shape, parts.after(torch.ones(4, 5)).shape
        (torch.Size([4, 5]), torch.Size([4, 2]))
    """
    copied = working_copy(unwrapped(module))
    names = [name for name, _ in copied.named_modules() if name]
    if at not in names:
        raise InvalidInputError(f"`at`: the module has no submodule {at!r}; it has {', '.join(map(repr, names))}")
    before = _Before(copied, at)
    with torch.no_grad():
        expected, runs = _counted(copied, at, x)
        if runs != 1:
            raise InvalidInputError(f"`at`: the module runs its submodule {at!r} {runs} times; expected once")
        z = before(x)
        if not isinstance(z, Tensor) or not isinstance(expected, Tensor):
            raise InvalidInputError(f"`at`: {at!r} or the module returns {type(z).__name__}; expected one tensor each")
        problem = ""
        for rows in (1, None) if len(x) > 1 else (None,):
            after = _After(copied, at, x[:1], rows)
            try:
                if torch.equal(after(z), expected):
                    return ModuleSplit(before, after, at)
            except Exception as error:  # noqa: BLE001 - the user's code, on inputs that it did not expect
                problem = f" ({first_line(error)})"
    raise InvalidInputError(
        f"`at`: what follows {at!r} needs more than its output, as when a skip leads around it{problem}; cut behind a "
        "module that everything passes through"
    )


class _Reached(Exception):  # noqa: N818 - no error: the value that was waited for
    """Carries the submodule's output out of the module."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Before(nn.Module):
    """Runs a module until a submodule is done."""

    def __init__(self, whole: nn.Module, at: str) -> None:
        super().__init__()
        self.whole, self.at = whole, at

    def forward(self, x: Tensor) -> Any:
        """[N, ...] inputs to the submodule's outputs."""

        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            raise _Reached(output)

        hook = self.whole.get_submodule(self.at).register_forward_hook(leave)
        try:
            self.whole(x)
        except _Reached as reached:
            return reached.value
        finally:
            hook.remove()
        raise AssertionError("the submodule was run before")


class _After(nn.Module):
    """Runs a module with something in place of a submodule's output."""

    blank: Tensor

    def __init__(self, whole: nn.Module, at: str, like: Tensor, rows: int | None) -> None:
        super().__init__()
        self.whole, self.at, self.rows = whole, at, rows
        self.register_buffer("blank", torch.zeros_like(like))

    def forward(self, z: Tensor) -> Any:
        """Outputs of the submodule to outputs of the module."""
        hook = self.whole.get_submodule(self.at).register_forward_hook(lambda module, inputs, output: z)
        try:
            return self.whole(self.blank.expand(self.rows or len(z), *self.blank.shape[1:]))
        finally:
            hook.remove()


def _counted(whole: nn.Module, at: str, x: Tensor) -> tuple[Any, int]:
    """What a module returns, and how often it runs a submodule."""
    runs: list[bool] = []

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        runs.append(True)

    hook = whole.get_submodule(at).register_forward_hook(count)
    try:
        return whole(x), len(runs)
    finally:
        hook.remove()
